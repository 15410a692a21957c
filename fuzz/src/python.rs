//! Scripts: looked at whatever they are; a stripped one says what the whole one said.

use omv_python::{Firmware, Keep, Kind, Token, check_imports, check_names, lint, strip, tokenize};

/// A script from anywhere.
pub fn script(bytes: &[u8]) {
    let report = lint(bytes);
    let firmware = Firmware {
        version: Some([4, 5, 6]),
        board: Some("OPENMV_RT1060"),
    };
    let _ = check_imports(&report.imports, &firmware, &|_| false);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (tokens, _) = tokenize(text);
    let mut end = 0;
    for token in &tokens {
        assert!(
            token.start >= end || token.start == token.end,
            "tokens overlap"
        );
        end = token.end;
        assert!(
            text.get(token.start..token.end).is_some(),
            "half a character"
        );
    }
    let _ = check_names(text, &tokens, &firmware);
    for keep in [Keep::Nothing, Keep::LineNumbers] {
        let Ok(short) = strip(text, keep) else {
            return;
        };
        let again = strip(&short, keep).expect("what was stripped can be read");
        assert_eq!(again, short, "stripping twice is stripping once");
        let (left, _) = tokenize(&short);
        assert!(left.iter().all(|token| token.kind != Kind::Comment));
        if keep == Keep::LineNumbers && report.findings.is_empty() {
            assert_eq!(lines(&short), lines(text), "a line has moved");
        }
    }
}

/// The lines of all names and numbers but `pass`, which may take the place of a string.
fn lines(text: &str) -> Vec<u32> {
    let (tokens, _) = tokenize(text);
    let is_kept = |token: &&Token| {
        matches!(token.kind, Kind::Name | Kind::Number) && token.of(text) != "pass"
    };
    tokens
        .iter()
        .filter(is_kept)
        .map(|token| token.line)
        .collect()
}
