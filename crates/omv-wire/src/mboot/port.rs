//! The camera's end of either framing.

use std::collections::VecDeque;
use std::time::Duration;

use super::Wire;
use super::codec::Response;
use super::hid::{self, HEADER};
use super::uart::{Frame, Heard, Pong, Scanner, encode_command, encode_data};

/// Packets that may wait to be sent. A host that does not read is not listened to.
const QUEUE: usize = 16;

/// Bytes of a command that are looked at.
pub(super) const COMMAND: usize = 32;

/// What is not certain of the real loaders, or differs between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// UART: protocol version told to a ping, as major, minor, bugfix.
    pub version: [u8; 3],
    /// UART: acknowledge at once; the real loaders do it when they are about to read or write
    /// again, so after an erase and not before.
    pub acknowledges_at_once: bool,
    /// UART: a write refused before its first data is stopped at once and not in answer to the
    /// first data packet. nxp-mcuxpresso/sbl reads as if it did this.
    pub stops_at_once: bool,
    /// Whether a reset is answered before the camera leaves.
    pub answers_reset: bool,
    /// UART: silence inside a packet after which the camera forgets it.
    pub gap: Duration,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            version: [1, 2, 0],
            acknowledges_at_once: false,
            stops_at_once: false,
            answers_reset: true,
            gap: Duration::from_millis(30),
        }
    }
}

/// What the host said, freed of framing.
pub(super) enum Told {
    /// At least [`COMMAND`] bytes over HID, the last of them perhaps not the host's.
    Command(Vec<u8>),
    Data(Vec<u8>),
    /// A report that is neither, or that claims more than it carries.
    Wrong,
    /// The host wants no more data.
    Stop,
    Ping,
}

/// What the port is up to.
pub(super) enum Next {
    Send(Vec<u8>),
    /// Something waits for its time.
    Later(Duration),
    /// Everything is said, but the last packet is not acknowledged.
    Unacknowledged,
    Free,
}

struct Item {
    frame: Vec<u8>,
    ready: Duration,
    acknowledged: bool,
}

pub(super) struct Port {
    wire: Wire,
    packet: usize,
    pub(super) quirks: Quirks,
    scanner: Scanner,
    /// HID: reports of both directions lie in one buffer, and nobody ever clears it. What stands
    /// behind a short one is what stood there before.
    buffer: Vec<u8>,
    last_byte: Duration,
    out: VecDeque<Item>,
    /// Repetitions and the like, which pass everything else.
    urgent: VecDeque<Vec<u8>>,
    unacknowledged: Option<Vec<u8>>,
}

impl Port {
    pub(super) fn new(wire: Wire, packet: usize, quirks: Quirks) -> Self {
        Self {
            wire,
            packet,
            quirks,
            scanner: Scanner::new(packet),
            buffer: match wire {
                Wire::Hid => vec![0; HEADER + packet],
                Wire::Uart => Vec::new(),
            },
            last_byte: Duration::ZERO,
            out: VecDeque::new(),
            urgent: VecDeque::new(),
            unacknowledged: None,
        }
    }

    pub(super) fn wire(&self) -> Wire {
        self.wire
    }

    pub(super) fn packet(&self) -> usize {
        self.packet
    }

    /// Whether the host leaves its replies lying.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= QUEUE || self.urgent.len() >= QUEUE
    }

    pub(super) fn feed(&mut self, now: Duration, bytes: &[u8]) -> VecDeque<Told> {
        match self.wire {
            Wire::Hid => self.report(bytes).into_iter().collect(),
            Wire::Uart => self.stream(now, bytes),
        }
    }

    fn report(&mut self, bytes: &[u8]) -> Option<Told> {
        if bytes.len() > self.buffer.len() {
            return None;
        }
        for (to, from) in self.buffer.iter_mut().zip(bytes) {
            *to = *from;
        }
        let (header, rest) = self.buffer.split_first_chunk()?;
        let [id, _, low, high] = *header;
        let length = usize::from(u16::from_le_bytes([low, high]));
        // Less than a header counts as enough: the loaders' subtraction wraps around.
        let carries = bytes.len().checked_sub(HEADER).unwrap_or(usize::MAX);
        if length > carries {
            return Some(Told::Wrong);
        }
        match id {
            hid::COMMAND_OUT if length == 0 => Some(Told::Command(Vec::new())),
            hid::COMMAND_OUT => Some(Told::Command(rest.get(..COMMAND)?.to_vec())),
            hid::DATA_OUT => Some(Told::Data(rest.get(..length).unwrap_or(rest).to_vec())),
            _ => Some(Told::Wrong),
        }
    }

    fn stream(&mut self, now: Duration, mut bytes: &[u8]) -> VecDeque<Told> {
        if now.saturating_sub(self.last_byte) >= self.quirks.gap {
            self.scanner.reset();
        }
        self.last_byte = now;
        let mut told = VecDeque::new();
        while let Some(heard) = self.scanner.next(&mut bytes) {
            // What lets the queue drain is heard always.
            let drains = matches!(heard, Heard::Frame(Frame::Ack | Frame::Abort));
            if drains || told.len() < QUEUE && !self.is_full() {
                told.extend(self.take(heard));
            }
        }
        told
    }

    fn take(&mut self, heard: Heard) -> Option<Told> {
        match heard {
            Heard::Frame(Frame::Ack) => {
                self.unacknowledged = None;
                None
            }
            Heard::Frame(Frame::Nak) => {
                self.urgent.extend(self.unacknowledged.clone());
                None
            }
            Heard::Frame(Frame::Abort) => self.unacknowledged.take().map(|_| Told::Stop),
            // A host that goes on has heard: its acknowledgement got lost.
            Heard::Frame(Frame::Command(payload)) => {
                self.unacknowledged = None;
                Some(Told::Command(payload))
            }
            Heard::Frame(Frame::Data(payload)) => {
                self.unacknowledged = None;
                Some(Told::Data(payload))
            }
            Heard::Frame(Frame::Ping) => Some(Told::Ping),
            Heard::Damaged(_) => {
                self.urgent.push_back(Frame::Nak.encode());
                None
            }
            Heard::Frame(Frame::Pong(_)) | Heard::Junk(_) => None,
        }
    }

    /// Drops all that was to be said, and answers a ping.
    pub(super) fn greet(&mut self) {
        self.out.clear();
        self.unacknowledged = None;
        let pong = Pong {
            version: self.quirks.version,
            options: 0,
        };
        self.urgent.push_back(Frame::Pong(pong).encode());
    }

    /// A place in what is to be said, for [`acknowledge`](Self::acknowledge).
    pub(super) fn mark(&self) -> usize {
        self.out.len()
    }

    /// Acknowledges a packet, before everything said since `mark`.
    pub(super) fn acknowledge(&mut self, mark: usize, now: Duration, ready: Duration) {
        if self.wire == Wire::Uart {
            let at_once = self.quirks.acknowledges_at_once;
            let item = Item {
                frame: Frame::Ack.encode(),
                ready: if at_once { now } else { ready },
                acknowledged: true,
            };
            self.out.insert(mark.min(self.out.len()), item);
        }
    }

    pub(super) fn respond(&mut self, ready: Duration, response: &Response) {
        let payload = response.encode();
        let frame = match self.wire {
            Wire::Hid => self.padded(hid::RESPONSE_IN, &payload),
            Wire::Uart => encode_command(&payload),
        };
        self.say(ready, frame, self.wire == Wire::Hid);
    }

    /// Data; empty when the camera gives up.
    pub(super) fn data(&mut self, ready: Duration, payload: &[u8]) {
        let frame = match self.wire {
            Wire::Hid => self.padded(hid::DATA_IN, payload),
            Wire::Uart => encode_data(payload),
        };
        self.say(ready, frame, self.wire == Wire::Hid);
    }

    /// Tells the host to stop sending data.
    pub(super) fn stop(&mut self, ready: Duration) {
        let frame = match self.wire {
            Wire::Hid => self.padded(hid::RESPONSE_IN, &[]),
            Wire::Uart => Frame::Abort.encode(),
        };
        self.say(ready, frame, true);
    }

    fn padded(&mut self, id: u8, payload: &[u8]) -> Vec<u8> {
        let [low, high] = u16::try_from(payload.len())
            .unwrap_or(u16::MAX)
            .to_le_bytes();
        let report = [id, 0, low, high]
            .into_iter()
            .chain(payload.iter().copied());
        for (to, from) in self.buffer.iter_mut().zip(report) {
            *to = from;
        }
        self.buffer.clone()
    }

    fn say(&mut self, ready: Duration, frame: Vec<u8>, acknowledged: bool) {
        self.out.push_back(Item {
            frame,
            ready,
            acknowledged,
        });
    }

    pub(super) fn next(&mut self, now: Duration) -> Next {
        if let Some(frame) = self.urgent.pop_front() {
            return Next::Send(frame);
        }
        if self.unacknowledged.is_some() {
            return Next::Unacknowledged;
        }
        match self.out.front() {
            None => Next::Free,
            Some(item) if item.ready > now => Next::Later(item.ready),
            Some(_) => match self.out.pop_front() {
                Some(item) => {
                    self.unacknowledged = (!item.acknowledged).then(|| item.frame.clone());
                    Next::Send(item.frame)
                }
                None => Next::Free,
            },
        }
    }
}
