//! Plans for one region: save it, put it back, erase the disk.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, MemoryKind, Region, Role, State};

use crate::flash::{checked, part, rewrite};
use crate::road::{Way, enter, leave, way};
use crate::step::{Plan, Step};
use crate::{Image, Refusal, Wish};

/// Plans reading a whole region.
///
/// # Errors
/// [`Refusal::NoRegion`] for one the board does not have, [`Refusal::WrongState`].
pub fn save(
    board: &'static Board,
    state: State,
    region: &str,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let way = way(board)?;
    let region = find(board, region)?;
    let mut plan = checked(board, Vec::new(), wish)?;
    let there = open(&mut plan, way, state, wish)?;
    readable(board, region, there)?;
    plan.steps.push(read(region));
    leave(&mut plan, there);
    Ok(plan)
}

/// Into whatever can read and write single regions; an STM32's ROM counts, as far as it reaches.
fn open(plan: &mut Plan, way: Way, state: State, wish: &Wish) -> Result<State, Refusal> {
    let spoken = plan.board.st_rom.is_some() && matches!(way, Way::OpenMv);
    if state == State::StRom && spoken {
        plan.steps.push(Step::Hold { expect: state });
        return Ok(state);
    }
    enter(plan, way, state, wish.firmware)
}

/// Refuses a region that cannot be read where the camera is.
fn readable(board: &Board, region: &Region, there: State) -> Result<(), Refusal> {
    let why = match there {
        State::LegacyBl => "the old serial bootloader cannot read anything back",
        State::StRom if region.memory != MemoryKind::Internal => {
            "the chip's ROM reaches its internal flash only"
        }
        _ if region.memory == MemoryKind::Command => "it is no memory",
        _ => return Ok(()),
    };
    Err(no_region(board, &region.name, Some(why.into())))
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
    let way = way(board)?;
    let region = find(board, &image.region)?;
    if matches!(region.role, Role::Firmware) {
        // Only the order of a firmware update is safe for it.
        return crate::flash(board, state, vec![image], wish);
    }
    let mut road = checked(board, Vec::new(), wish)?;
    let there = open(&mut road, way, state, wish)?;
    // What only a recovery may touch has its own plan, with its own consent.
    let by = match there {
        State::Flashloader => State::Sbl,
        other => other,
    };
    if region.is_read_only() || !region.is_writable_in(by) || region.role == Role::BootTable {
        let why = region.forbidden.clone().or_else(|| region.caution.clone());
        return Err(no_region(board, &region.name, why));
    }
    let mut plan = checked(board, vec![image], wish)?;
    plan.steps = road.steps;
    let whole = part(&plan, 0, &region.name, None);
    rewrite(&mut plan, whole, wish, there);
    leave(&mut plan, there);
    Ok(plan)
}

/// Plans erasing the user's disk, so that the firmware makes a new one; saves it first if that is
/// wished.
///
/// # Errors
/// As [`save`].
pub fn erase_disk(board: &'static Board, state: State, wish: &Wish) -> Result<Plan, Refusal> {
    let way = way(board)?;
    let mut plan = checked(board, Vec::new(), wish)?;
    let there = open(&mut plan, way, state, wish)?;
    plan.steps.extend(disk_steps(board, there, wish.save_disk)?);
    leave(&mut plan, there);
    Ok(plan)
}

/// Plans a restart, or, with `bootloader`, the way into the bootloader, which then stays.
///
/// # Errors
/// [`Refusal::WrongState`] from a state that no command leads out of.
pub fn restart(
    board: &'static Board,
    state: State,
    bootloader: bool,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let way = way(board)?;
    let mut plan = checked(board, Vec::new(), wish)?;
    if state == State::Run && !bootloader {
        let limit = Duration::from_millis(board.limits.run.into());
        plan.steps.extend([Step::Restart { limit }, Step::Ask]);
        return Ok(plan);
    }
    let there = match state {
        State::Flashloader if !bootloader => {
            plan.steps.push(Step::Hold { expect: state });
            state
        }
        State::Flashloader => return Err(Refusal::WrongState { state }),
        _ => enter(&mut plan, way, state, wish.firmware)?,
    };
    if !bootloader {
        leave(&mut plan, there);
    }
    Ok(plan)
}

/// The steps between entering and leaving.
pub(crate) fn disk_steps(board: &Board, there: State, save: bool) -> Result<Vec<Step>, Refusal> {
    // Older firmware kept its disk elsewhere, where the chip is small.
    let old = board
        .layout_named("legacy")
        .filter(|_| there == State::LegacyBl);
    let disk = match old {
        Some(old) => old
            .role(Role::Disk)
            .ok_or_else(|| no_region(board, "disk", None))?,
        None => find(board, "disk")?,
    };
    // Arduino's boards keep files in both memories; elsewhere the internal one is another thing.
    let second = board
        .role(Role::InternalDisk)
        .filter(|region| there == State::ArduinoDfu && region.is_writable_in(there));
    let mut steps = Vec::new();
    for disk in second.into_iter().chain([disk]) {
        if save {
            readable(board, disk, there)?;
            steps.push(read(disk));
        }
        if there != State::Flashloader && !disk.is_writable_in(there) {
            let why = format!("a camera in state `{there}` cannot erase it");
            return Err(no_region(board, &disk.name, Some(why)));
        }
        // Its beginning is enough: without one there is no file system, and the firmware makes a new one.
        let size = disk.quick_erase.unwrap_or(disk.erase_unit);
        steps.push(Step::Blank {
            region: disk.name.clone(),
            start: disk.start,
            size,
        });
    }
    Ok(steps)
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
