//! Flashing a virtual RT1062 from every state it can be in.

use crate::bench::{Bench, board, image, refusal};
use omv_boards::State;
use omv_camera::{Looked, find, look, wait_for_camera};
use omv_plan::{Order, Refusal, Step, Wish};
use omv_sim::Hand;
use omv_sim::nor::SECTOR;
use omv_sim::rt1062::sample;
use std::time::Duration;

const SIZE: usize = 0x1_2345;
const FIRMWARE: u32 = 0x6004_0000;
const ROMFS: u32 = 0x6080_0000;

fn park() -> Wish {
    Wish {
        order: Order::Park,
        ..Wish::default()
    }
}

/// A sample without its seal: the camera takes it at its word, so its bytes may be changed.
fn unsealed(version: &str) -> Vec<u8> {
    let mut firmware = sample::firmware(version, SIZE);
    firmware[sample::FIRMWARE_SEAL..][..16].fill(0);
    firmware
}

#[test]
fn an_update_changes_version_protocol_and_usb_id() {
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let before = bench.look().unwrap();
    assert_eq!(
        (before.state, before.firmware().as_deref()),
        (State::Run, Some("4.8.0"))
    );
    assert_eq!(
        (before.found.seen.vid, before.found.seen.pid),
        (0x1209, 0xABD1)
    );

    let new = sample::firmware("5.0.0", SIZE + 777);
    let outcome = bench
        .flash(vec![image("firmware", new.clone())], &Wish::default())
        .unwrap();

    assert_eq!(outcome.state, State::Run);
    assert_eq!(outcome.who.unwrap().firmware, [5, 0, 0]);
    let after = bench.look().unwrap();
    assert_eq!(
        (after.found.seen.vid, after.found.seen.pid),
        (0x37C5, 0x1060)
    );
    assert_eq!(bench.flash_bytes(FIRMWARE, new.len()), new);
    let report = &outcome.regions[0];
    assert!(report.verified);
    assert_eq!(report.bytes, new.len() as u64);
    assert_eq!(report.written_bytes + report.skipped_bytes, report.bytes);
}

#[test]
fn every_firmware_there_ever_was_can_be_left_for_every_other() {
    // 4.7.0 and older hang for good at a byte of the protocol they do not speak.
    let versions = ["4.5.2", "4.7.0", "4.8.0", "4.8.1", "5.0.0"];
    for from in versions {
        for to in versions {
            let mut bench = Bench::running(&sample::firmware(from, SIZE));
            let new = sample::firmware(to, SIZE + 99);
            let outcome = bench.flash(vec![image("firmware", new)], &Wish::default());
            let who = outcome
                .unwrap_or_else(|error| panic!("{from} to {to}: {error}"))
                .who;
            let version = bench.look().unwrap().firmware();
            assert_eq!(version.as_deref(), Some(to), "from {from}");
            assert!(who.is_some());
        }
    }
}

#[test]
fn old_firmware_is_told_apart_by_what_it_answers_not_by_its_usb_id() {
    let bench = Bench::running(&sample::firmware("4.7.0", SIZE));
    let found = bench.found().unwrap();
    assert!(
        found.candidates.len() > 1,
        "every camera of that time had this id"
    );
    let looked = look(&found, None).unwrap();
    assert_eq!(looked.board.name, board().name);
    // Looking did not hang it.
    assert_eq!(
        look(&found, None).unwrap().firmware().as_deref(),
        Some("4.7.0")
    );
}

#[test]
fn a_camera_is_caught_in_the_window_of_its_bootloader() {
    let bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let mut bench = Bench::from_remains(bench.camera(|camera| camera.remains()));
    let soon = Duration::from_secs(1);
    wait_for_camera(&bench.buses(), soon, &bench.stop, |_| true).unwrap();
    let looked = bench.look().unwrap();
    assert_eq!(looked.state, State::Sbl);
    // Looking holds it there for as long as anybody likes.
    bench.pass(60);
    let new = sample::firmware("5.0.0", SIZE);
    let outcome = bench.flash(vec![image("firmware", new)], &Wish::default());
    assert_eq!(outcome.unwrap().state, State::Run);
}

#[test]
fn a_camera_that_crashes_at_every_start_is_caught_as_it_passes() {
    let mut broken = sample::firmware("4.8.0", SIZE);
    broken[0x5000] ^= 1;
    let mut bench = Bench::from_remains(Bench::running(&broken).camera(|camera| camera.remains()));
    // Known from an earlier visit; by now it is somewhere in its cycle.
    let soon = Duration::from_secs(1);
    let found = wait_for_camera(&bench.buses(), soon, &bench.stop, |_| true).unwrap();
    bench.bus.pass(Duration::from_millis(1700));
    assert!(find(&bench.buses()).unwrap().is_empty());
    bench.obliging = false;
    let looked = Looked {
        found: found.into_iter().next().unwrap(),
        board: board(),
        state: State::Cycling,
        who: None,
    };
    let new = sample::firmware("5.0.0", SIZE);
    let images = vec![image("firmware", new)];
    let plan = omv_plan::flash(board(), State::Cycling, images, &Wish::default()).unwrap();
    assert!(matches!(plan.steps[0], Step::Hands { .. }));
    let outcome = bench.run(&plan, looked).unwrap();
    assert_eq!(outcome.state, State::Run);
}

#[test]
fn a_silent_camera_is_waited_for_until_hands_plug_it_in() {
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let mut looked = bench.look().unwrap();
    bench.hands(&[Hand::Unplug]);
    bench.pass(10);
    (looked.state, looked.who) = (State::Silent, None);
    let new = sample::firmware("5.0.0", SIZE);
    let images = vec![image("firmware", new)];
    let plan = omv_plan::flash(board(), State::Silent, images, &Wish::default()).unwrap();
    let outcome = bench.run(&plan, looked).unwrap();
    assert_eq!(outcome.who.unwrap().firmware, [5, 0, 0]);
}

#[test]
fn the_same_image_again_erases_nothing_and_says_that_all_is_equal() {
    let new = sample::firmware("5.0.0", SIZE);
    let romfs = sample::romfs(0x5432);
    let images = || {
        vec![
            image("firmware", new.clone()),
            image("romfs", romfs.clone()),
        ]
    };
    for wish in [Wish::default(), park()] {
        let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
        bench.flash(images(), &wish).unwrap();
        let worn = bench.erased();
        assert!(worn > 0);
        bench.events.clear();
        let outcome = bench.flash(images(), &wish).unwrap();
        assert_eq!(bench.erased(), worn);
        assert_eq!(bench.outcomes("compare"), ["all of it is equal"; 2]);
        for report in &outcome.regions {
            assert!(report.verified, "{report:?}");
            assert_eq!(report.skipped_bytes, report.bytes);
        }
    }
}

#[test]
fn a_full_rewrite_rewrites_what_is_equal_too() {
    let new = sample::firmware("5.0.0", SIZE);
    let mut bench = Bench::running(&new);
    let wish = Wish {
        full: true,
        ..Wish::default()
    };
    let outcome = bench.flash(vec![image("firmware", new)], &wish).unwrap();
    assert_eq!(bench.erased(), SIZE.div_ceil(SECTOR) as u64);
    assert!(outcome.regions[0].verified);
}

#[test]
fn sixteen_changed_bytes_cost_the_two_sectors_they_lie_in() {
    let old = unsealed("5.0.0");
    let mut new = old.clone();
    new[0x6FF8..0x7008].copy_from_slice(b"sixteen new byte");
    let mut bench = Bench::running(&old);
    let outcome = bench.flash(vec![image("firmware", new.clone())], &Wish::default());
    let report = &outcome.unwrap().regions[0];
    assert_eq!(bench.erased(), 2);
    assert_eq!(
        (report.erased_bytes, report.written_bytes),
        (0x2000, 0x2000)
    );
    assert_eq!(bench.flash_bytes(FIRMWARE, SIZE), new);
    assert!(report.verified);
}

#[test]
fn a_rom_file_system_alone_leaves_the_firmware_alone() {
    let firmware = sample::firmware("4.8.0", SIZE);
    let mut bench = Bench::running(&firmware);
    let romfs = sample::romfs(0x5432);
    let outcome = bench.flash(vec![image("romfs", romfs.clone())], &Wish::default());
    let outcome = outcome.unwrap();
    assert_eq!(bench.erased(), 6);
    assert_eq!(bench.flash_bytes(ROMFS, romfs.len()), romfs);
    assert_eq!(bench.flash_bytes(FIRMWARE, SIZE), firmware);
    assert_eq!(outcome.who.unwrap().firmware, [4, 8, 0]);
    assert_eq!(outcome.regions.len(), 1);
}

#[test]
fn parking_costs_no_erase_where_the_page_of_the_record_is_blank() {
    let new = sample::firmware("5.0.0", SIZE);
    let sectors = SIZE.div_ceil(SECTOR) as u64;

    let mut bench = Bench::running(&unsealed("4.8.0"));
    bench
        .flash(vec![image("firmware", new.clone())], &park())
        .unwrap();
    assert_eq!(bench.outcomes("park"), ["without an erase"]);
    let in_place = bench.erased();

    let mut used = unsealed("4.8.0");
    used[0x2345] = 0;
    let mut bench = Bench::running(&used);
    bench
        .flash(vec![image("firmware", new.clone())], &park())
        .unwrap();
    assert_eq!(bench.outcomes("park"), ["with an erase"]);
    assert_eq!(bench.erased(), in_place + 1);
    assert!(in_place <= sectors);
    assert_eq!(bench.flash_bytes(FIRMWARE, SIZE), new);
}

#[test]
fn a_camera_whose_power_fails_while_parked_waits_and_is_not_parked_again() {
    let new = sample::firmware("5.0.0", SIZE);
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    // Some sectors after the parking.
    bench.hands(&[Hand::PowerCutAfter(5 * SECTOR as u64)]);
    bench
        .flash(vec![image("firmware", new.clone())], &park())
        .unwrap_err();
    let worn = bench.erased();
    let mut bench = Bench::from_remains(bench.camera(|camera| camera.remains()));
    bench.pass(600);
    let status = bench.status();
    assert_eq!((status.state, status.half_written_starts), (State::Sbl, 0));
    bench
        .flash(vec![image("firmware", new.clone())], &park())
        .unwrap();
    assert_eq!(bench.outcomes("park"), ["it is parked already"]);
    assert_eq!(bench.flash_bytes(FIRMWARE, SIZE), new);
    // The first two sectors are the same in every version; the vectors are erased once.
    let differing = SIZE.div_ceil(SECTOR) as u64 - 2;
    assert_eq!(bench.erased(), worn + differing);
}

#[test]
fn a_firmware_that_uses_the_bytes_of_the_record_cannot_be_parked() {
    let mut new = unsealed("5.0.0");
    new[0x23C0] = 0;
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let error = bench
        .flash(vec![image("firmware", new.clone())], &park())
        .unwrap_err();
    assert!(matches!(
        refusal(error),
        Refusal::CannotPark {
            address: 0x6004_23C0,
            ..
        }
    ));
    assert_eq!((bench.erased(), bench.status().state), (0, State::Run));
    // In the usual order it can be had.
    bench
        .flash(vec![image("firmware", new)], &Wish::default())
        .unwrap();
}

#[test]
fn equal_chunks_behind_many_different_ones_are_still_left_alone() {
    const CHUNK: usize = 0x1_0000;
    let mut bench = Bench::running(&sample::firmware("4.8.0", 0x9000));
    let old = sample::romfs(8 * CHUNK);
    bench
        .flash(vec![image("romfs", old.clone())], &Wish::default())
        .unwrap();
    let mut new = old;
    for sector in 0..6 * CHUNK / 0x1000 {
        new[sector * 0x1000 + 0x800] ^= 0xFF;
    }
    let outcome = bench
        .flash(vec![image("romfs", new.clone())], &Wish::default())
        .unwrap();
    let report = &outcome.regions[0];
    assert_eq!(report.skipped_bytes, 2 * CHUNK as u64);
    assert_eq!(report.erased_bytes, 6 * CHUNK as u64);
    assert!(report.verified);
    assert_eq!(bench.flash_bytes(0x6080_0000, new.len()), new);
}
