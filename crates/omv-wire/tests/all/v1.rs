//! Protocol v1: the codec, and both ends against each other on all three stacks.

use std::time::Duration;

use crate::running::*;
use omv_wire::v1::camera::{Camera, Stack};
use omv_wire::v1::codec::{Arch, Command, Opcode, decode_version, encode_version};
use omv_wire::v1::host::{Failure, Identify, Reset};
use omv_wire::v2::Leave;
use omv_wire::v2::host::Farewell;
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

const LIMIT: Duration = Duration::from_secs(5);
const STACKS: [Stack; 3] = [
    Stack::Packets(64),
    Stack::StreamFatal,
    Stack::StreamForgiving,
];

/// What a camera answers to one write.
fn say(camera: &mut Camera, at: u64, bytes: &[u8]) -> Vec<u8> {
    let now = Duration::from_millis(at);
    camera.feed(now, Input::Bytes(bytes));
    drain(camera, now)
}

fn command(opcode: Opcode, length: u32) -> Vec<u8> {
    Command { opcode, length }.encode().to_vec()
}

#[test]
fn commands_are_the_documented_bytes() {
    let vectors = [
        (Opcode::FW_VERSION, 12, "30 80 0c 00 00 00"),
        (Opcode::ARCH_STR, 64, "30 83 40 00 00 00"),
        (Opcode::SCRIPT_RUNNING, 4, "30 87 04 00 00 00"),
        (Opcode::SCRIPT_STOP, 0, "30 06 00 00 00 00"),
        (Opcode::SCRIPT_EXEC, 9, "30 05 09 00 00 00"),
        (Opcode::FB_ENABLE, 4, "30 0d 04 00 00 00"),
        (Opcode::FRAME_SIZE, 12, "30 81 0c 00 00 00"),
        (Opcode::GET_STATE, 511, "30 93 ff 01 00 00"),
        (Opcode::SYS_RESET, 0, "30 0c 00 00 00 00"),
        (Opcode::SYS_RESET_TO_BL, 0, "30 0e 00 00 00 00"),
    ];
    for (opcode, length, bytes) in vectors {
        assert_eq!(command(opcode, length), hex(bytes));
        let back = Command::decode(hex(bytes).try_into().unwrap());
        assert_eq!(back, Ok(Command { opcode, length }));
    }
}

#[test]
fn versions_and_names_are_the_documented_bytes() {
    let bytes = hex("04 00 00 00 05 00 00 00 09 00 00 00")
        .try_into()
        .unwrap();
    assert_eq!(decode_version(&bytes), Ok([4, 5, 9]));
    assert_eq!(encode_version([4, 5, 9]), bytes);
    let text = arch().encode();
    assert!(text.starts_with(b"OMV4 H7 1024 [H7:003B00223136501920393735]\0"));
    assert_eq!(Arch::decode(&text), Ok(arch()));
}

#[test]
fn what_stands_behind_the_nul_of_a_name_is_not_read() {
    let mut text = arch().encode();
    text[50..].fill(0xEE);
    assert_eq!(Arch::decode(&text), Ok(arch()));
}

#[test]
fn odd_names_are_told_whole_and_text_that_is_none_is_refused() {
    let decode = |text: &[u8]| {
        let mut bytes = [0; 64];
        bytes[..text.len()].copy_from_slice(text);
        Arch::decode(&bytes)
    };
    for odd in [
        "NANO33 M4",
        "X [Y:12]",
        "X [Y:00112233445566778899AABZ]",
        "]",
        "X [Y]",
    ] {
        let arch = decode(odd.as_bytes()).unwrap();
        assert_eq!((arch.arch.as_str(), arch.kind, arch.uid), (odd, None, None));
    }
    for none in [&b""[..], b"OMV\xFF4", b"OMV4\x1b[2J", &[0xFF; 64]] {
        assert!(decode(none).is_err(), "{none:02x?}");
    }
    assert_eq!(decode(&[b'A'; 64]).unwrap().arch.len(), 64);
}

#[test]
fn an_idle_camera_answers_what_an_idle_camera_answers() {
    for stack in STACKS {
        let firmware = match stack {
            Stack::StreamFatal => [4, 7, 0],
            _ => [4, 8, 1],
        };
        let mut camera = v1_camera(stack, firmware);
        let mut ask = |opcode, length| say(&mut camera, 0, &command(opcode, length));
        assert_eq!(ask(Opcode::FW_VERSION, 12), encode_version(firmware));
        assert_eq!(ask(Opcode::SCRIPT_RUNNING, 4), [0; 4]);
        assert_eq!(ask(Opcode::FRAME_SIZE, 12), [0; 12]);
        assert_eq!(ask(Opcode::TX_BUF_LEN, 4), [0; 4]);
        assert_eq!(ask(Opcode::SENSOR_ID, 4), 0x7725u32.to_le_bytes());
        assert_eq!(ask(Opcode::GET_STATE, 63), [0; 63]);
        assert_eq!(ask(Opcode::GET_STATE, 100_000).len(), 512);
        assert_eq!(ask(Opcode::TX_BUF, 40), []);
        assert_eq!(ask(Opcode(0xEE), 40), [], "unknown");
        assert_eq!(ask(Opcode::SCRIPT_STOP, 0), []);
        assert_eq!(ask(Opcode::FW_VERSION, 12).len(), 12);
    }
}

#[test]
fn data_from_the_host_is_consumed_to_the_byte() {
    for stack in STACKS {
        let mut camera = v1_camera(stack, [4, 7, 0]);
        for (opcode, length) in [
            (Opcode::FB_ENABLE, 4),
            (Opcode::SCRIPT_EXEC, 1000),
            (Opcode::SET_TIME, 32),
            (Opcode::ATTR_WRITE, 8),
        ] {
            say(&mut camera, 0, &command(opcode, length));
            assert!(camera.is_in_phase());
            for part in vec![0x55; length as usize].chunks(60) {
                assert_eq!(say(&mut camera, 0, part), []);
            }
            assert!(!camera.is_in_phase());
            assert_eq!(
                say(&mut camera, 0, &command(Opcode::FW_VERSION, 12)).len(),
                12
            );
        }
    }
}

#[test]
fn a_bad_first_byte_hangs_firmware_4_7_for_ever() {
    for bad in ["aa d5 00 00 00 00", "30 80 0c 00 00 00 00 30 80 0c 00 00"] {
        let mut camera = v1_camera(Stack::StreamFatal, [4, 7, 0]);
        say(&mut camera, 0, &hex(bad));
        assert!(camera.is_hung());
        assert_eq!(say(&mut camera, 9000, &command(Opcode::FW_VERSION, 12)), []);
    }
}

#[test]
fn a_payload_firmware_4_7_does_not_know_or_want_is_taken_for_a_header() {
    let mut camera = v1_camera(Stack::StreamFatal, [4, 7, 0]);
    say(
        &mut camera,
        0,
        &[command(Opcode(0x44), 6), vec![0; 6]].concat(),
    );
    assert!(camera.is_hung());
}

#[test]
fn firmware_4_8_skips_bad_groups_of_six() {
    let mut camera = v1_camera(Stack::StreamForgiving, [4, 8, 1]);
    assert_eq!(
        say(&mut camera, 0, &hex("aa d5 00 00 00 00 00 00 b0 ac 00 00")),
        []
    );
    assert_eq!(
        say(&mut camera, 0, &command(Opcode::FW_VERSION, 12)).len(),
        12
    );
    // One byte too many, and the next command is not where a command begins.
    assert_eq!(
        say(
            &mut camera,
            0,
            &[vec![0], command(Opcode::FW_VERSION, 12)].concat()
        ),
        []
    );
    let realigned = [vec![0; 5], command(Opcode::FW_VERSION, 12)].concat();
    assert_eq!(say(&mut camera, 0, &realigned).len(), 12);
}

#[test]
fn firmware_4_8_abandons_a_phase_after_a_second_without_progress() {
    let mut camera = v1_camera(Stack::StreamForgiving, [4, 8, 1]);
    say(&mut camera, 0, &command(Opcode::SCRIPT_EXEC, 100));
    say(&mut camera, 900, &[1; 10]);
    assert_eq!(say(&mut camera, 1899, &command(Opcode::FW_VERSION, 12)), []);
    assert_eq!(
        say(&mut camera, 2899, &command(Opcode::FW_VERSION, 12)).len(),
        12
    );
}

#[test]
fn sts_stack_wants_a_header_alone_in_its_packet() {
    let mut camera = v1_camera(Stack::Packets(64), [4, 5, 9]);
    let two = [
        command(Opcode::FW_VERSION, 12),
        command(Opcode::ARCH_STR, 64),
    ]
    .concat();
    assert_eq!(say(&mut camera, 0, &two).len(), 12, "the second is dropped");
    assert_eq!(say(&mut camera, 0, &[vec![0], two].concat()), []);
    assert_eq!(
        say(&mut camera, 0, &command(Opcode::ARCH_STR, 64)).len(),
        64
    );
}

#[test]
fn identifying_finds_version_and_name_on_every_stack() {
    for stack in STACKS {
        let mut camera = v1_camera(stack, [4, 5, 9]);
        let ended = converse(&mut Identify::new(), &mut camera, LIMIT, intact);
        let identity = ended.unwrap().0.unwrap();
        assert_eq!(
            (identity.firmware, identity.arch),
            ([4, 5, 9], Some(arch()))
        );
    }
}

#[test]
fn firmware_without_a_name_has_none() {
    let mut camera = v1_camera(Stack::Packets(64), [1, 4, 0]);
    let ended = converse(&mut Identify::new(), &mut camera, LIMIT, intact);
    let identity = ended.unwrap().0.unwrap();
    assert_eq!((identity.firmware, identity.arch), ([1, 4, 0], None));
}

#[test]
fn an_answer_that_comes_twice_is_not_read_as_a_name() {
    let mut host = Identify::new();
    let mut now = Duration::ZERO;
    for _ in 0..2 {
        assert_eq!(drain(&mut host, now), command(Opcode::FW_VERSION, 12));
        now += 250 * MILLISECOND;
    }
    now -= MILLISECOND;
    let version = encode_version([4, 7, 0]);
    host.feed(now, Input::Bytes(&version));
    assert_eq!(drain(&mut host, now), command(Opcode::ARCH_STR, 64));
    host.feed(now, Input::Bytes(&version));
    host.feed(now, Input::Bytes(&arch().encode()));
    let Turn::Done(Ok(identity)) = host.poll(now) else {
        panic!("not identified");
    };
    assert_eq!(
        (identity.firmware, identity.arch),
        ([4, 7, 0], Some(arch()))
    );
}

#[test]
fn half_a_name_is_cut_and_silence_is_silence() {
    let ended = converse(
        &mut Identify::new(),
        &mut v1_camera(Stack::StreamFatal, [4, 7, 0]),
        LIMIT,
        |way, mut bytes| {
            if way == Way::ToHost && bytes.len() == 64 {
                bytes.truncate(30);
            }
            vec![bytes]
        },
    );
    assert!(matches!(ended.unwrap().0, Err(Failure::Cut(_))));
    let mut deaf = v1_camera(Stack::StreamFatal, [4, 7, 0]);
    let ended = converse(&mut Identify::new(), &mut deaf, LIMIT, |_, _| Vec::new());
    let (outcome, took) = ended.unwrap();
    assert_eq!((outcome, took.as_millis()), (Err(Failure::Silent), 500));
}

#[test]
fn a_camera_told_to_leave_leaves_the_way_it_was_told() {
    for stack in STACKS {
        for leave in [Leave::Reset, Leave::Bootloader] {
            let mut camera = v1_camera(stack, [4, 5, 9]);
            let ended = converse(&mut Reset::new(leave), &mut camera, LIMIT, intact);
            assert_eq!(ended.unwrap().0, Ok(Farewell::Seen));
            assert_eq!(camera.poll(LIMIT), Turn::Done(leave));
        }
    }
    let mut old = v1_camera(Stack::Packets(64), [3, 5, 2]);
    let ended = converse(&mut Reset::new(Leave::Bootloader), &mut old, LIMIT, intact);
    assert_eq!(
        ended.unwrap().0,
        Ok(Farewell::Unseen),
        "before 3.8 there was no such command"
    );
}

proptest! {
    #[test]
    fn commands_and_names_come_back(opcode: u8, length: u32, name in "[ -Z^-~]{1,20}", kind in "[A-Z0-9]{1,9}", uid: [u32; 3]) {
        let command = Command { opcode: Opcode(opcode), length };
        prop_assert_eq!(Command::decode(command.encode()), Ok(command));
        let arch = Arch { arch: name, kind: Some(kind), uid: Some(uid) };
        prop_assert_eq!(Arch::decode(&arch.encode()), Ok(arch));
    }

    #[test]
    fn arbitrary_bytes_panic_nowhere_and_chunks_do_not_matter_on_a_stream(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        size in 1usize..70,
    ) {
        let mut answers = Vec::new();
        for stack in [Stack::StreamFatal, Stack::StreamForgiving] {
            let mut whole = v1_camera(stack, [4, 7, 0]);
            let mut parts = v1_camera(stack, [4, 7, 0]);
            let mut answer = Vec::new();
            for part in bytes.chunks(size) {
                answer.extend(say(&mut parts, 0, part));
            }
            prop_assert_eq!(&say(&mut whole, 0, &bytes), &answer);
            answers.push(answer);
        }
        say(&mut v1_camera(Stack::Packets(0), [4, 7, 0]), 0, &bytes);
        let mut name = [0; 64];
        name.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        let _ = Arch::decode(&name);
    }
}
