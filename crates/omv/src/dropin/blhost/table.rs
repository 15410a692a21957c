//! The commands of `blhost` and what they take, as a table.
//!
//! Source of names, order and defaults: SPSDK 3.12.0, spsdk/apps/blhost.py.

use super::session::Session;
use super::{image, keys, memories, work};
use crate::dropin::grammar::Kind::{Choice, FileIn, FileOut, Hex, Integer, Text};
use crate::dropin::grammar::{Argument, Command, Flag, Given};
use crate::dropin::stop::Stop;

/// What carries a command out.
pub type Run = fn(&mut Session, &Given) -> Result<(), Stop>;

/// The global options.
pub const GLOBAL: &[Flag] = &[
    Flag {
        names: &["-p", "--port"],
        kind: Some(Text),
        help: "Serial port, and its rate after a comma; 57600 without one",
    },
    Flag {
        names: &["-u", "--usb"],
        kind: Some(Text),
        help: "USB device: VID:PID, one id, part of its path, or a chip's name",
    },
    Flag {
        names: &["-sd", "--sdio"],
        kind: Some(Text),
        help: "Not part of this program",
    },
    Flag {
        names: &["-l", "--lpcusbsio"],
        kind: Some(Text),
        help: "Not part of this program",
    },
    Flag {
        names: &["-cb", "--can"],
        kind: Some(Text),
        help: "Not part of this program",
    },
    Flag {
        names: &["-b", "--buspal"],
        kind: Some(Text),
        help: "Not part of this program",
    },
    Flag {
        names: &["-x", "--plugin"],
        kind: Some(Text),
        help: "Not part of this program",
    },
    Flag {
        names: &["-t", "--timeout"],
        kind: Some(crate::dropin::grammar::Kind::Decimal),
        help: "Milliseconds to wait for the device; 5000 without it",
    },
    Flag {
        names: &["-j", "--json"],
        kind: None,
        help: "Print results as JSON",
    },
    Flag {
        names: &["-v", "--verbose"],
        kind: None,
        help: "Tell each command and how it ended, on standard error",
    },
    Flag {
        names: &["-vv", "--debug"],
        kind: None,
        help: "Tell also what was opened, and how",
    },
    Flag {
        names: &["-vvv", "--trace"],
        kind: None,
        help: "Tell also all bytes that went out and came in",
    },
    Flag {
        names: &["--version"],
        kind: None,
        help: "Print the version stood in for",
    },
    Flag {
        names: &["-s", "--silent"],
        kind: None,
        help: "Print neither results nor progress",
    },
];

const VERIFY: Flag = Flag {
    names: &["-v", "--verify"],
    kind: None,
    help: "Read the fuse back",
};

const HEX: Flag = Flag {
    names: &["-h", "--use-hexdump"],
    kind: None,
    help: "Show addresses and characters too",
};

const FAST: Flag = Flag {
    names: &["-f", "--fast-mode"],
    kind: None,
    help: "Accepted; reading is fast always",
};

const CHECK: Flag = Flag {
    names: &["-c", "--check-errors"],
    kind: None,
    help: "Accepted; errors are looked for always",
};

const RESET: Flag = Flag {
    names: &["-rp", "--reset-parameter"],
    kind: Some(Text),
    help: "Number that says what to restart into",
};

const KEYSIZE: Flag = Flag {
    names: &["-s", "--key-size"],
    kind: Some(Integer),
    help: "Bits of the key",
};

const NO_VERIFY: Flag = Flag {
    names: &["--no-verify"],
    kind: None,
    help: "Do not read the fuse back",
};

const OFFSET: Flag = Flag {
    names: &["-o", "--base-offset"],
    kind: Some(Integer),
    help: "Added to the addresses in the file; a binary begins at 0",
};

/// Commands that the tool has and this program does not, for which it has other commands or
/// which no camera answers.
pub const LEFT_OUT: &[&str] = &["load-image", "trust-provisioning"];

/// The command that needs no device.
pub const FAMILIES: Command<()> = Command {
    name: "get-families",
    about: "Names the commands that know families of chips",
    arguments: &[],
    options: &[Flag {
        names: &["-c", "--cmd-name"],
        kind: Some(Choice(&["get-property", "set-property"])),
        help: "Not part of this program",
    }],
    explains: false,
    run: (),
};

/// The command that reads others from a file.
pub const BATCH: Command<()> = Command {
    name: "batch",
    about: "Carries out the commands in a file, one a line",
    arguments: &[Argument::new("COMMAND_FILE", Text)],
    options: &[],
    explains: true,
    run: (),
};

/// All other commands, in alphabetical order.
pub const COMMANDS: &[Command<Run>] = &[
    Command {
        name: "call",
        about: "Invokes code at an address, with an argument",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("ARGUMENT", Integer),
        ],
        options: &[],
        explains: true,
        run: work::call,
    },
    Command {
        name: "configure-memory",
        about: "Sets up a memory from an option block in RAM",
        arguments: &[
            Argument::new("MEMORY_ID", Integer),
            Argument::new("ADDRESS", Integer),
        ],
        options: &[],
        explains: true,
        run: work::configure_memory,
    },
    Command {
        name: "efuse-program-once",
        about: "Burns a fuse word, for ever",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("DATA", Hex),
            Argument::or("[nolock/lock]", Choice(&["nolock", "lock"]), "nolock"),
        ],
        options: &[VERIFY, NO_VERIFY],
        explains: true,
        run: work::efuse_program_once,
    },
    Command {
        name: "efuse-read-once",
        about: "Reads a fuse word",
        arguments: &[Argument::new("ADDRESS", Integer)],
        options: &[],
        explains: true,
        run: work::efuse_read_once,
    },
    Command {
        name: "ele-message",
        about: "Sends a message to the EdgeLock enclave",
        arguments: &[
            Argument::new("COMMAND MESSAGE ADDRESS", Integer),
            Argument::new("COMMAND MESSAGE COUNT", Integer),
            Argument::new("RESPONSE MESSAGE ADDRESS", Integer),
            Argument::new("RESPONSE MESSAGE COUNT", Integer),
        ],
        options: &[],
        explains: true,
        run: work::ele_message,
    },
    Command {
        name: "execute",
        about: "Jumps to code at an address",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("ARGUMENT", Integer),
            Argument::new("STACKPOINTER", Integer),
        ],
        options: &[],
        explains: true,
        run: work::execute,
    },
    Command {
        name: "fill-memory",
        about: "Fills memory with a 32-bit pattern",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("BYTE_COUNT", Integer),
            Argument::new("PATTERN", Integer),
            Argument::or("format", Choice(&["word", "short", "byte"]), "word"),
        ],
        options: &[],
        explains: true,
        run: work::fill_memory,
    },
    Command {
        name: "flash-erase-all",
        about: "Erases a whole memory",
        arguments: &[Argument::or("[MEMORY_ID]", Integer, "0")],
        options: &[],
        explains: false,
        run: work::flash_erase_all,
    },
    Command {
        name: "flash-erase-all-unsecure",
        about: "Erases everything and unlocks",
        arguments: &[],
        options: &[],
        explains: false,
        run: work::flash_erase_all_unsecure,
    },
    Command {
        name: "flash-erase-region",
        about: "Erases the sectors of a range",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("BYTE_COUNT", Integer),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[],
        explains: true,
        run: work::flash_erase_region,
    },
    Command {
        name: "flash-image",
        about: "Writes a binary, Intel HEX or S-record file",
        arguments: &[
            Argument::new("FILE", Text),
            Argument::or("[ERASE]", Text, "none"),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[OFFSET],
        explains: true,
        run: image::flash_image,
    },
    Command {
        name: "flash-program-once",
        about: "Burns 4 or 8 bytes of a field, for ever",
        arguments: &[
            Argument::new("INDEX", Integer),
            Argument::new("{4|8}", Choice(&["4", "8"])),
            Argument::new("DATA", Hex),
            Argument::or("[LSB|MSB]", Choice(&["LSB", "MSB"]), "LSB"),
        ],
        options: &[],
        explains: true,
        run: work::flash_program_once,
    },
    Command {
        name: "flash-read-once",
        about: "Reads 4 or 8 bytes of a field",
        arguments: &[
            Argument::new("INDEX", Integer),
            Argument::or("{4|8}", Choice(&["4", "8"]), "4"),
        ],
        options: &[],
        explains: true,
        run: work::flash_read_once,
    },
    Command {
        name: "flash-read-resource",
        about: "Reads a resource of the flash",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("LENGTH", Integer),
            Argument::new("{0|1}", Choice(&["0", "1"])),
            Argument::maybe("FILE", FileOut),
        ],
        options: &[HEX],
        explains: true,
        run: work::flash_read_resource,
    },
    Command {
        name: "flash-security-disable",
        about: "Unlocks with a key of 16 hexadecimal digits",
        arguments: &[Argument::new("KEY", Text)],
        options: &[],
        explains: true,
        run: work::flash_security_disable,
    },
    Command {
        name: "fuse-program",
        about: "Burns fuses from data, for ever",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("FILE[,BYTE_COUNT] | {{HEX-DATA}}", Text),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[],
        explains: true,
        run: work::fuse_program,
    },
    Command {
        name: "fuse-read",
        about: "Reads fuses",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("BYTE_COUNT", Integer),
            Argument::maybe("FILE", FileOut),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[HEX],
        explains: true,
        run: work::fuse_read,
    },
    Command {
        name: "generate-key-blob",
        about: "Has a key wrapped, and saves the result",
        arguments: &[
            Argument::new("DEK_FILE", FileIn),
            Argument::new("BLOB_FILE", FileOut),
            Argument::or(
                "[KEY_SEL]",
                Choice(&["0", "1", "2", "3", "OPTMK", "ZMK", "CMK"]),
                "0",
            ),
        ],
        options: &[],
        explains: true,
        run: work::generate_key_blob,
    },
    Command {
        name: "get-property",
        about: "Asks for a property, by number or name",
        arguments: &[
            Argument::new("PROPERTY_TAG", Text),
            Argument::or("[INDEX]", Integer, "0"),
        ],
        options: &[],
        explains: true,
        run: work::get_property,
    },
    Command {
        name: "key-provisioning enroll",
        about: "Starts the key store",
        arguments: &[],
        options: &[],
        explains: false,
        run: keys::enroll,
    },
    Command {
        name: "key-provisioning read_key_nonvolatile",
        about: "Loads keys from a memory",
        arguments: &[Argument::or("memoryID", Integer, "0")],
        options: &[],
        explains: false,
        run: keys::read_key_nonvolatile,
    },
    Command {
        name: "key-provisioning read_key_store",
        about: "Saves the key store to a file",
        arguments: &[Argument::new("FILE", FileOut)],
        options: &[],
        explains: true,
        run: keys::read_key_store,
    },
    Command {
        name: "key-provisioning set_key",
        about: "Makes a key of a type",
        arguments: &[Argument::new("TYPE", Text), Argument::new("SIZE", Integer)],
        options: &[],
        explains: true,
        run: keys::set_key,
    },
    Command {
        name: "key-provisioning set_user_key",
        about: "Sends a key of a type",
        arguments: &[
            Argument::new("TYPE", Text),
            Argument::new("FILE[,SIZE]", Text),
        ],
        options: &[KEYSIZE],
        explains: true,
        run: keys::set_user_key,
    },
    Command {
        name: "key-provisioning write_key_nonvolatile",
        about: "Writes keys to a memory",
        arguments: &[Argument::or("memoryID", Integer, "0")],
        options: &[],
        explains: false,
        run: keys::write_key_nonvolatile,
    },
    Command {
        name: "key-provisioning write_key_store",
        about: "Sends the key store from a file",
        arguments: &[Argument::new("FILE[,SIZE]", Text)],
        options: &[],
        explains: true,
        run: keys::write_key_store,
    },
    Command {
        name: "list-memory",
        about: "Lists the memories of the device",
        arguments: &[],
        options: &[],
        explains: false,
        run: memories::list_memory,
    },
    Command {
        name: "program-aeskey",
        about: "Sends an AES key",
        arguments: &[Argument::new("FILE", FileIn)],
        options: &[],
        explains: true,
        run: work::program_aeskey,
    },
    Command {
        name: "read-memory",
        about: "Reads memory, to a file or for people",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("BYTE_COUNT", Integer),
            Argument::maybe("FILE", FileOut),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[HEX, FAST],
        explains: true,
        run: work::read_memory,
    },
    Command {
        name: "receive-sb-file",
        about: "Sends an SB file",
        arguments: &[Argument::new("FILE", FileIn)],
        options: &[CHECK],
        explains: true,
        run: work::receive_sb_file,
    },
    Command {
        name: "reliable-update",
        about: "Swaps to another application image",
        arguments: &[Argument::new("ADDRESS", Integer)],
        options: &[],
        explains: true,
        run: work::reliable_update,
    },
    Command {
        name: "reset",
        about: "Restarts the device",
        arguments: &[],
        options: &[RESET],
        explains: false,
        run: work::reset,
    },
    Command {
        name: "set-property",
        about: "Changes a property",
        arguments: &[
            Argument::new("PROPERTY_TAG", Text),
            Argument::new("VALUE", Integer),
        ],
        options: &[],
        explains: true,
        run: work::set_property,
    },
    Command {
        name: "update-life-cycle",
        about: "Moves the chip to another life cycle, for ever",
        arguments: &[Argument::new("LIFE CYCLE", Integer)],
        options: &[],
        explains: true,
        run: work::update_life_cycle,
    },
    Command {
        name: "write-memory",
        about: "Writes memory from a file or from data",
        arguments: &[
            Argument::new("ADDRESS", Integer),
            Argument::new("FILE[,BYTE_COUNT] | {{HEX-DATA}}", Text),
            Argument::or("[MEMORY_ID]", Integer, "0"),
        ],
        options: &[],
        explains: true,
        run: work::write_memory,
    },
];
