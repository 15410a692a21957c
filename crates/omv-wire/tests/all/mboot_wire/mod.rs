//! The bootloader protocol from both ends: vectors, faults, and bytes from a stranger.

mod board;
mod faults;
mod golden;
mod hostile;
pub mod pair;
mod serial;
