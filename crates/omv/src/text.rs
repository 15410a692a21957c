//! What a script prints, made fit for a terminal: text in pieces, without anything a terminal
//! would act on, and with the lines of a traceback pointing to the file on this computer.
//!
//! ```text
//!   bytes in any pieces --Utf8--> text --Strip--> without escapes --Places--> local file names
//! ```
//!
//! Nothing is held back but what cannot be decided yet: the first bytes of a character, the
//! beginning of an escape sequence, and a line that may become `  File "<stdin>", line 3`.

use anstream::adapter::StripBytes;

/// How firmware of every era calls the script it was sent: MicroPython's name for text without a
/// file.
const SCRIPT: &str = "\"<stdin>\", line ";
const FILE: &str = "  File ";

/// Cleans one stream of text.
#[derive(Default)]
pub struct Cleaner {
    escapes: StripBytes,
    /// Bytes of a character that is not whole yet.
    half: Vec<u8>,
    places: Option<Places>,
}

/// Where a script came from.
struct Places {
    file: String,
    /// Lines that were put before the script.
    shift: u32,
    /// The line so far, as long as it may become one of a traceback.
    held: String,
    /// Whether the line cannot become one any more.
    other: bool,
}

impl Cleaner {
    /// For text alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// For the output of a script that is `file` here; `shift` lines were put before it.
    pub fn of_script(file: &str, shift: u32) -> Self {
        let places = Places {
            file: super::output::clean(file),
            shift,
            held: String::new(),
            other: false,
        };
        Self {
            places: Some(places),
            ..Self::default()
        }
    }

    /// Takes what came, and gives what may be shown.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let mut plain = std::mem::take(&mut self.half);
        for piece in self.escapes.strip_next(bytes) {
            plain.extend_from_slice(piece);
        }
        let mut text = String::with_capacity(plain.len());
        let mut rest = &plain[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(whole) => {
                    text.push_str(whole);
                    break;
                }
                Err(error) => {
                    let (whole, broken) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(whole));
                    match error.error_len() {
                        Some(length) => {
                            text.push('\u{FFFD}');
                            rest = &broken[length..];
                        }
                        None => {
                            self.half = broken.to_vec();
                            break;
                        }
                    }
                }
            }
        }
        // A camera ends lines with CR LF; a lone CR would overwrite what was shown.
        text.retain(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_unseen(c)));
        match &mut self.places {
            Some(places) => places.push(&text),
            None => text,
        }
    }

    /// What was held back at the end of the stream.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        if let Some(places) = &mut self.places {
            text.push_str(&std::mem::take(&mut places.held));
            places.other = false;
        }
        if !std::mem::take(&mut self.half).is_empty() {
            text.push('\u{FFFD}');
        }
        text
    }
}

/// Characters that turn the direction of text around.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl Places {
    fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive('\n') {
            if self.other {
                out.push_str(piece);
            } else {
                self.held.push_str(piece);
                if piece.ends_with('\n') {
                    out.push_str(&self.rewrite());
                } else if !may_become_a_place(&self.held) {
                    out.push_str(&std::mem::take(&mut self.held));
                    self.other = true;
                }
            }
            if piece.ends_with('\n') {
                self.held.clear();
                self.other = false;
            }
        }
        out
    }

    /// The held line, pointing to the local file if it is one of a traceback.
    fn rewrite(&self) -> String {
        let line = &self.held;
        let place = line
            .strip_prefix(FILE)
            .and_then(|rest| rest.strip_prefix(SCRIPT));
        let Some(rest) = place else {
            return line.clone();
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let Ok(number) = number.parse::<u32>() else {
            return line.clone();
        };
        let number = number.saturating_sub(self.shift);
        format!("{FILE}\"{}\", line {number}{after}", self.file)
    }
}

/// Whether a line that is not whole could be one of a traceback.
fn may_become_a_place(held: &str) -> bool {
    const LONGEST: usize = 200;
    let start = format!("{FILE}{SCRIPT}");
    held.len() < LONGEST && (start.starts_with(held) || held.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(mut cleaner: Cleaner, bytes: &[u8], size: usize) -> String {
        let mut text: String = bytes
            .chunks(size)
            .map(|piece| cleaner.push(piece))
            .collect();
        text.push_str(&cleaner.finish());
        text
    }

    #[test]
    fn escape_sequences_and_bells_never_reach_a_terminal_however_they_are_cut() {
        let evil =
            b"a\x1b[2Jb\x1b]0;title\x07c\x1bPq#0\x1b\\d\x07\x08e\r\n\xc2\x9b31mf\xe2\x80\xaeg";
        for size in 1..evil.len() {
            let text = whole(Cleaner::new(), evil, size);
            let bad = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(bad, None, "pieces of {size}: {text:?}");
            assert!(text.starts_with('a') && text.ends_with('g'), "{text:?}");
            assert!(!text.contains("title"), "{text:?}");
        }
    }

    #[test]
    fn characters_survive_being_cut_and_broken_ones_are_marked() {
        let text = "é — 日本\n".as_bytes();
        for size in 1..5 {
            assert_eq!(whole(Cleaner::new(), text, size), "é — 日本\n");
        }
        // A byte that begins no character is no text; one whose rest is missing was one.
        assert_eq!(whole(Cleaner::new(), b"a\xffb\xe6", 1), "ab\u{FFFD}");
    }

    #[test]
    fn a_traceback_points_to_the_local_file_and_to_its_own_lines() {
        let said = b"Traceback (most recent call last):\r\n  File \"<stdin>\", line 8, in <module>\r\n  File \"lib.py\", line 2, in f\r\nZeroDivisionError: divide by zero\r\n";
        let meant = "Traceback (most recent call last):\n  File \"dir/a.py\", line 7, in <module>\n  File \"lib.py\", line 2, in f\nZeroDivisionError: divide by zero\n";
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(whole(Cleaner::of_script("dir/a.py", 1), said, size), meant);
        }
    }

    #[test]
    fn a_prompt_without_an_end_of_line_is_shown_at_once() {
        let mut cleaner = Cleaner::of_script("a.py", 0);
        assert_eq!(cleaner.push(b"name? "), "name? ");
        assert_eq!(cleaner.push(b"  File \"<std"), "  File \"<std");
        assert_eq!(cleaner.push(b"\n  File \"<std"), "\n");
        assert_eq!(cleaner.push(b"err>\""), "  File \"<stderr>\"");
        assert_eq!(cleaner.finish(), "");
    }
}
