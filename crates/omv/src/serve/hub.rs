//! What all viewers share: the latest picture, and the last events in a ring.
//!
//! ```text
//!                 +--> latest picture (one slot) --> each viewer takes it when it is ready
//!   reader thread |
//!                 +--> ring of events -------------> each viewer has its own place in it
//! ```
//!
//! The reader never waits for a viewer. A viewer that is slow finds a newer picture, or learns
//! how many events it missed; both are counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::shot::Shot;

/// Bytes of events that are kept for viewers.
const RING: usize = 512 * 1024;

/// A picture on its way to viewers.
#[derive(Clone)]
pub struct Picture {
    /// The picture.
    pub shot: Arc<Shot>,
    /// Counts from one over all cameras and sessions of this program.
    pub sequence: u64,
    /// When its last byte came from the camera.
    pub time: SystemTime,
}

/// See the module.
pub struct Hub {
    picture: watch::Sender<Option<Picture>>,
    events: Mutex<Ring>,
    /// Number of the next event; viewers wait for it to change.
    next: watch::Sender<u64>,
    /// Viewers that look at pictures.
    pub viewers: AtomicU64,
    /// Pictures that viewers did not get because they were slow, all viewers together.
    pub skipped: AtomicU64,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    /// Number of the first line.
    first: u64,
}

/// What a viewer finds at its place in the ring.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Events, each a JSON object.
    pub lines: Vec<Arc<str>>,
    /// How many were missed before them.
    pub missed: u64,
    /// Where to look next.
    pub next: u64,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            picture: watch::Sender::new(None),
            events: Mutex::default(),
            next: watch::Sender::new(0),
            viewers: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }
}

impl Hub {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a picture to everyone who is ready.
    pub fn show(&self, shot: Arc<Shot>, time: SystemTime) {
        self.picture.send_modify(|slot| {
            let sequence = slot.as_ref().map_or(0, |picture| picture.sequence) + 1;
            *slot = Some(Picture {
                shot,
                sequence,
                time,
            });
        });
    }

    /// The latest picture.
    pub fn latest(&self) -> Option<Picture> {
        self.picture.borrow().clone()
    }

    /// A place to wait for pictures.
    pub fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.picture.subscribe()
    }

    /// Whether anybody looks.
    pub fn is_watched(&self) -> bool {
        self.picture.receiver_count() > 0
    }

    /// Tells everyone: `{"event": NAME, ...}`.
    pub fn tell(&self, name: &str, fields: Value) {
        let mut object = json!({ "event": name });
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        let line: Arc<str> = object.to_string().into();
        let mut ring = self.ring();
        ring.bytes += line.len();
        ring.lines.push_back(line);
        while ring.bytes > RING && ring.lines.len() > 1 {
            let gone = ring.lines.pop_front().map_or(0, |line| line.len());
            ring.bytes -= gone;
            ring.first += 1;
        }
        let next = ring.first + ring.lines.len() as u64;
        drop(ring);
        self.next.send_replace(next);
    }

    /// What happened since a place in the ring; 0 is the oldest that is kept.
    pub fn since(&self, place: u64) -> Found {
        let ring = self.ring();
        let next = ring.first + ring.lines.len() as u64;
        // A place from before this program started means nothing here.
        let place = if place > next { 0 } else { place };
        let missed = if place == 0 {
            0
        } else {
            ring.first.saturating_sub(place)
        };
        let skip = usize::try_from(place.saturating_sub(ring.first)).unwrap_or(usize::MAX);
        Found {
            lines: ring.lines.iter().skip(skip).cloned().collect(),
            missed,
            next,
        }
    }

    /// A place to wait for events.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// Counts pictures that a viewer did not get.
    pub fn skip(&self, pictures: u64) {
        self.skipped.fetch_add(pictures, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shot::tests::grey;

    #[test]
    fn a_viewer_that_was_away_finds_the_newest_picture_and_can_count_what_it_missed() {
        let hub = Hub::default();
        let mut viewer = hub.pictures();
        assert!(!viewer.has_changed().unwrap());
        for number in 1..=5 {
            hub.show(Arc::new(grey(number, 8, 8, 0)), SystemTime::now());
        }
        assert!(viewer.has_changed().unwrap());
        assert_eq!(
            viewer.borrow_and_update().as_ref().map(|p| p.sequence),
            Some(5)
        );
        assert!(!viewer.has_changed().unwrap());
    }

    #[test]
    fn the_ring_is_bounded_and_a_slow_viewer_learns_what_it_missed() {
        let hub = Hub::default();
        hub.tell("text", json!({ "text": "first" }));
        let place = hub.since(0).next;
        for _ in 0..100 {
            hub.tell("text", json!({ "text": "x".repeat(10_000) }));
        }
        let found = hub.since(place);
        assert!(found.missed > 40 && found.missed < 60, "{}", found.missed);
        assert_eq!(found.missed + found.lines.len() as u64, 100);
        assert_eq!(
            hub.since(found.next),
            Found {
                lines: vec![],
                missed: 0,
                next: 101
            }
        );
        assert_eq!(hub.since(5000).missed, 0, "a place of another run");
    }
}
