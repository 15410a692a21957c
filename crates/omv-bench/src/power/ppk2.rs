//! Nordic's Power Profiler Kit II: its words over a serial port.
//!
//! ```text
//!   -> 19            <- text: `R0: 1031.64`, ..., `END`        the calibration
//!   -> 11 01         ampere meter     -> 11 02  source meter    -> 0D hh ll  its voltage
//!   -> 06            <- 4 bytes each 10 us                      -> 07        stop
//!   sample, u32 LE:  reading 14 | range 3 | - 1 | counter 6 | logic 8
//! ```
//!
//! The counter tells lost samples, up to 63 in a row. Source (facts): the public Python client
//! `ppk2-api`.

use super::Wave;
use crate::Error;

/// Asks for the calibration.
pub const CALIBRATION: [u8; 1] = [0x19];
/// Measures what flows through.
pub const AMPERE_METER: [u8; 2] = [0x11, 0x01];
/// Begins to send samples.
pub const START: [u8; 1] = [0x06];
/// Ends.
pub const STOP: [u8; 1] = [0x07];
/// Seconds from sample to sample.
pub const PERIOD: f64 = 1e-5;

const RANGES: usize = 5;

/// The calibration of one kit.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    resistors: [f64; RANGES],
    square: [f64; RANGES],
    linear: [f64; RANGES],
    offset: [f64; RANGES],
    slope: [f64; RANGES],
    constant: [f64; RANGES],
    gain: [f64; RANGES],
}

impl Calibration {
    /// From the kit's text.
    ///
    /// # Errors
    /// When a resistor is missing or no number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let value = |key: &str, range: usize, default: Option<f64>| {
            let key = format!("{key}{range}");
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(name, _)| name.trim() == key);
            let number = found.and_then(|(_, value)| value.trim().parse::<f64>().ok());
            let number = number.filter(|number| number.is_finite()).or(default);
            number.ok_or_else(|| Error::Meter(format!("its calibration has no {key}")))
        };
        let each = |key: &str, default: Option<f64>| -> Result<[f64; RANGES], Error> {
            let mut all = [0.0; RANGES];
            for (range, slot) in all.iter_mut().enumerate() {
                *slot = value(key, range, default)?;
            }
            Ok(all)
        };
        let resistors = each("R", None)?;
        if resistors.iter().any(|ohms| *ohms <= 0.0) {
            return Err(Error::Meter(
                "its calibration has a resistor of nothing".to_owned(),
            ));
        }
        Ok(Self {
            resistors,
            square: each("GS", Some(0.0))?,
            linear: each("GI", Some(1.0))?,
            offset: each("O", Some(0.0))?,
            slope: each("S", Some(0.0))?,
            constant: each("I", Some(0.0))?,
            gain: each("UG", Some(1.0))?,
        })
    }

    /// Ampere of a reading.
    fn amperes(&self, reading: u32, range: usize, volts: f64) -> f64 {
        let range = range.min(RANGES - 1);
        let plain = (f64::from(reading) * 4.0 - self.offset[range]) * (1.8 / 163_840.0)
            / self.resistors[range];
        let bent = plain * (self.square[range] * plain + self.linear[range]);
        self.gain[range] * (bent + self.slope[range] * volts + self.constant[range])
    }
}

/// Turns the kit's bytes into samples.
#[derive(Debug)]
pub struct Stream {
    calibration: Calibration,
    volts: f64,
    rest: Vec<u8>,
    samples: u64,
    counter: Option<u32>,
    /// What was seen so far.
    pub wave: Wave,
    /// Samples that were lost on the way.
    pub lost: u64,
}

impl Stream {
    /// For a kit and the voltage at the camera.
    #[must_use]
    pub fn new(calibration: Calibration, volts: f64) -> Self {
        Self {
            calibration,
            volts,
            rest: Vec::new(),
            samples: 0,
            counter: None,
            wave: Wave::default(),
            lost: 0,
        }
    }

    /// Takes bytes, cut anywhere.
    #[allow(clippy::cast_precision_loss)]
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / 4 * 4;
        let words: Vec<u8> = self.rest.drain(..whole).collect();
        for word in words.chunks_exact(4) {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            let counter = (word >> 18) & 0x3F;
            if let Some(last) = self.counter {
                let gap = u64::from(counter.wrapping_sub(last + 1) & 0x3F);
                self.lost += gap;
                self.samples += gap;
            }
            self.counter = Some(counter);
            let range = usize::try_from((word >> 14) & 7).unwrap_or(0);
            let amperes = self.calibration.amperes(word & 0x3FFF, range, self.volts);
            self.wave
                .push(self.samples as f64 * PERIOD, amperes, self.volts);
            self.samples += 1;
        }
    }
}
