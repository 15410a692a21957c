//! All cases of one operation on two threads, and the line they come to.

use std::fmt;
use std::time::{Duration, Instant};

use super::{Case, Cut, Span};

/// Threads: the machines that run this have two cores.
const THREADS: usize = 2;

/// What many cuts of one operation came to.
pub struct Line {
    pub name: String,
    pub cases: Vec<Case>,
    /// How long the operation is in a state where a cut means the wire, as far as the cuts tell.
    pub at_risk: Duration,
    pub wall: Duration,
}

/// Makes every cut.
pub fn all(name: &str, spans: &[Span], cuts: &[Cut], suffer: impl Fn(Cut) -> Case + Sync) -> Line {
    let began = Instant::now();
    let share = |thread: usize| {
        let own = cuts.iter().skip(thread).step_by(THREADS);
        own.map(|cut| suffer(*cut)).collect::<Vec<Case>>()
    };
    let share = &share;
    let cases: Vec<Case> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join());
        done.flat_map(|cases| cases.expect("no case panics"))
            .collect()
    });
    let at_risk = spans.iter().enumerate().map(|(step, span)| {
        let inside = cases.iter().filter(|case| case.cut.step == step);
        let wires = inside.clone().filter(|case| case.wire).count();
        let share = wires as f64 / inside.count().max(1) as f64;
        (span.end - span.start).mul_f64(share)
    });
    Line {
        name: name.to_owned(),
        at_risk: at_risk.sum(),
        cases,
        wall: began.elapsed(),
    }
}

impl Line {
    /// How many cases are so.
    pub fn count(&self, so: impl Fn(&Case) -> bool) -> usize {
        self.cases.iter().filter(|case| so(case)).count()
    }

    /// How many needed the wire.
    pub fn wires(&self) -> usize {
        self.count(|case| case.wire)
    }

    /// How many started firmware that was not whole.
    pub fn half_written(&self) -> usize {
        self.count(|case| case.half_written)
    }

    /// The cases that did not arrive.
    pub fn stuck(&self) -> Vec<&Case> {
        self.cases
            .iter()
            .filter(|case| case.stuck.is_some())
            .collect()
    }

    /// The heading of the table.
    pub fn heading() -> String {
        format!(
            "{:<27} {:>6} {:>6} {:>6} {:>9} {:>6} {:>8} {:>6} {:>6} {:>9} {:>7}",
            "operation",
            "cuts",
            "torn",
            "wire",
            "at risk",
            "half",
            "arrived",
            "stuck",
            "tries",
            "longest",
            "wall"
        )
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.cases.iter().map(|case| case.took).max();
        let tries = self.cases.iter().map(|case| case.failures.len() + 1).max();
        write!(
            f,
            "{:<27} {:>6} {:>6} {:>6} {:>6} ms {:>6} {:>8} {:>6} {:>6} {:>7.1} s {:>5.1} s",
            self.name,
            self.cases.len(),
            self.count(|case| case.cut.torn),
            self.wires(),
            self.at_risk.as_millis(),
            self.half_written(),
            self.count(|case| case.stuck.is_none()),
            self.stuck().len(),
            tries.unwrap_or_default(),
            longest.unwrap_or_default().as_secs_f64(),
            self.wall.as_secs_f64(),
        )
    }
}
