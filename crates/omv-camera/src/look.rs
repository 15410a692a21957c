//! Looking closer: which board this is, in which state, and what it runs. Opens the device.

use omv_boards::{Board, State, Version, by_arch};
use omv_link::{Function, drive};
use omv_wire::identify::{Failure, Generation, Identify, Who};
use omv_wire::{v1, v2};

use crate::programmer::{dfu, dfuse};
use crate::{Error, Found, Loader};

/// The line rate at which firmware speaks its own protocol.
pub(crate) const PROTOCOL_RATE: u32 = 921_600;

/// A camera that was looked at.
pub struct Looked {
    /// Where and on which bus.
    pub found: Found,
    /// The board.
    pub board: &'static Board,
    /// The state.
    pub state: State,
    /// What the running firmware says of itself.
    pub who: Option<Who>,
}

impl Looked {
    /// The firmware version of a running camera.
    pub fn firmware(&self) -> Option<String> {
        self.who.as_ref().map(version)
    }
}

/// Dotted version text.
pub(crate) fn version(who: &Who) -> String {
    let [major, minor, patch] = who.firmware;
    Version {
        major: major.into(),
        minor: minor.into(),
        patch: patch.into(),
    }
    .to_string()
}

/// Finds out what a found device really is. A bootloader that is looked at stays: its window
/// does not close any more.
///
/// `board` is what a person says it is; it decides where the device cannot say.
///
/// # Errors
/// [`Error::WhichBoard`] when nothing tells; else those of talking to the camera.
pub fn look(found: &Found, board: Option<&'static Board>) -> Result<Looked, Error> {
    let known = board.or_else(|| found.board());
    match state_now(found)? {
        State::Run => {
            let who = ask(found)?;
            let says = board_of(&who, found).or(known);
            let board = says.ok_or_else(|| which_board(found))?;
            Ok(Looked {
                found: found.clone(),
                board,
                state: State::Run,
                who: Some(who),
            })
        }
        State::Sbl | State::Flashloader => {
            let board = known.ok_or_else(|| which_board(found))?;
            let facts = board.mboot.as_ref().ok_or_else(|| which_board(found))?;
            let (_loader, state) = Loader::open(found, facts)?;
            Ok(Looked {
                found: found.clone(),
                board,
                state,
                who: None,
            })
        }
        // Every STM32 in its ROM has one USB identity; the map of its flash tells the family.
        State::StRom if known.is_none() => {
            let map = dfuse::map(found)?;
            let mut narrowed = found.clone();
            narrowed
                .candidates
                .retain(|one| dfuse::fits(one.board, &map));
            let board = narrowed
                .board()
                .ok_or_else(|| match narrowed.candidates.len() {
                    0 => which_board(found),
                    _ => which_board(&narrowed),
                })?;
            Ok(Looked {
                found: found.clone(),
                board,
                state: State::StRom,
                who: None,
            })
        }
        state => {
            let board = known.ok_or_else(|| which_board(found))?;
            if state == State::Dfu {
                dfu::stay(found, board)?;
            }
            Ok(Looked {
                found: found.clone(),
                board,
                state,
                who: None,
            })
        }
    }
}

/// The state, where one identity has two: some firmware of the Nicla ran with the id of its
/// bootloader. Whatever offers DFU is the bootloader.
fn state_now(found: &Found) -> Result<State, Error> {
    let states = found.states();
    let both = [State::Run, State::ArduinoDfu];
    if !both.iter().all(|state| states.contains(state)) {
        return Ok(found.state());
    }
    let offers = dfuse::map(found).is_ok_and(|map| !map.is_empty());
    Ok(if offers {
        State::ArduinoDfu
    } else {
        State::Run
    })
}

/// Asks a running camera who it is, in a way that no firmware hangs on.
pub(crate) fn ask(found: &Found) -> Result<Who, Error> {
    let mut device = found.bus.open(&found.seen)?;
    let mut link = device.link(Function::Console {
        baud: PROTOCOL_RATE,
    })?;
    let answer = if only_v1(found) {
        drive(&mut v1::host::Identify::new(), &mut *link)?
            .map(Who::from)
            .map_err(Failure::from)
    } else {
        drive(&mut Identify::new(), &mut *link)?
    };
    answer.map_err(|failure| match failure {
        Failure::Gone => Error::Gone {
            doing: "asked who it is".into(),
        },
        other => Error::Protocol {
            doing: "asked who it is".into(),
            what: other.to_string(),
        },
    })
}

/// Whether its USB identity has never been anything but protocol v1. Firmware up to 4.7.0 hangs
/// for good at a byte of the other protocol: then none is ever sent.
pub(crate) fn only_v1(found: &Found) -> bool {
    let speaks_v1 =
        |candidate: &omv_boards::Candidate| candidate.identity.speak == omv_boards::Speak::V1;
    found.candidates.iter().all(speaks_v1)
}

/// Restarts a running camera, or sends it into its bootloader. The command has no answer; watch
/// the bus for what comes of it.
///
/// # Errors
/// Those of talking to the camera.
pub fn reset(found: &Found, generation: Generation, leave: v2::Leave) -> Result<(), Error> {
    let mut device = found.bus.open(&found.seen)?;
    let mut link = device.link(Function::Console {
        baud: PROTOCOL_RATE,
    })?;
    let trouble = |what: String| Error::Protocol {
        doing: "asked to reset".into(),
        what,
    };
    match generation {
        Generation::V1 => {
            let told = drive(&mut v1::host::Reset::new(leave), &mut *link)?;
            told.map_err(|failure| trouble(failure.to_string()))?;
        }
        Generation::V2 => {
            let told = drive(&mut v2::host::Dismiss::new(leave), &mut *link)?;
            told.map_err(|failure| trouble(failure.to_string()))?;
        }
    }
    Ok(())
}

/// Sends the program of an Arduino board into the bootloader: a console at 1200 baud is the sign.
pub(crate) fn touch(found: &Found) -> Result<(), Error> {
    let mut device = found.bus.open(&found.seen)?;
    let told = device.link(Function::Console { baud: 1200 });
    match told {
        // It may be gone before the console is open.
        Ok(_) | Err(omv_link::LinkError::Gone) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The board the firmware names: by its architecture string, or by the USB id it was built for.
fn board_of(who: &Who, found: &Found) -> Option<&'static Board> {
    if let Some(arch) = &who.arch {
        let boards = by_arch(arch);
        let fits = |board: &&&Board| found.candidates.iter().any(|c| c.board.name == board.name);
        return boards.iter().find(fits).or(boards.first()).copied();
    }
    let (vid, pid) = who.usb?;
    let mut boards = omv_boards::candidates(omv_boards::UsbId { vid, pid }, None)
        .into_iter()
        .filter(|candidate| candidate.state() == State::Run)
        .map(|candidate| candidate.board);
    let first = boards.next()?;
    boards
        .all(|board| board.name == first.name)
        .then_some(first)
}

fn which_board(found: &Found) -> Error {
    let mut boards: Vec<String> = found
        .candidates
        .iter()
        .map(|candidate| candidate.board.title.clone())
        .collect();
    boards.dedup();
    Error::WhichBoard {
        place: found.seen.place.to_string(),
        boards,
    }
}
