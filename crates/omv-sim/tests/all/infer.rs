//! Inference against what the reference interpreter gave (`tests/models/vectors.txt` of omv-wire:
//! ai-edge-litert 2.3.0, reference kernels).

#[path = "../inference/mod.rs"]
mod inference;

use std::time::Duration;

use inference::{compare, folder, inputs, network};
use omv_sim::infer::{Error, Network, Speed};

#[test]
fn every_output_is_within_one_step_of_the_reference_interpreter() {
    let vectors = std::fs::read_to_string(folder().join("vectors.txt")).expect("the vectors");
    assert!(compare(&vectors) > 20_000);
}

#[test]
fn what_is_not_computed_is_named() {
    let run = |name: &str| {
        let network = network(name).unwrap();
        network.run(&inputs(&network, 1)).unwrap_err().to_string()
    };
    assert!(run("spectrum").starts_with("RFFT2D"), "{}", run("spectrum"));
    assert!(run("toy96_dynamic").contains("mixed kinds of numbers"));
    assert_eq!(network("too_large").err(), Some(Error::TooLarge));
}

#[test]
fn an_input_of_another_size_is_refused() {
    let network = network("toy96").unwrap();
    let error = network.run(&[vec![0; 100]]).unwrap_err();
    let wanted = 96 * 96 * 3;
    assert_eq!(
        error,
        Error::Input {
            index: 0,
            wanted,
            given: 100
        }
    );
}

#[test]
fn a_damaged_network_is_refused_or_computes_something_without_harm() {
    let bytes = std::fs::read(folder().join("upsample.tflite")).unwrap();
    let mut ran = 0;
    for at in (8..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x81;
        let Ok(network) = Network::load(&changed) else {
            continue;
        };
        let small = |end: &omv_sim::infer::End| end.shape.iter().product::<usize>() < 100_000;
        if network.cost().macs < 10_000_000 && network.inputs.iter().all(small) {
            ran += usize::from(network.run(&inputs(&network, 1)).is_ok());
        }
    }
    assert!(ran > 0);
}

#[test]
fn times_follow_the_clock_the_work_and_the_frame_and_repeat_exactly() {
    let speed = |clock| Speed { clock, seed: 1 };
    let small = network("toy96").unwrap();
    let time = |clock, size, count| speed(clock).infer(&small, size, size, count);
    assert_eq!(time(600, 240, 7), time(600, 240, 7));
    assert_ne!(time(600, 240, 7), time(600, 240, 8));
    assert!(time(600, 1024, 7) > time(600, 240, 7));
    let ratio = time(300, 240, 7).as_secs_f64() / time(600, 240, 7).as_secs_f64();
    assert!((ratio - 2.0).abs() < 1e-6);
    let float = network("toy96_float").unwrap();
    assert!(speed(600).infer(&float, 240, 240, 7) > time(600, 240, 7));
}

#[test]
fn the_noise_has_the_size_that_is_stated() {
    let speed = Speed {
        clock: 600,
        seed: 42,
    };
    let times: Vec<f64> = (0..10_000)
        .map(|count| speed.time(6_000_000, count).as_secs_f64() / 0.01)
        .collect();
    let mean = times.iter().sum::<f64>() / 1e4;
    let spread = times.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / 1e4;
    assert!((mean - 1.0).abs() < 0.0002, "{mean}");
    assert!((spread.sqrt() - 0.003).abs() < 0.0002, "{spread}");
    assert!(speed.time(6_000_000, 3) > Duration::from_micros(9_800));
}
