//! The models of `tests/models`, read: facts that are known from how they were made.
//!
//! The stage `models` compares everything in them with the schema's reference reader; here is what
//! must hold on any machine, and what happens to files that are damaged.

use std::fs;
use std::path::{Path, PathBuf};

use omv_wire::tflite::{Compiled, Error, Kind, LIMIT, Model, Options, is_st_edge_ai};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.tflite"))).expect("a model")
}

fn all() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder()).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let models = paths.filter(|path| path.extension().is_some_and(|end| end == "tflite"));
    let mut all: Vec<_> = models
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).expect("a model"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn there_are_fifteen_models_and_they_stay_small() {
    let all = all();
    assert_eq!(all.len(), 15);
    let bytes: usize = all.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 300_000, "{bytes}");
    for (name, bytes) in &all {
        Model::read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_classifier_is_what_it_was_trained_as() {
    let bytes = read("toy96");
    let model = Model::read(&bytes).unwrap();
    let graph = model.main().unwrap();
    let input = &graph.tensors[graph.inputs[0]];
    assert_eq!(
        (&input.shape[..], input.kind),
        (&[1, 96, 96, 3][..], Kind::Int8)
    );
    assert_eq!(input.quantisation.zero_points, [-128]);
    let output = &graph.tensors[graph.outputs[0]];
    assert_eq!((&output.shape[..], output.kind), (&[1, 3][..], Kind::Int8));
    let convolutions: Vec<_> = graph
        .operators
        .iter()
        .filter(|operator| matches!(operator.options, Options::Conv2d { .. }))
        .collect();
    assert_eq!(convolutions.len(), 3);
    // One scale for each of eight output channels.
    let weights = &graph.tensors[convolutions[0].inputs[1].unwrap()];
    assert_eq!(weights.quantisation.scales.len(), 8);
}

#[test]
fn work_and_memory_of_the_classifier_can_be_counted_by_hand() {
    let bytes = read("toy96");
    let cost = Model::read(&bytes).unwrap().cost();
    let first = 48 * 48 * 8 * 3 * 3 * 3;
    let second = 48 * 48 * 8 * 3 * 3;
    let third = 48 * 48 * 12 * 8;
    let fourth = 12 * 12 * 16 * 3 * 3 * 12;
    let dense = 576 * 12 + 12 * 3;
    assert_eq!(cost.macs, first + second + third + fourth + dense);
    // The third convolution reads 48 x 48 x 8 and writes 48 x 48 x 12: a little more than what the
    // first has, 96 x 96 x 3 and 48 x 48 x 8.
    assert_eq!(cost.activation_peak, 48 * 48 * (8 + 12));
}

#[test]
fn wider_numbers_need_more_memory() {
    let peak = |name: &str| Model::read(&read(name)).unwrap().cost().activation_peak;
    assert_eq!(peak("toy96_int16"), 2 * peak("toy96"));
    assert_eq!(peak("toy96_float"), 4 * peak("toy96"));
}

#[test]
fn vela_is_recognised_by_its_operator_and_st_edge_ai_by_its_first_bytes() {
    let bytes = read("toy96_vela");
    let model = Model::read(&bytes).unwrap();
    assert_eq!(model.compiled(), Some(Compiled::Vela));
    assert_eq!(Model::read(&read("toy96")).unwrap().compiled(), None);
    assert!(is_st_edge_ai(b"NBIN....") && !is_st_edge_ai(&bytes));
}

#[test]
fn a_file_cut_anywhere_is_refused_or_read_without_harm() {
    for (name, bytes) in all() {
        let step = (bytes.len() / 400).max(1);
        for end in (0..bytes.len()).step_by(step) {
            if let Ok(model) = Model::read(&bytes[..end]) {
                assert!(model.cost().weights <= 4 * LIMIT as u64 * bytes.len() as u64);
            }
        }
        assert_eq!(Model::read(&bytes[..7]), Err(Error::NotAModel), "{name}");
    }
}

#[test]
fn a_file_with_one_byte_changed_is_refused_or_read_without_harm() {
    let bytes = read("upsample");
    for at in 0..bytes.len() {
        for value in [0x00, 0x7F, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(model) = Model::read(&changed) {
                assert!(model.cost().weights <= 4 * LIMIT as u64 * bytes.len() as u64);
            }
        }
    }
}

#[test]
fn a_small_file_that_points_at_itself_without_end_is_refused() {
    // A root whose vector of graphs has as many entries as fit, each the same graph, whose vector
    // of tensors again has all entries that fit.
    let entries = 60_000_u32;
    let mut bytes = Vec::new();
    let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
    let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
    word(&mut bytes, 24);
    bytes.extend(b"TFL3");
    // A vtable of 14 bytes with five fields, all at byte 4 of the table: the vector below.
    for value in [14, 8, 4, 4, 4, 4, 4] {
        half(&mut bytes, value);
    }
    half(&mut bytes, 0);
    assert_eq!(bytes.len(), 24);
    word(&mut bytes, 24 - 8);
    word(&mut bytes, 4);
    word(&mut bytes, entries);
    for index in 0..entries {
        // Forward offsets only: those that lead behind the end are refused at once.
        word(&mut bytes, 4 * (entries - index));
    }
    for _ in 0..4 {
        bytes.extend_from_slice(&bytes.clone()[8..28]);
    }
    assert!(Model::read(&bytes).is_err());
}
