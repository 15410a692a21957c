//! `omv reset`: restart a camera, or send it into its bootloader.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::work;
use crate::bench::Bench;
use crate::cli::{Common, Reset};
use crate::fail::Fail;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &Reset, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv reset", stop_on_interrupt())?;
    let looked = bench.camera(
        work::board(args.board.as_deref())?,
        Duration::ZERO,
        &mut |_| {},
    )?;
    let simulated = looked.found.seen.simulated;
    let (board, wish) = (looked.board, work::wish(&looked));
    let plan = |state| omv_plan::restart(board, state, args.bootloader, &wish);
    let (outcome, board) = work::execute(&bench, &plan, looked, output, &|_| PathBuf::new())?;
    work::conclude(&outcome, board, simulated, output, Value::Null)
}
