//! What a measurement came to, read from the script's lines and kept as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::power::Energy;
use crate::{Error, Summary};

/// What marks the script's lines among others.
const MARK: &str = "OMV!";
/// More samples than any measurement asks for.
const MOST: usize = 1_000_000;
/// More cells than anybody asks for.
const MOST_CELLS: usize = 1000;

/// A measurement. Times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whether a virtual camera took these times from a cost model.
    pub simulated: bool,
    /// Who was measured, and with what: names and values, in words.
    pub identity: BTreeMap<String, String>,
    /// How the network was loaded, if there was one.
    pub loaded: Option<Loaded>,
    /// Every frame size and pixel format.
    pub cells: Vec<Cell>,
    /// Why there is no more.
    pub trouble: Vec<String>,
    /// When the lights and the work were, for a meter.
    pub marks: Option<Marks>,
    /// What a meter saw.
    pub energy: Option<Energy>,
}

/// How a network was loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Microseconds it took.
    pub load: f64,
    /// Where it lies.
    pub place: String,
    /// Bytes of the file.
    pub size: Option<f64>,
    /// Bytes of its arena.
    pub arena: Option<f64>,
    /// Bytes of the heap that were free before.
    pub heap_before: Option<f64>,
    /// And after.
    pub heap_after: Option<f64>,
}

/// One frame size with one pixel format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The size as it was asked for.
    pub size: String,
    /// The pixel format.
    pub pixels: String,
    /// Pixels across that came.
    pub width: u32,
    /// Pixels down that came.
    pub height: u32,
    /// Taking a picture.
    pub capture: Vec<f64>,
    /// One prediction, with scaling the picture.
    pub infer: Vec<f64>,
    /// From picture to picture, without collecting garbage in between.
    pub round: Vec<f64>,
    /// The least that was free in the heap, in bytes.
    pub heap_low: Option<f64>,
    /// What the firmware says of its pools afterwards.
    pub pools: Option<String>,
    /// Why it has no numbers.
    pub trouble: Option<String>,
}

/// Moments by the camera's clock, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Marks {
    /// One element of the signature.
    pub chip: f64,
    /// Beginning of the first signature.
    pub first: f64,
    /// Beginning of the last.
    pub last: f64,
    /// Rest.
    pub idle: (f64, f64),
    /// Work.
    pub work: (f64, f64),
    /// Predictions in the work.
    pub count: u64,
}

impl Cell {
    /// Pictures a second, end to end.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        Summary::of(&self.round).map(|round| 1e6 / round.p50.max(1.0))
    }

    /// Its three lists, with their names.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &[f64]); 3] {
        [
            ("capture", &self.capture),
            ("infer", &self.infer),
            ("loop", &self.round),
        ]
    }

    /// Size and format, as a name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.size, self.pixels)
    }
}

impl Run {
    /// From the JSON it was kept as.
    ///
    /// # Errors
    /// [`Error::NotAResult`].
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::NotAResult {
            file: file.to_owned(),
            why,
        };
        // Lines of JSON are taken as well; the result is the last with a measurement in it.
        let whole = serde_json::from_str::<Value>(text);
        let lines = || {
            let values = text.lines().rev().map(serde_json::from_str::<Value>);
            let measured = |value: &Value| value.get("run").is_some();
            values.filter_map(Result::ok).find(measured)
        };
        let value = whole.or_else(|error| lines().ok_or(error));
        let value = value.map_err(|error| bad(error.to_string()))?;
        let run = value.get("run").cloned().unwrap_or(value);
        let run: Self = serde_json::from_value(run).map_err(|error| bad(error.to_string()))?;
        let numbers = run.cells.iter().flat_map(|cell| cell.parts());
        if numbers
            .flat_map(|(_, list)| list)
            .any(|x| !x.is_finite() || *x < 0.0)
        {
            return Err(bad("it has times that are no times".to_owned()));
        }
        Ok(run)
    }
}

/// Reads what a script prints, as it comes.
#[derive(Debug, Default)]
pub struct Reader {
    run: Run,
    line: String,
    samples: usize,
    ended: bool,
}

impl Reader {
    /// For a camera that is real, or not.
    #[must_use]
    pub fn new(simulated: bool) -> Self {
        let mut reader = Self::default();
        reader.run.simulated = simulated;
        reader
    }

    /// Takes text, cut anywhere.
    pub fn feed(&mut self, text: &str) {
        for letter in text.chars() {
            if letter == '\n' {
                let line = std::mem::take(&mut self.line);
                self.read(line.trim_end());
            } else if self.line.len() < 4096 {
                self.line.push(letter);
            }
        }
    }

    /// Whether the script came to its end.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// What was read.
    #[must_use]
    pub fn finish(mut self) -> Run {
        if !self.ended {
            self.run
                .trouble
                .push("the script did not come to its end".to_owned());
        }
        self.run
    }

    fn read(&mut self, line: &str) {
        let Some(at) = line.find(MARK) else { return };
        let text = line.get(at + MARK.len()..).unwrap_or_default();
        let Ok(record) = serde_json::from_str::<Value>(text) else {
            self.run
                .trouble
                .push("a line of the script was damaged".to_owned());
            self.run.trouble.truncate(100);
            return;
        };
        match record.get("k").and_then(Value::as_str).unwrap_or_default() {
            "id" => self.identity(&record),
            "model" => self.run.loaded = Some(loaded(&record)),
            "begin" => {
                if let Some(cell) = self.cell(&record) {
                    cell.size = text_of(&record, "size");
                    cell.pixels = text_of(&record, "pixels");
                }
            }
            "t" => self.samples(&record),
            "cell" => {
                let number = |key: &str| record.get(key).and_then(Value::as_u64);
                let small = |key| number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                let pools = record
                    .pointer("/after/pools")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                let low = record.get("low").and_then(Value::as_f64);
                if let Some(cell) = self.cell(&record) {
                    (cell.width, cell.height) = (small("w"), small("h"));
                    cell.pools = pools;
                    cell.heap_low = low;
                }
            }
            "no" => {
                let why = text_of(&record, "why");
                if let Some(cell) = self.cell(&record) {
                    cell.trouble = Some(why);
                } else {
                    let what = text_of(&record, "what");
                    self.run.trouble.push(format!("{what}: {why}"));
                }
            }
            "power" => self.run.marks = marks(&record),
            "end" => self.ended = true,
            _ => {}
        }
    }

    fn identity(&mut self, record: &Value) {
        let fields = record.as_object().into_iter().flatten();
        for (key, value) in fields.filter(|(key, _)| *key != "k").take(32) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let clean: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
            self.run.identity.insert(key.clone(), clean);
        }
    }

    fn cell(&mut self, record: &Value) -> Option<&mut Cell> {
        let index = usize::try_from(record.get("cell")?.as_u64()?).ok()?;
        if index > self.run.cells.len() || index >= MOST_CELLS {
            return None;
        }
        if index == self.run.cells.len() {
            self.run.cells.push(Cell::default());
        }
        self.run.cells.get_mut(index)
    }

    fn samples(&mut self, record: &Value) {
        let values = record
            .get("v")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let values: Vec<f64> = values
            .filter_map(Value::as_f64)
            .filter(|x| x.is_finite() && *x >= 0.0)
            .collect();
        self.samples += values.len();
        if self.samples > MOST {
            return;
        }
        let part = text_of(record, "part");
        if let Some(cell) = self.cell(record) {
            match &*part {
                "capture" => cell.capture.extend(values),
                "infer" => cell.infer.extend(values),
                "loop" => cell.round.extend(values),
                _ => {}
            }
        }
    }
}

fn text_of(record: &Value, key: &str) -> String {
    let text = record.get(key).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn loaded(record: &Value) -> Loaded {
    let number = |place: &str| record.pointer(place).and_then(Value::as_f64);
    Loaded {
        load: number("/load").unwrap_or(0.0),
        place: text_of(record, "place"),
        size: number("/size"),
        arena: number("/arena"),
        heap_before: number("/before/heap"),
        heap_after: number("/after/heap"),
    }
}

fn marks(record: &Value) -> Option<Marks> {
    let number = |key: &str| record.get(key).and_then(Value::as_f64);
    let pair = |key: &str| {
        let both = record.get(key)?.as_array()?;
        Some((both.first()?.as_f64()?, both.get(1)?.as_f64()?))
    };
    Some(Marks {
        chip: number("chip")?,
        first: number("first")?,
        last: number("last")?,
        idle: pair("idle")?,
        work: pair("work")?,
        count: record.get("count")?.as_u64()?,
    })
}
