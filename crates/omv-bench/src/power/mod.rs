//! The energy of a prediction, from what a meter saw and what the script did.
//!
//! ```text
//!   meter's clock:  ....|sig|....rest....|######work######|....|sig|....
//!   camera's clock:     first   idle[0,1]  work[0,1]           last
//! ```
//!
//! The two clocks have nothing in common but the light that the script turns on and off in a
//! pattern (a Barker sequence of thirteen), and the pin that follows it if a wire leads from one to the
//! meter. It is found twice by correlation; the distance of the
//! two gives the drift of the clocks. What is not found clearly, or has too few samples for one
//! per cent, is refused: see [`Error::Alignment`] and [`Error::Quality`].

mod align;
pub mod ppk2;
mod samples;
pub mod scpi;

pub use align::Fit;
pub use samples::Wave;

use serde::{Deserialize, Serialize};

use crate::{Error, Marks};

/// The pattern of the lights.
pub(crate) const BARKER: [bool; 13] = [
    true, true, true, true, true, false, false, true, true, false, true, false, true,
];
/// More than this of the work without samples is refused.
const MISSING: f64 = 0.03;
/// The accuracy that is promised, and how many standard errors must fit into it.
const PROMISE: f64 = 0.01;
const ERRORS: f64 = 2.5;
/// Pieces whose means tell how sure the whole mean is.
const PIECES: f64 = 24.0;
/// More than this of a prediction that no sample ever fell into is refused.
const UNSEEN: f64 = 0.01;

/// What a prediction costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Energy of one prediction above rest, in millijoule.
    pub per_inference: f64,
    /// Power at work, in milliwatt.
    pub work: f64,
    /// Power at rest, in milliwatt.
    pub idle: f64,
    /// Current at work, in milliampere.
    pub work_current: f64,
    /// Current at rest, in milliampere.
    pub idle_current: f64,
    /// The voltage these go with.
    pub volts: f64,
    /// Predictions in the window.
    pub count: u64,
    /// Part of the energy by which it may be wrong, one standard error.
    pub uncertainty: f64,
    /// How much faster the meter's clock runs than the camera's.
    pub drift: f64,
    /// How clearly the signatures were seen, from 0 to 1.
    pub clarity: f64,
}

impl Energy {
    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        vec![
            format!(
                "energy    {:.3} mJ per prediction above rest (+-{:.1} %), over {} predictions",
                self.per_inference,
                self.uncertainty * 100.0,
                self.count
            ),
            format!(
                "power     {:.1} mW at work, {:.1} mW at rest: {:.1} and {:.1} mA at {:.2} V",
                self.work, self.idle, self.work_current, self.idle_current, self.volts
            ),
        ]
    }
}

/// The energy of each prediction.
///
/// # Errors
/// When the samples do not show the signatures clearly, or are too few or too uncertain for an
/// accuracy of one per cent.
pub fn energy(wave: &Wave, marks: &Marks) -> Result<Energy, Error> {
    let fit = align::fit(wave, marks)?;
    if marks.count == 0 {
        return Err(Error::Quality("the script made no prediction".to_owned()));
    }
    // Lights and the work's own edges stay out of the rest.
    let (from, to) = (fit.at(marks.idle.0), fit.at(marks.idle.1));
    let margin = (to - from) * 0.1;
    let idle = wave.mean(from + margin, to - margin, PIECES)?;
    let (from, to) = (fit.at(marks.work.0), fit.at(marks.work.1));
    if wave.unseen(from, to, marks.count) > UNSEEN {
        let why = "the meter is in step with the camera, or too slow for it".to_owned();
        return Err(Error::Quality(why));
    }
    // Pieces of as many predictions each: else their edges would look like noise.
    #[allow(clippy::cast_precision_loss)]
    let count = marks.count as f64;
    let pieces = count / (count / PIECES).ceil();
    let work = wave.mean(from, to, pieces.max(8.0))?;
    for (name, mean) in [("work", &work), ("rest", &idle)] {
        if mean.missing > MISSING {
            let part = mean.missing * 100.0;
            return Err(Error::Quality(format!(
                "{part:.1} % of the {name} have no samples"
            )));
        }
    }
    let above = work.power - idle.power;
    let error = work.error.hypot(idle.error) / above.abs().max(f64::MIN_POSITIVE);
    if above <= 0.0 || error * ERRORS > PROMISE {
        let why = format!(
            "work takes {:.2} mW and rest {:.2} mW, which is not sure enough for one per cent",
            work.power * 1e3,
            idle.power * 1e3
        );
        return Err(Error::Quality(why));
    }
    // The camera's clock counts the work; the meter's was only needed to find it.
    let seconds = (marks.work.1 - marks.work.0) / 1e6;
    Ok(Energy {
        per_inference: above * seconds / count * 1e3,
        work: work.power * 1e3,
        idle: idle.power * 1e3,
        work_current: work.current * 1e3,
        idle_current: idle.current * 1e3,
        volts: work.power / work.current.abs().max(f64::MIN_POSITIVE),
        count: marks.count,
        uncertainty: error,
        drift: fit.drift,
        clarity: fit.clarity,
    })
}
