//! Our stand-ins beside the real tools: the same command lines on equal devices, word for word.
//!
//! ```text
//!   rows.txt --> SPSDK, a virtual device on a pseudo terminal --+
//!            --> omv,   its twin on another                   --+--> equal? --> docs/conformance.md
//! ```
//!
//! `UPDATE=1` rewrites the table; without it, a table that differs from what was seen is red.
//! `OMV_SCENE=TITLE` runs the real tool alone through one scene, against the table: that is how
//! `cargo xtask mutants` finds out whether a broken device is noticed.
#![cfg(unix)]

mod compare;
mod page;
mod recovery;
mod scene;
mod tools;

use scene::Scene;
use serde_json::json;
use tools::{Omv, Spsdk, Tool};

#[test]
fn every_command_line_has_the_result_it_has_with_the_real_tool() {
    let mut spsdk = Spsdk::start();
    let scenes = Scene::read(include_str!("rows.txt"));
    if let Ok(title) = std::env::var("OMV_SCENE") {
        let named = |scene: &&Scene| scene.title == title;
        let scene = scenes.iter().find(named).expect("a scene of that title");
        return page::hold(scene, &mut spsdk);
    }
    let mut table = compare::Table::default();
    for scene in &scenes {
        let plain = compare::both(scene, false, &mut spsdk);
        let json = compare::both(scene, true, &mut spsdk);
        table.add(scene, &plain, &json);
    }
    table.check_counts();
    page::compare(&table.to_string());
    assert!(table.failures.is_empty(), "{}", table.failures.join("\n"));
}

#[test]
fn the_recovery_of_a_camera_ends_with_the_same_flash() {
    recovery::recover(&mut Spsdk::start());
}

/// Our side of the same file is a unit test of `dropin/usb.rs`.
#[test]
fn the_names_of_usb_devices_are_those_of_the_real_tool() {
    let mut spsdk = Spsdk::start();
    let mut head = Vec::new();
    for line in include_str!("usb.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (mark, rest) = line.split_once(' ').unwrap();
        if mark == "=" {
            head = rest.split(' ').collect();
            continue;
        }
        let number = |text: &str| u16::from_str_radix(text, 16).unwrap();
        let device = json!({
            "vendor_id": number(head[1]),
            "product_id": number(head[2]),
            "path": head[3],
            "serial_number": if head[4] == "-" { "" } else { head[4] },
        });
        let fits = spsdk.fits(head[0], rest, device);
        assert_eq!(fits, mark == "+", "{} {line}", head.join(" "));
    }
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
