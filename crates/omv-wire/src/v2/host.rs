//! Our side of protocol v2: opening a session, and sending a camera away.
//!
//! ```text
//!   SYNC (up to 3 times) -> GET_CAPS -> SET_CAPS -> VERSION -> CHANNEL_LIST -> SYS_INFO -> done
//!     ^                        |           |           |            |             |
//!     +------------------------+-----------+-----------+------------+-------------+
//!        no answer in time, wrong counter, soft reboot: from the start, within the limit
//! ```

use std::time::Duration;

use super::Leave;
use super::codec::{MIN_PAYLOAD, Opcode, Status};
use super::records::{Caps, Channel, SysInfo, Version};
use super::session::{Answer, Request, Session, Step};
use crate::machine::{Input, Machine, Malformed, Turn};

/// Times `SYNC` is sent before a camera counts as silent.
const SYNC_TRIES: u32 = 3;
/// Wait for the answer to one `SYNC`.
const SYNC_PATIENCE: Duration = Duration::from_millis(500);
/// Wait for the answer to each question after it: any camera that is awake answers at once, and
/// what was lost is asked for again from the start.
const QUESTION_PATIENCE: Duration = Duration::from_millis(500);
/// Questions asked again before everything starts over.
const REPEATS: u32 = 5;
/// All of an opening, repetitions included.
const CONNECT_LIMIT: Duration = Duration::from_millis(4000);
/// How long a camera may take to leave the bus before it counts as not seen leaving.
const LEAVE_PATIENCE: Duration = Duration::from_millis(500);

/// Why a camera that should speak v2 did not say what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Not one byte.
    #[error("the camera does not answer")]
    Silent,
    /// Bytes, but no packet of this protocol among them.
    #[error("what answers does not speak the camera protocol")]
    Noise,
    /// It answers, but requests keep getting lost.
    #[error("the camera keeps losing the thread")]
    Lost,
    /// It left the bus.
    #[error("the camera has left")]
    Gone,
    /// A refusal that asking again does not change.
    #[error("the camera refuses request {opcode:#04x}: {status}")]
    Refused {
        /// The request.
        opcode: u8,
        /// Its reason.
        status: Status,
    },
    /// An answer that is not what the protocol says.
    #[error("the camera answers request {opcode:#04x} wrongly: {source}")]
    Malformed {
        /// The request.
        opcode: u8,
        /// What is wrong with the answer.
        source: Malformed,
    },
}

/// Who a camera says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Versions of protocol, bootloader (see [`Version`]) and firmware.
    pub version: Version,
    /// Chip, USB id, sensors.
    pub info: SysInfo,
    /// Its channels, in the order it lists them.
    pub channels: Vec<Channel>,
    /// Largest payload the camera can take or send, bytes; the session may use less.
    pub max_payload: u16,
}

/// An open session with a camera that has said who it is.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Who.
    pub identity: Identity,
    /// Ready for the next request.
    pub session: Session,
}

/// What a host would like to agree on; the camera's payload limit still bounds its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish(pub Caps);

impl Wish {
    /// For USB: no ACK per packet, which costs a round trip each and gives nothing there.
    pub const USB: Self = Self(Caps {
        crc: true,
        seq: true,
        ack: false,
        events: true,
        max_payload: u16::MAX,
    });
    /// For lines that lose bytes.
    pub const SERIAL_LINE: Self = Self(Caps {
        crc: true,
        seq: true,
        ack: true,
        events: true,
        max_payload: u16::MAX,
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sync { tries: u32 },
    GetCaps,
    SetCaps(Caps),
    Version,
    ChannelList,
    SysInfo,
}

/// Opens a session and asks who answers. Takes 4 s at most, unless told [`within`](Self::within).
#[derive(Clone, Debug)]
pub struct Connect {
    wish: Wish,
    session: Session,
    stage: Stage,
    deadline: Option<Duration>,
    device_limit: u16,
    version: Option<Version>,
    channels: Vec<Channel>,
    any_byte: bool,
    repeats: u32,
    limit: Duration,
    outcome: Option<Result<Identity, Failure>>,
}

impl Connect {
    /// Starts with the first `poll`.
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            session: Session::default(),
            stage: Stage::Sync { tries: 0 },
            deadline: None,
            device_limit: 0,
            version: None,
            channels: Vec::new(),
            any_byte: false,
            repeats: 0,
            limit: CONNECT_LIMIT,
            outcome: None,
        }
    }

    /// Takes up to `limit`: on a line that damages much, four seconds are short.
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Whether an intact packet of this protocol has come.
    #[must_use]
    pub const fn has_heard(&self) -> bool {
        self.session.has_heard()
    }

    fn restart(&mut self, now: Duration) {
        self.stage = Stage::Sync { tries: 1 };
        self.session.sync(now, SYNC_PATIENCE);
    }

    fn ask(&mut self, now: Duration, stage: Stage) {
        let request = match stage {
            Stage::Sync { .. } => Request::new(Opcode::SYNC),
            Stage::GetCaps => Request::new(Opcode::GET_CAPS),
            Stage::SetCaps(caps) => Request {
                payload: caps.encode(),
                ..Request::new(Opcode::SET_CAPS)
            },
            Stage::Version => Request::new(Opcode::VERSION),
            Stage::ChannelList => Request::new(Opcode::CHANNEL_LIST),
            Stage::SysInfo => Request::new(Opcode::SYS_INFO),
        };
        self.stage = stage;
        self.session.ask(
            now,
            Request {
                patience: QUESTION_PATIENCE,
                ..request
            },
        );
    }

    /// Why it ends when it ends without an answer.
    fn silence(&self) -> Failure {
        match (self.session.has_heard(), self.any_byte) {
            (true, _) => Failure::Lost,
            (false, true) => Failure::Noise,
            (false, false) => Failure::Silent,
        }
    }

    fn take(&mut self, now: Duration, answer: Answer) -> Result<Option<Identity>, Failure> {
        let opcode = match self.stage {
            Stage::Sync { .. } => Opcode::SYNC,
            Stage::GetCaps => Opcode::GET_CAPS,
            Stage::SetCaps(_) => Opcode::SET_CAPS,
            Stage::Version => Opcode::VERSION,
            Stage::ChannelList => Opcode::CHANNEL_LIST,
            Stage::SysInfo => Opcode::SYS_INFO,
        };
        let wrong = |source| Failure::Malformed {
            opcode: opcode.0,
            source,
        };
        match (self.stage, answer) {
            (Stage::Sync { .. }, Answer::Accepted) => self.ask(now, Stage::GetCaps),
            (Stage::Sync { tries }, _) if tries >= SYNC_TRIES => return Err(self.silence()),
            (Stage::Sync { tries }, _) => {
                self.restart(now);
                self.stage = Stage::Sync { tries: tries + 1 };
            }
            (Stage::GetCaps, Answer::Data(data)) => {
                let offered = Caps::decode(&data).map_err(wrong)?;
                if offered.max_payload < MIN_PAYLOAD {
                    return Err(wrong(Malformed::Field {
                        field: "max_payload",
                        value: offered.max_payload.into(),
                    }));
                }
                self.device_limit = offered.max_payload;
                let mut caps = self.wish.0;
                caps.max_payload = caps.max_payload.clamp(MIN_PAYLOAD, offered.max_payload);
                self.ask(now, Stage::SetCaps(caps));
            }
            (Stage::SetCaps(caps), Answer::Accepted) => {
                self.session.adopt(caps);
                self.ask(now, Stage::Version);
            }
            (Stage::Version, Answer::Data(data)) => {
                self.version = Some(Version::decode(&data).map_err(wrong)?);
                self.ask(now, Stage::ChannelList);
            }
            (Stage::ChannelList, Answer::Data(data)) => {
                self.channels = Channel::decode_list(&data).map_err(wrong)?;
                self.ask(now, Stage::SysInfo);
            }
            (Stage::SysInfo, Answer::Data(data)) => {
                let info = SysInfo::decode(&data).map_err(wrong)?;
                let version = self.version.ok_or(Failure::Lost)?;
                return Ok(Some(Identity {
                    version,
                    info,
                    channels: std::mem::take(&mut self.channels),
                    max_payload: self.device_limit,
                }));
            }
            (_, Answer::Rebooted | Answer::Cut(_)) => self.restart(now),
            // Whether it was carried out is unknown.
            (Stage::SetCaps(_), Answer::Late) => self.restart(now),
            // Nothing was carried out, or it does no harm twice: the refusal of the wrong counter
            // tells the right one. If that does not help, a fresh start does.
            (
                stage,
                Answer::Late
                | Answer::Refused {
                    status: Status::SEQUENCE | Status::CHECKSUM | Status::OVERFLOW,
                    ..
                },
            ) => {
                self.repeats += 1;
                match self.repeats % REPEATS {
                    0 => self.restart(now),
                    _ => self.ask(now, stage),
                }
            }
            (_, Answer::Refused { status, .. }) => {
                return Err(Failure::Refused {
                    opcode: opcode.0,
                    status,
                });
            }
            (_, Answer::Accepted | Answer::Data(_) | Answer::TooLong) => {
                return Err(wrong(Malformed::Field {
                    field: "answer",
                    value: opcode.0.into(),
                }));
            }
        }
        Ok(None)
    }
}

impl Machine for Connect {
    type Output = Result<Connected, Failure>;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        if self.outcome.is_some() {
            return;
        }
        match input {
            Input::Bytes(bytes) => {
                self.any_byte |= !bytes.is_empty();
                self.session.hear(bytes);
            }
            Input::Stall => {}
            Input::Gone => self.outcome = Some(Err(Failure::Gone)),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => {
                self.restart(now);
                *self.deadline.insert(now + self.limit)
            }
        };
        loop {
            if let Some(outcome) = &self.outcome {
                let session = self.session.clone();
                return Turn::Done(
                    outcome
                        .clone()
                        .map(|identity| Connected { identity, session }),
                );
            }
            if now >= deadline {
                self.outcome = Some(Err(self.silence()));
                continue;
            }
            match self.session.turn(now) {
                Step::Send(bytes) => return Turn::Send(bytes),
                Step::Wait(until) => {
                    return Turn::Wait {
                        until: until.min(deadline),
                    };
                }
                Step::Answer(answer) => match self.take(now, answer) {
                    Ok(None) => {}
                    Ok(Some(identity)) => self.outcome = Some(Ok(identity)),
                    Err(failure) => self.outcome = Some(Err(failure)),
                },
                Step::Idle => self.restart(now),
            }
        }
    }
}

/// How a camera took its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It left the bus.
    Seen,
    /// It did not say no, but the link did not tell of its going either; not every link can.
    Unseen,
}

/// Tells a camera to reset or to enter its bootloader: `SYNC`, then a request that gets no
/// answer. Takes 2 s at most.
///
/// Firmware for boards without a bootloader of its own resets in both cases; with a bootloader
/// before 1.0.2, OpenMV's editor asks for a plain reset instead.
///
/// Sources: openmv/openmv `protocol/omv_protocol.c`; openmv/qt-creator `src/plugins/openmv`.
#[derive(Clone, Debug)]
pub struct Dismiss {
    opcode: Opcode,
    session: Session,
    tries: u32,
    any_byte: bool,
    /// The request is on its way since.
    told: Option<Duration>,
    gone: bool,
}

impl Dismiss {
    /// Starts with the first `poll`.
    #[must_use]
    pub fn new(leave: Leave) -> Self {
        Self {
            opcode: match leave {
                Leave::Reset => Opcode::SYS_RESET,
                Leave::Bootloader => Opcode::SYS_BOOT,
            },
            session: Session::default(),
            tries: 0,
            any_byte: false,
            told: None,
            gone: false,
        }
    }
}

impl Machine for Dismiss {
    type Output = Result<Farewell, Failure>;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                self.any_byte |= !bytes.is_empty();
                self.session.hear(bytes);
            }
            Input::Stall => {}
            Input::Gone => self.gone = true,
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        if self.gone {
            return Turn::Done(match self.told {
                Some(_) => Ok(Farewell::Seen),
                None => Err(Failure::Gone),
            });
        }
        loop {
            match (self.session.turn(now), self.told) {
                (Step::Send(bytes), _) => return Turn::Send(bytes),
                (Step::Wait(until), _) => return Turn::Wait { until },
                (Step::Answer(Answer::Accepted), None) => {
                    let mut request = Request::new(self.opcode);
                    request.patience = LEAVE_PATIENCE;
                    self.session.ask(now, request);
                    self.told = Some(now);
                }
                (Step::Answer(Answer::Refused { status, .. }), Some(_)) => {
                    return Turn::Done(Err(Failure::Refused {
                        opcode: self.opcode.0,
                        status,
                    }));
                }
                (Step::Answer(_) | Step::Idle, Some(_)) => {
                    return Turn::Done(Ok(Farewell::Unseen));
                }
                (Step::Answer(_) | Step::Idle, None) if self.tries < SYNC_TRIES => {
                    self.tries += 1;
                    self.session.sync(now, SYNC_PATIENCE);
                }
                (Step::Answer(_) | Step::Idle, None) => {
                    return Turn::Done(Err(match (self.session.has_heard(), self.any_byte) {
                        (true, _) => Failure::Lost,
                        (false, true) => Failure::Noise,
                        (false, false) => Failure::Silent,
                    }));
                }
            }
        }
    }
}
