//! `omv model`: what is refused before anybody copies anything, exit code 9, with the reason.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../omv-wire/tests/models")
}

fn omv(words: &[&str]) -> (Option<i32>, Value) {
    let mut omv = Command::new(env!("CARGO_BIN_EXE_omv"));
    let output = omv
        .arg("--json")
        .args(words)
        .env_remove("OMV_CAMERA")
        .output();
    let output = output.expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().expect("a line");
    (
        output.status.code(),
        serde_json::from_str(last).expect("JSON"),
    )
}

fn check(file: &Path, rest: &[&str]) -> (Option<i32>, Value) {
    omv(&[&["model", "check", &file.to_string_lossy()], rest].concat())
}

fn model(name: &str) -> PathBuf {
    models().join(format!("{name}.tflite"))
}

fn zip(folder: &Path, name: &str, files: &[(&str, Vec<u8>)]) -> PathBuf {
    let path = folder.join(name);
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    path
}

const CAMERA: [&str; 2] = ["-c", "sim:rt1062"];
const OLD: [&str; 4] = ["--board", "rt1062", "--firmware", "4.5.2"];

#[test]
fn an_export_that_fits_is_accepted_on_a_virtual_camera_and_on_an_old_release() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("trained.tflite", fs::read(model("toy96")).unwrap()),
        ("labels.txt", b"background\nball\nfigure\n".to_vec()),
        ("ei_image_classification.py", b"import tf\n".to_vec()),
    ];
    let export = zip(folder.path(), "export.zip", &files);
    let (exit, result) = check(&export, &CAMERA);
    assert_eq!(exit, Some(0), "{result}");
    assert_eq!(result["labels"][2], "figure");
    assert_eq!(result["label_file"], "trained.txt");
    let (exit, result) = check(&export, &OLD);
    assert_eq!((exit, &result["label_file"]), (Some(0), &Value::Null));
}

#[test]
fn everything_a_camera_would_refuse_is_refused_with_exit_code_nine() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let labels = place("two.txt", b"ball\nfigure\n");
    let labels = labels.to_string_lossy().into_owned();
    let photos = zip(folder.path(), "photos.zip", &[("a.jpg", vec![0xFF; 10])]);
    let cases: [(PathBuf, Vec<&str>, &str); 8] = [
        (model("too_large"), vec![], "model-too-large"),
        (model("spectrum"), vec![], "no-operator"),
        (model("foreign"), vec![], "no-operator"),
        (model("toy96_dynamic"), vec![], "not-a-model"),
        (model("toy96_vela"), vec![], "other-processor"),
        (model("toy96"), vec!["--labels", &labels], "labels-differ"),
        (photos, vec![], "not-an-export"),
        (place("x.tflite", b"nothing"), vec![], "not-a-model"),
    ];
    for (file, more, code) in &cases {
        for target in [&CAMERA[..], &OLD[..]] {
            let (exit, result) = check(file, &[target, more].concat());
            let said = result["error"]["code"].as_str().unwrap_or("none");
            assert_eq!(
                (exit, said),
                (Some(9), *code),
                "{} {target:?}",
                file.display()
            );
        }
    }
}

#[test]
fn the_report_names_inputs_operators_and_every_board() {
    let file = model("toy96").to_string_lossy().into_owned();
    let (exit, report) = omv(&["model", "info", &file]);
    assert_eq!(exit, Some(0));
    assert_eq!(
        report["inputs"][0]["shape"],
        serde_json::json!([1, 96, 96, 3])
    );
    assert_eq!(report["macs"], 1_140_516);
    assert!(report["boards"].as_array().unwrap().len() >= 10);
    let (_, one) = omv(&["model", "info", &file, "--board", "h7"]);
    let releases = one["boards"].as_array().unwrap();
    assert!(
        releases.len() >= 5 && releases.iter().all(|r| r["usable"] == true),
        "{releases:?}"
    );
}
