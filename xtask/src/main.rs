//! The workshop: `cargo xtask NAME`. CI runs `cargo xtask test` and nothing else, so whatever is
//! red there is red here too.
//!
//! ```text
//!   test = check, judges, unit, conformance, loaders, corpus, models, matrix, fuzz-build, fuzz,
//!          browser, rig: stages with a budget each (stage)
//!   check = formatting, clippy, rustdoc, tidy (the rules of the house, one function each)
//! ```
//!
//! A tool or a file that a stage needs and does not find is red, with the command that helps.

mod awake;
mod bench;
mod browser;
mod conformance;
mod corpus;
mod fuzz;
mod judges;
mod mutants;
mod rig;
mod run;
mod stage;
mod tidy;
mod work;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::run::Shop;
use crate::work::Matrix;

const HELP: &str = "\
cargo xtask NAME

  test [STAGE]...  everything CI runs, in stages: check judges unit conformance
                   loaders corpus models matrix fuzz-build fuzz browser rig
  check            formatting, clippy, rustdoc and tidy
  tidy             the rules of the house that no compiler knows
  fuzz             replay the fuzzing corpora, then fuzz every target for a short time
  matrix [--long]  cut the power at many moments of a flash, and see the camera recover
  rig [TEST]...    Linux in QEMU drives virtual cameras through its own USB drivers
  rig --record     make the vector files of NXP's tools from what passes there
  rig -- COMMAND   run a command there, with one camera plugged in
  mutants [WORD]...  break the device side in many ways, and see the judges notice each
  bench            run the benchmarks of the workspace
  bench spsdk [--usb]
                   the stand-ins against NXP's own tools, in one table; over USB in the rig
  bench dfu --usb  a flash of an H7 beside dfu-util and what the camera needs, in the rig
  bench romfs      building ROM file systems against mpremote
  bench session    sessions with a running camera against the Python package `openmv`
  bench serve      how fast a picture reaches a viewer of `omv serve`
  docs             build the documentation of the workspace, warnings denied";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match perform(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["bench", "spsdk", "--usb"] => bench::spsdk_usb(&Shop::new()?),
        ["bench", "dfu", "--usb"] => bench::dfu_usb(&Shop::new()?),
        ["rig", rest @ ..] => rig::rig(&Shop::new()?, rest),
        // Only in the guest, where there is no repository.
        ["vhci-attach", port, address] => rig::attach::attach(port, address),
        _ => work_through(words).map(|()| ExitCode::SUCCESS),
    }
}

fn work_through(words: &[&str]) -> Result<()> {
    let shop = Shop::new()?;
    match words {
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["test", stages @ ..] => stage::test(&shop, stages),
        ["check"] => work::check(&shop),
        ["tidy"] => tidy::tidy(&shop),
        ["fuzz"] => fuzz::fuzz(&shop),
        ["matrix"] => work::matrix(&shop, Matrix::Short),
        ["matrix", "--long"] => work::matrix(&shop, Matrix::Long),
        ["mutants", words @ ..] => mutants::run(&shop, words),
        ["bench"] => bench::all(&shop),
        ["bench", "spsdk"] => bench::spsdk(&shop),
        ["bench", "romfs"] => bench::romfs(&shop),
        ["bench", "session"] => bench::session(&shop),
        ["bench", "serve"] => bench::serve(&shop),
        ["docs"] => work::docs(&shop),
        _ => bail!("unknown: {}\n\n{HELP}", words.join(" ")),
    }
}
