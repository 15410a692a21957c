//! Our side: one operation from its first request to its last answer.
//!
//! ```text
//!            Ask(setup, data)            reply, stall, silence, gone
//!   Steps ------------------> Waiting ------------------------------> Steps --> ... --> done
//!     ^ |  Pause                                                        ^
//!     | +----------------> Pausing ---- until the time is over ---------+
//! ```
//!
//! Every operation is a [`Conversation`]: frames of 8 setup bytes and the data of an OUT go out,
//! replies, stalls and silence come back, and every wait ends. What the operation is, its steps
//! know.

mod describe;
mod plain;
mod work;

use std::time::Duration;

pub use describe::{Alternate, Described, Dialect, Interface, describe};
pub(super) use plain::Read;
pub use plain::{Host, Manifested};
pub use work::Done;
pub(super) use work::Work;

use super::{Report, State, Status};
use crate::usb::Setup;
use crate::{Input, Machine, Malformed, Turn};

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One control transfer. Devices answer NAK while they erase a sector, which takes up to
    /// four seconds.
    pub transfer: Duration,
    /// The longest time of silence a device may ask for; more is refused, not waited for.
    pub poll: Duration,
    /// One block or command, from its first byte until the device is idle again.
    pub work: Duration,
    /// The same for erasing everything, and for the transfers meanwhile.
    pub erase_all: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transfer: Duration::from_secs(10),
            poll: Duration::from_secs(10),
            work: Duration::from_secs(20),
            erase_all: Duration::from_secs(60),
        }
    }
}

/// Why an operation ended without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The device fell silent, or was busy for too long.
    #[error("waited in vain for {what}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
    },
    /// The device left the bus.
    #[error("the device left the bus")]
    Gone,
    /// The device refused a request (USB STALL).
    #[error("the device refused {what}")]
    Refused {
        /// The request.
        what: &'static str,
    },
    /// The device reports an error of its own.
    #[error("the device reports {} after {what}", status.name())]
    Status {
        /// The error.
        status: Status,
        /// What it was asked for.
        what: &'static str,
    },
    /// The device is in a state that makes no sense here.
    #[error("the device is in {} after {what}", state.name())]
    State {
        /// That state.
        state: State,
        /// What it was asked for.
        what: &'static str,
    },
    /// The device asks for more silence than anything it does could take.
    #[error("the device asks for {} ms of silence, the limit is {} ms", asked.as_millis(), limit.as_millis())]
    PollTooLong {
        /// What it asks for.
        asked: Duration,
        /// What it may ask for.
        limit: Duration,
    },
    /// Fewer bytes came than there must be.
    #[error("{need} bytes were asked for, {got} came")]
    Short {
        /// Bytes asked for.
        need: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The data need more blocks than there are numbers, or none at all.
    #[error("{size} bytes cannot be moved in blocks of {block} bytes")]
    Size {
        /// Bytes of data.
        size: u64,
        /// Bytes of a block.
        block: u16,
    },
    /// The device's own map says that this may not be done there.
    #[error("the device does not allow that at {address:#010x}")]
    NotAllowed {
        /// The first address concerned.
        address: u32,
    },
    /// The device has no interface in DFU mode.
    #[error("the device has no DFU interface")]
    NoInterface,
    /// Bytes of the device that are not what they should be.
    #[error("an answer of the device is malformed: {0}")]
    Malformed(#[from] Malformed),
}

/// What came of a request, or why the steps are asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// Begin.
    Start,
    /// The pause is over.
    Woke,
    /// The request was taken; the bytes are those of an IN.
    Reply(&'a [u8]),
    /// The request was refused.
    Stall,
    /// Nothing came in time.
    Silence,
    /// The device left.
    Gone,
}

impl<'a> Told<'a> {
    /// The reply, where only a reply will do.
    pub(super) fn reply(self, what: &'static str) -> Result<&'a [u8], Failure> {
        match self {
            Self::Reply(bytes) => Ok(bytes),
            Self::Stall => Err(Failure::Refused { what }),
            Self::Gone => Err(Failure::Gone),
            Self::Start | Self::Woke | Self::Silence => Err(Failure::Timeout { what }),
        }
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    /// A request, and how long it may take.
    Ask(Setup, Vec<u8>, Duration),
    /// Nothing until this moment.
    Pause(Duration),
    /// That was all.
    Done(T),
}

impl<T> Next<T> {
    /// The same for steps with another result, or this one's result.
    pub(super) fn carry<U>(self) -> Result<Next<U>, T> {
        match self {
            Self::Ask(setup, data, patience) => Ok(Next::Ask(setup, data, patience)),
            Self::Pause(until) => Ok(Next::Pause(until)),
            Self::Done(result) => Err(result),
        }
    }
}

pub(super) type Step<T> = Result<Next<T>, Failure>;

/// An operation, without the waiting.
pub(super) trait Steps<T> {
    /// Goes one step on.
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<T>;

    /// Bytes of data moved, and bytes there are.
    fn progress(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// One operation on a control link.
pub struct Conversation<T> {
    steps: Box<dyn Steps<T> + Send>,
    stage: Stage,
    outcome: Option<Result<T, Failure>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Sending(Setup, Vec<u8>, Duration),
    Waiting { until: Duration, most: usize },
    Pausing { until: Duration },
    Over,
}

impl<T> Conversation<T> {
    pub(super) fn new(steps: impl Steps<T> + Send + 'static) -> Self {
        Self {
            steps: Box::new(steps),
            stage: Stage::Start,
            outcome: None,
        }
    }

    /// Bytes of data moved, and bytes there are; zeros where there are no data.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.steps.progress()
    }

    fn step(&mut self, now: Duration, told: Told<'_>) {
        self.stage = match self.steps.next(now, told) {
            Ok(Next::Ask(setup, data, patience)) => Stage::Sending(setup, data, patience),
            Ok(Next::Pause(until)) => Stage::Pausing { until },
            Ok(Next::Done(result)) => {
                self.outcome = Some(Ok(result));
                Stage::Over
            }
            Err(failure) => {
                self.outcome = Some(Err(failure));
                Stage::Over
            }
        };
    }
}

impl<T> std::fmt::Debug for Conversation<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl<T> Machine for Conversation<T> {
    type Output = Result<T, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        let told = match (&self.stage, input) {
            (Stage::Over, _) => return,
            (_, Input::Gone) => Told::Gone,
            (Stage::Waiting { most, .. }, Input::Bytes(bytes)) if bytes.len() > *most => {
                let value = bytes.len() as u64;
                let field = "length of a reply";
                self.outcome = Some(Err(Malformed::Field { field, value }.into()));
                self.stage = Stage::Over;
                return;
            }
            (Stage::Waiting { .. }, Input::Bytes(bytes)) => Told::Reply(bytes),
            (Stage::Waiting { .. }, Input::Stall) => Told::Stall,
            // An answer to what is not asked any more.
            _ => return,
        };
        self.step(now, told);
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Start => self.step(now, Told::Start),
                Stage::Sending(setup, data, patience) => {
                    let until = now.saturating_add(patience);
                    let comes_in = setup.request_type & 0x80 != 0;
                    let most = if comes_in { setup.length.into() } else { 0 };
                    self.stage = Stage::Waiting { until, most };
                    let mut frame = setup.encode().to_vec();
                    frame.extend(data);
                    return Turn::Send(frame);
                }
                Stage::Waiting { until, .. } if until <= now => self.step(now, Told::Silence),
                Stage::Pausing { until } if until <= now => self.step(now, Told::Woke),
                waiting @ (Stage::Waiting { until, .. } | Stage::Pausing { until }) => {
                    self.stage = waiting;
                    return Turn::Wait { until };
                }
                Stage::Over => {
                    let again = Failure::Timeout {
                        what: "an operation that had ended before",
                    };
                    return Turn::Done(self.outcome.take().unwrap_or(Err(again)));
                }
            }
        }
    }
}

/// A request without consequences for the steps after it: there are none.
pub(super) struct One<T> {
    pub setup: Setup,
    pub patience: Duration,
    pub what: &'static str,
    pub read: fn(&[u8]) -> Result<T, Failure>,
    /// What departure and silence mean, where they are no failure.
    pub parting: Option<fn() -> T>,
}

impl<T> Steps<T> for One<T> {
    fn next(&mut self, _now: Duration, told: Told<'_>) -> Step<T> {
        match (told, self.parting) {
            (Told::Start, _) => Ok(Next::Ask(self.setup, Vec::new(), self.patience)),
            (Told::Gone | Told::Silence, Some(parting)) => Ok(Next::Done(parting())),
            _ => (self.read)(told.reply(self.what)?).map(Next::Done),
        }
    }
}

/// What an operation needs to know about device and patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub interface: u8,
    pub limits: Limits,
}

impl Reach {
    pub(super) fn out<T>(&self, request: u8, value: u16, data: Vec<u8>) -> Next<T> {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        let setup = Setup::class_out(request, value, self.interface, length);
        Next::Ask(setup, data, self.limits.transfer)
    }

    pub(super) fn read<T>(&self, request: u8, value: u16, length: u16) -> Next<T> {
        let setup = Setup::class_in(request, value, self.interface, length);
        Next::Ask(setup, Vec::new(), self.limits.transfer)
    }

    pub(super) fn get_status<T>(&self) -> Next<T> {
        let length = Report::LEN as u16;
        self.read(super::request::GETSTATUS, 0, length)
    }

    /// Refuses a poll time that is out of all proportion.
    pub(super) fn poll(&self, report: &Report) -> Result<Duration, Failure> {
        if report.poll > self.limits.poll {
            return Err(Failure::PollTooLong {
                asked: report.poll,
                limit: self.limits.poll,
            });
        }
        Ok(report.poll.max(SHORTEST_PAUSE))
    }
}

/// What is waited between two questions even if the device asks for nothing.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
