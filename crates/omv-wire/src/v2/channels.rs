//! What stands behind a camera's channels: the side of the engine that scripts and frames
//! plug into.

use std::time::Duration;

use super::codec::Status;
use super::records::Channel;

/// Flags of a [`Channel`].
pub mod flag {
    /// Can be read.
    pub const READ: u8 = 0x01;
    /// Can be written.
    pub const WRITE: u8 = 0x02;
    /// Runs scripts.
    pub const EXEC: u8 = 0x04;
    /// Must be locked to be read in one piece.
    pub const LOCK: u8 = 0x08;
    /// Carries frames.
    pub const STREAM: u8 = 0x10;
    /// Made by a script.
    pub const DYNAMIC: u8 = 0x20;
    /// Is the transport.
    pub const PHYSICAL: u8 = 0x40;
}

/// How a channel lets itself be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The range exists whole or the read fails; one answer, cut at the payload limit.
    Pointer,
    /// Pieces of up to 512 bytes, until enough was read or the channel runs dry.
    Copy,
}

/// The channels of one camera. The engine keeps the packets, the lock interval and the order
/// of checks; this keeps what the channels hold.
///
/// An `Err` is the status of the NAK. With [`Status::LATER`] nothing is sent, and the same question comes
/// again soon; it has to have an end. Ids nobody has are answered like a missing method:
/// `BUSY` to lock and unlock, `INVALID` to everything else.
///
/// Source: openmv/openmv `protocol/omv_protocol_channel.h`.
pub trait Channels {
    /// All channels, in the order of their ids.
    fn list(&self) -> Vec<Channel>;

    /// Bit `n`: channel `n` has something.
    fn poll(&mut self, now: Duration) -> u32;

    /// Takes the channel for the host.
    ///
    /// # Errors
    /// The status to refuse with.
    fn lock(&mut self, id: u8) -> Result<(), Status>;

    /// Gives it back. The engine also calls this for every channel when it resets.
    ///
    /// # Errors
    /// The status to refuse with.
    fn unlock(&mut self, id: u8) -> Result<(), Status>;

    /// Bytes there are to read.
    ///
    /// # Errors
    /// The status to refuse with.
    fn size(&mut self, id: u8) -> Result<u32, Status>;

    /// One to four numbers.
    ///
    /// # Errors
    /// The status to refuse with.
    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status>;

    /// How `id` is read; `None` if it cannot be.
    fn reading(&self, id: u8) -> Option<Reading>;

    /// Up to `length` bytes. A pointer channel gives all of them or refuses; a copy channel
    /// that gives none has run dry.
    ///
    /// # Errors
    /// The status to refuse with.
    fn read(&mut self, id: u8, offset: u32, length: u32) -> Result<Vec<u8>, Status>;

    /// Takes in the bytes that came with a write.
    ///
    /// # Errors
    /// The status to refuse with.
    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status>;

    /// Carries out a request of the channel's own.
    ///
    /// # Errors
    /// The status to refuse with.
    fn ioctl(&mut self, id: u8, request: u32, arguments: &[u8]) -> Result<(), Status>;
}

const STDIN: u8 = 1;
const STDOUT: u8 = 2;
const STREAM: u8 = 3;

/// The channels of a camera that has nothing to show and no interpreter: empty stdout, no
/// frame. A script sent to it is taken, and is over as soon as it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Whether `main.py` counts as running, as on most cameras that were just switched on.
    pub running: bool,
    /// Bytes of script written so far.
    script: usize,
}

impl Idle {
    /// Idle, with `main.py` running or not.
    #[must_use]
    pub const fn new(running: bool) -> Self {
        Self { running, script: 0 }
    }
}

impl Channels for Idle {
    fn list(&self) -> Vec<Channel> {
        vec![
            Channel::new(0, "usb", flag::PHYSICAL),
            Channel::new(STDIN, "stdin", flag::WRITE | flag::EXEC),
            Channel::new(STDOUT, "stdout", flag::READ),
            Channel::new(STREAM, "stream", flag::READ | flag::LOCK | flag::STREAM),
        ]
    }

    fn poll(&mut self, _now: Duration) -> u32 {
        u32::from(self.running) << STDIN
    }

    fn lock(&mut self, _id: u8) -> Result<(), Status> {
        Err(Status::BUSY)
    }

    fn unlock(&mut self, id: u8) -> Result<(), Status> {
        match id {
            STREAM => Ok(()),
            _ => Err(Status::BUSY),
        }
    }

    fn size(&mut self, id: u8) -> Result<u32, Status> {
        match id {
            STDOUT | STREAM => Ok(0),
            _ => Err(Status::INVALID),
        }
    }

    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status> {
        match id {
            STREAM => Ok(vec![0; 3]),
            _ => Err(Status::INVALID),
        }
    }

    fn reading(&self, id: u8) -> Option<Reading> {
        match id {
            STDOUT => Some(Reading::Copy),
            STREAM => Some(Reading::Pointer),
            _ => None,
        }
    }

    fn read(&mut self, id: u8, _offset: u32, _length: u32) -> Result<Vec<u8>, Status> {
        match id {
            STDOUT => Ok(Vec::new()),
            _ => Err(Status::FAILED),
        }
    }

    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status> {
        if id != STDIN {
            return Err(Status::INVALID);
        }
        if offset == 0 {
            self.script = 0;
        }
        self.script = self.script.saturating_add(bytes.len());
        Ok(())
    }

    fn ioctl(&mut self, id: u8, request: u32, arguments: &[u8]) -> Result<(), Status> {
        match (id, request, arguments.len()) {
            (STDIN, 1, 0) => self.running = false,
            (STDIN, 2, 0) if self.script == 0 => return Err(Status::FAILED),
            (STDIN, 2 | 3, 0) => self.script = 0,
            (STREAM, 0 | 1 | 3, 4) | (STREAM, 2, 8) => {}
            _ => return Err(Status::INVALID),
        }
        Ok(())
    }
}
