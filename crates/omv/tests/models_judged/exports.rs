//! Exports of a set of pictures, read back by other people's readers: `globox` (COCO, Pascal VOC, YOLO),
//! `pycocotools` (COCO), PyYAML (the names of YOLO's classes), and Edge Impulse's own uploader, the part
//! of it that reads what is to be uploaded.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{judges, python, run};

/// Takes pictures without end; the comment is for a virtual camera without an interpreter.
const STREAM: &str = include_str!("../browser/stream.py");
/// Label, and boxes of the pictures as the notes have them.
type Noted = (&'static str, &'static [&'static [[u32; 4]]]);
const SET: [Noted; 2] = [
    (
        "ball",
        &[&[[10, 20, 31, 41]], &[[0, 0, 1, 1], [319, 239, 1, 1]], &[]],
    ),
    // The second reaches out of the picture.
    (
        "figure",
        &[&[[300, 200, 100, 100], [0, 0, 320, 240]], &[[7, 9, 33, 77]]],
    ),
];
const SIZE: [u32; 2] = [320, 240];

/// Name, label and corners of every box, a picture without one being one.
fn wanted() -> Vec<(String, String, [f64; 4])> {
    let mut all = Vec::new();
    for (label, pictures) in SET {
        for (at, boxes) in pictures.iter().enumerate() {
            let name = format!("{label}.{:05}.jpg", at + 1);
            let whole = [[0, 0, SIZE[0], SIZE[1]]];
            for [x, y, w, h] in if boxes.is_empty() { &whole } else { *boxes } {
                let corners = [*x, *y, (x + w).min(SIZE[0]), (y + h).min(SIZE[1])];
                all.push((name.clone(), label.to_owned(), corners.map(f64::from)));
            }
        }
    }
    all
}

/// Takes the pictures and notes the boxes.
fn taken(folder: &Path) {
    fs::write(folder.join("stream.py"), STREAM).unwrap();
    for (label, pictures) in SET {
        let count = pictures.len().to_string();
        let words = [
            "capture", "set", "--label", label, "--every", "0.05", "--count", &count,
        ];
        let more = ["--all", "--script", "stream.py", "-c", "sim:rt1062"];
        let ran = omv(folder, &[&words[..], &more].concat());
        assert_eq!(ran["kept"], pictures.len(), "{ran}");
    }
    let path = folder.join("set/captures.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let boxes = SET.iter().flat_map(|(_, pictures)| pictures.iter());
    let noted = text.lines().zip(boxes).map(|(line, boxes)| {
        let mut note: Value = serde_json::from_str(line).unwrap();
        let object = |[x, y, width, height]: &[u32; 4]| json!({ "x": x, "y": y, "width": width, "height": height });
        note["boxes"] = boxes.iter().map(object).collect();
        format!("{note}\n")
    });
    fs::write(&path, noted.collect::<String>()).unwrap();
}

fn omv(folder: &Path, words: &[&str]) -> Value {
    let mut omv = Command::new(env!("CARGO_BIN_EXE_omv"));
    omv.arg("--json").args(words).current_dir(folder);
    run(omv.env_remove("OMV_CAMERA").env_remove("OMV_INTERPRETER"))
}

/// What a reader of ours in Python, over one of theirs, found: name, label and corners of every box.
fn read(reader: &str, folder: &Path) -> Vec<(String, String, [f64; 4])> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models_judged/exports.py");
    let found = run(Command::new(python()).arg(script).arg(reader).arg(folder));
    let mut found: Vec<_> = serde_json::from_value(found).unwrap();
    found.sort_by(|a: &(String, String, [f64; 4]), b| a.partial_cmp(b).unwrap());
    found
}

#[track_caller]
fn equal(reader: &str, found: &[(String, String, [f64; 4])]) {
    let mut wanted = wanted();
    wanted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let same = |(a, b): (&(String, String, [f64; 4]), &(String, String, [f64; 4]))| {
        let near = a.2.iter().zip(b.2).all(|(a, b)| (a - b).abs() < 0.01);
        (&a.0, &a.1) == (&b.0, &b.1) && near
    };
    let all = found.iter().zip(&wanted).all(same);
    assert!(
        all && found.len() == wanted.len(),
        "{reader}: {found:#?}\n{wanted:#?}"
    );
}

#[test]
fn other_peoples_readers_find_every_box_and_label_of_an_export() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path();
    taken(folder);
    for form in ["coco", "voc", "yolo", "edge-impulse"] {
        let done = omv(folder, &["capture", "set", "--export", form, "--to", form]);
        assert_eq!(
            (&done["pictures"], &done["without_boxes"]),
            (&5.into(), &1.into()),
            "{form}"
        );
    }
    equal("globox, COCO", &read("coco", &folder.join("coco")));
    equal("pycocotools", &read("pycocotools", &folder.join("coco")));
    equal("globox, YOLO", &read("yolo", &folder.join("yolo")));
    // Corners of Pascal VOC count from one and are both inside; the reader gives them as they stand.
    let mut voc = read("voc", &folder.join("voc"));
    for (_, _, [left, top, ..]) in &mut voc {
        *left -= 1.0;
        *top -= 1.0;
    }
    equal("globox, VOC", &voc);
}

#[test]
fn edge_impulses_own_uploader_takes_the_export() {
    let desk = tempfile::tempdir().unwrap();
    taken(desk.path());
    omv(
        desk.path(),
        &["capture", "set", "--export", "edge-impulse", "--to", "ei"],
    );
    let folder = desk.path().join("ei");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models_judged/uploader.cjs");
    let mut node = Command::new("node");
    node.arg(script)
        .arg(judges().join("bounding-box-file-types.js"));
    let files = run(node.arg(folder.join("info.labels")));
    let files = files.as_array().unwrap();
    assert_eq!(files.len(), 5);
    let mut found = Vec::new();
    for file in files {
        let path = file["path"].as_str().unwrap();
        assert!(folder.join(path).is_file(), "{path}");
        assert_eq!(file["category"], "split");
        let label = &file["label"];
        let Some(boxes) = file["boundingBoxes"].as_array() else {
            // For them the whole picture has a label, not a box.
            let whole = [0.0, 0.0, f64::from(SIZE[0]), f64::from(SIZE[1])];
            found.push((
                path.to_owned(),
                label["label"].as_str().unwrap().to_owned(),
                whole,
            ));
            continue;
        };
        assert_eq!(label["type"], "unlabeled");
        for one in boxes {
            let [x, y, w, h] = ["x", "y", "width", "height"].map(|key| one[key].as_f64().unwrap());
            found.push((
                path.to_owned(),
                one["label"].as_str().unwrap().to_owned(),
                [x, y, x + w, y + h],
            ));
        }
    }
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    equal("Edge Impulse", &found);
}
