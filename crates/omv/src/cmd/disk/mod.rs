//! `omv disk`: cards, internal disks and images of them, below the files.
//!
//! ```text
//!   args    the command line             device   a file or a block device as sectors
//!                                        opened   one of those, or the disk behind a camera
//!   screen  reports as lines and JSON    undo     what a repair wrote over
//! ```

pub mod args;
mod check;
pub mod device;
mod format;
mod image;
mod opened;
mod repair;
mod rescue;
mod screen;
mod set_aside;
mod test;
mod undo;

use args::{Action, Disk};

use crate::cli::Common;
use crate::fail::Fail;
use crate::output::Output;

/// Exit code of a check that found something wrong.
const WRONG: u8 = 11;

/// Runs the command.
pub fn run(common: &Common, args: &Disk, output: &Output) -> Result<u8, Fail> {
    match &args.action {
        Action::Check(args) => check::run(common, args, output),
        Action::Repair(args) => repair::run(common, args, output),
        Action::Test(args) => test::run(common, args, output),
        Action::Undo(args) => undo::run(common, args, output).map(|()| 0),
        Action::Rescue(args) => rescue::run(common, args, output).map(|()| 0),
        Action::Format(args) => format::run(common, args, output).map(|()| 0),
        Action::SetAside(args) => set_aside::run(common, args, output).map(|()| 0),
        Action::Image(args) => image::run(common, args, output).map(|()| 0),
    }
}
