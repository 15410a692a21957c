//! A device in virtual time: what arrives at it, and what it answers when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use omv_link::{Heard, Link, LinkError};

pub const MS: Duration = Duration::from_millis(1);

/// What arrived at the device, with times.
pub type Arrived = Arc<Mutex<Vec<(Duration, Vec<u8>)>>>;

/// A link to a device that speaks by a timetable.
#[derive(Default)]
pub struct Timetable {
    now: Duration,
    arrived: Arrived,
    speaks: VecDeque<(Duration, Heard)>,
    gone: bool,
}

impl Timetable {
    /// The device says these things at these times.
    pub fn open(speaks: impl IntoIterator<Item = (Duration, Heard)>) -> (Box<dyn Link>, Arrived) {
        let link = Self {
            speaks: speaks.into_iter().collect(),
            ..Self::default()
        };
        let arrived = link.arrived.clone();
        (Box::new(link), arrived)
    }
}

impl Link for Timetable {
    fn now(&self) -> Duration {
        self.now
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.gone {
            return Err(LinkError::Gone);
        }
        let frame = (self.now, frame.to_vec());
        self.arrived.lock().unwrap().push(frame);
        Ok(())
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        if self.gone {
            return Ok(Some(Heard::Gone));
        }
        let end = until.max(self.now);
        match self.speaks.front() {
            Some((at, _)) if *at <= end => {
                let (at, heard) = self.speaks.pop_front().unwrap();
                self.now = self.now.max(at);
                self.gone = heard == Heard::Gone;
                Ok(Some(heard))
            }
            _ => {
                self.now = end;
                Ok(None)
            }
        }
    }
}

/// Bytes that came.
pub fn bytes(bytes: &[u8]) -> Heard {
    Heard::Bytes(bytes.to_vec())
}
