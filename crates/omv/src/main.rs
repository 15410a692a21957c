//! The program `omv`: words, colours, bars and exit codes around the library `omv-camera`.
//!
//! ```text
//!   cli      the command line, defined once
//!   dropin   stand-ins for the tools of other makers, with command lines of their own
//!   cmd/*    one file a command: what is wanted, in terms of the library
//!   bench    the buses there are, and the camera that is meant
//!   virtual_camera   those inside this process, by name and state
//!   files    images and loaders from files, folders and archives
//!   render   events as lines and bars        output   results as text or JSON
//!   text     what a script prints, cleaned   shot     a picture, as JPEG and as pixels
//!   fields   what a script's channel has to say, where it has fields
//!   picture  a picture in a terminal         record   pictures in a film
//!   serve    the page and the endpoints
//!   fail     errors as three lines, exit codes
//! ```
//!
//! It alone joins virtual cameras to the library. Protocols and facts about boards live below.

mod bench;
mod camera_files;
mod cli;
mod cmd;
mod dataset;
mod dropin;
mod fail;
mod fields;
mod files;
mod interpreter;
mod output;
mod picture;
mod record;
mod render;
mod samples;
mod serve;
mod shot;
mod signals;
mod text;
mod vendor;
mod virtual_camera;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use fail::Fail;
use output::Output;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    if let Some((tool, words)) = dropin::meant(&line) {
        return dropin::run(tool, words);
    }
    let cli = Cli::parse();
    let output = Output::new(cli.common.json, cli.common.color);
    let done = match &cli.command {
        Command::List(args) => cmd::list::run(&cli.common, args, &output),
        Command::Info(args) => cmd::info::run(&cli.common, args, &output),
        Command::Doctor(args) => match cmd::doctor::run(&cli.common, args, &output) {
            Ok(exit) => return ExitCode::from(exit),
            Err(fail) => Err(fail),
        },
        Command::Disk(args) => match cmd::disk::run(&cli.common, args, &output) {
            Ok(exit) => return ExitCode::from(exit),
            Err(fail) => Err(fail),
        },
        Command::Flash(args) => cmd::flash::run(&cli.common, args, &output),
        Command::Recover(args) => cmd::recover::run(&cli.common, args, &output),
        Command::Backup(args) => cmd::region::backup(&cli.common, args, &output),
        Command::Restore(args) => cmd::region::restore(&cli.common, args, &output),
        Command::Erase(args) => cmd::region::erase(&cli.common, args, &output),
        Command::Reset(args) => cmd::reset::run(&cli.common, args, &output),
        Command::Bench(args) => match cmd::bench::run(&cli.common, args, &output) {
            Ok(exit) => return ExitCode::from(exit),
            Err(fail) => Err(fail),
        },
        Command::Run(args) => cmd::run::run(&cli.common, args, &output),
        Command::Stop => cmd::console::stop(&cli.common, &output),
        Command::Console(args) => cmd::console::run(&cli.common, args, &output),
        Command::View(args) => cmd::view::run(&cli.common, args, &output),
        Command::Serve(args) => cmd::serve::run(&cli.common, args, &output),
        Command::Snap(args) => cmd::snap::snap(&cli.common, args, &output),
        Command::Record(args) => cmd::snap::record(&cli.common, args, &output),
        Command::Capture(args) => cmd::capture::run(&cli.common, args, &output),
        Command::Channels => cmd::channel::list(&cli.common, &output),
        Command::Channel { action } => cmd::channel::run(&cli.common, action, &output),
        Command::Profile(args) => cmd::profile::run(&cli.common, args, &output),
        Command::Romfs { action } => match cmd::romfs::run(&cli.common, action, &output) {
            Ok(exit) => return ExitCode::from(exit),
            Err(fail) => Err(fail),
        },
        Command::Save(args) => cmd::files::save(&cli.common, args, &output),
        Command::Cp(args) => cmd::files::cp(&cli.common, args, &output),
        Command::Ls(args) => cmd::files::ls(&cli.common, args, &output),
        Command::Cat(args) => cmd::files::cat(&cli.common, args, &output),
        Command::Rm(args) => cmd::files::rm(&cli.common, args, &output),
        Command::Mkdir(args) => cmd::files::mkdir(&cli.common, args, &output),
        Command::Df(args) => cmd::files::df(&cli.common, args, &output),
        Command::Model(args) => cmd::model::run(&cli.common, args, &output),
        Command::Sim(args) => cmd::sim::run(&cli.common, args, &output),
        Command::Blhost { words } => return dropin::run(dropin::Tool::Blhost, words),
        Command::Sdphost { words } => return dropin::run(dropin::Tool::Sdphost, words),
        Command::DfuUtil { words } => return dropin::run(dropin::Tool::DfuUtil, words),
        Command::Completions { shell } => cmd::paper::completions(*shell),
        Command::Man { folder } => cmd::paper::man(folder.as_deref(), &output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fail::BrokenPipe) => ExitCode::SUCCESS,
        Err(fail) => {
            output.fail(&fail);
            if fail.code() == "stopped" {
                signals::die_of_interrupt();
            }
            ExitCode::from(fail.exit())
        }
    }
}
