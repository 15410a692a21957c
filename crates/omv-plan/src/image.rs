//! A file that goes to a region, and what it says about itself.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use omv_boards::{Board, Version};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Bytes that will be written to one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name of the file they came from, for messages.
    pub file: String,
    /// Region they go to.
    pub region: String,
    /// First address.
    pub start: u32,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Image {
    /// One past the last address.
    pub fn end(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }

    /// The image bytes at an address range, which must lie inside.
    pub fn at(&self, range: &Range<u32>) -> &[u8] {
        let from = (range.start - self.start) as usize;
        let to = (range.end.min(self.end()) - self.start) as usize;
        &self.bytes[from..to]
    }
}

/// A share of an image that is erased, written and verified in one go: whole sectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index of the image in the plan.
    pub image: usize,
    /// What to call it.
    pub name: String,
    /// Address ranges, in order, whole sectors; the last may reach beyond the end of the image.
    pub spans: Vec<Range<u32>>,
}

impl Part {
    /// Bytes of flash it covers.
    pub fn size(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| u64::from(span.end - span.start))
            .sum()
    }
}

/// What a file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Architecture strings found inside that known boards use.
    pub arch: Vec<String>,
    /// Names of the boards these belong to.
    pub boards: Vec<String>,
    /// Firmware version.
    pub version: Option<String>,
    /// What kind of file it looks like: `firmware.bin`, `romfs0.img`, a loader's name.
    pub kind: Option<String>,
}

impl Contents {
    /// The version, parsed.
    pub fn parsed_version(&self) -> Option<Version> {
        self.version.as_ref()?.parse().ok()
    }
}

/// Looks into a file: every known architecture string, the version, and which image rule of the
/// boards it passes.
///
/// The strings are plain constants of the firmware's program text. Seen in a real 5.0.0 image:
/// `3.4.0; OpenMV v5.0.0-<commit>; MicroPython v1.29.0-...`.
pub fn inspect(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    if is_text(bytes) {
        // Whatever it says about boards, it says it to people.
        return contents;
    }
    for board in omv_boards::all() {
        for arch in &board.arch {
            if memmem::find(bytes, arch.text.as_bytes()).is_some() {
                if !contents.arch.contains(&arch.text) {
                    contents.arch.push(arch.text.clone());
                }
                if !contents.boards.contains(&board.name) {
                    contents.boards.push(board.name.clone());
                }
            }
        }
    }
    contents.version = version(bytes);
    contents.kind = kind(bytes);
    contents
}

/// Whether a file is something that people write and read: a script, a page, a program as hex digits.
/// Firmware has zeros in its first words, whatever the chip.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    const LOOK: usize = 4096;
    let head = &bytes[..bytes.len().min(LOOK)];
    let binary = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    // A character may be cut at the end of what is looked at.
    let whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    whole && !head.iter().any(binary)
}

/// Lower-case hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn version(bytes: &[u8]) -> Option<String> {
    const LEAD: &[u8] = b"OpenMV v";
    memmem::find_iter(bytes, LEAD).find_map(|at| {
        let rest = bytes.get(at + LEAD.len()..)?;
        let digits = rest
            .iter()
            .take(16)
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count();
        let text = std::str::from_utf8(rest.get(..digits)?).ok()?;
        text.parse::<Version>()
            .ok()
            .map(|version| version.to_string())
    })
}

/// The first image rule with something to recognise whose words and magic all fit.
fn kind(bytes: &[u8]) -> Option<String> {
    let fits = |board: &Board| {
        board
            .images
            .iter()
            .find(|rule| {
                let telling = !rule.words.is_empty() || rule.magic.iter().any(|m| m.required);
                telling && crate::check::structure(rule, bytes).is_empty()
            })
            .map(|rule| rule.file.clone())
    };
    omv_boards::all().iter().find_map(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_line_is_found_and_a_broken_one_is_passed_over() {
        let text = b"\0OpenMV vNext\0 3.4.0; OpenMV v5.0.0-abc; MicroPython v1.29.0\0";
        assert_eq!(version(text).as_deref(), Some("5.0.0"));
        assert_eq!(version(b"OpenMV v"), None);
    }

    #[test]
    fn an_arch_string_names_its_board() {
        let contents = inspect(b"....OMVRT1060 32768 SDRAM\0...");
        assert_eq!(contents.boards, ["OPENMV_RT1060"]);
        assert_eq!(inspect(b"For OMVRT1060 32768 SDRAM\n"), Contents::default());
    }
}
