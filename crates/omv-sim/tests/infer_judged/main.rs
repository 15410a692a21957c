//! Inference beside the reference interpreter itself, on inputs that no file has.
//!
//! The interpreter is the Python package `ai-edge-litert`; `cargo xtask test judges models`
//! installs and runs.

#[path = "../inference/mod.rs"]
mod inference;

use std::path::Path;
use std::process::Command;

use inference::{compare, folder};

#[test]
fn fresh_inputs_give_the_same_labels_and_scores_within_one_step() {
    let judges = std::env::var_os("OMV_JUDGES").expect("run `cargo xtask test judges models`");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/infer_judged");
    let mut python = Command::new(Path::new(&judges).join("models/bin/python"));
    python.arg(here.join("interpreter.py")).arg(folder());
    let output = python.args(["4711", "123456", "31337"]).output();
    let output = output.expect("Python can be started");
    let lines = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // Ten models, three seeds.
    assert_eq!(lines.lines().count(), 30, "{errors}");
    assert!(compare(&lines) > 20_000);
    // The helper is also for damaged networks: they are named, not computed.
    assert!(inference::network("too_large").is_err());
}
