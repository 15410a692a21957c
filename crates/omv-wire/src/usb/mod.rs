//! USB 2.0, chapter 9, as plain data: requests, descriptors and transfers, for both ends.
//!
//! ```text
//!   host                                          device
//!    |  Urb { endpoint 0, GET_DESCRIPTOR device }  |
//!    | ------------------------------------------> |
//!    |  Completion { Ok, 18 bytes }                |     DeviceDescriptor::decode
//!    | <------------------------------------------ |
//!    |  Urb { GET_DESCRIPTOR configuration }       |
//!    | ------------------------------------------> |
//!    |  Completion { Ok, wTotalLength bytes }      |     Configuration::decode
//!    | <------------------------------------------ |
//!    |  Urb { SET_CONFIGURATION }  ->  Ok          |
//!    |  Urb { endpoint 1 IN, 1016 bytes wanted }   |
//!    | ------------------------------------------> |     waits here until the device has data
//!    |  Completion { Ok, one report }              |
//!    | <------------------------------------------ |
//! ```
//!
//! An [`Urb`] and its [`Completion`] are the currency between a user-space host and a virtual
//! camera, whether they share a process or a socket ([`usbip`](crate::usbip)). Descriptors come
//! from the other end and are hostile until decoded; [`ConfigurationBuilder`] writes them.
//!
//! Sources: USB 2.0 specification, chapter 9; USB CDC 1.2 and its PSTN subclass; HID 1.11.

mod build;
mod class;
mod configuration;
mod descriptor;
mod report;
mod setup;
mod text;
mod urb;

pub use build::ConfigurationBuilder;
pub use class::{CdcFunctional, HidDescriptor, LineCoding, cdc_data_interface};
pub use configuration::{Association, Configuration, Endpoint, InterfaceSetting, Transfer};
pub use descriptor::{Descriptors, DeviceDescriptor, descriptors, kind};
pub use report::{ReportDescriptor, ReportKind};
pub use setup::{Recipient, RequestKind, Setup, feature, request};
pub use text::{decode_languages, decode_string, encode_languages, encode_string};
pub use urb::{Completion, Urb, UrbStatus};

/// How fast a device talks. It decides packet sizes: bulk is at most 64 bytes at full speed and
/// exactly 512 at high speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speed {
    /// 1.5 Mbit/s.
    Low,
    /// 12 Mbit/s.
    Full,
    /// 480 Mbit/s.
    High,
    /// 5 Gbit/s.
    Super,
    /// 10 Gbit/s and more.
    SuperPlus,
}

/// Which way data goes, seen from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Host to device.
    Out,
    /// Device to host.
    In,
}

impl Direction {
    /// Bit 7 of an endpoint address or of `bmRequestType`: set means device to host.
    pub const IN_BIT: u8 = 0x80;

    /// The direction an endpoint address or a `bmRequestType` names.
    pub const fn of(byte: u8) -> Self {
        if byte & Self::IN_BIT == 0 {
            Self::Out
        } else {
            Self::In
        }
    }
}
