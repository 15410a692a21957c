//! Nordic's Power Profiler Kit II: its words over a serial port.
//!
//! ```text
//!   -> 19            <- text: `R0: 1031.64`, ..., `END`        the calibration
//!   -> 11 01         ampere meter     -> 11 02  source meter    -> 0D hh ll  its voltage
//!   -> 0C 01         supply and camera are joined               -> 0C 00  parted
//!   -> 06            <- 4 bytes each 10 us                      -> 07        stop
//!   sample, u32 LE:  reading 14 | range 3 | - 1 | counter 6 | logic 8
//! ```
//!
//! Of its eight logic inputs the first, D0, may be wired to a pin of the camera.
//!
//! The counter tells lost samples, up to 63 in a row. [`Host`] is our side, [`Kit`] the other.
//!
//! Sources (facts): NordicSemiconductor/pc-nrfconnect-ppk `src/device/serialDevice.ts`,
//! `src/actions/deviceActions.ts` (the ampere meter joins the camera first) and `src/constants.ts`;
//! the public Python client `ppk2-api`.

use super::Wave;
use crate::Error;

/// Asks for the calibration.
pub const CALIBRATION: [u8; 1] = [0x19];
/// Measures what flows through.
pub const AMPERE_METER: [u8; 2] = [0x11, 0x01];
/// Joins supply and camera: nothing flows through an ampere meter before.
pub const JOIN: [u8; 2] = [0x0C, 0x01];
/// Begins to send samples.
pub const START: [u8; 1] = [0x06];
/// Ends.
pub const STOP: [u8; 1] = [0x07];
/// Seconds from sample to sample.
pub const PERIOD: f64 = 1e-5;
/// The kit's USB id.
pub const USB: (u16, u16) = (0x1915, 0xC00A);
/// Samples whose mean is kept: ten thousand of those a second see a prediction, and fit in memory.
pub const AVERAGED: u32 = 10;
/// A calibration is shorter.
const LONGEST: usize = 8192;
/// Steps of a reading.
const STEPS: u32 = 0x3FFF;

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
    averaged: u32,
    /// Sums of current and pin, and number of the samples of one mean, and when they began.
    sum: (f64, f64, u32, u64),
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
            averaged: 1,
            sum: (0.0, 0.0, 0, 0),
            wave: Wave::default(),
            lost: 0,
        }
    }

    /// Keeps means of so many samples instead of each.
    #[must_use]
    pub fn averaging(self, averaged: u32) -> Self {
        Self {
            averaged: averaged.max(1),
            ..self
        }
    }

    /// Keeps a sample, or what it makes whole.
    #[allow(clippy::cast_precision_loss)]
    fn keep(&mut self, amperes: f64, pin: f64) {
        let (sum, pins, count, first) = self.sum;
        let first = if count == 0 { self.samples } else { first };
        self.sum = (sum + amperes, pins + pin, count + 1, first);
        if count + 1 >= self.averaged {
            let (sum, pins, count, first) = std::mem::take(&mut self.sum);
            let middle = (first + self.samples) as f64 / 2.0 * PERIOD;
            let count = f64::from(count);
            self.wave
                .push_with_pin(middle, sum / count, self.volts, pins / count);
        }
    }

    /// Takes bytes, cut anywhere.
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
                if gap > 0 {
                    // A mean over a gap would be one of another time.
                    self.sum = (0.0, 0.0, 0, 0);
                }
            }
            self.counter = Some(counter);
            let range = usize::try_from((word >> 14) & 7).unwrap_or(0);
            let amperes = self.calibration.amperes(word & 0x3FFF, range, self.volts);
            self.keep(amperes, f64::from(word >> 24 & 1));
            self.samples += 1;
        }
    }
}

/// Our side of a conversation with a kit.
///
/// ```text
///   begin() --> hear(text of the calibration) --> [mode, start] --> hear(samples) ... --> finish()
/// ```
#[derive(Debug)]
pub struct Host {
    volts: f64,
    text: Vec<u8>,
    stream: Option<Stream>,
}

impl Host {
    /// For the voltage at the camera.
    #[must_use]
    pub fn new(volts: f64) -> Self {
        Self {
            volts,
            text: Vec::new(),
            stream: None,
        }
    }

    /// What is sent first: whatever the kit was doing ends.
    #[must_use]
    pub fn begin(&self) -> Vec<u8> {
        [&STOP[..], &CALIBRATION].concat()
    }

    /// Whether samples come.
    #[must_use]
    pub fn is_measuring(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes bytes, cut anywhere, and gives what is to be sent.
    ///
    /// # Errors
    /// When what comes is no calibration.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(stream) = &mut self.stream {
            stream.feed(bytes);
            return Ok(Vec::new());
        }
        self.text.extend_from_slice(bytes);
        let end = self.text.windows(3).position(|three| three == b"END");
        let Some(end) = end else {
            return match self.text.len() > LONGEST {
                true => Err(Error::Meter("it does not say its calibration".to_owned())),
                false => Ok(Vec::new()),
            };
        };
        let text = String::from_utf8_lossy(self.text.get(..end).unwrap_or_default());
        let calibration = Calibration::parse(&text)?;
        self.stream = Some(Stream::new(calibration, self.volts).averaging(AVERAGED));
        Ok([&AMPERE_METER[..], &JOIN, &START].concat())
    }

    /// What was seen.
    ///
    /// # Errors
    /// When no sample came.
    pub fn finish(self) -> Result<Wave, Error> {
        let wave = self.stream.map(|stream| stream.wave).unwrap_or_default();
        match wave.is_empty() {
            true => Err(Error::Meter("it sent no samples".to_owned())),
            false => Ok(wave),
        }
    }
}

/// The kit's side: for tests, and for virtual benches.
#[derive(Debug)]
pub struct Kit {
    text: String,
    calibration: Calibration,
    heard: Vec<u8>,
    counter: u32,
    measures: bool,
    joined: bool,
    runs: bool,
    /// The level of its first logic input.
    pub pin: bool,
}

impl Kit {
    /// One with this calibration, as [`Calibration::parse`] takes it.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, Error> {
        Ok(Self {
            calibration: Calibration::parse(text)?,
            text: text.to_owned(),
            heard: Vec::new(),
            counter: 0,
            measures: false,
            joined: false,
            runs: false,
            pin: false,
        })
    }

    /// Takes commands, cut anywhere, and gives its answers.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.heard.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while let Some(command) = self.heard.first().copied() {
            let length = match command {
                0x0D => 3,
                0x0C | 0x11 => 2,
                _ => 1,
            };
            if self.heard.len() < length {
                break;
            }
            let words: Vec<u8> = self.heard.drain(..length).collect();
            match words[..] {
                [0x19] => answers.extend_from_slice(self.text.as_bytes()),
                [0x11, mode] => self.measures = mode == AMPERE_METER[1],
                [0x0C, joined] => self.joined = joined == JOIN[1],
                [0x06] => self.runs = true,
                [0x07] => self.runs = false,
                _ => {}
            }
        }
        answers
    }

    /// Whether it sends samples.
    #[must_use]
    pub fn is_measuring(&self) -> bool {
        self.runs && self.measures
    }

    /// The sample for a current, in the finest range that holds it; none while it is stopped.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn sample(&mut self, amperes: f64) -> Option<[u8; 4]> {
        if !self.is_measuring() {
            return None;
        }
        let amperes = if self.joined { amperes } else { 0.0 };
        let reading = |range: usize| {
            let volts = amperes * self.calibration.resistors[range];
            (volts * 163_840.0 / 1.8 + self.calibration.offset[range]) / 4.0
        };
        let fits = |range: &usize| reading(*range) < f64::from(STEPS);
        let range = (0..RANGES).find(fits).unwrap_or(RANGES - 1);
        let steps = reading(range).round().clamp(0.0, f64::from(STEPS)) as u32;
        let word =
            steps | (range as u32) << 14 | (self.counter & 0x3F) << 18 | u32::from(self.pin) << 24;
        self.counter += 1;
        Some(word.to_le_bytes())
    }
}
