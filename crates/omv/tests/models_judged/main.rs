//! What `omv` says and writes around neural networks, beside other people's readers.
//!
//! `omv model info` is held to the schema's reference reader, the Python package `tflite`, for every model
//! of the project; exports of pictures in `exports.rs`. `cargo xtask test judges models` installs and runs.

mod exports;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn judges() -> PathBuf {
    let judges = std::env::var_os("OMV_JUDGES").expect("run `cargo xtask test judges models`");
    PathBuf::from(judges)
}

fn python() -> PathBuf {
    judges().join("models/bin/python")
}

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../omv-wire/tests/models");
    let entries = std::fs::read_dir(folder).expect("the models");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut models: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "tflite"))
        .collect();
    models.sort();
    models
}

fn run(command: &mut Command) -> Value {
    let output = command.output().expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_else(|| {
        panic!(
            "nothing was said: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    serde_json::from_str(last).expect("JSON")
}

fn ours(model: &Path) -> Value {
    let mut omv = Command::new(env!("CARGO_BIN_EXE_omv"));
    run(omv.args(["model", "info", "--json"]).arg(model))
}

fn theirs(model: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models_judged/reader.py");
    run(Command::new(python()).arg(script).arg(model))
}

/// Numbers of 32 bits come with more digits from one side than from the other.
fn same(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{path}");
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                same(a, b, &format!("{path}[{index}]"));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            for (key, b) in b {
                let a = a
                    .get(key)
                    .unwrap_or_else(|| panic!("{path}.{key} is missing"));
                same(a, b, &format!("{path}.{key}"));
            }
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert_eq!(a as f32, b as f32, "{path}");
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn every_model_reads_as_the_reference_reader_reads_it() {
    let models = models();
    assert!(models.len() >= 12);
    for model in models {
        let name = model.file_stem().unwrap().to_string_lossy().into_owned();
        same(&ours(&model), &theirs(&model), &name);
    }
}
