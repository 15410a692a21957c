//! Every protocol an OpenMV camera speaks, from both ends, with no I/O.
//!
//! ```text
//!   Input (bytes, stall, gone) + now  -->  Machine  -->  Turn (send, wait until, done)
//! ```
//!
//! Start with [`Machine`]. Each protocol has a `codec`
//! (packets to bytes and back), a `host` (our side) and a `camera` (their side); the virtual
//! cameras of `omv-sim` are built from the `camera` halves, so every codec is tried from both
//! ends, and each also has vectors that came from outside.
//!
//! Deliberately absent: threads, clocks, `unsafe`, logging, and any board's name.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)
)]

pub mod cbor;
pub mod crc;
pub mod dfu;
pub mod identify;
pub mod legacy;
mod machine;
pub mod mboot;
pub mod msc;
pub mod romfs;
pub mod sdp;
pub mod tflite;
pub mod usb;
pub mod usbip;
pub mod v1;
pub mod v2;

pub use machine::{Input, Machine, Malformed, Turn};
