//! Networks against boards and releases: what a camera would refuse is refused here first.

use omv_boards::{Board, Version, by_name};
use omv_plan::model::{Finding, Suit, export, label_file, labels, suit};
use omv_plan::{Bytes, Refusal, Source, ZipSource};
use omv_wire::tflite::Model;

fn read(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../omv-wire/tests/models");
    std::fs::read(format!("{folder}/{name}")).expect("a model")
}

fn board(name: &str) -> &'static Board {
    by_name(name).unwrap()
}

fn version(text: &str) -> Option<Version> {
    Some(text.parse().unwrap())
}

fn suits(model: &str, camera: &str, firmware: &str) -> Suit {
    let file = format!("{model}.tflite");
    suit(&file, &read(&file), board(camera), version(firmware)).unwrap()
}

/// The code of the first reason against it.
fn refused(model: &str, camera: &str, firmware: &str) -> Option<&'static str> {
    suits(model, camera, firmware).refusal().map(Refusal::code)
}

#[test]
fn the_classifier_of_the_report_runs_on_every_board_with_memory_for_it() {
    for camera in ["m7", "h7", "h7plus", "rt1062", "portenta", "ae3"] {
        assert_eq!(refused("toy96", camera, "5.0.0"), None, "{camera}");
    }
    assert_eq!(refused("toy96", "m4", "5.0.0"), Some("no-networks"));
    assert_eq!(refused("toy96", "n6", "5.0.0"), Some("other-processor"));
}

#[test]
fn an_operator_that_the_release_lacks_is_named() {
    let spectrum = suits("spectrum", "rt1062", "5.0.0");
    assert_eq!(spectrum.missing, ["RFFT2D", "COMPLEX_ABS"]);
    assert_eq!(refused("foreign", "rt1062", "5.0.0"), Some("no-operator"));
    // Eras differ: bilinear resizing came with 4.5.6.
    assert_eq!(
        suits("upsample", "rt1062", "4.5.5").missing,
        ["RESIZE_BILINEAR"]
    );
    assert_eq!(refused("upsample", "rt1062", "4.5.6"), None);
}

#[test]
fn what_is_too_large_for_every_piece_of_memory_is_refused() {
    for camera in ["h7", "h7plus", "rt1062", "pt"] {
        assert_eq!(
            refused("too_large", camera, "5.0.0"),
            Some("model-too-large")
        );
    }
    // 180 KiB of activations: more than the M7's one block of 50 KiB, less than the H7's second.
    assert_eq!(
        refused("toy96_float", "m7", "5.0.0"),
        Some("model-too-large")
    );
    assert_eq!(refused("toy96_float", "h7", "5.0.0"), None);
}

#[test]
fn memory_follows_the_release() {
    let places = |firmware| {
        let suit = suits("toy96", "rt1062", firmware);
        let names = suit.places.iter().filter(|place| place.arena == Some(true));
        names.map(|place| place.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(places("4.5.2"), ["frame buffer and stack", "fast stack"]);
    assert_eq!(places("4.7.0"), ["heap block 2", "heap block 3"]);
    let has_romfs = |firmware| {
        let suit = suits("toy96", "rt1062", firmware);
        suit.places
            .iter()
            .any(|place| place.name == "ROM file system")
    };
    assert!(has_romfs("4.7.0") && !has_romfs("4.6.20"));
}

#[test]
fn the_module_tf_takes_one_input_and_no_16_bits() {
    assert_eq!(refused("two_heads", "rt1062", "4.5.2"), Some("not-a-model"));
    assert_eq!(refused("two_heads", "rt1062", "4.5.6"), None);
    assert_eq!(
        refused("toy96_int16", "rt1062", "4.5.5"),
        Some("not-a-model")
    );
    assert_eq!(refused("toy96_int16", "rt1062", "5.0.0"), None);
    // Later releases take them, but make no such numbers of a picture.
    let warned = |model| {
        let suit = suits(model, "rt1062", "5.0.0");
        let notes = suit.findings.iter();
        notes
            .filter(|note| matches!(note, Finding::Mind(text) if text.contains("ValueError")))
            .count()
    };
    assert_eq!((warned("toy96_int16"), warned("toy96")), (1, 0));
}

#[test]
fn half_quantised_networks_are_refused_and_floating_point_is_called_slow() {
    assert_eq!(
        refused("toy96_dynamic", "rt1062", "5.0.0"),
        Some("not-a-model")
    );
    let float = suits("toy96_float", "rt1062", "5.0.0");
    assert!(float.usable());
    let slow =
        |finding: &Finding| matches!(finding, Finding::Mind(text) if text.contains("slowly"));
    assert!(float.findings.iter().any(slow));
}

#[test]
fn a_network_compiled_for_another_processor_is_refused() {
    assert_eq!(
        refused("toy96_vela", "rt1062", "5.0.0"),
        Some("other-processor")
    );
    assert_eq!(refused("toy96_vela", "ae3", "5.0.0"), None);
    let st = b"NBIN and what follows";
    let on = |camera| suit("x.tflite", st, board(camera), None).unwrap().usable();
    assert!(on("n6") && !on("ae3"));
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    for bytes in [&b""[..], b"TFL3", b"\0\0\0\0TFL3\0\0\0\0", &[0xFF; 100]] {
        let refusal = suit("x.tflite", bytes, board("h7"), None).unwrap_err();
        assert_eq!(refusal.code(), "not-a-model");
    }
}

#[test]
fn labels_must_be_as_many_as_classes() {
    let bytes = read("toy96.tflite");
    let model = Model::read(&bytes).unwrap();
    let found = labels("l.txt", &read("toy96.txt"), &model).unwrap();
    assert_eq!(found, ["background", "ball", "figure"]);
    assert_eq!(
        labels("l.txt", b"\xEF\xBB\xBFa\r\nb\r\nc\r\n\r\n", &model).unwrap(),
        ["a", "b", "c"]
    );
    for wrong in [&b"a\nb\n"[..], b"a\nb\nc\nd\n", b"", b"\xFF\xFEa\0"] {
        assert_eq!(
            labels("l.txt", wrong, &model).unwrap_err().code(),
            "labels-differ"
        );
    }
    // A detector's background may be left out.
    let bytes = read("fomo96.tflite");
    let model = Model::read(&bytes).unwrap();
    assert_eq!(labels("l.txt", b"ball\nfigure\n", &model).unwrap().len(), 2);
}

#[test]
fn the_camera_looks_for_labels_up_to_the_first_dot() {
    let file = |path| label_file(path, version("5.0.0")).unwrap();
    assert_eq!(file("/sdcard/trained.tflite"), "/sdcard/trained.txt");
    assert_eq!(file("/sdcard/v1.2/trained.tflite"), "/sdcard/v1.txt");
    assert_eq!(label_file("trained.tflite", version("4.6.20")), None);
}

fn zip(files: &[(&str, &[u8])]) -> Box<dyn Source> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    Box::new(ZipSource::new("export.zip", bytes).unwrap())
}

#[test]
fn an_export_gives_its_model_and_labels() {
    let files: &[(&str, &[u8])] = &[
        ("trained.tflite", b"model"),
        ("labels.txt", b"a\nb\n"),
        ("ei_image_classification.py", b"import tf\n"),
    ];
    let export = export(&mut *zip(files)).unwrap();
    assert_eq!(
        (&*export.model_name, &*export.model),
        ("trained.tflite", &b"model"[..])
    );
    assert_eq!(export.labels.unwrap().0, "labels.txt");
    assert_eq!(export.scripts, ["ei_image_classification.py"]);
}

#[test]
fn labels_named_like_the_model_go_before_others() {
    let files: &[(&str, &[u8])] = &[
        ("a/toy.tflite", b"model"),
        ("a/toy.txt", b"own"),
        ("labels.txt", b"usual"),
    ];
    let found = export(&mut *zip(files)).unwrap().labels.unwrap();
    assert_eq!(found, ("a/toy.txt".to_owned(), b"own".to_vec()));
}

#[test]
fn an_archive_without_a_model_or_with_two_is_no_export() {
    let none: &[(&str, &[u8])] = &[("photo.jpg", b"x"), ("labels.txt", b"a\n")];
    let two: &[(&str, &[u8])] = &[("a.tflite", b"x"), ("b.tflite", b"y")];
    for files in [none, two] {
        assert_eq!(
            export(&mut *zip(files)).unwrap_err().code(),
            "not-an-export"
        );
    }
    let mut lone = Bytes::new("notes.txt", "notes.txt", Vec::new());
    assert_eq!(export(&mut lone).unwrap_err().code(), "not-an-export");
}
