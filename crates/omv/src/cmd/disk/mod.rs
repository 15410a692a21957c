//! `omv disk`: cards, internal disks and images of them, below the files.
//!
//! ```text
//!   args    the command line             device   a file or a block device as sectors
//!   screen  reports as lines and JSON    undo     what a repair wrote over
//! ```

pub mod args;
mod check;
pub mod device;
mod format;
mod image;
mod repair;
mod rescue;
mod screen;
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
        Action::Check(args) => check::run(args, output),
        Action::Repair(args) => repair::run(args, output),
        Action::Test(args) => test::run(common, args, output),
        Action::Undo(args) => undo::run(args, output).map(|()| 0),
        Action::Rescue(args) => rescue::run(args, output).map(|()| 0),
        Action::Format(args) => format::run(args, output).map(|()| 0),
        Action::Image(args) => image::run(args, output).map(|()| 0),
    }
}
