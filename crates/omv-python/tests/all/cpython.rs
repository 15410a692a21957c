//! `CPython` as judge, over the sources of its own standard library: where tokens stand, that a
//! stripped copy means the same, and that nothing in what people write makes us stumble.
//!
//! The sources are those of the Python on this machine; none is kept here.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use omv_python::{Keep, Kind, Severity, Token, strip, tokenize};

fn python(words: &[&str]) -> std::process::Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/cpython.py");
    let mut python = Command::new("python3");
    let output = python
        .arg("-X")
        .arg("utf8")
        .arg(script)
        .args(words)
        .output();
    output.expect("these tests are judged by CPython: install it (`apt-get install python3`)")
}

/// As the other side has them: kind, line, column; then line ends and dedents by line alone.
fn rows(text: &str, tokens: &[Token]) -> String {
    let mut rows = String::new();
    let mut ends = Vec::new();
    for token in tokens {
        let place = token.place(text);
        match token.kind {
            Kind::End => {}
            Kind::Newline | Kind::Dedent => ends.push(format!("{:?} {}", token.kind, place.line)),
            kind => writeln!(rows, "{kind:?} {} {}", place.line, place.column).unwrap(),
        }
    }
    ends.pop();
    for end in ends {
        writeln!(rows, "{end}").unwrap();
    }
    rows
}

#[test]
fn tokens_stand_where_cpython_has_them_and_a_stripped_copy_means_the_same() {
    let listed = python(&["list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths: Vec<&str> = listed.lines().collect();
    assert!(paths.len() >= 50, "where is the standard library?");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cpython");
    fs::create_dir_all(&folder).unwrap();
    for (number, path) in paths.iter().enumerate() {
        let text = fs::read_to_string(path).unwrap();
        let (tokens, findings) = tokenize(&text);
        let mistake = findings
            .iter()
            .find(|one| one.severity() == Severity::Error);
        assert_eq!(mistake, None, "{path}");
        let write = |end: &str, text: &str| {
            fs::write(folder.join(format!("{number}.{end}")), text).unwrap();
        };
        write("tokens", &rows(&text, &tokens));
        write("short", &strip(&text, Keep::Nothing).unwrap());
        write("lines", &strip(&text, Keep::LineNumbers).unwrap());
    }
    let judged = python(&["judge", &folder.to_string_lossy()]);
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let errors = String::from_utf8_lossy(&judged.stderr).into_owned();
    println!("{said}{errors}");
    assert!(judged.status.success(), "{said}{errors}");
    fs::remove_dir_all(folder).unwrap();
}
