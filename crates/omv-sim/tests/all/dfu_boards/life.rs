//! Who is on the bus, when, and for how long.

use std::time::Duration;

use omv_boards::State;
use omv_sim::dfu::{Bootloader, Generation, Quirks, Wish};
use omv_sim::{Camera, Hand};
use omv_wire::dfu::request;
use omv_wire::usb::Setup;

use super::bench::{BOARDS, Bench, MS, Said, board, wish};

/// From power to the bootloader's first instruction, and until it is on the bus.
const START: u64 = 10;
const ATTACH: u64 = 120;
/// When the machine that it is plugged into has configured it.
const CONFIGURED: u64 = START + ATTACH + 60;

#[test]
fn every_board_is_found_in_every_state_it_has() {
    for name in BOARDS {
        for state in Wish::states(board(name)) {
            let wish = wish(name, state);
            let settles = wish.settles();
            let mut bench = Bench::new(wish.make().unwrap());
            let found = bench.pass(settles + 20 * MS).state;
            let as_seen = match state {
                // A host that cannot open it sees the bootloader.
                State::NoDriver if board(name).mcuboot.is_some() => State::ArduinoDfu,
                State::NoDriver => State::Dfu,
                state => state,
            };
            assert_eq!(found, as_seen, "{name} {state}");
            let id = bench.id();
            let shown = !matches!(state, State::Silent | State::Cycling);
            assert!(id.is_some() || !shown, "{name} {state}");
            if let (Some((vid, pid)), true) = (id, shown) {
                let mut usb = board(name)
                    .identities(as_seen)
                    .map(|i| (i.usb.vid, i.usb.pid));
                assert!(usb.any(|usb| usb == (vid, pid)), "{name} {state}");
            }
        }
    }
}

#[test]
fn a_running_camera_passed_through_its_bootloader_first() {
    let mut bench = Bench::of("OPENMV4", State::Run);
    assert_eq!(bench.at(START + ATTACH - 1).state, State::Silent);
    assert_eq!(bench.at(START + ATTACH).state, State::Dfu);
    assert_eq!(bench.id(), Some((0x37C5, 0x9204)));
    assert_eq!(bench.at(CONFIGURED + 1499).state, State::Dfu);
    assert_eq!(bench.at(CONFIGURED + 1501).state, State::Silent);
    assert_eq!(bench.at(CONFIGURED + 1501 + 1200).state, State::Run);
    assert_eq!(bench.id(), Some((0x37C5, 0x1204)));
}

#[test]
fn nobody_configures_it_so_it_leaves_after_a_second() {
    let mut bench = Bench::new(wish("OPENMV3", State::NoDriver).make().unwrap());
    assert_eq!(bench.at(START + 999).state, State::Dfu);
    assert_eq!(bench.at(START + 1001).state, State::Silent);
}

#[test]
fn not_even_a_forced_bootloader_waits_longer_than_that() {
    let quirks = Quirks {
        no_driver: true,
        ..Quirks::default()
    };
    let camera = Wish {
        quirks,
        ..wish("OPENMV4", State::Dfu)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    assert_eq!(bench.at(START + 1001).state, State::Silent);
}

#[test]
fn an_upload_holds_it_and_questions_do_not() {
    for (request, held) in [
        (request::UPLOAD, true),
        (request::GETSTATUS, false),
        (request::GETSTATE, false),
    ] {
        let mut bench = Bench::of("OPENMV4", State::Run);
        bench.at(CONFIGURED + 1000);
        bench.ask(request, 1, 6);
        let state = bench.at(CONFIGURED + 60_000).state;
        assert_eq!(state == State::Dfu, held, "request {request}");
    }
}

#[test]
fn a_block_and_its_status_hold_it_too() {
    let mut bench = Bench::of("OPENMV4", State::Run);
    bench.at(CONFIGURED + 100);
    bench.alternate(1);
    bench.out(request::DNLOAD, 0, &[0; 4096]);
    bench.report();
    assert_eq!(bench.at(CONFIGURED + 60_000).state, State::Dfu);
}

#[test]
fn losing_the_configuration_ends_it_even_when_held() {
    let mut bench = Bench::of("OPENMV_N6", State::Dfu);
    bench.at(1000);
    bench.read(0, 4096);
    bench.transfer(Setup::set_configuration(0), &[], 100 * MS);
    assert_eq!(bench.pass(5000 * MS).state, State::Run);
}

#[test]
fn the_running_firmware_leads_to_a_bootloader_that_stays() {
    for name in BOARDS {
        let mut bench = Bench::of(name, State::Run);
        bench.until(State::Run);
        let touch = Setup {
            request_type: 0x21,
            request: 0x20,
            value: 0,
            index: 0,
            length: 7,
        };
        let line = [0xB0, 0x04, 0, 0, 0, 0, 8];
        assert_eq!(
            bench.transfer(touch, &line, 100 * MS),
            Said::Bytes(Vec::new())
        );
        let state = bench.pass(Duration::from_secs(20)).state;
        assert!(
            matches!(state, State::Dfu | State::ArduinoDfu),
            "{name}: {state}"
        );
    }
}

#[test]
fn detach_starts_the_firmware() {
    let mut bench = Bench::of("OPENMV4", State::Dfu);
    bench.at(5000);
    bench.read(1, 4096);
    assert_eq!(
        bench.out(request::DETACH, 1000, &[]),
        Said::Bytes(Vec::new())
    );
    assert_eq!(bench.pass(3000 * MS).state, State::Run);
}

#[test]
fn a_forced_bootloader_before_1_0_2_ignores_detach() {
    let old = |version| Wish {
        bootloader: Some(Bootloader::Dfu(version)),
        ..wish("OPENMV4", State::Dfu)
    };
    for generation in [
        Generation::First,
        Generation::Second,
        Generation::Versioned([1, 0, 1]),
    ] {
        let mut bench = Bench::new(old(generation).make().unwrap());
        bench.at(5000);
        bench.read(1, 4096);
        bench.out(request::DETACH, 1000, &[]);
        assert_eq!(bench.pass(60_000 * MS).state, State::Dfu, "{generation:?}");
        // Only the loss of its configuration helps.
        bench.transfer(Setup::set_configuration(0), &[], 100 * MS);
        assert_eq!(bench.pass(5000 * MS).state, State::Run);
    }
}

#[test]
fn an_old_bootloader_that_was_caught_obeys_detach() {
    let camera = Wish {
        bootloader: Some(Bootloader::Dfu(Generation::Second)),
        ..wish("OPENMV4", State::Run)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    bench.at(CONFIGURED + 100);
    bench.read(1, 4096);
    bench.pass(5000 * MS);
    bench.out(request::DETACH, 1000, &[]);
    assert_eq!(bench.pass(3000 * MS).state, State::Run);
}

#[test]
fn half_written_firmware_makes_it_come_and_go_until_it_is_held() {
    let mut bench = Bench::of("OPENMV4", State::Cycling);
    for _ in 0..3 {
        let mut seen = [false; 2];
        for _ in 0..600 {
            bench.pass(5 * MS);
            seen[usize::from(bench.id().is_some())] = true;
        }
        assert_eq!(seen, [true, true], "it comes and goes");
    }
    assert!(bench.port.camera().status().half_written_starts >= 3);
    bench.pass(30 * MS);
    while bench.id().is_none() {
        bench.pass(5 * MS);
    }
    bench.pass(100 * MS);
    bench.read(1, 4096);
    assert_eq!(bench.pass(Duration::from_secs(600)).state, State::Dfu);
}

#[test]
fn firmware_without_vectors_silences_flash_inside_and_parks_flash_outside() {
    for (name, state) in [("OPENMV4", State::Silent), ("OPENMV_N6", State::Cycling)] {
        let camera = Wish {
            firmware: Some(vec![0; 0x4000]),
            ..wish(name, State::Run)
        };
        let mut bench = Bench::new(camera.make().unwrap());
        assert_eq!(bench.at(20_000).state, state, "{name}");
        // The next power-up opens the window again.
        bench.hand(Hand::Unplug);
        bench.hand(Hand::Plug);
        bench.until(if state == State::Silent {
            State::Dfu
        } else {
            state
        });
    }
}

#[test]
fn blank_flash_starts_the_rom_without_a_wire() {
    for name in ["OPENMV2", "OPENMV3", "OPENMV4", "ARDUINO_GIGA"] {
        let camera = wish(name, State::Run).make().unwrap();
        let mut remains = camera.remains();
        let internal = omv_boards::MemoryKind::Internal;
        remains
            .parts
            .place(internal, 0x0800_0000, &[0xFF; 0x4_0000]);
        let camera = omv_sim::dfu::DfuCamera::from_remains(remains, Quirks::default());
        let mut bench = Bench::new(camera);
        assert_eq!(bench.at(60_000).state, State::StRom, "{name}");
    }
}

#[test]
fn the_boot0_wire_counts_at_power_on_only() {
    let mut bench = Bench::of("OPENMV4", State::Run);
    bench.until(State::Run);
    bench.hand(Hand::Jumper(true));
    assert_eq!(bench.pass(5000 * MS).state, State::Run);
    bench.hand(Hand::Unplug);
    assert_eq!(bench.pass(1000 * MS).state, State::Silent);
    bench.hand(Hand::Plug);
    assert_eq!(bench.pass(5000 * MS).state, State::StRom);
    assert_eq!(bench.id(), Some((0x0483, 0xDF11)));
    bench.hand(Hand::Jumper(false));
    bench.hand(Hand::Reset);
    bench.until(State::Run);
}

#[test]
fn a_wire_on_a_nicla_leads_nowhere() {
    let mut bench = Bench::of("ARDUINO_NICLA_VISION", State::Run);
    bench.hand(Hand::Unplug);
    bench.hand(Hand::Jumper(true));
    bench.hand(Hand::Plug);
    bench.until(State::Run);
}

#[test]
fn an_arduino_has_no_window_and_two_taps_lead_to_a_bootloader_that_stays() {
    let mut bench = Bench::of("ARDUINO_PORTENTA_H7", State::Run);
    for _ in 0..6000 {
        bench.pass(5 * MS);
        assert_eq!(bench.id(), None);
    }
    bench.until(State::Run);
    bench.hand(Hand::Reset);
    for _ in 0..6000 {
        bench.pass(5 * MS);
        assert_eq!(bench.id(), None, "a plain reset never leads there");
    }
    bench.until(State::Run);
    bench.hand(Hand::DoubleTap);
    assert_eq!(
        bench.pass(Duration::from_secs(3600)).state,
        State::ArduinoDfu
    );
}

#[test]
fn an_arduino_without_firmware_waits_in_its_bootloader() {
    let camera = Wish {
        firmware: Some(vec![0xFF; 0x4000]),
        ..wish("ARDUINO_GIGA", State::Run)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    assert_eq!(bench.at(5000).state, State::ArduinoDfu);
}

#[test]
fn the_serial_bootloader_waits_one_second_after_it_was_configured() {
    let mut bench = Bench::of("OPENMV4", State::LegacyBl);
    assert_eq!(bench.at(START + ATTACH).state, State::LegacyBl);
    assert_eq!(bench.at(CONFIGURED + 999).state, State::LegacyBl);
    assert_eq!(bench.at(CONFIGURED + 1001).state, State::Silent);
    bench.until(State::Run);
}

#[test]
fn the_oldest_serial_bootloader_waits_half_a_second_in_all() {
    let camera = Wish {
        version: "2.0.0".into(),
        bootloader: Some(Bootloader::Legacy(1)),
        ..wish("OPENMV2", State::LegacyBl)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    assert_eq!(bench.at(START + 499).state, State::LegacyBl);
    assert_eq!(bench.at(START + 501).state, State::Silent);
}

#[test]
fn old_firmware_has_the_id_that_all_cameras_had() {
    let camera = Wish {
        version: "4.5.9".into(),
        ..wish("OPENMV3", State::Run)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    bench.until(State::LegacyBl);
    bench.until(State::Run);
    assert_eq!(bench.id(), Some((0x1209, 0xABD1)));
}

#[test]
fn power_that_fails_leaves_a_camera_that_has_none() {
    let mut camera = wish("OPENMV4", State::Dfu).make().unwrap();
    camera.cut_at(Some(3000 * MS));
    let mut bench = Bench::new(camera);
    assert_eq!(bench.at(2999).state, State::Dfu);
    let status = bench.at(3000);
    assert!(!status.plugged && status.state == State::Silent);
    // The word in RAM that forced the bootloader is gone, too.
    bench.hand(Hand::Plug);
    bench.until(State::Run);
}

#[test]
fn a_camera_made_of_remains_is_the_same_camera() {
    let camera = wish("OPENMV4P", State::Run).make().unwrap();
    let again = omv_sim::dfu::DfuCamera::from_remains(camera.remains(), Quirks::default());
    assert_eq!(again.status().firmware.as_deref(), Some("4.8.1"));
    assert_eq!(again.chip().lock().uid, camera.chip().lock().uid);
}
