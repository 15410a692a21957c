//! Nonsense, from either end.

use std::time::Duration;

use omv_wire::msc::{Camera, Command, Exchange, Failure, Status, StatusWrapper, Take};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::disk::{Memory, Pair, ST, TINY};

#[test]
fn what_is_no_wrapper_halts_the_disk_until_it_is_reset() {
    let mut pair = Pair::new(TINY, Memory::new(64, 512));
    pair.camera
        .out(pair.now, &mut pair.storage, b"GET / HTTP/1.1");
    pair.camera.clear_halt();
    let halted = pair.camera.take(pair.now, &mut pair.storage, 512);
    assert_eq!(halted, Take::Stall);
    // Our side resets after three stalls, and then the disk is back.
    assert_eq!(pair.read(0, 1), Err(Failure::Confused));
    assert_eq!(pair.read(0, 1).unwrap().len(), 512);
}

#[test]
fn a_transfer_whose_length_disagrees_with_its_command_moves_nothing() {
    let mut pair = Pair::new(ST, Memory::new(64, 512));
    let before = pair.storage.bytes.clone();
    let command = Command::Read { block: 0, count: 8 };
    assert!(pair.inward(command, 512).is_err());
    let command = Command::Write { block: 0, count: 1 };
    assert!(pair.outward(command, vec![7; 1024]).is_err());
    assert_eq!(pair.storage.bytes, before);
    assert_eq!(pair.read(0, 1).unwrap().len(), 512);
}

#[test]
fn a_file_that_holds_the_words_of_a_status_is_still_only_data() {
    let mut pair = Pair::new(ST, Memory::new(64, 512));
    let words = StatusWrapper {
        tag: 1,
        residue: 0,
        status: Status::Failed,
    };
    let data: Vec<u8> = words.encode().into_iter().cycle().take(512 * 13).collect();
    pair.storage.bytes[..data.len()].copy_from_slice(&data);
    for transfer in [64, 512, 13 * 512, 65536] {
        pair.transfer = transfer;
        assert_eq!(pair.read(0, 13).unwrap(), data);
    }
}

proptest! {
    #[test]
    fn whatever_a_disk_answers_our_side_ends_and_keeps_no_more_than_it_asked_for(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..8),
        inward: bool,
    ) {
        let mut exchange = match inward {
            true => Exchange::inward(1, Command::Read { block: 0, count: 1 }, 512),
            false => Exchange::outward(1, Command::Write { block: 0, count: 1 }, vec![0; 512]),
        };
        let mut now = Duration::ZERO;
        let mut frames = frames.into_iter();
        for _ in 0..64 {
            match exchange.poll(now) {
                Turn::Send(_) => {}
                Turn::Wait { until } => match frames.next() {
                    Some(frame) if frame.is_empty() => exchange.feed(now, Input::Stall),
                    Some(frame) => exchange.feed(now, Input::Bytes(&frame)),
                    None => now = until,
                },
                Turn::Done(result) => {
                    prop_assert!(result.map_or(0, |data| data.len()) <= 512);
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "it never ended");
    }

    #[test]
    fn whatever_a_host_sends_the_disk_keeps_little_and_answers_after_a_reset(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..20),
        wrapped: bool,
        tiny: bool,
    ) {
        let mut storage = Memory::new(16, 512);
        let mut camera = Camera::new(if tiny { TINY } else { ST });
        for frame in frames {
            let mut bytes = b"USBC".to_vec();
            if wrapped {
                bytes.extend(&frame);
                bytes.resize(31, 3);
            } else {
                bytes = frame;
            }
            camera.out(Duration::ZERO, &mut storage, &bytes);
            for _ in 0..4 {
                if let Take::Data(data) = camera.take(Duration::ZERO, &mut storage, 512) {
                    prop_assert!(data.len() <= 512);
                }
            }
        }
        camera.reset();
        camera.clear_halt();
        let mut pair = Pair::new(ST, storage);
        pair.camera = camera;
        prop_assert_eq!(pair.read(0, 1).map(|data| data.len()), Ok(512));
    }
}
