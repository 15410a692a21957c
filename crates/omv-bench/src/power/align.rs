//! Finding the lights of the script, or its pin, in what a meter saw.

use super::{BARKER, Wave};
use crate::{Error, Marks};

/// Grid steps in one element of the signature.
const STEPS: usize = 8;
/// Samples that each element must have.
const FEWEST: f64 = 5.0;
/// A signature that is seen at all.
const SEEN: f64 = 0.5;
/// A pair of signatures that is believed, on average.
const CLEAR: f64 = 0.65;
/// Another pair this close to the best makes it a guess.
const RIVAL: f64 = 0.85;
/// More than any two clocks differ.
const DRIFT: f64 = 0.01;
/// More steps than a day of slow samples.
const LONGEST: usize = 4_000_000;

/// How the camera's clock lies in the meter's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    start: f64,
    first: f64,
    /// Meter's seconds for one of the camera's, less one.
    pub drift: f64,
    /// Mean correlation of the two signatures.
    pub clarity: f64,
}

impl Fit {
    /// A moment of the camera, in microseconds, by the meter's clock, in seconds.
    #[must_use]
    pub fn at(&self, micros: f64) -> f64 {
        self.start + (micros - self.first) / 1e6 * (1.0 + self.drift)
    }
}

/// Finds both signatures.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub(super) fn fit(wave: &Wave, marks: &Marks) -> Result<Fit, Error> {
    let alignment = |why: &str| Error::Alignment(why.to_owned());
    let chip = marks.chip / 1e6;
    let distance = (marks.last - marks.first) / 1e6;
    if !(chip > 0.0 && distance > 13.0 * chip) {
        return Err(alignment("the script gave no signature"));
    }
    let period = wave.period();
    if wave.len() < 100 || chip / period < FEWEST {
        let why = format!(
            "{:.1} samples in {chip} s, of which at least {FEWEST} are needed",
            chip / period
        );
        return Err(Error::Quality(why));
    }
    let step = chip / STEPS as f64;
    let (begin, end) = (wave.times[0], wave.times[wave.len() - 1]);
    let count = ((end - begin) / step) as usize;
    if count > LONGEST {
        return Err(Error::Quality(
            "it is far longer than the measurement".to_owned(),
        ));
    }
    if (count as f64) * step < distance + 13.0 * chip {
        return Err(alignment("they are shorter than the measurement"));
    }
    let grid = grid(wave, begin, step, count);
    let scores: Vec<f64> = (0..=count.saturating_sub(13 * STEPS))
        .map(|lag| score(&grid, lag))
        .collect();
    let is_peak = |at: usize| {
        let left = at.checked_sub(1).map_or(-1.0, |at| scores[at]);
        let right = scores.get(at + 1).copied().unwrap_or(-1.0);
        scores[at] >= SEEN && scores[at] >= left && scores[at] > right
    };
    let peaks: Vec<usize> = (0..scores.len()).filter(|at| is_peak(*at)).collect();
    let wanted = distance / step;
    let slack = wanted * DRIFT + 2.0;
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for first in &peaks {
        let low = *first as f64 + wanted - slack;
        let from = peaks.partition_point(|peak| (*peak as f64) < low);
        for last in &peaks[from..] {
            if *last as f64 > low + 2.0 * slack {
                break;
            }
            pairs.push(((scores[*first] + scores[*last]) / 2.0, *first, *last));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some((best, first, last)) = pairs.first().copied() else {
        return Err(alignment(
            "the pattern is not seen twice at the right distance",
        ));
    };
    if best < CLEAR {
        return Err(alignment("the pattern is hardly seen"));
    }
    let rival = pairs
        .iter()
        .find(|(_, other, _)| other.abs_diff(first) > 2 * STEPS);
    if rival.is_some_and(|(score, ..)| *score > RIVAL * best) {
        return Err(alignment("the pattern may be at more than one place"));
    }
    let start = refine(wave, begin + first as f64 * step, chip);
    let stop = refine(wave, begin + last as f64 * step, chip);
    let drift = (stop - start) / distance - 1.0;
    if drift.abs() > DRIFT {
        return Err(alignment("the clocks differ by more than one per cent"));
    }
    Ok(Fit {
        start,
        first: marks.first,
        drift,
        clarity: best,
    })
}

/// Means over equal steps; where there are no samples, what was there before.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn grid(wave: &Wave, begin: f64, step: f64, count: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); count];
    for (time, power) in wave.times.iter().zip(wave.signal()) {
        if let Some(sum) = sums.get_mut(((time - begin) / step) as usize) {
            sum.0 += power;
            sum.1 += 1.0;
        }
    }
    let mut last = wave.signal().first().copied().unwrap_or(0.0);
    let mean = |(sum, count): (f64, f64)| {
        if count > 0.0 {
            last = sum / count;
        }
        last
    };
    sums.into_iter().map(mean).collect()
}

/// Normalised correlation of the pattern with the grid at a place.
#[allow(clippy::cast_precision_loss)]
fn score(grid: &[f64], lag: usize) -> f64 {
    let piece = &grid[lag..lag + 13 * STEPS];
    let pattern = |at: usize| {
        if BARKER[at / STEPS] {
            4.0 / 13.0
        } else {
            -9.0 / 13.0
        }
    };
    correlation(
        piece
            .iter()
            .enumerate()
            .map(|(at, value)| (pattern(at), *value)),
    )
}

/// Correlation of pairs.
#[allow(clippy::many_single_char_names)]
fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let (mut n, mut x, mut y) = (0.0, 0.0, 0.0);
    for (a, b) in pairs.clone() {
        n += 1.0;
        x += a;
        y += b;
    }
    let (x, y) = (x / n, y / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        xx += (a - x) * (a - x);
        yy += (b - y) * (b - y);
        xy += (a - x) * (b - y);
    }
    let size = (xx * yy).sqrt();
    if size > 0.0 { xy / size } else { 0.0 }
}

/// The place within a step on either side where the samples themselves fit best.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn refine(wave: &Wave, around: f64, chip: f64) -> f64 {
    let step = chip / STEPS as f64;
    let places = (-40..=40).map(|n| around + f64::from(n) / 40.0 * step * 1.2);
    let fits = places.map(|place| {
        let range = wave.from(place)..wave.from(place + 13.0 * chip);
        let pairs = range.clone().map(|at| {
            let element = ((wave.times[at] - place) / chip) as usize;
            let lit = BARKER.get(element).copied().unwrap_or(false);
            (f64::from(u8::from(lit)), wave.signal()[at])
        });
        (correlation(pairs), place)
    });
    // Several places may fit equally well, between two samples: take the middle.
    let fits: Vec<(f64, f64)> = fits.collect();
    let best = fits.iter().map(|(fit, _)| *fit).fold(f64::MIN, f64::max);
    let equal: Vec<f64> = fits
        .iter()
        .filter(|(fit, _)| best - fit < 1e-9)
        .map(|(_, place)| *place)
        .collect();
    #[allow(clippy::cast_precision_loss)]
    let count = equal.len().max(1) as f64;
    equal.iter().sum::<f64>() / count
}
