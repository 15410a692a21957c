//! Where cameras hang, and the pipes to them.
//!
//! ```text
//!   Bus  --list-->  Seen        nothing is opened, no camera notices
//!    |
//!    +--open-->  Device  --link(Function)-->  Link  <--drive-->  a Machine of omv-wire
//! ```
//!
//! There are two kinds of bus behind one interface. [`native`] is this machine's own USB, HID
//! and serial ports. Everything else is *a USB device that is not plugged in here*: it answers
//! URBs, over TCP ([`usbip`]) or inside this process, and the links of [`urb`] turn URBs into
//! reports, bytes and control replies. Neither the links nor whoever uses them can tell a
//! virtual camera from an imported one.
//!
//! Time belongs to the bus: on a virtual bus an hour passes in microseconds. A link never waits
//! without a limit.
//!
//! Deliberately absent: boards, commands, retries of anything a camera does.

mod bus;
mod error;
pub mod fault;
pub mod hold;
mod link;
pub mod native;
pub mod record;
pub mod replay;
pub mod urb;
pub mod usbip;

pub use bus::{Bus, Device, Function, Place, Seen};
pub use error::LinkError;
pub use link::{Heard, Link, drive};
