//! Waiting for a camera to appear: by its own doing, or by a person's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use omv_boards::{Board, State};
use omv_link::{Bus, LinkError, Place};

use crate::{Error, Found, find};

/// How often a bus is looked at while waiting. The shortest bootloader window is 1.5 s, and part
/// of that is gone when the device enumerates.
const EVERY: Duration = Duration::from_millis(20);

/// A request to stop, from another thread or a signal. Checked between two frames, never inside
/// one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop at the next safe point.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether that was asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What is waited for.
pub(crate) struct Awaited<'a> {
    pub board: &'static Board,
    /// Any of these states.
    pub states: &'a [State],
    /// Where it was last seen; none: anywhere.
    pub place: Option<&'a Place>,
    /// Whether a person may bring it to another socket. One that restarts stays where it is, and
    /// what appears elsewhere meanwhile is another camera.
    pub may_move: bool,
    /// What was there when the wait was armed: an enumeration that is not new does not count.
    pub before: Vec<(Place, u64)>,
}

/// What a wait came to.
pub(crate) enum Waited {
    /// There it is.
    Here(Found),
    /// Something is on the place, in another state.
    Other(Found),
    /// Nothing came.
    Nothing,
}

/// The enumerations there are now: what "new" is measured against.
pub(crate) fn snapshot(bus: &Arc<dyn Bus>) -> Result<Vec<(Place, u64)>, LinkError> {
    Ok(bus
        .list()?
        .into_iter()
        .map(|seen| (seen.place, seen.visit))
        .collect())
}

/// Waits until what is awaited appears, or `limit` passed. Looks at once, and then often.
pub(crate) fn wait_for(
    bus: &Arc<dyn Bus>,
    awaited: &Awaited<'_>,
    limit: Duration,
    stop: &Stop,
    mut other: impl FnMut(&Found),
) -> Result<Waited, Error> {
    let until = bus.now() + limit;
    let mut last = None;
    loop {
        for found in find(std::slice::from_ref(bus))? {
            let key = (found.seen.place.clone(), found.seen.visit);
            let is_new = !awaited.before.contains(&key);
            let here = awaited.place.is_none_or(|place| *place == found.seen.place);
            if is_new
                && found.may_be(awaited.board, awaited.states)
                && (here || awaited.may_move && is_fresh(awaited, &key.0))
            {
                return Ok(Waited::Here(found));
            }
            if is_new && here && last.as_ref() != Some(&key) {
                other(&found);
                last = Some(key);
            }
        }
        if stop.asked() {
            let doing = "waiting for the camera".to_owned();
            return Err(Error::Stopped {
                doing,
                state: "nothing is being written".into(),
            });
        }
        if bus.now() >= until {
            let place = awaited.place;
            let there = find(std::slice::from_ref(bus))?
                .into_iter()
                .find(|found| place.is_some_and(|place| *place == found.seen.place));
            return Ok(there.map_or(Waited::Nothing, Waited::Other));
        }
        bus.wait((bus.now() + EVERY).min(until))?;
    }
}

/// A person may plug the camera into another socket: one that was empty when the wait began.
fn is_fresh(awaited: &Awaited<'_>, place: &Place) -> bool {
    awaited.before.iter().all(|(old, _)| old != place)
}

/// Waits until any camera is there, on any bus; at most `limit`.
///
/// # Errors
/// [`Error::NoCamera`] when none came, [`Error::Stopped`].
pub fn wait_for_camera(
    buses: &[Arc<dyn Bus>],
    limit: Duration,
    stop: &Stop,
    accept: impl Fn(&Found) -> bool,
) -> Result<Vec<Found>, Error> {
    let Some(first) = buses.first() else {
        return Err(Error::NoCamera);
    };
    let until = first.now() + limit;
    loop {
        let found = find(buses)?;
        if found.iter().any(&accept) {
            return Ok(found);
        }
        if stop.asked() {
            let doing = "waiting for a camera".to_owned();
            return Err(Error::Stopped {
                doing,
                state: "nothing was touched".into(),
            });
        }
        if first.now() >= until {
            return Err(Error::NoCamera);
        }
        first.wait((first.now() + EVERY).min(until))?;
    }
}
