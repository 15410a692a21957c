//! What a meter saw: moments, currents, powers.

use crate::Error;

/// More samples than ten minutes of the fastest meter.
const MOST: usize = 100_000_000;

/// Samples of a meter, in seconds, ampere and watt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wave {
    pub(super) times: Vec<f64>,
    pub(super) currents: Vec<f64>,
    pub(super) powers: Vec<f64>,
    /// The level of a pin, from 0 to 1, for each of them; empty where none was watched.
    pins: Vec<f64>,
    /// Whether that pin is the one the script moves: else its wire may hang in the air.
    by_pin: bool,
}

/// A mean over a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mean {
    pub(super) power: f64,
    pub(super) current: f64,
    /// Standard error of the power.
    pub(super) error: f64,
    /// Part of the stretch that has no samples.
    pub(super) missing: f64,
}

impl Wave {
    /// Adds a sample. Those that go back in time or are no numbers are left out; a gap is left.
    pub fn push(&mut self, seconds: f64, amperes: f64, volts: f64) {
        let last = self.times.last().copied().unwrap_or(f64::NEG_INFINITY);
        let whole = seconds.is_finite() && amperes.is_finite() && volts.is_finite();
        if whole && seconds > last && self.times.len() < MOST {
            self.times.push(seconds);
            self.currents.push(amperes);
            self.powers.push(amperes * volts);
        }
    }

    /// The same, with the level of a pin.
    pub fn push_with_pin(&mut self, seconds: f64, amperes: f64, volts: f64, pin: f64) {
        let before = self.times.len();
        self.push(seconds, amperes, volts);
        self.pins.extend((self.times.len() > before).then_some(pin));
    }

    /// What was seen, with the script's pattern in the pin, where one was watched.
    #[must_use]
    pub fn by_pin(self) -> Self {
        Self {
            by_pin: true,
            ..self
        }
    }

    /// What the script's pattern is looked for in: the pin, or else the power.
    pub(super) fn signal(&self) -> &[f64] {
        match self.by_pin && !self.pins.is_empty() {
            true => &self.pins,
            false => &self.powers,
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Moments in seconds, and what flowed then in ampere.
    pub fn currents(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let times = self.times.iter().copied();
        times.zip(self.currents.iter().copied())
    }

    /// The usual time between two samples.
    pub(super) fn period(&self) -> f64 {
        let mut gaps: Vec<f64> = self
            .times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect();
        gaps.sort_by(f64::total_cmp);
        gaps.get(gaps.len() / 2).copied().unwrap_or(f64::INFINITY)
    }

    /// Index of the first sample at or after a moment.
    pub(super) fn from(&self, moment: f64) -> usize {
        self.times.partition_point(|time| *time < moment)
    }

    /// The largest part of a turn, repeated `turns` times between two moments, that no sample fell
    /// into. A meter that is in step with the camera always looks at the same parts of its work.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn unseen(&self, from: f64, to: f64, turns: u64) -> f64 {
        let range = self.from(from)..self.from(to);
        let turn = (to - from) / turns.max(1) as f64;
        let phase = |time: &f64| ((time - from) / turn).fract();
        let mut phases: Vec<f64> = self.times[range].iter().map(phase).collect();
        phases.sort_by(f64::total_cmp);
        let (Some(first), Some(last)) = (phases.first(), phases.last()) else {
            return 1.0;
        };
        let around = 1.0 - last + first;
        let gaps = phases.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.fold(around, f64::max)
    }

    /// The mean between two moments, with how sure it is: from the means of pieces, each as long
    /// as every other so that what repeats in them weighs the same.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    pub(super) fn mean(&self, from: f64, to: f64, pieces: f64) -> Result<Mean, Error> {
        let range = self.from(from)..self.from(to);
        if (range.len() as f64) < 4.0 * pieces {
            let count = range.len();
            let why = format!("there are only {count} samples where they matter");
            return Err(Error::Quality(why));
        }
        let period = self.period();
        let before = (self.times[range.start] - from).max(0.0);
        let mut missing = before + (to - self.times[range.end - 1]).max(0.0);
        // Each sample stands for the time up to the middle between its neighbours, but for no more
        // than a gap leaves: what a gap hid is unknown and counts for neither side.
        let (mut time, mut power, mut current) = (0.0, 0.0, 0.0);
        let mut means = vec![(0.0, 0.0); pieces.ceil().max(1.0) as usize];
        for at in range.clone() {
            let before = self.times[at] - self.times[at.saturating_sub(1)];
            let next = self.times.get(at + 1);
            let after = next.map_or(period, |next| next - self.times[at]);
            if after > 2.5 * period && at + 1 < range.end {
                missing += after - period;
            }
            let weight = (before.min(period * 2.0) + after.min(period * 2.0)) / 2.0;
            time += weight;
            power += weight * self.powers[at];
            current += weight * self.currents[at];
            let piece = ((self.times[at] - from) / (to - from) * pieces) as usize;
            let piece = piece.min(means.len() - 1);
            means[piece].0 += weight;
            means[piece].1 += weight * self.powers[at];
        }
        let mean = power / time;
        // A piece cut short at the end counts for less.
        let whole = time / pieces;
        let (mut spread, mut count) = (0.0, 0.0);
        for (time, sum) in means.iter().filter(|(time, _)| *time > 0.0) {
            let weight = (time / whole).min(1.0);
            spread += weight * (sum / time - mean).powi(2);
            count += weight;
        }
        let count = f64::max(count, 2.0);
        Ok(Mean {
            power: mean,
            current: current / time,
            error: (spread / (count - 1.0) / count).sqrt(),
            missing: (missing - period).max(0.0) / (to - from),
        })
    }

    /// Reads CSV: a line of column names with units, then samples. `volts` is used where there is
    /// no column for it.
    ///
    /// Columns are found by their names: a time (`Timestamp(ms)`, `time [s]`, `t_us`), a current
    /// (`Current(uA)`) or a power (`power [mW]`), a voltage, the level of a pin (`D0`, `pin`). Commas,
    /// semicolons and tabs separate; beside semicolons a comma may be the decimal point.
    ///
    /// # Errors
    /// [`Error::Samples`] with the line.
    pub fn csv(text: &str, volts: Option<f64>) -> Result<Self, Error> {
        let bad = |line: usize, why: &str| Error::Samples {
            line,
            why: why.to_owned(),
        };
        let mut lines = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let (_, head) = lines.next().ok_or_else(|| bad(1, "there are none"))?;
        let separator = ['\t', ';', ','].into_iter().find(|s| head.contains(*s));
        let separator = separator.ok_or_else(|| bad(1, "there is only one column"))?;
        let columns = Columns::find(head, separator).map_err(|why| bad(1, why))?;
        if columns.volts.is_none() && volts.is_none() {
            return Err(bad(1, "there is no voltage, neither as a column nor given"));
        }
        let mut wave = Self::default();
        for (at, line) in lines {
            let cells: Vec<&str> = line
                .split(separator)
                .map(|cell| cell.trim().trim_matches('"'))
                .collect();
            let number = |column: Column| -> Result<Option<f64>, Error> {
                let cell = cells.get(column.index).copied().unwrap_or_default();
                if cell.is_empty() || cell.eq_ignore_ascii_case("nan") {
                    return Ok(None);
                }
                let cell = match separator {
                    ';' => cell.replace(',', "."),
                    _ => cell.to_owned(),
                };
                let value: Result<f64, _> = cell.parse();
                let value =
                    value.map_err(|_| bad(at + 1, "it has something else than a number"))?;
                Ok(Some(value * column.factor))
            };
            let volts = match columns.volts {
                Some(column) => number(column)?,
                None => volts,
            };
            let (Some(time), Some(value), Some(volts)) =
                (number(columns.time)?, number(columns.value)?, volts)
            else {
                continue;
            };
            let last = wave.times.last().copied().unwrap_or(f64::NEG_INFINITY);
            if time < last {
                return Err(bad(at + 1, "its time is before that of the line above"));
            }
            let amperes = if columns.is_power {
                value / volts
            } else {
                value
            };
            match columns.pin.map(number).transpose()? {
                Some(level) => wave.push_with_pin(time, amperes, volts, level.unwrap_or(0.0)),
                None => wave.push(time, amperes, volts),
            }
        }
        Ok(wave)
    }
}

#[derive(Clone, Copy)]
struct Column {
    index: usize,
    /// To seconds, ampere, watt or volt.
    factor: f64,
}

struct Columns {
    time: Column,
    value: Column,
    is_power: bool,
    volts: Option<Column>,
    pin: Option<Column>,
}

impl Columns {
    fn find(head: &str, separator: char) -> Result<Self, &'static str> {
        let names: Vec<String> = head
            .split(separator)
            .map(|name| {
                name.trim()
                    .trim_matches('"')
                    .trim_start_matches('\u{FEFF}')
                    .to_owned()
            })
            .collect();
        let column = |words: &[&str], base: char| -> Result<Option<Column>, &'static str> {
            let fits = |name: &&String| {
                let lower = name.to_lowercase();
                words
                    .iter()
                    .any(|word| lower.starts_with(word) || lower.contains(&format!(" {word}")))
            };
            let Some(name) = names.iter().find(fits) else {
                return Ok(None);
            };
            let index = names.iter().position(|other| other == name).unwrap_or(0);
            let factor = unit(name, base)
                .ok_or("a column has no unit that is known, such as (ms), [uA] or _mW")?;
            Ok(Some(Column { index, factor }))
        };
        let time =
            column(&["time", "t_", "t ", "t(", "t["], 's')?.ok_or("there is no column of times")?;
        let volts = column(&["volt", "u_", "u("], 'v')?;
        let pin = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case("d0") || name.eq_ignore_ascii_case("pin"));
        let pin = pin.map(|index| Column { index, factor: 1.0 });
        let current = column(&["current", "i_", "i("], 'a')?;
        let power = column(&["power", "p_", "p("], 'w')?;
        let (value, is_power) = match (current, power) {
            (Some(current), _) => (current, false),
            (None, Some(power)) => (power, true),
            (None, None) => return Err("there is no column of a current or a power"),
        };
        Ok(Self {
            time,
            value,
            is_power,
            volts,
            pin,
        })
    }
}

/// The factor of a unit at the end of a name: `(uA)`, `[mA]`, `_A`.
fn unit(name: &str, base: char) -> Option<f64> {
    let cut = |c: char| matches!(c, '(' | '[' | '_' | ' ' | ')' | ']' | '/');
    let word = name
        .trim_end_matches(cut)
        .rsplit(cut)
        .next()?
        .to_lowercase();
    let prefix = word.strip_suffix(base)?;
    Some(match prefix {
        "" => 1.0,
        "m" => 1e-3,
        "u" | "µ" | "μ" => 1e-6,
        "n" => 1e-9,
        _ => return None,
    })
}
