//! Rules about what stands in a file.

use super::{Files, Finding};

/// Lines a Rust file may have; from 400 on it should be looked at hard.
const LINES: usize = 600;

/// The beginnings of paths that exist on one machine alone. In two pieces, or this file would be
/// the first finding.
const MACHINE_PATHS: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/tmp/ba", "sh_jobs"),
];

/// Names of registries' servers: a build must work behind any mirror.
const REGISTRIES: [&str; 6] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("arti", "factory"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("sparse+", "http"),
];

/// Where Cargo.lock may say that a crate comes from.
const LOCK_SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

const UNFINISHED: [&str; 4] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
    concat!("dbg", "!("),
];

/// Every rule of this module, on every file it is for.
pub fn every_file(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in files {
        findings.extend(places(name, text));
        if name.ends_with(".rs") {
            findings.extend(header(name, text));
            findings.extend(length(name, text));
            findings.extend(unfinished(name, text));
        }
        if name.ends_with("Cargo.lock") {
            findings.extend(lock_sources(name, text));
        }
    }
    findings
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// A path counts where it begins: `site/home/x` is no path of a machine.
fn has_path(line: &str, path: &str) -> bool {
    let in_a_name = |end: char| end.is_alphanumeric() || "._-~}".contains(end);
    let mut found = line.match_indices(path);
    found.any(|(at, _)| !line[..at].ends_with(in_a_name))
}

/// Machine paths and names of registry servers.
fn places(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in numbered(text) {
        for path in MACHINE_PATHS.iter().filter(|path| has_path(line, path)) {
            let what = format!("{path} is a path of one machine; write it relative to the root");
            findings.push(Finding::at(name, number, what));
        }
        for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
            let what = format!("{host} names a registry's server; leave the choice to the client");
            findings.push(Finding::at(name, number, what));
        }
    }
    findings
}

/// A Rust file says in its first lines what it is for; only inner attributes may stand before.
fn header(name: &str, text: &str) -> Option<Finding> {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("#!["));
    let good = first.is_some_and(|line| line.starts_with("//!"));
    (!good).then(|| {
        Finding::at(
            name,
            1,
            "no header: begin with `//!` and what the file is for",
        )
    })
}

fn length(name: &str, text: &str) -> Option<Finding> {
    let count = text.lines().count();
    let what = format!("{count} lines; {LINES} are the limit: split it by purpose");
    (count > LINES).then(|| Finding::at(name, LINES + 1, what))
}

fn unfinished(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in numbered(text) {
        for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
            let what = format!("`{word}` stays in no commit: finish it or take it out");
            findings.push(Finding::at(name, number, what));
        }
    }
    findings
}

fn lock_sources(name: &str, text: &str) -> Vec<Finding> {
    let source = |line: &str| {
        Some(
            line.strip_prefix("source = \"")?
                .trim_end_matches('"')
                .to_owned(),
        )
    };
    let foreign = |(number, line)| {
        let source = source(line)?;
        let what = format!("a crate comes from {source}, not from the public registry");
        (source != LOCK_SOURCE).then(|| Finding::at(name, number, what))
    };
    numbered(text).filter_map(foreign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sample;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_path_of_one_machine_is_found_where_it_begins() {
        for path in MACHINE_PATHS {
            assert_eq!(lines(&places("a.md", &format!("see\n`{path}x`"))), [2]);
            assert_eq!(lines(&places("a.md", &format!("file://{path}x"))), [1]);
            assert_eq!(places("a.md", &format!("docs{path}x")), []);
        }
    }

    #[test]
    fn a_registry_server_is_found_and_the_name_of_the_registry_is_not() {
        for host in REGISTRIES {
            assert_eq!(lines(&places("a.toml", &format!("x = \"{host}/y\""))), [1]);
        }
        assert_eq!(
            places("Cargo.lock", &format!("source = \"{LOCK_SOURCE}\"")),
            []
        );
    }

    #[test]
    fn a_crate_from_elsewhere_is_found_in_the_lock_file() {
        let good = format!("[[package]]\nsource = \"{LOCK_SOURCE}\"\n");
        assert_eq!(lock_sources("Cargo.lock", &good), []);
        let bad = "name = \"x\"\nsource = \"git+https://example.com/x\"\n";
        assert_eq!(lines(&lock_sources("Cargo.lock", bad)), [2]);
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert!(header("a.rs", "use std::fs;\n").is_some());
        assert!(header("a.rs", "").is_some());
        assert!(header("a.rs", "#![no_main]\n\n//! What it is.\n").is_none());
    }

    #[test]
    fn a_file_of_601_lines_is_too_long_and_one_of_600_is_not() {
        assert!(length("a.rs", &"x\n".repeat(601)).is_some());
        assert!(length("a.rs", &"x\n".repeat(600)).is_none());
    }

    #[test]
    fn unfinished_work_is_found() {
        for word in UNFINISHED {
            assert_eq!(lines(&unfinished("a.rs", &format!("a\nb {word}"))), [2]);
        }
        assert_eq!(unfinished("a.rs", "let todo = list(); ignored(todo)"), []);
    }

    #[test]
    fn rules_for_rust_are_not_asked_of_other_files() {
        let prose = format!("{}\nno header", UNFINISHED[2]);
        assert_eq!(every_file(&sample(&[("README.md", &prose)])), []);
        assert_eq!(every_file(&sample(&[("a.rs", &prose)])).len(), 2);
    }
}
