//! `omv bench` without a camera: comparing results, adding a meter's file, and what is refused.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn omv(folder: &Path, words: &[&str]) -> Output {
    let mut omv = Command::new(env!("CARGO_BIN_EXE_omv"));
    omv.args(words).current_dir(folder).env_remove("OMV_CAMERA");
    omv.output().expect("it can be started")
}

fn last(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

/// A result of thirty frames with times around a mean.
fn result(mean: f64, simulated: bool) -> String {
    let list = |mean: f64| -> Vec<f64> {
        (0..30)
            .map(|n| (mean * (1.0 + 0.003 * f64::from(n % 7 - 3) / 2.0)).round())
            .collect()
    };
    let cell = json!({
        "size": "QVGA", "pixels": "RGB565", "width": 320, "height": 240,
        "capture": list(8000.0), "infer": list(mean), "round": list(8000.0 + mean),
        "heap_low": null, "pools": null, "trouble": null,
    });
    let run = json!({
        "simulated": simulated, "identity": { "board": "x" }, "loaded": null, "cells": [cell],
        "trouble": [], "marks": null, "energy": null,
    });
    json!({ "event": "result", "ok": true, "run": run }).to_string()
}

#[test]
fn a_regression_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), result(12_000.0, false)).unwrap();
    fs::write(folder.path().join("b.json"), result(12_600.0, false)).unwrap();
    let compare = |a, b| omv(folder.path(), &["bench", "compare", a, b]);
    assert_eq!(compare("a.json", "a.json").status.code(), Some(0));
    let slower = compare("a.json", "b.json");
    assert_eq!(slower.status.code(), Some(12));
    let text = String::from_utf8_lossy(&slower.stdout).into_owned();
    assert!(text.contains("SLOWER") && text.contains("+5.0%"), "{text}");
    assert!(!text.contains("simulated"));
    assert_eq!(compare("b.json", "a.json").status.code(), Some(0));
}

#[test]
fn comparing_says_in_json_what_it_says_in_words() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), result(12_000.0, true)).unwrap();
    fs::write(folder.path().join("b.json"), result(12_600.0, true)).unwrap();
    let output = omv(
        folder.path(),
        &["--json", "bench", "compare", "a.json", "b.json"],
    );
    let result = last(&output);
    assert_eq!(
        (&result["simulated"], &result["slower"]),
        (&json!(true), &json!(2))
    );
}

#[test]
fn what_is_no_result_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), "{}").unwrap();
    fs::write(folder.path().join("b.json"), result(1.0, true)).unwrap();
    fs::write(folder.path().join("c.json"), result(1.0, false)).unwrap();
    let code = |words: &[&str]| {
        let output = omv(folder.path(), &[&["--json"], words].concat());
        (
            output.status.code(),
            last(&output)["error"]["code"].as_str().map(str::to_owned),
        )
    };
    let is = |exit, code: &str| (Some(exit), Some(code.to_owned()));
    assert_eq!(
        code(&["bench", "compare", "a.json", "b.json"]),
        is(9, "not-a-result")
    );
    assert_eq!(
        code(&["bench", "compare", "b.json", "c.json"]),
        is(9, "nothing-to-compare")
    );
    assert_eq!(
        code(&["bench", "compare", "b.json", "none.json"]),
        is(9, "file")
    );
    assert_eq!(
        code(&["bench", "--sizes", "huge!"]),
        is(2, "bad-frame-size")
    );
    assert_eq!(code(&["bench", "--power", "guess:9"]), is(2, "usage"));
    assert_eq!(
        code(&["bench", "energy", "b.json", "csv:x.csv"]),
        is(2, "usage")
    );
}
