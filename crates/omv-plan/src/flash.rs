//! Plans for firmware: the update, and the rebuilding of a camera that does not start.
//!
//! Whatever the board, an interrupted job leaves the old firmware, the new, or a half of one that
//! the bootloader survives, but never a mixed running set: firmware is written last.

use std::ops::Range;

use omv_boards::{Board, Role, State, Version};

use crate::image::{Image, Part, inspect};
use crate::road::{HANDS, Way, asked, enter, finish, rom, way};
use crate::step::{Plan, Step};
use crate::{Refusal, Severity, check, dfu, mboot};

/// In which order sectors are erased and written, on a board where that decides anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The vector sector last.
    #[default]
    Safe,
    /// First the vector sector with a record that keeps the bootloader waiting for ever, then
    /// everything else, then the real vector sector.
    Park,
    /// Erase the whole region, then write it: what OpenMV IDE does. For comparison.
    EraseFirst,
}

/// What is wanted besides the images.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The order of writing.
    pub order: Order,
    /// Rewrite sectors that are already equal.
    pub full: bool,
    /// Go on although a file looks wrong.
    pub force: bool,
    /// Erase the user's disk too.
    pub erase_disk: bool,
    /// Save the disk before it is erased.
    pub save_disk: bool,
    /// Explicit consent to burn the boot fuse if it is clear.
    pub burn_boot_fuse: bool,
    /// What runs on the camera now, if that is known: old firmware comes with an old bootloader.
    pub firmware: Option<Version>,
    /// Replace the bootloader of a board although the one it has shows itself.
    pub new_bootloader: bool,
    /// Write everything that the chip's ROM can reach through the ROM, not the bootloader alone.
    pub through_rom: bool,
}

/// Plans an update of firmware, ROM file system or both, from any state.
///
/// `images` are those to write; loaders and bootloader are only needed when the camera is in its
/// ROM.
///
/// # Errors
/// A [`Refusal`] when a file is not for this board or the state does not allow it.
pub fn flash(
    board: &'static Board,
    state: State,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let way = way(board)?;
    let mut plan = checked(board, images, wish)?;
    if is_beyond(way, rom(board, way), state) {
        return rebuild(plan, way, state, wish);
    }
    let there = enter(&mut plan, way, state, wish.firmware)?;
    fill(&mut plan, there, wish)?;
    finish(&mut plan, there, None);
    Ok(plan)
}

/// Plans the rebuilding of everything a camera needs to start, through the chip's ROM.
///
/// `images` must hold what that takes: both loaders and a firmware for the RT1062, the bootloader
/// for others. Arduino's boards keep their bootloader, and are written through it.
///
/// # Errors
/// As [`flash`]; [`Refusal::NoLoader`], [`Refusal::NoBootloader`] when a file is missing.
pub fn recover(
    board: &'static Board,
    state: State,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let way = way(board)?;
    let Some(rom) = rom(board, way) else {
        return recover_by_bootloader(board, state, images, wish);
    };
    let mut plan = checked(board, images, wish)?;
    // A bootloader that shows itself needs no wire, only firmware.
    let waits = matches!(way, Way::OpenMv) && matches!(state, State::Dfu | State::Cycling);
    if waits && !wish.new_bootloader {
        return flash(board, state, plan.images, wish);
    }
    if !is_beyond(way, Some(rom), state) {
        plan.steps.push(Step::Hands {
            ask: asked(board, rom),
            expect: vec![rom],
            limit: HANDS,
        });
    }
    rebuild(plan, way, state, wish)
}

/// Whether a camera is in its ROM, or in what the ROM loaded.
fn is_beyond(way: Way, rom: Option<State>, state: State) -> bool {
    rom == Some(state) || matches!(way, Way::Mboot(_)) && state == State::Flashloader
}

/// A board whose ROM is out of reach, but whose bootloader hands can call.
fn recover_by_bootloader(
    board: &'static Board,
    state: State,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    match state {
        // The chip's ROM could take the bootloader, but only Arduino has its file.
        State::StRom => Err(Refusal::WrongState { state }),
        State::ArduinoDfu => flash(board, state, images, wish),
        _ => flash(board, State::Silent, images, wish),
    }
}

fn rebuild(plan: Plan, way: Way, state: State, wish: &Wish) -> Result<Plan, Refusal> {
    match way {
        Way::Mboot(facts) => mboot::rebuild(plan, facts, state, wish),
        _ => dfu::rebuild(plan, wish),
    }
}

/// What is done between entering and leaving: the disk first if it is to be erased, then the
/// images.
pub(crate) fn fill(plan: &mut Plan, there: State, wish: &Wish) -> Result<(), Refusal> {
    dfu::allows(plan, there, wish)?;
    if wish.erase_disk {
        let steps = crate::region::disk_steps(plan.board, there, wish.save_disk)?;
        plan.steps.extend(steps);
    }
    write_images(plan, wish, there)
}

/// What is written, in this order; the bootloader has its own plan.
const ORDER: [(Role, &str); 6] = [
    (Role::WifiFirmware, "wifi"),
    (Role::BluetoothFirmware, "bluetooth"),
    (Role::Romfs, "romfs"),
    (Role::SecondRomfs, "second romfs"),
    (Role::SecondFirmware, "second firmware"),
    (Role::Firmware, "firmware"),
];

/// ROM file systems first, firmware last: an interrupted job never leaves a mixed running set.
pub(crate) fn write_images(plan: &mut Plan, wish: &Wish, there: State) -> Result<(), Refusal> {
    for (role, name) in ORDER {
        let Some(region) = plan.board.role(role) else {
            continue;
        };
        let found = plan
            .images
            .iter()
            .position(|image| image.region == region.name);
        let Some(image) = found else {
            continue;
        };
        let vectors = region
            .vector_sector
            .map(|start| start..start + region.erase_unit);
        match vectors {
            Some(vectors) if wish.order != Order::EraseFirst => {
                mboot::write_firmware(plan, image, vectors, wish)?;
            }
            _ => {
                let whole = part(plan, image, name, None);
                // The order that is there for comparison does not compare.
                let wish = &Wish {
                    full: wish.full || wish.order == Order::EraseFirst,
                    ..wish.clone()
                };
                rewrite(plan, whole, wish, there);
            }
        }
    }
    Ok(())
}

/// Compare, erase, write, verify; as much of it as this bootloader can do and needs.
pub(crate) fn rewrite(plan: &mut Plan, part: Part, wish: &Wish, there: State) {
    let reads = there != State::LegacyBl;
    // OpenMV's DFU bootloader erases a sector when its first block is written.
    let erases = there != State::Dfu;
    if reads && !wish.full {
        plan.steps.push(Step::Compare { part: part.clone() });
    }
    if erases {
        plan.steps.push(Step::Erase { part: part.clone() });
    }
    plan.steps.push(Step::Write { part: part.clone() });
    if reads {
        plan.steps.push(Step::Verify { part });
    }
}

/// The sectors an image covers, without those of `except`.
pub(crate) fn part(plan: &Plan, image: usize, name: &str, except: Option<&Range<u32>>) -> Part {
    let bytes = &plan.images[image];
    let units = plan
        .board
        .region(&bytes.region)
        .map(|region| crate::units(plan.board, region))
        .unwrap_or_default();
    let covered = |unit: &Range<u32>| {
        unit.start < bytes.end() && except.is_none_or(|hole| !hole.contains(&unit.start))
    };
    let mut spans: Vec<Range<u32>> = Vec::new();
    for unit in units.into_iter().filter(covered) {
        match spans.last_mut() {
            Some(last) if last.end == unit.start => last.end = unit.end,
            _ => spans.push(unit),
        }
    }
    Part {
        image,
        name: name.to_owned(),
        spans,
    }
}

/// Tests every image and starts a plan with them.
pub(crate) fn checked(
    board: &'static Board,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let mut warnings = Vec::new();
    match before_romfs(board, &images, wish.firmware) {
        Some(refusal) if wish.force => warnings.push(refusal.to_string()),
        Some(refusal) => return Err(refusal),
        None => {}
    }
    for image in &images {
        let Some(region) = board.region(&image.region) else {
            continue;
        };
        for finding in check(board, image, u64::from(region.size)) {
            match finding.severity {
                Severity::Impossible => return Err(finding.refusal),
                Severity::Wrong if !wish.force => return Err(finding.refusal),
                _ => warnings.push(finding.refusal.to_string()),
            }
        }
    }
    Ok(Plan {
        board,
        images,
        steps: Vec::new(),
        warnings,
        careful: false,
    })
}

/// Whether a ROM file system would go to a camera whose firmware has none: what is being written
/// counts, else what runs, if that is known.
fn before_romfs(board: &Board, images: &[Image], runs: Option<Version>) -> Option<Refusal> {
    let role = |image: &Image| board.region(&image.region).map(|region| region.role);
    let is_romfs = |image: &&Image| matches!(role(image), Some(Role::Romfs | Role::SecondRomfs));
    images.iter().find(is_romfs)?;
    let new = images
        .iter()
        .find(|image| role(image) == Some(Role::Firmware));
    let firmware = match new {
        Some(image) => inspect(&image.bytes).parsed_version(),
        None => runs,
    }?;
    let since = board.romfs_since.filter(|since| firmware < *since)?;
    let board = board.title.clone();
    Some(Refusal::BeforeRomfs {
        board,
        firmware,
        since,
    })
}
