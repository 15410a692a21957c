//! A link that goes wrong on purpose, and the same way each time.
//!
//! A [`Fault`] names a frame by its direction and number, and what becomes of it. What every
//! protocol here has to survive, a test asks for in one line:
//!
//! ```text
//!   Faulty::new(link, vec![Fault::heard(3, Kind::Lost)])      the third answer never arrives
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Heard, Link, LinkError};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the device.
    Sent,
    /// From the device.
    Heard,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Doubled,
    /// It arrives in two pieces, parted after `at` bytes, at least one and at most all but one.
    Split {
        /// Bytes in the first piece.
        at: usize,
    },
    /// It arrives in one piece with the next of its direction, or alone at the end of a wait that
    /// brought none. For streams only: a report or a control reply cannot do this.
    Merged,
    /// One bit is wrong.
    Flipped {
        /// Which one, counted from the lowest bit of the first byte, modulo the frame's size.
        bit: usize,
    },
    /// It arrives later, maybe after its successors.
    Late {
        /// How much later.
        by: Duration,
    },
    /// The endpoint refuses: a request is stalled, or an answer is replaced by a stall.
    Stalled,
    /// The device leaves instead, for good.
    Gone,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which way the frame goes.
    pub direction: Direction,
    /// The how-many-th frame of its direction, counted from one.
    pub frame: usize,
    /// What becomes of it.
    pub kind: Kind,
}

impl Fault {
    /// A fault of the `frame`th frame to the device, counted from one.
    pub fn sent(frame: usize, kind: Kind) -> Self {
        Self {
            direction: Direction::Sent,
            frame,
            kind,
        }
    }

    /// A fault of the `frame`th frame from the device, counted from one.
    pub fn heard(frame: usize, kind: Kind) -> Self {
        Self {
            direction: Direction::Heard,
            frame,
            kind,
        }
    }
}

/// A link with a plan of faults. One frame has one fault; of several, the first planned.
pub struct Faulty {
    inner: Box<dyn Link>,
    plan: Vec<Fault>,
    sent: usize,
    heard: usize,
    gone: bool,
    /// Ready for the next waits, in order.
    ready: VecDeque<Heard>,
    to_device: Delayed,
    from_device: Delayed,
}

/// Frames on their way in one direction.
#[derive(Default)]
struct Delayed {
    /// Waits for its successor.
    merging: Option<Vec<u8>>,
    /// With the times they are due.
    late: Vec<(Duration, Vec<u8>)>,
}

impl Delayed {
    /// This frame behind what waits for it.
    fn join(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut joined = self.merging.take().unwrap_or_default();
        joined.extend_from_slice(frame);
        joined
    }

    fn next_due(&self) -> Option<Duration> {
        self.late.iter().map(|(due, _)| *due).min()
    }

    fn take_due(&mut self, now: Duration) -> Option<Vec<u8>> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let index = self.late.iter().position(|(when, _)| *when == due)?;
        Some(self.late.remove(index).1)
    }
}

impl Faulty {
    /// Puts faults into a link.
    pub fn new(inner: Box<dyn Link>, plan: Vec<Fault>) -> Self {
        Self {
            inner,
            plan,
            sent: 0,
            heard: 0,
            gone: false,
            ready: VecDeque::new(),
            to_device: Delayed::default(),
            from_device: Delayed::default(),
        }
    }

    fn fault(&self, direction: Direction, frame: usize) -> Option<Kind> {
        self.plan
            .iter()
            .find(|fault| fault.direction == direction && fault.frame == frame)
            .map(|fault| fault.kind)
    }

    /// Sends on what is late by now. A device that left meanwhile is heard of, not an error.
    fn send_due(&mut self) -> Result<(), LinkError> {
        while let Some(frame) = self.to_device.take_due(self.inner.now()) {
            match self.inner.send(&frame) {
                Err(LinkError::Gone) => self.gone = true,
                other => other?,
            }
        }
        Ok(())
    }

    /// One frame from the device: what of it arrives goes to `ready`.
    fn receive(&mut self, frame: &[u8]) {
        self.heard += 1;
        let mut frame = self.from_device.join(frame);
        match self.fault(Direction::Heard, self.heard) {
            None => self.arrive(frame),
            Some(Kind::Lost) => {}
            Some(Kind::Doubled) => {
                self.arrive(frame.clone());
                self.arrive(frame);
            }
            Some(Kind::Split { at }) => {
                let (first, second) = split(&frame, at);
                self.arrive(first.to_vec());
                if !second.is_empty() {
                    self.arrive(second.to_vec());
                }
            }
            Some(Kind::Merged) => self.from_device.merging = Some(frame),
            Some(Kind::Flipped { bit }) => {
                flip(&mut frame, bit);
                self.arrive(frame);
            }
            Some(Kind::Late { by }) => {
                let due = self.inner.now().saturating_add(by);
                self.from_device.late.push((due, frame));
            }
            Some(Kind::Stalled) => self.ready.push_back(Heard::Stall),
            Some(Kind::Gone) => self.gone = true,
        }
    }

    fn arrive(&mut self, frame: Vec<u8>) {
        self.ready.push_back(Heard::Bytes(frame));
    }
}

impl Link for Faulty {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.gone {
            return Err(LinkError::Gone);
        }
        self.send_due()?;
        self.sent += 1;
        let mut frame = self.to_device.join(frame);
        match self.fault(Direction::Sent, self.sent) {
            None => self.inner.send(&frame),
            Some(Kind::Lost) => Ok(()),
            Some(Kind::Doubled) => {
                self.inner.send(&frame)?;
                self.inner.send(&frame)
            }
            Some(Kind::Split { at }) => {
                let (first, second) = split(&frame, at);
                self.inner.send(first)?;
                if second.is_empty() {
                    return Ok(());
                }
                self.inner.send(second)
            }
            Some(Kind::Merged) => {
                self.to_device.merging = Some(frame);
                Ok(())
            }
            Some(Kind::Flipped { bit }) => {
                flip(&mut frame, bit);
                self.inner.send(&frame)
            }
            Some(Kind::Late { by }) => {
                let due = self.inner.now().saturating_add(by);
                self.to_device.late.push((due, frame));
                Ok(())
            }
            Some(Kind::Stalled) => {
                self.ready.push_back(Heard::Stall);
                Ok(())
            }
            Some(Kind::Gone) => {
                self.gone = true;
                Err(LinkError::Gone)
            }
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return Ok(Some(heard));
            }
            self.send_due()?;
            if self.gone {
                return Ok(Some(Heard::Gone));
            }
            if let Some(frame) = self.from_device.take_due(self.inner.now()) {
                return Ok(Some(Heard::Bytes(frame)));
            }
            let stop = [self.to_device.next_due(), self.from_device.next_due()]
                .into_iter()
                .flatten()
                .fold(until, Duration::min);
            match self.inner.wait(stop)? {
                Some(Heard::Bytes(frame)) => self.receive(&frame),
                Some(other) => {
                    if let Some(frame) = self.from_device.merging.take() {
                        self.arrive(frame);
                    }
                    self.ready.push_back(other);
                }
                None if self.inner.now() < until => {}
                None => {
                    // The wait is over: what still waits for a successor goes alone.
                    if let Some(frame) = self.to_device.merging.take() {
                        self.to_device.late.push((Duration::ZERO, frame));
                    }
                    if let Some(frame) = self.from_device.merging.take() {
                        self.from_device.late.push((Duration::ZERO, frame));
                    }
                    self.send_due()?;
                    let late = self.from_device.take_due(self.inner.now());
                    return Ok(late.map(Heard::Bytes));
                }
            }
        }
    }
}

/// Two pieces, neither empty where the frame has two bytes.
fn split(frame: &[u8], at: usize) -> (&[u8], &[u8]) {
    let at = at.min(frame.len().saturating_sub(1)).max(1);
    frame.split_at_checked(at).unwrap_or((frame, &[]))
}

fn flip(frame: &mut [u8], bit: usize) {
    let bits = frame.len().saturating_mul(8).max(1);
    if let Some(byte) = frame.get_mut(bit % bits / 8) {
        *byte ^= 1 << (bit % 8);
    }
}
