//! When to cut: at the end of every step, and inside every step.

use std::time::Duration;

use omv_camera::Event;
use omv_plan::{Part, Step};

use super::{Job, VECTORS, attempt};

/// Cuts inside a step that changes no flash, and the least for any other.
const INSIDE: usize = 20;
/// How many times as often a step is cut that rewrites the vectors and nothing else.
const RISKY: usize = 3;

/// One step of an uncut run, on the camera's clock.
#[derive(Clone)]
pub struct Span {
    pub step: Step,
    pub start: Duration,
    pub end: Duration,
}

/// One power cut to be made.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Index of the step.
    pub step: usize,
    pub at: Duration,
    /// Whether cells are left in between.
    pub torn: bool,
}

impl Span {
    /// Whether the step changes flash.
    pub fn changes_flash(&self) -> bool {
        let boot_block = matches!(self.step, Step::BootBlock { .. });
        boot_block || matches!(self.step, Step::Park { .. }) || self.part().is_some()
    }

    /// Whether it changes the sector that opens the bootloader's window.
    pub fn changes_vectors(&self) -> bool {
        let has = |part: &Part| part.spans.iter().any(|span| span.contains(&VECTORS));
        matches!(self.step, Step::Park { .. }) || self.part().is_some_and(has)
    }

    fn part(&self) -> Option<&Part> {
        match &self.step {
            Step::Erase { part } | Step::Write { part } => Some(part),
            _ => None,
        }
    }

    fn weight(&self) -> usize {
        match (self.changes_flash(), self.part()) {
            (false, _) => 0,
            (true, Some(part)) if part.name == "vectors" => RISKY,
            (true, _) => 1,
        }
    }
}

/// Runs an operation uncut and notes when each of its steps began and ended.
pub fn measure(job: &Job) -> Vec<Span> {
    let mut bench = job.bench(false);
    let outcome = attempt(&mut bench, job).expect("the uncut run succeeds");
    assert!(outcome.regions.iter().all(|region| region.verified));
    super::arrived(&bench, job).expect("the uncut run arrives");
    // The plan again, for the steps themselves.
    let looked = job.bench(false).look().expect("it can be looked at");
    let steps = match looked.who {
        Some(_) => omv_plan::flash(looked.board, looked.state, job.images.clone(), &job.wish),
        None => {
            let images = [job.images.clone(), crate::bench::loaders()].concat();
            omv_plan::recover(looked.board, looked.state, images, &job.wish)
        }
    };
    let steps = steps.expect("it can be planned").steps;
    let time_of = |wanted: &dyn Fn(&Event) -> bool| {
        let at = bench.events.iter().position(wanted).expect("it was told");
        bench.times[at]
    };
    let span = |(index, step): (usize, Step)| Span {
        step,
        start: time_of(&|event| matches!(event, Event::Started { step } if *step == index)),
        end: time_of(&|event| matches!(event, Event::Finished { step, .. } if *step == index)),
    };
    steps.into_iter().enumerate().map(span).collect()
}

/// `count` cuts: one at the end of every step, at least twenty inside each, the rest inside
/// those that change flash. Half of those inside a step are evenly spread, half are anywhere.
pub fn moments(spans: &[Span], count: usize, seed: u64) -> Vec<Cut> {
    let mut dice = Dice::new(seed);
    let weights: usize = spans.iter().map(Span::weight).sum();
    let rest = count.saturating_sub(spans.len() * (INSIDE + 1));
    let mut cuts = Vec::new();
    let mut given = 0;
    for (step, span) in spans.iter().enumerate() {
        // Shares are given out from the top so that they add up to what there is.
        let before = given;
        given += span.weight();
        let share = |weight: usize| (rest * weight).checked_div(weights).unwrap_or(0);
        let inside = INSIDE + share(given) - share(before);
        let length = span.end - span.start;
        let torn = |index: usize| (index / 2) % 2 == 1;
        for index in 0..inside {
            let part = match index % 2 {
                0 => (index as f64 + 1.0) / (inside as f64 + 1.0),
                _ => dice.fraction(),
            };
            let at = span.start + length.mul_f64(part);
            cuts.push(Cut {
                step,
                at,
                torn: torn(index),
            });
        }
        cuts.push(Cut {
            step,
            at: span.end,
            torn: torn(step),
        });
    }
    cuts
}

/// Repeatable chance: SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// From 0 up to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
