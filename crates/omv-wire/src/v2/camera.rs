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
use super::channels::Channels;
use super::codec::{Flags, HEADER_SIZE, Header, MIN_PAYLOAD, OVERHEAD, Opcode, Packet, Status};
use super::crc::crc32;
use super::dispatch::{CopyRead, Reply};
use super::parser::Event;
use super::records::{Caps, Memory, Stats, SysInfo, Version};
use crate::machine::{Input, Machine, Turn};

/// Wait for the first ACK; doubles with each retransmission.
const ACK_TIMEOUT: Duration = Duration::from_millis(500);
/// Retransmissions before the engine gives up.
const RETRIES: u32 = 3;
/// Before a channel is asked once more that had no answer yet.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
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

/// A running camera.
#[derive(Clone, Debug)]
pub struct Camera<C> {
    pub(super) personality: Personality,
    pub(super) channels: C,
    pub(super) caps: Caps,
    pub(super) sequence: u8,
    state: State,
    buffer: Vec<u8>,
    backlog: VecDeque<u8>,
    unacknowledged: Option<Unacknowledged>,
    pub(super) replies: VecDeque<Reply>,
    pub(super) copying: Option<CopyRead>,
    /// A request whose channel has no answer yet.
    pub(super) later: Option<(Header, Vec<u8>)>,
    pub(super) last_lock: Option<Duration>,
    pub(super) stats: Stats,
    out: VecDeque<Vec<u8>>,
    pub(super) left: Option<Leave>,
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
            replies: VecDeque::new(),
            copying: None,
            later: None,
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

    pub(super) fn reset(&mut self) {
        self.sequence = 0;
        self.state = State::Sync;
        self.buffer.clear();
        self.unacknowledged = None;
        self.replies.clear();
        self.later = None;
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
        } else if let Some(packet) = self.next_packet() {
            self.send(now, packet);
            true
        } else if let Some((header, payload)) = self.later.take() {
            self.carry_out(now, header, &payload);
            self.later.is_none()
        } else if let Some(read) = self.copying.take() {
            self.copy_on(read)
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
    pub(super) fn send(&mut self, now: Duration, mut packet: Packet) {
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
                self.replies.clear();
                self.copying = None;
                self.later = None;
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
            None => {
                let waiting = self.unacknowledged.as_ref();
                let deadline = waiting.and_then(|waiting| waiting.deadline);
                let asked = self.later.is_some() || self.copying.is_some();
                let again = asked.then_some(now + LOOK_AGAIN);
                let until = deadline.into_iter().chain(again).min();
                Turn::Wait {
                    until: until.unwrap_or(Duration::MAX),
                }
            }
        }
    }
}
