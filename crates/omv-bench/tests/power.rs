//! Known waveforms: the known energy within one per cent, or a refusal; never a wrong number.

use omv_bench::power::ppk2::{Calibration, Stream};
use omv_bench::power::{Wave, energy, scpi};
use omv_bench::{Error, Marks};

/// A source of chance that is the same each time.
struct Dice(u64);

impl Dice {
    fn even(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }
}

const BARKER: [f64; 13] = [1., 1., 1., 1., 1., 0., 0., 1., 1., 0., 1., 0., 1.];

/// A camera that does what the script says, and a meter that watches.
#[derive(Clone, Copy)]
struct Scene {
    /// Samples a second.
    rate: f64,
    /// When the script starts, by the meter's clock.
    offset: f64,
    /// How much faster the meter's clock is.
    drift: f64,
    /// Noise of each sample, in ampere.
    noise: f64,
    /// Part of the samples that is missing, in runs.
    missing: f64,
    /// What the lights take.
    lights: f64,
    seed: u64,
}

const IDLE: f64 = 0.100;
const BUSY: f64 = 0.140;
const INFER: f64 = 0.0313;
const PAUSE: f64 = 0.0089;
const VOLTS: f64 = 5.0;
const CHIP: f64 = 0.2;
const COUNT: u64 = 250;

const PLAIN: Scene = Scene {
    rate: 1000.0,
    offset: 3.7,
    drift: 0.0,
    noise: 0.0,
    missing: 0.0,
    lights: 0.030,
    seed: 1,
};

/// A prediction computes for 31.3 ms and waits 8.9 ms for a picture: known to the microjoule.
fn truth() -> f64 {
    (BUSY - IDLE) * VOLTS * INFER * 1e3
}

impl Scene {
    fn marks(self) -> Marks {
        let signature = 13.0 * CHIP;
        let rest = signature + 2.0;
        let work = rest + 2.0;
        let end = work + COUNT as f64 * (INFER + PAUSE);
        let micros = |seconds: f64| (seconds * 1e6).round();
        Marks {
            chip: micros(CHIP),
            first: 0.0,
            last: micros(end + 2.0),
            idle: (micros(rest), micros(work)),
            work: (micros(work), micros(end)),
            count: COUNT,
        }
    }

    /// Current at a moment of the camera's clock.
    fn current(self, t: f64) -> f64 {
        let marks = self.marks();
        let light = |start: f64| {
            let at = ((t - start / 1e6) / CHIP).floor();
            if (0.0..13.0).contains(&at) {
                BARKER[at as usize] * self.lights
            } else {
                0.0
            }
        };
        let (from, to) = (marks.work.0 / 1e6, marks.work.1 / 1e6);
        let busy = (from..to).contains(&t) && (t - from).rem_euclid(INFER + PAUSE) < INFER;
        IDLE + light(marks.first) + light(marks.last) + if busy { BUSY - IDLE } else { 0.0 }
    }

    fn wave(self) -> Wave {
        let mut dice = Dice(self.seed);
        let end = (self.marks().last / 1e6 + 13.0 * CHIP + 4.0) * (1.0 + self.drift) + self.offset;
        let mut wave = Wave::default();
        let mut gone = 0;
        for at in 0..(end * self.rate) as u64 {
            let time = at as f64 / self.rate;
            let camera = (time - self.offset) / (1.0 + self.drift);
            let current = self.current(camera) + self.noise * dice.normal();
            if gone > 0 {
                gone -= 1;
                continue;
            }
            // Runs of five.
            if dice.even() < self.missing / 5.0 {
                gone = 4;
                continue;
            }
            wave.push(time, current, VOLTS);
        }
        wave
    }

    /// Within one per cent, or refused. Says which.
    fn judge(self) -> bool {
        match energy(&self.wave(), &self.marks()) {
            Ok(found) => {
                let off = found.per_inference / truth() - 1.0;
                assert!(off.abs() < 0.01, "off by {:.2} %: {found:?}", off * 100.0);
                true
            }
            Err(Error::Alignment(_) | Error::Quality(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_clean_wave_gives_the_known_energy() {
    let found = energy(&PLAIN.wave(), &PLAIN.marks()).unwrap();
    assert!(
        (found.per_inference / truth() - 1.0).abs() < 0.002,
        "{found:?}"
    );
    assert!((found.idle - 500.0).abs() < 0.5 && (found.volts - VOLTS).abs() < 1e-9);
    assert!(found.clarity > 0.9);
}

#[test]
fn offset_and_drift_of_the_clocks_do_not_matter() {
    for drift in [-0.004, -0.0002, 0.0002, 0.004] {
        for offset in [0.0, 0.37, 11.111] {
            let scene = Scene {
                drift,
                offset,
                ..PLAIN
            };
            assert!(scene.judge(), "drift {drift} offset {offset}");
            let found = energy(&scene.wave(), &scene.marks()).unwrap();
            assert!((found.drift - drift).abs() < 2e-4, "{found:?}");
        }
    }
}

#[test]
fn noise_and_missing_samples_give_the_energy_or_a_refusal_never_a_wrong_number() {
    let (mut good, mut refused) = (0, 0);
    for seed in 0..6 {
        for noise in [0.0, 0.002, 0.01, 0.05, 0.3] {
            for missing in [0.0, 0.01, 0.02, 0.10, 0.40] {
                let scene = Scene {
                    seed,
                    noise,
                    missing,
                    drift: 0.0005 * (seed as f64 - 2.5),
                    ..PLAIN
                };
                match scene.judge() {
                    true => good += 1,
                    false => refused += 1,
                }
            }
        }
    }
    // Both must happen: the usual is measured, the hopeless is refused.
    assert!(
        good >= 30 && refused >= 30,
        "{good} measured, {refused} refused"
    );
}

#[test]
fn fast_and_slow_meters_both_do() {
    for rate in [50.0, 200.0, 500.0, 3000.0, 10_000.0] {
        // Slow ones have two or eight samples for each prediction: they may be refused.
        assert!(Scene { rate, ..PLAIN }.judge() || rate < 300.0, "{rate}");
    }
    let slow = Scene {
        rate: 10.0,
        ..PLAIN
    };
    assert_eq!(
        energy(&slow.wave(), &slow.marks()).unwrap_err().code(),
        "too-few-samples"
    );
}

#[test]
fn a_meter_in_step_with_the_camera_is_refused() {
    // 40.2 ms and six samples in it: always the same six.
    let scene = Scene {
        rate: 6.0 / (INFER + PAUSE),
        ..PLAIN
    };
    let error = energy(&scene.wave(), &scene.marks()).unwrap_err();
    assert_eq!(error.code(), "too-few-samples");
}

#[test]
fn without_lights_there_is_no_number() {
    let dark = Scene {
        lights: 0.0,
        noise: 0.002,
        ..PLAIN
    };
    let code = energy(&dark.wave(), &dark.marks()).unwrap_err().code();
    assert_eq!(code, "not-aligned");
}

#[test]
fn a_pin_takes_the_place_of_lights_that_are_not_seen() {
    let dark = Scene {
        lights: 0.0,
        noise: 0.002,
        drift: 0.0007,
        ..PLAIN
    };
    let marks = dark.marks();
    let level = |t: f64| {
        let at = |start: f64| ((t - start / 1e6) / CHIP).floor();
        let lit = |at: f64| (0.0..13.0).contains(&at) && BARKER[at as usize] > 0.0;
        lit(at(marks.first)) || lit(at(marks.last))
    };
    let mut dice = Dice(5);
    let (mut wave, mut text) = (Wave::default(), String::from("time(s),current(mA),D0\n"));
    for at in 0..30_000 {
        let time = f64::from(at) / dark.rate;
        let camera = (time - dark.offset) / (1.0 + dark.drift);
        let current = dark.current(camera) + dark.noise * dice.normal();
        let pin = level(camera);
        wave.push_with_pin(time, current, VOLTS, f64::from(u8::from(pin)));
        text.push_str(&format!(
            "{time:.4},{:.4},{}\n",
            current * 1e3,
            u8::from(pin)
        ));
    }
    let csv = Wave::csv(&text, Some(VOLTS)).unwrap();
    for seen in [&wave, &csv] {
        let found = energy(&seen.clone().by_pin(), &marks).unwrap();
        let off = found.per_inference / truth() - 1.0;
        assert!(
            off.abs() < 0.01 && found.clarity > 0.95,
            "off by {off}: {found:?}"
        );
        // Nobody said that it is the script's.
        assert_eq!(energy(seen, &marks).unwrap_err().code(), "not-aligned");
    }
    // A pin that was never wired stands still, whatever the lights do.
    let mut still = Wave::default();
    for (time, current) in PLAIN.wave().currents() {
        still.push_with_pin(time, current, VOLTS, 1.0);
    }
    assert_eq!(
        energy(&still.by_pin(), &PLAIN.marks()).unwrap_err().code(),
        "not-aligned"
    );
}

#[test]
fn a_wave_of_another_run_is_refused() {
    let mut marks = PLAIN.marks();
    marks.last += 1.5e6;
    let error = energy(&PLAIN.wave(), &marks).unwrap_err();
    assert_eq!(error.code(), "not-aligned");
    let mut early = Wave::default();
    for at in 0..3000 {
        early.push(f64::from(at) / 1000.0, 0.1, VOLTS);
    }
    assert_eq!(
        energy(&early, &PLAIN.marks()).unwrap_err().code(),
        "not-aligned"
    );
}

#[test]
fn files_of_usual_loggers_are_read() {
    let nordic = "Timestamp(ms),Current(uA),D0-D7\n0.0,100000.0,11\n0.01,,11\n0.02,140000.5,11\n";
    let wave = Wave::csv(nordic, Some(3.3)).unwrap();
    assert_eq!(wave.len(), 2);
    let german = "time [s];voltage [V];current [mA]\n0,0;5,0;100,0\n0,1;5,0;120,5\n";
    assert_eq!(Wave::csv(german, None).unwrap().len(), 2);
    let power = "# exported\nt_us\tpower_mW\n0\t500\n10\t700\n";
    assert_eq!(Wave::csv(power, Some(5.0)).unwrap().len(), 2);
    let line = |text: &str| match Wave::csv(text, Some(5.0)).unwrap_err() {
        Error::Samples { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line("time(s),current(A)\n0,0.1\n1,many\n"), 3);
    assert_eq!(line("time(s),current(A)\n5,0.1\n1,0.1\n"), 3);
    assert_eq!(line("time(s),current\n"), 1);
    assert_eq!(line("a,b\n1,2\n"), 1);
    assert_eq!(line(""), 1);
    assert!(Wave::csv("time(s),current(A)\n0,1\n", None).is_err());
}

#[test]
fn a_csv_of_a_whole_measurement_gives_the_known_energy() {
    let scene = Scene {
        rate: 500.0,
        noise: 0.001,
        drift: 0.001,
        ..PLAIN
    };
    let mut text = String::from("Timestamp(ms),Current(uA)\n");
    let mut dice = Dice(9);
    for at in 0..15_000 {
        let time = f64::from(at) / scene.rate;
        let current =
            scene.current((time - scene.offset) / (1.0 + scene.drift)) + 0.001 * dice.normal();
        text.push_str(&format!("{:.3},{:.3}\n", time * 1e3, current * 1e6));
    }
    let wave = Wave::csv(&text, Some(VOLTS)).unwrap();
    let found = energy(&wave, &scene.marks()).unwrap();
    assert!(
        (found.per_inference / truth() - 1.0).abs() < 0.01,
        "{found:?}"
    );
}

#[test]
fn meters_are_read_and_their_special_numbers_are_no_currents() {
    assert_eq!(scpi::reading("+1.04233E-01\n").unwrap(), 0.104_233);
    assert_eq!(scpi::reading("0.1A,0.2\r\n").unwrap(), 0.1);
    for bad in ["9.9E37", "+9.91E+37", "", "ERROR", "-1e400"] {
        assert_eq!(scpi::reading(bad).unwrap_err().code(), "meter", "{bad}");
    }
    assert_eq!(
        scpi::name("ACME,DMM\x1b[1m 1,0,1.0\n").unwrap(),
        "ACME DMM[1m 1"
    );
    assert!(scpi::name("hello").is_err());
}

const CALIBRATION: &str =
    "Calibrated: 1\nR0: 1000.0\nR1: 100.0\nR2: 10.0\nR3: 1.0\nR4: 0.05\nEND\n";

fn word(reading: u32, range: u32, counter: u32) -> [u8; 4] {
    (reading | range << 14 | (counter & 0x3F) << 18 | 0xFF << 24).to_le_bytes()
}

#[test]
fn the_kit_of_nordic_counts_in_ranges_and_tells_what_was_lost() {
    let calibration = Calibration::parse(CALIBRATION).unwrap();
    let mut stream = Stream::new(calibration, 5.0);
    // 1.8 V over 163840 steps and 0.05 ohm: reading 1138 is 4 x 1138 x 1.8 / 163840 / 0.05 A.
    let mut bytes = Vec::new();
    for counter in [0_u32, 1, 2, 5, 6] {
        bytes.extend(word(1138, 4, counter));
    }
    for piece in bytes.chunks(3) {
        stream.feed(piece);
    }
    assert_eq!((stream.wave.len(), stream.lost), (5, 2));
    assert!(Calibration::parse("R0: 1\nEND\n").is_err());
    assert!(Calibration::parse(&CALIBRATION.replace("0.05", "0")).is_err());
}

#[test]
fn a_virtual_kit_of_nordic_gives_the_known_energy() {
    // Ten thousandths of a second apart is too much for a test: the kit loses nine of ten.
    let scene = Scene {
        drift: 0.0003,
        ..PLAIN
    };
    let mut stream = Stream::new(Calibration::parse(CALIBRATION).unwrap(), VOLTS);
    let seconds = 30.0;
    let mut at = 0_u32;
    while f64::from(at) * 1e-5 < seconds {
        let time = f64::from(at) * 1e-5;
        let current = scene.current((time - scene.offset) / (1.0 + scene.drift));
        let reading = (current * 0.05 * 163_840.0 / 1.8 / 4.0).round() as u32;
        stream.feed(&word(reading, 4, at));
        at += 50;
    }
    let found = energy(&stream.wave, &scene.marks()).unwrap();
    // The reading itself has steps of 0.9 mA, which is 2 % of the difference: on average it shows
    // the true current only as well as these steps allow.
    assert!(
        (found.per_inference / truth() - 1.0).abs() < 0.02,
        "{found:?}"
    );
}
