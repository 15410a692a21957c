//! The roads every plan shares: which bootloader writes a board, into it, and back to running.

use std::time::Duration;

use omv_boards::{Board, Life, Mboot, State, Version};

use crate::Refusal;
use crate::step::{Job, Knock, Plan, Step};

/// How long a person may take to plug something.
pub(crate) const HANDS: Duration = Duration::from_secs(300);

/// The first firmware that came with a DFU bootloader.
const FIRST_DFU: Version = Version {
    major: 4,
    minor: 6,
    patch: 0,
};

/// What writes a board's flash.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// The RT1062's resident bootloader and the flashloader behind its ROM.
    Mboot(&'static Mboot),
    /// OpenMV's DFU bootloader, or the serial one before it.
    OpenMv,
    /// Arduino's bootloader.
    Arduino,
}

/// The way of a board.
///
/// # Errors
/// [`Refusal::Unsupported`] for a board that nobody should flash any more, or that is no board.
pub(crate) fn way(board: &'static Board) -> Result<Way, Refusal> {
    let refuse = |why: String| Refusal::Unsupported {
        board: board.title.clone(),
        why,
    };
    match &board.life {
        Life::Current => {}
        Life::Retired { why } => return Err(refuse(format!("it is retired: {why}"))),
        Life::Emulator { how } => return Err(refuse(format!("it is an emulator: {how}"))),
    }
    if let Some(facts) = &board.mboot {
        return Ok(Way::Mboot(facts));
    }
    if board.dfu.is_some() {
        return Ok(Way::OpenMv);
    }
    if board.identities(State::ArduinoDfu).next().is_some() {
        return Ok(Way::Arduino);
    }
    Err(refuse("its bootloader is not spoken yet".into()))
}

/// Who writes a board's bootloader when its ROM speaks to the maker's program only.
pub(crate) fn job(board: &Board) -> Option<Job> {
    if board.identities(State::SeUart).next().is_some() {
        Some(Job::AlifBootloader)
    } else if board.identities(State::StRom).next().is_some() && board.st_rom.is_none() {
        Some(Job::StBootloader)
    } else {
        None
    }
}

/// The state of a board's ROM, where its bootloader can be written.
pub(crate) fn rom(board: &Board, way: Way) -> Option<State> {
    let rom = match way {
        Way::Mboot(_) => State::Sdp,
        Way::OpenMv if job(board) == Some(Job::AlifBootloader) => State::SeUart,
        Way::OpenMv => State::StRom,
        Way::Arduino => return None,
    };
    board.identities(rom).next().map(|_| rom)
}

/// The state in which a board that shows nothing can still be reached, and what hands must do
/// for that: its ROM, or Arduino's bootloader. None for a board that is out of use.
pub fn last_resort(board: &'static Board) -> Option<(State, String)> {
    let way = way(board).ok()?;
    let state = rom(board, way).unwrap_or(State::ArduinoDfu);
    Some((state, asked(board, state)))
}

/// Into a bootloader that can do it, and hold it there. Tells which.
///
/// `firmware` is what runs now, if that is known: old firmware means the old bootloader.
pub(crate) fn enter(
    plan: &mut Plan,
    way: Way,
    state: State,
    firmware: Option<Version>,
) -> Result<State, Refusal> {
    let board = plan.board;
    let has_old = board.legacy.is_some();
    let old = has_old && firmware.is_some_and(|version| version < FIRST_DFU);
    // Either bootloader can be updated without the firmware: whatever comes is recognised.
    let (there, expect) = match way {
        Way::Mboot(_) => (State::Sbl, vec![State::Sbl]),
        Way::Arduino => (State::ArduinoDfu, vec![State::ArduinoDfu]),
        Way::OpenMv if old => (State::LegacyBl, vec![State::LegacyBl, State::Dfu]),
        Way::OpenMv if has_old => (State::Dfu, vec![State::Dfu, State::LegacyBl]),
        Way::OpenMv => (State::Dfu, vec![State::Dfu]),
    };
    match (state, way) {
        (State::Run, _) => plan.steps.push(Step::Enter {
            by: match way {
                Way::Arduino => Knock::Touch,
                _ => Knock::Command,
            },
            expect,
            limit: millis(board.limits.enter),
        }),
        (State::Sbl, Way::Mboot(_))
        | (State::Dfu | State::LegacyBl, Way::OpenMv)
        | (State::ArduinoDfu, Way::Arduino) => {
            plan.steps.push(Step::Hold { expect: state });
            return Ok(state);
        }
        (State::Flashloader, Way::Mboot(_)) => {
            plan.steps.push(Step::Hold { expect: state });
            plan.steps.push(Step::Configure);
            return Ok(state);
        }
        // Its window opens at the next start; whoever runs the plan catches it.
        (State::Cycling | State::Silent, _) => plan.steps.push(Step::Hands {
            ask: match way {
                Way::Arduino => asked(board, State::ArduinoDfu),
                _ => "Plug the camera in; if it is plugged in, unplug it and plug it in again."
                    .into(),
            },
            expect,
            limit: HANDS,
        }),
        _ => return Err(Refusal::WrongState { state }),
    }
    plan.steps.push(Step::Hold { expect: there });
    Ok(there)
}

/// Back to running. What was entered by a wire needs hands again.
pub(crate) fn leave(plan: &mut Plan, there: State) {
    let wired = match there {
        State::Flashloader => Some(State::Sdp),
        State::StRom => Some(State::StRom),
        _ => None,
    };
    finish(plan, there, wired);
}

/// Back to running, and who runs there. `wired` is the ROM that a wire holds the chip in.
pub(crate) fn finish(plan: &mut Plan, there: State, wired: Option<State>) {
    let limit = millis(plan.board.limits.run);
    match wired {
        // With the wire in place every reset leads back into the ROM, and that is no error. An
        // STM32's ROM does not leave reliably at all: hands do it.
        Some(rom) => {
            if there == State::Flashloader {
                plan.steps.push(Step::Leave {
                    expect: rom,
                    limit: Duration::from_secs(10),
                });
            }
            plan.steps.push(Step::Hands {
                ask: leave_rom(plan.board, rom),
                expect: vec![State::Run],
                limit: HANDS,
            });
        }
        None => plan.steps.push(Step::Leave {
            expect: State::Run,
            limit,
        }),
    }
    plan.steps.push(Step::Ask);
}

/// What hands must do to bring a board into a state.
pub(crate) fn asked(board: &Board, state: State) -> String {
    let mut identities = board.identities(state);
    let asked = identities.find_map(|identity| identity.hands.clone());
    asked.unwrap_or_default()
}

/// What hands must do so that the chip does not start in its ROM.
pub(crate) fn leave_rom(board: &Board, rom: State) -> String {
    let mut identities = board.identities(rom);
    let asked = identities.find_map(|identity| identity.leave.clone());
    asked.unwrap_or_default()
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(count.into())
}
