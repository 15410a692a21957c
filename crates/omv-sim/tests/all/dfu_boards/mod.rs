//! Virtual cameras of all boards that are updated over DFU, in virtual time.

mod bench;
mod bootloader;
mod life;
mod rom;
mod serials;
