//! Bytes from a stranger: into every decoder and every machine, without panic, end or growth.

use std::time::Duration;

use omv_wire::mboot::uart::{Frame, Heard, Scanner};
use omv_wire::mboot::{Camera, Command, Data, Exchange, Failure, Ping, Response, Setup, Wire, hid};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::board::{Board, Loader};

const ZERO: Duration = Duration::ZERO;

/// Feeds a host the same input for ever while time stands still; it must end all the same.
fn drown<M: Machine>(mut host: M, prelude: &[Vec<u8>], input: &[u8]) -> M::Output {
    for _ in 0..3 {
        if let Turn::Done(result) = host.poll(ZERO) {
            return result;
        }
    }
    for bytes in prelude {
        host.feed(ZERO, Input::Bytes(bytes));
        if let Turn::Done(result) = host.poll(ZERO) {
            return result;
        }
    }
    for _ in 0..100_000 {
        match host.poll(ZERO) {
            Turn::Done(result) => return result,
            Turn::Send(_) => {}
            Turn::Wait { .. } => host.feed(ZERO, Input::Bytes(input)),
        }
    }
    panic!("a host that listens for ever");
}

fn write() -> Exchange<'static> {
    let command = Command::write_memory(0x2000, 100_000, 0);
    let data = Data::Out(vec![0; 100_000].into());
    Exchange::new(Setup::new(Wire::Hid), command, data)
}

fn read(size: u32) -> Exchange<'static> {
    let command = Command::read_memory(0x2000, size, 0);
    Exchange::new(Setup::new(Wire::Hid), command, Data::In(size))
}

fn response(response: &Response) -> Vec<u8> {
    hid::encode(hid::RESPONSE_IN, &response.encode())
}

#[test]
fn endless_stops_end() {
    let accepted = response(&Response::generic(0, 4));
    let stop = hid::encode(hid::RESPONSE_IN, &[]);
    let result = drown(write(), &[accepted], &stop);
    assert!(matches!(result, Err(Failure::Protocol { .. })));
    assert!(matches!(
        drown(write(), &[], &stop),
        Err(Failure::Protocol { .. })
    ));
}

#[test]
fn endless_acceptances_end() {
    let accepted = response(&Response::generic(0, 4));
    let result = drown(write(), &[], &accepted);
    assert!(
        matches!(result, Err(Failure::Protocol { .. })),
        "{result:?}"
    );
}

#[test]
fn endless_answers_to_something_else_end() {
    let stale = response(&Response::generic(0, 2));
    let result = drown(read(16), &[], &stale);
    assert!(matches!(result, Err(Failure::Protocol { .. })));
}

#[test]
fn endless_noise_on_a_serial_line_ends() {
    let command = Command::get_property(1, 0);
    let host = Exchange::new(Setup::new(Wire::Uart), command, Data::None);
    let result = drown(host, &[], &[0; 64]);
    assert!(matches!(result, Err(Failure::Protocol { .. })));
    let result = drown(Ping::new(), &[], &[0; 64]);
    assert!(matches!(result, Err(Failure::Protocol { .. })));
}

#[test]
fn data_beyond_what_was_announced_are_refused() {
    let announced = response(&Response::read_memory(0, 1000));
    let data = hid::encode(hid::DATA_IN, &[0; 600]);
    let mut host = read(1000);
    while !matches!(host.poll(ZERO), Turn::Send(_)) {}
    for report in [&announced, &data] {
        host.feed(ZERO, Input::Bytes(report));
        assert!(matches!(host.poll(ZERO), Turn::Wait { .. }));
    }
    host.feed(ZERO, Input::Bytes(&data));
    let what = "the camera sends more data than it announced";
    assert_eq!(host.progress(), (600, 1000));
    assert_eq!(host.poll(ZERO), Turn::Done(Err(Failure::Protocol { what })));
}

#[test]
fn more_data_announced_than_asked_for_are_refused() {
    let announced = response(&Response::read_memory(0, u32::MAX));
    let result = drown(read(1000), &[announced], &[]);
    let what = "the camera announces more data than asked for";
    assert_eq!(result, Err(Failure::Protocol { what }));
}

#[test]
fn a_report_that_claims_more_than_it_carries_breaks_the_exchange() {
    let result = drown(read(16), &[], &[3, 0, 200, 0, 1, 2]);
    assert!(matches!(result, Err(Failure::Malformed(_))));
}

#[test]
fn a_response_without_a_status_is_malformed() {
    let empty = response(&Response::new(0xA0, false, &[]));
    let result = drown(read(16), &[], &empty);
    assert!(matches!(result, Err(Failure::Malformed(_))));
}

#[test]
fn a_host_that_never_reads_fills_no_memory() {
    let mut camera = Camera::new(Wire::Hid, Board::new(Loader::Sbl));
    let ask = hid::encode(hid::COMMAND_OUT, &Command::get_property(1, 0).encode());
    for _ in 0..10_000 {
        camera.feed(ZERO, Input::Bytes(&ask));
    }
    let mut said = 0;
    while let Turn::Send(_) = camera.poll(ZERO) {
        said += 1;
    }
    assert!(said <= 16, "{said}");
}

#[test]
fn a_report_longer_than_the_endpoint_is_dropped() {
    let mut camera = Camera::new(Wire::Hid, Board::new(Loader::Sbl));
    let ask = Command::get_property(1, 0).encode();
    for (size, answered) in [(1016, true), (1017, false)] {
        let report = hid::encode_padded(hid::COMMAND_OUT, &ask, size);
        camera.feed(ZERO, Input::Bytes(&report));
        assert_eq!(matches!(camera.poll(ZERO), Turn::Send(_)), answered);
    }
}

#[test]
fn a_length_that_cannot_be_is_junk_and_not_waited_for() {
    let mut scanner = Scanner::new(512);
    let mut bytes: &[u8] = &[0x5A, 0xA5, 0x01, 0x02, 0, 0, 0x5A, 0xA1];
    assert_eq!(scanner.next(&mut bytes), Some(Heard::Junk(6)));
    assert_eq!(scanner.next(&mut bytes), Some(Heard::Frame(Frame::Ack)));
}

#[test]
fn a_serial_host_that_never_acknowledges_fills_no_memory_and_may_still_do_it() {
    let mut camera = Camera::new(Wire::Uart, Board::new(Loader::Sbl));
    let ask = Frame::Command(Command::get_property(1, 0).encode()).encode();
    for _ in 0..1000 {
        camera.feed(ZERO, Input::Bytes(&ask));
    }
    let mut said = 0;
    for _ in 0..100 {
        while let Turn::Send(_) = camera.poll(ZERO) {
            said += 1;
        }
        camera.feed(ZERO, Input::Bytes(&Frame::Ack.encode()));
    }
    assert!((2..=17).contains(&said), "{said}");
    camera.feed(ZERO, Input::Bytes(&ask));
    assert_eq!(camera.poll(ZERO), Turn::Send(Frame::Ack.encode()));
}

#[test]
fn an_acknowledgement_is_heard_through_a_hail_of_damaged_packets() {
    let mut camera = Camera::new(Wire::Uart, Board::new(Loader::Sbl));
    let ask = Frame::Command(Command::read_memory(0x2000, 16, 0).encode()).encode();
    camera.feed(ZERO, Input::Bytes(&ask));
    while let Turn::Send(_) = camera.poll(ZERO) {}
    let mut damaged = ask;
    *damaged.last_mut().unwrap() ^= 1;
    for _ in 0..20 {
        camera.feed(ZERO, Input::Bytes(&damaged));
    }
    camera.feed(ZERO, Input::Bytes(&Frame::Ack.encode()));
    let mut said = vec![];
    while let Turn::Send(frame) = camera.poll(ZERO) {
        said.push(frame);
    }
    assert_eq!(said.len(), 16 + 1);
    assert_eq!(said[16], Frame::Data(vec![0; 16]).encode());
}

#[test]
fn a_read_of_everything_is_made_piece_by_piece() {
    let mut camera = Camera::new(Wire::Hid, Board::new(Loader::Sbl));
    let ask = Command::read_memory(0x6000_0000, 0x0100_0000, 0);
    camera.feed(ZERO, Input::Bytes(&hid::encode(1, &ask.encode())));
    for _ in 0..10 {
        assert!(matches!(camera.poll(ZERO), Turn::Send(report) if report.len() == 1016));
    }
}

fn command() -> impl Strategy<Value = Command> {
    let words = prop::collection::vec(any::<u32>(), 0..=7);
    (any::<u8>(), any::<bool>(), words)
        .prop_map(|(tag, data, words)| Command::new(tag, data, &words).unwrap())
}

fn frame() -> impl Strategy<Value = Frame> {
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    prop_oneof![
        Just(Frame::Ack),
        Just(Frame::Nak),
        Just(Frame::Abort),
        Just(Frame::Ping),
        bytes.clone().prop_map(Frame::Command),
        bytes.prop_map(Frame::Data),
        command().prop_map(|command| Frame::Command(command.encode())),
    ]
}

/// Inputs that are sometimes sense and sometimes not.
fn inputs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = prop::collection::vec(any::<u8>(), 0..1100);
    let report = (1u8..=4, prop::collection::vec(any::<u8>(), 0..1012))
        .prop_map(|(id, payload)| hid::encode(id, &payload));
    let command = command().prop_map(|command| hid::encode(1, &command.encode()));
    let answer = (any::<u8>(), prop::collection::vec(0u32..20, 0..4))
        .prop_map(|(tag, words)| hid::encode(3, &Response::new(tag, false, &words).encode()));
    let serial = frame().prop_map(|frame| frame.encode());
    prop::collection::vec(prop_oneof![noise, report, command, answer, serial], 0..40)
}

fn survive<M: Machine>(machine: &mut M, inputs: &[Vec<u8>]) {
    let mut now = ZERO;
    for input in inputs {
        now += Duration::from_millis(7);
        for _ in 0..50 {
            match machine.poll(now) {
                Turn::Send(frame) => assert!(frame.len() <= 1100),
                Turn::Wait { .. } => break,
                Turn::Done(_) => return,
            }
        }
        machine.feed(now, Input::Bytes(input));
    }
    machine.feed(now, Input::Stall);
    machine.feed(now, Input::Gone);
    machine.poll(now);
}

proptest! {
    #[test]
    fn commands_survive_the_way(command in command()) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn responses_survive_the_way(tag: u8, data: bool, words in prop::collection::vec(any::<u32>(), 0..300)) {
        let response = Response::new(tag, data, &words);
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn serial_packets_survive_the_way_in_any_pieces(
        frames in prop::collection::vec(frame(), 1..6),
        size in 1usize..50,
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut scanner = Scanner::new(600);
        let mut found = vec![];
        for mut piece in stream.chunks(size) {
            while let Some(heard) = scanner.next(&mut piece) {
                found.push(heard);
            }
        }
        let expected: Vec<Heard> = frames.into_iter().map(Heard::Frame).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(!scanner.is_mid_frame());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Command::decode(&bytes);
        let _ = Response::decode(&bytes);
        let _ = hid::Report::decode(&bytes);
        let mut scanner = Scanner::new(64);
        let mut rest = bytes.as_slice();
        while scanner.next(&mut rest).is_some() {}
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_input_is_survived_by_all_machines(inputs in inputs()) {
        for wire in [Wire::Hid, Wire::Uart] {
            survive(&mut Camera::new(wire, Board::new(Loader::Flashloader)), &inputs);
            for (command, data) in [
                (Command::write_memory(0, 2000, 0), Data::Out(vec![0; 2000].into())),
                (Command::read_memory(0, 2000, 0), Data::In(2000)),
                (Command::get_property(1, 0), Data::None),
            ] {
                survive(&mut Exchange::new(Setup::new(wire), command, data), &inputs);
            }
        }
        survive(&mut Ping::new(), &inputs);
    }
}
