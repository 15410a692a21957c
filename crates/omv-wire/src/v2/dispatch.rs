//! What a camera does with a request that passed all checks of the engine.
//!
//! Source: openmv/openmv `protocol/omv_protocol.c`, `omv_protocol_process`.

use std::time::Duration;

use super::Leave;
use super::camera::Camera;
use super::channels::{Channels, Reading};
use super::codec::{Flags, Header, MIN_PAYLOAD, Opcode, Packet, Status};
use super::records::{Caps, Channel, Memory};

/// Least time between two locks that both succeed.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// Most bytes a channel copies out at a time.
const COPY_CHUNK: usize = 512;

/// A read in pieces that is not finished.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopyRead {
    channel: u8,
    offset: u32,
    left: u32,
}

/// An answer that waits to be sent. It is cut at the payload limit on its way out.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    channel: u8,
    opcode: Opcode,
    flags: Flags,
    data: Vec<u8>,
    sent: usize,
}

impl<C: Channels> Camera<C> {
    fn reply(&mut self, header: Header, flags: Flags, data: Vec<u8>) {
        self.replies.push_back(Reply {
            channel: header.channel,
            opcode: header.opcode,
            flags,
            data,
            sent: 0,
        });
    }

    /// The next packet of the answers that wait.
    pub(super) fn next_packet(&mut self) -> Option<Packet> {
        let limit = usize::from(self.caps.max_payload);
        let reply = self.replies.front_mut()?;
        let rest = reply.data.get(reply.sent..).unwrap_or_default();
        let mut packet = Packet {
            sequence: 0,
            channel: reply.channel,
            flags: reply.flags,
            opcode: reply.opcode,
            payload: rest.get(..limit).unwrap_or(rest).to_vec(),
        };
        match rest.len() > limit {
            true => {
                reply.sent += limit;
                packet.flags = packet.flags.with(Flags::FRAGMENT);
            }
            false => drop(self.replies.pop_front()),
        }
        Some(packet)
    }

    fn accept(&mut self, header: Header) {
        self.reply(header, Flags::ACK, Vec::new());
    }

    pub(super) fn refuse(&mut self, header: Header, status: Status) {
        match status {
            Status::SEQUENCE => self.stats.sequence_errors += 1,
            Status::CHECKSUM => self.stats.checksum_errors += 1,
            _ => {}
        }
        self.reply(header, Flags::NAK, status.0.to_le_bytes().to_vec());
    }

    fn settle(&mut self, header: Header, outcome: Result<(), Status>) {
        match outcome {
            Ok(()) => self.accept(header),
            Err(Status::LATER) => self.later = Some((header, Vec::new())),
            Err(status) => self.refuse(header, status),
        }
    }

    fn answer(&mut self, header: Header, data: Vec<u8>) {
        self.reply(header, Flags::default(), data);
    }

    fn answer_or_refuse(&mut self, header: Header, data: Result<Vec<u8>, Status>) {
        match data {
            Ok(data) => self.answer(header, data),
            Err(Status::LATER) => self.later = Some((header, Vec::new())),
            Err(status) => self.refuse(header, status),
        }
    }

    pub(super) fn process(&mut self, now: Duration, header: Header, payload: &[u8]) {
        self.stats.received += 1;
        self.carry_out(now, header, payload);
    }

    /// What a request asks for; a channel may want to be asked again later.
    pub(super) fn carry_out(&mut self, now: Duration, header: Header, payload: &[u8]) {
        let channel = header.channel;
        match header.opcode {
            Opcode::SYNC => {
                self.reset();
                let acknowledgement = Packet {
                    sequence: 0,
                    channel,
                    flags: Flags::ACK,
                    opcode: header.opcode,
                    payload: Vec::new(),
                };
                self.send(now, acknowledgement);
                self.sequence = 0;
            }
            Opcode::GET_CAPS => self.answer(header, self.caps.encode()),
            Opcode::SET_CAPS => self.set_caps(now, header, payload),
            Opcode::STATS => self.answer(header, self.stats.encode()),
            Opcode::VERSION => self.answer(header, self.personality.version.encode()),
            Opcode::SYS_RESET => self.left = Some(Leave::Reset),
            Opcode::SYS_BOOT => self.left = Some(Leave::Bootloader),
            Opcode::SYS_INFO => self.answer(header, self.personality.info.encode()),
            Opcode::SYS_MEMORY if self.personality.version.protocol >= [1, 0, 2] => {
                self.answer(header, Memory::encode_list(&self.personality.memory));
            }
            Opcode::CHANNEL_LIST => {
                self.answer(header, Channel::encode_list(&self.channels.list()));
            }
            Opcode::CHANNEL_POLL => {
                let ready = self.channels.poll(now);
                self.answer(header, ready.to_le_bytes().to_vec());
            }
            Opcode::CHANNEL_LOCK => {
                let free = self
                    .last_lock
                    .is_none_or(|last| now.saturating_sub(last) > LOCK_INTERVAL);
                let outcome = match free {
                    true => self.channels.lock(channel),
                    false => Err(Status::BUSY),
                };
                if outcome.is_ok() {
                    self.last_lock = Some(now);
                }
                self.settle(header, outcome);
            }
            Opcode::CHANNEL_UNLOCK => {
                let outcome = self.channels.unlock(channel);
                self.settle(header, outcome);
            }
            Opcode::CHANNEL_SIZE => {
                let size = self.channels.size(channel);
                self.answer_or_refuse(header, size.map(|size| size.to_le_bytes().to_vec()));
            }
            Opcode::CHANNEL_SHAPE => {
                let shape = self.channels.shape(channel);
                let bytes = |shape: Vec<u32>| shape.iter().flat_map(|n| n.to_le_bytes()).collect();
                self.answer_or_refuse(header, shape.map(bytes));
            }
            Opcode::CHANNEL_READ => self.read(header, payload),
            Opcode::CHANNEL_WRITE => {
                let (offset, length, data) = range(payload);
                let data = data.get(..length as usize).unwrap_or(data);
                let outcome = match length {
                    0 => Err(Status::INVALID),
                    _ => self.channels.write(channel, offset, data),
                };
                self.settle(header, outcome);
            }
            Opcode::CHANNEL_IOCTL => {
                let outcome = match payload.split_first_chunk() {
                    Some((request, arguments)) => {
                        let request = u32::from_le_bytes(*request);
                        self.channels.ioctl(channel, request, arguments)
                    }
                    None => Err(Status::INVALID),
                };
                self.settle(header, outcome);
            }
            _ => self.refuse(header, Status::INVALID),
        }
        if let Some((_, kept)) = &mut self.later {
            *kept = payload.to_vec();
        }
    }

    fn set_caps(&mut self, now: Duration, header: Header, payload: &[u8]) {
        let wanted = Caps::decode(payload).ok().filter(|caps| {
            payload.len() == Caps::SIZE
                && (MIN_PAYLOAD..=self.personality.max_payload).contains(&caps.max_payload)
        });
        match wanted {
            Some(caps) => {
                let acknowledgement = Packet {
                    sequence: 0,
                    channel: header.channel,
                    flags: Flags::ACK,
                    opcode: header.opcode,
                    payload: Vec::new(),
                };
                // The answer still goes out under the old settings.
                self.send(now, acknowledgement);
                self.caps = caps;
            }
            None => self.refuse(header, Status::INVALID),
        }
    }

    fn read(&mut self, header: Header, payload: &[u8]) {
        let (offset, length, _) = range(payload);
        let channel = header.channel;
        match self.channels.reading(channel) {
            Some(Reading::Pointer) if length > 0 => {
                let data = self.channels.read(channel, offset, length);
                self.answer_or_refuse(header, data);
            }
            Some(Reading::Copy) if length > 0 => {
                self.copying = Some(CopyRead {
                    channel,
                    offset,
                    left: length,
                });
            }
            _ => self.refuse(header, Status::INVALID),
        }
    }

    /// The next piece of a copying read. A read survives that its packets were given up: the
    /// engine's loop does not look at how sending them went.
    ///
    /// Whether anything came of it.
    pub(super) fn copy_on(&mut self, read: CopyRead) -> bool {
        let chunk = COPY_CHUNK.min(usize::from(self.caps.max_payload));
        let want = read.left.min(u32::try_from(chunk).unwrap_or(u32::MAX));
        let data = self.channels.read(read.channel, read.offset, want);
        if data == Err(Status::LATER) {
            self.copying = Some(read);
            return false;
        }
        let mut data = data.unwrap_or_default();
        data.truncate(chunk);
        let got = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let header = Header {
            sequence: 0,
            channel: read.channel,
            flags: Flags::default(),
            opcode: Opcode::CHANNEL_READ,
            length: 0,
        };
        if got == 0 {
            self.refuse(header, Status::FAILED);
            return true;
        }
        let left = read.left.saturating_sub(got);
        let flags = match left {
            0 => Flags::default(),
            _ => Flags::FRAGMENT,
        };
        self.reply(header, flags, data);
        self.copying = (left > 0).then_some(CopyRead {
            offset: read.offset.wrapping_add(got),
            left,
            ..read
        });
        true
    }
}

/// `offset u32 | length u32 | data` of reads and writes; what is missing counts as zero.
fn range(payload: &[u8]) -> (u32, u32, &[u8]) {
    let word = |start| {
        let bytes = payload.get(start..).and_then(|rest| rest.first_chunk());
        bytes.copied().map_or(0, u32::from_le_bytes)
    };
    (word(0), word(4), payload.get(8..).unwrap_or_default())
}
