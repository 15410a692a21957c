//! Packets of protocol v2 to bytes and back.
//!
//! ```text
//! AA D5 | sequence | channel | flags | opcode | length u16 | CRC16 | payload | CRC32
//!   2        1         1         1       1          2          2     length      4
//! ```
//!
//! Little-endian throughout. A packet without payload ends after its header. With checksums
//! negotiated off the fields stay in place: the first holds zero, the second anything.
//!
//! Source: openmv/openmv `protocol/omv_protocol.h`.

use std::fmt;

use super::crc::{crc16, crc32};

/// How every packet starts.
pub const SYNC_WORD: [u8; 2] = [0xAA, 0xD5];
/// Bytes before the payload.
pub const HEADER_SIZE: usize = 10;
/// Bytes a packet has beside its payload: header and payload checksum.
pub const OVERHEAD: usize = HEADER_SIZE + 4;
/// The largest payload of any board (buffer of 8192 bytes).
pub const MAX_PAYLOAD: u16 = 8178;
/// The smallest payload limit a camera lets itself be set to.
pub const MIN_PAYLOAD: u16 = 50;

/// The flag byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Done, without data; from a host: this packet arrived.
    pub const ACK: Self = Self(0x01);
    /// Refused, payload is a [`Status`].
    pub const NAK: Self = Self(0x02);
    /// Sent before already.
    pub const RTX: Self = Self(0x04);
    /// The sender waits for an ACK packet.
    pub const ACK_REQ: Self = Self(0x08);
    /// More packets of this answer follow.
    pub const FRAGMENT: Self = Self(0x10);
    /// Nobody asked for it.
    pub const EVENT: Self = Self(0x20);

    /// Whether any of these bits is set.
    #[must_use]
    pub const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// These bits and those.
    #[must_use]
    pub const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }
}

/// What a packet asks for, or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

#[allow(
    missing_docs,
    reason = "the names are the protocol's own, listed in mod.rs"
)]
impl Opcode {
    pub const SYNC: Self = Self(0x00);
    pub const GET_CAPS: Self = Self(0x01);
    pub const SET_CAPS: Self = Self(0x02);
    pub const STATS: Self = Self(0x03);
    pub const VERSION: Self = Self(0x04);
    pub const SYS_RESET: Self = Self(0x10);
    pub const SYS_BOOT: Self = Self(0x11);
    pub const SYS_INFO: Self = Self(0x12);
    pub const SYS_EVENT: Self = Self(0x13);
    pub const SYS_MEMORY: Self = Self(0x14);
    pub const CHANNEL_LIST: Self = Self(0x20);
    pub const CHANNEL_POLL: Self = Self(0x21);
    pub const CHANNEL_LOCK: Self = Self(0x22);
    pub const CHANNEL_UNLOCK: Self = Self(0x23);
    pub const CHANNEL_SHAPE: Self = Self(0x24);
    pub const CHANNEL_SIZE: Self = Self(0x25);
    pub const CHANNEL_READ: Self = Self(0x26);
    pub const CHANNEL_WRITE: Self = Self(0x27);
    pub const CHANNEL_IOCTL: Self = Self(0x28);
    pub const CHANNEL_EVENT: Self = Self(0x29);

    /// Whether the camera takes this opcode on channel 0 alone.
    #[must_use]
    pub const fn is_system(self) -> bool {
        self.0 <= Self::SYS_MEMORY.0
    }

    /// Whether this is one of the two opcodes of events.
    #[must_use]
    pub const fn is_event(self) -> bool {
        matches!(self, Self::SYS_EVENT | Self::CHANNEL_EVENT)
    }
}

/// Why a camera refused: the payload of a NAK, `u16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

#[allow(missing_docs, reason = "the names are the protocol's own")]
impl Status {
    pub const FAILED: Self = Self(1);
    pub const INVALID: Self = Self(2);
    pub const TIMEOUT: Self = Self(3);
    pub const BUSY: Self = Self(4);
    pub const CHECKSUM: Self = Self(5);
    pub const SEQUENCE: Self = Self(6);
    pub const OVERFLOW: Self = Self(7);
    pub const FRAGMENT: Self = Self(8);
    pub const UNKNOWN: Self = Self(9);
    /// Never sent: a channel whose answer takes a while is asked again until it has another.
    pub const LATER: Self = Self(u16::MAX);

    /// Reads a NAK's payload; [`Status::UNKNOWN`] if it is no `u16`.
    pub(super) fn decode(payload: &[u8]) -> Self {
        <[u8; 2]>::try_from(payload).map_or(Self::UNKNOWN, |bytes| Self(u16::from_le_bytes(bytes)))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::FAILED => "failed",
            Self::INVALID => "invalid",
            Self::TIMEOUT => "timeout",
            Self::BUSY => "busy",
            Self::CHECKSUM => "checksum",
            Self::SEQUENCE => "sequence",
            Self::OVERFLOW => "overflow",
            Self::FRAGMENT => "fragment",
            _ => return write!(formatter, "unknown status {}", self.0),
        };
        formatter.write_str(name)
    }
}

/// The first eight bytes of a packet, understood; the two after them are their checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Counter of the camera, see the folder's header.
    pub sequence: u8,
    /// 0 is the transport, the others are listed by the camera.
    pub channel: u8,
    /// What kind of packet.
    pub flags: Flags,
    /// What it is about.
    pub opcode: Opcode,
    /// Bytes of payload, checksum not counted.
    pub length: u16,
}

impl Header {
    /// Reads ten bytes without a look at their checksum; `None` without the sync word.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_SIZE]) -> Option<Self> {
        let &[s0, s1, sequence, channel, flags, opcode, l0, l1, _, _] = bytes;
        ([s0, s1] == SYNC_WORD).then_some(Self {
            sequence,
            channel,
            flags: Flags(flags),
            opcode: Opcode(opcode),
            length: u16::from_le_bytes([l0, l1]),
        })
    }

    /// Whether the last two of ten bytes are the checksum of the others.
    #[must_use]
    pub fn is_intact(bytes: &[u8; HEADER_SIZE]) -> bool {
        let &[b0, b1, b2, b3, b4, b5, b6, b7, c0, c1] = bytes;
        crc16(&[b0, b1, b2, b3, b4, b5, b6, b7]) == u16::from_le_bytes([c0, c1])
    }

    /// Ten bytes; the checksum field is zero when `checked` is false.
    #[must_use]
    pub fn encode(self, checked: bool) -> [u8; HEADER_SIZE] {
        let [s0, s1] = SYNC_WORD;
        let [l0, l1] = self.length.to_le_bytes();
        let (flags, opcode) = (self.flags.0, self.opcode.0);
        let head = [s0, s1, self.sequence, self.channel, flags, opcode, l0, l1];
        let crc = if checked { crc16(&head) } else { 0 };
        let [b0, b1, b2, b3, b4, b5, b6, b7] = head;
        let [c0, c1] = crc.to_le_bytes();
        [b0, b1, b2, b3, b4, b5, b6, b7, c0, c1]
    }

    /// Bytes of the whole packet on the wire.
    #[must_use]
    pub fn packet_size(self) -> usize {
        match usize::from(self.length) {
            0 => HEADER_SIZE,
            length => length + OVERHEAD,
        }
    }
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Counter of the camera, see the folder's header.
    pub sequence: u8,
    /// 0 is the transport, the others are listed by the camera.
    pub channel: u8,
    /// What kind of packet.
    pub flags: Flags,
    /// What it is about.
    pub opcode: Opcode,
    /// Up to the negotiated limit.
    pub payload: Vec<u8>,
}

impl Packet {
    /// One with this header, but for the length, which the payload has.
    #[must_use]
    pub fn new(header: Header, payload: &[u8]) -> Self {
        Self {
            sequence: header.sequence,
            channel: header.channel,
            flags: header.flags,
            opcode: header.opcode,
            payload: payload.to_vec(),
        }
    }

    /// The bytes on the wire, checksums filled in if `checked`.
    ///
    /// The length field has 16 bits: a longer payload is cut there. Callers stay below the
    /// negotiated limit, which is smaller.
    #[must_use]
    pub fn encode(&self, checked: bool) -> Vec<u8> {
        let length = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        let header = Header {
            sequence: self.sequence,
            channel: self.channel,
            flags: self.flags,
            opcode: self.opcode,
            length,
        };
        let mut bytes = Vec::with_capacity(header.packet_size());
        bytes.extend_from_slice(&header.encode(checked));
        if length > 0 {
            let payload = self.payload.get(..usize::from(length)).unwrap_or_default();
            bytes.extend_from_slice(payload);
            let crc = if checked { crc32(payload) } else { 0 };
            bytes.extend_from_slice(&crc.to_le_bytes());
        }
        bytes
    }

    /// The status a NAK carries; [`Status::UNKNOWN`] if its payload is no `u16`.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::decode(&self.payload)
    }

    /// The packet a host answers with when this one has [`Flags::ACK_REQ`].
    #[must_use]
    pub fn acknowledgement(&self) -> Self {
        Self {
            sequence: self.sequence,
            channel: self.channel,
            flags: Flags::ACK,
            opcode: self.opcode,
            payload: Vec::new(),
        }
    }
}
