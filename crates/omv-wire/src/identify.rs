//! Asking a running camera who it is, without knowing which protocol its firmware speaks.
//!
//! ```text
//!   listen 100 ms -> v1 FW_VERSION, twice 250 ms --answer--> v1 ARCH_STR -------------> V1
//!        |                     | silence
//!        | packet of v2        v
//!        +-----------------> v2 SYNC, 3 times 500 ms --answer--> the rest of v2 ------> V2
//!                              | silence
//!                              v
//!            1.1 s nothing -> v1 FW_VERSION once more --answer--> v1 ARCH_STR --------> V1
//! ```
//!
//! The order protects cameras: v1 firmware up to 4.7.0 on TinyUSB boards hangs for good at the
//! first byte that is no v1 command, while v2 drops v1 commands without harm. The pause before
//! the last question outlasts the second after which firmware 4.8 abandons a transfer that
//! another program left unfinished.
//!
//! A camera that is known to be v1 (USB id 1209:ABD1 has never been anything else) should be
//! asked by [`v1::host::Identify`] alone: then nothing it may not survive is ever sent.
//!
//! Sources: openmv/openmv `tinyusb_debug.c` at v4.7.0 and v4.8.1, `protocol/omv_protocol.c`.

use std::time::Duration;

use crate::machine::{Input, Machine, Malformed, Turn};
use crate::v1;
use crate::v1::codec::VersionScan;
use crate::v2;
use crate::v2::codec::Status;
use crate::v2::parser::Parser;

/// Listening for what was on its way when the port was opened.
const SETTLE: Duration = Duration::from_millis(100);
/// Longer than the 1000 ms after which firmware 4.8 abandons a data phase.
const PAUSE: Duration = Duration::from_millis(1100);
/// Wait for the answer to the last question.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
/// Makes a `SYNC` of ten bytes two groups of six: firmware 4.8 takes six bytes at a time, and
/// one that was merely slow must find the next command where a command begins. v2 drops these.
const FILLER: [u8; 2] = [0; 2];
/// Questions for the version sent before v2 is tried.
const ASKED: u32 = 2;

/// Which protocol a camera speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Firmware up to 4.8.1.
    V1,
    /// Firmware from 5.0.0 on.
    V2,
}

/// Who a running camera says it is. Text is printable ASCII of bounded length, but still the
/// camera's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Which protocol.
    pub generation: Generation,
    /// Major, minor, patch.
    pub firmware: [u8; 3],
    /// The board's name in v1, such as `OMV4 H7 1024`.
    pub arch: Option<String>,
    /// The board's family in v1, such as `H7`.
    pub kind: Option<String>,
    /// Unique id of the chip; the same number in both protocols. See [`uid_text`].
    pub uid: Option<[u32; 3]>,
    /// USB vendor and product, in v2.
    pub usb: Option<(u16, u16)>,
    /// Version of the bootloader, in v2; not proof of what is in flash.
    pub bootloader: Option<[u8; 3]>,
    /// Largest payload the camera can take or send, bytes, in v2.
    pub max_payload: Option<u16>,
    /// Everything else v2 tells.
    pub v2: Option<v2::host::Identity>,
}

/// A chip's id as OpenMV prints it: 24 hexadecimal digits, upper case.
#[must_use]
pub fn uid_text(uid: [u32; 3]) -> String {
    let [w0, w1, w2] = uid;
    format!("{w0:08X}{w1:08X}{w2:08X}")
}

impl From<v1::host::Identity> for Who {
    fn from(identity: v1::host::Identity) -> Self {
        let (arch, kind, uid) = match identity.arch {
            Some(arch) => (Some(arch.arch), arch.kind, arch.uid),
            None => (None, None, None),
        };
        Self {
            generation: Generation::V1,
            firmware: identity.firmware,
            arch,
            kind,
            uid,
            usb: None,
            bootloader: None,
            max_payload: None,
            v2: None,
        }
    }
}

impl From<v2::host::Identity> for Who {
    fn from(identity: v2::host::Identity) -> Self {
        Self {
            generation: Generation::V2,
            firmware: identity.version.firmware,
            arch: None,
            kind: None,
            uid: Some(identity.info.uid),
            usb: Some(identity.info.usb),
            bootloader: Some(identity.version.bootloader),
            max_payload: Some(identity.max_payload),
            v2: Some(identity),
        }
    }
}

/// Why nobody said who they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Not one byte came. A camera that hangs, is busy, or is no camera.
    #[error("the camera does not answer")]
    Silent,
    /// Bytes came, but in neither protocol.
    #[error("what answers speaks neither camera protocol")]
    Noise,
    /// It answers, but stops in the middle or keeps losing requests.
    #[error("the camera stops answering half way")]
    Lost,
    /// It left the bus.
    #[error("the camera has left")]
    Gone,
    /// It refuses a question every camera answers.
    #[error("the camera refuses request {opcode:#04x}: {status}")]
    Refused {
        /// The request.
        opcode: u8,
        /// Its reason.
        status: Status,
    },
    /// It answers something no camera says.
    #[error("the camera answers wrongly: {0}")]
    Malformed(Malformed),
}

impl From<v1::host::Failure> for Failure {
    fn from(failure: v1::host::Failure) -> Self {
        match failure {
            v1::host::Failure::Silent => Self::Silent,
            v1::host::Failure::Noise => Self::Noise,
            v1::host::Failure::Gone => Self::Gone,
            v1::host::Failure::Cut(_) => Self::Lost,
            v1::host::Failure::Malformed(malformed) => Self::Malformed(malformed),
        }
    }
}

impl From<v2::host::Failure> for Failure {
    fn from(failure: v2::host::Failure) -> Self {
        match failure {
            v2::host::Failure::Silent => Self::Silent,
            v2::host::Failure::Noise => Self::Noise,
            v2::host::Failure::Lost => Self::Lost,
            v2::host::Failure::Gone => Self::Gone,
            v2::host::Failure::Refused { opcode, status } => Self::Refused { opcode, status },
            v2::host::Failure::Malformed { source, .. } => Self::Malformed(source),
        }
    }
}

#[derive(Clone, Debug)]
enum Stage {
    Settle { until: Option<Duration> },
    First(v1::host::Identify),
    V2(Box<v2::host::Connect>),
    Pause { until: Duration },
    Last(v1::host::Identify),
    Over(Box<Result<Who, Failure>>),
}

/// Finds out who is there. Takes 5 s at most.
#[derive(Clone, Debug)]
pub struct Identify {
    stage: Stage,
    /// Looks for packets of v2 while v1 is spoken.
    parser: Parser,
    /// Looks for late answers of v1 while v2 is spoken.
    scan: VersionScan,
    any_byte: bool,
}

impl Identify {
    /// Starts with the first `poll`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stage: Stage::Settle { until: None },
            parser: Parser::default(),
            scan: VersionScan::default(),
            any_byte: false,
        }
    }

    fn end(&mut self, outcome: Result<Who, Failure>) {
        self.stage = Stage::Over(Box::new(outcome));
    }

    fn speak_v2(&mut self) {
        self.stage = Stage::V2(Box::new(v2::host::Connect::new(v2::host::Wish::USB)));
    }

    fn hear(&mut self, now: Duration, bytes: &[u8]) {
        self.any_byte |= !bytes.is_empty();
        match &mut self.stage {
            Stage::Settle { .. } => {
                if !self.parser.feed(bytes).is_empty() {
                    self.speak_v2();
                }
            }
            Stage::First(machine) | Stage::Last(machine) => {
                machine.feed(now, Input::Bytes(bytes));
                // An event with its checksum right: no v1 camera has ever said that.
                if !machine.has_heard() && !self.parser.feed(bytes).is_empty() {
                    self.speak_v2();
                }
            }
            Stage::V2(machine) => {
                machine.feed(now, Input::Bytes(bytes));
                if machine.has_heard() {
                    return;
                }
                for (index, byte) in bytes.iter().enumerate() {
                    if let Some(firmware) = self.scan.feed(*byte) {
                        let mut machine = v1::host::Identify::knowing(firmware, ASKED, now);
                        let rest = bytes.get(index + 1..).unwrap_or_default();
                        machine.feed(now, Input::Bytes(rest));
                        self.stage = Stage::Last(machine);
                        return;
                    }
                }
            }
            Stage::Pause { .. } | Stage::Over(_) => {}
        }
    }

    /// Moves one stage on if this one is over; otherwise what it wants.
    fn advance(&mut self, now: Duration) -> Option<Turn<Result<Who, Failure>>> {
        match &mut self.stage {
            Stage::Settle { until } => {
                let until = *until.get_or_insert(now + SETTLE);
                if now < until {
                    return Some(Turn::Wait { until });
                }
                self.stage = Stage::First(v1::host::Identify::new());
            }
            Stage::First(machine) => match machine.poll(now) {
                Turn::Done(Err(v1::host::Failure::Silent | v1::host::Failure::Noise)) => {
                    self.speak_v2();
                }
                Turn::Done(outcome) => self.end(outcome.map(Who::from).map_err(Failure::from)),
                Turn::Send(bytes) => return Some(Turn::Send(bytes)),
                Turn::Wait { until } => return Some(Turn::Wait { until }),
            },
            Stage::V2(machine) => match machine.poll(now) {
                Turn::Done(Err(v2::host::Failure::Silent | v2::host::Failure::Noise)) => {
                    self.stage = Stage::Pause { until: now + PAUSE };
                }
                Turn::Done(outcome) => {
                    let outcome = outcome.map(|connected| Who::from(connected.identity));
                    self.end(outcome.map_err(Failure::from));
                }
                Turn::Send(mut bytes) => {
                    if !machine.has_heard() {
                        bytes.extend(FILLER);
                    }
                    return Some(Turn::Send(bytes));
                }
                Turn::Wait { until } => return Some(Turn::Wait { until }),
            },
            Stage::Pause { until } if now < *until => return Some(Turn::Wait { until: *until }),
            Stage::Pause { .. } => {
                let machine = v1::host::Identify::with_patience(1, LAST_PATIENCE);
                self.stage = Stage::Last(machine.after(ASKED));
            }
            Stage::Last(machine) => match machine.poll(now) {
                Turn::Done(Err(v1::host::Failure::Silent)) if self.any_byte => {
                    self.end(Err(Failure::Noise));
                }
                Turn::Done(outcome) => self.end(outcome.map(Who::from).map_err(Failure::from)),
                Turn::Send(bytes) => return Some(Turn::Send(bytes)),
                Turn::Wait { until } => return Some(Turn::Wait { until }),
            },
            Stage::Over(outcome) => return Some(Turn::Done(outcome.as_ref().clone())),
        }
        None
    }
}

impl Default for Identify {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine for Identify {
    type Output = Result<Who, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.hear(now, bytes),
            Input::Stall => {}
            Input::Gone if matches!(self.stage, Stage::Over(_)) => {}
            Input::Gone => self.end(Err(Failure::Gone)),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        loop {
            if let Some(turn) = self.advance(now) {
                return turn;
            }
        }
    }
}
