//! DfuSe, ST's extension of DFU: memories are reached by address, and commands travel as block 0.
//!
//! ```text
//!   host                                            device
//!    |  DNLOAD 0: 41 + address       --------------> |  keeps the command
//!    |  GETSTATUS                    --------------> |  dfuDNBUSY; only now erases the page
//!    |  GETSTATUS                    --------------> |  dfuDNLOAD-IDLE
//!    |  DNLOAD 0: 21 + address       --------------> |  ... sets the address pointer
//!    |  DNLOAD 2, 3, 4 ...           --------------> |  ... writes at pointer + (n - 2) x size
//!    |  ABORT, UPLOAD 2, 3, 4 ...    --------------> |  reads from there
//!    |  DNLOAD 0: empty; GETSTATUS   --------------> |  dfuMANIFEST, starts at the pointer
//! ```
//!
//! The name of an alternate setting is a [`Layout`]: what may be read, erased and written where.
//! [`Camera`] is the device; its [`Manners`] are those of ST's ROM, of the ROM of the STM32H74x,
//! or of Arduino's bootloader. [`Host`] is our side, [`File`] what such
//! devices are fed with.
//!
//! Source: STMicroelectronics AN3156 and UM0424; dfu-util src/dfuse.c.

mod camera;
mod file;
mod host;
mod layout;
mod manners;

pub use camera::{Camera, Event, Memory};
pub use file::{Element, File, Target};
pub use host::{Erased, Host, Kick, Left};
pub use layout::{Access, Layout, Page, Region, Segment};
pub use manners::{CommandPolls, Departure, Elsewhere, Manners, WhileBusy};

/// First byte of block 0: what to do. Source: AN3156, "DFU bootloader commands".
pub mod command {
    /// The device's commands are asked for.
    pub const GET_COMMANDS: u8 = 0x00;
    /// Sets the address pointer, `u32 LE`.
    pub const SET_ADDRESS: u8 = 0x21;
    /// Erases the page that contains an address, `u32 LE`; alone, everything.
    pub const ERASE: u8 = 0x41;
    /// Lifts the read protection: the device erases itself and resets.
    pub const READ_UNPROTECT: u8 = 0x92;
}

/// The block number that stands for the address pointer itself; those below are no data.
pub const FIRST_BLOCK: u16 = 2;
