//! Our end against their end.

use omv_wire::msc::{Capacity, Command, Exchange, Failure, Identity, Personality, Sense};

use super::disk::{Memory, Pair, ST, TINY};

#[test]
fn a_disk_tells_who_it_is_and_how_large() {
    for personality in [TINY, ST] {
        let mut pair = Pair::new(personality, Memory::new(1024, 4096));
        let answer = pair.inward(
            Command::Inquiry {
                page: None,
                length: 36,
            },
            36,
        );
        assert_eq!(Identity::decode(&answer.unwrap()), Ok(personality.identity));
        let capacity = pair.inward(Command::ReadCapacity, 8).unwrap();
        assert_eq!(
            Capacity::decode(&capacity),
            Ok(Capacity {
                blocks: 1024,
                block_size: 4096
            })
        );
        assert_eq!(
            pair.outward(Command::TestUnitReady, Vec::new()),
            Ok(Vec::new())
        );
    }
}

#[test]
fn what_is_written_reads_back_whatever_the_size_of_the_transfers() {
    for (block_size, transfer) in [
        (512, 64),
        (512, 512),
        (512, 1 << 20),
        (4096, 512),
        (4096, 65536),
    ] {
        let mut pair = Pair::new(TINY, Memory::new(64, block_size));
        pair.transfer = transfer;
        let before = pair.storage.bytes.clone();
        assert_eq!(pair.read(0, 64).unwrap(), before);
        let data: Vec<u8> = (0..17 * block_size).map(|at| (at % 251) as u8).collect();
        pair.write(5, data.clone()).unwrap();
        assert_eq!(pair.read(5, 17).unwrap(), data);
        let size = block_size as usize;
        assert_eq!(pair.storage.bytes[..5 * size], before[..5 * size]);
        assert_eq!(pair.storage.bytes[22 * size..], before[22 * size..]);
    }
}

#[test]
fn a_block_that_fails_is_named_by_st_and_blamed_on_the_command_by_tinyusb() {
    for (personality, read, write) in [
        (ST, Sense::READ_ERROR, Sense::WRITE_FAULT),
        (TINY, Sense::INVALID_COMMAND, Sense::INVALID_COMMAND),
    ] {
        let mut pair = Pair::new(personality, Memory::new(64, 512));
        pair.storage.bad.insert(20);
        assert_eq!(pair.read(0, 64), Err(Failure::Refused(read)));
        assert_eq!(
            pair.write(16, vec![1; 8 * 512]),
            Err(Failure::Refused(write))
        );
        // The conversation goes on as if nothing had been.
        assert_eq!(pair.read(0, 8).unwrap(), pair.storage.bytes[..4096]);
    }
}

#[test]
fn a_camera_that_hides_errors_sends_what_was_in_its_buffer_and_says_all_is_well() {
    let hiding = Personality {
        hides_errors: true,
        ..TINY
    };
    let mut pair = Pair::new(hiding, Memory::new(64, 512));
    pair.storage.bad.insert(20);
    let eight = pair.read(0, 8).unwrap();
    // The whole piece of the transfer before comes again.
    assert_eq!(pair.read(20, 1).unwrap(), eight[..512]);
    let before = pair.storage.bytes.clone();
    assert_eq!(pair.write(20, vec![0xAB; 512]), Ok(()));
    assert_eq!(pair.storage.bytes, before);
    // And reading it at once brings what was meant to be written: the buffer again.
    assert_eq!(pair.read(20, 1).unwrap(), vec![0xAB; 512]);
    pair.read(0, 8).unwrap();
    assert_ne!(pair.read(20, 1).unwrap(), vec![0xAB; 512]);
}

#[test]
fn an_ejected_medium_is_absent_until_it_is_loaded_again() {
    for personality in [TINY, ST] {
        let mut pair = Pair::new(personality, Memory::new(64, 512));
        let eject = |start| Command::StartStop { start, eject: true };
        pair.outward(eject(false), Vec::new()).unwrap();
        let absent = Err(Failure::Refused(Sense::NO_MEDIUM));
        assert!(pair.camera.is_ejected());
        assert_eq!(pair.outward(Command::TestUnitReady, Vec::new()), absent);
        assert_eq!(pair.read(0, 1), absent);
        pair.outward(eject(true), Vec::new()).unwrap();
        assert_eq!(pair.read(0, 1).unwrap().len(), 512);
    }
}

#[test]
fn a_write_protected_medium_refuses_writes_and_says_so_beforehand() {
    let mut pair = Pair::new(TINY, Memory::new(64, 512));
    pair.storage.protected = true;
    let before = pair.storage.bytes.clone();
    let mode = pair.inward(
        Command::ModeSense {
            page: 0x3F,
            length: 192,
        },
        192,
    );
    assert_eq!(mode.unwrap()[2] & 0x80, 0x80);
    assert_eq!(
        pair.write(3, vec![9; 4096]),
        Err(Failure::Refused(Sense::PROTECTED))
    );
    assert_eq!(pair.storage.bytes, before);
}

#[test]
fn locking_the_medium_writes_the_cache() {
    let mut pair = Pair::new(ST, Memory::new(64, 512));
    pair.outward(Command::PreventRemoval(false), Vec::new())
        .unwrap();
    assert_eq!(pair.storage.flushes, 1);
}

#[test]
fn blocks_past_the_end_are_refused_and_the_next_command_works() {
    let mut pair = Pair::new(ST, Memory::new(64, 512));
    assert_eq!(pair.read(60, 8), Err(Failure::Refused(Sense::OUT_OF_RANGE)));
    assert_eq!(
        pair.write(u32::MAX, vec![0; 512]),
        Err(Failure::Refused(Sense::OUT_OF_RANGE))
    );
    assert_eq!(pair.read(63, 1).unwrap().len(), 512);
}

#[test]
fn a_command_the_camera_does_not_know_is_refused_with_and_without_data() {
    for personality in [TINY, ST] {
        let mut pair = Pair::new(personality, Memory::new(64, 512));
        let refused = Err(Failure::Refused(Sense::INVALID_COMMAND));
        assert_eq!(pair.outward(Command::SynchronizeCache, Vec::new()), refused);
        assert_eq!(pair.inward(Command::Other(0x9E), 32), refused);
        assert_eq!(pair.outward(Command::Other(0x41), vec![0; 512]), refused);
        assert_eq!(pair.read(0, 1).unwrap().len(), 512);
    }
}

#[test]
fn a_camera_that_falls_silent_at_any_point_ends_the_wait_after_half_a_minute() {
    for lets in 0..4 {
        let mut pair = Pair::new(ST, Memory::new(64, 512));
        pair.lets = lets;
        let done = pair.write(0, vec![0; 512]);
        match lets {
            0..3 => {
                assert_eq!(done, Err(Failure::Silent));
                assert_eq!(pair.now.as_secs(), 30);
                assert_eq!(pair.resets, 1);
                // After the reset it works again.
                pair.lets = usize::MAX;
                assert_eq!(pair.read(0, 1).unwrap().len(), 512);
            }
            _ => assert_eq!(done, Ok(())),
        }
    }
}

#[test]
fn a_status_with_another_commands_tag_is_not_taken_for_ours() {
    let mut pair = Pair::new(ST, Memory::new(64, 512));
    let mut late = Exchange::inward(77, Command::Read { block: 1, count: 1 }, 512);
    // Half a command of somebody who went away: its data and status are still under way.
    use omv_wire::{Machine, Turn};
    let Turn::Send(frame) = late.poll(pair.now) else {
        panic!("no wrapper")
    };
    pair.camera.out(pair.now, &mut pair.storage, &frame);
    pair.camera.reset();
    assert_eq!(pair.read(2, 1).unwrap(), pair.storage.bytes[1024..1536]);
}
