//! The ROMs of STM32 chips, and Arduino's bootloader, which speaks the same dialect.

use std::time::Duration;

use omv_boards::{MemoryKind, State};
use omv_sim::Hand;
use omv_sim::dfu::{Generation, Quirks, Wish, sample};
use omv_wire::dfu::{self, Report, Status, request};

use super::bench::{Bench, MS, Said, board, wish};

const INTERNAL: MemoryKind = MemoryKind::Internal;

fn command(code: u8, address: u32) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend(address.to_le_bytes());
    bytes
}

/// A block 0 command or a data block, to its end or for ten questions.
fn give(bench: &mut Bench, block: u16, bytes: &[u8]) -> Report {
    assert_eq!(
        bench.out(request::DNLOAD, block, bytes),
        Said::Bytes(Vec::new())
    );
    let mut report = bench.report();
    for _ in 0..10 {
        if report.state != dfu::State::DownloadBusy {
            break;
        }
        bench.pass(report.poll);
        report = bench.report();
    }
    report
}

fn rom(name: &str, quirks: Quirks) -> Bench {
    let camera = Wish {
        quirks,
        ..wish(name, State::StRom)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    bench.at(1000);
    bench
}

fn flash(bench: &mut Bench, address: u32, size: usize) -> Vec<u8> {
    bench.camera().chip().lock().read(INTERNAL, address, size)
}

#[test]
fn each_family_names_its_memories() {
    let names = |name| rom(name, Quirks::default()).alternates();
    assert_eq!(
        names("OPENMV4"),
        [
            "@Internal Flash   /0x08000000/16*128Kg",
            "@Option Bytes   /0x5200201C/01*128 e"
        ]
    );
    assert_eq!(
        names("OPENMV2")[0],
        "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg"
    );
    assert_eq!(
        names("OPENMV3")[0],
        "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg"
    );
    assert_eq!(names("OPENMV3").len(), 4);
}

#[test]
fn the_rom_never_leaves_by_itself() {
    let mut bench = rom("OPENMV4", Quirks::default());
    let state = bench.pass(Duration::from_secs(3600)).state;
    assert_eq!(state, State::StRom);
}

#[test]
fn a_bootloader_written_through_the_rom_starts_without_the_wire() {
    for (name, sectors, size) in [
        ("OPENMV2", vec![0x0800_0000, 0x0800_4000], 2048),
        ("OPENMV3", vec![0x0800_0000], 2048),
        ("OPENMV4", vec![0x0800_0000], 1024),
    ] {
        let mut bench = rom(name, Quirks::default());
        for address in sectors {
            assert_eq!(
                give(&mut bench, 0, &command(0x41, address)).status,
                Status::OK
            );
        }
        assert_eq!(flash(&mut bench, 0x0800_0000, 4), [0xFF; 4]);
        give(&mut bench, 0, &command(0x21, 0x0800_0000));
        let image = sample::bootloader(board(name), Generation::NEWEST);
        for (number, bytes) in image.chunks(size).enumerate() {
            let report = give(&mut bench, 2 + number as u16, bytes);
            assert_eq!(report.state, dfu::State::DownloadIdle, "{name}");
        }
        assert_eq!(flash(&mut bench, 0x0800_0000, image.len()), image);
        bench.hand(Hand::Unplug);
        bench.hand(Hand::Jumper(false));
        bench.hand(Hand::Plug);
        bench.until(State::Dfu);
        let release = bench.port.camera_mut().face().unwrap().device().version;
        assert_eq!(release, 0x0103, "{name}");
    }
}

#[test]
fn revision_v_never_says_that_the_second_bank_is_erased() {
    let mut bench = rom("OPENMV4", Quirks::default());
    assert_eq!(
        give(&mut bench, 0, &command(0x41, 0x080E_0000)).state,
        dfu::State::DownloadIdle,
        "the first bank"
    );
    bench
        .camera()
        .chip()
        .lock()
        .place(INTERNAL, 0x0810_0000, &[1; 64]);
    let report = give(&mut bench, 0, &command(0x41, 0x0810_0000));
    assert_eq!(report.state, dfu::State::DownloadBusy);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.report().state, dfu::State::DownloadBusy);
    // Two CLRSTATUS lead out, and the sector was erased all the same.
    bench.out(request::CLRSTATUS, 0, &[]);
    assert_eq!(bench.report().status, Status::UNKNOWN);
    bench.out(request::CLRSTATUS, 0, &[]);
    assert_eq!(bench.report().state, dfu::State::Idle);
    assert_eq!(flash(&mut bench, 0x0810_0000, 64), [0xFF; 64]);
}

#[test]
fn revision_y_says_it() {
    let quirks = Quirks {
        revision_y: true,
        ..Quirks::default()
    };
    let mut bench = rom("OPENMV4", quirks);
    let report = give(&mut bench, 0, &command(0x41, 0x0810_0000));
    assert_eq!(report.state, dfu::State::DownloadIdle);
}

#[test]
fn a_kick_that_comes_too_early_cuts_the_erase_short() {
    let mut bench = rom("OPENMV4", Quirks::default());
    bench
        .camera()
        .chip()
        .lock()
        .place(INTERNAL, 0x0810_0000, &[1; 64]);
    bench.out(request::DNLOAD, 0, &command(0x41, 0x0810_0000));
    bench.report();
    bench.pass(100 * MS);
    bench.out(request::CLRSTATUS, 0, &[]);
    bench.out(request::CLRSTATUS, 0, &[]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(flash(&mut bench, 0x0810_0000, 64), [1; 64]);
}

#[test]
fn leaving_the_rom_works_on_an_f7_and_hangs_a_revision_v() {
    for (name, state) in [("OPENMV3", State::Dfu), ("OPENMV4", State::Silent)] {
        let mut bench = rom(name, Quirks::default());
        give(&mut bench, 0, &command(0x21, 0x0800_0000));
        bench.out(request::DNLOAD, 0, &[]);
        bench.ask(request::GETSTATUS, 0, 6);
        assert_eq!(bench.pass(1000 * MS).state, state, "{name}");
    }
}

#[test]
fn the_rom_of_the_n6_is_no_flash_programmer() {
    let mut bench = rom("OPENMV_N6", Quirks::default());
    assert_eq!(
        bench.out(request::DNLOAD, 0, &command(0x41, 0x7000_0000)),
        Said::Stall
    );
    assert_eq!(bench.report().state, dfu::State::Idle);
}

fn arduino(name: &str) -> Bench {
    let mut bench = Bench::of(name, State::ArduinoDfu);
    bench.at(1000);
    bench
}

#[test]
fn an_arduino_is_written_by_address_and_leaves_when_told() {
    for name in [
        "ARDUINO_PORTENTA_H7",
        "ARDUINO_GIGA",
        "ARDUINO_NICLA_VISION",
    ] {
        let mut bench = arduino(name);
        let image = sample::firmware(board(name), "5.0.0", 0x1_0000);
        give(&mut bench, 0, &command(0x41, 0x0804_0000));
        give(&mut bench, 0, &command(0x21, 0x0804_0000));
        for (number, bytes) in image.chunks(4096).enumerate() {
            give(&mut bench, 2 + number as u16, bytes);
        }
        let romfs = [0x5A; 4096];
        give(&mut bench, 0, &command(0x41, 0x90B0_0000));
        give(&mut bench, 0, &command(0x21, 0x90B0_0000));
        give(&mut bench, 2, &romfs);
        let kept = bench
            .camera()
            .chip()
            .lock()
            .read(MemoryKind::Qspi, 0x90B0_0000, 4096);
        assert_eq!(kept, romfs, "{name}");
        bench.out(request::DNLOAD, 0, &[]);
        bench.ask(request::GETSTATUS, 0, 6);
        let status = bench.pass(Duration::from_secs(40));
        assert_eq!(
            (status.state, status.firmware.as_deref()),
            (State::Run, Some("5.0.0"))
        );
    }
}

#[test]
fn an_erased_file_system_area_kills_a_nicla_and_no_other() {
    for (name, dead) in [("ARDUINO_NICLA_VISION", true), ("ARDUINO_GIGA", false)] {
        let mut bench = arduino(name);
        give(&mut bench, 0, &command(0x41, 0x0802_0000));
        let misused = bench.port.camera().status().doing.starts_with("MISUSED");
        assert_eq!(misused, dead, "{name}");
        bench.hand(Hand::Unplug);
        bench.hand(Hand::Plug);
        bench.hand(Hand::DoubleTap);
        let state = bench.pass(Duration::from_secs(60)).state;
        assert_eq!(state == State::Silent, dead, "{name}: {state}");
    }
}

#[test]
fn an_erased_bootloader_of_an_arduino_is_told_on_and_leaves_the_rom() {
    let mut bench = arduino("ARDUINO_PORTENTA_H7");
    give(&mut bench, 0, &command(0x41, 0x0800_0000));
    assert!(bench.port.camera().status().doing.starts_with("MISUSED"));
    bench.hand(Hand::Unplug);
    bench.hand(Hand::Plug);
    assert_eq!(bench.pass(Duration::from_secs(60)).state, State::StRom);
}
