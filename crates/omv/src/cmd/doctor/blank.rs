//! Serial numbers and unique ids out of a report.
//!
//! A number can be in it as text of either case, as the UTF-16 of a USB string, in binary in
//! either byte order, in words of four bytes in either order, and split over two frames of a
//! record. All of these become zeros of the same length.

use std::collections::BTreeMap;

/// A number shorter than this, in characters, is not blanked: it would hit too much else.
const SHORTEST: usize = 6;
/// Bytes of a word of a chip's unique id.
const WORD: usize = 4;

/// Everything to leave out.
pub struct Secrets {
    /// Longest first: one number may begin with another.
    forms: Vec<Vec<u8>>,
}

impl Secrets {
    /// All forms of these numbers.
    pub fn new<'a>(numbers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = Vec::new();
        for number in numbers {
            // Of zeros alone nothing would remain to blank.
            if number.len() >= SHORTEST && number.bytes().any(|byte| byte != b'0') {
                forms.extend(forms_of(number));
            }
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// Zeros in the place of every form, in bytes.
    fn blank(&self, bytes: &mut [u8]) {
        for form in &self.forms {
            let mut at = 0;
            while let Some(window) = bytes.get_mut(at..at + form.len()) {
                if window == form.as_slice() {
                    // The high halves of UTF-16 stay as they are.
                    for byte in window.iter_mut().filter(|byte| **byte != 0) {
                        *byte = b'0';
                    }
                    at += form.len();
                } else {
                    at += 1;
                }
            }
        }
    }

    /// Text without the numbers.
    pub fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.blank(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A record of traffic without the numbers: in its notes, in each frame, and in what the
    /// frames of one direction of one link make together.
    pub fn record(&self, record: &str) -> String {
        let mut streams: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
        let lines: Vec<Line<'_>> = record.lines().map(Line::of).collect();
        for line in &lines {
            if let Line::Frame { key, bytes, .. } = line {
                streams.entry(key.clone()).or_default().extend(bytes);
            }
        }
        for stream in streams.values_mut() {
            self.blank(stream);
        }
        let mut text = String::new();
        for line in lines {
            match line {
                Line::Note(note) => text.push_str(&self.text(note)),
                Line::Frame { head, key, bytes } => {
                    text.push_str(head);
                    text.push(' ');
                    let stream = streams.entry(key).or_default();
                    let rest = stream.split_off(bytes.len().min(stream.len()));
                    for byte in std::mem::replace(stream, rest) {
                        text.push_str(&format!("{byte:02x}"));
                    }
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A line of a record.
enum Line<'a> {
    Note(&'a str),
    Frame {
        /// Everything before the bytes.
        head: &'a str,
        /// Link and direction.
        key: (String, String),
        bytes: Vec<u8>,
    },
}

impl<'a> Line<'a> {
    /// `0.514077 1 console:921600 > 00000303`; anything else is a note.
    fn of(line: &'a str) -> Self {
        let note = Self::Note(line);
        let Some((head, hexadecimal)) = line.rsplit_once(' ') else {
            return note;
        };
        let fields: Vec<&str> = head.split(' ').collect();
        let ([_, link, _, direction], Some(bytes)) = (&fields[..], bytes_of(hexadecimal)) else {
            return note;
        };
        if !matches!(*direction, ">" | "<") {
            return note;
        }
        let key = ((*link).to_owned(), (*direction).to_owned());
        Self::Frame { head, key, bytes }
    }
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hexadecimal.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

fn forms_of(number: &str) -> Vec<Vec<u8>> {
    let mut binaries = Vec::new();
    if let Some(bytes) = bytes_of(number) {
        let (words, rest) = bytes.as_chunks::<WORD>();
        // A unique id may be told by halves: each two words in a row are enough to know it by.
        if rest.is_empty() && words.len() >= 2 {
            for pair in words.windows(2) {
                let swapped = |word: &[u8; WORD]| word.iter().rev().copied().collect::<Vec<u8>>();
                for [a, b] in [[0, 1], [1, 0]] {
                    let (a, b) = (&pair[a], &pair[b]);
                    binaries.push([a.to_vec(), b.to_vec()].concat());
                    binaries.push([swapped(a), swapped(b)].concat());
                }
            }
        }
        binaries.push(bytes.iter().rev().copied().collect());
        binaries.push(bytes);
    }
    let mut texts = vec![number.to_owned()];
    for bytes in &binaries {
        texts.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    let mut forms = binaries;
    for text in texts {
        for text in [text.to_ascii_lowercase(), text.to_ascii_uppercase(), text] {
            forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            forms.push(text.into_bytes());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "4D3C2B1A6210600012345678";

    #[test]
    fn every_form_of_a_number_becomes_zeros_of_its_length() {
        let secrets = Secrets::new([UID]);
        for (text, blanked) in [
            (
                "id 4D3C2B1A6210600012345678!",
                "id 000000000000000000000000!",
            ),
            (
                "id 4d3c2b1a6210600012345678!",
                "id 000000000000000000000000!",
            ),
            ("half 4d3c2b1a62106000", "half 0000000000000000"),
            (
                "swapped 00601062 1a2b3c4d00601062",
                "swapped 00601062 0000000000000000",
            ),
            ("other 4d3c2b1a", "other 4d3c2b1a"),
        ] {
            assert_eq!(secrets.text(text), blanked);
        }
    }

    #[test]
    fn a_number_split_over_two_frames_is_found() {
        let secrets = Secrets::new(["CAFEBABE"]);
        let record = "\
# omv record 1
# 0.1 seen usb 1-4 serial \"CAFEBABE\"
0.100000 1 console:921600 < 0043414645
0.110000 1 console:921600 > 3e
0.120000 1 console:921600 < 42414245ff
0.130000 2 hid < cafe
0.140000 2 hid ! stall
";
        let blanked = secrets.record(record);
        let expected = record
            .replace("CAFEBABE", "00000000")
            .replace("0043414645", "0030303030")
            .replace("42414245ff", "30303030ff");
        assert_eq!(blanked, expected);
    }

    #[test]
    fn a_number_of_zeros_or_of_a_few_digits_blanks_nothing() {
        let secrets = Secrets::new(["0000000000", "12345", ""]);
        assert_eq!(secrets.text("0000000000 12345"), "0000000000 12345");
    }

    #[test]
    fn a_record_without_numbers_stays_as_it_is() {
        let record =
            "# omv record 1\n0.1 1 hid > 0102\n0.2 1 hid < -\n0.3 1 hid < 010\nfree text\n";
        assert_eq!(Secrets::new([UID]).record(record), record);
    }
}
