//! The power fails at every moment of an operation; the owner gives the same command again.
//!
//! Four operations, each cut 2,000 times in virtual time: at the end of every step and at
//! moments inside every step, with cells left in between and without. Every camera must run
//! again, with every byte of its flash as it should be. The table (`--nocapture`):
//!
//! ```text
//!   torn     cuts that leave cells half erased or half programmed
//!   wire     cameras that did not show themselves again until the wire was set
//!   at risk  how long the operation is in a state where a cut means the wire
//!   half     cameras that started firmware which was not whole
//!   tries    how often the command was given, at most
//!   longest  from power to a running camera, on the camera's clock
//! ```
//!
//! `OMV_MATRIX=long` makes ten times as many cuts.

mod bench;
mod cuts;

use std::time::Duration;

use cuts::{Case, Job, Line, Size, Span, all, measure, moments, spread, suffer, suffer_twice};
use omv_plan::Order;

/// Several sectors before and behind the vectors; nothing ends with a sector.
const SMALL: Size = Size {
    firmware: 0xF123,
    romfs: 0x3456,
};
/// As large as releases are.
const FULL: Size = Size {
    firmware: 0x30_0000,
    romfs: 0x40_0000,
};
/// Cuts of an operation on small images, and those where the repair is cut too.
const CUTS: usize = 2_000;
const CUTS_TWICE: usize = 200;
/// Cuts of an operation on large images.
const CUTS_FULL: usize = 20;

#[test]
fn a_camera_whose_power_fails_at_any_moment_runs_again_after_the_same_command() {
    let times = match std::env::var("OMV_MATRIX").as_deref() {
        Ok("long") => 10,
        Ok("ci") | Err(_) => 1,
        Ok(other) => panic!("OMV_MATRIX is `ci` or `long`, not `{other}`"),
    };
    let safe = Matrix::run("A flash", Order::Safe, times);
    let recover = Matrix::of(Job::recover("B recover", SMALL), times);
    let erase_first = Matrix::run("C flash, all erased first", Order::EraseFirst, times);
    let park = Matrix::run("D flash, parked", Order::Park, times);
    let full = |name, order| {
        let job = Job::flash(name, order, FULL);
        let spans = measure(&job);
        let cuts = spread(&spans, CUTS_FULL * times);
        all(job.name, &spans, &cuts, |cut| suffer(&job, cut))
    };
    let safe_full = full("A flash, 3 MiB + 4 MiB", Order::Safe);
    let erase_first_full = full("C flash, 3 MiB + 4 MiB", Order::EraseFirst);

    println!("{}", Line::heading());
    let matrices = [&safe, &recover, &erase_first, &park];
    let lines = matrices
        .iter()
        .flat_map(|matrix| [&matrix.once, &matrix.twice]);
    let lines: Vec<&Line> = lines.chain([&safe_full, &erase_first_full]).collect();
    for line in &lines {
        println!("{line}");
    }
    for line in &lines {
        assert!(
            line.stuck().is_empty(),
            "{}: {:#?}",
            line.name,
            line.stuck()
        );
        // The first command that reaches the camera after the power came back is enough, unless
        // the window closes in the very millisecond in which somebody looks.
        let again = |case: &&Case| !case.failures.is_empty();
        for case in line.cases.iter().filter(again) {
            assert_eq!(case.failures, ["the device left the bus"], "{}", line.name);
        }
        assert!(line.cases.iter().filter(again).count() * 1000 <= line.cases.len());
    }

    // The safe order: the wire only if the power fails while the one sector is rewritten.
    for (line, spans) in [(&safe.once, &safe.spans), (&safe_full, &safe.spans)] {
        let wires = line.cases.iter().filter(|case| case.wire);
        for case in wires {
            let span = &spans[case.cut.step];
            assert!(
                span.changes_vectors(),
                "{}: {case:?} {:?}",
                line.name,
                span.step
            );
        }
    }
    let (ours, theirs) = (&safe.once, &erase_first.once);
    assert!(theirs.wires() > 0 && erase_first_full.wires() > 0);
    // A was cut as often in the 50 ms of its one sector as in all others, C was not.
    assert!(
        ours.wires() * 2 < theirs.wires(),
        "{} and {}",
        ours.wires(),
        theirs.wires()
    );
    assert!(ours.at_risk * 10 < theirs.at_risk);
    assert_eq!(safe_full.wires(), 0, "some 50 ms of a minute and a half");
    // The other half of the bargain: what is half written does get started.
    assert!(ours.half_written() > 0);

    // With the wire in place every start leads into the ROM; it is taken out at the end only,
    // when all is written.
    assert_eq!((recover.once.wires(), recover.once.half_written()), (0, 0));

    // Parked, the camera waits in its bootloader, so half-written code is started only if the
    // power fails while the vector sector itself changes: during the parking (some of the
    // record's bytes, and no tag yet to be found), or at the end, when the vectors are erased or
    // written (a torn erase can leave a vector that passes and no record).
    let half = park.once.cases.iter().filter(|case| case.half_written);
    for case in half {
        let span = &park.spans[case.cut.step];
        assert!(span.changes_vectors(), "{case:?} {:?}", span.step);
    }
    assert!(park.once.half_written() * 10 < ours.half_written());
}

#[test]
fn cut_after_each_step_the_same_command_goes_on_without_a_question() {
    // `attempt` refuses a plan with a step that cannot be undone: no consent is asked for.
    for job in [
        Job::flash("flash", Order::Safe, SMALL),
        Job::flash("parked", Order::Park, SMALL),
        Job::recover("recover", SMALL),
    ] {
        let spans = measure(&job);
        for cut in moments(&spans, 0, 1) {
            if cut.at == spans[cut.step].end {
                let case = suffer(&job, cut);
                assert_eq!(case.stuck, None, "{}: {:?}", job.name, spans[cut.step].step);
                assert!(!case.wire || spans[cut.step].changes_vectors(), "{case:?}");
            }
        }
    }
}

/// One operation, cut once and cut twice.
struct Matrix {
    spans: Vec<Span>,
    once: Line,
    twice: Line,
}

impl Matrix {
    fn run(name: &'static str, order: Order, times: usize) -> Self {
        Self::of(Job::flash(name, order, SMALL), times)
    }

    fn of(job: Job, times: usize) -> Self {
        let spans = measure(&job);
        let length: Duration = spans.iter().map(|span| span.end - span.start).sum();
        let cuts = moments(&spans, CUTS * times, 1);
        assert_eq!(cuts.len(), CUTS * times);
        let once = all(job.name, &spans, &cuts, |cut| suffer(&job, cut));
        let cuts = moments(&spans, CUTS * times, 2);
        let sample: Vec<_> = cuts.into_iter().step_by(CUTS / CUTS_TWICE).collect();
        let twice = all("  and in the repair again", &spans, &sample, |cut| {
            suffer_twice(&job, cut, length)
        });
        Self { spans, once, twice }
    }
}
