//! `blhost`: the mboot protocol from the command line.
//!
//! ```text
//!   table    commands and options        work     what each of them does
//!   lines    what scripts read           session  the device, results, failures
//!   property what values mean               batch, image, keys, memories: commands of some size,
//!                                    records: files with addresses, for image
//! ```
//!
//! The order of checks is the tool's: global options, is there such a command, the interface is
//! opened, and only then the arguments of the command.

mod batch;
mod image;
mod keys;
mod lines;
mod memories;
mod property;
mod records;
mod session;
mod table;
mod work;

use super::devices;
use super::door::{Door, Wanted};
use super::grammar::{self, Given, HELP, Place};
use super::print::{self, Level, Log};
use super::stop::Stop;
pub use session::pretty;
use session::{Manner, Session};
use table::{BATCH, COMMANDS, FAMILIES, GLOBAL, LEFT_OUT};
pub use work::word;

const TOOL: &str = "blhost";
/// Rate of a port where none is given.
const BAUD: u32 = 57600;
/// Interfaces of the tool that are not part of this program.
const OTHERS: [&str; 5] = ["sdio", "lpcusbsio", "plugin", "can", "buspal"];
/// A group of commands.
const KEYS: &str = "key-provisioning";

/// Runs the tool with this command line.
pub fn run(line: &[String]) -> Result<(), Stop> {
    run_through(line, |wanted, log| wanted.open(BAUD, TOOL, log))
}

/// Runs the tool with this command line, through whatever door `open` opens.
pub(super) fn run_through(
    line: &[String],
    open: impl FnOnce(&Wanted, Log) -> Result<Door, Stop>,
) -> Result<(), Stop> {
    let mut log = Log::new();
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
    known(&place, name)?;
    if rest.iter().any(|word| HELP.names.contains(&word.as_str())) {
        return explain(name, rest);
    }
    if name == FAMILIES.name {
        return families(rest);
    }
    let wanted = wanted(&given)?;
    log.ask(&given);
    let manner = Manner {
        json: given.has("json"),
        silent: given.has("silent"),
        still: log.tells(Level::Info) || given.has("json") || given.has("silent"),
    };
    let door = match open(&wanted, log) {
        Err(Stop::Error { kind, text }) if wanted.interface == "usb" => {
            if kind == "SpsdkNoDeviceFoundError" && !manner.json && !manner.silent {
                print::line(lines::NO_HID)?;
            }
            return Err(Stop::Error { kind, text });
        }
        other => other?,
    };
    let mut session = Session::new(door, &wanted, manner, log)?;
    // Property 0 is the list of properties, and asking for it is asking for help.
    if name == "get-property" && rest.first().is_some_and(|tag| property::number(tag) == 0) {
        return Err(Stop::Help(property::list()));
    }
    command(&mut session, name, rest)
}

/// Says what the tool says when it is not told a command. The families themselves belong to the
/// options that are left out.
fn families(rest: &[String]) -> Result<(), Stop> {
    let given = grammar::arguments(&Place::command(TOOL, &FAMILIES), &FAMILIES, rest)?;
    if given.has("cmd-name") {
        let text = "SPSDK: The option --cmd-name of get-families is not part of this program.";
        return Err(Stop::error("SPSDKError", text));
    }
    print::line(lines::NO_COMMAND_NAMED)
}

fn wanted(given: &Given) -> Result<Wanted, Stop> {
    Wanted::read(
        given,
        &OTHERS,
        given.maybe_number("timeout").unwrap_or(5000),
        devices::BLHOST,
    )
}

/// Refuses a name that is none, and one of those left out.
fn known(place: &Place, name: &str) -> Result<(), Stop> {
    if LEFT_OUT.contains(&name) {
        let text = format!("SPSDK: The command {name} is not part of this program.");
        return Err(Stop::error("SPSDKError", text));
    }
    if [KEYS, BATCH.name, FAMILIES.name].contains(&name) || find(name).is_some() {
        return Ok(());
    }
    let names = names().into_iter().chain(LEFT_OUT.iter().copied());
    Err(grammar::no_such_command(place, name, names))
}

/// The names of all commands, groups as one.
fn names() -> Vec<&'static str> {
    let first = |name: &'static str| name.split(' ').next().unwrap_or(name);
    let mut names: Vec<&str> = COMMANDS.iter().map(|one| first(one.name)).collect();
    names.extend([BATCH.name, FAMILIES.name]);
    names.sort_unstable();
    names.dedup();
    names
}

fn find(name: &str) -> Option<&'static grammar::Command<table::Run>> {
    COMMANDS.iter().find(|one| one.name == name)
}

/// Carries out one command with the words after its name.
fn command(session: &mut Session, name: &str, rest: &[String]) -> Result<(), Stop> {
    if name == BATCH.name {
        let place = Place::command(TOOL, &BATCH);
        if rest.is_empty() {
            return Err(Stop::NeedsHelp(grammar::help(&place, &BATCH)));
        }
        let given = grammar::arguments(&place, &BATCH, rest)?;
        return batch::run(
            session,
            &place,
            given.text("COMMAND_FILE").unwrap_or_default(),
        );
    }
    let (row, rest) = if name == KEYS {
        let group = Place::group(&format!("{TOOL} {KEYS}"), true);
        let Some((second, rest)) = rest.split_first() else {
            return Err(Stop::NeedsHelp(group_help(&group)));
        };
        match find(&format!("{KEYS} {second}")) {
            Some(row) => (row, rest),
            None if second.starts_with('-') => {
                grammar::globals(&group, &[], std::slice::from_ref(second))?;
                return Err(group.wrong("Missing command."));
            }
            None => {
                let prefix = format!("{KEYS} ");
                let names = COMMANDS
                    .iter()
                    .filter_map(|row| row.name.strip_prefix(&prefix));
                return Err(grammar::no_such_command(&group, second, names));
            }
        }
    } else {
        match find(name) {
            Some(row) => (row, rest),
            None => return known(&Place::group(TOOL, false), name),
        }
    };
    let place = Place::command(TOOL, row);
    if row.explains && rest.is_empty() {
        return Err(Stop::NeedsHelp(grammar::help(&place, row)));
    }
    let given = grammar::arguments(&place, row, rest)?;
    (row.run)(session, &given)
}

/// Help on a command, which needs no device.
fn explain(name: &str, rest: &[String]) -> Result<(), Stop> {
    let second = rest.first().map(String::as_str).unwrap_or_default();
    let row = find(name).or_else(|| find(&format!("{name} {second}")));
    Err(Stop::Help(match row {
        Some(row) => grammar::help(&Place::command(TOOL, row), row),
        None if name == FAMILIES.name => grammar::help(&Place::command(TOOL, &FAMILIES), &FAMILIES),
        None if name == BATCH.name => grammar::help(&Place::command(TOOL, &BATCH), &BATCH),
        None => group_help(&Place::group(&format!("{TOOL} {name}"), true)),
    }))
}

fn group_help(place: &Place) -> String {
    let mut text = format!("{}\nCommands:\n", place.usage());
    let prefix = format!("{KEYS} ");
    for row in COMMANDS {
        if let Some(name) = row.name.strip_prefix(&prefix) {
            text.push_str(&format!("  {name:<28}{}\n", row.about));
        }
    }
    text.trim_end().to_owned()
}

fn help() -> String {
    let mut text = Place::group(TOOL, false).usage();
    text.push_str(
        "\n  Talks to NXP's bootloaders; stands in for blhost of SPSDK 3.12.0.\n\nOptions:\n",
    );
    text.push_str(&grammar::options_help(GLOBAL));
    text.push_str("\nCommands:\n");
    for row in [&BATCH, &FAMILIES] {
        text.push_str(&format!("  {:<40}{}\n", row.name, row.about));
    }
    for row in COMMANDS {
        text.push_str(&format!("  {:<40}{}\n", row.name, row.about));
    }
    let left_out = LEFT_OUT.join(", ");
    text.push_str(&format!(
        "\nNot part of this program, and refused: {left_out}; the options -sd, -l, -cb, -b, -x,\n\
         --family of get-property and set-property, --cmd-name of get-families, and ELF and sparse images."
    ));
    text
}
