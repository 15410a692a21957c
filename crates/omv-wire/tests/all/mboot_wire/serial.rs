//! Packets of the serial framing, recomputed and checked against SPSDK and the C++ `blhost`.

use std::time::Duration;

use omv_wire::mboot::uart::{Frame, Heard, Pong, Scanner};
use omv_wire::mboot::{
    Camera, Command, Data, Exchange, Outcome, Ping, Quirks, Reply, Setup, Target, Wire, hid, status,
};
use omv_wire::{Input, Machine, Turn};

use super::pair::Pair;

const ZERO: Duration = Duration::ZERO;

fn hex(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace();
    bytes.map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

/// A target that says yes, or one fixed thing.
struct Canned {
    version: u32,
    set: u32,
}

impl Target for Canned {
    fn get_property(&mut self, property: u32, _index: u32) -> Result<Vec<u32>, u32> {
        match property {
            1 => Ok(vec![self.version]),
            _ => Err(status::UNKNOWN_PROPERTY),
        }
    }
    fn set_property(&mut self, _property: u32, _value: u32) -> u32 {
        self.set
    }
    fn erase(&mut self, _start: u32, _size: u32, _memory: u32) -> Outcome {
        Outcome::now(0)
    }
    fn erase_all(&mut self, _memory: u32) -> Outcome {
        Outcome::now(0)
    }
    fn begin_write(&mut self, _start: u32, _size: u32, _memory: u32) -> Result<(), u32> {
        Ok(())
    }
    fn write(&mut self, _start: u32, _bytes: &[u8]) -> Outcome {
        Outcome::now(0)
    }
    fn end_write(&mut self) -> Outcome {
        Outcome::now(0)
    }
    fn begin_read(&mut self, _start: u32, _size: u32, _memory: u32) -> Result<(), u32> {
        Ok(())
    }
    fn read(&mut self, _start: u32, size: u32) -> Result<Vec<u8>, u32> {
        Ok(vec![0; size as usize])
    }
    fn fill(&mut self, _start: u32, _size: u32, _pattern: u32) -> Outcome {
        Outcome::now(0)
    }
    fn configure(&mut self, _memory: u32, _address: u32) -> Outcome {
        Outcome::now(0)
    }
    fn read_fuse(&mut self, _index: u32, _count: u32) -> Result<Vec<u32>, u32> {
        Ok(vec![0])
    }
    fn program_fuse(&mut self, _index: u32, _count: u32, _words: &[u32]) -> Outcome {
        Outcome::now(0)
    }
    fn execute(&mut self, _address: u32, _argument: u32, _stack: u32) -> u32 {
        0
    }
    fn call(&mut self, _address: u32, _argument: u32) -> Outcome {
        Outcome::now(0)
    }
    fn other(&mut self, _tag: u8, _words: &[u32]) -> Outcome {
        Outcome::now(0)
    }
}

struct Vector {
    command: Command,
    out: &'static str,
    answer: Option<&'static str>,
    /// What the target says: version, and status of set-property.
    canned: (u32, u32),
}

fn vectors() -> Vec<Vector> {
    let v = |command, out, answer, canned| Vector {
        command,
        out,
        answer,
        canned,
    };
    let k280 = (0x4B02_0800, 0);
    let one = Command::get_property(1, 0);
    let ask_one = "5a a4 0c 00 4b 33 07 00 00 02 01 00 00 00 00 00 00 00";
    let short = Command::new(7, false, &[1]).unwrap();
    vec![
        v(
            one.clone(),
            ask_one,
            Some("5a a4 0c 00 f5 86 a7 00 00 02 00 00 00 00 00 08 02 4b"),
            k280,
        ),
        v(
            one,
            ask_one,
            Some("5a a4 0c 00 65 1c a7 00 00 02 00 00 00 00 00 00 03 4b"),
            (0x4B03_0000, 0),
        ),
        v(
            short,
            "5a a4 08 00 73 d4 07 00 00 01 01 00 00 00",
            Some("5a a4 0c 00 f5 86 a7 00 00 02 00 00 00 00 00 08 02 4b"),
            k280,
        ),
        v(
            Command::get_property(11, 0),
            "5a a4 0c 00 37 a2 07 00 00 02 0b 00 00 00 00 00 00 00",
            Some("5a a4 0c 00 f9 de a7 00 00 02 00 00 00 00 00 02 00 00"),
            k280,
        ),
        v(
            Command::get_property(99, 0),
            "",
            Some("5a a4 08 00 92 68 a7 00 00 01 3c 28 00 00"),
            k280,
        ),
        v(
            Command::set_property(10, 1),
            "5a a4 0c 00 67 8d 0c 00 00 02 0a 00 00 00 01 00 00 00",
            Some("5a a4 0c 00 e0 f7 a0 00 00 02 00 00 00 00 0c 00 00 00"),
            k280,
        ),
        v(
            Command::flash_erase_all(0),
            "5a a4 08 00 0c 22 01 00 00 01 00 00 00 00",
            None,
            k280,
        ),
        v(
            Command::flash_erase_region(0x6004_0000, 0x1000, 0),
            "5a a4 10 00 d5 a5 02 00 00 03 00 00 04 60 00 10 00 00 00 00 00 00",
            Some("5a a4 0c 00 ba 55 a0 00 00 02 00 00 00 00 02 00 00 00"),
            k280,
        ),
        v(
            Command::write_memory(0x6004_0000, 1000, 0),
            "5a a4 10 00 88 4a 04 01 00 03 00 00 04 60 e8 03 00 00 00 00 00 00",
            Some("5a a4 0c 00 23 72 a0 00 00 02 00 00 00 00 04 00 00 00"),
            k280,
        ),
        v(
            Command::efuse_read_once(0x64, 4),
            "5a a4 0c 00 14 27 0f 00 00 02 64 00 00 00 04 00 00 00",
            None,
            k280,
        ),
        v(
            Command::efuse_program_once(1, 0x1234_5678),
            "5a a4 10 00 0b 8a 0e 00 00 03 01 00 00 00 04 00 00 00 78 56 34 12",
            Some("5a a4 0c 00 88 1a a0 00 00 02 00 00 00 00 0e 00 00 00"),
            k280,
        ),
        v(
            Command::flash_security_disable(0x0102_0304, 0x0506_0708),
            "5a a4 0c 00 43 7b 06 00 00 02 04 03 02 01 08 07 06 05",
            None,
            k280,
        ),
        v(
            Command::flash_erase_all_unsecure(),
            "5a a4 04 00 f6 61 0d 00 00 00",
            None,
            k280,
        ),
        v(
            Command::reliable_update(0xFE000),
            "5a a4 08 00 c2 67 12 00 00 01 00 e0 0f 00",
            None,
            k280,
        ),
    ]
}

fn listen<T: Target>(camera: &mut Camera<T>) -> Vec<Vec<u8>> {
    let mut heard = vec![];
    while let Turn::Send(frame) = camera.poll(ZERO) {
        heard.push(frame);
    }
    heard
}

fn data_of(command: &Command) -> Data<'static> {
    match command.tag() {
        4 => Data::Out(vec![0; command.words()[1] as usize].into()),
        _ => Data::None,
    }
}

#[test]
fn the_host_sends_the_packets_blhost_sends() {
    for vector in vectors().iter().filter(|vector| !vector.out.is_empty()) {
        let data = data_of(&vector.command);
        let mut host = Exchange::new(Setup::new(Wire::Uart), vector.command.clone(), data);
        assert_eq!(host.poll(ZERO), Turn::Wait { until: ZERO });
        assert_eq!(host.poll(ZERO), Turn::Send(hex(vector.out)));
    }
}

#[test]
fn the_camera_acknowledges_and_answers_with_the_known_packets() {
    for vector in vectors() {
        let (version, set) = vector.canned;
        let mut camera = Camera::new(Wire::Uart, Canned { version, set });
        let ask = if vector.out.is_empty() {
            Frame::Command(vector.command.encode()).encode()
        } else {
            hex(vector.out)
        };
        camera.feed(ZERO, Input::Bytes(&ask));
        let heard = listen(&mut camera);
        assert_eq!(heard[0], [0x5A, 0xA1]);
        if let Some(answer) = vector.answer {
            assert_eq!(heard[1..], [hex(answer)]);
        }
    }
}

#[test]
fn the_host_understands_the_known_answers() {
    for vector in vectors() {
        let Some(answer) = vector.answer else {
            continue;
        };
        if vector.command.tag() == 4 {
            continue;
        }
        let mut host = Exchange::new(Setup::new(Wire::Uart), vector.command.clone(), Data::None);
        host.poll(ZERO);
        host.poll(ZERO);
        host.feed(ZERO, Input::Bytes(&hex("5a a1")));
        host.feed(ZERO, Input::Bytes(&hex(answer)));
        assert_eq!(host.poll(ZERO), Turn::Send(hex("5a a1")));
        let Turn::Done(Ok(reply)) = host.poll(ZERO) else {
            panic!("{:?}", vector.command);
        };
        let words: Vec<u32> = hex(answer)[10..]
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let expected = Reply {
            status: words[0],
            words: words[1..].to_vec(),
            ..Reply::default()
        };
        assert_eq!(reply, expected);
    }
}

#[test]
fn a_ping_is_answered_with_the_protocol_version() {
    for (version, answer) in [
        ([1, 2, 0], "5a a7 00 02 01 50 00 00 aa ea"),
        ([1, 3, 0], "5a a7 00 03 01 50 00 00 fb 40"),
    ] {
        let quirks = Quirks {
            version,
            ..Quirks::default()
        };
        let canned = Canned { version: 0, set: 0 };
        let mut camera = Camera::with_quirks(Wire::Uart, 512, quirks, canned);
        camera.feed(ZERO, Input::Bytes(&hex("5a a6")));
        assert_eq!(listen(&mut camera), [hex(answer)]);

        let pong = Pong {
            version,
            options: 0,
        };
        let mut ping = Ping::new();
        assert_eq!(ping.poll(ZERO), Turn::Send(hex("5a a6")));
        ping.feed(ZERO, Input::Bytes(&[0x31; 50]));
        ping.feed(ZERO, Input::Bytes(&hex(answer)));
        assert_eq!(ping.poll(ZERO), Turn::Done(Ok(pong)));
        let (result, _) = Pair::default().run(&mut Ping::new(), &mut camera);
        assert_eq!(result, Ok(pong));
    }
}

#[test]
fn a_packet_is_found_again_behind_noise() {
    let mut scanner = Scanner::new(512);
    let bytes = [hex("00 5a 5a a4 0c 00 4b 34"), vec![0; 12], hex("5a a1")].concat();
    let mut rest = bytes.as_slice();
    let mut found = vec![];
    while let Some(heard) = scanner.next(&mut rest) {
        found.push(heard);
    }
    assert_eq!(found[0], Heard::Junk(1));
    assert_eq!(found[1], Heard::Junk(1));
    assert!(matches!(found[2], Heard::Damaged(_)));
    assert_eq!(found.last(), Some(&Heard::Frame(Frame::Ack)));
}

#[test]
fn a_padded_report_and_a_short_one_say_the_same() {
    let short = hid::encode(1, &[7, 0, 0, 0]);
    let padded = hid::encode_padded(1, &[7, 0, 0, 0], 1016);
    assert_eq!(short, [1, 0, 4, 0, 7, 0, 0, 0]);
    assert_eq!(padded.len(), 1016);
    assert_eq!(hid::Report::decode(&short), hid::Report::decode(&padded));
}

#[test]
fn a_response_come_twice_does_not_acknowledge_data() {
    let command = Command::write_memory(0x2000, 1024, 0);
    let mut host = Exchange::new(
        Setup::new(Wire::Uart),
        command,
        Data::Out(vec![0; 1024].into()),
    );
    let accepted = hex("5a a4 0c 00 23 72 a0 00 00 02 00 00 00 00 04 00 00 00");
    let ack = Frame::Ack.encode();
    let packet = Frame::Data(vec![0; 512]).encode();
    let mut said = |heard: &[u8]| {
        if !heard.is_empty() {
            host.feed(ZERO, Input::Bytes(heard));
        }
        let mut said = vec![];
        for _ in 0..4 {
            if let Turn::Send(frame) = host.poll(ZERO) {
                said.push(frame);
            }
        }
        said
    };
    assert_eq!(said(&[]).len(), 1);
    assert_eq!(said(&ack).len(), 0);
    assert_eq!(said(&accepted), [ack.clone(), packet.clone()]);
    assert_eq!(said(&accepted), std::slice::from_ref(&ack));
    assert_eq!(said(&ack), [packet]);
}
