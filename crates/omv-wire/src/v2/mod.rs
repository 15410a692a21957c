//! Protocol v2 (`omv_protocol`): how firmware from 5.0.0 on talks while it runs.
//!
//! The camera speaks it on its serial port while that is open at 921600 baud with DTR set.
//!
//! ```text
//! host                                        camera
//! SYNC           any sequence  ------------>
//!                              <------------  ACK, sequence 0: all settings are defaults
//! GET_CAPS       sequence 0    ------------>
//!                              <------------  data, sequence 0, wants an ACK packet
//! ACK            sequence 0    ------------>
//! SET_CAPS       sequence 1    ------------>
//!                              <------------  ACK, sequence 1; the new settings hold from here
//! CHANNEL_READ   sequence 2    ------------>
//!                              <------------  data, sequence 2, FRAGMENT
//!                              <------------  event, sequence 3: not counted, at any moment
//!                              <------------  data, sequence 3
//! SYS_RESET      sequence 4    ------------>  no answer; the camera leaves the bus
//! ```
//!
//! There is one counter and the camera owns it: each packet it sends that is no event moves it
//! on, refusals too. A request that was carried out cannot be asked for again after its answer
//! got lost; the way back is `SYNC`. At the end of a user's script the camera forgets all of
//! this and starts over at defaults.
//!
//! A script's channel carries bytes of its own; those of firmware's `CBORChannel` are [`fields`].
//!
//! | opcode | | opcode | |
//! |---|---|---|---|
//! | 00 | `SYNC` | 20 | `CHANNEL_LIST` |
//! | 01 | `GET_CAPS` | 21 | `CHANNEL_POLL` |
//! | 02 | `SET_CAPS` | 22, 23 | `CHANNEL_LOCK`, `CHANNEL_UNLOCK` |
//! | 03 | `STATS` | 24 | `CHANNEL_SHAPE` |
//! | 04 | `VERSION` | 25 | `CHANNEL_SIZE` |
//! | 10, 11 | `SYS_RESET`, `SYS_BOOT` | 26 | `CHANNEL_READ` |
//! | 12 | `SYS_INFO` | 27 | `CHANNEL_WRITE` |
//! | 13 | `SYS_EVENT` | 28 | `CHANNEL_IOCTL` |
//! | 14 | `SYS_MEMORY` | 29 | `CHANNEL_EVENT` |
//!
//! Sources: openmv/openmv `protocol/omv_protocol.c`, `omv_protocol.h`,
//! `omv_protocol_channel_*.c`; bytes recorded from firmware 5.0.0 in an emulator.

pub mod camera;
pub mod channels;
pub mod codec;
pub mod crc;
mod dispatch;
pub mod fields;
pub mod host;
pub mod parser;
pub mod records;
pub mod session;
pub mod stream;

/// How a camera stops being a running camera because it was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It starts over.
    Reset,
    /// It enters its bootloader.
    Bootloader,
}
