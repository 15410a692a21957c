//! The measuring script on a virtual camera without an interpreter.

use omv_boards::by_name;
use omv_sim::infer::measuring::{Scene, answer};
use serde_json::Value;

/// The first lines of the script as `omv-bench` makes it; this crate must not import that one.
fn script(model: &str, sizes: &str) -> String {
    format!(
        "# Measures a camera: how long pictures and predictions take.\nimport gc\nP = {{'model': {model}, 'sizes': [{sizes}], 'pixels': ['RGB565'], 'frames': 20, 'warm': 2, 'chip': 0, 'pause': 0, 'window': 0}}\n"
    )
}

fn ask(board: &str, firmware: &str, script: &str) -> Vec<Value> {
    let read = |path: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../omv-wire/tests/models");
        let name = path.strip_prefix("/sdcard/")?;
        std::fs::read(format!("{folder}/{name}")).ok()
    };
    let scene = Scene {
        board: by_name(board).unwrap(),
        version: firmware.parse().unwrap(),
        read: &read,
        seed: 1,
    };
    let lines = answer(script, &scene).expect("it is the script");
    let records = lines
        .iter()
        .map(|(_, line)| line.strip_prefix("OMV!").unwrap());
    records
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const SIZES: &str = "(240, 240, None), (0, 0, 'QVGA'), (1024, 1024, None), (0, 0, 'NONSUCH')";

fn kinds(records: &[Value], kind: &str) -> usize {
    records.iter().filter(|record| record["k"] == kind).count()
}

#[test]
fn the_report_is_answered_on_two_eras() {
    for (firmware, engine) in [("5.0.0", "ml"), ("4.5.2", "tf")] {
        let records = ask("rt1062", firmware, &script("'/sdcard/toy96.tflite'", SIZES));
        assert_eq!(records[0]["engine"], engine);
        assert_eq!(
            (kinds(&records, "cell"), kinds(&records, "no")),
            (3, 1),
            "{firmware}"
        );
        assert_eq!(records.last().unwrap()["k"], "end");
        // Twenty times for each of three parts and three cells.
        let times = records.iter().filter(|record| record["k"] == "t");
        let times: usize = times
            .map(|record| record["v"].as_array().unwrap().len())
            .sum();
        assert_eq!(times, 20 * 3 * 3);
    }
}

#[test]
fn what_a_camera_could_not_load_is_not_timed() {
    let why = |board: &str, firmware: &str, model: &str| {
        let records = ask(board, firmware, &script(model, SIZES));
        assert_eq!(kinds(&records, "t"), 0);
        let no = records
            .iter()
            .find(|record| record["k"] == "no")
            .expect("a reason");
        no["why"].as_str().unwrap().to_owned()
    };
    assert!(why("rt1062", "5.0.0", "'/sdcard/nothing.tflite'").starts_with("OSError"));
    assert!(why("rt1062", "5.0.0", "'/sdcard/spectrum.tflite'").contains("RFFT2D"));
    assert!(why("m7", "5.0.0", "'/sdcard/toy96_float.tflite'").starts_with("MemoryError"));
    assert!(why("m4", "5.0.0", "'/sdcard/toy96.tflite'").contains("runs no networks"));
}

#[test]
fn a_frame_that_does_not_fit_is_refused_as_the_camera_would() {
    let records = ask(
        "h7",
        "5.0.0",
        &script("None", "(0, 0, 'VGA'), (0, 0, 'QVGA')"),
    );
    assert_eq!((kinds(&records, "cell"), kinds(&records, "no")), (1, 1));
}

#[test]
fn another_script_is_not_answered() {
    let scene = Scene {
        board: by_name("rt1062").unwrap(),
        version: "5.0.0".parse().unwrap(),
        read: &|_| None,
        seed: 1,
    };
    assert_eq!(answer("print('hello')\nP = {}\n", &scene), None);
    assert_eq!(answer("# Measures a camera\nP = {broken\n", &scene), None);
}
