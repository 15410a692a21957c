//! The models, the bytes they are fed, and the comparison with what a reference gave.

use std::path::{Path, PathBuf};

use omv_sim::infer::{End, Error, Network};
use omv_wire::tflite::Kind;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../omv-wire/tests/models")
}

pub fn network(name: &str) -> Result<Network, Error> {
    let bytes = std::fs::read(folder().join(format!("{name}.tflite"))).expect("a model");
    Network::load(&bytes)
}

/// The bytes that `make_models.py` fed.
fn noise(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

pub fn inputs(network: &Network, seed: u32) -> Vec<Vec<u8>> {
    let one = |(index, end): (usize, &End)| {
        let elements: usize = end.shape.iter().product();
        let seed = seed + u32::try_from(index).unwrap();
        match end.kind {
            Kind::Float32 => {
                let bytes = noise(seed, elements);
                bytes
                    .iter()
                    .flat_map(|byte| f32::from(*byte).to_le_bytes())
                    .collect()
            }
            kind => noise(seed, elements * usize::try_from(kind.bits() / 8).unwrap()),
        }
    };
    network.inputs.iter().enumerate().map(one).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn numbers(kind: Kind, bytes: &[u8]) -> Vec<f64> {
    match kind {
        Kind::Int8 => bytes
            .iter()
            .map(|b| f64::from(i8::from_le_bytes([*b])))
            .collect(),
        Kind::Uint8 => bytes.iter().map(|b| f64::from(*b)).collect(),
        Kind::Int16 => {
            let pairs = bytes.chunks_exact(2);
            pairs
                .map(|b| f64::from(i16::from_le_bytes(b.try_into().unwrap())))
                .collect()
        }
        _ => {
            let fours = bytes.chunks_exact(4);
            fours
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect()
        }
    }
}

/// Compares line by line: model, seed, then each output as hex. Every number must be within one
/// quantisation step, or a ten-thousandth, and the label the same. Returns how many were compared.
pub fn compare(vectors: &str) -> usize {
    let mut compared = 0;
    let (mut worst, mut red) = (0.0_f64, Vec::new());
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let network = network(words[0]).unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        let outputs = network.run(&inputs(&network, words[1].parse().unwrap()));
        let outputs = outputs.unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        assert_eq!(outputs.len(), words.len() - 2);
        for ((ours, theirs), end) in outputs.iter().zip(&words[2..]).zip(&network.outputs) {
            let theirs = numbers(end.kind, &hex(theirs));
            let ours = numbers(end.kind, ours);
            assert_eq!(ours.len(), theirs.len());
            let step = if end.kind == Kind::Float32 { 1e-4 } else { 1.0 };
            for (a, b) in ours.iter().zip(&theirs) {
                let off = (a - b).abs() / step / if step < 1.0 { b.abs().max(1.0) } else { 1.0 };
                worst = worst.max(off);
                if off > 1.0 {
                    red.push(format!("{} seed {}: {a} is not {b}", words[0], words[1]));
                }
            }
            // The same label: the largest score, unless two are as good as equal.
            let place = |of: &[f64]| {
                (0..of.len())
                    .max_by(|a, b| of[*a].total_cmp(&of[*b]))
                    .unwrap()
            };
            let (own, other) = (place(&ours), place(&theirs));
            assert!(
                own == other || theirs[other] - theirs[own] <= step,
                "{line}"
            );
            compared += ours.len();
        }
    }
    assert!(
        red.is_empty(),
        "{} of {compared}: {:#?}",
        red.len(),
        &red[..red.len().min(20)]
    );
    println!("{compared} numbers compared, the worst is {worst} steps off");
    compared
}
