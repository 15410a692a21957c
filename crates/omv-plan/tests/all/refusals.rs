//! Files that are not for this camera, and what is said about them.

use crate::common::{VECTORS, board, firmware, image, images, loaders, romfs};
use omv_boards::{Life, LoaderRole, State};
use omv_plan::{
    Bytes, Contents, Image, Order, Refusal, Severity, Wish, check, choose, flash, inspect, loader,
    recover, restore, save,
};
use proptest::prelude::*;

const SIZE: usize = 0x1_2345;

fn forced() -> Wish {
    Wish {
        force: true,
        ..Wish::default()
    }
}

fn refused(image: Image, wish: &Wish) -> Option<Refusal> {
    flash(board(), State::Run, vec![image], wish).err()
}

fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

#[test]
fn a_file_that_is_right_raises_no_objection() {
    for image in images() {
        let room = u64::from(board().region(&image.region).unwrap().size);
        assert_eq!(check(board(), &image, room), []);
    }
}

#[test]
fn what_cannot_work_is_refused_even_when_forced() {
    let room = board().region("firmware").unwrap().size as usize;
    let hopeless = [
        ("firmware", Vec::new()),
        ("firmware", firmware(SIZE)[..VECTORS].to_vec()),
        ("firmware", firmware(SIZE)[..VECTORS + 7].to_vec()),
        ("firmware", firmware(room + 1)),
        ("romfs", Vec::new()),
        ("romfs", romfs(0x80_0001)),
    ];
    for (region, bytes) in hopeless {
        for wish in [Wish::default(), forced()] {
            for order in [Order::Safe, Order::Park, Order::EraseFirst] {
                let wish = Wish {
                    order,
                    ..wish.clone()
                };
                let size = bytes.len();
                let refusal = refused(image(region, bytes.clone()), &wish);
                let refusal = refusal.unwrap_or_else(|| panic!("{region} of {size} bytes"));
                assert!(
                    ["not-valid", "too-large"].contains(&refusal.code()),
                    "{refusal}"
                );
            }
        }
    }
}

#[test]
fn what_looks_wrong_is_refused_unless_forced_and_then_told() {
    /// Region, what is said, and the file.
    type Case = (&'static str, &'static str, fn() -> Vec<u8>);
    let cases: [Case; 7] = [
        ("firmware", "mark at offset 0x0", || {
            let mut bytes = firmware(SIZE);
            bytes[0] ^= 0x10;
            bytes
        }),
        ("firmware", "word at offset 0x1000 is 0x402000d0", || {
            let mut bytes = firmware(SIZE);
            bytes[0x1000] ^= 1;
            bytes
        }),
        ("firmware", "reset vector 0x60043100", || {
            let mut bytes = firmware(SIZE);
            put(&mut bytes, VECTORS + 4, 0x6004_3100);
            bytes
        }),
        ("firmware", "reset vector 0x08003101", || {
            let mut bytes = firmware(SIZE);
            put(&mut bytes, VECTORS + 4, 0x0800_3101);
            bytes
        }),
        ("firmware", "lies behind its end", || {
            let mut bytes = firmware(SIZE);
            put(&mut bytes, VECTORS + 4, 0x6004_3101 + SIZE as u32 / 2 * 2);
            bytes
        }),
        ("romfs", "mark at offset 0x0", || {
            let mut bytes = romfs(SIZE);
            bytes[1] = 0;
            bytes
        }),
        (
            "romfs",
            "header says 74565 bytes, the file has 74564",
            || {
                let mut bytes = romfs(SIZE);
                bytes.pop();
                bytes
            },
        ),
    ];
    for (region, says, bytes) in cases {
        let refusal = refused(image(region, bytes()), &Wish::default()).expect(says);
        assert!(matches!(refusal, Refusal::NotValid { .. }), "{refusal}");
        assert!(refusal.to_string().contains(says), "{refusal}");
        let plan = flash(board(), State::Run, vec![image(region, bytes())], &forced()).unwrap();
        assert!(
            plan.warnings.iter().any(|warning| warning.contains(says)),
            "{says}"
        );
    }
}

#[test]
fn a_firmware_of_another_board_is_named_as_such() {
    let mut bytes = firmware(SIZE);
    let ours = bytes
        .windows(9)
        .position(|window| window == b"OMVRT1060")
        .unwrap();
    bytes[ours..ours + 22].copy_from_slice(b"OMV4P H7 32768 SDRAM\0\0");
    // Nor are its vectors those of this board.
    put(&mut bytes, VECTORS + 4, 0x0804_0101);
    let refusal = refused(image("firmware", bytes.clone()), &Wish::default()).unwrap();
    let Refusal::WrongBoard {
        says, board: is, ..
    } = &refusal
    else {
        panic!("{refusal}");
    };
    assert_eq!(
        (says.as_str(), is.as_str()),
        ("OPENMV4P", "OpenMV Cam RT1062")
    );
    let plan = flash(
        board(),
        State::Run,
        vec![image("firmware", bytes)],
        &forced(),
    )
    .unwrap();
    assert!(plan.warnings[0].contains("OPENMV4P"), "{:?}", plan.warnings);
}

#[test]
fn a_firmware_that_names_no_board_is_worth_a_line_and_no_more() {
    let mut bytes = firmware(SIZE);
    let at = bytes
        .windows(9)
        .position(|window| window == b"OMVRT1060")
        .unwrap();
    bytes[at] = b'X';
    let file = image("firmware", bytes);
    let findings = check(board(), &file, 0x3C_0000);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Warning);
    let plan = flash(board(), State::Run, vec![file], &Wish::default()).unwrap();
    assert_eq!(plan.warnings.len(), 1);
}

#[test]
fn a_file_says_what_it_is() {
    let contents = inspect(&firmware(SIZE));
    let expected = Contents {
        arch: vec!["OMVRT1060 32768 SDRAM".into()],
        boards: vec!["OPENMV_RT1060".into()],
        version: Some("5.0.0".into()),
        kind: Some("firmware.bin".into()),
    };
    assert_eq!(contents, expected);
    assert_eq!(inspect(&romfs(SIZE)).kind.as_deref(), Some("romfs0.img"));
    assert_eq!(inspect(b"nothing"), Contents::default());
}

#[test]
fn a_loader_nobody_tested_is_refused_by_its_hash_unless_forced() {
    let name = "sdphost_flash_loader.bin";
    let mut file = Bytes::new(name, name, vec![0x22; 87_884]);
    let refusal = loader(&mut file, board(), LoaderRole::Flashloader, false).unwrap_err();
    let Refusal::UnknownLoader { found, .. } = &refusal else {
        panic!("{refusal}");
    };
    assert_eq!(found.len(), 64);
    let image = loader(&mut file, board(), LoaderRole::Flashloader, true).unwrap();
    assert_eq!((image.start, image.region.as_str()), (0x2000_1C00, "ram"));
    let refusal = loader(&mut file, board(), LoaderRole::Sbl, true).unwrap_err();
    assert!(matches!(refusal, Refusal::NoLoader { .. }), "{refusal}");
}

#[test]
fn a_rebuilding_needs_both_loaders_and_says_which_is_missing() {
    for (missing, keep) in [
        ("sdphost_flash_loader.bin", 1),
        ("blhost_flash_loader.bin", 0),
    ] {
        let images = [images(), vec![loaders()[keep].clone()]].concat();
        let refusal = recover(board(), State::Sdp, images, &Wish::default()).unwrap_err();
        let expected = Refusal::NoLoader {
            file: missing.into(),
        };
        assert_eq!(refusal, expected);
    }
    // What runs in RAM already is not needed again.
    let images = [images(), vec![loaders()[1].clone()]].concat();
    assert!(recover(board(), State::Flashloader, images, &Wish::default()).is_ok());
}

#[test]
fn a_resident_bootloader_of_another_size_is_not_written() {
    let mut loaders = loaders();
    loaders[1].bytes = loaders[1].bytes[..31_319].into();
    let images = [images(), loaders].concat();
    let refusal = recover(board(), State::Sdp, images, &Wish::default()).unwrap_err();
    assert!(
        refusal.to_string().contains("should have 31320"),
        "{refusal}"
    );
}

#[test]
fn a_region_there_is_not_or_that_needs_the_wire_is_refused() {
    let refusal = save(board(), State::Run, "attic", &Wish::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::NoRegion { why: None, .. }));
    for region in ["fcb", "sbl"] {
        let file = image(region, vec![0; 0x1000]);
        let refusal = restore(board(), State::Run, file, &forced()).unwrap_err();
        assert!(
            matches!(refusal, Refusal::NoRegion { why: Some(_), .. }),
            "{refusal}"
        );
        assert!(refusal.to_string().contains("wire"), "{refusal}");
    }
    let mut file = Bytes::new("a", "a", Vec::new());
    assert!(matches!(
        choose(&mut file, board(), "attic"),
        Err(Refusal::NoRegion { .. })
    ));
}

#[test]
fn a_board_that_is_retired_or_no_board_says_so_and_every_other_has_a_way() {
    for other in omv_boards::all() {
        let plan = flash(other, State::Run, Vec::new(), &Wish::default());
        match other.life {
            Life::Current => assert!(plan.is_ok(), "{}: {plan:?}", other.name),
            _ => assert!(
                matches!(plan, Err(Refusal::Unsupported { ref why, .. }) if why.contains("it is ")),
                "{}: {plan:?}",
                other.name
            ),
        }
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_in_a_mark_or_a_vector_never_makes_a_camera_silent(
        at in prop::sample::select(vec![0, 0x1000, VECTORS, VECTORS + 4]),
        bit in 0..32_u32,
    ) {
        let mut bytes = firmware(SIZE);
        let word = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) ^ 1 << bit;
        put(&mut bytes, at, word);
        let accepted = match at {
            0 => false,
            0x1000 => [0x4120_00D1, 0x4320_00D1].contains(&word),
            // The bootloader does not look at the stack pointer, and any RAM will do.
            VECTORS => true,
            _ => word & 1 == 1 && (0x6004_3000..0x6004_0000 + SIZE as u32).contains(&word),
        };
        let refusal = refused(image("firmware", bytes), &Wish::default());
        prop_assert_eq!(refusal.is_none(), accepted, "{:#x}: {:?}", word, refusal);
    }

    #[test]
    fn no_file_makes_a_plan_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..0x4000),
        good in any::<bool>(),
        region in prop::sample::select(vec!["firmware", "romfs", "disk", "sbl", "fcb"]),
        order in prop::sample::select(vec![Order::Safe, Order::Park, Order::EraseFirst]),
    ) {
        if good {
            let whole = firmware(SIZE);
            let head = bytes.len();
            bytes.copy_from_slice(&whole[..head]);
        }
        let wish = Wish { order, ..forced() };
        let _ = inspect(&bytes);
        for state in State::ALL {
            let file = image(region, bytes.clone());
            if let Ok(plan) = flash(board(), state, vec![file.clone()], &wish) {
                plan.describe();
            }
            if let Ok(plan) = restore(board(), state, file, &wish) {
                plan.describe();
            }
        }
    }
}

#[test]
fn firmware_without_a_rom_file_system_gets_none_unless_it_is_replaced_in_the_same_run() {
    let runs = |version: &str| Wish {
        firmware: version.parse().ok(),
        ..Wish::default()
    };
    let rom = || image("romfs", romfs(0x1000));
    let refusal = refused(rom(), &runs("4.6.20")).unwrap();
    assert_eq!(refusal.code(), "before-romfs");
    assert!(refusal.to_string().contains("4.7.0"), "{refusal}");
    assert_eq!(refused(rom(), &runs("4.7.0")), None);
    // Nothing is known of the firmware of a camera in its bootloader.
    assert_eq!(refused(rom(), &Wish::default()), None);
    let both = vec![image("firmware", firmware(SIZE)), rom()];
    assert!(flash(board(), State::Run, both, &runs("4.6.20")).is_ok());
    let put_back = restore(board(), State::Run, rom(), &runs("4.6.20"));
    assert_eq!(put_back.err(), Some(refusal));
    let wish = Wish {
        force: true,
        ..runs("4.6.20")
    };
    let plan = flash(board(), State::Run, vec![rom()], &wish).unwrap();
    assert!(plan.warnings.iter().any(|one| one.contains("4.7.0")));
}
