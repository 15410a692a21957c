//! Host and bootloader on one wire, in virtual time, with everything that goes wrong on it.

use std::time::Duration;

use omv_wire::legacy::{Blocks, Command, Failure, Greet, Greeting, Job, Pace, Update, Version};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::board::{ERASE, Fault, LAYOUT, MS, Wire, camera};

const WINDOW: Duration = Duration::from_millis(1000);

fn firmware(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn job(size: usize, pace: Pace) -> Job {
    Job {
        sectors: Some(2..=5),
        blocks: None,
        firmware: firmware(size),
        packet: 64,
        pace,
    }
}

fn greet(wire: &mut Wire) -> Result<Greeting, Failure> {
    wire.run(&mut Greet::new(WINDOW))
}

#[test]
fn each_version_says_what_it_knows() {
    for version in [Version::One, Version::Two, Version::Three] {
        let greeting = greet(&mut Wire::new(version)).unwrap();
        assert_eq!(greeting.version, version);
        assert_eq!(greeting.layout, (version > Version::One).then_some(LAYOUT));
        assert_eq!(greeting.blocks.is_some(), version == Version::Three);
    }
}

#[test]
fn a_camera_that_appears_late_is_caught_and_its_many_answers_are_one() {
    let mut wire = Wire::new(Version::Three);
    wire.fault = Fault::Late(700 * MS);
    let greeting = greet(&mut wire).unwrap();
    assert_eq!(greeting.layout, Some(LAYOUT));
    let starts = wire
        .packets
        .iter()
        .filter(|p| **p == Command::Start.encode());
    assert!(starts.count() > 10, "it kept asking");
}

#[test]
fn a_window_that_never_opens_ends_the_wait() {
    let mut wire = Wire::new(Version::Three);
    wire.fault = Fault::Late(Duration::from_secs(100));
    assert_eq!(greet(&mut wire), Err(Failure::Silent));
    assert_eq!(wire.now, WINDOW);
}

#[test]
fn firmware_arrives_whole_at_either_pace() {
    for (version, pace) in [
        (Version::One, Pace::Careful),
        (Version::Two, Pace::Quick),
        (Version::Three, Pace::Quick),
        (Version::Three, Pace::Careful),
    ] {
        let mut wire = Wire::new(version);
        greet(&mut wire).unwrap();
        let job = job(4001, pace);
        let mut update = Update::new(&job);
        assert_eq!(wire.run(&mut update), Ok(()), "{version:?} {pace:?}");
        assert_eq!(update.progress(), (4001, 4001));
        let chip = wire.camera.flash();
        assert_eq!(chip.erased, [2, 3, 4, 5]);
        assert_eq!(chip.internal[..4001], job.firmware);
        // The last packet is filled up to a word, and the buffer to its end.
        assert_eq!(chip.internal[4001..4032], [0xFF; 31]);
        assert!(wire.left, "the application starts");
    }
}

#[test]
fn a_question_travels_in_a_packet_of_its_own() {
    let mut wire = Wire::new(Version::Two);
    greet(&mut wire).unwrap();
    wire.packets.clear();
    wire.run(&mut Update::new(&job(60 * 40, Pace::Quick)))
        .unwrap();
    let mut erase = Command::Erase(2).encode();
    erase.resize(64, 0);
    assert_eq!(wire.packets[0], erase, "filled up to the endpoint's size");
    assert_eq!(wire.packets[1], Command::Query.encode());
    assert_eq!(wire.packets[8].len(), 64, "60 bytes and their command");
    let question = |packet: &Vec<u8>| *packet == Command::Query.encode();
    assert!(question(&wire.packets[8 + 32]), "after each 32 writes");
    assert_eq!(wire.packets.iter().filter(|p| question(p)).count(), 4 + 2);
    assert_eq!(wire.packets.last(), Some(&Command::Reset.encode()));
}

#[test]
fn the_careful_pace_waits_and_asks_nothing() {
    let mut wire = Wire::new(Version::Three);
    greet(&mut wire).unwrap();
    wire.packets.clear();
    let start = wire.now;
    wire.run(&mut Update::new(&job(560, Pace::Careful)))
        .unwrap();
    assert!(!wire.packets.contains(&Command::Query.encode()));
    assert_eq!(wire.packets[4].len(), 60, "56 bytes and their command");
    // 2000 ms for each of four erases, 1 ms for each of ten writes, 5 ms before RESET. Then the
    // camera writes the rest of its buffer and is gone.
    assert_eq!(wire.now - start, (4 * 2000 + 10 + 5) * MS + MS / 4);
}

#[test]
fn the_quick_pace_is_as_fast_as_the_flash() {
    let mut wire = Wire::new(Version::Three);
    greet(&mut wire).unwrap();
    let start = wire.now;
    wire.run(&mut Update::new(&job(1024, Pace::Quick))).unwrap();
    let took = wire.now - start;
    assert!(took >= 4 * ERASE && took < 4 * ERASE + 50 * MS, "{took:?}");
}

#[test]
fn a_camera_that_stops_is_told_with_what_was_sent() {
    let mut wire = Wire::new(Version::Three);
    greet(&mut wire).unwrap();
    wire.fault = Fault::Stops(wire.packets.len() + 8 + 3);
    let failure = wire
        .run(&mut Update::new(&job(4096, Pace::Quick)))
        .unwrap_err();
    assert_eq!(failure, Failure::Stopped { written: 32 * 60 });
}

#[test]
fn a_camera_that_leaves_in_the_middle_is_gone() {
    let mut wire = Wire::new(Version::Three);
    greet(&mut wire).unwrap();
    wire.fault = Fault::Leaves(wire.packets.len() + 20);
    let failure = wire
        .run(&mut Update::new(&job(4096, Pace::Quick)))
        .unwrap_err();
    assert_eq!(failure, Failure::Gone);
}

#[test]
fn a_sector_that_cannot_be_written_stops_the_bootloader_for_good() {
    let mut wire = Wire::new(Version::Three);
    greet(&mut wire).unwrap();
    // Nothing was erased.
    let job = Job {
        sectors: None,
        ..job(4096, Pace::Quick)
    };
    let failure = wire.run(&mut Update::new(&job)).unwrap_err();
    assert!(matches!(failure, Failure::Stopped { .. }));
    assert_eq!(wire.camera.busy_until(), Duration::MAX);
}

#[test]
fn the_disk_is_erased_on_the_external_flash_where_that_is() {
    let mut wire = Wire::new(Version::Three);
    let blocks = greet(&mut wire).unwrap().blocks;
    assert_eq!(blocks.map(|blocks: Blocks| blocks.first), Some(0));
    let job = Job {
        sectors: Some(1 + 1..=2),
        blocks: Some(0..=0),
        firmware: Vec::new(),
        packet: 64,
        pace: Pace::Quick,
    };
    wire.run(&mut Update::new(&job)).unwrap();
    assert_eq!(wire.camera.flash().erased_blocks, [0]);
    assert_eq!(wire.camera.flash().external[..1024], [0xFF; 1024]);
}

/// usbd_cdc_interface.c at v2.3 writes packet by packet, from v3.4.3 on in buffers of an endpoint.
#[test]
fn the_first_version_writes_packets_and_later_ones_buffers() {
    for (version, writes) in [
        (Version::One, vec![60, 60, 8]),
        (Version::Two, vec![64, 64]),
    ] {
        let mut camera = camera(version);
        let mut now = Duration::ZERO;
        let mut give = |command: Command| {
            camera.feed(now, Input::Bytes(&command.encode()));
            now += 2000 * MS;
            while let Turn::Send(_) = camera.poll(now) {}
            camera.flash().writes.clone()
        };
        give(Command::Start);
        give(Command::Erase(2));
        give(Command::Write(vec![1; 60]));
        give(Command::Write(vec![1; 60]));
        give(Command::Write(vec![1; 8]));
        assert_eq!(give(Command::Reset), writes, "{version:?}");
    }
}

/// usbd_cdc_interface.c, all tags: a packet is looked at once, from its first word.
#[test]
fn a_second_command_in_a_packet_is_lost() {
    let mut camera = camera(Version::Three);
    let mut packet = Command::Query.encode();
    packet.extend(Command::Erase(2).encode());
    camera.feed(Duration::ZERO, Input::Bytes(&packet));
    while let Turn::Send(_) = camera.poll(MS) {}
    assert_eq!(camera.flash().erased, [] as [u32; 0]);
}

#[test]
fn start_begins_at_the_front_again() {
    let mut camera = camera(Version::Three);
    let mut now = Duration::ZERO;
    let mut give = |command: Command| {
        camera.feed(now, Input::Bytes(&command.encode()));
        now += 2000 * MS;
        while let Turn::Send(_) = camera.poll(now) {}
        camera.flash().internal[..64].to_vec()
    };
    give(Command::Start);
    give(Command::Erase(2));
    give(Command::Write(vec![1; 32]));
    give(Command::Start);
    assert_eq!(
        give(Command::Reset),
        [0xFF; 64],
        "what was in the buffer is forgotten"
    );
}

proptest! {
    #[test]
    fn packets_of_arbitrary_bytes_never_panic(packets: Vec<Vec<u8>>) {
        let mut camera = camera(Version::Three);
        let mut now = Duration::ZERO;
        for packet in packets {
            camera.feed(now, Input::Bytes(&packet));
            now += 3000 * MS;
            let _ = camera.poll(now);
        }
    }

    #[test]
    fn answers_of_arbitrary_bytes_never_panic_and_the_host_ends(answers: Vec<Vec<u8>>) {
        let mut host = Greet::new(WINDOW);
        let mut now = Duration::ZERO;
        let mut answers = answers.into_iter();
        for _ in 0..10_000 {
            match host.poll(now) {
                Turn::Send(_) => {}
                Turn::Done(_) => return Ok(()),
                Turn::Wait { until } => match answers.next() {
                    Some(answer) => host.feed(now, Input::Bytes(&answer)),
                    None => now = until,
                },
            }
        }
        prop_assert!(false, "it never ends");
    }
}
