//! One host's side of a session: the counter, what was negotiated, one request at a time.
//!
//! ```text
//!  ask / sync ---> [ waiting ] ---> Answer          turn() says what to send and when to look,
//!                   |  ^  |                         hear() takes what came
//!          fragment +--+  +--> Late at the deadline, which nothing moves
//! ```
//!
//! Events are put aside and do not touch the request. A repeated packet is acknowledged again
//! and dropped. A refusal is believed whatever counter it carries, and its counter is adopted:
//! after a soft reboot the camera's is the only one there is.
//!
//! Source: openmv/openmv `protocol/omv_protocol.c` (the checks on the other side).

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{Flags, Header, MAX_PAYLOAD, Opcode, Packet, Status};
use super::parser::{Event, Parser};
use super::records::Caps;

/// Events kept until somebody asks for them; older ones give way.
const EVENTS_KEPT: usize = 64;

/// Most bytes made room for before they came.
const RESERVED: usize = 4 << 20;

/// Something to ask a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// 0 for everything that is not about a channel.
    pub channel: u8,
    /// What.
    pub opcode: Opcode,
    /// At most the negotiated payload limit: requests cannot be cut.
    pub payload: Vec<u8>,
    /// Most bytes taken as an answer, all fragments together.
    pub limit: usize,
    /// From sending to the last byte of the answer; nothing extends it.
    pub patience: Duration,
}

impl Request {
    /// A request on channel 0 without payload, whose answer fits one packet and comes within a
    /// second.
    #[must_use]
    pub fn new(opcode: Opcode) -> Self {
        Self {
            channel: 0,
            opcode,
            payload: Vec::new(),
            limit: usize::from(MAX_PAYLOAD),
            patience: Duration::from_secs(1),
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Accepted,
    /// Here it is, fragments joined.
    Data(Vec<u8>),
    /// No, and what had come before: a text channel that runs dry ends this way.
    Refused {
        /// Why.
        status: Status,
        /// Bytes of the fragments that came first.
        data: Vec<u8>,
    },
    /// More bytes than the request allows for. `SYNC` is needed.
    TooLong,
    /// The camera restarted its interpreter: counter and settings are gone. `SYNC` is needed.
    Rebooted,
    /// The first part of an answer, and not the rest in time. The rest may still come and would
    /// pass for an answer to the same question: `SYNC` is needed.
    Cut(Vec<u8>),
    /// Nothing in time. Whether it was carried out is unknown: `SYNC`, or a question that may be
    /// asked twice, tells.
    Late,
}

/// What a session wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put these bytes on the link.
    Send(Vec<u8>),
    /// An answer is awaited until then.
    Wait(Duration),
    /// The request is over.
    Answer(Answer),
    /// Nothing was asked.
    Idle,
}

#[derive(Clone, Debug)]
struct Pending {
    opcode: Opcode,
    channel: u8,
    deadline: Duration,
    limit: usize,
    data: Vec<u8>,
    answer: Option<Answer>,
}

/// The host's memory of one session. Begin with [`sync`](Self::sync).
#[derive(Clone, Debug)]
pub struct Session {
    parser: Parser,
    /// What the camera's next packet will carry.
    sequence: u8,
    caps: Caps,
    pending: Option<Pending>,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    heard: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            parser: Parser::default(),
            sequence: 0,
            caps: Caps::defaults(MAX_PAYLOAD),
            pending: None,
            out: VecDeque::new(),
            events: VecDeque::new(),
            heard: false,
        }
    }
}

impl Session {
    /// The settings in force. Before [`adopt`](Self::adopt) the camera's defaults, with the
    /// largest payload any board has.
    #[must_use]
    pub const fn caps(&self) -> Caps {
        self.caps
    }

    /// Whether an intact packet ever came: then this is a camera, whatever else is wrong.
    #[must_use]
    pub const fn has_heard(&self) -> bool {
        self.heard
    }

    /// The oldest event not taken yet.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts the camera and this side back to defaults, counter 0. The answer is
    /// [`Answer::Accepted`] or [`Answer::Late`].
    pub fn sync(&mut self, now: Duration, patience: Duration) {
        self.caps = Caps::defaults(MAX_PAYLOAD);
        self.parser.clear();
        self.parser.configure(MAX_PAYLOAD, true);
        self.out.clear();
        self.sequence = 0;
        self.ask(
            now,
            Request {
                patience,
                ..Request::new(Opcode::SYNC)
            },
        );
    }

    /// Asks; a request still open is given up.
    pub fn ask(&mut self, now: Duration, request: Request) {
        let packet = Packet {
            sequence: self.sequence,
            channel: request.channel,
            flags: Flags::default(),
            opcode: request.opcode,
            payload: request.payload,
        };
        self.out.push_back(packet.encode(self.caps.crc));
        self.pending = Some(Pending {
            opcode: request.opcode,
            channel: request.channel,
            deadline: now.saturating_add(request.patience),
            limit: request.limit,
            data: Vec::new(),
            answer: None,
        });
    }

    /// Takes over settings the camera has accepted.
    pub fn adopt(&mut self, caps: Caps) {
        self.caps = caps;
        self.parser.configure(caps.max_payload, caps.crc);
    }

    /// Takes in any slice of what came.
    pub fn hear(&mut self, bytes: &[u8]) {
        let mut parser = std::mem::take(&mut self.parser);
        parser.feed_each(bytes, |header, payload| {
            self.heard = true;
            self.take(header, payload);
        });
        self.parser = parser;
    }

    /// What to do next.
    pub fn turn(&mut self, now: Duration) -> Step {
        if let Some(bytes) = self.out.pop_front() {
            return Step::Send(bytes);
        }
        let Some(pending) = &mut self.pending else {
            return Step::Idle;
        };
        let answer = pending.answer.take();
        if answer.is_none() && now < pending.deadline {
            return Step::Wait(pending.deadline);
        }
        let data = std::mem::take(&mut pending.data);
        self.pending = None;
        Step::Answer(answer.unwrap_or(match data.is_empty() {
            true => Answer::Late,
            false => Answer::Cut(data),
        }))
    }

    fn acknowledge(&mut self, packet: Header, checked: bool) {
        let acknowledgement = Packet::new(packet, &[]).acknowledgement();
        self.out.push_back(acknowledgement.encode(checked));
    }

    fn take(&mut self, packet: Header, payload: &[u8]) {
        if packet.flags.has(Flags::EVENT) {
            // A script may want to know that its event arrived.
            if packet.flags.has(Flags::ACK_REQ) {
                self.acknowledge(packet, self.caps.crc);
            }
            if let Some(event) = Event::decode(&Packet::new(packet, payload)) {
                self.take_event(event);
            }
            return;
        }
        // Nobody agreed on that: the camera has gone back to its defaults without a word that
        // arrived.
        if packet.flags.has(Flags::ACK_REQ) && !self.caps.ack {
            self.acknowledge(packet, true);
            if let Some(pending) = &mut self.pending {
                pending.answer.get_or_insert(Answer::Rebooted);
            }
            return;
        }
        let expected = packet.sequence == self.sequence;
        if packet.flags.has(Flags::ACK_REQ) && (expected || packet.flags.has(Flags::RTX)) {
            self.acknowledge(packet, self.caps.crc);
        }
        let Some(pending) = &mut self.pending else {
            // The answer to a question asked again after the first answer had come after all.
            if packet.flags.has(Flags::NAK) && Status::decode(payload) == Status::SEQUENCE {
                self.sequence = packet.sequence.wrapping_add(1);
            }
            return;
        };
        let mine = packet.opcode == pending.opcode && packet.channel == pending.channel;
        let refusal = packet.flags.has(Flags::NAK);
        if !mine || pending.answer.is_some() || !(expected || refusal) {
            return;
        }
        let is_sync = pending.opcode == Opcode::SYNC;
        if is_sync && !packet.flags.has(Flags::ACK) {
            return;
        }
        // The camera's counter starts over behind the answer to SYNC.
        self.sequence = match is_sync {
            true => 0,
            false => packet.sequence.wrapping_add(1),
        };
        if refusal {
            pending.answer = Some(Answer::Refused {
                status: Status::decode(payload),
                data: std::mem::take(&mut pending.data),
            });
        } else if packet.flags.has(Flags::ACK) {
            pending.answer = Some(Answer::Accepted);
        } else if pending.data.len() + payload.len() > pending.limit {
            pending.answer = Some(Answer::TooLong);
        } else {
            if pending.data.is_empty() && packet.flags.has(Flags::FRAGMENT) {
                // Grown bit by bit it would be copied often and end up twice as large.
                pending.data.reserve_exact(pending.limit.min(RESERVED));
            }
            pending.data.extend_from_slice(payload);
            if !packet.flags.has(Flags::FRAGMENT) {
                pending.answer = Some(Answer::Data(std::mem::take(&mut pending.data)));
            }
        }
    }

    fn take_event(&mut self, event: Event) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
        if event == Event::SOFT_REBOOT
            && let Some(pending) = &mut self.pending
            && pending.opcode != Opcode::SYNC
            && pending.answer.is_none()
        {
            pending.answer = Some(Answer::Rebooted);
        }
    }
}
