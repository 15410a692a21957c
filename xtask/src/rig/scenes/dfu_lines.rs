//! Command lines for the real `dfu-util` and ours, line by line: exit codes, and what scripts read. What
//! was seen is the page `docs/dfu-util.md`; `UPDATE=1` rewrites it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::rig::results::Results;

const PAGE: &str = "docs/dfu-util.md";
const HEAD: &str = "\
# `omv dfu-util` beside dfu-util 0.11

What `cargo xtask rig dfu-lines` saw: each line was typed for Debian's dfu-util 0.11 and for ours, on a
virtual H7 behind Linux's own USB drivers. Compared are the exit code and every line of both outputs but
the copyright, the help, the version of the USB library, and how bars look while they move. Numbers
that the kernel gives to devices are left out. A device that is gone before it can be reset makes dfu-util end with
251, or with 74 and a word about the reset, as the kernel happens to notice; both count as 251.

";

/// Lines that are meant to end otherwise, and why.
const MEANT: [(&str, &str); 1] = [(
    "dfu-util -d ,37c5:9204 -a 3 -D damaged.dfu",
    "a damaged file is refused; the real one warns and writes it, the suffix included",
)];

/// What the real one says, with exit code 74, when the kernel notices while it is being reset that a device is
/// gone; without it 251 when that was noticed before.
pub const GONE: &str = "dfu-util: error resetting after download: LIBUSB_ERROR_NO_DEVICE";

/// What one tool said to a line.
struct Said {
    code: i32,
    out: Vec<String>,
    err: Vec<String>,
}

pub fn judge(results: &Results) -> Result<()> {
    let script = results.text("../../lines/dfu-util")?;
    let mut page = HEAD.to_owned();
    let mut different = Vec::new();
    let (mut number, mut same) = (0, 0);
    for line in script.lines() {
        if let Some(state) = line.strip_prefix("== ") {
            let title = match state {
                "bootloader" => "OpenMV's bootloader",
                _ => "The chip's ROM, revision Y",
            };
            page += &format!(
                "## {title}\n\n| line | dfu-util | ours | what was said |\n|---|---|---|---|\n"
            );
        }
        if !line.starts_with("dfu-util") {
            if line.is_empty() {
                page += "\n";
            }
            continue;
        }
        number += 1;
        let (real, ours) = (
            said(results, "real", number)?,
            said(results, "ours", number)?,
        );
        let meant = MEANT.iter().find(|(meant, _)| *meant == line);
        let equal = real.code == ours.code && real.out == ours.out && real.err == ours.err;
        let verdict = match meant {
            Some((_, why)) => format!("meant: {why}"),
            None => "equal".to_owned(),
        };
        same += usize::from(equal);
        if equal == meant.is_some() {
            different.push(format!("{line}\n{}", difference(&real, &ours)));
        }
        page += &format!("| `{line}` | {} | {} | {verdict} |\n", real.code, ours.code);
    }
    if !different.is_empty() {
        bail!(
            "{} lines differ:\n{}",
            different.len(),
            different.join("\n")
        );
    }
    ensure!(same >= 20, "only {same} lines are compared");
    held(&page.replace("\n## The", "\n\n## The"))
}

/// What a tool said, without what is left out.
fn said(results: &Results, tool: &str, number: usize) -> Result<Said> {
    let name = format!("{tool}/line{number}");
    let ran = results.ran(&name)?;
    let mut err = lines(&results.text(&format!("{name}.err"))?);
    let told = err.len();
    err.retain(|line| line != GONE);
    Ok(Said {
        code: match ran.code {
            74 if err.len() < told => 251,
            code => code,
        },
        out: lines(&ran.stdout),
        err,
    })
}

/// The lines that are compared.
fn lines(text: &str) -> Vec<String> {
    let ours_alone = [
        "Copyright ",
        "This program is Free Software",
        "Please report bugs to",
        "This is omv ",
        "libusb version ",
        "omv version ",
        "Usage: dfu-util",
    ];
    let kept = text.lines().filter(|line| {
        let is_help = line.starts_with("  ") || line.starts_with('\t');
        !line.trim().is_empty() && !is_help && !ours_alone.iter().any(|head| line.starts_with(head))
    });
    kept.map(plain).collect()
}

/// A line with what is left of a bar that moved, and without the device's number.
fn plain(line: &str) -> String {
    let line = line.rsplit('\r').next().unwrap_or_default().trim_end();
    let Some((head, rest)) = line.split_once("devnum") else {
        return line.to_owned();
    };
    let rest = rest.trim_start_matches(['=', ' ']);
    format!(
        "{head}devnum {}",
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
    )
}

fn difference(real: &Said, ours: &Said) -> String {
    let mut text = format!("  exit codes {} and {}\n", real.code, ours.code);
    for (name, real, ours) in [("out", &real.out, &ours.out), ("err", &real.err, &ours.err)] {
        for line in real.iter().filter(|line| !ours.contains(line)) {
            text += &format!("  {name} -{line}\n");
        }
        for line in ours.iter().filter(|line| !real.contains(line)) {
            text += &format!("  {name} +{line}\n");
        }
    }
    text
}

/// Fails when the page says something else.
fn held(seen: &str) -> Result<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(PAGE);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, seen)?;
    }
    let committed = fs::read_to_string(&path).context(PAGE)?;
    ensure!(
        committed == seen,
        "{PAGE} says something else; `UPDATE=1` rewrites it"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_that_moved_and_numbers_of_devices_make_no_difference() {
        let text =
            "\rDownload\t[   ]  0%  0 bytes\rDownload\t[===] 100%  9 bytes\nDownload done.\n";
        assert_eq!(
            lines(text),
            ["Download\t[===] 100%  9 bytes", "Download done."]
        );
        let listed =
            |number: u8| format!("Found DFU: [37c5:9204] ver=0102, devnum={number}, cfg=1\n");
        assert_eq!(lines(&listed(7)), lines(&listed(12)));
        assert_ne!(lines("Done!\n"), lines("Failed.\n"));
    }
}
