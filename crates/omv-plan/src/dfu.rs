//! What boards with OpenMV's DFU bootloader need: rebuilding through the chip's ROM, and what the
//! serial bootloader of older firmware allows.

use omv_boards::{LoaderRole, MemoryKind, Role, State, Version};

use crate::flash::{fill, part, rewrite, write_images};
use crate::image::inspect;
use crate::road::{HANDS, Way, finish, job, leave_rom, rom};
use crate::step::{Job, Plan, Step};
use crate::{Refusal, Wish};

/// The first firmware that expects a DFU bootloader.
const FIRST_DFU: Version = Version {
    major: 4,
    minor: 6,
    patch: 0,
};

/// The bootloader through the ROM, everything else through the bootloader.
///
/// The ROM could write firmware too, but the one of the STM32H74x revision V never reports the
/// end of an erase beyond 1 MiB (dfu-util ticket 88), and none reaches external flash.
pub(crate) fn rebuild(mut plan: Plan, wish: &Wish) -> Result<Plan, Refusal> {
    let board = plan.board;
    let region = board.role(Role::Bootloader);
    let missing = || Refusal::NoBootloader {
        file: region
            .and_then(|region| region.files.first().cloned())
            .unwrap_or_default(),
        board: board.title.clone(),
    };
    let region = region.ok_or_else(missing)?;
    let at = |name: &str| plan.images.iter().position(|image| image.region == name);
    let bootloader = at(&region.name).ok_or_else(missing)?;
    let rom = match job(board) {
        Some(job) => {
            vendor(&mut plan, job, bootloader)?;
            rom(board, Way::OpenMv).unwrap_or(State::StRom)
        }
        None => {
            plan.steps.push(Step::Hold {
                expect: State::StRom,
            });
            let part = part(&plan, bootloader, "bootloader", None);
            rewrite(&mut plan, part, wish, State::StRom);
            State::StRom
        }
    };
    if wish.through_rom {
        only_internal(&plan)?;
        write_images(&mut plan, wish, State::StRom)?;
        finish(&mut plan, State::StRom, Some(State::StRom));
        return Ok(plan);
    }
    // Its window opens at the next start, whatever the rest of the flash holds.
    plan.steps.push(Step::Hands {
        ask: leave_rom(board, rom),
        expect: vec![State::Dfu],
        limit: HANDS,
    });
    plan.steps.push(Step::Hold { expect: State::Dfu });
    fill(&mut plan, State::Dfu, wish)?;
    finish(&mut plan, State::Dfu, None);
    Ok(plan)
}

/// The maker's program, with the files it needs besides the bootloader.
fn vendor(plan: &mut Plan, job: Job, bootloader: usize) -> Result<(), Refusal> {
    let board = plan.board;
    let at = |region: &str| plan.images.iter().position(|image| image.region == region);
    if job == Job::StBootloader {
        let mut images = vec![bootloader];
        for role in [LoaderRole::StLoader, LoaderRole::StFlash] {
            let file = board.loader(role).map(|loader| loader.file.clone());
            let missing = || Refusal::NoLoader {
                file: file.unwrap_or_default(),
            };
            images.push(at(role.name()).ok_or_else(missing)?);
        }
        plan.steps.push(Step::Vendor { job, images });
        return Ok(());
    }
    let region = board.role(Role::BootTable);
    let table = region.and_then(|region| at(&region.name));
    let missing = || Refusal::NoBootloader {
        file: region
            .and_then(|region| region.files.first().cloned())
            .unwrap_or_default(),
        board: board.title.clone(),
    };
    let images = vec![bootloader, table.ok_or_else(missing)?];
    // The Secure Enclave's own software and the bootloader belong together, and the former only
    // works after the power was off.
    plan.steps.push(Step::Vendor {
        job: Job::AlifSystem,
        images: Vec::new(),
    });
    plan.steps.push(Step::Hands {
        ask: "Unplug the camera and plug it in again; leave the recovery switch on.".into(),
        expect: vec![State::SeUart],
        limit: HANDS,
    });
    plan.steps.push(Step::Vendor { job, images });
    Ok(())
}

/// Refuses what the ROM cannot reach.
fn only_internal(plan: &Plan) -> Result<(), Refusal> {
    let board = plan.board;
    if board.st_rom.is_none() {
        return Err(Refusal::WrongState {
            state: State::StRom,
        });
    }
    let outside = plan.images.iter().find_map(|image| {
        let region = board.region(&image.region)?;
        (region.memory != MemoryKind::Internal).then_some(region)
    });
    match outside {
        None => Ok(()),
        Some(region) => Err(Refusal::NoRegion {
            board: board.title.clone(),
            region: region.name.clone(),
            why: Some("the chip's ROM reaches its internal flash only".into()),
        }),
    }
}

/// Refuses what the bootloader at hand cannot write.
///
/// Two cores share one firmware: both halves or none. The serial bootloader knows firmware only,
/// and of the time before DFU.
pub(crate) fn allows(plan: &mut Plan, there: State, wish: &Wish) -> Result<(), Refusal> {
    let board = plan.board;
    let role = |role| {
        let region = board.role(role)?;
        let has = plan.images.iter().any(|image| image.region == region.name);
        Some((region, has))
    };
    if let (Some((one, has_one)), Some((other, has_other))) =
        (role(Role::Firmware), role(Role::SecondFirmware))
        && has_one != has_other
    {
        let missing = if has_one { other } else { one };
        return Err(Refusal::OneCore {
            board: board.title.clone(),
            missing: missing.files.first().cloned().unwrap_or_default(),
        });
    }
    if there != State::LegacyBl {
        return Ok(());
    }
    let old = |why: &str| Refusal::OldBootloader {
        board: board.title.clone(),
        why: why.to_owned(),
    };
    let is_new = |bytes: &[u8]| {
        let version = inspect(bytes).parsed_version();
        version.is_some_and(|version| version >= FIRST_DFU)
    };
    let firmware = role(Role::Firmware).map(|(region, _)| region.name.clone());
    let is_firmware = |name: &str| firmware.as_deref() == Some(name);
    let refusal = plan.images.iter().find_map(|image| {
        if !is_firmware(&image.region) {
            Some(old("it writes firmware only, and this needs more"))
        } else if is_new(&image.bytes) {
            Some(old("this firmware expects the DFU bootloader"))
        } else {
            None
        }
    });
    match refusal {
        Some(refusal) if wish.force => plan.warnings.push(refusal.to_string()),
        Some(refusal) => return Err(refusal),
        None => {}
    }
    plan.images.retain(|image| is_firmware(&image.region));
    plan.warnings.push(
        "The old serial bootloader cannot be read back: that the new firmware answers is the only \
         proof. `omv recover` replaces it by the DFU bootloader."
            .into(),
    );
    Ok(())
}
