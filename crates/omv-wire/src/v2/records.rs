//! What stands inside the payloads: capabilities, versions, identity, memory, channels.
//!
//! Every record may be longer than what is known of it here (later firmware appends); bytes
//! behind the known part are not looked at. Shorter ones are refused.
//!
//! Source: openmv/openmv `protocol/omv_protocol.h`, structures `omv_protocol_*_t`.

use crate::Malformed;

/// Channels a camera can have.
pub const MAX_CHANNELS: usize = 32;

fn short(need: usize, got: usize) -> Malformed {
    Malformed::Short { need, got }
}

/// The front of a record as an array.
fn front<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes
        .first_chunk::<N>()
        .copied()
        .ok_or(short(N, bytes.len()))
}

/// A record of `u32` words.
fn words<const N: usize>(bytes: &[u8]) -> Result<[u32; N], Malformed> {
    let (chunks, _) = bytes.as_chunks::<4>();
    let words = chunks.first_chunk::<N>().ok_or(short(4 * N, bytes.len()))?;
    Ok(words.map(u32::from_le_bytes))
}

fn from_words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What both sides agree on: answer of `GET_CAPS`, argument of `SET_CAPS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Checksums are filled in and looked at.
    pub crc: bool,
    /// The camera refuses requests that do not carry its counter.
    pub seq: bool,
    /// The camera waits for an ACK packet after each data packet, and repeats it without one.
    pub ack: bool,
    /// The camera may speak unasked.
    pub events: bool,
    /// Largest payload either side sends, bytes.
    pub max_payload: u16,
}

impl Caps {
    /// Bytes on the wire.
    pub const SIZE: usize = 16;

    /// What a camera falls back to after `SYNC`.
    #[must_use]
    pub const fn defaults(max_payload: u16) -> Self {
        Self {
            crc: true,
            seq: true,
            ack: true,
            events: true,
            max_payload,
        }
    }

    /// `flags u32 | max_payload u16 | 10 reserved`.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 16 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [flags, _, _, _, m0, m1, ..] = front::<{ Self::SIZE }>(bytes)?;
        Ok(Self {
            crc: flags & 1 != 0,
            seq: flags & 2 != 0,
            ack: flags & 4 != 0,
            events: flags & 8 != 0,
            max_payload: u16::from_le_bytes([m0, m1]),
        })
    }

    /// The 16 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let flags = u32::from(self.crc)
            | u32::from(self.seq) << 1
            | u32::from(self.ack) << 2
            | u32::from(self.events) << 3;
        from_words(&[flags, u32::from(self.max_payload), 0, 0])
    }
}

/// Answer of `VERSION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of this protocol; 1.0.1 added the choice of a sensor to stream, 1.0.2 `SYS_MEMORY`.
    pub protocol: [u8; 3],
    /// What the firmware believes of its bootloader. Only boards with a bootloader header in
    /// flash know; the others tell the constant they were built with.
    pub bootloader: [u8; 3],
    /// Of the firmware.
    pub firmware: [u8; 3],
}

impl Version {
    /// Bytes on the wire.
    pub const SIZE: usize = 16;

    /// Three triples and seven zero bytes.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 16 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [p0, p1, p2, b0, b1, b2, f0, f1, f2, ..] = front::<{ Self::SIZE }>(bytes)?;
        Ok(Self {
            protocol: [p0, p1, p2],
            bootloader: [b0, b1, b2],
            firmware: [f0, f1, f2],
        })
    }

    /// The 16 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        [self.protocol, self.bootloader, self.firmware]
            .into_iter()
            .flatten()
            .chain([0; 7])
            .collect()
    }
}

/// Answer of `SYS_INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SysInfo {
    /// CPUID register of the core.
    pub cpu_id: u32,
    /// Unique id of the chip, in the order a v1 camera prints it.
    pub uid: [u32; 3],
    /// USB vendor and product.
    pub usb: (u16, u16),
    /// Ids of the image sensors found, from the front; 0 is none.
    pub sensors: [u32; 3],
    /// Bits of what the hardware has; the second word is spare.
    pub hw_caps: [u32; 2],
    /// KiB; 0 until a sensor is configured.
    pub frame_buffer: u32,
    /// KiB.
    pub stream_buffer: u32,
}

impl SysInfo {
    /// Bytes on the wire.
    pub const SIZE: usize = 76;

    /// Nineteen words: CPU, id × 3, USB, sensors × 3, 2 reserved, capabilities × 2, flash and
    /// RAM size (always 0), frame buffer, stream buffer, 3 reserved.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 76 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [
            cpu_id,
            u0,
            u1,
            u2,
            usb,
            s0,
            s1,
            s2,
            _,
            _,
            h0,
            h1,
            _,
            _,
            frame_buffer,
            stream_buffer,
            ..,
        ] = words::<19>(bytes)?;
        let [p0, p1, v0, v1] = usb.to_le_bytes();
        Ok(Self {
            cpu_id,
            uid: [u0, u1, u2],
            usb: (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([p0, p1])),
            sensors: [s0, s1, s2],
            hw_caps: [h0, h1],
            frame_buffer,
            stream_buffer,
        })
    }

    /// The 76 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let ([u0, u1, u2], [s0, s1, s2], [h0, h1]) = (self.uid, self.sensors, self.hw_caps);
        let usb = u32::from(self.usb.0) << 16 | u32::from(self.usb.1);
        let (frame, stream) = (self.frame_buffer, self.stream_buffer);
        from_words(&[
            self.cpu_id,
            u0,
            u1,
            u2,
            usb,
            s0,
            s1,
            s2,
            0,
            0,
            h0,
            h1,
            0,
            0,
            frame,
            stream,
            0,
            0,
            0,
        ])
    }
}

/// Answer of `STATS`: counters since power-up, `SYNC` does not clear them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets sent, events not counted.
    pub sent: u32,
    /// Requests carried out or refused after all checks.
    pub received: u32,
    /// Payloads with a wrong checksum.
    pub checksum_errors: u32,
    /// Requests with a wrong counter.
    pub sequence_errors: u32,
    /// Data packets repeated.
    pub retransmissions: u32,
    /// Writes the transport did not finish.
    pub transport_errors: u32,
    /// Events sent.
    pub events: u32,
}

impl Stats {
    /// Bytes on the wire.
    pub const SIZE: usize = 32;

    /// Eight words, the last is spare.
    ///
    /// # Errors
    /// [`Malformed::Short`] below 32 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [
            sent,
            received,
            checksum_errors,
            sequence_errors,
            retransmissions,
            transport_errors,
            events,
            _,
        ] = words::<8>(bytes)?;
        Ok(Self {
            sent,
            received,
            checksum_errors,
            sequence_errors,
            retransmissions,
            transport_errors,
            events,
        })
    }

    /// The 32 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        from_words(&[
            self.sent,
            self.received,
            self.checksum_errors,
            self.sequence_errors,
            self.retransmissions,
            self.transport_errors,
            self.events,
            0,
        ])
    }
}

/// One memory pool in the answer of `SYS_MEMORY`. Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// 0 is the heap of MicroPython and comes first, 1 a pool for images.
    pub kind: u8,
    /// Of pools only.
    pub flags: u16,
    /// Size of the pool.
    pub total: u32,
    /// In use.
    pub used: u32,
    /// Left.
    pub free: u32,
    /// Held across soft reboots; pools only.
    pub persist: u32,
    /// Most ever in use; pools only.
    pub peak: u32,
}

impl Memory {
    /// Bytes of one entry on the wire.
    pub const SIZE: usize = 24;

    /// `count u8 | 3 zero bytes | count entries`.
    ///
    /// # Errors
    /// [`Malformed::Short`] if entries are missing.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let [count, ..] = front::<4>(bytes)?;
        let need = 4 + usize::from(count) * Self::SIZE;
        let body = bytes.get(4..need).ok_or(short(need, bytes.len()))?;
        body.chunks_exact(Self::SIZE)
            .map(|entry| {
                let [head, total, used, free, persist, peak] = words::<6>(entry)?;
                let [kind, _, f0, f1] = head.to_le_bytes();
                Ok(Self {
                    kind,
                    flags: u16::from_le_bytes([f0, f1]),
                    total,
                    used,
                    free,
                    persist,
                    peak,
                })
            })
            .collect()
    }

    /// The answer for these pools, at most 255 of them.
    #[must_use]
    pub fn encode_list(pools: &[Self]) -> Vec<u8> {
        let count = u8::try_from(pools.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![count, 0, 0, 0];
        for pool in pools.iter().take(usize::from(count)) {
            let head = u32::from(pool.kind) | u32::from(pool.flags) << 16;
            let (total, used, free) = (pool.total, pool.used, pool.free);
            bytes.extend(from_words(&[
                head,
                total,
                used,
                free,
                pool.persist,
                pool.peak,
            ]));
        }
        bytes
    }
}

/// One line of the answer of `CHANNEL_LIST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What requests carry.
    pub id: u8,
    /// 01 read, 02 write, 04 execute, 08 lock, 10 stream, 20 made by a script, 40 transport.
    pub flags: u8,
    /// NUL-terminated, zero-padded, from the camera as it is: see [`name`](Self::name).
    pub raw_name: [u8; 14],
}

impl Channel {
    /// Bytes of one entry on the wire.
    pub const SIZE: usize = 16;

    /// A channel of this name, cut to 13 bytes.
    #[must_use]
    pub fn new(id: u8, name: &str, flags: u8) -> Self {
        let mut raw_name = [0; 14];
        for (to, from) in raw_name.iter_mut().take(13).zip(name.bytes()) {
            *to = from;
        }
        Self {
            id,
            flags,
            raw_name,
        }
    }

    /// The name as printable ASCII; every other byte of it becomes U+FFFD.
    #[must_use]
    pub fn name(&self) -> String {
        crate::v1::printable(&self.raw_name)
    }

    /// Entries of 16 bytes, in the order of their ids.
    ///
    /// # Errors
    /// [`Malformed::Field`] if the answer is no multiple of 16 bytes or lists more than
    /// [`MAX_CHANNELS`].
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let (entries, rest) = bytes.as_chunks::<{ Self::SIZE }>();
        if !rest.is_empty() || entries.len() > MAX_CHANNELS {
            return Err(Malformed::Field {
                field: "length",
                value: bytes.len() as u64,
            });
        }
        Ok(entries
            .iter()
            .map(|entry| {
                let &[id, flags, ref raw_name @ ..] = entry;
                Self {
                    id,
                    flags,
                    raw_name: *raw_name,
                }
            })
            .collect())
    }

    /// The answer for these channels.
    #[must_use]
    pub fn encode_list(channels: &[Self]) -> Vec<u8> {
        channels
            .iter()
            .flat_map(|channel| {
                [channel.id, channel.flags]
                    .into_iter()
                    .chain(channel.raw_name)
            })
            .collect()
    }
}
