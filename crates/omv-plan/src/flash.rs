//! Plans for firmware: the safe update, and the rebuilding of a camera that does not start.
//!
//! ## Why the RT1062's order is what it is
//!
//! Its resident bootloader looks at one thing after a reset: whether the reset vector, at
//! 60042004, points into memory. If so it waits 1.5 s for a host before it jumps, whatever the
//! rest of the firmware looks like. If not, it never shows itself on USB, and only a wire helps.
//!
//! So the vector sector is the last thing erased and the last thing written. While all else is
//! rewritten the old vectors stand, and an interrupted camera still opens its window.
//!
//! Source: the loader shipped on every RT1062, executed from its reset handler to the jump.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, LoaderRole, Mboot, Region, Role, State};

use crate::image::{Image, Part};
use crate::road::{HANDS, enter, finish, leave_rom, supported};
use crate::step::{Plan, Step};
use crate::{Refusal, Severity, check};

/// In which order sectors are erased and written.
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
}

/// Plans an update of firmware, ROM file system or both, from any state.
///
/// `images` are those to write; loader images are only needed when the camera is in its ROM.
///
/// # Errors
/// A [`Refusal`] when a file is not for this board or the state does not allow it.
pub fn flash(
    board: &'static Board,
    state: State,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let facts = supported(board)?;
    let mut plan = checked(board, images, wish)?;
    if matches!(state, State::Sdp | State::Flashloader) {
        return rebuild(plan, facts, state, wish);
    }
    enter(&mut plan, state)?;
    if wish.erase_disk {
        plan.steps
            .extend(crate::region::disk_steps(board, wish.save_disk)?);
    }
    write_images(&mut plan, wish)?;
    finish(&mut plan, None);
    Ok(plan)
}

/// Plans the rebuilding of boot block, resident bootloader and firmware through the chip's ROM.
///
/// `images` must hold both loaders and a firmware.
///
/// # Errors
/// As [`flash`]; [`Refusal::NoLoader`] when a loader is missing.
pub fn recover(
    board: &'static Board,
    state: State,
    images: Vec<Image>,
    wish: &Wish,
) -> Result<Plan, Refusal> {
    let facts = supported(board)?;
    let mut plan = checked(board, images, wish)?;
    if !matches!(state, State::Sdp | State::Flashloader) {
        let ask = board
            .identities(State::Sdp)
            .find_map(|identity| identity.hands.clone())
            .unwrap_or_default();
        let expect = vec![State::Sdp];
        plan.steps.push(Step::Hands {
            ask,
            expect,
            limit: HANDS,
        });
    }
    rebuild(plan, facts, state, wish)
}

/// The road through ROM and flashloader, from where the camera is.
fn rebuild(mut plan: Plan, facts: &Mboot, state: State, wish: &Wish) -> Result<Plan, Refusal> {
    let board = plan.board;
    let find = |role| {
        let loader = board.loaders.iter().find(|loader| loader.role == role);
        let missing = || Refusal::NoLoader {
            file: loader.map_or_else(String::new, |loader| loader.file.clone()),
        };
        let known = loader.ok_or_else(missing)?;
        let at = plan
            .images
            .iter()
            .position(|image| image.start == known.load);
        at.map(|at| (at, known)).ok_or_else(missing)
    };
    let (sbl, _) = find(LoaderRole::Sbl)?;
    let mut steps = Vec::new();
    if state != State::Flashloader {
        let (image, known) = find(LoaderRole::Flashloader)?;
        let start = known.jump.unwrap_or(known.load);
        let limit = Duration::from_secs(30);
        steps.push(Step::Load { image });
        steps.push(Step::Jump {
            start,
            expect: State::Flashloader,
            limit,
        });
    }
    steps.push(Step::Hold {
        expect: State::Flashloader,
    });
    steps.push(Step::Configure);
    if wish.erase_disk {
        steps.extend(crate::region::disk_steps(board, wish.save_disk)?);
    }
    if let Some(block) = board.role(Role::FlashConfig) {
        steps.push(Step::BootBlock {
            start: block.start,
            size: block.size,
        });
    }
    plan.steps.extend(steps);
    let bootloader = part(&plan, sbl, "bootloader", None);
    rewrite(&mut plan, bootloader, wish);
    write_images(&mut plan, wish)?;
    let (word, mask) = (facts.boot_fuse.word, facts.boot_fuse.mask());
    plan.steps.push(Step::ReadFuse { word, mask });
    if wish.burn_boot_fuse {
        plan.steps.push(Step::BurnFuse { word, mask });
    }
    let leave = leave_rom(board);
    finish(&mut plan, leave);
    Ok(plan)
}

/// ROM file system first, firmware last: an interrupted job never leaves a mixed running set.
fn write_images(plan: &mut Plan, wish: &Wish) -> Result<(), Refusal> {
    let at = |role| {
        let region = plan.board.role(role)?;
        let found = plan
            .images
            .iter()
            .position(|image| image.region == region.name)?;
        Some((found, region))
    };
    let (romfs, firmware) = (at(Role::Romfs), at(Role::Firmware));
    if let Some((image, _)) = romfs {
        let part = part(plan, image, "romfs", None);
        rewrite(plan, part, wish);
    }
    if let Some((image, region)) = firmware {
        write_firmware(plan, image, region, wish)?;
    }
    Ok(())
}

fn write_firmware(
    plan: &mut Plan,
    image: usize,
    region: &Region,
    wish: &Wish,
) -> Result<(), Refusal> {
    let vectors = region
        .vector_sector
        .map(|start| start..start + region.erase_unit);
    let Some(vectors) = vectors.filter(|_| wish.order != Order::EraseFirst) else {
        let whole = part(plan, image, "firmware", None);
        plan.steps.push(Step::Erase {
            part: whole.clone(),
        });
        plan.steps.push(Step::Write {
            part: whole.clone(),
        });
        plan.steps.push(Step::Verify { part: whole });
        return Ok(());
    };
    let body = part(plan, image, "firmware", Some(&vectors));
    let last = Part {
        image,
        name: "vectors".into(),
        spans: vec![vectors.clone()],
    };
    if !wish.full {
        plan.steps.push(Step::Compare {
            part: part(plan, image, "firmware", None),
        });
    }
    if wish.order == Order::Park {
        can_park(plan, image)?;
        plan.steps.push(Step::Park {
            image,
            sector: vectors,
        });
    }
    for part in [body, last] {
        plan.steps.push(Step::Erase { part: part.clone() });
        plan.steps.push(Step::Write { part: part.clone() });
        plan.steps.push(Step::Verify { part });
    }
    Ok(())
}

/// Parking puts its record into the firmware's own vector sector: the bytes must be unused.
fn can_park(plan: &Plan, image: usize) -> Result<(), Refusal> {
    let Some(facts) = &plan.board.mboot else {
        return Ok(());
    };
    let record = facts.park.record..facts.park.record + facts.park.size;
    let image = &plan.images[image];
    if record.end > image.end() || image.at(&record).iter().all(|byte| *byte == 0xFF) {
        return Ok(());
    }
    let (file, address) = (image.file.clone(), facts.park.record);
    Err(Refusal::CannotPark { file, address })
}

/// Compare, erase, write, verify.
pub(crate) fn rewrite(plan: &mut Plan, part: Part, wish: &Wish) {
    if !wish.full && wish.order != Order::EraseFirst {
        plan.steps.push(Step::Compare { part: part.clone() });
    }
    plan.steps.push(Step::Erase { part: part.clone() });
    plan.steps.push(Step::Write { part: part.clone() });
    plan.steps.push(Step::Verify { part });
}

/// The sectors an image covers, without those of `except`.
pub(crate) fn part(plan: &Plan, image: usize, name: &str, except: Option<&Range<u32>>) -> Part {
    let bytes = &plan.images[image];
    let unit = plan
        .board
        .region_at(bytes.start)
        .map_or(0x1000, |region| region.erase_unit);
    let whole = bytes.start..bytes.end().next_multiple_of(unit);
    let spans = match except {
        Some(hole) => vec![whole.start..hole.start, hole.end..whole.end],
        None => vec![whole],
    };
    let spans = spans
        .into_iter()
        .filter(|span| span.start < span.end)
        .collect();
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
    })
}
