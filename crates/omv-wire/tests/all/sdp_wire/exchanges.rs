//! Each command against the ROM, the bytes it takes, and what can go wrong on the way.

use std::time::Duration;

use omv_wire::sdp::{
    Answer, Camera, Command, DONE, Exchange, FILE_WRITTEN, Failure, Format, HAB_FAILURE, HAB_OPEN,
    HAB_SUCCESS, Leave, Options, Request, Setup, Target, WRITTEN, Wire, hab, hid,
};
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::pair::{Fault, Pair, Way};
use super::rom::{BAD_ADDRESS, BAD_IVT, Chip, RAM, rom};

const ZERO: Duration = Duration::ZERO;
const LOAD: u32 = 0x2000_1C00;
const SMALL: Wire = Wire::Hid {
    command: 16,
    data: 1024,
};

type Result = std::result::Result<Answer, Failure>;

fn uart() -> Options {
    Options {
        uart: true,
        ..Options::default()
    }
}

fn wires() -> [(Wire, Options); 3] {
    [
        (Wire::HID, Options::default()),
        (SMALL, Options::default()),
        (Wire::Uart, uart()),
    ]
}

/// As long as the RT1062's flashloader, with a vector table in front.
fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..87_884u32).map(|at| (at ^ (at >> 8)) as u8).collect();
    image[..4].copy_from_slice(&[0xD1, 0x00, 0x20, 0x41]);
    image
}

fn write_file(address: u32, data: &[u8]) -> Request {
    let data = data.into();
    Request::WriteFile { address, data }
}

fn run(pair: &mut Pair, wire: Wire, camera: &mut Camera<Chip>, request: Request) -> Result {
    let mut host = Exchange::new(Setup::new(wire), request);
    pair.run(&mut host, camera).0
}

fn ask(wire: Wire, camera: &mut Camera<Chip>, request: Request) -> Result {
    run(&mut Pair::default(), wire, camera, request)
}

fn hex(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace();
    bytes.map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

/// Bytes out and in over UART, as SPSDK's `sdphost` exchanged them.
fn vectors() -> Vec<(Request, &'static str, Vec<u8>, &'static str)> {
    let zeros = " 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
    let read = Request::ReadRegister {
        address: 0x400,
        format: Format::Word,
        count: 8,
    };
    let jump = Request::JumpAddress { address: LOAD };
    let plain: String = "05 05".to_owned() + zeros;
    let skip: String = "0C 0C".to_owned() + zeros;
    vec![
        (
            Request::ErrorStatus,
            plain.leak(),
            vec![],
            "56 78 78 56 F0 F0 F0 F0",
        ),
        (
            write_file(LOAD, &[7; 1000]),
            "04 04 20 00 1C 00 00 00 00 03 E8 00 00 00 00 00",
            vec![7; 1000],
            "56 78 78 56 88 88 88 88",
        ),
        (
            write_file(LOAD, &image()),
            "04 04 20 00 1C 00 00 00 01 57 4C 00 00 00 00 00",
            image(),
            "56 78 78 56 88 88 88 88",
        ),
        (
            jump,
            "0B 0B 20 00 1C 00 00 00 00 00 00 00 00 00 00 00",
            vec![],
            "56 78 78 56",
        ),
        (
            read,
            "01 01 00 00 04 00 20 00 00 00 08 00 00 00 00 00",
            vec![],
            "56 78 78 56 00 00 00 00 00 00 00 00",
        ),
        (
            Request::SkipDcd,
            skip.leak(),
            vec![],
            "56 78 78 56 09 D0 0D 90",
        ),
    ]
}

#[test]
fn both_ends_exchange_the_bytes_sdphost_exchanges() {
    for (request, block, data, answer) in vectors() {
        let mut camera = rom(uart());
        camera.target_mut().write_image();
        let mut pair = Pair::default();
        let result = run(&mut pair, Wire::Uart, &mut camera, request);
        assert!(result.unwrap().done, "{block}");
        let out = pair.to_camera.concat();
        assert_eq!(out, [hex(block), data].concat(), "{block}");
        assert_eq!(pair.to_host.concat(), hex(answer), "{block}");
    }
}

impl Chip {
    fn write_image(&mut self) {
        self.write(LOAD, &image()).unwrap();
    }
}

#[test]
fn reports_are_padded_as_sdphost_pads_them() {
    let mut pair = Pair::default();
    let mut camera = rom(Options::default());
    let behind = LOAD + 87_884;
    camera.target_mut().write(behind, &[0xEE; 100]).unwrap();
    let answer = run(
        &mut pair,
        Wire::HID,
        &mut camera,
        write_file(LOAD, &image()),
    );
    assert_eq!(answer.unwrap().status, Some(FILE_WRITTEN));
    assert_eq!(pair.to_camera.len(), 1 + 86);
    assert!(pair.to_camera.iter().all(|report| report.len() == 1025));
    assert_eq!(pair.to_camera[0][..4], [1, 0x04, 0x04, 0x20]);
    assert!(pair.to_camera[1..].iter().all(|report| report[0] == 2));
    assert_eq!(pair.to_host[0], [3, 0x56, 0x78, 0x78, 0x56]);
    assert_eq!(pair.to_host[1].len(), 65);
    assert_eq!(pair.to_host[1][..5], [4, 0x88, 0x88, 0x88, 0x88]);
    // The padding of the last report did not reach RAM.
    assert_eq!(camera.target().peek(LOAD, 87_884), image());
    assert_eq!(camera.target().peek(behind, 100), [0xEE; 100]);
}

#[test]
fn a_flashloader_is_loaded_checked_and_started() {
    for (wire, options) in wires() {
        let mut camera = rom(options);
        let image = image();
        let answer = ask(wire, &mut camera, write_file(LOAD, &image)).unwrap();
        assert!(answer.done);
        let read = Request::ReadRegister {
            address: LOAD,
            format: Format::Word,
            count: 150,
        };
        let answer = ask(wire, &mut camera, read).unwrap();
        assert_eq!(
            (answer.data.as_slice(), answer.status),
            (&image[..150], None)
        );
        let mut host = Exchange::new(Setup::new(wire), Request::JumpAddress { address: LOAD });
        let mut pair = Pair::default();
        let (answer, leave) = pair.run(&mut host, &mut camera);
        let started = Answer {
            hab: HAB_OPEN,
            status: None,
            data: vec![],
            done: true,
        };
        assert_eq!(answer, Ok(started));
        assert_eq!(leave, Some(Leave::Jump { address: LOAD }));
    }
}

#[test]
fn silence_after_a_jump_is_success_after_a_fifth_of_a_second() {
    let mut host = Exchange::new(
        Setup::new(Wire::HID),
        Request::JumpAddress { address: LOAD },
    );
    while !matches!(host.poll(ZERO), Turn::Send(_)) {}
    host.feed(ZERO, Input::Bytes(&[3, 0x56, 0x78, 0x78, 0x56]));
    let until = Duration::from_millis(200);
    assert_eq!(host.poll(ZERO), Turn::Wait { until });
    assert!(matches!(host.poll(until), Turn::Done(Ok(answer)) if answer.done));
}

#[test]
fn a_refused_jump_is_told_with_its_reason_and_the_camera_stays() {
    for (wire, options) in wires() {
        let mut camera = rom(options);
        let mut host = Exchange::new(Setup::new(wire), Request::JumpAddress { address: RAM });
        let (answer, leave) = Pair::default().run(&mut host, &mut camera);
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.done), (Some(BAD_IVT), false));
        assert_eq!(leave, None);
        let event = hab::Event::new(BAD_IVT);
        assert_eq!(event.status_text(), Some("failure"));
        assert_eq!(event.reason_text(), Some("invalid IVT"));
        assert_eq!(event.context_text(), Some("authenticate_image"));
        assert_eq!(event.word(), BAD_IVT);
    }
}

#[test]
fn registers_and_configuration_data_are_written() {
    for (wire, options) in wires() {
        let mut camera = rom(options);
        let write = Request::WriteRegister {
            address: 0x400A_C000,
            format: Format::Word,
            value: 0x0200_0000,
        };
        let answer = ask(wire, &mut camera, write).unwrap();
        assert_eq!((answer.status, answer.done), (Some(WRITTEN), true));
        let written = Some((0x400A_C000, 0x20, 0x0200_0000));
        assert_eq!(camera.target().register, written);

        let (address, data) = (RAM, vec![1; 1768].into());
        let answer = ask(wire, &mut camera, Request::DcdWrite { address, data }).unwrap();
        assert!(answer.done);
        assert_eq!(camera.target().dcd, Some((RAM, 1768)));
    }
}

#[test]
fn both_byte_orders_of_done_are_done() {
    for done_swapped in [false, true] {
        for (wire, options) in wires() {
            let options = Options {
                done_swapped,
                ..options
            };
            for request in [Request::SkipDcd, Request::SetBaudrate { baud: 9600 }] {
                assert!(ask(wire, &mut rom(options), request).unwrap().done);
            }
        }
    }
    assert!(!Command::skip_dcd().is_done_by(DONE.rotate_left(8)));
}

#[test]
fn a_blank_chip_reports_failure_and_that_is_an_answer() {
    for error_status in [HAB_SUCCESS, HAB_FAILURE] {
        let options = Options {
            error_status,
            ..Options::default()
        };
        let answer = ask(Wire::HID, &mut rom(options), Request::ErrorStatus).unwrap();
        assert_eq!((answer.status, answer.done), (Some(error_status), true));
    }
}

#[test]
fn a_write_outside_ram_is_refused() {
    for (wire, options) in wires() {
        for address in [0, RAM + 0x1_FF00, u32::MAX - 100] {
            let answer = ask(wire, &mut rom(options), write_file(address, &[1; 3000]));
            let answer = answer.unwrap();
            assert!(!answer.done);
            assert!(matches!(answer.status, Some(BAD_ADDRESS | HAB_FAILURE)));
        }
    }
}

#[test]
fn a_locked_chip_is_a_failure_of_its_own() {
    for (wire, options) in wires() {
        let options = Options {
            locked: true,
            ..options
        };
        let mut camera = rom(options);
        let failure = |status| Err(Failure::Locked { status });
        let asked = ask(wire, &mut camera, Request::ErrorStatus);
        assert_eq!(asked, failure(Some(HAB_SUCCESS)));
        let written = ask(wire, &mut camera, write_file(LOAD, &[1; 3000]));
        assert_eq!(written, failure(Some(HAB_FAILURE)));
        assert_eq!(camera.target().peek(LOAD, 3000), [0; 3000]);
        let read = Request::ReadRegister {
            address: RAM,
            format: Format::Byte,
            count: 100,
        };
        assert_eq!(ask(wire, &mut camera, read), failure(Some(HAB_FAILURE)));
    }
}

#[test]
fn a_locked_chip_that_says_no_more_is_still_locked() {
    let mut pair = Pair::with_fault(Way::ToHost, 1, Fault::Lose);
    let options = Options {
        locked: true,
        ..Options::default()
    };
    let result = run(
        &mut pair,
        Wire::HID,
        &mut rom(options),
        Request::ErrorStatus,
    );
    assert_eq!(result, Err(Failure::Locked { status: None }));
    assert_eq!(pair.now, Duration::from_millis(200));
}

#[test]
fn an_unknown_type_gets_the_hab_word_and_a_zero() {
    let mut camera = rom(uart());
    let block = Command {
        kind: 0x5AA6,
        ..Command::default()
    };
    camera.feed(ZERO, Input::Bytes(&block.encode()));
    assert_eq!(camera.poll(ZERO), Turn::Send(hex("56 78 78 56")));
    assert_eq!(camera.poll(ZERO), Turn::Send(vec![0; 4]));
}

#[test]
fn a_lost_report_is_a_timeout_and_never_success() {
    for (way, nth, what) in [
        (Way::ToCamera, 0, "the HAB word"),
        (Way::ToCamera, 2, "the HAB word"),
        (Way::ToHost, 0, "the HAB word"),
        (Way::ToHost, 1, "the status"),
    ] {
        let mut pair = Pair::with_fault(way, nth, Fault::Lose);
        let mut camera = rom(Options::default());
        let result = run(
            &mut pair,
            Wire::HID,
            &mut camera,
            write_file(LOAD, &[1; 3000]),
        );
        assert_eq!(result, Err(Failure::Timeout { what }), "{way:?} {nth}");
        assert_eq!(pair.now, Duration::from_secs(10));
    }
}

#[test]
fn a_report_heard_twice_does_not_disturb_the_next_exchange() {
    let mut camera = rom(Options::default());
    let mut pair = Pair::with_fault(Way::ToHost, 1, Fault::Double);
    for _ in 0..2 {
        let answer = run(&mut pair, Wire::HID, &mut camera, Request::ErrorStatus);
        assert_eq!(answer.unwrap().status, Some(HAB_SUCCESS));
    }
}

#[test]
fn a_flipped_bit_in_a_word_is_never_taken_for_success() {
    for (nth, byte) in [(0, 1), (1, 2)] {
        let mut pair = Pair::with_fault(Way::ToHost, nth, Fault::Flip(byte, 0));
        let mut camera = rom(Options::default());
        let result = run(
            &mut pair,
            Wire::HID,
            &mut camera,
            write_file(LOAD, &[1; 30]),
        );
        assert!(!result.is_ok_and(|answer| answer.done));
    }
}

#[test]
fn a_camera_gone_at_any_point_is_reported_as_gone() {
    for (wire, options) in wires() {
        for unplug_after in 0..2 {
            let mut pair = Pair::unplugged_after(unplug_after);
            let request = write_file(LOAD, &[1; 3000]);
            let result = run(&mut pair, wire, &mut rom(options), request);
            assert_eq!(result, Err(Failure::Gone), "after {unplug_after}");
        }
        // Before the HAB word a jump has not happened.
        let jump = Request::JumpAddress { address: LOAD };
        let result = run(&mut Pair::unplugged_after(0), wire, &mut rom(options), jump);
        assert_eq!(result, Err(Failure::Gone));
    }
}

#[test]
fn a_stall_is_a_refusal() {
    let mut host = Exchange::new(Setup::new(Wire::HID), Request::ErrorStatus);
    host.feed(ZERO, Input::Stall);
    assert_eq!(host.poll(ZERO), Turn::Done(Err(Failure::Refused)));
}

#[test]
fn progress_counts_the_bytes_of_a_file() {
    let mut host = Exchange::new(Setup::new(Wire::HID), write_file(LOAD, &[1; 3000]));
    assert_eq!(host.progress(), (0, 3000));
    let (result, _) = Pair::default().run(&mut host, &mut rom(Options::default()));
    assert!(result.unwrap().done);
    assert_eq!(host.progress(), (3000, 3000));
}

#[test]
fn a_hab_word_padded_by_windows_is_read() {
    let padded = hid::encode(hid::HAB_IN, &[0x56, 0x78, 0x78, 0x56], 64);
    let word = hid::Report::Hab([0x56, 0x78, 0x78, 0x56]);
    assert_eq!(hid::Report::decode(&padded), Ok(word));
    assert!(hid::Report::decode(&padded[..30]).is_err());
    assert!(hid::Report::decode(&[4, 1, 2, 3, 4]).is_err());
}

proptest! {
    #[test]
    fn a_stream_may_be_cut_anywhere(pieces in prop::collection::vec(1usize..700, 1..20)) {
        let mut camera = rom(uart());
        let mut pair = Pair::in_pieces(pieces);
        let data = image()[..3000].to_vec();
        let answer = run(&mut pair, Wire::Uart, &mut camera, write_file(LOAD, &data));
        prop_assert!(answer.unwrap().done);
        let read = Request::ReadRegister { address: LOAD, format: Format::Byte, count: 3000 };
        let answer = run(&mut pair, Wire::Uart, &mut camera, read);
        prop_assert_eq!(answer.unwrap().data, data);
    }
}
