//! Finding the exception in what a script printed: the protocols have no exit status.

use std::collections::VecDeque;

/// How a traceback begins, at the start of a line.
const HEAD: &str = "Traceback (most recent call last):";
/// What may stand before it on the line: the prompt of a camera that was idle.
const PROMPT: &str = ">>> ";
/// How text of the firmware behind a script begins, at the start of a line.
pub(super) const REBOOT: &str = "MPY: soft reboot";
/// Bytes of the console kept to look for a traceback in.
const KEPT: usize = 16 * 1024;

/// An exception nobody caught, as MicroPython printed it.
///
/// Every string is the camera's own word; control characters are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceback {
    /// All lines, from `Traceback` to the exception.
    pub text: String,
    /// Where, outermost first.
    pub places: Vec<CodePlace>,
    /// Such as `NameError`.
    pub kind: String,
    /// What it says; empty if it says nothing.
    pub message: String,
}

/// A line of code in a traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePlace {
    /// The file as the camera names it: `<stdin>` is the script that was sent.
    pub file: String,
    /// Counted from one.
    pub line: u32,
    /// The function, `<module>` outside one. Firmware that leaves it out: empty.
    pub function: String,
}

/// Keeps the end of the console.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<u8>);

impl Tail {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let bytes = bytes
            .get(bytes.len().saturating_sub(KEPT)..)
            .unwrap_or(bytes);
        let over = (self.0.len() + bytes.len()).saturating_sub(KEPT);
        self.0.drain(..over);
        self.0.extend(bytes);
    }

    pub(super) fn ends_with(&self, bytes: &[u8]) -> bool {
        let end = self.0.iter().rev().take(bytes.len());
        end.eq(bytes.iter().rev())
    }

    /// The traceback the text ends with.
    pub(super) fn traceback(&self) -> Option<Traceback> {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        Traceback::find(&String::from_utf8_lossy(&bytes))
    }
}

impl Traceback {
    /// The traceback that `text` ends with; what the firmware says on its own behind a script is
    /// not looked at. One that was caught and printed is followed by more text, and is none.
    pub fn find(text: &str) -> Option<Self> {
        let clean: String = text
            .chars()
            .filter(|c| *c != '\r')
            .map(|c| match c {
                '\n' | '\t' => c,
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            })
            .collect();
        let lines: Vec<&str> = clean.split('\n').collect();
        let end = lines.iter().position(|line| line.starts_with(REBOOT));
        let lines = lines.get(..end.unwrap_or(lines.len()))?;
        // A prompt may stand before it, which waited for a line.
        let unprompted = |line: &str| line.trim_start_matches(PROMPT).trim_end() == HEAD;
        let start = lines.iter().rposition(|line| unprompted(line))?;
        let body = lines.get(start + 1..)?;
        let places: Vec<CodePlace> = body.iter().map_while(|line| place(line)).collect();
        let rest = body.get(places.len()..)?;
        let (last, after) = rest.split_first()?;
        let (kind, message) = last
            .split_once(": ")
            .unwrap_or((last.trim_end_matches(':'), ""));
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let named = !kind.is_empty() && kind.chars().all(is_name);
        // A message of several lines ends the text just as well; a prompt or more output does not
        // look like an exception, but nothing tells it from such a message.
        let message = [message].iter().chain(after).copied().collect::<Vec<_>>();
        let mut text = [&[HEAD], body].concat().join("\n");
        text.truncate(text.trim_end().len());
        (named && after.len() <= 8).then(|| Self {
            text,
            places,
            kind: kind.to_owned(),
            message: message.join("\n").trim_end().to_owned(),
        })
    }
}

/// `  File "<stdin>", line 3, in <module>`
fn place(line: &str) -> Option<CodePlace> {
    let rest = line.strip_prefix("  File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = rest.split_once(", in ").unwrap_or((rest, ""));
    Some(CodePlace {
        file: file.to_owned(),
        line: number.trim_end().parse().ok()?,
        function: function.trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME_ERROR: &str = "before\r\nTraceback (most recent call last):\r\n  File \"<stdin>\", line 3, in <module>\r\n  File \"lib/a.py\", line 12, in f\r\nNameError: name 'x' isn't defined\r\n";

    #[test]
    fn a_traceback_at_the_end_of_the_text_is_the_exception() {
        let found = Traceback::find(NAME_ERROR).unwrap();
        assert_eq!(
            (found.kind.as_str(), found.message.as_str()),
            ("NameError", "name 'x' isn't defined")
        );
        let places: Vec<_> = found
            .places
            .iter()
            .map(|p| (p.file.as_str(), p.line, p.function.as_str()))
            .collect();
        assert_eq!(places, [("<stdin>", 3, "<module>"), ("lib/a.py", 12, "f")]);
        assert!(found.text.starts_with(HEAD) && found.text.ends_with("isn't defined"));
    }

    #[test]
    fn what_the_firmware_says_behind_the_script_hides_no_exception() {
        let text =
            format!("{NAME_ERROR}MPY: soft reboot\r\nOpenMV v5.0.0; MicroPython v1.26\r\n>>> ");
        assert_eq!(Traceback::find(&text), Traceback::find(NAME_ERROR));
        let behind_a_prompt = format!("OpenMV v4.5.9\r\n>>> {NAME_ERROR}");
        let found = Traceback::find(&behind_a_prompt);
        assert_eq!(found, Traceback::find(NAME_ERROR));
    }

    #[test]
    fn an_exception_without_words_has_an_empty_message() {
        let text = "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nKeyboardInterrupt: \n";
        let found = Traceback::find(text).unwrap();
        assert_eq!(
            (found.kind.as_str(), found.message.as_str()),
            ("KeyboardInterrupt", "")
        );
        let text = text.replace(": \n", "\n");
        assert_eq!(Traceback::find(&text).unwrap().kind, "KeyboardInterrupt");
    }

    #[test]
    fn text_that_only_speaks_of_a_traceback_is_no_exception() {
        assert_eq!(Traceback::find("all went well\n"), None);
        assert_eq!(Traceback::find("Traceback (most recent call last):"), None);
        assert_eq!(
            Traceback::find("Traceback (most recent call last):\n\nfine now\n"),
            None
        );
    }

    #[test]
    fn the_end_of_a_long_console_still_holds_the_exception() {
        let mut tail = Tail::default();
        for _ in 0..10_000 {
            tail.add(b"a line of output\n");
        }
        tail.add(NAME_ERROR.as_bytes());
        assert!(tail.0.len() <= KEPT);
        assert_eq!(tail.traceback(), Traceback::find(NAME_ERROR));
    }
}
