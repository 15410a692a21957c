//! OpenMV's DFU bootloader: what it shows, what it writes, what it refuses.

use omv_boards::{MemoryKind, State};
use omv_sim::Hand;
use omv_sim::dfu::{Bootloader, Generation, Quirks, Wish, sample};
use omv_wire::dfu::{self, Status, request};

use super::bench::{Bench, MS, Said, board, wish};

fn held(name: &str) -> Bench {
    let mut bench = Bench::of(name, State::Dfu);
    bench.at(1000);
    bench.read(0, 64);
    bench
}

fn generation(name: &str, generation: Generation) -> Bench {
    let camera = Wish {
        bootloader: Some(Bootloader::Dfu(generation)),
        ..wish(name, State::Dfu)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    bench.at(1000);
    bench
}

/// Bytes of the camera's flash now.
fn flash(bench: &mut Bench, kind: MemoryKind, address: u32, size: usize) -> Vec<u8> {
    bench.camera().chip().lock().read(kind, address, size)
}

#[test]
fn the_descriptors_are_those_of_the_real_bootloader() {
    let mut bench = generation("OPENMV4", Generation::NEWEST);
    let face = bench.port.camera_mut().face().unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
    // Source: openmv/openmv boot/src/common/desc.c, for an H7 with bootloader 1.0.3.
    assert_eq!(
        hex(&face.device().encode()),
        "1201000200000040C537049203010102030 1".replace(' ', "")
    );
    assert_eq!(
        hex(&face.configuration()),
        "0902360001010080FA0904000000FE0102040904000100FE0102050904000200FE0102060904000300FE010207\
         092107E80300100101"
    );
    assert_eq!(face.string(2).as_deref(), Some("OpenMV Camera (DFU Mode)"));
}

#[test]
fn the_alternates_are_those_of_the_board_and_the_generation() {
    let new = |name| generation(name, Generation::NEWEST).alternates().join(" ");
    let old = |name| generation(name, Generation::First).alternates().join(" ");
    for name in ["OPENMV2", "OPENMV3", "OPENMV4"] {
        assert_eq!(new(name), "BOOTLOADER FILESYSTEM FIRMWARE ROMFS0");
        assert_eq!(old(name), "BOOTLOADER FILESYSTEM FIRMWARE");
    }
    for name in ["OPENMV4P", "OPENMVPT"] {
        assert_eq!(new(name), "BOOTLOADER FILESYSTEM FIRMWARE SPI_FLASH ROMFS0");
        assert_eq!(old(name), "BOOTLOADER FILESYSTEM FIRMWARE SPI_FLASH");
    }
    assert_eq!(new("OPENMV_N6"), "BOOTLOADER FIRMWARE FILESYSTEM ROMFS0");
    assert_eq!(
        new("OPENMV_AE3"),
        "BOOT HP HE ROMFS1 TOC RWFS ROMFS0 RECOVERY"
    );
}

#[test]
fn the_version_stands_in_the_descriptor_and_in_block_1() {
    for (name, offset) in [("OPENMV4", 0), ("OPENMV_N6", 0x400)] {
        let mut bench = generation(name, Generation::Versioned([1, 0, 2]));
        let face = bench.port.camera_mut().face().unwrap();
        assert_eq!(face.device().version, 0x0102);
        let block = bench.read(1, 4096);
        assert_eq!(
            block[offset..offset + 7],
            [0xAD, 0x10, 0x07, 0xB0, 1, 0, 2],
            "{name}"
        );
        let mut bench = generation(name, Generation::Second);
        let face = bench.port.camera_mut().face().unwrap();
        assert_eq!(face.device().version, 0x0200);
        assert_eq!(bench.read(1, 4096)[offset..offset + 4], [0xFF; 4]);
    }
}

#[test]
fn only_the_first_generation_asks_for_patience_from_alternate_3_on() {
    for (which, alternate, poll) in [
        (Generation::First, 3, 100),
        (Generation::First, 2, 0),
        (Generation::NEWEST, 3, 0),
    ] {
        let mut bench = generation("OPENMV4P", which);
        bench.alternate(alternate);
        bench.out(request::DNLOAD, 0, &[0; 4096]);
        assert_eq!(bench.report().poll, poll * MS, "{which:?}");
    }
}

#[test]
fn a_firmware_that_is_written_whole_runs() {
    for name in ["OPENMV2", "OPENMV3", "OPENMV4", "OPENMVPT", "OPENMV_N6"] {
        let mut bench = held(name);
        let alternates = bench.alternates();
        let number = alternates.iter().position(|a| a == "FIRMWARE").unwrap();
        bench.alternate(number as u16);
        let image = sample::firmware(board(name), "5.0.0", 0x2_3456);
        for (block, bytes) in image.chunks(4096).enumerate() {
            assert_eq!(
                bench.write(block as u16, bytes).status,
                Status::OK,
                "{name}"
            );
        }
        bench.out(request::DNLOAD, 0, &[]);
        assert_eq!(bench.report().state, dfu::State::Manifest);
        assert_eq!(bench.report().state, dfu::State::Idle);
        assert_eq!(bench.read(3, 4096), image[3 * 4096..4 * 4096]);
        bench.out(request::DETACH, 1000, &[]);
        let status = bench.pass(3000 * MS);
        assert_eq!(status.state, State::Run, "{name}");
        assert_eq!(status.firmware.as_deref(), Some("5.0.0"));
    }
}

#[test]
fn an_erase_takes_its_time_and_nothing_is_served_meanwhile() {
    let mut bench = held("OPENMV4");
    bench.alternate(2);
    bench.out(request::DNLOAD, 0, &[0; 4096]);
    bench.report();
    let before = bench.port.now();
    bench.report();
    let took = bench.port.now() - before;
    assert!(took > 1000 * MS && took < 1300 * MS, "{took:?}");
}

#[test]
fn a_block_in_the_middle_of_a_sector_is_refused_by_an_h7_and_damaged_by_others() {
    let mut bench = held("OPENMV4");
    bench.alternate(2);
    assert_eq!(bench.write(1, &[0x55; 4096]).status, Status::WRITE);

    let mut bench = held("OPENMV3");
    bench.alternate(2);
    let before = flash(&mut bench, MemoryKind::Internal, 0x0802_1000, 4096);
    assert_eq!(bench.write(1, &[0x55; 4096]).status, Status::OK);
    let after = flash(&mut bench, MemoryKind::Internal, 0x0802_1000, 4096);
    let mixed: Vec<u8> = before.iter().map(|byte| byte & 0x55).collect();
    assert_eq!(after, mixed);
}

#[test]
fn the_tail_of_the_last_word_is_filled_with_zeros() {
    let mut bench = held("OPENMV4");
    bench.alternate(3);
    bench.write(0, &[0xA5; 33]);
    let bytes = flash(&mut bench, MemoryKind::Internal, 0x081E_0000, 66);
    assert_eq!(bytes[..33], [0xA5; 33]);
    assert_eq!(bytes[33..64], [0; 31]);
    assert_eq!(bytes[64..], [0xFF; 2]);
}

#[test]
fn a_small_file_on_the_external_flash_costs_a_block_of_64_kib() {
    let mut bench = held("OPENMV4P");
    let kind = MemoryKind::Qspi;
    bench
        .camera()
        .chip()
        .lock()
        .place(kind, 0x0180_F000, &[7; 4096]);
    bench.alternate(4);
    bench.write(0, &[1; 4096]);
    assert_eq!(flash(&mut bench, kind, 0x0180_F000, 1), [0xFF]);
}

#[test]
fn the_spi_flash_of_an_h7_plus_reaches_over_its_romfs() {
    let mut bench = held("OPENMV4P");
    bench.alternate(3);
    bench.write(0x1800, &[0x42; 4096]);
    bench.alternate(4);
    assert_eq!(bench.read(0, 4096), [0x42; 4096]);
}

#[test]
fn the_bootloader_cannot_be_overwritten_by_itself() {
    for name in ["OPENMV2", "OPENMV4", "OPENMV_N6", "OPENMV_AE3"] {
        let mut bench = held(name);
        bench.alternate(0);
        assert_eq!(bench.write(0, &[0; 4096]).status, Status::WRITE, "{name}");
    }
}

#[test]
fn a_write_over_the_end_is_refused_when_it_gets_there() {
    let mut bench = held("OPENMV4");
    bench.alternate(3);
    assert_eq!(bench.write(32, &[0; 4096]).status, Status::ADDRESS);
}

#[test]
fn an_upload_over_the_end_is_four_zeros() {
    let mut bench = held("OPENMV4");
    bench.alternate(3);
    assert_eq!(bench.read(31, 4096).len(), 4096);
    assert_eq!(bench.read(32, 4096), [0; 4]);
}

#[test]
fn memory_of_the_ae3_that_was_not_unlocked_stops_its_bootloader() {
    let mut bench = held("OPENMV_AE3");
    bench.alternate(1);
    bench.out(request::DNLOAD, 1, &[0; 4096]);
    bench.report();
    assert_eq!(bench.ask(request::GETSTATUS, 0, 6), Said::Nothing);
    assert!(bench.port.camera().status().doing.starts_with("MISUSED"));
    // Power brings it back.
    bench.hand(Hand::Unplug);
    bench.hand(Hand::Plug);
    bench.until(State::Run);
}

#[test]
fn the_ae3_locks_its_memory_again_at_the_end() {
    let mut bench = held("OPENMV_AE3");
    bench.alternate(3);
    assert_eq!(bench.write(0, &[1; 4096]).status, Status::OK);
    assert_eq!(bench.write(5, &[1; 4096]).status, Status::OK);
    bench.out(request::DNLOAD, 0, &[]);
    bench.report();
    bench.report();
    bench.out(request::DNLOAD, 5, &[2; 4096]);
    bench.report();
    assert_eq!(bench.ask(request::GETSTATUS, 0, 6), Said::Nothing);
}

#[test]
fn magnetic_memory_is_written_in_place() {
    let mut bench = held("OPENMV_AE3");
    bench.alternate(3);
    bench.write(0, &[0; 4096]);
    assert_eq!(bench.write(0, &[0xA5; 4096]).status, Status::OK);
    assert_eq!(bench.read(0, 4096), [0xA5; 4096]);
}

#[test]
fn a_wrong_boot_table_needs_the_recovery_switch() {
    let mut bench = held("OPENMV_AE3");
    bench.alternate(4);
    bench.write(0, &[0; 4096]);
    bench.write(1, &[0; 4096]);
    bench.out(request::DETACH, 1000, &[]);
    bench.hand(Hand::Unplug);
    bench.hand(Hand::Plug);
    let status = bench.pass(60_000 * MS);
    assert_eq!(status.state, State::Silent, "{status:?}");
    bench.hand(Hand::Unplug);
    bench.hand(Hand::Jumper(true));
    bench.hand(Hand::Plug);
    bench.until(State::SeUart);
}

#[test]
fn both_cores_of_the_ae3_must_have_the_same_firmware() {
    let mut bench = held("OPENMV_AE3");
    let image = sample::firmware(board("OPENMV_AE3"), "5.0.0", 0x8000);
    bench.alternate(1);
    for (block, bytes) in image.chunks(4096).enumerate() {
        bench.write(block as u16, bytes);
    }
    assert_eq!(bench.port.camera().status().firmware, None);
    let image = sample::second_firmware(board("OPENMV_AE3"), "5.0.0", 0x8000);
    bench.alternate(2);
    for (block, bytes) in image.chunks(4096).enumerate() {
        bench.write(block as u16, bytes);
    }
    let firmware = bench.port.camera().status().firmware;
    assert_eq!(firmware.as_deref(), Some("5.0.0"));
}

#[test]
fn the_recovery_partition_is_there_and_tells_on_who_touches_it() {
    let mut bench = held("OPENMV_AE3");
    bench.alternate(7);
    assert_eq!(bench.write(0, &[0; 4096]).status, Status::WRITE);
    assert!(bench.port.camera().status().doing.starts_with("MISUSED"));
}

#[test]
fn power_that_fails_in_an_erase_leaves_a_mixture() {
    let camera = Wish {
        quirks: Quirks {
            torn: true,
            ..Quirks::default()
        },
        ..wish("OPENMV4", State::Dfu)
    };
    let mut bench = Bench::new(camera.make().unwrap());
    bench.at(1000);
    bench.alternate(2);
    let before = flash(&mut bench, MemoryKind::Internal, 0x0804_0000, 0x2_0000);
    bench.out(request::DNLOAD, 0, &[0; 4096]);
    bench.report();
    bench.pass(500 * MS);
    bench.hand(Hand::PowerCut);
    let after = flash(&mut bench, MemoryKind::Internal, 0x0804_0000, 0x2_0000);
    assert!(after != before && after.iter().any(|byte| *byte != 0xFF));
    bench.hand(Hand::Plug);
    assert_eq!(bench.pass(1000 * MS).state, State::Dfu, "it is never lost");
}

#[test]
fn power_that_fails_after_so_many_bytes_leaves_whole_words() {
    let mut bench = held("OPENMV4");
    bench.alternate(3);
    bench.hand(Hand::PowerCutAfter(0x2_0000 + 1000));
    bench.out(request::DNLOAD, 0, &[0x11; 4096]);
    bench.report();
    bench.pass(5000 * MS);
    assert!(!bench.port.camera().status().plugged);
    let bytes = flash(&mut bench, MemoryKind::Internal, 0x081E_0000, 4096);
    let written = bytes.iter().take_while(|byte| **byte == 0x11).count();
    assert_eq!(written, 992, "31 words of 32 bytes");
    assert!(bytes[written..].iter().all(|byte| *byte == 0xFF));
}

#[test]
fn a_sample_release_passes_the_tests_of_its_board_file() {
    for name in super::bench::BOARDS {
        let board = board(name);
        let files = sample::release(board, "5.0.0");
        assert!(files.len() >= 2, "{name}");
        for (file, bytes) in files {
            let rule = board.image(&file).unwrap();
            let word = |at: usize| {
                let word = bytes[at..at + 4].try_into().unwrap();
                u32::from_le_bytes(word)
            };
            for magic in rule.magic.iter().filter(|magic| magic.required) {
                let at = magic.offset as usize;
                assert_eq!(
                    bytes[at..at + magic.bytes.len()],
                    magic.bytes,
                    "{name} {file}"
                );
            }
            if let (Some(at), Some(reset)) = (rule.vectors, rule.reset) {
                let stack = word(at as usize);
                let inside = |s: &omv_boards::Span| s.start <= stack && stack <= s.end;
                assert!(
                    rule.stack.is_empty() || rule.stack.iter().any(inside),
                    "{name} {file}"
                );
                let vector = word(at as usize + 4);
                assert!(reset.contains(vector) && vector & 1 == 1, "{name} {file}");
            }
            if let Some(at) = rule.version_header {
                assert_eq!(word(at as usize), 0xB007_10AD, "{name} {file}");
            }
            assert!(
                rule.exact_size
                    .is_none_or(|size| bytes.len() == size as usize)
            );
            let arch = board.arch[0].text.as_bytes();
            let holds = bytes.windows(arch.len()).any(|part| part == arch);
            assert!(holds || !rule.holds_arch, "{name} {file}");
        }
    }
}
