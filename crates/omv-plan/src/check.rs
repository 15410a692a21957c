//! Is this file for this board, and is it what it should be? Asked before anything is touched.

use omv_boards::{Board, ImageRule, Role};
use serde::Serialize;

use crate::image::{inspect, is_text};
use crate::{Image, Refusal};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a line.
    Warning,
    /// Refused unless forced.
    Wrong,
    /// Refused, forced or not: it cannot work.
    Impossible,
}

/// One thing a test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What would be said if it ended the work.
    pub refusal: Refusal,
}

/// Tests an image against the rule its board has for this kind of file; the worst finding comes
/// first. No finding: as good as a file can be known to be.
///
/// `room` is what the region really has, which a camera may say better than the table.
pub fn check(board: &Board, image: &Image, room: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, refusal| findings.push(Finding { severity, refusal });
    let not_valid = |why: String| Refusal::NotValid {
        file: image.file.clone(),
        region: image.region.clone(),
        why,
    };
    let size = image.bytes.len() as u64;
    if size == 0 {
        add(Severity::Impossible, not_valid("it is empty".into()));
        return findings;
    }
    if size > room {
        let refusal = Refusal::TooLarge {
            file: image.file.clone(),
            size,
            region: image.region.clone(),
            room,
        };
        add(Severity::Impossible, refusal);
    }
    let rule = board
        .images
        .iter()
        .find(|rule| rule.region.eq_ignore_ascii_case(&image.region));
    if let Some(rule) = rule {
        // Without vectors there is nothing to write last, and no start: forcing cannot help.
        let cut_off = rule
            .vectors
            .is_some_and(|vectors| word(&image.bytes, vectors + 4).is_none());
        let severity = if cut_off {
            Severity::Impossible
        } else {
            Severity::Wrong
        };
        if is_text(&image.bytes) {
            // Whatever it says about boards, it says it to people.
            add(severity, not_valid("it is text, not firmware".into()));
            return findings;
        }
        for why in structure(rule, &image.bytes) {
            add(severity, not_valid(why));
        }
        if rule.holds_arch {
            let contents = inspect(&image.bytes);
            let ours = contents.boards.contains(&board.name);
            if contents.boards.is_empty() {
                let why = "it names no board this program knows".into();
                add(Severity::Warning, not_valid(why));
            } else if !ours {
                let refusal = Refusal::WrongBoard {
                    file: image.file.clone(),
                    says: contents.boards.join(", "),
                    board: board.title.clone(),
                };
                add(Severity::Wrong, refusal);
            }
        }
    }
    if board
        .region(&image.region)
        .is_some_and(|region| region.role == Role::Romfs)
        && let Some(says) = romfs_length(&image.bytes)
        && says > size
    {
        let why = format!("its header says {says} bytes, the file has {size}");
        add(Severity::Wrong, not_valid(why));
    }
    // Among equals, "for another board" says more than the test that fails for the same reason.
    findings.sort_by_key(|finding| {
        let other_board = matches!(finding.refusal, Refusal::WrongBoard { .. });
        (std::cmp::Reverse(finding.severity), !other_board)
    });
    findings
}

/// What the fixed places of a file should hold and do not: magic, words, vectors, size.
pub(crate) fn structure(rule: &ImageRule, bytes: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(exact) = rule.exact_size
        && bytes.len() != exact as usize
    {
        faults.push(format!(
            "it has {} bytes and should have {exact}",
            bytes.len()
        ));
    }
    for magic in rule.magic.iter().filter(|magic| magic.required) {
        let at = magic.offset as usize;
        if bytes.get(at..at + magic.bytes.len()) != Some(&magic.bytes[..]) {
            faults.push(format!("the mark at offset {at:#x} is missing"));
        }
    }
    for rule in &rule.words {
        match word(bytes, rule.offset) {
            None => faults.push(format!("it ends before offset {:#x}", rule.offset)),
            Some(value) if !rule.accept.contains(&value) => faults.push(format!(
                "the word at offset {:#x} is {value:#010x}",
                rule.offset
            )),
            Some(_) => {}
        }
    }
    if let Some(vectors) = rule.vectors {
        faults.extend(vector_faults(rule, vectors, bytes));
    }
    faults
}

fn vector_faults(rule: &ImageRule, vectors: u32, bytes: &[u8]) -> Vec<String> {
    let (Some(stack), Some(reset)) = (word(bytes, vectors), word(bytes, vectors + 4)) else {
        return vec![format!("it ends before its vector table at {vectors:#x}")];
    };
    let mut faults = Vec::new();
    let in_ram = |span: &omv_boards::Span| span.contains(stack) || span.end == stack;
    if !rule.stack.is_empty() && !rule.stack.iter().any(in_ram) {
        faults.push(format!(
            "its stack pointer {stack:#010x} is outside this board's memory"
        ));
    }
    if let Some(span) = rule.reset
        && (reset & 1 == 0 || !span.contains(reset))
    {
        faults.push(format!(
            "its reset vector {reset:#010x} is outside this board's firmware"
        ));
    }
    // A file cut off before its own entry point cannot be whole.
    if let Some(load) = rule.load
        && reset.wrapping_sub(load) >= bytes.len() as u32
        && faults.is_empty()
    {
        faults.push(format!("its entry point {reset:#010x} lies behind its end"));
    }
    faults
}

/// Length of a whole ROMFS image as its header tells: three marking bytes, then the length of
/// the rest as a variable-length integer, seven bits a byte, high group first. OpenMV pads that
/// integer with 80 bytes.
fn romfs_length(bytes: &[u8]) -> Option<u64> {
    let mut length = 0_u64;
    for (at, byte) in bytes.iter().enumerate().skip(3).take(9) {
        length = length << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some(length + at as u64 + 1);
        }
    }
    None
}

fn word(bytes: &[u8], offset: u32) -> Option<u32> {
    let at = offset as usize;
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}
