//! The host's end of either framing, so that the exchange above need not know which it is.

use std::collections::VecDeque;
use std::time::Duration;

use super::hid::{self, Report};
use super::uart::{Frame, Heard, Scanner, encode_command, encode_data, is_command};
use super::{Failure, Wire};

/// How often a packet is repeated, and how often a repetition is asked for.
const REPEATS: u32 = 5;

/// Silence after which a packet that began, or bytes that were none, count as damaged. A device
/// gives the other side 10 ms a byte; USB bridges and virtual machines need more patience.
const GAP: Duration = Duration::from_millis(250);

/// Payload the scanner accepts however small the negotiated packet size is.
const LEAST_LIMIT: usize = 1024;

/// What came in, freed of framing.
pub(super) enum Event {
    Response(Vec<u8>),
    Data(Vec<u8>),
    /// A packet of ours arrived; said only where there are acknowledgements.
    Acknowledged,
    /// The camera wants no more data.
    Enough,
    /// Reports or bytes that mean nothing here.
    Junk(usize),
    Broken(Failure),
}

pub(super) enum Line {
    Hid(VecDeque<Vec<u8>>),
    Uart(Serial),
}

pub(super) struct Serial {
    scanner: Scanner,
    out: VecDeque<Vec<u8>>,
    unacknowledged: Option<Vec<u8>>,
    repeats: u32,
    naks: u32,
    unclear_since: Option<Duration>,
}

impl Line {
    pub(super) fn new(wire: Wire, packet: usize) -> Self {
        match wire {
            Wire::Hid => Self::Hid(VecDeque::new()),
            Wire::Uart => Self::Uart(Serial {
                scanner: Scanner::new(packet.max(LEAST_LIMIT)),
                out: VecDeque::new(),
                unacknowledged: None,
                repeats: 0,
                naks: 0,
                unclear_since: None,
            }),
        }
    }

    pub(super) fn send_command(&mut self, payload: &[u8]) {
        match self {
            Self::Hid(out) => out.push_back(hid::encode(hid::COMMAND_OUT, payload)),
            Self::Uart(serial) => serial.send(encode_command(payload)),
        }
    }

    pub(super) fn send_data(&mut self, payload: &[u8]) {
        match self {
            Self::Hid(out) => out.push_back(hid::encode(hid::DATA_OUT, payload)),
            Self::Uart(serial) => serial.send(encode_data(payload)),
        }
    }

    /// Whether nothing stands between now and the next packet of ours.
    pub(super) fn ready(&self) -> bool {
        match self {
            Self::Hid(out) => out.is_empty(),
            Self::Uart(serial) => serial.unacknowledged.is_none(),
        }
    }

    /// Whether a stop can arrive although nothing of ours waits for an acknowledgement.
    pub(super) fn needs_looking(&self) -> bool {
        matches!(self, Self::Hid(_))
    }

    /// Takes in one report or a piece of the stream and passes on what it held.
    pub(super) fn feed(&mut self, now: Duration, bytes: &[u8], mut tell: impl FnMut(Event)) {
        match self {
            Self::Hid(_) => tell(report(bytes)),
            Self::Uart(serial) => serial.feed(now, bytes, &mut tell),
        }
    }

    /// The next bytes to put on the link.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Result<Vec<u8>, Failure>> {
        match self {
            Self::Hid(out) => out.pop_front().map(Ok),
            Self::Uart(serial) => serial.poll(now),
        }
    }

    /// When [`poll`](Self::poll) must be asked again although nothing came.
    pub(super) fn wake(&self) -> Option<Duration> {
        match self {
            Self::Hid(_) => None,
            Self::Uart(serial) => serial.unclear_since.map(|since| since + GAP),
        }
    }
}

fn report(bytes: &[u8]) -> Event {
    match Report::decode(bytes) {
        Ok(Report { id, payload }) => match id {
            hid::RESPONSE_IN if payload.is_empty() => Event::Enough,
            hid::RESPONSE_IN => Event::Response(payload.to_vec()),
            hid::DATA_IN => Event::Data(payload.to_vec()),
            _ => Event::Junk(1),
        },
        Err(malformed) => match bytes.first() {
            Some(&(hid::RESPONSE_IN | hid::DATA_IN)) => Event::Broken(malformed.into()),
            _ => Event::Junk(1),
        },
    }
}

impl Serial {
    fn send(&mut self, frame: Vec<u8>) {
        self.out.push_back(frame.clone());
        self.unacknowledged = Some(frame);
        self.repeats = 0;
    }

    fn feed(&mut self, now: Duration, mut bytes: &[u8], tell: &mut impl FnMut(Event)) {
        let mut clear = true;
        while let Some(heard) = self.scanner.next(&mut bytes) {
            clear = !matches!(heard, Heard::Junk(_));
            self.take(heard, tell);
        }
        let unclear = !clear || self.scanner.is_mid_frame();
        self.unclear_since = unclear.then_some(now);
    }

    fn take(&mut self, heard: Heard, tell: &mut impl FnMut(Event)) {
        match heard {
            Heard::Frame(Frame::Ack) => tell(match self.unacknowledged.take() {
                Some(_) => Event::Acknowledged,
                None => Event::Junk(2),
            }),
            Heard::Frame(Frame::Nak) => match &self.unacknowledged {
                Some(_) if self.repeats == REPEATS => {
                    tell(Event::Broken(Failure::NotAcknowledged { repeats: REPEATS }));
                }
                Some(frame) => {
                    self.out.push_back(frame.clone());
                    self.repeats += 1;
                }
                None => tell(Event::Junk(2)),
            },
            Heard::Frame(Frame::Abort) => {
                self.unacknowledged = None;
                tell(Event::Enough);
            }
            Heard::Frame(Frame::Command(payload)) => {
                self.acknowledge();
                tell(Event::Response(payload));
            }
            Heard::Frame(Frame::Data(payload)) => {
                self.acknowledge();
                tell(Event::Data(payload));
            }
            Heard::Frame(frame @ (Frame::Ping | Frame::Pong(_))) => {
                tell(Event::Junk(frame.encode().len()));
            }
            Heard::Damaged(malformed) if self.naks == REPEATS => {
                tell(Event::Broken(malformed.into()));
            }
            Heard::Damaged(_) => self.ask_again(),
            Heard::Junk(bytes) => tell(Event::Junk(bytes)),
        }
    }

    /// A packet of the camera's also says that a command of ours arrived: its acknowledgement got
    /// lost. That is not certain of data, where a response may be an older one come twice.
    fn acknowledge(&mut self) {
        self.unacknowledged.take_if(|frame| is_command(frame));
        self.naks = 0;
        self.out.push_back(Frame::Ack.encode());
    }

    fn ask_again(&mut self) {
        self.naks += 1;
        self.out.push_back(Frame::Nak.encode());
    }

    fn poll(&mut self, now: Duration) -> Option<Result<Vec<u8>, Failure>> {
        if self.unclear_since.is_some_and(|since| now >= since + GAP) {
            self.unclear_since = None;
            self.scanner.reset();
            // What got damaged may have been an acknowledgement, which cannot be asked for again.
            if self.unacknowledged.is_none() {
                if self.naks == REPEATS {
                    let what = "the camera's packets stay damaged";
                    return Some(Err(Failure::Protocol { what }));
                }
                self.ask_again();
            }
        }
        self.out.pop_front().map(Ok)
    }
}
