//! Two measurements: what became slower, beyond chance and beyond what repeats.

use serde::Serialize;

use crate::stats::same_source;
use crate::{Error, Run, Summary};

/// Differences up to this are what one camera has from run to run.
const REPEATS: f64 = 0.02;
/// Less likely than this is not chance.
const CHANCE: f64 = 0.001;
/// Fewer samples than this say nothing.
const FEWEST: usize = 8;

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No difference that is more than chance and more than repeating brings.
    Same,
    /// Faster.
    Faster,
    /// Slower.
    Slower,
    /// It had numbers before, and has none now.
    Lost,
}

/// One list of times, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Frame size and pixel format.
    pub cell: String,
    /// `capture`, `infer` or `loop`.
    pub part: &'static str,
    /// Median before, in microseconds.
    pub before: f64,
    /// Median after.
    pub after: f64,
    /// After over before, less one.
    pub change: f64,
    /// How likely lists as different as these come from one source.
    pub chance: f64,
    /// What that means.
    pub verdict: Verdict,
}

/// Compares everything that both have.
///
/// A difference counts when the medians are further apart than 2 %, and when Mann and Whitney's test
/// gives chance less than one in a thousand.
///
/// # Errors
/// [`Error::Nothing`] when they have nothing in common, or one is simulated and the other is not.
pub fn compare(before: &Run, after: &Run) -> Result<Vec<Comparison>, Error> {
    if before.simulated != after.simulated {
        let why = "one is measured, the other simulated".to_owned();
        return Err(Error::Nothing(why));
    }
    let mut found = Vec::new();
    for old in &before.cells {
        let Some(new) = after.cells.iter().find(|cell| cell.name() == old.name()) else {
            continue;
        };
        for ((part, a), (_, b)) in old.parts().into_iter().zip(new.parts()) {
            if a.len() < FEWEST {
                continue;
            }
            let (Some(first), second) = (Summary::of(a), Summary::of(b)) else {
                continue;
            };
            let Some(second) = second.filter(|_| b.len() >= FEWEST) else {
                found.push(Comparison {
                    cell: old.name(),
                    part,
                    before: first.p50,
                    after: 0.0,
                    change: 0.0,
                    chance: 0.0,
                    verdict: Verdict::Lost,
                });
                continue;
            };
            let change = second.p50 / first.p50.max(f64::MIN_POSITIVE) - 1.0;
            let chance = same_source(a, b);
            let verdict = match chance < CHANCE && change.abs() > REPEATS {
                false => Verdict::Same,
                true if change > 0.0 => Verdict::Slower,
                true => Verdict::Faster,
            };
            found.push(Comparison {
                cell: old.name(),
                part,
                before: first.p50,
                after: second.p50,
                change,
                chance,
                verdict,
            });
        }
    }
    match found.is_empty() {
        true => Err(Error::Nothing(
            "no frame size has at least eight times in both".to_owned(),
        )),
        false => Ok(found),
    }
}
