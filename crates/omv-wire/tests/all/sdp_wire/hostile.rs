//! Bytes from a stranger: into every decoder and both machines, without panic, end or growth.

use std::time::Duration;

use omv_wire::sdp::{Command, Exchange, Failure, Format, Options, Request, Setup, Wire, hab, hid};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::rom::{RAM, rom};

const ZERO: Duration = Duration::ZERO;

fn requests() -> [Request; 5] {
    let data: std::sync::Arc<[u8]> = vec![1; 3000].into();
    [
        Request::ErrorStatus,
        Request::ReadRegister {
            address: RAM,
            format: Format::Half,
            count: 300,
        },
        Request::WriteFile {
            address: RAM,
            data: data.clone(),
        },
        Request::DcdWrite { address: RAM, data },
        Request::JumpAddress { address: RAM },
    ]
}

#[test]
fn endless_reports_out_of_order_end() {
    for id in [hid::HAB_IN, hid::STATUS_IN] {
        for request in requests() {
            let mut host = Exchange::new(Setup::new(Wire::HID), request);
            let size = if id == hid::HAB_IN { 4 } else { 64 };
            let report = hid::encode(id, &[0x56, 0x78, 0x78, 0x56], size);
            let mut rounds = 0;
            loop {
                match host.poll(ZERO) {
                    Turn::Done(_) => break,
                    Turn::Send(_) => {}
                    Turn::Wait { .. } => host.feed(ZERO, Input::Bytes(&report)),
                }
                rounds += 1;
                assert!(rounds < 1000, "a host that listens for ever");
            }
        }
    }
}

#[test]
fn an_unknown_hab_word_is_not_taken_for_an_open_chip() {
    let mut host = Exchange::new(Setup::new(Wire::Uart), Request::ErrorStatus);
    while !matches!(host.poll(ZERO), Turn::Send(_)) {}
    host.feed(ZERO, Input::Bytes(&[0xF0; 8]));
    let outcome = host.poll(ZERO);
    assert!(matches!(outcome, Turn::Done(Err(Failure::Protocol { .. }))));
}

#[test]
fn a_read_of_everything_is_made_piece_by_piece() {
    let mut camera = rom(Options::default());
    let ask = Command::read_register(RAM, Format::Word, u32::MAX).encode();
    camera.feed(ZERO, Input::Bytes(&hid::encode(hid::COMMAND_OUT, &ask, 16)));
    for size in [5, 65, 65, 65] {
        assert!(matches!(camera.poll(ZERO), Turn::Send(report) if report.len() == size));
    }
}

#[test]
fn a_host_that_never_reads_fills_no_memory() {
    let mut camera = rom(Options::default());
    let ask = hid::encode(hid::COMMAND_OUT, &Command::error_status().encode(), 16);
    for _ in 0..10_000 {
        camera.feed(ZERO, Input::Bytes(&ask));
    }
    let mut said = 0;
    while let Turn::Send(_) = camera.poll(ZERO) {
        said += 1;
    }
    assert!(said <= 17, "{said}");
}

fn command() -> impl Strategy<Value = Command> {
    let kinds = prop_oneof![
        Just(0x0101),
        Just(0x0202),
        Just(0x0404),
        Just(0x0505),
        Just(0x0606),
        Just(0x0A0A),
        Just(0x0B0B),
        Just(0x0C0C),
        Just(0x0D0D),
        any::<u16>(),
    ];
    let address = prop_oneof![RAM..RAM + 0x3_0000, any::<u32>()];
    let count = prop_oneof![0u32..5000, any::<u32>()];
    (kinds, address, any::<u8>(), count, any::<u32>()).prop_map(
        |(kind, address, format, count, data)| Command {
            kind,
            address,
            format,
            count,
            data,
        },
    )
}

fn inputs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = prop::collection::vec(any::<u8>(), 0..1100);
    let report = (1u8..=4, prop::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(id, content)| hid::encode(id, &content, 64));
    let open = Just(vec![3, 0x56, 0x78, 0x78, 0x56]);
    let raw = Just(vec![0x56, 0x78, 0x78, 0x56]);
    let command = command().prop_map(|command| hid::encode(1, &command.encode(), 16));
    prop::collection::vec(prop_oneof![noise, report, open, raw, command], 0..40)
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
    fn events_survive_the_way(word: u32) {
        prop_assert_eq!(hab::Event::new(word).word(), word);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(Command::decode(&bytes).is_ok(), bytes.len() >= 16);
        let _ = hid::Report::decode(&bytes);
    }

    #[test]
    fn any_input_is_survived_by_both_machines(inputs in inputs(), locked: bool) {
        for (wire, uart) in [(Wire::HID, false), (Wire::Uart, true)] {
            survive(&mut rom(Options { uart, locked, ..Options::default() }), &inputs);
            for request in requests() {
                survive(&mut Exchange::new(Setup::new(wire), request), &inputs);
            }
        }
    }
}
