//! The serial download protocol (SDP) of i.MX mask ROMs: what `sdphost` speaks.
//!
//! A chip that boots into its ROM takes a loader into RAM and starts it; for the RT1062 that is
//! the flashloader, which speaks [`mboot`](crate::mboot).
//!
//! ```text
//!   write-file              HID                       UART
//!   command block ------->  report 1, padded          16 bytes
//!   data ... ------------>  report 2, 1024 each       raw
//!   HAB word  <-----------  report 3                  4 bytes
//!   status    <-----------  report 4                  4 bytes
//!
//!   jump-address: after the HAB word silence is success, a status means refusal.
//!   read-register: data instead of a status, 64 bytes a report.
//! ```
//!
//! [`Exchange`] is one command as the host sees it, [`Camera`] the ROM's end, on a [`Target`].
//!
//! Source: SPSDK 3.12.0, spsdk/sdp; U-Boot drivers/usb/gadget/f_sdp.c; imx_usb_loader imx_sdp.c.

mod camera;
mod codec;
pub mod hab;
pub mod hid;
mod host;

pub use camera::{Camera, Leave, Options, Target};
pub use codec::{
    BLOCK, Command, DONE, FILE_WRITTEN, Format, HAB_CLOSED, HAB_FAILURE, HAB_OPEN, HAB_SUCCESS,
    HAB_WARNING, WRITTEN, kind,
};
pub use host::{Answer, Exchange, Failure, Request, Setup, Wire};
