//! One power cut, and what the owner of the camera does when the power comes back.

use std::time::Duration;

use omv_boards::State;
use omv_camera::{Event, wait_for_camera};
use omv_link::Bus as _;
use omv_sim::Hand;
use omv_sim::dfu::Remains;

use crate::bench::Bench;
use crate::job::{Job, revive};

/// How long one waits for a camera to show itself.
const APPEAR: Duration = Duration::from_secs(10);
/// How often the owner tries before giving the camera up.
const TRIES: u32 = 4;

/// One power cut to be made.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// On the camera's clock.
    pub at: Duration,
    /// Whether cells are left in between.
    pub torn: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub cut: Cut,
    /// Whether the wire had to be set, or RESET pressed twice.
    pub wire: bool,
    /// Whether firmware was started that was not whole.
    pub half_written: bool,
    /// From power to a running camera.
    pub took: Duration,
    /// What the commands that failed were told.
    pub failures: Vec<String>,
    /// What is wrong at the end.
    pub stuck: Option<String>,
}

/// One power cut in the operation, then the repair.
pub fn suffer(job: &Job, cut: Cut) -> Case {
    let remains = interrupt(job, cut);
    let mut bench = Bench::with(job.board, revive(remains, false));
    // Nobody is there at once; what is in flash gets started.
    let alone = Duration::from_millis(4000 + cut.at.subsec_millis() as u64 * 2);
    bench.bus.pass(alone);
    let (mut wire, mut failures) = (false, Vec::new());
    for _ in 0..TRIES {
        wire |= approach(&mut bench);
        match job.attempt(&mut bench) {
            Ok(_) => break,
            Err(error) => failures.push(error.to_string()),
        }
        hands(&mut bench, &[Hand::Unplug, Hand::Plug]);
    }
    Case {
        cut,
        wire,
        half_written: bench.status().half_written_starts > 0,
        took: bench.bus.now(),
        failures,
        stuck: arrived(job, &bench).err(),
    }
}

/// Does the operation on a fresh camera until its power fails.
fn interrupt(job: &Job, cut: Cut) -> Remains {
    let mut bench = job.bench(cut.torn);
    bench.camera(|camera| camera.cut_at(Some(cut.at)));
    // The one thing that is asked of a person here is to take the wire away. Once the power has
    // failed, nobody gives it back before the owner comes.
    bench.obliging = false;
    let stop = bench.stop.clone();
    bench.when = Box::new(move |event, bus, _| {
        bus.with(0, |camera, now| match camera.status().plugged {
            true if matches!(event, Event::Hands { .. }) => {
                camera.hand(now, Hand::Unplug);
                camera.hand(now, Hand::Jumper(false));
                camera.hand(now, Hand::Plug);
            }
            true => {}
            false => stop.ask(),
        });
    });
    let outcome = job.attempt(&mut bench);
    // A cut at the very end finds nobody at work any more.
    let left = cut.at.saturating_sub(bench.bus.now());
    bench.bus.pass(left + Duration::from_millis(1));
    assert!(!bench.status().plugged, "{cut:?}: no cut, {outcome:?}");
    bench.camera(|camera| camera.remains())
}

fn hands(bench: &mut Bench, hands: &[Hand]) {
    bench.bus.with(0, |camera, now| {
        for hand in hands {
            camera.hand(now, *hand);
        }
    });
}

/// Makes the camera show itself: by waiting, by replugging, in the end with the wire or, on an
/// Arduino, with RESET pressed twice. Tells whether that was needed.
fn approach(bench: &mut Bench) -> bool {
    let appears =
        |bench: &Bench| wait_for_camera(&bench.buses(), APPEAR, &bench.stop, |_| true).is_ok();
    if appears(bench) {
        return false;
    }
    hands(bench, &[Hand::Unplug, Hand::Plug]);
    if appears(bench) {
        return false;
    }
    match bench.board.mcuboot.is_some() {
        true => hands(bench, &[Hand::DoubleTap]),
        false => hands(bench, &[Hand::Unplug, Hand::Jumper(true), Hand::Plug]),
    }
    appears(bench);
    true
}

/// Whether the camera runs and all its flash is as an uncut run leaves it.
fn arrived(job: &Job, bench: &Bench) -> Result<(), String> {
    let status = bench.status();
    let version = status.firmware.as_deref();
    if status.state != State::Run || status.jumper || version != Some(job.version) {
        return Err(format!("{status:?}"));
    }
    let changed = bench.camera(|camera| camera.remains().parts.nor.changed_since(&job.after));
    match (changed.is_empty(), bench.misused()) {
        (true, None) => Ok(()),
        (_, misused) => Err(format!(
            "sectors {changed:x?} are wrong; misused: {misused:?}"
        )),
    }
}
