//! The camera's side of protocol v2: the engine that takes requests from a running camera's
//! serial port.
//!
//! ```text
//!            AA D5 at the front            header good
//!   SYNC ------------------------> HEADER -------------> PAYLOAD ---> dispatch
//!    ^   drop one byte: checksum,    |                      |
//!    +---- length or sequence bad ---+                      | incomplete: only a SYNC packet
//!    |                                                      | anywhere in the buffer gets through
//!    +------------------------------------------------------+
//!
//!   WAIT_ACK instead of all of it while a data packet waits for its ACK: 500, 1000, 2000,
//!   4000 ms, then everything falls back to defaults without a word.
//! ```
//!
//! Source: openmv/openmv `protocol/omv_protocol.c`.

use std::collections::VecDeque;
use std::time::Duration;

use super::Leave;
use super::channels::{Channels, Reading};
use super::codec::{Flags, HEADER_SIZE, Header, MIN_PAYLOAD, OVERHEAD, Opcode, Packet, Status};
use super::crc::crc32;
use super::parser::Event;
use super::records::{Caps, Channel, Memory, Stats, SysInfo, Version};
use crate::machine::{Input, Machine, Turn};

/// Wait for the first ACK; doubles with each retransmission.
const ACK_TIMEOUT: Duration = Duration::from_millis(500);
/// Retransmissions before the engine gives up.
const RETRIES: u32 = 3;
/// Least time between two locks that both succeed.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// Most bytes a channel copies out at a time.
const COPY_CHUNK: usize = 512;
/// Bytes kept for an engine that does not read yet; a USB port would stop the host instead.
const BACKLOG: usize = 0x1_0000;

/// What tells one camera from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personality {
    /// Largest payload: 498, 4082 or 8178 bytes, by board.
    pub max_payload: u16,
    /// Versions; before protocol 1.0.2 `SYS_MEMORY` is refused.
    pub version: Version,
    /// Identity.
    pub info: SysInfo,
    /// Memory pools.
    pub memory: Vec<Memory>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sync,
    Header,
    Payload,
}

/// A data packet on its way, not acknowledged yet.
#[derive(Clone, Debug)]
struct Unacknowledged {
    packet: Packet,
    /// `None` once the port was closed: nobody counts any more, but only a SYNC or the ACK
    /// ends it.
    deadline: Option<Duration>,
    timeout: Duration,
    retries: u32,
}

/// A read in pieces that is not finished.
#[derive(Clone, Copy, Debug)]
struct CopyRead {
    channel: u8,
    offset: u32,
    left: u32,
}

/// A running camera.
#[derive(Clone, Debug)]
pub struct Camera<C> {
    personality: Personality,
    channels: C,
    caps: Caps,
    sequence: u8,
    state: State,
    buffer: Vec<u8>,
    backlog: VecDeque<u8>,
    unacknowledged: Option<Unacknowledged>,
    fragments: VecDeque<Packet>,
    copying: Option<CopyRead>,
    last_lock: Option<Duration>,
    stats: Stats,
    out: VecDeque<Vec<u8>>,
    left: Option<Leave>,
}

impl<C: Channels> Camera<C> {
    /// A camera that was just switched on.
    #[must_use]
    pub fn new(personality: Personality, channels: C) -> Self {
        let max_payload = personality.max_payload.max(MIN_PAYLOAD);
        Self {
            personality: Personality {
                max_payload,
                ..personality
            },
            channels,
            caps: Caps::defaults(max_payload),
            sequence: 0,
            state: State::Sync,
            buffer: Vec::new(),
            backlog: VecDeque::new(),
            unacknowledged: None,
            fragments: VecDeque::new(),
            copying: None,
            last_lock: None,
            stats: Stats::default(),
            out: VecDeque::new(),
            left: None,
        }
    }

    /// What stands behind its channels.
    pub fn channels_mut(&mut self) -> &mut C {
        &mut self.channels
    }

    /// Tells the host something unasked, if it wants to hear. Whether a packet was sent.
    pub fn tell(&mut self, event: Event) -> bool {
        if self.caps.events {
            self.stats.events += 1;
            let bytes = event.packet(self.sequence).encode(self.caps.crc);
            self.out.push_back(bytes);
        }
        self.caps.events
    }

    /// The end of a user's script: says so, then is as if switched on, but for the counters
    /// and what the channels choose to keep.
    pub fn soft_reboot(&mut self) {
        self.tell(Event::SOFT_REBOOT);
        self.reset();
        self.copying = None;
        self.backlog.clear();
    }

    fn reset(&mut self) {
        self.sequence = 0;
        self.state = State::Sync;
        self.buffer.clear();
        self.unacknowledged = None;
        self.fragments.clear();
        self.caps = Caps::defaults(self.personality.max_payload);
        for channel in self.channels.list() {
            // Channels that cannot be locked refuse; nothing follows from that.
            let _ = self.channels.unlock(channel.id);
        }
    }

    /// Does one thing; whether there may be more to do.
    fn step(&mut self, now: Duration) -> bool {
        let room = usize::from(self.personality.max_payload) + OVERHEAD - self.buffer.len();
        let fill = room.min(self.backlog.len());
        self.buffer.extend(self.backlog.drain(..fill));

        if self.left.is_some() {
            false
        } else if self.unacknowledged.is_some() {
            self.look_for_ack(now)
        } else if let Some(packet) = self.fragments.pop_front() {
            self.send(now, packet);
            true
        } else if let Some(read) = self.copying.take() {
            self.copy_on(read);
            true
        } else if self.buffer.len() < 2 {
            false
        } else {
            match self.state {
                State::Sync => self.look_for_sync_word(),
                State::Header => self.look_at_header(),
                State::Payload => self.look_at_packet(now),
            }
        }
    }

    fn look_for_sync_word(&mut self) -> bool {
        let found = self.buffer.windows(2).position(|pair| pair == [0xAA, 0xD5]);
        // Without one the last byte stays: it may be the first half.
        let drop = found.unwrap_or(self.buffer.len().saturating_sub(1));
        self.drop_front(drop);
        if found.is_some() {
            self.state = State::Header;
        }
        found.is_some()
    }

    fn look_at_header(&mut self) -> bool {
        let Some(bytes) = self.buffer.first_chunk::<HEADER_SIZE>().copied() else {
            return false;
        };
        self.state = State::Sync;
        let header = Header::decode(&bytes).filter(|_| !self.caps.crc || Header::is_intact(&bytes));
        match header {
            None => {}
            Some(header) if header.length > self.caps.max_payload => {
                self.refuse(header, Status::OVERFLOW);
            }
            Some(header) if !self.is_in_sequence(header) => self.refuse(header, Status::SEQUENCE),
            Some(_) => self.state = State::Payload,
        }
        if self.state == State::Sync {
            self.drop_front(1);
        }
        true
    }

    fn look_at_packet(&mut self, now: Duration) -> bool {
        let header = self.buffer.first_chunk().and_then(Header::decode);
        let Some(header) = header else {
            self.state = State::Sync;
            return true;
        };
        if self.buffer.len() < header.packet_size() {
            let found = self.sync_packet_from(0);
            if let Some((_, header)) = found {
                self.process(now, header, &[]);
            }
            return found.is_some();
        }
        self.state = State::Sync;
        let packet: Vec<u8> = self.buffer.drain(..header.packet_size()).collect();
        let body = packet.get(HEADER_SIZE..).unwrap_or_default();
        let (payload, said) = body.split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
        let checked = self.caps.crc && header.length > 0;
        if checked && crc32(payload) != u32::from_le_bytes(*said) {
            self.refuse(header, Status::CHECKSUM);
        } else if header.channel != 0 && header.opcode.is_system() {
            self.refuse(header, Status::INVALID);
        } else if !header.flags.has(Flags::ACK.with(Flags::NAK)) {
            self.process(now, header, payload);
        }
        true
    }

    /// A SYNC packet without payload, at `start` or behind.
    fn sync_packet_from(&self, start: usize) -> Option<(usize, Header)> {
        self.headers_from(start).find(|(_, header)| {
            header.opcode == Opcode::SYNC && header.channel == 0 && header.length == 0
        })
    }

    /// Everything in the buffer that reads as a header.
    fn headers_from(&self, start: usize) -> impl Iterator<Item = (usize, Header)> {
        self.buffer
            .windows(HEADER_SIZE)
            .enumerate()
            .skip(start)
            .filter_map(|(offset, bytes)| {
                let bytes = bytes.first_chunk()?;
                let header = Header::decode(bytes)?;
                (!self.caps.crc || Header::is_intact(bytes)).then_some((offset, header))
            })
    }

    fn look_for_ack(&mut self, now: Duration) -> bool {
        let Some(waiting) = &self.unacknowledged else {
            return false;
        };
        let (opcode, sequence) = (waiting.packet.opcode, waiting.packet.sequence);
        let found = self.headers_from(0).find(|(_, header)| {
            let sync = header.opcode == Opcode::SYNC && header.channel == 0 && header.length == 0;
            let answer = header.flags.has(Flags::ACK.with(Flags::NAK))
                && (header.opcode, header.sequence) == (opcode, sequence);
            sync || answer
        });
        let Some((offset, header)) = found else {
            return false;
        };
        let is_answer = header.flags.has(Flags::ACK.with(Flags::NAK))
            && (header.opcode, header.sequence) == (opcode, sequence);
        if header.opcode == Opcode::SYNC && header.channel == 0 && header.length == 0 {
            self.process(now, header, &[]);
        } else if is_answer {
            if offset == 0 {
                self.drop_front(HEADER_SIZE);
            }
            if header.flags.has(Flags::ACK) {
                self.unacknowledged = None;
                self.count_sent();
            } else {
                // The engine remembers the refusal until an ACK comes and does not look at the
                // clock between: all its retransmissions leave at once.
                while self.unacknowledged.is_some() {
                    self.retransmit(now);
                }
            }
        }
        true
    }

    /// Sends the waiting packet once more, or gives up.
    fn retransmit(&mut self, now: Duration) {
        let Some(waiting) = &mut self.unacknowledged else {
            return;
        };
        if waiting.retries == 0 {
            self.reset();
            return;
        }
        waiting.retries -= 1;
        waiting.timeout *= 2;
        waiting.deadline = Some(now + waiting.timeout);
        if self.caps.crc {
            waiting.packet.flags = waiting.packet.flags.with(Flags::RTX);
        }
        self.stats.retransmissions += 1;
        self.out.push_back(waiting.packet.encode(self.caps.crc));
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
    }

    fn is_in_sequence(&self, header: Header) -> bool {
        !self.caps.seq
            || header.sequence == self.sequence
            || header.flags.has(Flags::ACK.with(Flags::NAK))
            || header.opcode.is_event()
            || header.opcode == Opcode::SYNC
    }

    fn count_sent(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.stats.sent += 1;
    }

    /// Sends one packet with the counter of now; a data packet may start the wait for an ACK.
    fn send(&mut self, now: Duration, mut packet: Packet) {
        packet.sequence = self.sequence;
        let wants_ack = self.caps.ack && !packet.flags.has(Flags::ACK.with(Flags::NAK));
        if wants_ack {
            packet.flags = packet.flags.with(Flags::ACK_REQ);
        }
        self.out.push_back(packet.encode(self.caps.crc));
        if wants_ack {
            self.unacknowledged = Some(Unacknowledged {
                packet,
                deadline: Some(now + ACK_TIMEOUT),
                timeout: ACK_TIMEOUT,
                retries: RETRIES,
            });
        } else {
            self.count_sent();
        }
    }

    fn reply(&mut self, header: Header, flags: Flags, payload: Vec<u8>) {
        self.fragments.push_back(Packet {
            sequence: 0,
            channel: header.channel,
            flags,
            opcode: header.opcode,
            payload,
        });
    }

    fn accept(&mut self, header: Header) {
        self.reply(header, Flags::ACK, Vec::new());
    }

    fn refuse(&mut self, header: Header, status: Status) {
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
            Err(status) => self.refuse(header, status),
        }
    }

    /// Cuts an answer at the payload limit.
    fn answer(&mut self, header: Header, data: &[u8]) {
        let limit = usize::from(self.caps.max_payload);
        let pieces = data.len().div_ceil(limit).max(1);
        for index in 0..pieces {
            let rest = data.get(index * limit..).unwrap_or_default();
            let piece = rest.get(..limit).unwrap_or(rest).to_vec();
            let flags = match index + 1 < pieces {
                true => Flags::FRAGMENT,
                false => Flags::default(),
            };
            self.reply(header, flags, piece);
        }
    }

    fn answer_or_refuse(&mut self, header: Header, data: Result<Vec<u8>, Status>) {
        match data {
            Ok(data) => self.answer(header, &data),
            Err(status) => self.refuse(header, status),
        }
    }

    fn process(&mut self, now: Duration, header: Header, payload: &[u8]) {
        self.stats.received += 1;
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
            Opcode::GET_CAPS => self.answer(header, &self.caps.encode()),
            Opcode::SET_CAPS => self.set_caps(now, header, payload),
            Opcode::STATS => self.answer(header, &self.stats.encode()),
            Opcode::VERSION => self.answer(header, &self.personality.version.encode()),
            Opcode::SYS_RESET => self.left = Some(Leave::Reset),
            Opcode::SYS_BOOT => self.left = Some(Leave::Bootloader),
            Opcode::SYS_INFO => self.answer(header, &self.personality.info.encode()),
            Opcode::SYS_MEMORY if self.personality.version.protocol >= [1, 0, 2] => {
                self.answer(header, &Memory::encode_list(&self.personality.memory));
            }
            Opcode::CHANNEL_LIST => {
                self.answer(header, &Channel::encode_list(&self.channels.list()));
            }
            Opcode::CHANNEL_POLL => {
                let ready = self.channels.poll(now);
                self.answer(header, &ready.to_le_bytes());
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
    fn copy_on(&mut self, read: CopyRead) {
        let chunk = COPY_CHUNK.min(usize::from(self.caps.max_payload));
        let want = read.left.min(u32::try_from(chunk).unwrap_or(u32::MAX));
        let data = self.channels.read(read.channel, read.offset, want);
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
            return;
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

impl<C: Channels> Machine for Camera<C> {
    type Output = Leave;

    /// Bytes of the serial port in any slices. `Gone` is the host closing the port.
    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                let room = BACKLOG.saturating_sub(self.backlog.len());
                self.backlog.extend(bytes.iter().take(room));
            }
            Input::Stall => {}
            Input::Gone => {
                self.backlog.clear();
                self.out.clear();
                self.fragments.clear();
                self.copying = None;
                if let Some(waiting) = &mut self.unacknowledged {
                    waiting.deadline = None;
                }
            }
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Leave> {
        let due = |waiting: &Unacknowledged| waiting.deadline.is_some_and(|end| end <= now);
        if self.unacknowledged.as_ref().is_some_and(due) {
            self.retransmit(now);
        }
        while self.out.is_empty() && self.step(now) {}
        if let Some(bytes) = self.out.pop_front() {
            return Turn::Send(bytes);
        }
        match self.left {
            Some(leave) => Turn::Done(leave),
            None => Turn::Wait {
                until: self
                    .unacknowledged
                    .as_ref()
                    .and_then(|waiting| waiting.deadline)
                    .unwrap_or(Duration::MAX),
            },
        }
    }
}
