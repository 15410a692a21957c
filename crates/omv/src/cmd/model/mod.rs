//! `omv model`: what a neural network is, and whether it will run on a camera.

mod info;
mod report;

use crate::cli::{Common, Model, ModelCommand};
use crate::fail::Fail;
use crate::output::Output;

/// Runs the command.
pub fn run(common: &Common, args: &Model, output: &Output) -> Result<(), Fail> {
    match &args.command {
        ModelCommand::Info(args) => info::run(common, args, output),
    }
}
