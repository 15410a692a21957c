//! The serial framing: packets with a checksum, each acknowledged before the next.
//!
//! ```text
//!   5A A1  ack        5A A4 | length u16 LE | crc16 LE | command or response
//!   5A A2  nak        5A A5 | length u16 LE | crc16 LE | data, empty: given up
//!   5A A3  ack, stop  5A A6  ping
//!                     5A A7 | bugfix | minor | major | 'P' | options u16 LE | crc16 LE
//! ```
//!
//! The checksum covers a packet's bytes except itself.
//!
//! Source: nxp-mcuxpresso/sbl component/mcu_isp/packet/src/serial_packet.c; SPSDK 3.12.0,
//! spsdk/mboot/protocol/serial_protocol.py.

use crate::Malformed;
use crate::crc::{crc16_xmodem, crc16_xmodem_more};

/// The first byte of every packet.
pub const START: u8 = 0x5A;

/// Bytes a data packet of the RT1062's flashloader carries (its property 11).
pub const PACKET: usize = 512;

const ACK: u8 = 0xA1;
const NAK: u8 = 0xA2;
const ABORT: u8 = 0xA3;
const COMMAND: u8 = 0xA4;
const DATA: u8 = 0xA5;
const PING: u8 = 0xA6;
const PONG: u8 = 0xA7;

/// Bytes before the payload of a command or data packet.
const HEADER: usize = 6;
const PONG_SIZE: usize = 10;

/// What the camera says to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// Protocol version as major, minor, bugfix; the RT1062 speaks 1.2.0.
    pub version: [u8; 3],
    /// Option bits; 0 on every known device.
    pub options: u16,
}

/// One packet of the serial framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Got it.
    Ack,
    /// It came damaged: say it again.
    Nak,
    /// Got it, and want no more data.
    Abort,
    /// A command or a response.
    Command(Vec<u8>),
    /// Data; empty when the sender gives up.
    Data(Vec<u8>),
    /// Is anyone there?
    Ping,
    /// Yes.
    Pong(Pong),
}

impl Frame {
    /// The packet's bytes. At most 65535 bytes of payload are carried.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ack => vec![START, ACK],
            Self::Nak => vec![START, NAK],
            Self::Abort => vec![START, ABORT],
            Self::Command(payload) => encode_command(payload),
            Self::Data(payload) => encode_data(payload),
            Self::Ping => vec![START, PING],
            Self::Pong(pong) => {
                let [major, minor, bugfix] = pong.version;
                let mut bytes = vec![START, PONG, bugfix, minor, major, b'P'];
                bytes.extend(pong.options.to_le_bytes());
                bytes.extend(crc16_xmodem(&bytes).to_le_bytes());
                bytes
            }
        }
    }
}

/// A command or response packet around `payload`, of which at most 65535 bytes are carried.
#[must_use]
pub fn encode_command(payload: &[u8]) -> Vec<u8> {
    encode(COMMAND, payload)
}

/// A data packet around `payload`, of which at most 65535 bytes are carried.
#[must_use]
pub fn encode_data(payload: &[u8]) -> Vec<u8> {
    encode(DATA, payload)
}

fn encode(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let payload = payload.get(..length.into()).unwrap_or(payload);
    let [low, high] = length.to_le_bytes();
    let head = [START, kind, low, high];
    let crc = crc16_xmodem_more(crc16_xmodem(&head), payload);
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend(head);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Whether an encoded packet is a command or response.
pub(super) fn is_command(packet: &[u8]) -> bool {
    packet.get(1) == Some(&COMMAND)
}

/// What a stretch of the byte stream turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A whole packet.
    Frame(Frame),
    /// A whole packet whose checksum does not match.
    Damaged(Malformed),
    /// This many bytes that are no part of a packet.
    Junk(usize),
}

/// Finds packets in a byte stream cut into any pieces; holds at most one packet.
#[derive(Clone, Debug)]
pub struct Scanner {
    held: Vec<u8>,
    limit: usize,
}

impl Scanner {
    /// A scanner that takes packets of up to `limit` bytes of payload for packets, and longer
    /// ones for junk.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            limit,
        }
    }

    /// Whether a packet has begun and not ended.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.held.is_empty()
    }

    /// Forgets a packet that has begun.
    pub fn reset(&mut self) {
        self.held.clear();
    }

    /// Takes bytes off the front of `input` until something is complete; `None` when all are
    /// taken and more are needed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Heard> {
        while let Some((first, rest)) = input.split_first() {
            match self.held.as_slice() {
                [] if *first != START => return Some(Heard::Junk(skip_to_start(input))),
                [] => {
                    self.held.push(START);
                    *input = rest;
                }
                [_] => {
                    *input = rest;
                    if let Some(heard) = self.kind(*first) {
                        return Some(heard);
                    }
                }
                _ => {
                    let missing = self.size().saturating_sub(self.held.len());
                    let (now, later) = input.split_at(missing.min(input.len()));
                    self.held.extend(now);
                    *input = later;
                    if let Some(heard) = self.whole() {
                        return Some(heard);
                    }
                }
            }
        }
        self.whole()
    }

    /// Judges the byte after the start byte.
    fn kind(&mut self, kind: u8) -> Option<Heard> {
        let frame = match kind {
            COMMAND | DATA | PONG => {
                self.held.push(kind);
                return None;
            }
            // The start byte before this one was the stray.
            START => return Some(Heard::Junk(1)),
            ACK => Heard::Frame(Frame::Ack),
            NAK => Heard::Frame(Frame::Nak),
            ABORT => Heard::Frame(Frame::Abort),
            PING => Heard::Frame(Frame::Ping),
            _ => Heard::Junk(2),
        };
        self.held.clear();
        Some(frame)
    }

    /// Bytes the packet begun will have, as far as that is known by now.
    fn size(&self) -> usize {
        match *self.held.as_slice() {
            [_, PONG, ..] => PONG_SIZE,
            [_, _, low, high, _, _, ..] => HEADER + usize::from(u16::from_le_bytes([low, high])),
            _ => HEADER,
        }
    }

    fn whole(&mut self) -> Option<Heard> {
        if self.held.len() < HEADER {
            return None;
        }
        let size = self.size();
        if size > HEADER + self.limit.max(PONG_SIZE) {
            let junk = self.held.len();
            self.held.clear();
            return Some(Heard::Junk(junk));
        }
        if self.held.len() < size {
            return None;
        }
        let heard = judge(&self.held);
        self.held.clear();
        Some(heard)
    }
}

/// Drops bytes up to the next start byte and says how many.
fn skip_to_start(input: &mut &[u8]) -> usize {
    let junk = input.iter().position(|byte| *byte == START);
    let junk = junk.unwrap_or(input.len());
    *input = input.get(junk..).unwrap_or_default();
    junk
}

/// Checks a packet that is all there.
fn judge(held: &[u8]) -> Heard {
    let (frame, said, found) = match *held {
        [_, PONG, bugfix, minor, major, _, o0, o1, c0, c1] => {
            let pong = Pong {
                version: [major, minor, bugfix],
                options: u16::from_le_bytes([o0, o1]),
            };
            let covered = held.get(..PONG_SIZE - 2).unwrap_or_default();
            (Frame::Pong(pong), [c0, c1], crc16_xmodem(covered))
        }
        [start, kind, l0, l1, c0, c1, ref payload @ ..] => {
            let found = crc16_xmodem_more(crc16_xmodem(&[start, kind, l0, l1]), payload);
            let frame = if kind == DATA {
                Frame::Data(payload.to_vec())
            } else {
                Frame::Command(payload.to_vec())
            };
            (frame, [c0, c1], found)
        }
        _ => return Heard::Junk(held.len()),
    };
    let said = u16::from_le_bytes(said);
    if said == found {
        Heard::Frame(frame)
    } else {
        Heard::Damaged(Malformed::Checksum {
            said: said.into(),
            found: found.into(),
        })
    }
}
