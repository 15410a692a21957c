//! Every fault is visible at the other end, and nothing but the fault.

use std::time::Duration;

use crate::common::{Arrived, MS, Timetable, bytes};
use omv_link::fault::{Fault, Faulty, Kind};
use omv_link::{Heard, Link, LinkError};
use proptest::prelude::*;

/// Sends three requests of two bytes with one fault in the second, and lets a second pass.
fn sent(kind: Kind) -> Vec<Vec<u8>> {
    let (link, arrived) = Timetable::open([]);
    let mut link = Faulty::new(link, vec![Fault::sent(2, kind)]);
    for frame in [[1, 1], [2, 2], [3, 3]] {
        link.send(&frame).unwrap();
    }
    link.wait(1000 * MS).unwrap();
    frames(&arrived)
}

fn frames(arrived: &Arrived) -> Vec<Vec<u8>> {
    let arrived = arrived.lock().unwrap();
    arrived.iter().map(|(_, frame)| frame.clone()).collect()
}

/// Hears three answers, at 10, 20 and 30 ms, with one fault in the second.
fn heard(kind: Kind) -> Vec<(Duration, Heard)> {
    let answers = [
        (10 * MS, bytes(&[1, 1])),
        (20 * MS, bytes(&[2, 2])),
        (30 * MS, bytes(&[3, 3])),
    ];
    let (link, _) = Timetable::open(answers);
    let mut link = Faulty::new(link, vec![Fault::heard(2, kind)]);
    let mut all = Vec::new();
    while let Some(heard) = link.wait(1000 * MS).unwrap() {
        let gone = heard == Heard::Gone;
        all.push((link.now(), heard));
        if gone {
            break;
        }
    }
    all
}

fn only_heard(kind: Kind) -> Vec<Heard> {
    heard(kind).into_iter().map(|(_, heard)| heard).collect()
}

#[test]
fn no_fault_is_no_change() {
    let (link, arrived) = Timetable::open([(5 * MS, bytes(b"reply")), (6 * MS, Heard::Gone)]);
    let mut link = Faulty::new(link, Vec::new());
    link.send(b"request").unwrap();
    assert_eq!(link.wait(4 * MS).unwrap(), None);
    assert_eq!(link.now(), 4 * MS);
    assert_eq!(link.wait(9 * MS).unwrap(), Some(bytes(b"reply")));
    assert_eq!(link.now(), 5 * MS);
    assert_eq!(link.wait(9 * MS).unwrap(), Some(Heard::Gone));
    assert!(matches!(link.send(b"?"), Err(LinkError::Gone)));
    assert_eq!(frames(&arrived), [b"request"]);
}

#[test]
fn a_lost_request_never_arrives() {
    assert_eq!(sent(Kind::Lost), [[1, 1], [3, 3]]);
}

#[test]
fn a_doubled_request_arrives_twice() {
    assert_eq!(sent(Kind::Doubled), [[1, 1], [2, 2], [2, 2], [3, 3]]);
}

#[test]
fn a_split_request_arrives_in_two_pieces() {
    let expected: [&[u8]; 4] = [&[1, 1], &[2], &[2], &[3, 3]];
    for at in [0, 1, 2, 99] {
        assert_eq!(sent(Kind::Split { at }), expected, "{at}");
    }
}

#[test]
fn a_merged_request_arrives_with_its_successor() {
    let expected: [&[u8]; 2] = [&[1, 1], &[2, 2, 3, 3]];
    assert_eq!(sent(Kind::Merged), expected);
}

#[test]
fn a_merged_request_without_a_successor_goes_alone_when_a_wait_ends() {
    let (link, arrived) = Timetable::open([]);
    let mut link = Faulty::new(link, vec![Fault::sent(1, Kind::Merged)]);
    link.send(&[1]).unwrap();
    assert_eq!(frames(&arrived), Vec::<Vec<u8>>::new());
    link.wait(MS).unwrap();
    assert_eq!(frames(&arrived), [[1]]);
}

#[test]
fn a_flipped_bit_is_one_bit() {
    assert_eq!(sent(Kind::Flipped { bit: 9 }), [[1, 1], [2, 0], [3, 3]]);
    assert_eq!(sent(Kind::Flipped { bit: 16 }), [[1, 1], [3, 2], [3, 3]]);
}

#[test]
fn a_late_request_arrives_later_than_its_successor() {
    let (link, arrived) = Timetable::open([]);
    let late = Kind::Late { by: 300 * MS };
    let mut link = Faulty::new(link, vec![Fault::sent(1, late)]);
    link.send(&[1]).unwrap();
    link.send(&[2]).unwrap();
    assert_eq!(link.wait(1000 * MS).unwrap(), None);
    assert_eq!(link.now(), 1000 * MS);
    let arrived = arrived.lock().unwrap();
    assert_eq!(*arrived, [(Duration::ZERO, vec![2]), (300 * MS, vec![1])]);
}

#[test]
fn a_late_request_due_at_the_end_of_a_wait_is_sent_in_it() {
    let (link, arrived) = Timetable::open([]);
    let late = Kind::Late { by: 300 * MS };
    let mut link = Faulty::new(link, vec![Fault::sent(1, late)]);
    link.send(&[1]).unwrap();
    link.wait(300 * MS).unwrap();
    assert_eq!(frames(&arrived), [[1]]);
}

#[test]
fn a_stalled_request_does_not_arrive_and_is_refused() {
    let (link, arrived) = Timetable::open([]);
    let mut link = Faulty::new(link, vec![Fault::sent(1, Kind::Stalled)]);
    link.send(&[1]).unwrap();
    assert_eq!(link.wait(1000 * MS).unwrap(), Some(Heard::Stall));
    assert_eq!(link.now(), Duration::ZERO);
    link.send(&[2]).unwrap();
    assert_eq!(frames(&arrived), [[2]]);
}

#[test]
fn a_device_gone_at_a_request_stays_gone() {
    let (link, arrived) = Timetable::open([(MS, bytes(b"never heard"))]);
    let mut link = Faulty::new(link, vec![Fault::sent(2, Kind::Gone)]);
    link.send(&[1]).unwrap();
    assert!(matches!(link.send(&[2]), Err(LinkError::Gone)));
    assert!(matches!(link.send(&[3]), Err(LinkError::Gone)));
    for _ in 0..2 {
        assert_eq!(link.wait(1000 * MS).unwrap(), Some(Heard::Gone));
    }
    assert_eq!(frames(&arrived), [[1]]);
}

#[test]
fn a_lost_answer_never_arrives() {
    assert_eq!(only_heard(Kind::Lost), [bytes(&[1, 1]), bytes(&[3, 3])]);
}

#[test]
fn a_doubled_answer_arrives_twice() {
    let expected = [[1, 1], [2, 2], [2, 2], [3, 3]].map(|frame| bytes(&frame));
    assert_eq!(only_heard(Kind::Doubled), expected);
}

#[test]
fn a_split_answer_arrives_in_two_pieces() {
    let expected = [bytes(&[1, 1]), bytes(&[2]), bytes(&[2]), bytes(&[3, 3])];
    assert_eq!(only_heard(Kind::Split { at: 1 }), expected);
}

#[test]
fn a_merged_answer_arrives_with_its_successor() {
    let expected = [(10 * MS, bytes(&[1, 1])), (30 * MS, bytes(&[2, 2, 3, 3]))];
    assert_eq!(heard(Kind::Merged), expected);
}

#[test]
fn a_merged_answer_without_a_successor_arrives_alone_when_the_wait_ends() {
    let (link, _) = Timetable::open([(MS, bytes(&[1]))]);
    let mut link = Faulty::new(link, vec![Fault::heard(1, Kind::Merged)]);
    assert_eq!(link.wait(50 * MS).unwrap(), Some(bytes(&[1])));
    assert_eq!(link.now(), 50 * MS);
}

#[test]
fn a_merged_answer_arrives_before_the_departure_behind_it() {
    let (link, _) = Timetable::open([(MS, bytes(&[1])), (2 * MS, Heard::Gone)]);
    let mut link = Faulty::new(link, vec![Fault::heard(1, Kind::Merged)]);
    assert_eq!(link.wait(50 * MS).unwrap(), Some(bytes(&[1])));
    assert_eq!(link.wait(50 * MS).unwrap(), Some(Heard::Gone));
}

#[test]
fn a_flipped_bit_in_an_answer_is_one_bit() {
    let expected = [[1, 1], [2, 0x82], [3, 3]].map(|frame| bytes(&frame));
    assert_eq!(only_heard(Kind::Flipped { bit: 15 }), expected);
}

#[test]
fn a_late_answer_arrives_later_than_its_successor() {
    let expected = [
        (10 * MS, bytes(&[1, 1])),
        (30 * MS, bytes(&[3, 3])),
        (70 * MS, bytes(&[2, 2])),
    ];
    assert_eq!(heard(Kind::Late { by: 50 * MS }), expected);
}

#[test]
fn a_stalled_answer_is_replaced() {
    let expected = [bytes(&[1, 1]), Heard::Stall, bytes(&[3, 3])];
    assert_eq!(only_heard(Kind::Stalled), expected);
}

#[test]
fn a_device_gone_instead_of_an_answer_says_nothing_more() {
    assert_eq!(only_heard(Kind::Gone), [bytes(&[1, 1]), Heard::Gone]);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Lost),
        Just(Kind::Doubled),
        any::<usize>().prop_map(|at| Kind::Split { at }),
        Just(Kind::Merged),
        any::<usize>().prop_map(|bit| Kind::Flipped { bit }),
        (0u32..100).prop_map(|by| Kind::Late { by: MS * by }),
        Just(Kind::Stalled),
        Just(Kind::Gone),
    ]
}

proptest! {
    #[test]
    fn no_plan_panics_or_hangs_or_goes_back_in_time(
        plan in prop::collection::vec((any::<bool>(), 1usize..6, any_kind()), 0..6),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..6),
    ) {
        let plan = plan
            .into_iter()
            .map(|(out, frame, kind)| if out { Fault::sent(frame, kind) } else { Fault::heard(frame, kind) })
            .collect();
        let answers = frames.iter().zip(1u32..).map(|(frame, n)| (MS * n * 7, bytes(frame)));
        let (link, _) = Timetable::open(answers.collect::<Vec<_>>());
        let mut link = Faulty::new(link, plan);
        let mut before = Duration::ZERO;
        for frame in &frames {
            let _ = link.send(frame);
            let until = link.now() + 5 * MS;
            let heard = link.wait(until).unwrap();
            prop_assert!(heard.is_some() || link.now() >= until);
            prop_assert!(link.now() >= before);
            before = link.now();
        }
    }
}
