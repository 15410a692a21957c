//! Several cameras, the wrong camera, half a camera, and one that leaves.

use std::time::Duration;

use omv_boards::{Role, State};
use omv_camera::{Event, find};
use omv_plan::Wish;
use omv_sim::Hand;
use omv_sim::dfu::{self, Bootloader, DfuCamera, Generation};

use super::bench::{Bench, board};
use super::{camera, files, wish};

const ALL: [Role; 4] = [
    Role::Firmware,
    Role::SecondFirmware,
    Role::Romfs,
    Role::Bootloader,
];

/// Two cameras of one board in one state; hands reach the first.
fn two(name: &str, state: State) -> Bench {
    let make = |uid: u8| {
        wish(name, state)
            .make()
            .expect("a camera")
            .with_uid([uid; 12])
    };
    let bench = Bench::several(board(name), vec![make(0x11), make(0x22)]);
    bench.bus.pass(wish(name, state).settles());
    bench
}

/// Sectors of the second camera that were erased, and its flash.
fn bystander(bench: &Bench) -> (u64, Vec<u8>) {
    bench.bus.with(1, |camera, _| {
        let erased = camera.status().erased_sectors;
        let camera = camera.as_any().downcast_mut::<DfuCamera>();
        let parts = camera.expect("a camera with DFU").chip().lock().clone();
        (erased, parts.nor.read(0, parts.nor.size()))
    })
}

#[test]
fn one_of_two_cameras_is_flashed_only_when_it_is_named() {
    let mut bench = two("OPENMV4", State::Run);
    let images = files(&bench, &ALL);
    let error = bench.flash(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "several-cameras");
    let labels: Vec<String> = find(&bench.buses())
        .unwrap()
        .iter()
        .map(|f| f.label())
        .collect();
    assert!(
        labels.iter().all(|label| error.to_string().contains(label)),
        "{error}"
    );

    let before = bystander(&bench);
    bench.wanted = Some(labels[0].clone());
    bench.flash(&images, &Wish::default()).unwrap();
    let written = files(&bench, &[Role::Firmware, Role::Romfs]);
    assert!(bench.holds(&written));
    assert!(bystander(&bench) == before);
}

#[test]
fn a_neighbour_that_restarts_meanwhile_is_not_taken_for_the_camera() {
    let mut bench = two("OPENMV4", State::Run);
    let images = files(&bench, &ALL);
    let before = bystander(&bench);
    // Its bootloader shows itself before that of the camera does, and again after the work.
    bench.when = Box::new(|event, bus, _| {
        let moment = matches!(event, Event::Started { .. });
        let busy = bus.with(1, |camera, _| camera.status().state != State::Run);
        if moment && !busy {
            bus.with(1, |camera, now| camera.hand(now, Hand::Reset));
        }
    });
    bench.wanted = Some("bench 1".into());
    let outcome = bench.flash(&images, &Wish::default()).unwrap();
    assert_eq!(outcome.place, "bench 1");
    assert!(bench.holds(&files(&bench, &[Role::Firmware, Role::Romfs])));
    assert!(bystander(&bench) == before);
}

#[test]
fn two_chips_of_one_kind_in_their_roms_are_told_apart_by_their_sockets() {
    let mut bench = two("OPENMV4", State::StRom);
    let found = find(&bench.buses()).unwrap();
    assert_eq!(
        found[0].seen.serial, found[1].seen.serial,
        "as real ones have"
    );
    let images = files(&bench, &ALL);
    let error = bench.recover(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "several-cameras");
    assert!(error.to_string().contains("bench 1"), "{error}");
    assert!(error.to_string().contains("bench 2"), "{error}");

    // The serial number does not say which either.
    bench.wanted.clone_from(&found[0].seen.serial);
    let error = bench.recover(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "several-cameras");

    let before = bystander(&bench);
    bench.wanted = Some("bench 1".into());
    bench.recover(&images, &Wish::default()).unwrap();
    assert_eq!(bench.status().state, State::Run);
    assert!(bench.holds(&images));
    assert!(bystander(&bench) == before);
}

#[test]
fn a_bootloader_without_the_partition_is_refused_before_the_first_byte_and_starts_its_firmware() {
    let mut bench = Bench::new(dfu::Wish {
        version: "4.6.0".into(),
        bootloader: Some(Bootloader::Dfu(Generation::First)),
        ..wish("OPENMV4", State::Run)
    });
    let images = files(&bench, &ALL);
    let (before, erased) = (bench.flash_bytes(), bench.status().erased_sectors);
    let error = bench.flash(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "no-partition", "{error}");
    assert!(error.to_string().contains("ROMFS0"), "{error}");
    assert!(bench.flash_bytes() == before);
    assert_eq!(bench.status().erased_sectors, erased);
    bench.pass(5);
    assert_eq!(bench.status().state, State::Run);

    // What it has, it takes.
    let firmware = files(&bench, &[Role::Firmware]);
    bench.flash(&firmware, &Wish::default()).unwrap();
    assert!(bench.holds(&firmware));
}

#[test]
fn a_chip_of_another_board_in_its_rom_is_refused_before_the_first_byte() {
    for (there, meant) in [
        ("OPENMV2", "OPENMV4"),
        ("OPENMV3", "OPENMV4P"),
        ("OPENMV4", "OPENMV2"),
        ("OPENMV4", "OPENMV3"),
    ] {
        let mut bench = camera(there, State::StRom);
        bench.board = board(meant);
        let images = files(&bench, &ALL);
        let before = bench.flash_bytes();
        let error = bench.recover(&images, &Wish::default()).unwrap_err();
        assert_eq!(error.code(), "other-chip", "{there} for {meant}: {error}");
        assert!(bench.flash_bytes() == before, "{there} for {meant}");
        assert_eq!(bench.status().erased_sectors, 0);
        assert_eq!(bench.status().state, State::StRom, "it still waits");
    }
}

#[test]
fn a_window_that_closed_is_told_and_the_same_command_opens_it_again() {
    let mut bench = camera("OPENMV4", State::Run);
    bench.replug();
    bench.bus.pass(Duration::from_millis(300));
    assert_eq!(bench.status().state, State::Dfu);
    let found = find(&bench.buses()).unwrap().remove(0);
    bench.pass(4);
    let error = omv_camera::look(&found, None).err().expect("it is gone");
    assert_eq!(error.code(), "device-gone", "{error}");
    assert_eq!(bench.status().state, State::Run);
    let images = files(&bench, &ALL);
    bench.flash(&images, &Wish::default()).unwrap();
}

#[test]
fn a_bootloader_that_was_looked_at_waits_for_as_long_as_a_person_thinks() {
    for name in ["OPENMV2", "OPENMV4", "OPENMV_N6", "OPENMV_AE3"] {
        let mut bench = camera(name, State::Run);
        bench.replug();
        bench.bus.pass(Duration::from_millis(300));
        let looked = bench.meet().unwrap();
        assert_eq!(looked.state, State::Dfu, "{name}");
        bench.pass(3600);
        assert_eq!(bench.status().state, State::Dfu, "{name}");
        let images = files(&bench, &ALL);
        bench.flash(&images, &Wish::default()).unwrap();
    }
}

#[test]
fn a_cable_pulled_at_any_time_is_told_and_the_same_command_finishes() {
    for (name, state) in [
        ("OPENMV4", State::Run),
        ("OPENMV_AE3", State::Run),
        ("OPENMV2", State::StRom),
        ("OPENMV4P", State::StRom),
        ("ARDUINO_NICLA_VISION", State::Run),
    ] {
        let images = files(&camera(name, state), &ALL);
        let wish = Wish {
            full: true,
            ..Wish::default()
        };
        // Counts the events that move something, then pulls the cable at each fifth of them.
        let mut whole = camera(name, state);
        whole.flash(&images, &wish).unwrap();
        let moves = |event: &Event| matches!(event, Event::Moved { .. });
        let count = whole.events.iter().filter(|event| moves(event)).count();
        assert!(count >= 5, "{name}: {count}");
        for fifth in 0..5 {
            let at = fifth * count / 5;
            let mut bench = camera(name, state);
            let mut seen = 0;
            bench.when = Box::new(move |event, bus, _| {
                if moves(event) {
                    seen += 1;
                    if seen == at + 1 {
                        bus.with(0, |camera, now| camera.hand(now, Hand::Unplug));
                    }
                }
            });
            let start = bench.now();
            let error = bench.flash(&images, &wish).unwrap_err();
            let told = ["camera-gone", "device-gone", "not-there", "no-hands"];
            assert!(told.contains(&error.code()), "{name} {fifth}: {error}");
            let took = bench.now() - start;
            assert!(took < Duration::from_secs(400), "{name} {fifth}: {took:?}");

            bench.calm();
            bench.replug();
            bench.bus.pass(Duration::from_millis(400));
            let mut done = bench.flash(&images, &Wish::default());
            // Half of a firmware keeps Arduino's bootloader away: it has no window of its own.
            if bench.board.mcuboot.is_some() && done.is_err() {
                bench
                    .bus
                    .with(0, |camera, now| camera.hand(now, Hand::DoubleTap));
                bench.pass(1);
                done = bench.flash(&images, &Wish::default());
            }
            let done = done.unwrap_or_else(|error| panic!("{name} {fifth}: {error}"));
            assert_eq!(done.state, State::Run, "{name} {fifth}");
            assert_eq!(bench.misused(), None, "{name} {fifth}");
            assert!(
                bench.holds(&files(&bench, &[Role::Firmware])),
                "{name} {fifth}"
            );
        }
    }
}
