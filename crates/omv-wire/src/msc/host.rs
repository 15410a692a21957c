//! Our side: one command with its data, and the reason when it fails.
//!
//! ```text
//!  wrapper --> data out --> (data in) --> status --passed--> Done(data)
//!                                           |failed
//!                                           v
//!                                     REQUEST SENSE --> Done(Refused)
//! ```
//!
//! What comes in is a stream here: data and status may share a transfer or not.

use std::time::Duration;

use super::RESET;
use super::codec::{Status, StatusWrapper, Wrapper};
use super::scsi::{Command, Sense};
use crate::{Input, Machine, Malformed, Turn};

/// How long a camera may say nothing. Boards that write their cache are silent for seconds, and a
/// dying card for longer; Linux waits as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The camera says no, and why.
    #[error("the disk refuses: {}", .0.meaning())]
    Refused(Sense),
    /// Nothing came for half a minute.
    #[error("the disk does not answer")]
    Silent,
    /// The camera left the bus.
    #[error("the camera has left")]
    Gone,
    /// It says that all went well, but has moved less than was asked.
    #[error("the disk moved {moved} of {wanted} bytes")]
    Short {
        /// Bytes moved.
        moved: u32,
        /// Bytes wanted.
        wanted: u32,
    },
    /// The two sides do not agree where in the conversation they are. The transport was reset;
    /// the command can be tried again.
    #[error("the disk and this machine lost each other's thread")]
    Confused,
    /// The answer is none.
    #[error("the disk answers wrongly: {0}")]
    Malformed(#[from] Malformed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Wrapper,
    DataOut,
    /// Data, then the status.
    Hear,
    Reset(Failure),
    Over,
}

/// One command from start to end. Its output is the data that came in.
#[derive(Clone, Debug)]
pub struct Exchange {
    wrapper: Wrapper,
    out: Vec<u8>,
    /// Whether fewer bytes than asked for are an answer too.
    short_is_fine: bool,
    next: Next,
    heard: Vec<u8>,
    /// Bytes of data still expected.
    expected: usize,
    stalls: u8,
    due: Duration,
    /// The failed status of the command itself, while its reason is asked for.
    asking_why: bool,
    outcome: Option<Result<Vec<u8>, Failure>>,
}

impl Exchange {
    /// A command that brings at most `length` bytes of data. `tag` must differ from the last.
    #[must_use]
    pub fn inward(tag: u32, command: Command, length: u32) -> Self {
        let exact = matches!(command, Command::Read { .. });
        Self::new(tag, command, length, Vec::new(), !exact)
    }

    /// A command that sends data, or has none.
    #[must_use]
    pub fn outward(tag: u32, command: Command, data: Vec<u8>) -> Self {
        Self::new(tag, command, 0, data, false)
    }

    fn new(tag: u32, command: Command, inward: u32, out: Vec<u8>, short_is_fine: bool) -> Self {
        let length = inward.max(u32::try_from(out.len()).unwrap_or(u32::MAX));
        Self {
            wrapper: Wrapper {
                tag,
                length,
                inward: inward > 0,
                unit: 0,
                command: command.encode(),
            },
            out,
            short_is_fine,
            next: Next::Wrapper,
            heard: Vec::new(),
            expected: inward as usize,
            stalls: 0,
            due: Duration::ZERO,
            asking_why: false,
            outcome: None,
        }
    }

    /// Looks whether the status is there, after a frame of this length.
    fn look(&mut self, frame: usize) {
        // Where the camera had less data than asked for, a short packet ends it and the status
        // comes in a frame of its own.
        let at = match self.heard.len() {
            got if got >= self.expected + StatusWrapper::LEN => self.expected,
            got if frame == StatusWrapper::LEN && got < self.expected => got - StatusWrapper::LEN,
            _ => return,
        };
        let status = self.heard.split_off(at);
        match StatusWrapper::decode(status.get(..StatusWrapper::LEN).unwrap_or_default()) {
            Ok(status) if status.tag == self.wrapper.tag => self.ended(status),
            _ if at < self.expected => self.heard.extend(status),
            // Whatever this is, it was not meant for us.
            _ => self.next = Next::Reset(Failure::Confused),
        }
    }

    fn ended(&mut self, status: StatusWrapper) {
        let data = std::mem::take(&mut self.heard);
        match status.status {
            Status::Phase => self.next = Next::Reset(Failure::Confused),
            Status::Failed if self.asking_why => {
                self.finish(Err(Failure::Refused(Sense::default())));
            }
            Status::Failed => {
                self.asking_why = true;
                self.short_is_fine = true;
                self.stalls = 0;
                self.expected = Sense::LEN;
                self.wrapper = Wrapper {
                    tag: self.wrapper.tag.wrapping_add(0x8000_0000),
                    length: Sense::LEN as u32,
                    inward: true,
                    unit: 0,
                    command: Command::RequestSense {
                        length: Sense::LEN as u8,
                    }
                    .encode(),
                };
                self.out.clear();
                self.next = Next::Wrapper;
            }
            Status::Passed if self.asking_why => {
                let why = Sense::decode(&data).map_or_else(Failure::from, Failure::Refused);
                self.finish(Err(why));
            }
            Status::Passed => {
                let wanted = self.wrapper.length;
                let moved = match self.wrapper.inward {
                    true => u32::try_from(data.len()).unwrap_or(u32::MAX),
                    false => wanted.saturating_sub(status.residue),
                };
                let enough = moved == wanted || self.short_is_fine;
                self.finish(match enough {
                    true => Ok(data),
                    false => Err(Failure::Short { moved, wanted }),
                });
            }
        }
    }

    fn finish(&mut self, outcome: Result<Vec<u8>, Failure>) {
        self.next = Next::Over;
        self.outcome.get_or_insert(outcome);
    }
}

impl Machine for Exchange {
    type Output = Result<Vec<u8>, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Gone => self.finish(Err(Failure::Gone)),
            Input::Bytes(bytes) if self.next == Next::Hear => {
                let room = (self.expected + StatusWrapper::LEN).saturating_sub(self.heard.len());
                self.heard.extend(bytes.iter().take(room));
                self.due = now + PATIENCE;
                self.look(bytes.len());
            }
            Input::Bytes(_) => {}
            // Instead of data, or instead of the rest of it: the status is next. Instead of the
            // status: once more, says section 5.3.3.
            Input::Stall => {
                self.stalls += 1;
                self.due = now + PATIENCE;
                if self.stalls > 2 {
                    self.next = Next::Reset(Failure::Confused);
                } else {
                    self.expected = self.heard.len().min(self.expected);
                }
            }
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        match self.next {
            Next::Wrapper => {
                self.next = match self.out.is_empty() {
                    true => Next::Hear,
                    false => Next::DataOut,
                };
                self.due = now + PATIENCE;
                Turn::Send(self.wrapper.encode())
            }
            Next::DataOut => {
                self.next = Next::Hear;
                self.due = now + PATIENCE;
                Turn::Send(std::mem::take(&mut self.out))
            }
            Next::Hear if now < self.due => Turn::Wait { until: self.due },
            Next::Hear => {
                self.next = Next::Reset(Failure::Silent);
                self.poll(now)
            }
            Next::Reset(failure) => {
                self.finish(Err(failure));
                Turn::Send(RESET.to_vec())
            }
            Next::Over => Turn::Done(self.outcome.clone().unwrap_or(Err(Failure::Confused))),
        }
    }
}
