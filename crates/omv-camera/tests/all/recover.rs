//! Rebuilding a virtual RT1062 through its ROM.

use crate::bench::{Bench, Meddled, board, image, loaders, refusal};
use omv_boards::State;
use omv_camera::{Error, wait_for_camera};
use omv_plan::{Image, Refusal, Risk, Step, Wish};
use omv_sim::Hand;
use omv_sim::rt1062::chip::BOOT_FUSE;
use omv_sim::rt1062::{Quirks, Remains, Rt1062, sample};
use omv_wire::mboot::tag;
use std::time::Duration;

const SIZE: usize = 0x1_2345;

fn images() -> Vec<Image> {
    let firmware = sample::firmware("5.0.0", SIZE);
    vec![
        image("firmware", firmware),
        image("romfs", sample::romfs(0x2345)),
    ]
}

fn old() -> Vec<u8> {
    sample::firmware("4.8.0", SIZE + 0x800)
}

fn consent() -> Wish {
    Wish {
        burn_boot_fuse: true,
        ..Wish::default()
    }
}

fn clear_fuse() -> Quirks {
    Quirks {
        clear_boot_fuse: true,
        ..Quirks::default()
    }
}

fn fuse_is_set(bench: &Bench) -> bool {
    bench.camera(|camera| camera.chip().lock().fuses[BOOT_FUSE.0] & BOOT_FUSE.1 != 0)
}

/// Boot block, bootloader, firmware and ROM file system as they should be.
fn assert_rebuilt(bench: &Bench) {
    assert_eq!(
        bench.flash_bytes(0x6000_0000, 512),
        sample::flash_configuration()
    );
    assert_eq!(bench.flash_bytes(0x6000_1000, 31_320), sample::sbl());
    for image in images() {
        let bytes = bench.flash_bytes(image.start, image.bytes.len());
        assert!(bytes[..] == image.bytes[..], "{}", image.region);
    }
}

/// A camera without power, its flash changed by `damage`.
fn damaged(quirks: Quirks, damage: impl FnOnce(&mut Remains)) -> Bench {
    let mut remains = Rt1062::new(&old(), quirks).remains();
    damage(&mut remains);
    Bench::with(Rt1062::from_remains(remains, quirks))
}

#[test]
fn a_camera_in_its_rom_is_rebuilt_whatever_its_rom_is_like() {
    for bits in 0..4 {
        let quirks = Quirks {
            rom_out_endpoint: bits & 1 != 0,
            blank_part: bits & 2 != 0,
            ..Quirks::default()
        };
        let mut bench = Bench::in_rom(&old(), quirks);
        let outcome = bench.recover(images(), &Wish::default()).unwrap();
        assert_eq!(
            (outcome.state, outcome.boot_fuse_set),
            (State::Run, Some(true))
        );
        assert!(outcome.regions.iter().all(|region| region.verified));
        assert_rebuilt(&bench);
    }
}

#[test]
fn flashing_a_camera_in_its_rom_is_rebuilding_it() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(matches!(refusal(error), Refusal::NoLoader { .. }));
    let outcome = bench.flash([images(), loaders()].concat(), &Wish::default());
    assert_eq!(outcome.unwrap().state, State::Run);
    assert_rebuilt(&bench);
}

#[test]
fn a_running_camera_is_rebuilt_once_hands_set_the_wire() {
    let mut bench = Bench::running(&old());
    let outcome = bench.recover(images(), &Wish::default()).unwrap();
    assert_eq!(outcome.state, State::Run);
    assert!(!bench.status().jumper);
    assert_rebuilt(&bench);
}

#[test]
fn a_camera_whose_flashloader_runs_goes_on_from_there() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    let looked = bench.look().unwrap();
    let all = [images(), loaders()].concat();
    let mut plan = omv_plan::recover(board(), State::Sdp, all, &Wish::default()).unwrap();
    plan.steps.truncate(3);
    assert!(matches!(
        plan.steps[2],
        Step::Hold {
            expect: State::Flashloader
        }
    ));
    bench.run(&plan, looked).unwrap();

    assert_eq!(bench.look().unwrap().state, State::Flashloader);
    bench.events.clear();
    let outcome = bench.recover(images(), &Wish::default()).unwrap();
    assert_eq!(outcome.state, State::Run);
    assert!(bench.outcomes("load").is_empty());
    assert_rebuilt(&bench);
}

#[test]
fn a_camera_without_boot_block_or_bootloader_shows_its_rom_or_nothing_and_is_rebuilt() {
    let block = |remains: &mut Remains| remains.parts.nor.place(0, &[0xFF; 0x1000]);
    let sbl = |remains: &mut Remains| remains.parts.nor.place(sample::SBL, &[0xFF; 0x8000]);
    for silent_rom in [false, true] {
        let quirks = Quirks {
            silent_rom,
            ..Quirks::default()
        };
        for mut bench in [damaged(quirks, block), damaged(quirks, sbl)] {
            bench.pass(5);
            let alone = bench.found().map(|found| found.state());
            if silent_rom {
                assert!(matches!(alone, Err(Error::NoCamera)));
                bench.hands(&[Hand::Unplug, Hand::Jumper(true), Hand::Plug]);
                bench.pass(1);
            } else {
                assert_eq!(alone.unwrap(), State::Sdp);
            }
            let outcome = bench.recover(images(), &Wish::default()).unwrap();
            assert_eq!(outcome.state, State::Run);
            assert_rebuilt(&bench);
        }
    }
}

#[test]
fn a_damaged_bootloader_needs_the_wire() {
    let mut bench = damaged(Quirks::default(), |remains| {
        remains.parts.nor.place(sample::SBL + 0x2000, &[0; 16]);
    });
    let soon = Duration::from_secs(5);
    assert!(wait_for_camera(&bench.buses(), soon, &bench.stop, |_| true).is_err());
    bench.hands(&[Hand::Unplug, Hand::Jumper(true), Hand::Plug]);
    bench.pass(1);
    bench.recover(images(), &Wish::default()).unwrap();
    assert_rebuilt(&bench);
}

#[test]
fn a_boot_fuse_that_is_set_is_not_burned_whatever_was_agreed_to() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    let between = Meddled::new(&bench.bus);
    bench.between = Some(between.clone());
    bench.recover(images(), &consent()).unwrap();
    assert_eq!(bench.outcomes("burn"), ["already set, nothing was burned"]);
    let commands = between.commands.lock().unwrap();
    assert!(commands.contains(&tag::FLASH_READ_ONCE));
    assert!(!commands.contains(&tag::FLASH_PROGRAM_ONCE));
}

#[test]
fn a_clear_boot_fuse_is_told_and_left_alone_without_consent() {
    let mut bench = Bench::with(Rt1062::new(&old(), clear_fuse()));
    bench.pass(5);
    assert_eq!(bench.look().unwrap().state, State::Sdp, "without any wire");
    let between = Meddled::new(&bench.bus);
    bench.between = Some(between.clone());
    let began = bench.now();
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(matches!(error, Error::BootFuseClear));
    assert!(error.help().contains("agree to burn"));
    assert!(bench.outcomes("read")[0].starts_with("CLEAR"));
    // Nobody waits for hands that cannot help, and all else is done.
    assert!(bench.now() - began < Duration::from_secs(30));
    assert_rebuilt(&bench);
    assert!(!fuse_is_set(&bench));
    assert!(
        !between
            .commands
            .lock()
            .unwrap()
            .contains(&tag::FLASH_PROGRAM_ONCE)
    );
    assert_eq!(bench.status().state, State::Sdp);
}

#[test]
fn a_clear_boot_fuse_is_burned_with_consent_read_back_and_never_burned_again() {
    for jumper in [true, false] {
        let mut bench = Bench::with(Rt1062::new(&old(), clear_fuse()));
        bench.hands(&[Hand::Jumper(jumper)]);
        bench.pass(5);
        let between = Meddled::new(&bench.bus);
        bench.between = Some(between.clone());
        let outcome = bench.recover(images(), &consent()).unwrap();
        assert_eq!(
            (outcome.state, outcome.boot_fuse_set),
            (State::Run, Some(true))
        );
        assert_eq!(bench.outcomes("burn"), ["burned, and read back"]);
        assert!(fuse_is_set(&bench));
        let burned = |commands: &Vec<u8>| {
            commands
                .iter()
                .filter(|tag| **tag == tag::FLASH_PROGRAM_ONCE)
                .count()
        };
        {
            let commands = between.commands.lock().unwrap();
            let at = commands
                .iter()
                .position(|tag| *tag == tag::FLASH_PROGRAM_ONCE);
            assert_eq!(commands[at.unwrap() + 1], tag::FLASH_READ_ONCE);
        }
        bench.recover(images(), &consent()).unwrap();
        assert_eq!(burned(&between.commands.lock().unwrap()), 1);
    }
}

#[test]
fn a_fuse_is_only_burned_by_a_plan_that_says_for_ever() {
    let all = [images(), loaders()].concat();
    let plan = |wish: &Wish| omv_plan::recover(board(), State::Sdp, all.clone(), wish).unwrap();
    assert_eq!(plan(&Wish::default()).risk(), Risk::Rewrites);
    assert_eq!(plan(&consent()).risk(), Risk::Forever);
}

#[test]
fn a_locked_chip_is_told_as_such_and_nothing_is_changed() {
    let quirks = Quirks {
        locked: true,
        ..Quirks::default()
    };
    let mut bench = Bench::in_rom(&old(), quirks);
    let before = bench.camera(|camera| camera.remains());
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(matches!(error, Error::Locked), "{error}");
    let after = bench.camera(|camera| camera.remains());
    assert!(after.parts.nor.changed_since(&before.parts.nor).is_empty());
}

#[test]
fn a_flashloader_that_does_not_start_is_waited_for_half_a_minute() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    let looked = bench.look().unwrap();
    let mut broken = loaders();
    let mut bytes = broken[0].bytes.to_vec();
    bytes[0x8000] ^= 1;
    broken[0].bytes = bytes.into();
    let all = [images(), broken].concat();
    let plan = omv_plan::recover(board(), looked.state, all, &Wish::default()).unwrap();
    let began = bench.now();
    let error = bench.run(&plan, looked).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotThere {
                expected: State::Flashloader,
                seconds: 30,
                ..
            }
        ),
        "{error}"
    );
    let took = (bench.now() - began).as_secs();
    assert!((30..33).contains(&took), "{took} s");
    assert_eq!(bench.erased(), 0);
}

#[test]
fn a_program_the_rom_refuses_is_an_error_of_the_rom() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    let looked = bench.look().unwrap();
    let mut broken = loaders();
    let mut bytes = broken[0].bytes.to_vec();
    bytes[0] = 0;
    broken[0].bytes = bytes.into();
    let all = [images(), broken].concat();
    let plan = omv_plan::recover(board(), looked.state, all, &Wish::default()).unwrap();
    let error = bench.run(&plan, looked).unwrap_err();
    assert!(matches!(error, Error::Rom { .. }), "{error}");
}

#[test]
fn a_wire_that_was_left_in_place_is_told_apart_from_nobody_being_there() {
    let mut bench = Bench::in_rom(&old(), Quirks::default());
    bench.obliging = false;
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(error, Error::NoHands { seconds: 300, .. }),
        "{error}"
    );
    assert_rebuilt(&bench);

    let mut bench = Bench::in_rom(&old(), Quirks::default());
    bench.obliging = false;
    // The person replugs and forgets the wire.
    bench.replug_when_asked = true;
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotThere {
                expected: State::Run,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("`sdp`") && error.help().contains("wire"));
}
