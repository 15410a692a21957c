//! What the owner of a camera does when the power comes back.

use std::time::Duration;

use omv_boards::State;
use omv_camera::wait_for_camera;
use omv_link::Bus;
use omv_sim::Hand;
use omv_sim::rt1062::{Quirks, Remains, Rt1062};

use super::{Cut, Dice, Job, attempt};
use crate::bench::Bench;

/// How long one waits for a camera to show itself.
const APPEAR: Duration = Duration::from_secs(5);
/// How often the owner tries before giving the camera up.
const TRIES: u32 = 4;

/// What became of one cut.
#[derive(Clone, Debug)]
pub struct Case {
    pub cut: Cut,
    /// Whether the wire had to be set.
    pub wire: bool,
    /// Whether firmware was started that was not whole.
    pub half_written: bool,
    /// How long it took from power to a running camera.
    pub took: Duration,
    /// What the commands that failed were told, in order.
    pub failures: Vec<String>,
    /// What is wrong with it at the end.
    pub stuck: Option<String>,
}

/// One power cut in the operation, then the repair.
pub fn suffer(job: &Job, cut: Cut) -> Case {
    let remains = interrupt(job, cut);
    finish(job, cut, remains)
}

/// A power cut in the operation and another one in the repair, then the repair again.
pub fn suffer_twice(job: &Job, cut: Cut, longest: Duration) -> Case {
    let remains = interrupt(job, cut);
    let mut dice = dice(cut, 2);
    let mut bench = powered(remains, cut.torn, &mut dice);
    let wire = approach(&mut bench);
    let at = bench.bus.now() + longest.mul_f64(dice.fraction());
    bench.camera(|camera| camera.cut_at(Some(at)));
    // A repair that was over sooner is cut while the camera runs.
    let _ = attempt(&mut bench, job);
    let left = at.saturating_sub(bench.bus.now());
    bench.bus.pass(left + Duration::from_millis(1));
    let half_written = bench.status().half_written_starts > 0;
    let case = finish(job, cut, bench.camera(|camera| camera.remains()));
    Case {
        wire: wire || case.wire,
        half_written: half_written || case.half_written,
        ..case
    }
}

/// Does the operation on a fresh camera until its power fails.
fn interrupt(job: &Job, cut: Cut) -> Remains {
    let mut bench = job.bench(cut.torn);
    bench.camera(|camera| camera.cut_at(Some(cut.at)));
    let outcome = attempt(&mut bench, job);
    // A cut at the very end of the last step finds nobody at work any more.
    let left = cut.at.saturating_sub(bench.bus.now());
    bench.bus.pass(left + Duration::from_millis(1));
    assert!(!bench.status().plugged, "{cut:?}: no cut, {outcome:?}");
    bench.camera(|camera| camera.remains())
}

/// Power comes back, the owner does as well.
fn finish(job: &Job, cut: Cut, remains: Remains) -> Case {
    let mut bench = powered(remains, false, &mut dice(cut, 1));
    let (wire, failures) = repair(&mut bench, job);
    let status = bench.status();
    Case {
        cut,
        wire,
        half_written: status.half_written_starts > 0,
        took: bench.bus.now(),
        failures,
        stuck: arrived(&bench, job).err(),
    }
}

/// Tries until the camera runs: the same command again, then replugging, then the wire. Tells
/// whether the wire was needed, and what failed before.
pub fn repair(bench: &mut Bench, job: &Job) -> (bool, Vec<String>) {
    let mut wire = false;
    let mut failures = Vec::new();
    for _ in 0..TRIES {
        wire |= approach(bench);
        match attempt(bench, job) {
            Ok(_) => break,
            Err(error) => failures.push(error.to_string()),
        }
        bench.hands(&[Hand::Unplug, Hand::Plug]);
    }
    (wire, failures)
}

/// Whether the camera runs and all its flash is as it should be.
pub fn arrived(bench: &Bench, job: &Job) -> Result<(), String> {
    let status = bench.status();
    if status.state != State::Run || status.jumper || status.firmware.as_deref() != Some("5.0.0") {
        return Err(format!("{status:?}"));
    }
    let (wrong, fuses, misused) = bench.camera(|camera| {
        let parts = camera.chip().lock();
        (
            parts.nor.changed_since(&job.after),
            parts.fuses,
            parts.misused,
        )
    });
    if !wrong.is_empty() || fuses != job.before.parts.fuses || misused.is_some() {
        return Err(format!(
            "sectors {wrong:x?} are wrong; misused: {misused:?}"
        ));
    }
    Ok(())
}

/// Makes the camera show itself: by waiting, by replugging, in the end with the wire. Tells
/// whether that was needed.
fn approach(bench: &mut Bench) -> bool {
    let appears =
        |bench: &Bench| wait_for_camera(&bench.buses(), APPEAR, &bench.stop, |_| true).is_ok();
    if appears(bench) {
        return false;
    }
    bench.hands(&[Hand::Unplug, Hand::Plug]);
    if appears(bench) {
        return false;
    }
    bench.hands(&[Hand::Unplug, Hand::Jumper(true), Hand::Plug]);
    assert!(appears(bench), "the ROM always shows itself with the wire");
    true
}

/// The camera with power again, left alone for some seconds, as nobody is there at once: long
/// enough for what is in its flash to be started, and to be anywhere when the owner comes.
fn powered(remains: Remains, torn: bool, dice: &mut Dice) -> Bench {
    let quirks = Quirks {
        torn,
        ..Quirks::default()
    };
    let bench = Bench::with(Rt1062::from_remains(remains, quirks));
    let alone = Duration::from_secs(4) + Duration::from_secs(2).mul_f64(dice.fraction());
    bench.bus.pass(alone);
    bench
}

fn dice(cut: Cut, seed: u64) -> Dice {
    Dice::new(cut.at.as_nanos() as u64 ^ seed << 56)
}
