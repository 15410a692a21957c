//! A test in a file that no program has is a test left out, and neither cargo nor the compiler says so.

use super::{Files, Finding};

/// Files below a crate's `tests`, in a folder with a `main.rs` or `mod.rs`, that are no module there.
pub fn left_out(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tests = files.keys().filter(|name| name.contains("/tests/"));
    for name in tests {
        let Some((folder, module)) = place(name) else {
            continue;
        };
        let owner = ["main.rs", "mod.rs"].map(|file| format!("{folder}/{file}"));
        let Some((owner, text)) = owner.iter().find_map(|owner| files.get_key_value(owner)) else {
            continue;
        };
        let declares = |line: &str| {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let rest = line.strip_prefix("mod ").unwrap_or_default();
            rest.trim_end_matches([';', ' ']) == module
        };
        if !text.lines().any(declares) {
            let what = format!("`{owner}` does not name it, so its tests never run");
            findings.push(Finding::at(name, 1, what));
        }
    }
    findings
}

/// The folder a file is a module of, and the name it has there.
fn place(name: &str) -> Option<(&str, &str)> {
    let (folder, file) = name.rsplit_once('/')?;
    match file {
        "main.rs" => None,
        "mod.rs" => folder.rsplit_once('/'),
        _ => Some((folder, file.strip_suffix(".rs")?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let main = "//! All.\n\nmod codec;\npub mod pair;\nmod suite;\n";
        let good = [
            ("crates/a/tests/all/main.rs", main),
            ("crates/a/tests/all/codec.rs", ""),
            ("crates/a/tests/all/pair.rs", ""),
            ("crates/a/tests/all/suite/mod.rs", "mod inner;\n"),
            ("crates/a/tests/all/suite/inner.rs", ""),
            ("crates/a/tests/all/judge.py", ""),
            ("crates/a/tests/alone.rs", ""),
            ("crates/a/tests/common/mod.rs", ""),
        ];
        assert_eq!(left_out(&sample(&good)), []);
        let bad = [
            ("crates/a/tests/all/code.rs", ""),
            ("crates/a/tests/all/suite/other.rs", ""),
            ("crates/a/tests/all/third/mod.rs", ""),
        ];
        let found = left_out(&sample(&[&good[..], &bad[..]].concat()));
        let found: Vec<&str> = found.iter().map(|one| one.file.as_str()).collect();
        assert_eq!(found, bad.map(|(name, _)| name));
    }
}
