//! Device firmware upgrade over control transfers: USB DFU 1.1 and ST's DfuSe, from both ends.
//!
//! ```text
//!   host                                            device
//!    |  SET_INTERFACE: which memory                  |
//!    |  DNLOAD, block 0, 4096 bytes  --------------> |  keeps the block
//!    |  GETSTATUS                    --------------> |
//!    | <--------- dfuDNBUSY, keep silent for n ms    |  erases, writes; answers NAK meanwhile
//!    |  GETSTATUS                    --------------> |
//!    | <----------------------------- dfuDNLOAD-IDLE |  the next block may come
//!    |  ...                                          |
//!    |  DNLOAD, empty; GETSTATUS     --------------> |  dfuMANIFEST, then dfuIDLE
//!    |  UPLOAD, block 0, 4096 bytes  --------------> |
//!    | <-------------------------------- 4096 bytes  |
//!    |  DETACH                       --------------> |  leaves
//! ```
//!
//! [`Camera`] is the OpenMV bootloader's end, on [`Partitions`] that are chosen by name.
//! [`dfuse`] has the devices that are written by address: the ROM of STM32 chips and Arduino's
//! bootloader. [`Host`] is our side of both; [`describe`] tells which one it is. [`Suffix`] is what
//! files end with. None of the devices keeps to the standard's state machine, each in its own way.
//!
//! Source: USB Device Class Specification for Device Firmware Upgrade, version 1.1.

mod camera;
mod codec;
mod descriptor;
pub mod dfuse;
mod host;
mod suffix;

use std::time::Duration;

pub use camera::{BLOCK, Camera, Event, Partition, Partitions};
pub use codec::{CLASS, Functional, Report, State, Status, request};
pub use descriptor::alternates;
pub use host::{
    Alternate, Conversation, Described, Dialect, Failure, Host, Interface, Limits, Manifested,
    describe,
};
pub use suffix::Suffix;

/// What a device does with a control request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Takes it; these bytes are the answer of an IN, at most as many as were asked for.
    Data(Vec<u8>),
    /// Refuses it.
    Stall,
    /// Answers NAK: nothing has happened, the same request is to be tried again at `until`. With
    /// [`Duration::MAX`] it stays unanswered for as long as the device is on the bus.
    Later {
        /// Time since the start of the session.
        until: Duration,
    },
}

impl Answer {
    /// An OUT was taken.
    pub const OK: Self = Self::Data(Vec::new());

    /// Holds an answer to what the host asked for.
    fn cut(mut self, length: u16) -> Self {
        if let Self::Data(bytes) = &mut self {
            bytes.truncate(length.into());
        }
        self
    }
}

/// How work on a memory ends, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What GETSTATUS says once the work is over.
    pub status: Status,
    /// How long it takes; [`Duration::MAX`] is a device that died of it.
    pub takes: Duration,
}

impl Outcome {
    /// Done at once.
    pub const DONE: Self = Self::after(Duration::ZERO);

    /// Done after some time.
    #[must_use]
    pub const fn after(takes: Duration) -> Self {
        Self {
            status: Status::OK,
            takes,
        }
    }

    /// Refused at once.
    #[must_use]
    pub const fn refused(status: Status) -> Self {
        Self {
            status,
            takes: Duration::ZERO,
        }
    }
}
