//! How the tools being stood in for read numbers and write strings: Python's grammar, since that
//! is what they are written in.

/// Reads an integer as Python's `int(text, base)` does; base 0 goes by the prefix.
///
/// Signs, prefixes, single underscores between digits and white space around it all are accepted;
/// `010` and `60h` are not. Numbers beyond 128 bits stop at the limit: nothing takes them anyway.
pub fn int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim_matches(|c: char| c.is_whitespace());
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let named = match prefix.as_deref() {
        Some("0x") => Some(16),
        Some("0o") => Some(8),
        Some("0b") => Some(2),
        _ => None,
    };
    let (digits, radix) = match named {
        Some(radix) if base == 0 || base == radix => {
            let rest = &digits[2..];
            (rest.strip_prefix('_').unwrap_or(rest), radix)
        }
        _ if base == 0 => (digits, 10),
        _ => (digits, base),
    };
    let mut value = 0i128;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        let digit = c.to_digit(radix)?;
        value = value
            .saturating_mul(i128::from(radix))
            .saturating_add(i128::from(digit));
        after_digit = true;
    }
    let leading_zero = base == 0 && named.is_none() && digits.starts_with('0') && value != 0;
    (after_digit && !leading_zero).then_some(if negative { -value } else { value })
}

/// Writes a string as Python's `repr` does: quotes, and escapes for what cannot be printed.
pub fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 || ('\u{7f}'..='\u{a0}').contains(&c) => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Up to three of `known` that resemble `word`, best first, as Python's
/// `difflib.get_close_matches` finds them.
pub fn close_matches<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known.map(|one| (likeness(one, word), one)).collect();
    scored.retain(|(score, _)| *score >= 0.6);
    // Equal scores go by the text, downwards.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(a.1)));
    scored.into_iter().take(3).map(|(_, one)| one).collect()
}

/// Twice the characters in common blocks over all characters.
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    2.0 * common(&a, &b) as f64 / (a.len() + b.len()) as f64
}

/// Characters in the longest common block and, again, in what lies left and right of it.
fn common(a: &[char], b: &[char]) -> usize {
    let mut best = (0, 0, 0);
    let mut lengths = vec![0; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![0; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            if x == y {
                next[j + 1] = lengths[j] + 1;
                if next[j + 1] > best.2 {
                    best = (i + 1 - next[j + 1], j + 1 - next[j + 1], next[j + 1]);
                }
            }
        }
        lengths = next;
    }
    let (i, j, size) = best;
    if size == 0 {
        return 0;
    }
    size + common(&a[..i], &b[..j]) + common(&a[i + size..], &b[j + size..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, value) in [
            ("0x10", 16),
            ("0X_1f", 31),
            ("0b101", 5),
            ("0o17", 15),
            ("1_000", 1000),
            (" 7 ", 7),
            ("00", 0),
            ("-5", -5),
            ("+5", 5),
        ] {
            assert_eq!(int(text, 0), Some(value), "{text}");
        }
        for text in [
            "", "010", "1K", "60h", "0x", "1__0", "_1", "1_", "0xZZ", "1 0", "--1",
        ] {
            assert_eq!(int(text, 0), None, "{text}");
        }
        assert_eq!(int("0x1F", 16), Some(31));
        assert_eq!(int("1F", 16), Some(31));
        assert_eq!(int("0b1", 16), Some(0xB1));
        assert_eq!(int("010", 10), Some(10));
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        assert_eq!(repr("a b"), "'a b'");
        assert_eq!(repr("it's"), "\"it's\"");
        assert_eq!(repr("a'b\"c"), "'a\\'b\"c'");
        assert_eq!(repr("\u{1b}[0m\n"), "'\\x1b[0m\\n'");
    }

    #[test]
    fn words_that_resemble_each_other_are_found() {
        let known = ["read-memory", "reset", "write-memory", "call"];
        let found = close_matches("read-memry", known.into_iter());
        assert_eq!(found, ["read-memory", "write-memory"]);
        assert!(close_matches("zzz", known.into_iter()).is_empty());
    }
}
