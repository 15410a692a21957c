//! Our side of protocol v1: asking who is there, and sending a camera away.

use std::time::Duration;

use super::codec::{ARCH_SIZE, Arch, Command, Opcode, VERSION_SIZE, VersionScan, encode_version};
use crate::machine::{Input, Machine, Malformed, Turn};
use crate::v2::{Leave, host::Farewell};

/// Wait for the answer to `FW_VERSION`.
pub const VERSION_PATIENCE: Duration = Duration::from_millis(250);
/// Wait for the answer to `ARCH_STR`: a camera that restarts its interpreter lets commands
/// queue for a while.
const ARCH_PATIENCE: Duration = Duration::from_secs(1);
/// How long a camera may take to leave the bus before it counts as not seen leaving.
const LEAVE_PATIENCE: Duration = Duration::from_millis(500);

/// Why a camera that should speak v1 did not say who it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Not one byte.
    #[error("the camera does not answer")]
    Silent,
    /// Bytes, but no version among them.
    #[error("what answers does not speak the camera protocol")]
    Noise,
    /// It left the bus.
    #[error("the camera has left")]
    Gone,
    /// It told its version and then not, or not all of, its name.
    #[error("the camera stopped in the middle of an answer: {0}")]
    Cut(Malformed),
    /// Its name is not text.
    #[error("the camera answers wrongly: {0}")]
    Malformed(Malformed),
}

/// Who a camera says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Major, minor, patch.
    pub firmware: [u8; 3],
    /// Its name; `None` from firmware before 1.7, which has no command for it.
    pub arch: Option<Arch>,
}

#[derive(Clone, Debug)]
enum Stage {
    Version {
        tries_left: u32,
        until: Duration,
    },
    Arch {
        firmware: [u8; 3],
        until: Duration,
        bytes: Vec<u8>,
    },
    Over(Result<Identity, Failure>),
}

/// Asks `FW_VERSION`, then `ARCH_STR`. Sends nothing else, ever: every byte of it is a valid
/// command, which no firmware minds.
#[derive(Clone, Debug)]
pub struct Identify {
    stage: Stage,
    /// Questions for the version sent, here or before; each may be answered late.
    asked: u32,
    patience: Duration,
    scan: VersionScan,
    any_byte: bool,
    send: Option<Command>,
    begun: bool,
}

impl Identify {
    /// Asks for the version up to twice, 250 ms each. Takes 1.5 s at most.
    #[must_use]
    pub fn new() -> Self {
        Self::with_patience(2, VERSION_PATIENCE)
    }

    /// Asks for the version `tries` times, `patience` each.
    #[must_use]
    pub fn with_patience(tries: u32, patience: Duration) -> Self {
        Self {
            stage: Stage::Version {
                tries_left: tries,
                until: Duration::ZERO,
            },
            asked: tries,
            patience,
            scan: VersionScan::default(),
            any_byte: false,
            send: None,
            begun: false,
        }
    }

    /// Expects late answers to this many questions that others sent before.
    #[must_use]
    pub fn after(mut self, asked: u32) -> Self {
        self.asked += asked;
        self
    }

    /// Goes on from a version that came as the answer to one of `asked` questions.
    #[must_use]
    pub fn knowing(firmware: [u8; 3], asked: u32, now: Duration) -> Self {
        let mut machine = Self::with_patience(0, VERSION_PATIENCE).after(asked);
        machine.ask_arch(firmware, now);
        machine
    }

    /// Whether a version has come.
    #[must_use]
    pub const fn has_heard(&self) -> bool {
        matches!(self.stage, Stage::Arch { .. } | Stage::Over(Ok(_)))
    }

    fn ask_arch(&mut self, firmware: [u8; 3], now: Duration) {
        self.send = Some(Command {
            opcode: Opcode::ARCH_STR,
            length: ARCH_SIZE as u32,
        });
        self.stage = Stage::Arch {
            firmware,
            until: now + ARCH_PATIENCE,
            bytes: Vec::new(),
        };
    }

    fn take(&mut self, now: Duration, byte: u8) {
        match &mut self.stage {
            Stage::Version { .. } => {
                if let Some(firmware) = self.scan.feed(byte) {
                    self.ask_arch(firmware, now);
                }
            }
            Stage::Arch {
                firmware, bytes, ..
            } => {
                bytes.push(byte);
                // A question that was repeated may be answered again. Text never begins so.
                if self.asked > 1 && *bytes == encode_version(*firmware) {
                    self.asked -= 1;
                    bytes.clear();
                }
                if let Some(bytes) = bytes.first_chunk() {
                    self.stage = Stage::Over(match Arch::decode(bytes) {
                        Ok(arch) => Ok(Identity {
                            firmware: *firmware,
                            arch: Some(arch),
                        }),
                        Err(malformed) => Err(Failure::Malformed(malformed)),
                    });
                }
            }
            Stage::Over(_) => {}
        }
    }
}

impl Default for Identify {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine for Identify {
    type Output = Result<Identity, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                self.any_byte |= !bytes.is_empty();
                for byte in bytes {
                    self.take(now, *byte);
                }
            }
            Input::Stall => {}
            Input::Gone if matches!(self.stage, Stage::Over(_)) => {}
            Input::Gone => self.stage = Stage::Over(Err(Failure::Gone)),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        if let Some(command) = self.send.take() {
            return Turn::Send(command.encode().to_vec());
        }
        match &mut self.stage {
            Stage::Version { until, .. } if self.begun && now < *until => {
                Turn::Wait { until: *until }
            }
            Stage::Version { tries_left: 0, .. } => {
                let failure = match self.any_byte {
                    true => Failure::Noise,
                    false => Failure::Silent,
                };
                self.stage = Stage::Over(Err(failure.clone()));
                Turn::Done(Err(failure))
            }
            Stage::Version { tries_left, until } => {
                *tries_left -= 1;
                *until = now + self.patience;
                self.begun = true;
                let command = Command {
                    opcode: Opcode::FW_VERSION,
                    length: VERSION_SIZE as u32,
                };
                Turn::Send(command.encode().to_vec())
            }
            Stage::Arch { until, .. } if now < *until => Turn::Wait { until: *until },
            Stage::Arch {
                firmware, bytes, ..
            } => {
                let outcome = match *firmware < [1, 7, 0] && bytes.is_empty() {
                    true => Ok(Identity {
                        firmware: *firmware,
                        arch: None,
                    }),
                    false => Err(Failure::Cut(Malformed::Short {
                        need: ARCH_SIZE,
                        got: bytes.len(),
                    })),
                };
                self.stage = Stage::Over(outcome.clone());
                Turn::Done(outcome)
            }
            Stage::Over(outcome) => Turn::Done(outcome.clone()),
        }
    }
}

/// Sends a camera away: six bytes that get no answer. Takes 0.5 s at most.
///
/// Going to the bootloader exists since firmware 3.8; before, the same opcode meant something
/// else, so ask for the version first.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    leave: Leave,
    sent: Option<Duration>,
    gone: bool,
}

impl Reset {
    /// Starts with the first `poll`.
    #[must_use]
    pub const fn new(leave: Leave) -> Self {
        Self {
            leave,
            sent: None,
            gone: false,
        }
    }
}

impl Machine for Reset {
    type Output = Result<Farewell, Failure>;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        self.gone |= input == Input::Gone;
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        match self.sent {
            None if self.gone => Turn::Done(Err(Failure::Gone)),
            None => {
                self.sent = Some(now);
                let opcode = match self.leave {
                    Leave::Reset => Opcode::SYS_RESET,
                    Leave::Bootloader => Opcode::SYS_RESET_TO_BL,
                };
                Turn::Send(Command { opcode, length: 0 }.encode().to_vec())
            }
            Some(_) if self.gone => Turn::Done(Ok(Farewell::Seen)),
            Some(sent) if now < sent + LEAVE_PATIENCE => Turn::Wait {
                until: sent + LEAVE_PATIENCE,
            },
            Some(_) => Turn::Done(Ok(Farewell::Unseen)),
        }
    }
}
