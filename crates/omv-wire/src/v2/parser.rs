//! Finds packets in a stream of bytes.

use super::codec::{Flags, HEADER_SIZE, Header, MAX_PAYLOAD, OVERHEAD, Opcode, Packet};
use super::crc::crc32;

/// Cuts a stream into packets, whatever its chunks, and finds its feet after noise.
///
/// Holds at most one packet. A header with a wrong checksum or a length above the limit, and a
/// packet with a wrong payload checksum, cost one byte each: the search goes on behind it, so
/// a packet that follows a damaged one is not lost with it.
#[derive(Clone, Debug)]
pub struct Parser {
    buffer: Vec<u8>,
    max_payload: u16,
    checked: bool,
}

impl Default for Parser {
    /// Checks both checksums and takes payloads up to [`MAX_PAYLOAD`].
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            max_payload: MAX_PAYLOAD,
            checked: true,
        }
    }
}

/// What the front of the buffer is.
enum Front {
    Packet(Header),
    /// No packet starts here.
    Noise,
    Incomplete,
}

impl Parser {
    /// Applies what was negotiated. Bytes held back so far stay.
    pub fn configure(&mut self, max_payload: u16, checked: bool) {
        self.max_payload = max_payload.min(MAX_PAYLOAD);
        self.checked = checked;
    }

    /// Forgets a packet that began to arrive.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Takes any slice of the stream and returns the packets it completed, in order.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Packet> {
        let mut packets = Vec::new();
        self.feed_each(bytes, |header, payload| {
            packets.push(Packet::new(header, payload));
        });
        packets
    }

    /// The same, and lends each packet out instead of copying its payload.
    pub fn feed_each(&mut self, bytes: &[u8], mut take: impl FnMut(Header, &[u8])) {
        for chunk in bytes.chunks(usize::from(MAX_PAYLOAD) + OVERHEAD) {
            self.buffer.extend_from_slice(chunk);
            let mut start = 0;
            loop {
                let rest = self.buffer.get(start..).unwrap_or_default();
                match self.front(rest) {
                    Front::Packet(header) => {
                        let payload = rest
                            .get(HEADER_SIZE..HEADER_SIZE + usize::from(header.length))
                            .unwrap_or_default();
                        take(header, payload);
                        start += header.packet_size();
                    }
                    Front::Noise => start += 1,
                    Front::Incomplete => break,
                }
            }
            self.buffer.drain(..start.min(self.buffer.len()));
        }
    }

    fn front(&self, rest: &[u8]) -> Front {
        match rest {
            [] | [0xAA] => return Front::Incomplete,
            [0xAA, 0xD5, ..] => {}
            _ => return Front::Noise,
        }
        let Some(head) = rest.first_chunk::<HEADER_SIZE>() else {
            return Front::Incomplete;
        };
        // With checksums off the field is zero; it is still right if the camera has meanwhile
        // gone back to its defaults.
        let intact = Header::is_intact(head) || (!self.checked && head.ends_with(&[0, 0]));
        let header = match Header::decode(head) {
            Some(header) if intact && header.length <= self.max_payload => header,
            _ => return Front::Noise,
        };
        let Some(packet) = rest.get(..header.packet_size()) else {
            return Front::Incomplete;
        };
        let body = packet.get(HEADER_SIZE..).unwrap_or_default();
        match body.split_last_chunk::<4>() {
            Some((payload, said))
                if self.checked && crc32(payload) != u32::from_le_bytes(*said) =>
            {
                Front::Noise
            }
            _ => Front::Packet(header),
        }
    }
}

/// Something the camera told unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who tells: 0 is the system.
    pub channel: u8,
    /// What; `None` is a plain "look here".
    pub code: Option<u16>,
}

impl Event {
    /// The user's script ended: the camera starts its interpreter anew and forgets what was
    /// negotiated.
    pub const SOFT_REBOOT: Self = Self {
        channel: 0,
        code: Some(2),
    };

    /// Reads an event packet; `None` if it is another packet.
    #[must_use]
    pub fn decode(packet: &Packet) -> Option<Self> {
        packet.flags.has(Flags::EVENT).then(|| Self {
            channel: packet.channel,
            code: <[u8; 2]>::try_from(packet.payload.as_slice())
                .ok()
                .map(u16::from_le_bytes),
        })
    }

    /// The packet that tells it.
    #[must_use]
    pub fn packet(self, sequence: u8) -> Packet {
        Packet {
            sequence,
            channel: self.channel,
            flags: Flags::EVENT,
            opcode: match self.channel {
                0 => Opcode::SYS_EVENT,
                _ => Opcode::CHANNEL_EVENT,
            },
            payload: self
                .code
                .map_or_else(Vec::new, |code| code.to_le_bytes().to_vec()),
        }
    }
}
