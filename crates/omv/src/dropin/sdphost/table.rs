//! The commands of `sdphost` and what they take, as a table.
//!
//! Source of names, order and defaults: SPSDK 3.12.0, spsdk/apps/sdphost.py; of the last three
//! commands, which that tool does not have: NXP's older tool in C++.

use super::work::{self, Session};
use crate::dropin::grammar::Kind::{Decimal, FileIn, Integer, Text};
use crate::dropin::grammar::{Argument, Command, Flag, Given};
use crate::dropin::stop::Stop;

/// What carries a command out.
pub type Run = fn(&mut Session, &Given) -> Result<(), Stop>;

const fn flag(names: &'static [&'static str], help: &'static str) -> Flag {
    let kind = None;
    Flag { names, kind, help }
}

const fn text(names: &'static [&'static str], help: &'static str) -> Flag {
    let kind = Some(Text);
    Flag { names, kind, help }
}

/// The global options.
pub const GLOBAL: &[Flag] = &[
    text(
        &["-p", "--port"],
        "Serial port, and its rate after a comma; 115200 without one",
    ),
    text(
        &["-u", "--usb"],
        "USB device: VID:PID, one id, part of its path, or a chip's name",
    ),
    text(&["-x", "--plugin"], "Not part of this program"),
    Flag {
        names: &["-t", "--timeout"],
        kind: Some(Decimal),
        help: "Milliseconds to wait for the device; 10000 without it",
    },
    flag(
        &["-j", "--json"],
        "Print results as JSON, but of write-file and jump-address",
    ),
    flag(
        &["-v", "--verbose"],
        "Tell each command and how it ended, on standard error",
    ),
    flag(&["-vv", "--debug"], "Tell also what was opened, and how"),
    flag(
        &["-vvv", "--trace"],
        "Tell also all bytes that went out and came in",
    ),
    flag(&["--version"], "Print the version stood in for"),
    flag(
        &["--spsdk-exit-codes"],
        "Exit with 0 also when the device reports a failure",
    ),
];

/// All commands.
pub const COMMANDS: &[Command<Run>] = &[
    Command {
        name: "error-status",
        about: "Asks how the boot went so far",
        arguments: &[],
        options: &[],
        explains: false,
        run: work::error_status,
    },
    Command {
        name: "jump-address",
        about: "Starts the image whose vector table is at an address",
        arguments: &[Argument::new("ADDRESS", Integer)],
        options: &[],
        explains: true,
        run: work::jump_address,
    },
    Command {
        name: "read-register",
        about: "Reads memory or registers",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::or("[FORMAT]", Integer, "32"),
            Argument::maybe("[COUNT]", Integer),
        ],
        options: &[
            text(&["-o", "--output"], "File to write the data to"),
            flag(
                &["-h", "--use-hexdump"],
                "Show addresses and characters too",
            ),
        ],
        explains: true,
        run: work::read_register,
    },
    Command {
        name: "set-baudrate",
        about: "Changes the rate of the serial line",
        arguments: &[Argument::new("BAUDRATE", Integer)],
        options: &[],
        explains: true,
        run: work::set_baudrate,
    },
    Command {
        name: "write-file",
        about: "Puts a file into memory",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("FILE", FileIn),
            Argument::maybe("[COUNT]", Integer),
        ],
        options: &[],
        explains: true,
        run: work::write_file,
    },
    Command {
        name: "dcd-write",
        about: "Runs device configuration data from a file",
        arguments: &[
            Argument::new("FILE", FileIn),
            Argument::or("[ADDRESS]", Integer, "0"),
        ],
        options: &[],
        explains: true,
        run: work::dcd_write,
    },
    Command {
        name: "skip-dcd-header",
        about: "Leaves the image's device configuration data out",
        arguments: &[],
        options: &[],
        explains: false,
        run: work::skip_dcd_header,
    },
    Command {
        name: "write-register",
        about: "Writes one register of 8, 16 or 32 bits",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("FORMAT", Integer),
            Argument::new("VALUE", Integer),
        ],
        options: &[],
        explains: true,
        run: work::write_register,
    },
];
