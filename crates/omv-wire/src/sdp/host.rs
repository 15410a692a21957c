//! Our side: one command from its first byte to its last answer.
//!
//! ```text
//!   Command --> Sending (files only) --> Hab --> Status or Register or Silence --> done
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::codec::{Command, Format, HAB_CLOSED, HAB_OPEN, kind};
use super::hid::{self, Report};
use crate::{Input, Machine, Malformed, Turn};

/// How long a refusal of a jump is waited for; silence is success.
const SILENCE: Duration = Duration::from_millis(200);
/// Reports, or pieces of leftovers, that mean nothing before a camera is given up.
const JUNK: usize = 64;

/// The framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// USB HID. Both sizes count bytes after the report id.
    Hid {
        /// Bytes a command report is padded to: 1024 as SPSDK, 16 as imx_usb_loader.
        command: usize,
        /// Bytes a data report is padded to, and carries.
        data: usize,
    },
    /// A serial line, 115200 baud 8N1 at first; nothing is added to the bytes.
    Uart,
}

impl Wire {
    /// HID with reports padded as SPSDK does.
    pub const HID: Self = Self::Hid {
        command: hid::PACKET,
        data: hid::PACKET,
    };
}

/// How to reach the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The framing.
    pub wire: Wire,
    /// How long the camera may take to go on, at every step.
    pub patience: Duration,
}

impl Setup {
    /// A framing with the 10 s of SPSDK's `sdphost`.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            patience: Duration::from_secs(10),
        }
    }
}

/// What is wanted of the ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How the boot went so far.
    ErrorStatus,
    /// Memory or registers.
    ReadRegister {
        /// Where.
        address: u32,
        /// Units to read in.
        format: Format,
        /// Bytes.
        count: u32,
    },
    /// One register to be written.
    WriteRegister {
        /// Where.
        address: u32,
        /// Its size.
        format: Format,
        /// What.
        value: u32,
    },
    /// A file to be put into RAM.
    WriteFile {
        /// Where.
        address: u32,
        /// What.
        data: Arc<[u8]>,
    },
    /// Device configuration data to be run.
    DcdWrite {
        /// Where they are put for that.
        address: u32,
        /// What.
        data: Arc<[u8]>,
    },
    /// The image's device configuration data to be left out.
    SkipDcd,
    /// An image to be started.
    JumpAddress {
        /// Of its vector table (IVT), not of its entry.
        address: u32,
    },
    /// Another baud rate.
    SetBaudrate {
        /// Bits per second.
        baud: u32,
    },
}

impl Request {
    /// The command block that asks for it.
    #[must_use]
    pub fn command(&self) -> Command {
        let count = |data: &[u8]| u32::try_from(data.len()).unwrap_or(u32::MAX);
        match self {
            Self::ErrorStatus => Command::error_status(),
            Self::ReadRegister {
                address,
                format,
                count,
            } => Command::read_register(*address, *format, *count),
            Self::WriteRegister {
                address,
                format,
                value,
            } => Command::write_register(*address, *format, *value),
            Self::WriteFile { address, data } => Command::write_file(*address, count(data)),
            Self::DcdWrite { address, data } => Command::dcd_write(*address, count(data)),
            Self::SkipDcd => Command::skip_dcd(),
            Self::JumpAddress { address } => Command::jump_address(*address),
            Self::SetBaudrate { baud } => Command::set_baudrate(*baud),
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::WriteFile { data, .. } | Self::DcdWrite { data, .. } => data,
            _ => &[],
        }
    }
}

/// What an open ROM said, be it yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HAB word, big-endian; always [`HAB_OPEN`].
    pub hab: u32,
    /// The status word, big-endian, where there is one: none after a jump that worked, and none
    /// with register data. [`hab::Event`](super::hab::Event) takes unknown ones apart.
    pub status: Option<u32>,
    /// Register data.
    pub data: Vec<u8>,
    /// Whether the command was carried out.
    pub done: bool,
}

/// Why a conversation broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The camera fell silent.
    #[error("waited in vain for {what}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
    },
    /// The camera left the bus.
    #[error("the camera left the bus")]
    Gone,
    /// The endpoint refused (USB STALL).
    #[error("the camera refused the transfer")]
    Refused,
    /// The chip is closed: it runs signed images only, and nothing of ours.
    #[error("the chip is locked: it takes signed images only")]
    Locked {
        /// The status word, if one came.
        status: Option<u32>,
    },
    /// The camera broke the rules of the protocol.
    #[error("{what}")]
    Protocol {
        /// What it did.
        what: &'static str,
    },
    /// Bytes of the camera that are no answer.
    #[error("an answer of the camera is malformed: {0}")]
    Malformed(#[from] Malformed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Command,
    Sending,
    Hab,
    Status,
    Register,
    Silence,
    Over,
}

/// One command, its data and its answers.
///
/// Before anything is said, and between pieces of a file, it looks whether something came
/// ([`Turn::Wait`] until now): leftovers of an exchange that was given up, or a camera that leaves.
pub struct Exchange {
    wire: Wire,
    request: Request,
    command: Command,
    patience: Duration,
    stage: Stage,
    since: Duration,
    looked: bool,
    junk: usize,
    sent: usize,
    hab: Option<u32>,
    /// Bytes of a word that came in pieces over UART.
    held: Vec<u8>,
    data: Vec<u8>,
    outcome: Option<Result<Answer, Failure>>,
}

impl Exchange {
    /// Prepares an exchange; the camera hears of it with the first poll.
    #[must_use]
    pub fn new(setup: Setup, request: Request) -> Self {
        Self {
            wire: setup.wire,
            command: request.command(),
            request,
            patience: setup.patience,
            stage: Stage::Command,
            since: Duration::ZERO,
            looked: false,
            junk: 0,
            sent: 0,
            hab: None,
            held: Vec::new(),
            data: Vec::new(),
            outcome: None,
        }
    }

    /// Bytes of data moved, and bytes there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        match self.request {
            Request::ReadRegister { count, .. } => (self.data.len() as u64, count.into()),
            _ => (self.sent as u64, self.request.data().len() as u64),
        }
    }

    fn finish(&mut self, outcome: Result<Answer, Failure>) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.outcome = Some(outcome);
        }
    }

    fn fail(&mut self, failure: impl Into<Failure>) {
        self.finish(Err(failure.into()));
    }

    fn answer(&mut self, status: Option<u32>) {
        match self.hab {
            Some(HAB_OPEN) => {
                let answer = Answer {
                    hab: HAB_OPEN,
                    status,
                    data: std::mem::take(&mut self.data),
                    done: status.is_none_or(|status| self.command.is_done_by(status)),
                };
                self.finish(Ok(answer));
            }
            _ => self.fail(Failure::Locked { status }),
        }
    }

    fn advance(&mut self, now: Duration, stage: Stage) {
        self.stage = stage;
        self.since = now;
    }

    fn on_hab(&mut self, now: Duration, word: [u8; 4]) {
        let word = u32::from_be_bytes(word);
        if self.hab.is_some() || !matches!(word, HAB_OPEN | HAB_CLOSED) {
            return self.fail(Failure::Protocol {
                what: "the camera sends something else than one HAB word",
            });
        }
        self.hab = Some(word);
        // While a file is being sent, the word only waits for its end.
        if self.stage == Stage::Hab {
            self.after_hab(now, word);
        }
    }

    fn after_hab(&mut self, now: Duration, word: u32) {
        let stage = match self.command.kind {
            // A locked chip may leave it at that word.
            _ if word == HAB_CLOSED => Stage::Silence,
            kind::JUMP_ADDRESS => Stage::Silence,
            kind::READ_REGISTER => Stage::Register,
            _ => Stage::Status,
        };
        self.advance(now, stage);
        if stage == Stage::Register && self.command.count == 0 {
            self.answer(None);
        }
    }

    fn on_status(&mut self, now: Duration, content: &[u8]) {
        if self.stage == Stage::Register {
            let wanted = usize::try_from(self.command.count).unwrap_or(usize::MAX);
            let missing = wanted.saturating_sub(self.data.len());
            self.data.extend(content.get(..missing).unwrap_or(content));
            self.since = now;
            if self.data.len() == wanted {
                self.answer(None);
            }
        } else if let Some(word) = content.first_chunk() {
            self.answer(Some(u32::from_be_bytes(*word)));
        }
    }

    fn on_report(&mut self, now: Duration, bytes: &[u8]) {
        match (Report::decode(bytes), self.stage) {
            (Ok(Report::Hab(word)), Stage::Sending | Stage::Hab) => self.on_hab(now, word),
            (Ok(Report::Status(content)), Stage::Status | Stage::Register | Stage::Silence) => {
                self.on_status(now, content);
            }
            (Err(malformed), _) => self.fail(malformed),
            // Left over from an exchange that was given up.
            (Ok(_), _) => {
                self.junk += 1;
                if self.junk > JUNK {
                    self.fail(Failure::Protocol {
                        what: "nothing the camera says makes sense",
                    });
                }
            }
        }
    }

    fn on_stream(&mut self, now: Duration, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.stage != Stage::Over {
            if self.stage == Stage::Register {
                let wanted = usize::try_from(self.command.count).unwrap_or(usize::MAX);
                let missing = wanted.saturating_sub(self.data.len());
                let (content, later) = rest.split_at(missing.min(rest.len()));
                rest = later;
                self.on_status(now, content);
                continue;
            }
            let (piece, later) = rest.split_at((4 - self.held.len().min(4)).min(rest.len()));
            rest = later;
            self.held.extend(piece);
            let Some(word) = self.held.first_chunk().copied() else {
                return;
            };
            self.held.clear();
            match self.hab {
                None => self.on_hab(now, word),
                Some(_) if self.stage == Stage::Sending => self.fail(Failure::Protocol {
                    what: "the camera answers before it has the data",
                }),
                Some(_) => self.on_status(now, &word),
            }
        }
    }

    /// The next piece of a file.
    fn piece(&mut self) -> Vec<u8> {
        let rest = self.request.data().get(self.sent..).unwrap_or_default();
        let limit = match self.wire {
            Wire::Hid { data, .. } => data.max(1),
            Wire::Uart => hid::PACKET,
        };
        let piece = rest.get(..limit).unwrap_or(rest);
        let frame = match self.wire {
            Wire::Hid { data, .. } => hid::encode(hid::DATA_OUT, piece, data),
            Wire::Uart => piece.to_vec(),
        };
        self.sent += piece.len();
        frame
    }

    fn deadline(&self) -> Duration {
        let patience = match self.stage {
            Stage::Silence => SILENCE,
            _ => self.patience,
        };
        self.since.saturating_add(patience)
    }

    fn timed_out(&mut self) {
        let what = match self.stage {
            Stage::Silence => return self.answer(None),
            Stage::Register => "register data",
            Stage::Status => "the status",
            _ => "the HAB word",
        };
        self.fail(Failure::Timeout { what });
    }
}

impl Machine for Exchange {
    type Output = Result<Answer, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                // Whatever came, more may be behind it: look again.
                self.looked = false;
                match self.wire {
                    // What comes before anything was asked is left over.
                    _ if self.stage == Stage::Command => self.junk += 1,
                    Wire::Hid { .. } => self.on_report(now, bytes),
                    Wire::Uart => self.on_stream(now, bytes),
                }
            }
            Input::Stall => self.fail(Failure::Refused),
            // The jump worked, or the lock made the camera leave.
            Input::Gone if self.stage == Stage::Silence => self.answer(None),
            Input::Gone => self.fail(Failure::Gone),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        loop {
            match self.stage {
                Stage::Over => {
                    let again = Failure::Protocol {
                        what: "the exchange had ended before",
                    };
                    return Turn::Done(self.outcome.take().unwrap_or(Err(again)));
                }
                Stage::Command => {
                    if self.junk <= JUNK && !std::mem::replace(&mut self.looked, true) {
                        return Turn::Wait { until: now };
                    }
                    (self.junk, self.looked) = (0, false);
                    let block = self.command.encode();
                    let sends = !self.request.data().is_empty();
                    self.advance(now, if sends { Stage::Sending } else { Stage::Hab });
                    return Turn::Send(match self.wire {
                        Wire::Hid { command, .. } => hid::encode(hid::COMMAND_OUT, &block, command),
                        Wire::Uart => block.to_vec(),
                    });
                }
                Stage::Sending => {
                    if !std::mem::replace(&mut self.looked, true) {
                        return Turn::Wait { until: now };
                    }
                    let frame = self.piece();
                    self.looked = false;
                    if self.sent == self.request.data().len() {
                        self.advance(now, Stage::Hab);
                        if let Some(word) = self.hab {
                            self.after_hab(now, word);
                        }
                    }
                    return Turn::Send(frame);
                }
                _ if now >= self.deadline() => self.timed_out(),
                _ => {
                    let until = self.deadline();
                    return Turn::Wait { until };
                }
            }
        }
    }
}
