//! Protocol v2 against bytes that came from OpenMV's own code.

use std::time::Duration;

use crate::running::*;
use omv_wire::v2::camera::Camera;
use omv_wire::v2::channels::{Channels, Idle, Reading};
use omv_wire::v2::codec::{Flags, Opcode, Packet, Status};
use omv_wire::v2::host::{Connect, Wish};
use omv_wire::v2::parser::{Event, Parser};
use omv_wire::v2::records::{Caps, Channel, Stats};
use omv_wire::v2::session::{Answer, Request, Session, Step};
use omv_wire::{Input, Machine, Turn};

const ENGINE_1: &str = include_str!("../vectors/v2-engine-1.txt");
const ENGINE_2: &str = include_str!("../vectors/v2-engine-2.txt");
const PROBE: &str = include_str!("../vectors/v2-probe.txt");
const CONNECT: &str = include_str!("../vectors/v2-connect.txt");
const CONNECT_UNCHECKED: &str = include_str!("../vectors/v2-connect-unchecked.txt");
const CONNECT_PROFILE: &str = include_str!("../vectors/v2-connect-profile.txt");

#[test]
fn the_camera_answers_the_first_transcript_of_the_engine_byte_for_byte() {
    let mut camera = Camera::new(personality(), Idle::default());
    let mut now = Duration::ZERO;
    let pairs = transcript(ENGINE_1);
    assert_eq!(pairs.len(), 25);
    for (said, answered) in pairs {
        now += Duration::from_millis(20);
        assert_eq!(exchange(&mut camera, now, &said), answered, "{said:02x?}");
    }
}

#[test]
fn it_does_so_too_when_bytes_come_one_by_one() {
    let mut camera = Camera::new(personality(), Idle::default());
    let mut now = Duration::ZERO;
    for (said, answered) in transcript(ENGINE_1) {
        now += Duration::from_millis(20);
        let mut got = Vec::new();
        for byte in &said {
            got.extend(exchange(&mut camera, now, &[*byte]));
        }
        assert_eq!(got, answered, "{said:02x?}");
    }
}

/// The channels of the second transcript: a frame of 10 x 10 grey pixels, 29 bytes of text.
struct Shown(Idle, Vec<u8>);

impl Channels for Shown {
    fn list(&self) -> Vec<Channel> {
        self.0.list()
    }
    fn poll(&mut self, _: Duration) -> u32 {
        0b1110
    }
    fn lock(&mut self, _: u8) -> Result<(), Status> {
        Ok(())
    }
    fn unlock(&mut self, id: u8) -> Result<(), Status> {
        self.0.unlock(id)
    }
    fn size(&mut self, _: u8) -> Result<u32, Status> {
        Ok(132)
    }
    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status> {
        self.0.shape(id)
    }
    fn reading(&self, id: u8) -> Option<Reading> {
        self.0.reading(id)
    }
    fn read(&mut self, id: u8, offset: u32, length: u32) -> Result<Vec<u8>, Status> {
        if id == 2 {
            let length = self.1.len().min(length as usize);
            return Ok(self.1.drain(..length).collect());
        }
        let words = [10u32, 10, 0x0802_0001, 1, 32, 30f32.to_bits(), 0, 0];
        let mut frame: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        frame.extend((0..100).map(|n: u32| (7 * n) as u8));
        Ok(frame[offset as usize..(offset + length) as usize].to_vec())
    }
    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status> {
        self.0.write(id, offset, bytes)
    }
    fn ioctl(&mut self, id: u8, request: u32, arguments: &[u8]) -> Result<(), Status> {
        self.0.ioctl(id, request, arguments)
    }
}

#[test]
fn the_camera_answers_the_second_transcript_with_its_fragments_byte_for_byte() {
    let text = b"hello from script of 1 bytes\n".to_vec();
    let mut camera = Camera::new(personality(), Shown(Idle::default(), text));
    let mut now = Duration::ZERO;
    for (index, (said, answered)) in transcript(ENGINE_2).into_iter().enumerate() {
        now += Duration::from_millis(20);
        assert_eq!(exchange(&mut camera, now, &said), answered, "{said:02x?}");
        if index == 0 {
            let ack = hex("aa d5 00 00 01 01 00 00 7b 37");
            assert_eq!(exchange(&mut camera, now, &ack), []);
        }
    }
}

#[test]
fn the_camera_answers_a_recorded_client_as_the_firmware_did() {
    let mut camera = Camera::new(personality(), Idle::new(true));
    let (mut got, mut expected) = (Vec::new(), Vec::new());
    for chunk in recording(PROBE) {
        // Timers of the engine run out between the chunks.
        got.extend(drain(&mut camera, chunk.at));
        match chunk.from_host {
            true => got.extend(exchange(&mut camera, chunk.at, &chunk.bytes)),
            false => expected.extend(chunk.bytes),
        }
    }
    let got_packets = Parser::default().feed(&got);
    let expected_packets = Parser::default().feed(&expected);
    for (got, expected) in got_packets.iter().zip(&expected_packets) {
        assert_eq!(got, expected);
    }
    assert_eq!(got, expected);
    let stats = Stats::decode(&expected_packets.last().unwrap().payload).unwrap();
    assert_eq!(
        (stats.sent, stats.received, stats.retransmissions),
        (32, 30, 3)
    );
}

#[test]
fn every_recorded_packet_is_found_in_chunks_of_any_size() {
    let cases = [
        (PROBE, 37),
        (CONNECT, 6),
        (CONNECT_PROFILE, 6),
        (CONNECT_UNCHECKED, 6),
    ];
    for (text, count) in cases {
        let unchecked = text == CONNECT_UNCHECKED;
        let chunks = recording(text);
        let camera: Vec<u8> = chunks
            .iter()
            .filter(|chunk| !chunk.from_host)
            .flat_map(|chunk| chunk.bytes.clone())
            .collect();
        for size in [1, 2, 7, 64, camera.len()] {
            let mut parser = Parser::default();
            parser.configure(4082, !unchecked);
            let packets: Vec<Packet> = camera
                .chunks(size)
                .flat_map(|chunk| parser.feed(chunk))
                .collect();
            assert_eq!(packets.len(), count, "in chunks of {size}");
            if !unchecked {
                let again: Vec<u8> = packets.iter().flat_map(|p| p.encode(true)).collect();
                assert_eq!(again, camera);
            }
        }
    }
}

/// Says what a recorded client said, on our session, and hears what the firmware answered.
fn replay(text: &str, caps: Caps) -> Vec<Answer> {
    let chunks = recording(text);
    let bytes = |from_host| -> Vec<u8> {
        let chosen = chunks.iter().filter(|chunk| chunk.from_host == from_host);
        chosen.flat_map(|chunk| chunk.bytes.clone()).collect()
    };
    let mut answers = bytes(false).into_iter();
    let mut said = Vec::new();
    let mut session = Session::default();
    let mut taken = Vec::new();
    let now = Duration::ZERO;
    session.sync(now, Duration::from_secs(1));
    loop {
        match session.turn(now) {
            Step::Send(bytes) => said.extend(bytes),
            Step::Wait(_) => session.hear(&[answers.next().expect("the firmware said more")]),
            Step::Answer(answer) => {
                taken.push(answer);
                let request = match taken.len() {
                    1 => Request::new(Opcode::GET_CAPS),
                    2 => Request {
                        payload: caps.encode(),
                        ..Request::new(Opcode::SET_CAPS)
                    },
                    3 => {
                        session.adopt(caps);
                        Request::new(Opcode::CHANNEL_LIST)
                    }
                    4 => Request::new(Opcode::VERSION),
                    5 => Request::new(Opcode::SYS_INFO),
                    _ => break,
                };
                session.ask(now, request);
            }
            Step::Idle => unreachable!(),
        }
    }
    // The last ACK is queued behind the last answer.
    while let Step::Send(bytes) = session.turn(now) {
        said.extend(bytes);
    }
    let expected = bytes(true);
    assert_eq!(said, expected[..said.len()]);
    assert!(
        expected.len() - said.len() <= 28,
        "only the next request is left"
    );
    taken
}

#[test]
fn a_session_says_what_openmvs_own_client_said_and_takes_what_the_firmware_answered() {
    let all = Caps::defaults(4082);
    let taken = replay(CONNECT, all);
    let channels = match &taken[3] {
        Answer::Data(data) => Channel::decode_list(data).unwrap(),
        other => panic!("{other:?}"),
    };
    let names: Vec<String> = channels.iter().map(Channel::name).collect();
    assert_eq!(names, ["usb", "stdin", "stdout", "stream"]);
    assert_eq!(taken[1], Answer::Data(all.encode()));

    let Answer::Data(data) = &replay(CONNECT_PROFILE, all)[3] else {
        panic!("no list");
    };
    let profile = Channel::decode_list(data).unwrap()[4];
    assert_eq!((profile.name().as_str(), profile.flags), ("profile", 9));

    let none = Caps {
        crc: false,
        seq: false,
        ack: false,
        events: false,
        max_payload: 512,
    };
    assert_eq!(
        replay(CONNECT_UNCHECKED, none)[2..4],
        replay(CONNECT, all)[2..4]
    );
}

#[test]
fn connecting_says_what_the_first_transcript_says_up_to_the_channel_list() {
    let pairs = transcript(ENGINE_1);
    let mut host = Connect::new(Wish::USB);
    let now = Duration::ZERO;
    assert_eq!(drain(&mut host, now), hex("aa d5 00 00 00 00 00 00 b0 ac"));
    host.feed(now, Input::Bytes(&pairs[1].1));
    for pair in [2, 4, 5, 6] {
        let mut expected = pairs[pair].0.clone();
        if pair == 4 {
            // The ACK of the capabilities goes first.
            expected = [pairs[3].0.clone(), expected].concat();
        }
        assert_eq!(drain(&mut host, now), expected);
        host.feed(now, Input::Bytes(&pairs[pair].1));
    }
    assert_eq!(drain(&mut host, now)[5], Opcode::SYS_INFO.0);
}

#[test]
fn event_packets_are_the_recorded_ones() {
    let vectors = [
        (
            "aa d5 07 01 20 29 02 00 b7 ed 01 00 b0 fb 68 82",
            1,
            Some(1),
        ),
        ("aa d5 07 02 20 29 00 00 e0 06", 2, None),
        ("aa d5 07 03 20 29 00 00 9b 5b", 3, None),
        (
            "aa d5 07 00 20 13 02 00 77 c4 02 00 d5 4a 11 c4",
            0,
            Some(2),
        ),
        (
            "aa d5 07 00 20 13 02 00 77 c4 00 00 14 40 72 16",
            0,
            Some(0),
        ),
    ];
    let mut camera = Camera::new(personality(), Idle::default());
    let now = Duration::from_secs(1);
    let setup = hex("aa d5 00 00 00 01 00 00 c3 dd aa d5 00 00 01 01 00 00 7b 37");
    exchange(&mut camera, now, &setup);
    // Six requests that are refused move the counter to 7.
    let unlock = |sequence| {
        Packet {
            sequence,
            channel: 2,
            flags: Flags::default(),
            opcode: Opcode::CHANNEL_UNLOCK,
            payload: Vec::new(),
        }
        .encode(true)
    };
    for sequence in 1..7 {
        exchange(&mut camera, now, &unlock(sequence));
    }
    for (bytes, channel, code) in vectors {
        let event = Event { channel, code };
        assert!(camera.tell(event));
        assert_eq!(drain(&mut camera, now), hex(bytes));
        let packets = Parser::default().feed(&hex(bytes));
        assert_eq!(Event::decode(&packets[0]), Some(event));
    }
    let lock = Packet {
        channel: 3,
        opcode: Opcode::CHANNEL_LOCK,
        ..Parser::default().feed(&unlock(7)).remove(0)
    };
    assert_eq!(
        exchange(&mut camera, now, &lock.encode(true)),
        hex("aa d5 07 03 02 22 02 00 cc 59 04 00 1f 28 e2 48"),
        "events did not move the counter"
    );
}

#[test]
fn an_answer_without_ack_is_repeated_three_times_and_then_all_is_forgotten() {
    let mut camera = Camera::new(personality(), Idle::default());
    let start = Duration::from_secs(3);
    let get_caps = hex("aa d5 00 00 00 01 00 00 c3 dd");
    let first = exchange(&mut camera, start, &get_caps);
    let mut sent = vec![(0, first[4])];
    let mut now = start;
    while let Turn::Wait { until } = camera.poll(now)
        && until < Duration::MAX
    {
        now = until;
        let again = drain(&mut camera, now);
        if !again.is_empty() {
            assert_eq!((again.len(), &again[10..]), (30, &first[10..]));
            sent.push(((now - start).as_millis(), again[4]));
        }
    }
    assert_eq!(sent, [(0, 0x08), (500, 0x0C), (1500, 0x0C), (3500, 0x0C)]);
    assert_eq!(now - start, Duration::from_millis(7500));
    assert_eq!(exchange(&mut camera, now, &get_caps), first);
}
