//! A camera's disks, block by block: is the card what it says it is?
//!
//! Start with [`Blocks`], which is all that somebody who has a disk to offer implements, then
//! [`test()`], which writes and reads patterns and names what is wrong.

mod blocks;
mod capacity;
mod pattern;
mod report;
mod runs;
mod test;
mod usb;

pub use blocks::{BlockError, Blocks};
pub use report::{Defect, Finding, Mode, Range, Report, Speed, Times};
pub use test::{Progress, test};
pub use usb::UsbDisk;
