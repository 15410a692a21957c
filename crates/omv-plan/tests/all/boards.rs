//! The plans of every other board: with OpenMV's DFU bootloader, with the serial one before it,
//! with Arduino's, and with the program of the chip's maker.

use crate::common::{romfs, show};
use omv_boards::{Board, LoaderRole, Role, State, by_name};
use omv_plan::{Image, Plan, Refusal, Step, Wish, erase_disk, flash, recover, restore, save};

fn board(name: &str) -> &'static Board {
    by_name(name).expect("a board with a file")
}

fn image(board: &Board, region: &str, file: &str, start: u32, bytes: Vec<u8>) -> Image {
    assert!(!board.name.is_empty());
    Image {
        file: file.into(),
        region: region.into(),
        start,
        bytes: bytes.into(),
    }
}

/// A file that passes every test its board has for it.
fn made_up(board: &Board, role: Role, version: &str) -> Option<Image> {
    let region = board.role(role)?;
    let file = region.files.first()?;
    let rule = board.image(file);
    let mut bytes = match role {
        Role::Romfs | Role::SecondRomfs => romfs(0x2345),
        _ => vec![0xA5; 0x6_2345.min(region.size as usize - 5)],
    };
    if let Some(rule) = rule {
        if let Some(exact) = rule.exact_size {
            bytes.resize(exact as usize, 0xA5);
        }
        for magic in &rule.magic {
            let at = magic.offset as usize;
            bytes[at..at + magic.bytes.len()].copy_from_slice(&magic.bytes);
        }
        if let Some(at) = rule.vectors.map(|at| at as usize) {
            let stack = rule.stack.first().map_or(0x2000_0000, |span| span.end);
            let reset = rule.reset.map_or(0, |span| span.start + 0x301);
            bytes[at..at + 4].copy_from_slice(&stack.to_le_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&reset.to_le_bytes());
        }
        if rule.holds_arch {
            let text = format!(
                "\0{}\0 OpenMV v{version}-x; MicroPython\0",
                board.arch[0].text
            );
            bytes[0x1000..0x1000 + text.len()].copy_from_slice(text.as_bytes());
        }
    }
    Some(image(board, &region.name, file, region.start, bytes))
}

/// What a release has for a board, and the programs of its maker.
fn release(board: &Board, version: &str) -> Vec<Image> {
    let roles = [
        Role::Firmware,
        Role::SecondFirmware,
        Role::Romfs,
        Role::Bootloader,
        Role::BootTable,
    ];
    let mut images: Vec<Image> = roles
        .iter()
        .filter_map(|role| made_up(board, *role, version))
        .collect();
    for role in [LoaderRole::StLoader, LoaderRole::StFlash] {
        if let Some(loader) = board.loader(role) {
            let bytes = vec![0; loader.bytes as usize];
            images.push(image(board, role.name(), &loader.file, 0, bytes));
        }
    }
    images
}

fn from_every_state(plan: impl Fn(State) -> Result<Plan, Refusal>) -> String {
    let mut sections: Vec<(Vec<&str>, String)> = Vec::new();
    for state in State::ALL {
        let shown = show(&plan(state)).replace(&format!("`{state}`"), "`<state>`");
        match sections.iter_mut().find(|(_, text)| *text == shown) {
            Some((states, _)) => states.push(state.name()),
            None => sections.push((vec![state.name()], shown)),
        }
    }
    let section =
        |(states, text): &(Vec<&str>, String)| format!("=== from {}\n{text}", states.join(", "));
    sections.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// One of each kind: two eras of OpenMV's bootloader, external flash, two makers' programs,
/// Arduino.
const KINDS: [&str; 5] = ["m7", "h7plus", "n6", "ae3", "nicla"];

fn of_every_kind(plan: impl Fn(&'static Board, State) -> Result<Plan, Refusal>) -> String {
    let section = |name: &&str| {
        let board = board(name);
        format!(
            "##### {name}\n{}",
            from_every_state(|state| plan(board, state))
        )
    };
    KINDS.iter().map(section).collect::<Vec<_>>().join("\n")
}

#[test]
fn flash_of_every_kind_of_board() {
    insta::assert_snapshot!(of_every_kind(|board, state| {
        flash(board, state, release(board, "5.0.0"), &Wish::default())
    }));
}

#[test]
fn recover_of_every_kind_of_board() {
    insta::assert_snapshot!(of_every_kind(|board, state| {
        recover(board, state, release(board, "5.0.0"), &Wish::default())
    }));
}

#[test]
fn one_region_of_every_kind_of_board() {
    let wish = Wish {
        save_disk: true,
        ..Wish::default()
    };
    insta::assert_snapshot!(of_every_kind(|board, state| {
        let mut plan = erase_disk(board, state, &wish)?;
        let saved = save(board, state, "firmware", &wish)?;
        plan.steps.extend(saved.steps);
        Ok(plan)
    }));
}

#[test]
fn old_firmware_is_expected_to_have_the_old_bootloader() {
    let m7 = board("m7");
    let wish = Wish {
        firmware: "4.5.2".parse().ok(),
        ..Wish::default()
    };
    let firmware = vec![made_up(m7, Role::Firmware, "4.5.9").unwrap()];
    let plan = flash(m7, State::Run, firmware.clone(), &wish).unwrap();
    let Step::Enter { expect, .. } = &plan.steps[0] else {
        panic!("{:?}", plan.steps[0]);
    };
    assert_eq!(expect, &[State::LegacyBl, State::Dfu]);
    assert!(
        !plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::Verify { .. }))
    );
    assert_eq!(plan.warnings.len(), 1);

    // New firmware does not go through it: nobody knows whether that starts.
    let new = release(m7, "5.0.0");
    let refusal = flash(m7, State::Run, new.clone(), &wish).unwrap_err();
    assert_eq!(refusal.code(), "old-bootloader");
    let forced = Wish {
        force: true,
        ..wish.clone()
    };
    let plan = flash(m7, State::Run, new, &forced).unwrap();
    assert_eq!(plan.images.len(), 1, "only the firmware can be written");
    // A board that never had it does not expect it, whatever it says it runs.
    let n6 = board("n6");
    let plan = flash(n6, State::Run, release(n6, "5.0.0"), &wish).unwrap();
    assert!(matches!(&plan.steps[0], Step::Enter { expect, .. } if expect == &[State::Dfu]));
}

#[test]
fn two_cores_get_firmware_of_one_release_or_none() {
    let ae3 = board("ae3");
    for role in [Role::Firmware, Role::SecondFirmware] {
        let half = vec![made_up(ae3, role, "5.0.0").unwrap()];
        let refusal = flash(ae3, State::Run, half, &Wish::default()).unwrap_err();
        assert_eq!(refusal.code(), "one-core");
    }
    let romfs = vec![made_up(ae3, Role::Romfs, "5.0.0").unwrap()];
    assert!(flash(ae3, State::Run, romfs, &Wish::default()).is_ok());
}

#[test]
fn what_must_not_be_written_is_refused_on_every_board_in_every_state() {
    for board in omv_boards::all() {
        for region in board
            .layouts
            .first()
            .iter()
            .flat_map(|layout| &layout.regions)
        {
            if region.forbidden.is_none() && region.role != Role::BootTable {
                continue;
            }
            for state in State::ALL {
                let bytes = vec![0; region.size as usize];
                let file = image(board, &region.name, "file", region.start, bytes);
                let wish = Wish {
                    force: true,
                    ..Wish::default()
                };
                let plan = restore(board, state, file, &wish);
                assert!(plan.is_err(), "{} {} {state}", board.name, region.name);
            }
        }
    }
    // Erasing the disk of a Nicla stays away from where its bootloader reaches.
    let plan = erase_disk(board("nicla"), State::ArduinoDfu, &Wish::default()).unwrap();
    let blanked = plan.steps.iter().filter_map(|step| match step {
        Step::Blank { start, .. } => Some(*start),
        _ => None,
    });
    assert_eq!(blanked.collect::<Vec<_>>(), [0x9000_0000]);
    let plan = erase_disk(board("giga"), State::ArduinoDfu, &Wish::default()).unwrap();
    let blanks = plan
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Blank { .. }));
    assert_eq!(blanks.count(), 2);
}

#[test]
fn a_rebuilding_without_the_bootloader_file_names_it() {
    for name in ["m4", "h7", "n6", "ae3"] {
        let board = board(name);
        let images = made_up(board, Role::Firmware, "5.0.0").into_iter();
        let images = images.chain(made_up(board, Role::SecondFirmware, "5.0.0"));
        let refusal = recover(board, State::Silent, images.collect(), &Wish::default());
        assert_eq!(refusal.unwrap_err().code(), "no-bootloader", "{name}");
    }
}

#[test]
fn all_through_the_rom_is_for_internal_flash_only() {
    let wish = Wish {
        through_rom: true,
        ..Wish::default()
    };
    let m7 = board("m7");
    let plan = recover(m7, State::StRom, release(m7, "5.0.0"), &wish).unwrap();
    let last = &plan.steps[plan.steps.len() - 2];
    assert!(matches!(last, Step::Hands { expect, .. } if expect == &[State::Run]));
    let h7plus = board("h7plus");
    let refusal = recover(h7plus, State::StRom, release(h7plus, "5.0.0"), &wish).unwrap_err();
    assert_eq!(refusal.code(), "no-region");
}
