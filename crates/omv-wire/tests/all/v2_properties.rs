//! Protocol v2: what holds for any packets, any chunks and any bytes.

use std::time::Duration;

use crate::running::*;
use omv_wire::v2::camera::Camera;
use omv_wire::v2::channels::Idle;
use omv_wire::v2::codec::{Flags, Opcode, Packet};
use omv_wire::v2::parser::Parser;
use omv_wire::v2::records::{Caps, Channel, Memory, Stats, SysInfo, Version};
use proptest::prelude::*;

fn camera() -> Camera<Idle> {
    Camera::new(personality(), Idle::default())
}

fn request(sequence: u8, channel: u8, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    Packet {
        sequence,
        channel,
        flags: Flags::default(),
        opcode,
        payload: payload.to_vec(),
    }
    .encode(true)
}

fn packets(bytes: &[u8]) -> Vec<Packet> {
    Parser::default().feed(bytes)
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let payload = proptest::collection::vec(any::<u8>(), 0..300);
    (any::<[u8; 4]>(), payload).prop_map(|([sequence, channel, flags, opcode], payload)| Packet {
        sequence,
        channel,
        flags: Flags(flags),
        opcode: Opcode(opcode),
        payload,
    })
}

#[test]
fn a_packet_whose_last_byte_is_the_next_ones_first_takes_it() {
    let packet = |payload| Packet {
        sequence: 1,
        channel: 0,
        flags: Flags::default(),
        opcode: Opcode(0),
        payload,
    };
    let good = packet(vec![7; 9]);
    let [short, next] = (0..2000)
        .map(|length| packet(vec![0; length]))
        .find_map(|whole| {
            let mut bytes = whole.encode(true);
            (bytes.pop() == Some(0xAA)).then_some([bytes, good.encode(true)])
        })
        .expect("one checksum in 256 ends so");
    let mut parser = Parser::default();
    assert_eq!(parser.feed(&short), []);
    let [taken] = &parser.feed(&next)[..] else {
        panic!("one of the two is lost");
    };
    assert_ne!(*taken, good);
    assert_eq!(parser.feed(&next), [good]);
}

proptest! {
    #[test]
    fn packets_come_back_from_any_chunks(
        sent in proptest::collection::vec(any_packet(), 1..6),
        checked: bool,
        size in 1usize..700,
    ) {
        let bytes: Vec<u8> = sent.iter().flat_map(|packet| packet.encode(checked)).collect();
        let mut parser = Parser::default();
        parser.configure(4082, checked);
        let got: Vec<Packet> = bytes.chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn a_packet_behind_rubbish_and_a_damaged_one_is_found(
        rubbish in proptest::collection::vec(any::<u8>(), 0..40),
        damaged in any_packet(),
        good in any_packet(),
        at in any::<proptest::sample::Index>(),
    ) {
        let whole = damaged.encode(true);
        let mut bytes = whole.clone();
        bytes.remove(at.index(bytes.len()));
        let tail = Packet { payload: vec![0; 4000], ..good.clone() }.encode(true);
        // One that lost its last byte is whole again if that byte is what the next one begins
        // with. Nobody can tell then which of the two lost it, and the first is taken.
        let mended = [bytes.as_slice(), &[0xAA]].concat() == whole;
        let stream = [rubbish, bytes, good.encode(true), tail].concat();
        let expected = if mended { &damaged } else { &good };
        prop_assert!(Parser::default().feed(&stream).contains(expected));
    }

    #[test]
    fn records_come_back(words: [u32; 9], bytes: [u8; 9], caps: [bool; 4], limit: u16) {
        let [crc, seq, ack, events] = caps;
        let caps = Caps { crc, seq, ack, events, max_payload: limit };
        prop_assert_eq!(Caps::decode(&caps.encode()), Ok(caps));
        let [p0, p1, p2, b0, b1, b2, f0, f1, f2] = bytes;
        let version = Version { protocol: [p0, p1, p2], bootloader: [b0, b1, b2], firmware: [f0, f1, f2] };
        prop_assert_eq!(Version::decode(&version.encode()), Ok(version));
        let [w0, w1, w2, w3, w4, w5, w6, w7, w8] = words;
        let info = SysInfo {
            cpu_id: w0, uid: [w1, w2, w3], usb: (limit, !limit), sensors: [w4, w5, 0],
            hw_caps: [w6, 0], frame_buffer: w7, stream_buffer: w8,
        };
        prop_assert_eq!(SysInfo::decode(&info.encode()), Ok(info));
        let stats = Stats {
            sent: w0, received: w1, checksum_errors: w2, sequence_errors: w3,
            retransmissions: w4, transport_errors: w5, events: w6,
        };
        prop_assert_eq!(Stats::decode(&stats.encode()), Ok(stats));
        let pools = vec![Memory { kind: p0, flags: limit, total: w0, used: w1, free: w2, persist: w3, peak: w4 }; 3];
        prop_assert_eq!(Memory::decode_list(&Memory::encode_list(&pools)), Ok(pools));
    }

    #[test]
    fn arbitrary_bytes_panic_nowhere(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        let mut parser = Parser::default();
        let mut unchecked = Parser::default();
        unchecked.configure(50, false);
        let mut camera = camera();
        let mut now = Duration::ZERO;
        for chunk in &chunks {
            parser.feed(chunk);
            unchecked.feed(chunk);
            let _ = Caps::decode(chunk).is_ok() | Version::decode(chunk).is_ok()
                | SysInfo::decode(chunk).is_ok() | Stats::decode(chunk).is_ok()
                | Memory::decode_list(chunk).is_ok() | Channel::decode_list(chunk).is_ok();
            now += 50 * MILLISECOND;
            exchange(&mut camera, now, chunk);
        }
    }

    #[test]
    fn arbitrary_requests_with_good_checksums_panic_nowhere_and_sync_always_helps(
        requests in proptest::collection::vec((any_packet(), any::<bool>()), 0..30),
    ) {
        let mut camera = camera();
        let mut now = Duration::ZERO;
        let mut sequence = 0;
        for (mut packet, system) in requests {
            packet.opcode.0 %= 0x2B;
            if matches!(packet.opcode, Opcode::SYS_RESET | Opcode::SYS_BOOT) {
                continue;
            }
            packet.sequence = sequence;
            if system {
                packet.channel %= 4;
                packet.flags = Flags::default();
            }
            now += 5 * MILLISECOND;
            for answer in packets(&exchange(&mut camera, now, &packet.encode(true))) {
                sequence = answer.sequence.wrapping_add(1);
                if answer.flags.has(Flags::ACK_REQ) {
                    exchange(&mut camera, now, &answer.acknowledgement().encode(true));
                }
            }
        }
        // Checksums may be off by now: settings are whatever was asked for.
        let answer = exchange(&mut camera, now, &request(77, 0, Opcode::SYNC, &[]));
        prop_assert!(answer.ends_with(&hex("aa d5 00 00 01 00 00 00 08 46")));
    }
}
