//! The committed page of results, and what is held against it.

use std::fs;
use std::path::PathBuf;

use crate::compare;
use crate::scene::Scene;
use crate::tools::Tool;

/// Where the part of the page ends that this test makes; the rest is kept as it is.
const END: &str = "<!-- What follows is not made by the conformance test. -->";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md")
}

/// The part made here, and the rest from the mark on.
fn read() -> (String, String) {
    let page = fs::read_to_string(path()).unwrap_or_default();
    let end = page.find(END).unwrap_or(page.len());
    let (ours, rest) = page.split_at(end);
    (ours.trim_end().to_owned() + "\n", rest.to_owned())
}

/// Fails when the page says something else than what was seen; `UPDATE=1` rewrites it.
pub fn compare(seen: &str) {
    let (mut committed, rest) = read();
    if std::env::var_os("UPDATE").is_some() {
        let gap = if rest.is_empty() { "" } else { "\n" };
        fs::write(path(), format!("{seen}{gap}{rest}")).unwrap();
        committed = read().0;
    }
    for (seen, committed) in seen.lines().zip(committed.lines()) {
        assert_eq!(seen, committed, "`UPDATE=1` rewrites the table");
    }
    assert_eq!(seen.lines().count(), committed.lines().count());
}

/// Runs the real tool through one scene and fails at the first line whose exit code or sum is
/// not the one on the page. Our own stand-in has no part in it.
pub fn hold(scene: &Scene, spsdk: &mut dyn Tool) {
    let (page, _) = read();
    let head = format!("## {}: {}", scene.tool, scene.title);
    let rows = page.lines().skip_while(|line| *line != head).skip(1);
    let rows = rows
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `"));
    let rows: Vec<&str> = rows.collect();
    assert_eq!(
        rows.len(),
        scene.lines.len(),
        "rows of the scene on the page"
    );
    let stage = scene.stage();
    for (line, row) in scene.lines.iter().zip(rows) {
        let outcome = compare::run(spsdk, scene, &stage, line, false);
        let said = format!("| {} |", outcome.code);
        let sum = format!("| {:08x} |", compare::sum(&outcome));
        assert!(
            row.contains(&said) && row.ends_with(&sum),
            "{line}: {}\non the page: {row}",
            compare::show(&outcome)
        );
    }
}
