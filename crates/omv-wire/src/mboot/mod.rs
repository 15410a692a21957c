//! The NXP MCU bootloader protocol, "mboot": what `blhost` speaks.
//!
//! Two loaders of the RT1062 camera speak it over HID: the resident bootloader (SBL), for 1.5 s
//! after each reset or from the first report on for good, and the flashloader that the chip's ROM
//! loads ([`sdp`](crate::sdp)). The flashloader speaks it over UART too.
//!
//! ```text
//!   write-memory            HID                         UART
//!   command  ------------>  report 1                    A4 ... acknowledged by A1
//!   generic, accepted <---  report 3                    A4 ... acknowledged by A1
//!   data ... ------------>  report 2, one a packet      A5 ... each acknowledged by A1
//!   (stop)   <------------  report 3, empty             A3 instead of A1
//!   generic, done <-------  report 3                    A4 ... acknowledged by A1
//!
//!   read-memory: the first response is A3 with the length, data come in report 4 or A5, and an
//!   empty one means that the camera gives up. The generic response comes at the end always.
//! ```
//!
//! [`Exchange`] is one command as the host sees it, [`Ping`] the greeting a UART needs first,
//! [`Camera`] the other end, on top of a [`Target`].
//!
//! Source: SPSDK 3.12.0, spsdk/mboot; nxp-mcuxpresso/sbl component/mcu_isp; answers observed by
//! executing both loaders shipped on every RT1062.

mod camera;
mod codec;
pub mod hid;
mod host;
mod line;
mod ping;
mod port;
pub mod property;
pub mod status;
mod target;
pub mod uart;

pub use camera::{Camera, Leave};
pub use codec::{COMMAND_WORDS, Command, DATA_FOLLOWS, Response, reply, tag};
pub use host::{Data, Exchange, Reply, Setup};
pub use ping::Ping;
pub use port::Quirks;
pub use target::{Outcome, Target};

use crate::Malformed;

/// Which framing carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// USB HID reports; see [`hid`].
    Hid,
    /// A serial line; see [`uart`].
    Uart,
}

impl Wire {
    /// Bytes per data packet of the RT1062's loaders.
    #[must_use]
    pub fn packet(self) -> usize {
        match self {
            Self::Hid => hid::PACKET,
            Self::Uart => uart::PACKET,
        }
    }
}

/// Why a conversation broke off. What a camera refuses is not here but in [`Reply::status`].
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
    /// The camera went on saying that a packet of ours came damaged.
    #[error("a packet came damaged, and {repeats} repetitions of it too")]
    NotAcknowledged {
        /// Repetitions sent.
        repeats: u32,
    },
    /// The camera reports success, but not all data it announced came.
    #[error("{announced} bytes were announced, {came} came")]
    DataLost {
        /// Bytes announced.
        announced: usize,
        /// Bytes that came.
        came: usize,
    },
    /// The camera broke the rules of the protocol.
    #[error("{what}")]
    Protocol {
        /// What it did.
        what: &'static str,
    },
    /// Bytes of the camera that are no packet.
    #[error("a packet of the camera is malformed: {0}")]
    Malformed(#[from] Malformed),
}
