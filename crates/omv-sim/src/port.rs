//! The USB socket a virtual camera is plugged into: enumeration, queues, pacing.
//!
//! ```text
//!   submit(ticket, Urb) --> [control | OUT queue per endpoint | IN queue per endpoint] --> Face
//!   advance(now)        --> completions, in the order the wire would have allowed
//! ```
//!
//! An IN request waits until the camera has data (NAK), an OUT request until the camera takes it.
//! Whatever is pending when the camera leaves the bus completes as gone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use omv_wire::usb::{Completion, Direction, Urb, UrbStatus};

use crate::chapter9;
use crate::{Camera, Face};

/// A request's name; the submitter chooses it and never uses it twice.
pub type Ticket = u64;

/// One transfer in the queue of its endpoint.
struct Pending {
    ticket: Ticket,
    visit: u64,
    urb: Urb,
}

/// One direction of one endpoint.
#[derive(Default)]
struct Queue {
    pending: VecDeque<Pending>,
    /// When the wire is free for the next transfer.
    free_at: Duration,
}

/// A socket with a camera in it.
pub struct Port {
    camera: Box<dyn Camera>,
    now: Duration,
    queues: BTreeMap<(u8, bool), Queue>,
    done: VecDeque<(Ticket, Completion)>,
}

impl Port {
    /// Puts a camera on a new port; its clock starts at zero.
    pub fn new(camera: Box<dyn Camera>) -> Self {
        Self {
            camera,
            now: Duration::ZERO,
            queues: BTreeMap::new(),
            done: VecDeque::new(),
        }
    }

    /// The camera.
    pub fn camera(&self) -> &dyn Camera {
        &*self.camera
    }

    /// The camera, for hands.
    pub fn camera_mut(&mut self) -> &mut dyn Camera {
        &mut *self.camera
    }

    /// Time on the port's clock.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Queues a transfer for the camera as it was enumerated at `visit`; one for an earlier
    /// visit completes as gone.
    pub fn submit(&mut self, visit: u64, ticket: Ticket, urb: Urb) {
        let inward = urb.direction == Direction::In;
        // The two directions of the default endpoint are one conversation.
        let key = (urb.endpoint, inward && urb.endpoint != 0);
        let queue = self.queues.entry(key).or_default();
        queue.pending.push_back(Pending { ticket, visit, urb });
        self.pump();
    }

    /// Takes a pending transfer back. False if it was already completed.
    pub fn unlink(&mut self, ticket: Ticket) -> bool {
        for queue in self.queues.values_mut() {
            if let Some(at) = queue.pending.iter().position(|p| p.ticket == ticket) {
                queue.pending.remove(at);
                return true;
            }
        }
        false
    }

    /// What has completed since the last call, in order.
    pub fn take_done(&mut self) -> Vec<(Ticket, Completion)> {
        self.done.drain(..).collect()
    }

    /// The next moment at which something happens by itself, if any. It lies in the future:
    /// whatever could happen now has happened.
    pub fn next_event(&mut self) -> Option<Duration> {
        let now = self.now;
        let camera = self.camera.next(now);
        let face = self.camera.face().and_then(|face| face.next(now));
        let waiting = self
            .queues
            .values()
            .filter(|queue| !queue.pending.is_empty());
        let wire = waiting.map(|queue| queue.free_at);
        wire.chain(camera).chain(face).filter(|at| *at > now).min()
    }

    /// Lets time pass up to `to`, event by event.
    pub fn advance(&mut self, to: Duration) {
        loop {
            self.camera.advance(self.now);
            self.pump();
            match self.next_event() {
                Some(at) if at <= to => self.now = at,
                _ if self.now < to => self.now = to,
                _ => return,
            }
        }
    }

    /// Moves everything that can move at this moment.
    fn pump(&mut self) {
        loop {
            let before = self.done.len();
            let visit = self.camera.visit();
            let Some(face) = self.camera.face() else {
                self.drop_all(|_| true);
                return;
            };
            for ((endpoint, inward), queue) in &mut self.queues {
                while queue.free_at <= self.now {
                    let Some(next) = queue.pending.front() else {
                        break;
                    };
                    if next.visit != visit {
                        break;
                    }
                    let Some(completion) = transfer(face, self.now, *endpoint, *inward, &next.urb)
                    else {
                        break;
                    };
                    let bytes = completion.data.len().max(completion.actual as usize);
                    queue.free_at = self.now + face.transfer_time(*endpoint, bytes);
                    if let Some(next) = queue.pending.pop_front() {
                        self.done.push_back((next.ticket, completion));
                    }
                }
            }
            self.drop_all(|pending| pending.visit != visit);
            // What was taken in may have changed what the camera is.
            self.camera.advance(self.now);
            if self.done.len() == before {
                return;
            }
        }
    }

    fn drop_all(&mut self, which: impl Fn(&Pending) -> bool) {
        for queue in self.queues.values_mut() {
            let (gone, stay) = queue.pending.drain(..).partition(|pending| which(pending));
            queue.pending = stay;
            let gone: VecDeque<Pending> = gone;
            for pending in gone {
                let completion = completed(UrbStatus::Gone, Vec::new(), 0);
                self.done.push_back((pending.ticket, completion));
            }
        }
    }
}

fn completed(status: UrbStatus, data: Vec<u8>, actual: u32) -> Completion {
    Completion {
        status,
        data,
        actual,
    }
}

/// Tries one transfer; `None` is a NAK.
fn transfer(
    face: &mut dyn Face,
    now: Duration,
    endpoint: u8,
    inward: bool,
    urb: &Urb,
) -> Option<Completion> {
    if endpoint == 0 {
        let setup = urb.setup.filter(|_| face.control_ready(now))?;
        let reply = chapter9::answer(face, now, &setup, &urb.data);
        return Some(match reply {
            None => completed(UrbStatus::Stall, Vec::new(), 0),
            Some(mut data) if urb.direction == Direction::In => {
                data.truncate(usize::from(setup.length).min(urb.length as usize));
                let actual = data.len() as u32;
                completed(UrbStatus::Ok, data, actual)
            }
            Some(_) => completed(UrbStatus::Ok, Vec::new(), urb.data.len() as u32),
        });
    }
    if inward {
        let data = match face.take(now, endpoint, urb.length as usize) {
            None if face.is_halted(endpoint) => {
                return Some(completed(UrbStatus::Stall, Vec::new(), 0));
            }
            other => other?,
        };
        let actual = data.len() as u32;
        return Some(completed(UrbStatus::Ok, data, actual));
    }
    if !face.accepts(now, endpoint) {
        return None;
    }
    face.out(now, endpoint, &urb.data);
    Some(completed(UrbStatus::Ok, Vec::new(), urb.data.len() as u32))
}
