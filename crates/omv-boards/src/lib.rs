//! OpenMV boards as data: who they are in every state, what lies where in their flash, what to
//! tell a person whose hands are needed.
//!
//! ```text
//!   boards/*.toml  --(embedded at build, parsed and checked once)-->  [`all`]
//!   USB id, serial --> [`candidates`]     name --> [`by_name`]     arch string --> [`by_arch`]
//! ```
//!
//! Start with [`Board`], then [`Identity`] (one block per state a board can show) and [`Region`]
//! (one block per partition). A new board is one file in `boards/`: the build script lists the
//! folder, [`parse`] refuses keys nobody knows and maps that contradict themselves.
//!
//! A lookup never guesses. Every STM32 in its ROM is 0483:DF11, every OpenMV camera was once
//! 1209:ABD1: [`candidates`] returns all that fit, in the order of their names.
//!
//! Deliberately absent: I/O, any protocol, and code that knows one board.

mod board;
mod check;
mod error;
mod facts;
mod flash;
mod identity;
mod image;
mod light;
mod models;
mod sensors;
mod serial;
mod state;

pub use board::{
    Advice, Arch, Board, Colour, JpegQuality, Led, Life, Limits, Motion, Speed, Uid, V2,
};
pub use error::Error;
pub use facts::{
    Bossa, Dfu, Fuse, LegacyBootloader, Loader, LoaderRole, Mboot, McuBoot, Park, QspiBlocks, StRom,
};
pub use flash::{Alternate, Layout, Memory, MemoryKind, Region, Role, SectorRun, Span};
pub use identity::{Identity, SoftEntry, Speak, UsbId};
pub use image::{ImageRule, Magic, WordRule};
pub use light::{Light, Meaning};
pub use models::{Backend, Compiler, Ml, Pool, Runtime, runtimes};
pub use sensors::sensor;
pub use serial::{SerialFormula, run_serial_from_arduino_dfu};
pub use state::{Family, Malformed, State, Version};

use std::sync::OnceLock;

/// File name and text of every board file, sorted by file name; written by the build script.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/board_files.rs"));

/// One thing a device on the bus may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The board.
    pub board: &'static Board,
    /// The state it would be in, and how to talk to it there.
    pub identity: &'static Identity,
}

impl Candidate {
    /// The state the board would be in.
    #[must_use]
    pub fn state(&self) -> State {
        self.identity.state
    }
}

/// Every board, sorted by name. Parsed at the first call, then kept.
///
/// # Panics
/// When an embedded board file breaks a rule of [`parse`], which the tests of this crate exclude.
#[must_use]
pub fn all() -> &'static [Board] {
    static BOARDS: OnceLock<Vec<Board>> = OnceLock::new();
    BOARDS.get_or_init(|| {
        parse_all(FILES).unwrap_or_else(|error| panic!("embedded board files: {error}"))
    })
}

/// The board of this name or alias, upper and lower case alike.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Board> {
    all().iter().find(|board| board.is_called(name))
}

/// Every board whose firmware says this architecture string, sorted by name.
///
/// The whole `<ARCH>` part is compared, case included (`OpenMV N6`, but `OPENMV AE3`); the part in
/// brackets must be cut off before. `PICO M0` gives two boards, an unknown string none.
///
/// Source: openmv/openmv `boards/*/board_config.h` (`OMV_BOARD_ARCH`).
#[must_use]
pub fn by_arch(arch: &str) -> Vec<&'static Board> {
    let says = |board: &&Board| board.arch.iter().any(|known| known.text == arch);
    all().iter().filter(says).collect()
}

/// Everything a device with this USB id may be; empty for an id no board has.
///
/// `serial` is the device's USB serial number where it could be read. A serial that one of the
/// identities declares as fixed (the old serial bootloader's 000000000010 and 000000000011)
/// selects those identities alone; without it they are never returned.
#[must_use]
pub fn candidates(id: UsbId, serial: Option<&str>) -> Vec<Candidate> {
    let same_id = || {
        let seen = |board: &'static Board| {
            let candidate = move |identity| Candidate { board, identity };
            board.seen.iter().map(candidate)
        };
        all()
            .iter()
            .flat_map(seen)
            .filter(|candidate| candidate.identity.usb == id)
    };
    let has_serial = |identity: &Identity| {
        identity
            .fixed_serials
            .iter()
            .any(|fixed| Some(&**fixed) == serial)
    };
    if same_id().any(|candidate| has_serial(candidate.identity)) {
        same_id()
            .filter(|candidate| has_serial(candidate.identity))
            .collect()
    } else {
        same_id()
            .filter(|candidate| candidate.identity.fixed_serials.is_empty())
            .collect()
    }
}

/// Reads and checks one board file.
///
/// # Errors
/// [`Error::Syntax`], with line and column, for text that is no TOML, an unknown key, a missing
/// one or a value out of its type; the other variants for a board that contradicts itself.
pub fn parse(text: &str) -> Result<Board, Error> {
    let board: Board = toml::from_str(text).map_err(|error| Error::syntax(text, &error))?;
    check::board(&board)?;
    Ok(board)
}

/// Reads a set of board files, each a pair of file name and text, and checks them against each
/// other; sorted by board name.
///
/// # Errors
/// [`Error::File`] around what [`parse`] refuses; [`Error::Twice`] when two boards share a name,
/// an alias or a title, or claim one of OpenMV's own USB ids.
pub fn parse_all(files: &[(&str, &str)]) -> Result<Vec<Board>, Error> {
    let mut boards = Vec::with_capacity(files.len());
    for (file, text) in files {
        boards.push(parse(text).map_err(|error| error.in_file(file))?);
    }
    boards.sort_by(|a, b| a.name.cmp(&b.name));
    check::together(&boards)?;
    Ok(boards)
}
