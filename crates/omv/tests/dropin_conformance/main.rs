//! Our stand-ins beside the real tools: the same command lines on equal devices, word for word.
//!
//! ```text
//!   rows.txt --> SPSDK, a virtual device on a pseudo terminal --+
//!            --> omv,   its twin on another                   --+--> equal? --> docs/conformance.md
//! ```
//!
//! `UPDATE=1` rewrites the table; without it, a table that differs from what was seen is red.
#![cfg(unix)]

mod compare;
mod recovery;
mod scene;
mod tools;

use std::fs;
use std::path::PathBuf;

use scene::Scene;
use tools::{Omv, Spsdk, Tool};

/// Where the tables end.
const LOADERS: &str = "# The virtual RT1062 beside its real loaders";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_command_line_has_the_result_it_has_with_the_real_tool() {
    let mut spsdk = Spsdk::start();
    let scenes = Scene::read(include_str!("rows.txt"));
    let mut table = compare::Table::default();
    for scene in &scenes {
        let plain = compare::both(scene, false, &mut spsdk);
        let json = compare::both(scene, true, &mut spsdk);
        table.add(scene, &plain, &json);
    }
    table.check_counts();
    let path = root().join("docs/conformance.md");
    let seen = table.to_string();
    // The page goes on with what the loaders' test has found.
    let page = || fs::read_to_string(&path).unwrap_or_default();
    let end = |page: &str| page.find(LOADERS).unwrap_or(page.len());
    if std::env::var_os("UPDATE").is_some() {
        let old = page();
        fs::write(&path, format!("{seen}\n{}", &old[end(&old)..])).unwrap();
    }
    let page = page();
    let committed = page[..end(&page)].trim_end();
    for (seen, committed) in seen.lines().zip(committed.lines()) {
        assert_eq!(seen, committed, "`UPDATE=1` rewrites the table");
    }
    assert_eq!(seen.lines().count(), committed.lines().count());
    assert!(table.failures.is_empty(), "{}", table.failures.join("\n"));
}

#[test]
fn the_recovery_of_a_camera_ends_with_the_same_flash() {
    recovery::recover(&mut Spsdk::start());
}

#[test]
fn the_judge_says_what_the_installed_tool_says() {
    let mut spsdk = Spsdk::start();
    let folder = tempfile::tempdir().unwrap();
    for words in [vec!["--version"], vec!["get-property", "1"]] {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let judge = spsdk.run("blhost", &words, folder.path());
        let real = spsdk.run_installed("blhost", &words, folder.path());
        assert_eq!(judge, real);
    }
}

#[test]
fn a_link_named_like_the_tool_is_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("blhost");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_omv"), &link).unwrap();
    let out = std::process::Command::new(link)
        .arg("--version")
        .output()
        .unwrap();
    assert_eq!(out.stdout, b"blhost, version 3.12.0\n");
    let said = Omv.run("blhost", &["--version".to_owned()], folder.path());
    assert_eq!(said.out, out.stdout);
}
