//! Names: short ones, long ones, exFAT's, and what a name of unknown origin may look like.

/// Characters that no short name has. Source: Microsoft, FAT specification 1.03, section 6.1.
const FORBIDDEN_SHORT: &[u8] = b"\"*+,./:;<=>?[\\]|";
/// Characters that no long name has.
const FORBIDDEN_LONG: &str = "\"*/:<>?\\|";

/// Letters that a flag beside the short name makes lower-case: those before the dot, those after.
const LOWER: [u8; 2] = [0x08, 0x10];

/// A short name as people read it; `case` is the entry's byte 12.
pub(crate) fn short(raw: &[u8; 11], case: u8) -> String {
    let part = |bytes: &[u8], lower: bool| -> String {
        let end = bytes.iter().rposition(|byte| *byte != b' ');
        let used = &bytes[..end.map_or(0, |end| end + 1)];
        let letter = |byte: &u8| match byte {
            0x20..=0x7E if lower => byte.to_ascii_lowercase() as char,
            0x20..=0x7E => *byte as char,
            _ => '\u{FFFD}',
        };
        used.iter().map(letter).collect()
    };
    let mut name = *raw;
    if name[0] == 0x05 {
        name[0] = 0xE5;
    }
    let base = part(&name[..8], case & LOWER[0] != 0);
    let end = part(&name[8..], case & LOWER[1] != 0);
    if end.is_empty() {
        base
    } else {
        format!("{base}.{end}")
    }
}

/// Whether a byte may stand at this place of a short name.
fn short_letter(at: usize, byte: u8) -> bool {
    match byte {
        0x05 => at == 0,
        0x20 => at != 0,
        _ => {
            byte > 0x20
                && byte != 0x7F
                && !FORBIDDEN_SHORT.contains(&byte)
                && !byte.is_ascii_lowercase()
        }
    }
}

pub(crate) fn short_is_good(raw: &[u8; 11]) -> bool {
    raw.iter()
        .enumerate()
        .all(|(at, byte)| short_letter(at, *byte))
}

/// The nearest name that is allowed.
pub(crate) fn short_repaired(raw: &[u8; 11]) -> [u8; 11] {
    let mut name = *raw;
    for (at, byte) in name.iter_mut().enumerate() {
        let upper = byte.to_ascii_uppercase();
        *byte = if short_letter(at, upper) { upper } else { b'_' };
    }
    name
}

/// The sum by which a long name knows its short one. Source: the same, section 7.2.
pub(crate) fn checksum(raw: &[u8; 11]) -> u8 {
    raw.iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// A long name as people read it; anything that is no text is replaced.
pub(crate) fn long(units: &[u16]) -> String {
    let end = units
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(units.len());
    let letters = char::decode_utf16(units[..end].iter().copied());
    letters
        .map(|letter| clean(letter.unwrap_or('\u{FFFD}')))
        .collect()
}

fn clean(letter: char) -> char {
    if letter.is_control() {
        '\u{FFFD}'
    } else {
        letter
    }
}

pub(crate) fn long_unit_is_good(unit: u16) -> bool {
    let letter = char::from_u32(unit.into()).unwrap_or('a');
    unit >= 0x20 && !FORBIDDEN_LONG.contains(letter)
}

pub(crate) fn long_is_good(units: &[u16]) -> bool {
    let end = units
        .iter()
        .position(|unit| *unit == 0)
        .unwrap_or(units.len());
    end > 0 && units[..end].iter().all(|unit| long_unit_is_good(*unit))
}

/// A name that any computer can give to a file: no separators, no control characters, no way up,
/// no name that is a device somewhere.
pub(crate) fn safe(name: &str) -> String {
    let letter = |c: char| {
        if c.is_control() || c == '\u{FFFD}' || FORBIDDEN_LONG.contains(c) {
            '_'
        } else {
            c
        }
    };
    let mut safe: String = name.chars().map(letter).take(120).collect();
    let kept = safe.trim_end_matches([' ', '.']).len();
    if kept < safe.len() {
        safe.truncate(kept);
        safe.push('_');
    }
    let stem = safe.split('.').next().unwrap_or("").to_ascii_uppercase();
    let numbered = |word: &str| {
        let rest = stem.strip_prefix(word);
        rest.is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL");
    if safe.is_empty() || device || numbered("COM") || numbered("LPT") {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_read_with_its_case_flags() {
        assert_eq!(short(b"MAIN    PY ", 0x18), "main.py");
        assert_eq!(short(b"README  TXT", 0x10), "README.txt");
        assert_eq!(short(b"LIB        ", 0), "LIB");
    }

    #[test]
    fn a_bad_short_name_is_seen_and_repaired() {
        assert!(short_is_good(b"MAIN    PY "));
        for bad in [
            b"MA?N    PY ",
            b" AIN    PY ",
            b"main    PY ",
            b"MAIN\0   PY ",
        ] {
            assert!(!short_is_good(bad));
            assert!(short_is_good(&short_repaired(bad)));
        }
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for (name, wanted) in [
            ("..", "_"),
            ("a/b\\c", "a_b_c"),
            ("con.txt", "_con.txt"),
            ("", "_"),
            ("x\u{1b}[2J", "x_[2J"),
            ("main.py", "main.py"),
            ("lpt1", "_lpt1"),
        ] {
            assert_eq!(safe(name), wanted, "{name:?}");
        }
    }
}
