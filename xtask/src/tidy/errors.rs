//! Error codes: each stands once in the code and has a row in the list of errors.

use std::collections::BTreeMap;

use super::{Files, Finding};

const LIST: &str = "docs/errors.md";

/// The codes in the bodies of functions `code(&self)` that return text, with their lines.
fn in_source(text: &str) -> Vec<(String, usize)> {
    let mut codes = Vec::new();
    let mut depth = None;
    for (at, line) in text.lines().enumerate() {
        if depth.is_none() && line.contains("fn code(&self)") && line.contains("str") {
            depth = Some(0_usize);
        }
        let Some(open) = depth else {
            continue;
        };
        // Strings have no braces in them here: a code is lower-case words.
        let opened = open + line.matches('{').count();
        let left = opened.saturating_sub(line.matches('}').count());
        let quoted = line.split('"').skip(1).step_by(2);
        codes.extend(
            quoted
                .filter(|text| is_code(text))
                .map(|text| (text.to_owned(), at + 1)),
        );
        depth = (left > 0).then_some(left);
    }
    codes
}

fn is_code(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.split('-').all(word)
}

/// The code in a row "| `code` | ... |" of the list.
fn in_row(line: &str) -> Option<&str> {
    let (code, _) = line.strip_prefix("| `")?.split_once("` |")?;
    is_code(code).then_some(code)
}

/// Codes that occur twice, codes without a row, and rows without a code.
pub fn codes(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut known: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let source = |name: &str| name.starts_with("crates/") && name.ends_with(".rs");
    for (name, text) in files.iter().filter(|(name, _)| source(name)) {
        for (code, line) in in_source(text) {
            if let Some((file, first)) = known.get(&code) {
                let what = format!("`{code}` is the code of an error in {file}:{first} already");
                findings.push(Finding::at(name, line, what));
            } else {
                known.insert(code, (name.clone(), line));
            }
        }
    }
    let Some(list) = files.get(LIST) else {
        let what = format!(
            "missing: {} error codes want a row \"| `code` | ... |\"",
            known.len()
        );
        findings.push(Finding::at(LIST, 1, what));
        return findings;
    };
    let mut rows = BTreeMap::new();
    for (at, line) in list.lines().enumerate() {
        if let Some(code) = in_row(line)
            && let Some(first) = rows.insert(code, at + 1)
        {
            let what = format!("`{code}` has a row already, line {first}");
            findings.push(Finding::at(LIST, at + 1, what));
        }
    }
    for (code, (file, line)) in &known {
        if !rows.contains_key(code.as_str()) {
            let what = format!("the error `{code}` has no row \"| `{code}` | ... |\" in {LIST}");
            findings.push(Finding::at(file, *line, what));
        }
    }
    for (code, line) in rows {
        // Some codes are not an error's own: a script's outcome, a usage mistake.
        let quoted = format!("\"{code}\"");
        let used = |(name, text): (&String, &String)| source(name) && text.contains(&quoted);
        if !files.iter().any(used) {
            findings.push(Finding::at(
                LIST,
                line,
                format!("no error has the code `{code}`"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sample;

    const SOURCE: &str = "\
impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::A => \"cable-gone\",
            Self::B { .. } | Self::C(_) => \"busy\",
            Self::File { source, .. } => source.code(),
        }
    }

    pub fn help(&self) -> &'static str {
        \"unplug-it\"
    }
}

impl Kind {
    pub fn code(&self) -> u32 {
        name(\"number\")
    }
}
";
    const GOOD: &str = "| code | |\n|---|---|\n| `cable-gone` | x |\n| `busy` | y |\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let findings = codes(&sample(files));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn codes_are_those_of_the_functions_that_give_them() {
        let expected = [("cable-gone".to_owned(), 4), ("busy".to_owned(), 5)];
        assert_eq!(in_source(SOURCE), expected);
    }

    #[test]
    fn a_list_with_every_code_is_left_alone() {
        assert_eq!(
            found(&[("crates/a/src/e.rs", SOURCE), (LIST, GOOD)]),
            [""; 0]
        );
    }

    #[test]
    fn a_code_without_a_row_is_found() {
        let list = GOOD.replace("| `busy` | y |\n", "");
        let expected = "crates/a/src/e.rs:5: the error `busy` has no row \"| `busy` | ... |\" in docs/errors.md";
        assert_eq!(
            found(&[("crates/a/src/e.rs", SOURCE), (LIST, &list)]),
            [expected]
        );
        assert_eq!(found(&[("crates/a/src/e.rs", SOURCE)]).len(), 1);
    }

    #[test]
    fn a_code_that_two_errors_share_is_found() {
        let files = [
            ("crates/a/src/e.rs", SOURCE),
            ("crates/b/src/e.rs", SOURCE),
            (LIST, GOOD),
        ];
        let findings = found(&files);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].starts_with("crates/b/src/e.rs:4: `cable-gone` is the code"));
    }

    #[test]
    fn a_row_without_an_error_and_a_row_said_twice_are_found() {
        let list = format!("{GOOD}| `gone-by` | z |\n| `busy` | y |\n");
        assert_eq!(
            found(&[("crates/a/src/e.rs", SOURCE), (LIST, &list)]).len(),
            2
        );
    }
}
