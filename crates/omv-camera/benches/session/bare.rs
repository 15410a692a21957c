//! The least a client can do: read, check both checksums, copy into one buffer. What it reaches is what
//! this terminal and this virtual camera allow on this machine.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Instant;

use omv_wire::v2::codec::{Flags, HEADER_SIZE, Header, OVERHEAD, Opcode, Packet};
use omv_wire::v2::crc::crc32;
use omv_wire::v2::records::Caps;

use super::acting::pty::Terminal;
use super::{Row, timed};

const STDIN: u8 = 1;
const STREAM: u8 = 3;
const LIMIT: u16 = 4082;

struct Bare {
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    sequence: u8,
}

impl Bare {
    /// Its header; its payload goes behind `data`.
    fn packet(&mut self, data: &mut Vec<u8>) -> Header {
        loop {
            let rest = &self.buffer[self.start..self.end];
            if let Some(head) = rest.first_chunk::<HEADER_SIZE>() {
                assert!(Header::is_intact(head));
                let header = Header::decode(head).unwrap();
                if rest.len() >= header.packet_size() {
                    let body = &rest[HEADER_SIZE..header.packet_size()];
                    if let Some((payload, said)) = body.split_last_chunk::<4>() {
                        assert_eq!(crc32(payload), u32::from_le_bytes(*said));
                        data.extend_from_slice(payload);
                    }
                    self.start += header.packet_size();
                    return header;
                }
            }
            // Never more than a part of a packet.
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.end += self.file.read(&mut self.buffer[self.end..]).unwrap();
        }
    }

    fn ask(&mut self, channel: u8, opcode: Opcode, payload: &[u8], data: &mut Vec<u8>) -> Flags {
        let request = Packet {
            sequence: self.sequence,
            channel,
            flags: Flags::default(),
            opcode,
            payload: payload.to_vec(),
        };
        self.file.write_all(&request.encode(true)).unwrap();
        data.clear();
        loop {
            let header = self.packet(data);
            self.sequence = match opcode {
                Opcode::SYNC => 0,
                _ => header.sequence.wrapping_add(1),
            };
            if !header.flags.has(Flags::FRAGMENT) {
                return header.flags;
            }
        }
    }

    /// One picture, in `data`.
    fn picture(&mut self, data: &mut Vec<u8>) {
        while !self
            .ask(STREAM, Opcode::CHANNEL_LOCK, &[], data)
            .has(Flags::ACK)
        {}
        self.ask(STREAM, Opcode::CHANNEL_SIZE, &[], data);
        let range = [&[0; 4], &data[..4]].concat();
        self.ask(STREAM, Opcode::CHANNEL_READ, &range, data);
        let mut none = Vec::new();
        self.ask(STREAM, Opcode::CHANNEL_UNLOCK, &[], &mut none);
    }
}

pub fn run(script: &str) -> Row {
    let terminal = Terminal::new();
    let begun = Instant::now();
    let mut bare = Bare {
        file: File::options()
            .read(true)
            .write(true)
            .open(&terminal.path)
            .unwrap(),
        buffer: vec![0; 1 << 16],
        start: 0,
        end: 0,
        sequence: 0,
    };
    let data = &mut Vec::with_capacity(4 << 20);
    bare.ask(0, Opcode::SYNC, &[], data);
    let caps = Caps {
        ack: false,
        events: false,
        ..Caps::defaults(LIMIT)
    };
    bare.ask(0, Opcode::SET_CAPS, &caps.encode(), data);
    bare.ask(
        STREAM,
        Opcode::CHANNEL_IOCTL,
        &[0, 0, 0, 0, 1, 0, 0, 0],
        data,
    );
    let length = (script.len() as u32).to_le_bytes();
    let write = [&[0; 4], &length[..], script.as_bytes()].concat();
    assert!(write.len() < usize::from(LIMIT) - OVERHEAD);
    bare.ask(STDIN, Opcode::CHANNEL_WRITE, &write, data);
    bare.ask(STDIN, Opcode::CHANNEL_IOCTL, &2_u32.to_le_bytes(), data);
    bare.picture(data);
    let first = begun.elapsed().as_secs_f64();
    timed(first, &["session"], || {
        bare.picture(data);
        data.len()
    })
}
