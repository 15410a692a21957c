//! The rules by which a virtual device ends transfers.

use omv_wire::Malformed;
use omv_wire::usb::{Completion, Direction, Setup, Urb, UrbStatus, kind};
use omv_wire::usbip::{Ended, Offer, UrbQueue, packets};
use proptest::prelude::*;

const IN: Direction = Direction::In;
const OUT: Direction = Direction::Out;

fn queue(urbs: impl IntoIterator<Item = (u32, Urb)>) -> UrbQueue {
    let mut queue = UrbQueue::new();
    for (seqnum, urb) in urbs {
        queue.push(seqnum, urb).unwrap();
    }
    queue
}

fn ended(seqnum: u32, completion: Completion) -> Offer {
    Offer::Ended(Ended { seqnum, completion })
}

#[test]
fn a_read_without_data_waits() {
    let queue = queue([(7, Urb::read(1, 64))]);
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.front(1, IN).unwrap().0, 7);
    assert!(queue.front(1, OUT).is_none());
}

#[test]
fn a_packet_nobody_asked_for_stays_with_the_device() {
    let mut queue = queue([(7, Urb::read(1, 64))]);
    assert_eq!(queue.offer(2, 64, b"x"), Offer::Nak);
    assert_eq!(queue.offer(0, 64, b"x"), Offer::Nak);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_short_packet_ends_a_read_that_has_room() {
    let mut queue = queue([(7, Urb::read(1, 1024))]);
    assert_eq!(queue.offer(1, 4, b"abcd"), Offer::Taken);
    assert_eq!(
        queue.offer(1, 4, b"ef"),
        ended(7, Completion::received(b"abcdef".to_vec()))
    );
    assert!(queue.is_empty());
}

#[test]
fn a_full_read_ends_without_a_short_packet() {
    let mut queue = queue([(7, Urb::read(1, 8)), (8, Urb::read(1, 8))]);
    assert_eq!(queue.offer(1, 4, b"abcd"), Offer::Taken);
    let whole = Completion::received(b"abcdefgh".to_vec());
    assert_eq!(queue.offer(1, 4, b"efgh"), ended(7, whole));
    assert_eq!(queue.front(1, IN).unwrap().0, 8);
}

#[test]
fn a_message_of_whole_packets_stays_open_until_an_empty_one() {
    let mut queue = queue([(7, Urb::read(1, 64))]);
    for packet in packets(b"abcdefgh", 4, false) {
        assert_eq!(queue.offer(1, 4, packet), Offer::Taken);
    }
    assert_eq!(
        queue.offer(1, 4, b""),
        ended(7, Completion::received(b"abcdefgh".to_vec()))
    );
}

#[test]
fn an_empty_packet_alone_is_a_completion_of_no_bytes() {
    let mut queue = queue([(7, Urb::read(1, 64))]);
    assert_eq!(
        queue.offer(1, 4, b""),
        ended(7, Completion::received(Vec::new()))
    );
}

#[test]
fn an_endpoint_without_a_packet_size_cannot_swallow_empty_packets_for_ever() {
    let mut queue = queue([(7, Urb::read(1, 64))]);
    assert_eq!(
        queue.offer(1, 0, b""),
        ended(7, Completion::received(Vec::new()))
    );
}

#[test]
fn a_packet_larger_than_the_room_left_is_babble() {
    let mut queue = queue([(7, Urb::read(1, 6)), (8, Urb::read(1, 64))]);
    assert_eq!(queue.offer(1, 4, b"abcd"), Offer::Taken);
    let Offer::Ended(babble) = queue.offer(1, 4, b"efgh") else {
        panic!("an end was expected");
    };
    assert_eq!(babble.completion.status, UrbStatus::Error(-75));
    assert_eq!(babble.completion.data, b"abcd");
    assert_eq!(babble.completion.actual, 4);
    let Offer::Ended(babble) = queue.offer(1, 4, b"abcde") else {
        panic!("an end was expected");
    };
    assert_eq!(babble.completion.status, UrbStatus::Error(-75));
}

#[test]
fn messages_split_into_packets_and_close_as_asked() {
    let lengths = |message: &[u8], zero| -> Vec<usize> {
        packets(message, 4, zero).map(<[u8]>::len).collect()
    };
    assert_eq!(lengths(b"abcdef", true), [4, 2]);
    assert_eq!(lengths(b"abcdefgh", true), [4, 4, 0]);
    assert_eq!(lengths(b"abcdefgh", false), [4, 4]);
    assert_eq!(lengths(b"", false), [0]);
    assert_eq!(packets(b"ab", 0, false).count(), 2);
}

#[test]
fn reads_of_one_endpoint_end_in_order_and_endpoints_do_not_wait_for_each_other() {
    let mut queue = queue([
        (1, Urb::read(1, 8)),
        (2, Urb::read(2, 8)),
        (3, Urb::read(1, 8)),
        (4, Urb::write(1, vec![9])),
    ]);
    assert!(matches!(queue.offer(2, 64, b"b"), Offer::Ended(e) if e.seqnum == 2));
    assert_eq!(queue.finish(1, OUT, Completion::sent(1)).unwrap().seqnum, 4);
    assert!(matches!(queue.offer(1, 64, b"a"), Offer::Ended(e) if e.seqnum == 1));
    assert!(matches!(queue.offer(1, 64, b"c"), Offer::Ended(e) if e.seqnum == 3));
    assert!(queue.finish(1, OUT, Completion::sent(1)).is_none());
}

#[test]
fn control_requests_share_one_queue_whatever_their_direction() {
    let ask = Urb::control(Setup::get_descriptor(kind::DEVICE, 0, 0, 8), Vec::new());
    let set = Urb::control(Setup::set_configuration(1), Vec::new());
    let mut queue = queue([(1, set), (2, ask)]);
    assert_eq!(queue.front(0, IN).unwrap().0, 1);
    assert_eq!(queue.finish(0, IN, Completion::sent(0)).unwrap().seqnum, 1);
    assert_eq!(queue.front(0, OUT).unwrap().0, 2);
}

#[test]
fn a_control_answer_is_cut_to_what_was_asked_and_to_the_buffer() {
    let asks = |wanted: u16, buffer: u32| Urb {
        length: buffer,
        ..Urb::control(
            Setup::get_descriptor(kind::DEVICE, 0, 0, wanted),
            Vec::new(),
        )
    };
    for (wanted, buffer, given) in [(64, 64, 18), (8, 64, 8), (64, 9, 9)] {
        let mut queue = queue([(1, asks(wanted, buffer))]);
        let answer = Completion::received(vec![1; 18]);
        let end = queue.finish(0, IN, answer).unwrap();
        assert_eq!(end.completion, Completion::received(vec![1; given]));
    }
}

#[test]
fn an_out_transfer_brings_nothing_back_and_takes_no_more_than_it_has() {
    let urb = Urb::write(2, vec![0; 5]);
    let end = Ended::new(1, &urb, Completion::received(vec![1; 9]));
    assert_eq!(end.completion, Completion::sent(5));
    assert_eq!(end.encode().len(), 48);
}

#[test]
fn a_whole_answer_of_another_endpoint_that_is_too_long_is_babble() {
    let end = Ended::new(1, &Urb::read(1, 4), Completion::received(vec![1; 9]));
    assert_eq!(end.completion.status, UrbStatus::Error(-75));
    assert_eq!(end.completion.data.len(), 4);
}

#[test]
fn a_halted_endpoint_stalls_everything_it_has() {
    let mut queue = queue([(1, Urb::read(1, 8)), (2, Urb::read(1, 8))]);
    let mut stalled = Vec::new();
    while let Some(end) = queue.finish(1, IN, Completion::stall()) {
        stalled.push(end.seqnum);
    }
    assert_eq!(stalled, [1, 2]);
}

#[test]
fn an_unlink_before_the_end_removes_and_after_it_finds_nothing() {
    let mut queue = queue([(1, Urb::read(1, 8)), (2, Urb::read(1, 8))]);
    assert_eq!(queue.unlink(1), UrbStatus::Unlinked);
    assert!(matches!(queue.offer(1, 64, b"a"), Offer::Ended(e) if e.seqnum == 2));
    assert_eq!(queue.unlink(2), UrbStatus::Ok);
    assert_eq!(queue.unlink(99), UrbStatus::Ok);
    assert!(queue.is_empty());
}

#[test]
fn a_device_that_leaves_ends_everything() {
    let mut queue = queue([(1, Urb::read(1, 8)), (2, Urb::write(2, vec![1]))]);
    let gone = queue.fail_all(UrbStatus::Gone);
    let numbers: Vec<u32> = gone.iter().map(|e| e.seqnum).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(gone.iter().all(|e| e.completion.status == UrbStatus::Gone));
    assert!(queue.is_empty());
    assert!(queue.push(1, Urb::read(1, 8)).is_ok());
}

#[test]
fn a_client_cannot_use_a_number_twice_or_fill_the_memory() {
    let field = |result: Result<(), Malformed>| match result {
        Err(Malformed::Field { field, .. }) => field,
        other => panic!("a refused field was expected, not {other:?}"),
    };
    let mut twice = queue([(1, Urb::read(1, 8))]);
    assert_eq!(field(twice.push(1, Urb::read(2, 8))), "seqnum");

    let mut many = queue((0..1024).map(|n| (n, Urb::read(1, 8))));
    assert_eq!(field(many.push(1024, Urb::read(1, 8))), "transfers waiting");
    assert_eq!(many.unlink(5), UrbStatus::Unlinked);
    assert!(many.push(1024, Urb::read(1, 8)).is_ok());

    let mut large = queue((0..16).map(|n| (n, Urb::read(1, 4 << 20))));
    assert_eq!(field(large.push(16, Urb::read(1, 1))), "bytes waiting");
    assert!(large.finish(1, IN, Completion::stall()).is_some());
    assert!(large.push(16, Urb::read(1, 1)).is_ok());
}

proptest! {
    /// Whatever sizes the host reads with, it gets every byte once, in order.
    #[test]
    fn reads_of_any_size_get_every_byte_once(
        message in prop::collection::vec(any::<u8>(), 0..200),
        whole_packets in 1_u32..5,
    ) {
        let mut queue = UrbQueue::new();
        let mut got = Vec::new();
        let mut next = 0;
        for packet in packets(&message, 8, true) {
            loop {
                match queue.offer(1, 8, packet) {
                    Offer::Nak => {
                        next += 1;
                        queue.push(next, Urb::read(1, 8 * whole_packets)).unwrap();
                    }
                    Offer::Taken => break,
                    Offer::Ended(end) => {
                        prop_assert_eq!(end.completion.status, UrbStatus::Ok);
                        prop_assert_eq!(end.seqnum, next);
                        got.extend(end.completion.data);
                        break;
                    }
                }
            }
        }
        prop_assert_eq!(got, message);
        prop_assert!(queue.is_empty());
    }
}
