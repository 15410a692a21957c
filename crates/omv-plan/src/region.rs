//! Plans for one region: save it, put it back, erase the disk.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, Region, Role, State};

use crate::flash::{checked, part, rewrite};
use crate::road::{enter, leave, supported};
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

fn find<'b>(board: &'b Board, region: &str) -> Result<&'b Region, Refusal> {
    board
        .region(region)
        .ok_or_else(|| no_region(board, region, None))
}

fn no_region(board: &Board, region: &str, why: Option<String>) -> Refusal {
    let (board, region) = (board.title.clone(), region.to_owned());
    Refusal::NoRegion { board, region, why }
}
