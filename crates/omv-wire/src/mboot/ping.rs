//! The greeting of a serial line: it also lets a device find the baud rate.

use std::time::Duration;

use super::Failure;
use super::uart::{Frame, Heard, Pong, Scanner};
use crate::{Input, Machine, Turn};

/// Bytes other than an answer that one ping puts up with.
const JUNK: usize = 50;

/// Pings until the camera answers: [`Ping::TRIES`] times, [`Ping::PATIENCE`] each.
///
/// Source: SPSDK 3.12.0, spsdk/mboot/protocol/serial_protocol.py.
pub struct Ping {
    scanner: Scanner,
    sent: u32,
    deadline: Duration,
    junk: usize,
    outcome: Option<Result<Pong, Failure>>,
}

impl Ping {
    /// How long one ping waits.
    pub const PATIENCE: Duration = Duration::from_millis(500);
    /// How many pings are sent before the line counts as dead.
    pub const TRIES: u32 = 3;

    /// A greeting not yet sent.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scanner: Scanner::new(JUNK),
            sent: 0,
            deadline: Duration::ZERO,
            junk: 0,
            outcome: None,
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Frame(Frame::Pong(pong)) => self.outcome = Some(Ok(pong)),
            Heard::Frame(other) => self.junk += other.encode().len(),
            Heard::Junk(bytes) => self.junk += bytes,
            // An answer with a flipped bit: this ping is spent, the next may do better.
            Heard::Damaged(_) => self.junk = JUNK + 1,
        }
    }
}

impl Default for Ping {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine for Ping {
    type Output = Result<Pong, Failure>;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            _ if self.outcome.is_some() => {}
            Input::Bytes(mut bytes) => {
                while let Some(heard) = self.scanner.next(&mut bytes) {
                    if self.outcome.is_none() && self.junk <= JUNK {
                        self.take(heard);
                    }
                }
            }
            Input::Stall => self.outcome = Some(Err(Failure::Refused)),
            Input::Gone => self.outcome = Some(Err(Failure::Gone)),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        if let Some(outcome) = &self.outcome {
            return Turn::Done(outcome.clone());
        }
        let noisy = self.junk > JUNK;
        if self.sent > 0 && now < self.deadline && !noisy {
            return Turn::Wait {
                until: self.deadline,
            };
        }
        if self.sent == Self::TRIES {
            let failure = if noisy {
                let what = "the line carries something else than an answer to a ping";
                Failure::Protocol { what }
            } else {
                let what = "an answer to a ping";
                Failure::Timeout { what }
            };
            self.outcome = Some(Err(failure.clone()));
            return Turn::Done(Err(failure));
        }
        self.sent += 1;
        self.junk = 0;
        self.scanner.reset();
        self.deadline = now + Self::PATIENCE;
        Turn::Send(Frame::Ping.encode())
    }
}
