//! The loaders shipped on every RT1062, executed in an emulator, as judge of our host and of our
//! virtual camera.
//!
//! `cargo xtask test judges loaders` fetches what is needed and runs this. How the emulator stands
//! in for hardware is told in `emulator.py`; what was found, in `docs/conformance.md`.

#[path = "../bench/mod.rs"]
mod bench;
mod bus;
mod emulator;
mod hosts;
mod random;
mod ranges;
mod reports;
mod side_by_side;
mod startup;
