//! Plans for one region: save it, put it back, erase the disk.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, Region, Role, State};

use crate::flash::{checked, finish, leave_rom, part, rewrite, supported};
use crate::step::{Plan, Step};
use crate::{Image, Refusal, Wish};

/// Plans reading a whole region.
///
/// # Errors
/// [`Refusal::NoRegion`] for one the board does not have, [`Refusal::WrongState`].
pub fn save(board: &'static Board, state: State, region: &str) -> Result<Plan, Refusal> {
    supported(board)?;
    let region = find(board, region)?;
    let mut plan = checked(board, Vec::new(), &Wish::default())?;
    enter(&mut plan, state)?;
    plan.steps.push(read(region));
    leave(&mut plan, state);
    Ok(plan)
}

/// Plans writing a file back to the region it was saved from.
///
/// # Errors
/// As [`save`]; [`Refusal::TooLarge`]; [`Refusal::NoRegion`] with the reason for a region that
/// this state cannot write.
pub fn restore(
    board: &'static Board,
    state: State,
    image: Image,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    supported(board)?;
    let region = find(board, &image.region)?;
    if region.role == Role::Firmware {
        // Only the order of a firmware update is safe for it.
        return crate::flash(board, state, vec![image], wish);
    }
    if region.is_read_only() || !region.is_writable_in(State::Sbl) {
        let why = region.forbidden.clone().or_else(|| region.caution.clone());
        return Err(no_region(board, &region.name, why));
    }
    let mut plan = checked(board, vec![image], wish)?;
    enter(&mut plan, state)?;
    let whole = part(&plan, 0, &region.name, None);
    rewrite(&mut plan, whole, wish);
    leave(&mut plan, state);
    Ok(plan)
}

/// Plans erasing the user's disk, so that the firmware makes a new one; saves it first unless
/// `save` is false.
///
/// # Errors
/// As [`save`].
pub fn erase_disk(board: &'static Board, state: State, save: bool) -> Result<Plan, Refusal> {
    supported(board)?;
    let mut plan = checked(board, Vec::new(), &Wish::default())?;
    enter(&mut plan, state)?;
    plan.steps.extend(disk_steps(board, save)?);
    leave(&mut plan, state);
    Ok(plan)
}

/// Plans a restart, or, with `bootloader`, the way into the bootloader, which then stays.
///
/// # Errors
/// [`Refusal::WrongState`] from a state that no command leads out of.
pub fn restart(board: &'static Board, state: State, bootloader: bool) -> Result<Plan, Refusal> {
    supported(board)?;
    let mut plan = checked(board, Vec::new(), &Wish::default())?;
    if state == State::Run && !bootloader {
        let limit = Duration::from_millis(board.limits.run.into());
        plan.steps.extend([Step::Restart { limit }, Step::Ask]);
        return Ok(plan);
    }
    match state {
        State::Flashloader if !bootloader => {
            plan.steps.push(Step::Hold {
                expect: State::Flashloader,
            });
        }
        State::Flashloader => return Err(Refusal::WrongState { state }),
        _ => enter(&mut plan, state)?,
    }
    if !bootloader {
        leave(&mut plan, state);
    }
    Ok(plan)
}

/// The steps between entering and leaving.
pub(crate) fn disk_steps(board: &Board, save: bool) -> Result<Vec<Step>, Refusal> {
    let disk = find(board, "disk")?;
    let size = disk.quick_erase.unwrap_or(disk.size);
    let blank = Step::Blank {
        region: disk.name.clone(),
        start: disk.start,
        size,
    };
    Ok(if save {
        vec![read(disk), blank]
    } else {
        vec![blank]
    })
}

fn read(region: &Region) -> Step {
    let Range { start, end } = region.start..region.end();
    Step::Save {
        region: region.name.clone(),
        start,
        size: end - start,
    }
}

/// Into a bootloader that can do it, and hold it there.
fn enter(plan: &mut Plan, state: State) -> Result<(), Refusal> {
    let board = plan.board;
    match state {
        State::Run => plan.steps.push(Step::Enter {
            expect: State::Sbl,
            limit: Duration::from_millis(board.limits.enter.into()),
        }),
        State::Sbl => {}
        State::Cycling | State::Silent => plan.steps.push(Step::Hands {
            ask: "Plug the camera in; if it is plugged in, unplug it and plug it in again.".into(),
            expect: vec![State::Sbl],
            limit: Duration::from_secs(300),
        }),
        State::Flashloader => {
            plan.steps.push(Step::Hold {
                expect: State::Flashloader,
            });
            plan.steps.push(Step::Configure);
            return Ok(());
        }
        _ => return Err(Refusal::WrongState { state }),
    }
    plan.steps.push(Step::Hold { expect: State::Sbl });
    Ok(())
}

/// Back to running. Whatever runs in RAM came there by the wire, which is still in place.
fn leave(plan: &mut Plan, state: State) {
    let hands = match state {
        State::Flashloader => leave_rom(plan.board),
        _ => None,
    };
    finish(plan, hands);
}

fn find<'b>(board: &'b Board, region: &str) -> Result<&'b Region, Refusal> {
    board
        .region(region)
        .ok_or_else(|| no_region(board, region, None))
}

fn no_region(board: &Board, region: &str, why: Option<String>) -> Refusal {
    let (board, region) = (board.title.clone(), region.to_owned());
    Refusal::NoRegion { board, region, why }
}
