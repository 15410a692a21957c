//! What can go wrong between the two ends, and what must come of it.

use std::time::Duration;

use omv_wire::mboot::uart::Frame;
use omv_wire::mboot::{
    Camera, Command, Data, Exchange, Failure, Leave, Ping, Quirks, Reply, Response, Setup, Wire,
    hid, status,
};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::board::{Board, Loader};
use super::pair::{Fault, Pair, Way};

const ZERO: Duration = Duration::ZERO;
const RAM: u32 = 0x2000;

type Result = std::result::Result<Reply, Failure>;

fn camera(wire: Wire) -> Camera<Board> {
    Camera::new(wire, Board::new(Loader::Sbl))
}

fn pattern(size: u32) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8)) as u8).collect()
}

fn write(wire: Wire, start: u32, bytes: &[u8]) -> Exchange<'_> {
    let size = u32::try_from(bytes.len()).unwrap();
    let command = Command::write_memory(start, size, 0);
    Exchange::new(Setup::new(wire), command, Data::Out(bytes.into()))
}

fn read(wire: Wire, start: u32, size: u32) -> Exchange<'static> {
    let command = Command::read_memory(start, size, 0);
    Exchange::new(Setup::new(wire), command, Data::In(size))
}

fn ask(wire: Wire, command: Command) -> Exchange<'static> {
    Exchange::new(Setup::new(wire), command, Data::None)
}

fn run(pair: &mut Pair, mut host: Exchange<'_>, camera: &mut Camera<Board>) -> Result {
    pair.run(&mut host, camera).0
}

#[test]
fn what_is_written_is_read_back_over_either_wire() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        let bytes = pattern(5000);
        let mut host = write(wire, 0x6040_0000, &bytes);
        let (reply, _) = Pair::default().run(&mut host, &mut camera);
        assert_eq!(reply.unwrap().status, 0);
        assert_eq!(host.progress(), (5000, 5000));
        let reply = run(
            &mut Pair::default(),
            read(wire, 0x6040_0000, 5000),
            &mut camera,
        );
        assert_eq!(reply.unwrap().data, bytes);
    }
}

#[test]
fn three_mebibytes_over_hid_take_a_blink() {
    let mut camera = camera(Wire::Hid);
    let bytes = pattern(3 << 20);
    let begun = std::time::Instant::now();
    let reply = run(
        &mut Pair::default(),
        write(Wire::Hid, 0x6040_0000, &bytes),
        &mut camera,
    );
    assert_eq!(reply.unwrap().status, 0);
    let took = begun.elapsed();
    // Half a second alone; whatever copies all of it for each packet takes minutes.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(camera.target().peek(0x6040_0000, 3 << 20), bytes);
}

#[test]
fn a_lost_report_ends_in_a_timeout_and_never_in_success() {
    for (way, nth, what) in [
        (Way::ToCamera, 0, "the response"),
        (Way::ToHost, 0, "the response"),
        (Way::ToCamera, 2, "the final response"),
        (Way::ToHost, 1, "the final response"),
    ] {
        let mut pair = Pair::with_fault(way, nth, Fault::Lose);
        let result = run(
            &mut pair,
            write(Wire::Hid, RAM, &pattern(3000)),
            &mut camera(Wire::Hid),
        );
        assert_eq!(result, Err(Failure::Timeout { what }));
        assert_eq!(pair.now, Duration::from_secs(5));
    }
}

#[test]
fn a_lost_report_of_a_read_is_noticed_though_the_camera_reports_success() {
    let mut pair = Pair::with_fault(Way::ToHost, 2, Fault::Lose);
    let result = run(
        &mut pair,
        read(Wire::Hid, RAM, 3000),
        &mut camera(Wire::Hid),
    );
    let lost = Failure::DataLost {
        announced: 3000,
        came: 1988,
    };
    assert_eq!(result, Err(lost));
}

#[test]
fn a_response_heard_twice_is_not_taken_for_the_end() {
    for nth in 0..2 {
        let mut camera = camera(Wire::Hid);
        let mut pair = Pair::with_fault(Way::ToHost, nth, Fault::Double);
        let bytes = pattern(3000);
        let reply = run(&mut pair, write(Wire::Hid, RAM, &bytes), &mut camera);
        assert_eq!(reply.unwrap().status, 0);
        assert_eq!(camera.target().peek(RAM, 3000), bytes);
        // What came twice lies on the wire and does not disturb the next exchange.
        let reply = run(&mut pair, read(Wire::Hid, RAM, 3000), &mut camera);
        assert_eq!(reply.unwrap().data, bytes);
    }
}

#[test]
fn an_answer_heard_twice_is_not_taken_for_the_answer_to_the_next_question() {
    let mut camera = camera(Wire::Hid);
    let mut pair = Pair::with_fault(Way::ToHost, 0, Fault::Double);
    for (property, value) in [(1, 0x4B02_0800), (11, 1012)] {
        let host = ask(Wire::Hid, Command::get_property(property, 0));
        assert_eq!(run(&mut pair, host, &mut camera).unwrap().words, [value]);
    }
}

#[test]
fn leftovers_of_an_abandoned_read_do_not_disturb_the_next_exchange() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        let mut pair = Pair::default();
        let mut abandoned = read(wire, RAM, 3000);
        for _ in 0..8 {
            if let Turn::Send(frame) = abandoned.poll(ZERO) {
                camera.feed(ZERO, Input::Bytes(&frame));
                break;
            }
        }
        if wire == Wire::Uart {
            // A serial line is greeted first: that frees a camera that waits for the other host.
            pair.run(&mut Ping::new(), &mut camera).0.unwrap();
        }
        let reply = run(
            &mut pair,
            ask(wire, Command::get_property(1, 0)),
            &mut camera,
        );
        assert_eq!(reply.unwrap().words, [0x4B02_0800], "{wire:?}");
    }
}

#[test]
fn a_flipped_bit_in_a_serial_payload_is_repeated_and_healed() {
    let bytes = pattern(1200);
    // Frames to the camera: command, ack, data, data, data, ack. To the host: ack, response, ...
    for (way, nth) in [
        (Way::ToCamera, 0),
        (Way::ToCamera, 2),
        (Way::ToCamera, 4),
        (Way::ToHost, 1),
        (Way::ToHost, 5),
    ] {
        let mut camera = camera(Wire::Uart);
        let mut pair = Pair::with_fault(way, nth, Fault::Flip(9, 3));
        let reply = run(&mut pair, write(Wire::Uart, RAM, &bytes), &mut camera);
        assert_eq!(reply.unwrap().status, 0, "{way:?} {nth}");
        assert_eq!(camera.target().peek(RAM, 1200), bytes);
        let naks = [pair.to_camera, pair.to_host].concat();
        let naks = naks.iter().filter(|frame| **frame == [0x5A, 0xA2]).count();
        assert_eq!(naks, 1, "{way:?} {nth}");
    }
}

#[test]
fn a_damaged_head_of_a_response_is_asked_for_again_after_silence() {
    for (byte, bit) in [(0, 0), (1, 6), (2, 4), (3, 0)] {
        let mut pair = Pair::with_fault(Way::ToHost, 1, Fault::Flip(byte, bit));
        let host = ask(Wire::Uart, Command::get_property(1, 0));
        let reply = run(&mut pair, host, &mut camera(Wire::Uart));
        assert_eq!(reply.unwrap().words, [0x4B02_0800], "byte {byte}");
        assert!(pair.now < Duration::from_secs(1));
    }
}

/// Answers everything the host says with the same bytes, until it gives up.
fn answer_always(host: &mut Exchange<'_>, answer: &[u8]) -> (Result, Vec<Vec<u8>>) {
    let mut sent = vec![];
    for _ in 0..1000 {
        match host.poll(ZERO) {
            Turn::Done(result) => return (result, sent),
            Turn::Send(frame) => sent.push(frame),
            Turn::Wait { .. } if sent.is_empty() => {}
            Turn::Wait { .. } => host.feed(ZERO, Input::Bytes(answer)),
        }
    }
    panic!("a host that never gives up");
}

#[test]
fn a_camera_that_never_acknowledges_is_given_up_after_five_repetitions() {
    let mut host = ask(Wire::Uart, Command::get_property(1, 0));
    let (result, sent) = answer_always(&mut host, &Frame::Nak.encode());
    assert_eq!(result, Err(Failure::NotAcknowledged { repeats: 5 }));
    assert_eq!(sent.len(), 6);
}

#[test]
fn a_camera_whose_packets_stay_damaged_is_given_up() {
    let mut host = ask(Wire::Uart, Command::get_property(1, 0));
    let mut answer = Frame::Command(Response::generic(0, 7).encode()).encode();
    *answer.last_mut().unwrap() ^= 1;
    let (result, sent) = answer_always(&mut host, &answer);
    assert!(matches!(result, Err(Failure::Malformed(_))), "{result:?}");
    let naks = sent.iter().filter(|frame| **frame == [0x5A, 0xA2]).count();
    assert_eq!(naks, 5);
}

#[test]
fn a_stop_ends_sending_at_once_and_the_reason_is_read() {
    for (wire, stops_at_once) in [(Wire::Hid, false), (Wire::Uart, false), (Wire::Uart, true)] {
        let quirks = Quirks {
            stops_at_once,
            ..Quirks::default()
        };
        let board = Board::new(Loader::Sbl);
        let mut camera = Camera::with_quirks(wire, wire.packet(), quirks, board);
        let mut pair = Pair::default();
        let bytes = pattern(100_000);
        let reply = run(&mut pair, write(wire, 0x7000_0000, &bytes), &mut camera);
        assert_eq!(reply.unwrap().status, status::MEMORY_RANGE_INVALID);
        assert!(pair.to_camera.len() <= 5, "{}", pair.to_camera.len());
        let reply = run(
            &mut pair,
            ask(wire, Command::get_property(1, 0)),
            &mut camera,
        );
        assert_eq!(reply.unwrap().status, 0);
    }
}

#[test]
fn an_error_amid_the_data_stops_a_serial_host_too() {
    let mut camera = camera(Wire::Uart);
    let bytes = pattern(3000);
    let first = run(
        &mut Pair::default(),
        write(Wire::Uart, 0x6040_0000, &bytes),
        &mut camera,
    );
    assert_eq!(first.unwrap().status, 0);
    let mut pair = Pair::default();
    let again = run(
        &mut pair,
        write(Wire::Uart, 0x6040_0000, &bytes),
        &mut camera,
    );
    assert_eq!(again.unwrap().status, status::MEMORY_CUMULATIVE_WRITE);
    assert!(pair.to_host.contains(&Frame::Abort.encode()));
}

#[test]
fn a_host_may_give_up_amid_the_data() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        let bytes = pattern(9000);
        let mut host = write(wire, RAM, &bytes);
        host.abort();
        let (reply, _) = Pair::default().run(&mut host, &mut camera);
        assert_eq!(reply.unwrap().status, status::ABORT_DATA_PHASE);
        assert_eq!(host.progress(), (0, 9000));
    }
}

#[test]
fn a_refused_read_says_why_and_brings_no_data() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        let reply = run(
            &mut Pair::default(),
            read(wire, 0x7000_0000, 16),
            &mut camera,
        );
        let reply = reply.unwrap();
        assert_eq!(reply.status, status::MEMORY_RANGE_INVALID);
        assert_eq!((reply.words, reply.data), (vec![16], vec![]));
    }
}

#[test]
fn a_serial_host_may_stop_a_read() {
    let mut camera = camera(Wire::Uart);
    let ask = Frame::Command(Command::read_memory(RAM, 5000, 0).encode());
    let mut said = vec![];
    for frame in [ask, Frame::Ack, Frame::Abort, Frame::Ack] {
        camera.feed(ZERO, Input::Bytes(&frame.encode()));
        while let Turn::Send(frame) = camera.poll(ZERO) {
            said.push(frame);
        }
    }
    assert_eq!(said.len(), 4, "ack, length, one packet, the reason");
    let reason = Response::generic(status::ABORT_DATA_PHASE, 3);
    assert_eq!(said[3], Frame::Command(reason.encode()).encode());
}

#[test]
fn a_camera_gone_at_any_point_is_reported_as_gone() {
    for wire in [Wire::Hid, Wire::Uart] {
        let whole = {
            let mut pair = Pair::default();
            run(
                &mut pair,
                write(wire, RAM, &pattern(3000)),
                &mut camera(wire),
            )
            .unwrap();
            pair.heard
        };
        assert!(whole >= 2);
        for unplug_after in 0..whole {
            let mut pair = Pair::unplugged_after(unplug_after);
            let result = run(
                &mut pair,
                write(wire, RAM, &pattern(3000)),
                &mut camera(wire),
            );
            assert_eq!(result, Err(Failure::Gone), "after {unplug_after}");
        }
    }
}

#[test]
fn a_goodbye_is_no_failure() {
    let left = Reply {
        left: true,
        ..Reply::default()
    };
    for wire in [Wire::Hid, Wire::Uart] {
        let quirks = Quirks {
            answers_reset: false,
            ..Quirks::default()
        };
        let board = Board::new(Loader::Sbl);
        let mut camera = Camera::with_quirks(wire, wire.packet(), quirks, board);
        let mut host = ask(wire, Command::reset());
        let (reply, leave) = Pair::default().run(&mut host, &mut camera);
        assert_eq!(reply, Ok(left.clone()), "{wire:?}");
        assert_eq!(leave, Some(Leave::Reset));
    }
    // Silence is a goodbye too, but only after a reset.
    let mut pair = Pair::with_fault(Way::ToCamera, 0, Fault::Lose);
    let reply = run(
        &mut pair,
        ask(Wire::Hid, Command::reset()),
        &mut camera(Wire::Hid),
    );
    assert_eq!(reply, Ok(left));
}

#[test]
fn a_camera_leaves_after_it_answered() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        let mut host = ask(wire, Command::execute(0x2001, 7, 0));
        let (reply, _) = Pair::default().run(&mut host, &mut camera);
        assert_eq!(reply.unwrap().words, [9]);
        let leave = Leave::Execute {
            address: 0x2001,
            argument: 7,
            stack: 0,
        };
        let later = Duration::from_secs(1);
        assert_eq!(camera.poll(later), Turn::Done(leave));
    }
}

#[test]
fn a_camera_gone_before_it_heard_of_the_reset_is_a_failure() {
    let mut host = ask(Wire::Hid, Command::reset());
    host.feed(ZERO, Input::Gone);
    assert_eq!(host.poll(ZERO), Turn::Done(Err(Failure::Gone)));
}

#[test]
fn a_stall_is_a_refusal() {
    let mut host = ask(Wire::Hid, Command::get_property(1, 0));
    host.feed(ZERO, Input::Stall);
    assert_eq!(host.poll(ZERO), Turn::Done(Err(Failure::Refused)));
}

#[test]
fn a_busy_camera_answers_when_it_is_done_and_not_before() {
    for wire in [Wire::Hid, Wire::Uart] {
        let mut camera = camera(wire);
        camera.target_mut().erase_takes = Duration::from_secs(3);
        let mut pair = Pair::default();
        let host = ask(wire, Command::flash_erase_region(0x6000_0000, 4096, 0));
        assert_eq!(run(&mut pair, host, &mut camera).unwrap().status, 0);
        assert_eq!(pair.now, Duration::from_secs(3));
        assert_eq!(camera.busy_until(), Duration::from_secs(3));
    }
}

#[test]
fn an_erase_longer_than_the_patience_is_a_timeout() {
    let mut camera = camera(Wire::Hid);
    camera.target_mut().erase_takes = Duration::from_secs(6);
    let host = ask(Wire::Hid, Command::flash_erase_region(0x6000_0000, 4096, 0));
    let what = "the response";
    let result = run(&mut Pair::default(), host, &mut camera);
    assert_eq!(result, Err(Failure::Timeout { what }));
}

#[test]
fn a_dead_line_is_pinged_three_times_and_then_given_up() {
    let mut ping = Ping::new();
    let (mut now, mut sent) = (ZERO, 0);
    let result = loop {
        match ping.poll(now) {
            Turn::Send(_) => sent += 1,
            Turn::Wait { until } => now = until,
            Turn::Done(result) => break result,
        }
    };
    assert!(matches!(result, Err(Failure::Timeout { .. })));
    assert_eq!((sent, now), (3, Duration::from_millis(1500)));
}

#[test]
fn a_lost_acknowledgement_of_a_response_does_not_hang_the_next_command() {
    let mut camera = camera(Wire::Uart);
    let mut pair = Pair::with_fault(Way::ToCamera, 1, Fault::Lose);
    for _ in 0..2 {
        let host = ask(Wire::Uart, Command::get_property(1, 0));
        let reply = run(&mut pair, host, &mut camera);
        assert_eq!(reply.unwrap().words, [0x4B02_0800]);
    }
}

#[test]
fn a_padded_report_of_another_host_is_taken_by_its_length() {
    let mut camera = camera(Wire::Hid);
    let command = Command::get_property(1, 0).encode();
    let report = hid::encode_padded(hid::COMMAND_OUT, &command, 1016);
    camera.feed(ZERO, Input::Bytes(&report));
    assert!(matches!(camera.poll(ZERO), Turn::Send(_)));
}

proptest! {
    #[test]
    fn a_stream_may_be_cut_anywhere(pieces in prop::collection::vec(1usize..700, 1..20)) {
        let mut camera = camera(Wire::Uart);
        let bytes = pattern(2000);
        let mut pair = Pair::in_pieces(pieces);
        let reply = run(&mut pair, write(Wire::Uart, RAM, &bytes), &mut camera).unwrap();
        prop_assert_eq!(reply.status, 0);
        let reply = run(&mut pair, read(Wire::Uart, RAM, 2000), &mut camera).unwrap();
        prop_assert_eq!(reply.data, bytes);
    }

    #[test]
    fn no_single_fault_makes_a_write_lie(
        to_camera: bool,
        nth in 0usize..8,
        fault in prop_oneof![
            Just(Fault::Lose),
            Just(Fault::Double),
            (0usize..600, 0u8..8).prop_map(|(byte, bit)| Fault::Flip(byte, bit)),
        ],
    ) {
        let way = if to_camera { Way::ToCamera } else { Way::ToHost };
        let mut camera = camera(Wire::Uart);
        let mut pair = Pair::with_fault(way, nth, fault);
        let bytes = pattern(1500);
        let reply = run(&mut pair, write(Wire::Uart, RAM, &bytes), &mut camera);
        // Packets carry no number: data heard twice are written twice, and only reading back
        // tells.
        if reply.is_ok_and(|reply| reply.status == 0) && fault != Fault::Double {
            prop_assert_eq!(camera.target().peek(RAM, 1500), bytes);
        }
    }
}
