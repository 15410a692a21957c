//! Traffic of a scene as a vector file: what somebody typed, and every report that passed.
//!
//! ```text
//!   # a note
//!   file firmware.bin 65536 5e88489f2d1b44aa      a file: size, first 16 digits of its SHA-256
//!   $ blhost -u 0x15A2,0x0073 -- reset            a program ran, and opened the device
//!   | fill-memory 0x2000 4 0xC0000008 word        a line of the file it was given as a batch
//!   > 01000400 0b 0*3                             a report to the device, id first
//!   < 03000c00 a0 0*6 0b 0*1004                   a report from it
//!   > 0200f403 firmware.bin@2024+1012             1012 bytes of a file, from byte 2024 on
//! ```
//!
//! The words of a report are put together: bytes in hexadecimal, `0*N` for N zeros, a piece of a
//! file. So there are no images in a vector, and every report has its length; what lies behind the
//! data of a loader's report is left over from others, and is shown as zeros. Times are left out.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::results::Results;
use super::scenes::Recording;
use super::tap::{self, Report};

/// Where the vectors are.
const FOLDER: &str = "crates/omv-wire/tests/vectors";
/// So many zeros and more are counted.
const ZEROS: usize = 4;
/// So many bytes and more that agree with a file are taken for a piece of it.
const PIECE: usize = 32;
/// Most bytes of a report that are neither zeros nor a piece of a file.
const OTHERS: usize = 128;
/// Where a report's data begins: after id and length, or after the id alone.
const DATA: [usize; 2] = [4, 1];
/// The command file of a batch, by its name on the line.
const BATCH: &str = "batch.txt";

/// A file that is written to a device or read from it.
struct Supply {
    name: String,
    bytes: Vec<u8>,
    /// Where the next piece will begin.
    next: usize,
}

/// Compares the tap of a scene with its vector file, or makes the file of it.
///
/// # Errors
/// With the first line that differs.
pub fn judge(root: &Path, results: &Results, recording: &Recording, keep: bool) -> Result<()> {
    let found = text(results, recording.title)?;
    let path = root.join(FOLDER).join(recording.file);
    if keep && recording.makes {
        println!("rig: {} lines to {}", found.lines().count(), recording.file);
        return fs::write(path, found).map_err(Into::into);
    }
    let wanted = fs::read_to_string(path).with_context(|| format!("no {}", recording.file))?;
    agree(&wanted, &found, !recording.makes).with_context(|| recording.file.to_owned())
}

/// Demands the same lines, notes aside; `unfilled` also aside from the zeros that reports to the
/// device end with: some tools fill reports up, and the device does not care.
fn agree(wanted: &str, found: &str, unfilled: bool) -> Result<()> {
    let line = |line: &str| match line.strip_prefix("> ") {
        Some(words) if unfilled => {
            let (bytes, zeros) = words.rsplit_once(' ').unwrap_or((words, ""));
            let bytes = if zeros.starts_with("0*") {
                bytes
            } else {
                words
            };
            format!("> {}", trimmed(bytes))
        }
        _ => line.to_owned(),
    };
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(line).collect()
    };
    let (wanted, found) = (lines(wanted), lines(found));
    for at in 0..wanted.len().max(found.len()) {
        let (wanted, found) = (wanted.get(at), found.get(at));
        if wanted != found {
            let show = |line: Option<&String>| line.map_or("the end", |line| line).to_owned();
            bail!("`{}` passed instead of `{}`", show(found), show(wanted));
        }
    }
    Ok(())
}

/// Bytes in hexadecimal without the zeros at their end.
fn trimmed(mut bytes: &str) -> &str {
    while !bytes.contains('@')
        && let Some(shorter) = bytes.strip_suffix("00")
    {
        bytes = shorter;
    }
    bytes
}

/// The vector of a scene.
fn text(results: &Results, title: &str) -> Result<String> {
    let reports = tap::reports(&results.bytes("usb.tap")?).context("usb.tap")?;
    let typed = results.typed()?;
    ensure!(!typed.is_empty(), "nobody typed anything");
    let mut supplies = supplies(results, &typed)?;
    let mut text = format!("# {title}\n# Format: xtask/src/rig/recording.rs.\n");
    for Supply { name, bytes, .. } in &supplies {
        let digest = Sha256::digest(bytes);
        let digest: String = digest[..8].iter().map(|b| format!("{b:02x}")).collect();
        writeln!(text, "file {name} {} {digest}", bytes.len())?;
    }
    for line in &typed {
        writeln!(text, "\n$ {}", line.text)?;
        if line.text.contains(BATCH) {
            for line in results.text(BATCH)?.lines() {
                writeln!(text, "| {line}")?;
            }
        }
        let during = |report: &&Report| (line.begun..=line.ended).contains(&report.time);
        let mut count = 0;
        for report in reports.iter().filter(during) {
            let way = if report.out { '>' } else { '<' };
            let bytes = if report.out {
                report.bytes.clone()
            } else {
                blanked(report.bytes.clone())
            };
            writeln!(text, "{way} {}", words(&bytes, &mut supplies)?)?;
            count += 1;
        }
        ensure!(count > 0, "no report passed during `{}`", line.text);
    }
    Ok(text)
}

/// A loader's report without what its buffer held before: that may be a piece of anybody's file.
/// What a loader leaves there is held against the real ones in an emulator.
fn blanked(mut bytes: Vec<u8>) -> Vec<u8> {
    if let [3 | 4, 0, low, high, ..] = bytes[..] {
        let end = 4 + usize::from(u16::from_le_bytes([low, high]));
        if let Some(rest) = bytes.get_mut(end..) {
            rest.fill(0);
        }
    }
    bytes
}

/// The files of the scene that the lines, or those of a batch, name.
fn supplies(results: &Results, typed: &[super::results::Typed]) -> Result<Vec<Supply>> {
    let mut lines: String = typed.iter().map(|line| line.text.clone() + "\n").collect();
    lines += &results.text(BATCH).unwrap_or_default();
    let mut supplies: Vec<Supply> = Vec::new();
    for name in lines.split_whitespace() {
        let image = [".bin", ".img"].iter().any(|end| name.ends_with(end));
        if image && supplies.iter().all(|supply| supply.name != name) {
            supplies.push(Supply {
                name: name.to_owned(),
                bytes: results.bytes(name)?,
                next: 0,
            });
        }
    }
    Ok(supplies)
}

/// A report in words.
fn words(bytes: &[u8], supplies: &mut [Supply]) -> Result<String> {
    // Zeros agree with many places, so the longest piece is the right one.
    let mut best: Option<(usize, usize, usize, usize)> = None;
    for head in DATA.into_iter().filter(|head| *head <= bytes.len()) {
        for (number, supply) in supplies.iter().enumerate() {
            // What is sent may be read back.
            for from in [supply.next, 0] {
                let rest = supply.bytes.get(from..).unwrap_or_default();
                let data = bytes[head..].iter();
                let same = rest.iter().zip(data).take_while(|(a, b)| a == b).count();
                let fits = same >= PIECE.min(rest.len().max(1));
                if fits && best.is_none_or(|best| same > best.0) {
                    best = Some((same, head, number, from));
                }
            }
        }
    }
    let Some((same, head, number, from)) = best else {
        return Ok(plain(bytes)?.join(" "));
    };
    let supply = &mut supplies[number];
    supply.next = from + same;
    let mut words = plain(&bytes[..head])?;
    words.push(format!("{}@{from}+{same}", supply.name));
    words.extend(plain(&bytes[head + same..])?);
    Ok(words.join(" "))
}

/// Bytes in hexadecimal, long runs of zeros counted.
fn plain(bytes: &[u8]) -> Result<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut others = 0;
    for run in bytes.chunk_by(|a, b| (*a == 0) == (*b == 0)) {
        if run[0] == 0 && run.len() >= ZEROS {
            words.push(format!("0*{}", run.len()));
            continue;
        }
        others += run.len();
        let digits: String = run.iter().map(|byte| format!("{byte:02x}")).collect();
        match words.last_mut().filter(|word| !word.contains('*')) {
            Some(word) => word.push_str(&digits),
            None => words.push(digits),
        }
    }
    ensure!(
        others <= OTHERS,
        "a report has {others} bytes of no known file: {bytes:02x?}"
    );
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply() -> Vec<Supply> {
        vec![Supply {
            name: "a.bin".to_owned(),
            bytes: (1..=100).collect(),
            next: 0,
        }]
    }

    #[test]
    fn zeros_are_counted_and_pieces_of_a_file_are_named() {
        let mut supplies = supply();
        let short = [1, 0, 4, 0, 0xA0, 0, 0, 0, 0, 0, 7];
        assert_eq!(words(&short, &mut supplies).unwrap(), "01000400a0 0*5 07");
        let mut data = vec![2, 0, 60, 0];
        data.extend(1..=60);
        assert_eq!(words(&data, &mut supplies).unwrap(), "02003c00 a.bin@0+60");
        let mut rest = vec![2, 0, 40, 0];
        rest.extend(61..=100);
        rest.extend([0; 9]);
        assert_eq!(
            words(&rest, &mut supplies).unwrap(),
            "02002800 a.bin@60+40 0*9"
        );
        // And once more from its start.
        assert_eq!(words(&data, &mut supplies).unwrap(), "02003c00 a.bin@0+60");
    }

    #[test]
    fn what_a_buffer_held_before_is_not_kept() {
        assert_eq!(
            blanked(vec![3, 0, 2, 0, 7, 7, 9, 9]),
            [3, 0, 2, 0, 7, 7, 0, 0]
        );
        // The ROM's reports have no length.
        let rom = vec![3, 0x56, 0x78, 0x78, 0x56];
        assert_eq!(blanked(rom.clone()), rom);
        assert_eq!(blanked(vec![4, 0, 9, 0, 7]), [4, 0, 9, 0, 7]);
    }

    #[test]
    fn data_of_no_known_file_is_not_kept() {
        assert!(words(&[7; 200], &mut supply()).is_err());
    }

    #[test]
    fn another_report_is_told_with_the_one_that_was_wanted() {
        assert!(agree("# 1\n$ a\n> 01\n", "# 2\n$ a\n> 01\n", false).is_ok());
        let error = agree("$ a\n> 01\n", "$ a\n> 02\n", false).unwrap_err();
        assert_eq!(error.to_string(), "`> 02` passed instead of `> 01`");
        assert!(agree("$ a\n", "$ a\n> 02\n", false).is_err());
        assert!(agree("$ a\n> 02\n", "$ a\n", false).is_err());
    }

    #[test]
    fn only_a_report_to_the_device_may_be_filled_up() {
        for (filled, unfilled) in [
            ("> 010b 0*9", "> 010b00"),
            ("> 02 a.bin@0+40 0*9", "> 02 a.bin@0+40"),
        ] {
            assert!(agree(filled, unfilled, true).is_ok());
            assert!(agree(filled, unfilled, false).is_err());
        }
        assert!(agree("< 030b 0*9", "< 030b00", true).is_err());
        assert!(agree("> 010b 0*9", "> 010b01", true).is_err());
    }
}
