//! Their side: the ROM.
//!
//! No ROM was executed for this: what it does follows U-Boot's gadget, SPSDK and imx_usb_loader.
//!
//! ```text
//!           file command                all data there
//!   Idle -----------------> Receiving ------------------> HAB word, status --> Idle
//!     |  read-register
//!     +-----------------> Reading, 64 bytes at a time --> Idle
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{
    BLOCK, Command, DONE, FILE_WRITTEN, HAB_CLOSED, HAB_FAILURE, HAB_OPEN, HAB_SUCCESS, WRITTEN,
    kind,
};
use super::hid;
use crate::{Input, Machine, Turn};

/// Answers that may wait to be sent. A host that does not read is not listened to.
const QUEUE: usize = 16;

/// The chip under the ROM. Errors are status words, big-endian.
pub trait Target {
    /// Puts bytes into RAM.
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), u32>;

    /// `size` bytes of memory or registers, at most 64.
    fn read(&mut self, address: u32, format: u8, size: u32) -> Vec<u8>;

    /// Writes a register.
    fn write_register(&mut self, address: u32, format: u8, value: u32) -> Result<(), u32>;

    /// Runs the device configuration data that were written to `address`.
    fn run_dcd(&mut self, address: u32, size: u32) -> Result<(), u32>;

    /// Whether there is an image at `address` that can be started.
    fn jump(&mut self, address: u32) -> Result<(), u32>;
}

/// What differs between ROMs, and what is not certain of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Serial line instead of HID.
    pub uart: bool,
    /// The chip runs signed images only: it refuses everything that writes or starts.
    pub locked: bool,
    /// What error-status says. A blank chip says [`HAB_FAILURE`].
    pub error_status: u32,
    /// Whether skip-dcd and set-baudrate are answered in little-endian, as U-Boot does.
    pub done_swapped: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            uart: false,
            locked: false,
            error_status: HAB_SUCCESS,
            done_swapped: true,
        }
    }
}

/// How a camera leaves the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The ROM started the image whose vector table is at `address`.
    Jump {
        /// Where.
        address: u32,
    },
}

#[derive(Clone, Copy)]
enum Phase {
    Idle,
    Receiving {
        command: Command,
        got: u32,
        failed: Option<u32>,
    },
    Reading {
        command: Command,
        done: u32,
    },
}

/// A ROM that serves one host.
///
/// Its conversation is over when it leaves the bus; waits without a known end are
/// [`Duration::MAX`].
pub struct Camera<T> {
    target: T,
    options: Options,
    phase: Phase,
    out: VecDeque<Vec<u8>>,
    /// Bytes of a command block that came in pieces over UART.
    held: Vec<u8>,
    leaving: Option<Leave>,
}

impl<T: Target> Camera<T> {
    /// A ROM on top of a chip.
    pub fn new(options: Options, target: T) -> Self {
        Self {
            target,
            options,
            phase: Phase::Idle,
            out: VecDeque::new(),
            held: Vec::new(),
            leaving: None,
        }
    }

    /// What the ROM stands on.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// What the ROM stands on, to be changed behind its back.
    pub fn target_mut(&mut self) -> &mut T {
        &mut self.target
    }

    /// Gives back what the ROM stood on.
    pub fn into_target(self) -> T {
        self.target
    }

    fn say_hab(&mut self) {
        let word = if self.options.locked {
            HAB_CLOSED
        } else {
            HAB_OPEN
        };
        let word = word.to_be_bytes();
        self.out.push_back(if self.options.uart {
            word.to_vec()
        } else {
            hid::encode(hid::HAB_IN, &word, hid::HAB_SIZE)
        });
    }

    fn say(&mut self, content: &[u8]) {
        self.out.push_back(if self.options.uart {
            content.to_vec()
        } else {
            hid::encode(hid::STATUS_IN, content, hid::STATUS_SIZE)
        });
    }

    fn say_status(&mut self, status: u32) {
        self.say(&status.to_be_bytes());
    }

    fn on_command(&mut self, command: Command) {
        if command.sends_data() {
            let failed = self.options.locked.then_some(HAB_FAILURE);
            self.phase = Phase::Receiving {
                command,
                got: 0,
                failed,
            };
            if command.count == 0 {
                self.on_received(command, failed);
            }
            return;
        }
        self.phase = Phase::Idle;
        self.say_hab();
        let locked = self.options.locked;
        let status = match command.kind {
            kind::ERROR_STATUS => self.options.error_status,
            kind::READ_REGISTER if !locked => {
                self.phase = Phase::Reading { command, done: 0 };
                return;
            }
            kind::WRITE_REGISTER if !locked => {
                let Command {
                    address,
                    format,
                    data,
                    ..
                } = command;
                let result = self.target.write_register(address, format, data);
                result.err().unwrap_or(WRITTEN)
            }
            kind::JUMP_ADDRESS if !locked => match self.target.jump(command.address) {
                Ok(()) => {
                    let address = command.address;
                    self.leaving = Some(Leave::Jump { address });
                    return;
                }
                Err(status) => status,
            },
            kind::READ_REGISTER | kind::WRITE_REGISTER | kind::JUMP_ADDRESS => HAB_FAILURE,
            kind::SKIP_DCD_HEADER | kind::SET_BAUDRATE if self.options.done_swapped => {
                DONE.swap_bytes()
            }
            kind::SKIP_DCD_HEADER | kind::SET_BAUDRATE => DONE,
            // What the ROM says to a type it does not know was never seen.
            _ => 0,
        };
        self.say_status(status);
    }

    /// Takes data of a file; what is beyond its count is padding.
    fn on_data(&mut self, bytes: &[u8]) -> usize {
        let Phase::Receiving {
            command,
            got,
            failed,
        } = self.phase
        else {
            return bytes.len();
        };
        if bytes.is_empty() {
            return 0;
        }
        let left = usize::try_from(command.count - got).unwrap_or(usize::MAX);
        let bytes = bytes.get(..left).unwrap_or(bytes);
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let failed = match failed {
            Some(status) => Some(status),
            None => match command.address.checked_add(got) {
                Some(address) => self.target.write(address, bytes).err(),
                None => Some(HAB_FAILURE),
            },
        };
        let got = got.saturating_add(size);
        if got < command.count {
            self.phase = Phase::Receiving {
                command,
                got,
                failed,
            };
        } else {
            self.on_received(command, failed);
        }
        bytes.len()
    }

    fn on_received(&mut self, command: Command, failed: Option<u32>) {
        self.phase = Phase::Idle;
        self.say_hab();
        let status = match (failed, command.kind) {
            (Some(status), _) => status,
            (None, kind::WRITE_FILE) => FILE_WRITTEN,
            (None, kind::DCD_WRITE) => {
                let result = self.target.run_dcd(command.address, command.count);
                result.err().unwrap_or(WRITTEN)
            }
            (None, _) => WRITTEN,
        };
        self.say_status(status);
    }

    fn on_report(&mut self, bytes: &[u8]) {
        match bytes.split_first() {
            Some((&hid::COMMAND_OUT, block)) => {
                if let Ok(command) = Command::decode(block) {
                    self.on_command(command);
                }
            }
            Some((&hid::DATA_OUT, data)) => {
                self.on_data(data);
            }
            _ => {}
        }
    }

    fn on_stream(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.out.len() < QUEUE && self.leaving.is_none() {
            if let Phase::Receiving { .. } = self.phase {
                let taken = self.on_data(rest);
                rest = rest.get(taken..).unwrap_or_default();
                continue;
            }
            let missing = BLOCK.saturating_sub(self.held.len());
            let (piece, later) = rest.split_at(missing.min(rest.len()));
            rest = later;
            self.held.extend(piece);
            if let Ok(command) = Command::decode(&self.held) {
                self.held.clear();
                self.on_command(command);
            }
        }
    }

    /// Says the next 64 bytes of a read, made only now: a read may be larger than memory here.
    fn read_on(&mut self, command: Command, done: u32) {
        let size = (command.count - done).min(64);
        if size == 0 {
            self.phase = Phase::Idle;
            return;
        }
        let address = command.address.wrapping_add(done);
        let mut content = self.target.read(address, command.format, size);
        content.resize(usize::try_from(size).unwrap_or_default(), 0);
        self.say(&content);
        let done = done + size;
        self.phase = Phase::Reading { command, done };
    }
}

impl<T: Target> Machine for Camera<T> {
    type Output = Leave;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            return;
        };
        if self.leaving.is_some() || self.out.len() >= QUEUE {
            return;
        }
        if self.options.uart {
            self.on_stream(bytes);
        } else {
            self.on_report(bytes);
        }
    }

    fn poll(&mut self, _now: Duration) -> Turn<Leave> {
        loop {
            if let Some(frame) = self.out.pop_front() {
                return Turn::Send(frame);
            }
            if let Some(leave) = self.leaving {
                return Turn::Done(leave);
            }
            let Phase::Reading { command, done } = self.phase else {
                return Turn::Wait {
                    until: Duration::MAX,
                };
            };
            self.read_on(command, done);
        }
    }
}
