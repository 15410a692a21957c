//! `sdphost`: the serial download protocol from the command line.
//!
//! Built like [`blhost`](super::blhost): `table` has the commands, `work` what they do, `lines`
//! what scripts read.

mod lines;
mod table;
mod work;

use super::devices;
use super::door::{Door, Wanted};
use super::grammar::{self, HELP, Place};
use super::print::{self, Log};
use super::stop::Stop;
use table::{COMMANDS, GLOBAL};
use work::Session;

const TOOL: &str = "sdphost";
/// Rate of a port where none is given.
const BAUD: u32 = 115_200;

/// Runs the tool with this command line.
pub fn run(line: &[String]) -> Result<(), Stop> {
    run_through(line, |wanted, log| wanted.open(BAUD, TOOL, log))
}

/// Runs the tool with this command line, through whatever door `open` opens.
pub(super) fn run_through(
    line: &[String],
    open: impl FnOnce(&Wanted, Log) -> Result<Door, Stop>,
) -> Result<(), Stop> {
    let place = Place::group(TOOL, false);
    if line.is_empty() {
        return Err(Stop::NeedsHelp(help()));
    }
    let (given, words) = grammar::globals(&place, GLOBAL, line)?;
    if given.has("help") {
        return Err(Stop::Help(help()));
    }
    if given.has("version") {
        return print::line(lines::VERSION);
    }
    let Some((name, rest)) = words.split_first() else {
        return Err(place.wrong("Missing command."));
    };
    let Some(row) = COMMANDS.iter().find(|row| row.name == name) else {
        let names = COMMANDS.iter().map(|row| row.name);
        return Err(grammar::no_such_command(&place, name, names));
    };
    let place = Place::command(TOOL, row);
    if rest.iter().any(|word| HELP.names.contains(&word.as_str())) {
        return Err(Stop::Help(grammar::help(&place, row)));
    }
    let timeout = given.maybe_number("timeout").unwrap_or(10_000);
    let wanted = Wanted::read(&given, &["plugin"], timeout, devices::SDPHOST)?;
    let json = given.has("json");
    let mut log = Log::new();
    log.ask(&given);
    let door = match open(&wanted, log) {
        Err(
            stop @ Stop::Error {
                kind: "SpsdkNoDeviceFoundError",
                ..
            },
        ) => {
            if wanted.interface == "usb" && !json {
                print::line(lines::NO_HID)?;
            }
            return Err(stop);
        }
        other => other?,
    };
    let mut session = Session {
        door,
        json,
        log,
        lenient: given.has("spsdk-exit-codes"),
    };
    if row.explains && rest.is_empty() {
        return Err(Stop::NeedsHelp(grammar::help(&place, row)));
    }
    let given = grammar::arguments(&place, row, rest)?;
    (row.run)(&mut session, &given)
}

fn help() -> String {
    let mut text = Place::group(TOOL, false).usage();
    text.push_str("\n  Talks to the ROM of NXP's i.MX chips; stands in for sdphost of SPSDK 3.12.0.\n\nOptions:\n");
    text.push_str(&grammar::options_help(GLOBAL));
    text.push_str("\nCommands:\n");
    for row in COMMANDS {
        text.push_str(&format!("  {:<24}{}\n", row.name, row.about));
    }
    text.push_str("\nNot part of this program, and refused: the option -x.");
    text
}
