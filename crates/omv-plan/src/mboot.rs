//! What only the RT1062 needs: the order in which its firmware is written, and the rebuilding of
//! its boot block and resident bootloader.
//!
//! ## Why the order is what it is
//!
//! The resident bootloader looks at one thing after a reset: whether the reset vector, at
//! 60042004, points into memory. If so it waits 1.5 s for a host before it jumps, whatever the
//! rest of the firmware looks like. If not, it never shows itself on USB, and only a wire helps.
//!
//! So the vector sector is the last thing erased and the last thing written. While all else is
//! rewritten the old vectors stand, and an interrupted camera still opens its window.
//!
//! Source: the loader shipped on every RT1062, executed from its reset handler to the jump.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{LoaderRole, Mboot, Role, State};

use crate::flash::{part, rewrite, write_images};
use crate::image::Part;
use crate::road::finish;
use crate::step::{Plan, Step};
use crate::{Order, Refusal, Wish};

/// The road through ROM and flashloader, from where the camera is.
pub(crate) fn rebuild(
    mut plan: Plan,
    facts: &Mboot,
    state: State,
    wish: &Wish,
) -> Result<Plan, Refusal> {
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
        steps.extend(crate::region::disk_steps(
            board,
            State::Flashloader,
            wish.save_disk,
        )?);
    }
    if let Some(block) = board.role(Role::FlashConfig) {
        steps.push(Step::BootBlock {
            start: block.start,
            size: block.size,
        });
    }
    plan.steps.extend(steps);
    let bootloader = part(&plan, sbl, "bootloader", None);
    rewrite(&mut plan, bootloader, wish, State::Flashloader);
    write_images(&mut plan, wish, State::Flashloader)?;
    let (word, mask) = (facts.boot_fuse.word, facts.boot_fuse.mask());
    plan.steps.push(Step::ReadFuse { word, mask });
    if wish.burn_boot_fuse {
        plan.steps.push(Step::BurnFuse { word, mask });
    }
    finish(&mut plan, State::Flashloader, Some(State::Sdp));
    Ok(plan)
}

/// Everything but the sector with the vectors, then that sector.
pub(crate) fn write_firmware(
    plan: &mut Plan,
    image: usize,
    vectors: Range<u32>,
    wish: &Wish,
) -> Result<(), Refusal> {
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
