//! Nordic's kit behind a pseudo terminal, read by us and by the public Python client `ppk2-api`, which
//! knows nothing of ours: both have to see the same currents.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use omv_bench::power::ppk2::{self, Kit};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::meter::Meter;

const VOLTS: f64 = 5.0;
/// A current in each of the kit's five ranges, a while each.
const LEVELS: [f64; 5] = [0.0002, 0.003, 0.04, 0.3, 0.9];
const PLATEAU: usize = 1000;
const PLATEAUS: usize = 2 * LEVELS.len();
const ENOUGH: usize = (PLATEAUS + 1) * PLATEAU;
/// After a change of range the client smooths three samples.
const SETTLED: usize = 10;
/// Nothing but resistors; the client takes a missing `GS` for one, so it is said.
const PLAIN: &str = "Calibrated: 0\nR0: 1031.64\nR1: 101.65\nR2: 10.15\nR3: 0.94\nR4: 0.043\nGS0: 0\nGS1: 0\nGS2: 0\nGS3: 0\nGS4: 0\nHW: 9173\nmode: 1\nVDD: 5000\nIA: 56\nEND";
/// Every correction that a calibration may have, and none of them idle.
const BENT: &str = "Calibrated: 1\nR0: 1003.36\nR1: 101.53\nR2: 10.34\nR3: 1.01\nR4: 0.061\nGS0: 0.9\nGS1: 1.2\nGS2: 0.05\nGS3: 0.02\nGS4: 0.007\nGI0: 1.01\nGI1: 0.97\nGI2: 0.98\nGI3: 0.96\nGI4: 0.95\nO0: 112.7\nO1: 75.5\nO2: 64.2\nO3: 50.5\nO4: 80.5\nS0: 0.0000000048\nS1: 0.0000002\nS2: 0.000001\nS3: 0.00002\nS4: 0.0001\nI0: -0.00000001\nI1: -0.00000051\nI2: -0.0000061\nI3: -0.00015\nI4: -0.0047\nUG0: 1.02\nUG1: 1.0\nUG2: 0.99\nUG3: 1.01\nUG4: 1.03\nHW: 9173\nmode: 1\nVDD: 5000\nIA: 56\nEND";

/// A kit and the terminal it hangs on.
struct Desk {
    path: String,
    /// All samples of a measurement were sent.
    sent: Arc<AtomicBool>,
    /// Without somebody who holds it open, a terminal ends between two readers.
    _near: File,
}

impl Desk {
    /// Sends at most so many samples of a measurement, as fast as they are taken.
    fn new(text: &str, most: usize) -> Self {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let path = ptsname(&far, Vec::new()).unwrap().into_string().unwrap();
        let near = File::options().read(true).write(true).open(&path).unwrap();
        let mut ears = File::from(far);
        let mut mouth = ears.try_clone().unwrap();
        let kit = Arc::new(Mutex::new(Kit::new(text).unwrap()));
        let sent = Arc::new(AtomicBool::new(false));
        let (listening, done) = (Arc::clone(&kit), Arc::clone(&sent));
        // Two threads: words are heard also while nobody takes the samples.
        std::thread::spawn(move || {
            let mut words = [0; 64];
            while let Ok(count @ 1..) = ears.read(&mut words) {
                let answer = listening.lock().unwrap().hear(&words[..count]);
                ears.write_all(&answer).unwrap();
            }
        });
        std::thread::spawn(move || {
            let mut number = 0;
            loop {
                let piece: Vec<u8> = {
                    let mut kit = kit.lock().unwrap();
                    match kit.is_measuring() {
                        true => (number..number + 50)
                            .take_while(|number| *number < most)
                            .filter_map(|number| {
                                kit.sample(LEVELS[number / PLATEAU % LEVELS.len()])
                            })
                            .flatten()
                            .collect(),
                        false => {
                            number = 0;
                            Vec::new()
                        }
                    }
                };
                number += piece.len() / 4;
                done.store(number > PLATEAUS * PLATEAU, Ordering::SeqCst);
                if mouth.write_all(&piece).is_err() {
                    return;
                }
                if piece.is_empty() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self {
            path,
            sent,
            _near: near,
        }
    }

    /// Ampere of each plateau, as we read it.
    fn ours(&self) -> Vec<f64> {
        let meter = Meter::parse(&format!("ppk2:{}", self.path), Some(VOLTS)).unwrap();
        let watcher = meter.watch().unwrap().expect("a watcher");
        let end = Instant::now() + Duration::from_secs(10);
        while !self.sent.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        // What was sent last is still in the terminal.
        std::thread::sleep(Duration::from_millis(100));
        let wave = watcher.finish().unwrap();
        let mut sums = [(0.0, 0.0); PLATEAUS];
        for (seconds, amperes) in wave.currents() {
            let sample = (seconds / ppk2::PERIOD) as usize;
            if let Some((sum, count)) = sums.get_mut(sample / PLATEAU)
                && sample % PLATEAU >= SETTLED
            {
                *sum += amperes;
                *count += 1.0;
            }
        }
        sums.iter().map(|(sum, count)| sum / count).collect()
    }

    /// The same, as the client reads it.
    fn theirs(&self) -> Vec<f64> {
        let judges = std::env::var_os("OMV_JUDGES").expect("run `cargo xtask test judges unit`");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cmd/bench/kit.py");
        let mut python = Command::new(Path::new(&judges).join("models/bin/python"));
        let numbers = [PLATEAUS, PLATEAU, SETTLED].map(|number| number.to_string());
        let output = python.arg(script).arg(&self.path).args(numbers).output();
        let output = output.expect("`cargo xtask test judges` installs ppk2-api");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

#[track_caller]
fn equal(ours: &[f64], theirs: &[f64], part: f64) {
    assert_eq!((ours.len(), theirs.len()), (PLATEAUS, PLATEAUS));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a / b - 1.0).abs() < part, "{ours:?} and {theirs:?}");
    }
}

#[test]
fn the_public_python_client_and_we_read_the_same_currents_from_one_kit() {
    let known: Vec<f64> = LEVELS.iter().chain(&LEVELS).copied().collect();
    let plain = Desk::new(PLAIN, ENOUGH);
    let (theirs, ours) = (plain.theirs(), plain.ours());
    // A step of the coarsest range is a milliampere.
    equal(&theirs, &known, 0.002);
    equal(&ours, &theirs, 1e-9);
    let bent = Desk::new(BENT, ENOUGH);
    equal(&bent.ours(), &bent.theirs(), 1e-9);
}

#[test]
fn a_kit_that_still_measures_for_a_program_that_went_away_is_stopped_first() {
    // It never ends by itself, and nothing stands before the first number of its calibration.
    let desk = Desk::new(PLAIN.trim_start_matches("Calibrated: 0\n"), usize::MAX);
    let mut gone = File::options().write(true).open(&desk.path).unwrap();
    let words = [&ppk2::AMPERE_METER[..], &ppk2::START].concat();
    gone.write_all(&words).unwrap();
    drop(gone);
    let known: Vec<f64> = LEVELS.iter().chain(&LEVELS).copied().collect();
    equal(&desk.ours(), &known, 0.002);
}
