//! All cases of one operation on two threads, and the line they come to.

use std::fmt;
use std::time::{Duration, Instant};

use super::Case;

/// Threads: the machines that run this have two cores.
const THREADS: usize = 2;

/// What many cuts of one operation came to.
pub struct Line {
    pub name: String,
    pub cases: Vec<Case>,
    pub wall: Duration,
}

/// Makes every cut.
pub fn all<C: Copy + Sync>(name: &str, cuts: &[C], suffer: impl Fn(C) -> Case + Sync) -> Line {
    let began = Instant::now();
    let share = |thread: usize| {
        let own = cuts.iter().skip(thread).step_by(THREADS);
        own.map(|cut| suffer(*cut)).collect::<Vec<Case>>()
    };
    let share = &share;
    let cases = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join());
        done.flat_map(|cases| cases.expect("no case panics"))
            .collect()
    });
    Line {
        name: name.to_owned(),
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
            "{:<34} {:>6} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6} {:>9} {:>7}",
            "operation",
            "cuts",
            "torn",
            "wire",
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
        let tries = self.cases.iter().map(|case| case.tries).max();
        write!(
            f,
            "{:<34} {:>6} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6} {:>7.1} s {:>5.1} s",
            self.name,
            self.cases.len(),
            self.count(|case| case.cut.torn),
            self.wires(),
            self.count(|case| case.half_written),
            self.count(|case| case.stuck.is_none()),
            self.stuck().len(),
            tries.unwrap_or_default(),
            longest.unwrap_or_default().as_secs_f64(),
            self.wall.as_secs_f64(),
        )
    }
}
