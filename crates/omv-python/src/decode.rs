//! From the bytes of a file to text, or the reason why they are none.

use crate::finding::{Finding, Rule};
use crate::token::Place;

const BOM: &[u8] = &[0xEF, 0xBB, 0xBF];

/// The text of a script without its byte order mark, and what is wrong with its bytes. No text for
/// what is UTF-16, has zeros in it or is no UTF-8: to guess would hide the damage.
#[must_use]
pub fn decode(bytes: &[u8]) -> (Option<&str>, Vec<Finding>) {
    if let Some(finding) = utf16(bytes) {
        return (None, vec![finding]);
    }
    if let Some(finding) = zeros(bytes) {
        return (None, vec![finding]);
    }
    let mut findings = Vec::new();
    let rest = bytes.strip_prefix(BOM);
    if rest.is_some() {
        let text = "the file begins with a byte order mark, which the camera takes for a name";
        findings.push(Finding::new(Rule::ByteOrderMark, Place::START, text));
    }
    let rest = rest.unwrap_or(bytes);
    match std::str::from_utf8(rest) {
        Ok(text) => (Some(text), findings),
        Err(error) => {
            let good = rest.get(..error.valid_up_to()).unwrap_or_default();
            let bad = rest.get(error.valid_up_to()).copied().unwrap_or_default();
            let text = format!("byte {bad:02X} is no UTF-8 here");
            findings.push(Finding::new(Rule::NotUtf8, place(good), text));
            (None, findings)
        }
    }
}

/// UTF-16 shows in its mark, or in every second byte being zero.
fn utf16(bytes: &[u8]) -> Option<Finding> {
    let marked = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    let zeros = |odd: usize| {
        let mut half = head.iter().skip(odd).step_by(2);
        head.len() >= 4 && half.all(|byte| *byte == 0)
    };
    // Zeros all over are no text of any kind.
    let unmarked = zeros(0) != zeros(1);
    let text = "the file is UTF-16, which the camera cannot read";
    (marked || unmarked).then(|| Finding::new(Rule::Utf16, Place::START, text))
}

fn zeros(bytes: &[u8]) -> Option<Finding> {
    let first = bytes.iter().position(|byte| *byte == 0)?;
    let count = bytes.iter().filter(|byte| **byte == 0).count();
    let text = match count {
        _ if count == bytes.len() => format!("all {count} bytes of the file are zero"),
        _ if bytes.get(first..).is_some_and(|rest| rest.len() == count) => {
            format!("from byte {first} on the file is zeros, {count} of them")
        }
        _ => format!("{count} bytes of the file are zero, the first of them byte {first}"),
    };
    let before = bytes.get(..first).unwrap_or_default();
    Some(Finding::new(Rule::NulBytes, place(before), text))
}

/// The place behind some bytes, which need not be text.
fn place(before: &[u8]) -> Place {
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let last = before.rsplit(|byte| *byte == b'\n').next();
    let column = last.map_or(0, |last| String::from_utf8_lossy(last).chars().count());
    Place {
        line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(bytes: &[u8]) -> Vec<Rule> {
        decode(bytes).1.iter().map(|one| one.rule).collect()
    }

    #[test]
    fn plain_text_is_taken_as_it_is() {
        assert_eq!(decode(b"x = 1\n"), (Some("x = 1\n"), Vec::new()));
        assert_eq!(decode("ä = 'ö'\n".as_bytes()).0, Some("ä = 'ö'\n"));
        assert_eq!(decode(b""), (Some(""), Vec::new()));
    }

    #[test]
    fn a_byte_order_mark_is_found_and_taken_off() {
        let (text, findings) = decode(b"\xEF\xBB\xBFx = 1\n");
        assert_eq!(text, Some("x = 1\n"));
        assert_eq!(findings[0].rule, Rule::ByteOrderMark);
    }

    #[test]
    fn utf16_is_found_with_and_without_its_mark() {
        assert_eq!(rules(b"\xFF\xFEi\0m\0"), [Rule::Utf16]);
        assert_eq!(rules(b"i\0m\0p\0o\0r\0t\0"), [Rule::Utf16]);
        assert_eq!(rules(b"\0i\0m\0p\0o\0r\0t"), [Rule::Utf16]);
    }

    #[test]
    fn zeros_of_a_lost_write_are_counted_and_placed() {
        let (text, findings) = decode(b"import sensor\nx = \0\0\0\0");
        assert_eq!(text, None);
        assert_eq!(
            findings[0].to_string(),
            "2:5: from byte 18 on the file is zeros, 4 of them"
        );
        assert_eq!(rules(&[0; 512]), [Rule::NulBytes]);
    }

    #[test]
    fn bytes_of_an_old_code_page_are_no_utf8() {
        let (text, findings) = decode(b"a = 1\n# gr\xFCn\n");
        assert_eq!(text, None);
        assert_eq!(findings[0].to_string(), "2:5: byte FC is no UTF-8 here");
    }
}
