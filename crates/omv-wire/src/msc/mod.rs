//! USB mass storage: the disk a running camera shows, block by block.
//!
//! Bulk-only transport carries SCSI commands: a wrapper of 31 bytes out, data one way or none,
//! a status of 13 bytes in.
//!
//! ```text
//! host                                              camera
//! "USBC" tag 4096 in, READ(10) block 6, 8   ------>
//!                                           <------  4096 bytes
//!                                           <------  "USBS" tag, 0 left, passed
//! "USBC" tag 512 out, WRITE(10) block 9, 1  ------>
//! 512 bytes                                 ------>
//!                                           <------  "USBS" tag, 0 left, failed
//! "USBC" tag 18 in, REQUEST SENSE           ------>
//!                                           <------  18 bytes: why
//!                                           <------  "USBS" tag, 0 left, passed
//! ```
//!
//! A camera that has less to send than was asked for may stall the IN endpoint; clearing the
//! halt brings the status. What cannot be understood is ended with a reset: on a link that is an
//! empty frame ([`RESET`]), and the link knows which control requests it takes.
//!
//! The camera's half keeps what the firmware does wrong: see [`Personality::hides_errors`].
//!
//! Sources: USB Mass Storage Class, Bulk-Only Transport 1.0; SPC-2 and SBC for the commands;
//! hathach/tinyusb `src/class/msc/msc_device.c`; openmv/micropython `ports/mimxrt/msc_disk.c`,
//! `ports/stm32/usbd_msc_interface.c`.

mod camera;
mod codec;
mod host;
mod scsi;

pub use camera::{Camera, Personality, Stack, Storage, StorageError, Take};
pub use codec::{Status, StatusWrapper, Wrapper};
pub use host::{Exchange, Failure};
pub use scsi::{Capacity, Command, Identity, Sense};

/// `bInterfaceClass`, `bInterfaceSubClass` (SCSI) and `bInterfaceProtocol` (bulk only).
pub const INTERFACE: [u8; 3] = [8, 6, 80];

/// The frame that stands for a reset of the transport. No command is empty.
pub const RESET: &[u8] = &[];
