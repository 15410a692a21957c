//! `omv model`: what a neural network is, whether it will run on a camera, and getting it there.

mod check;
mod deploy;
mod info;
mod report;
mod rom;
mod seen;
mod source;

use crate::cli::{Common, Model, ModelCommand};
use crate::fail::Fail;
use crate::output::Output;

/// Runs the command.
pub fn run(common: &Common, args: &Model, output: &Output) -> Result<(), Fail> {
    match &args.command {
        ModelCommand::Info(args) => info::run(common, args, output),
        ModelCommand::Check(args) => check::run(common, args, output),
        ModelCommand::Deploy(args) => deploy::run(common, args, output),
    }
}
