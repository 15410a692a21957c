//! Our side: one command from its first byte to its last reply.
//!
//! ```text
//!   Drain --> First --+--> Out --+--> Final --> done
//!     (look)          +--> In  --+
//!                     +-------------------------> done (no data phase, or an error at once)
//! ```

use std::borrow::Cow;
use std::time::Duration;

use super::codec::{Command, Response, reply, tag};
use super::line::{Event, Line};
use super::{Failure, Wire, status};
use crate::{Input, Machine, Malformed, Turn};

/// Reports in a row that mean nothing before a camera is given up.
const JUNK_REPORTS: usize = 64;
/// Bytes in a row that mean nothing before a camera is given up.
const JUNK_BYTES: usize = 4096;
/// Pieces of leftovers taken off the link before the command goes out all the same.
const LEFTOVERS: u32 = 256;

/// How to reach the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The framing.
    pub wire: Wire,
    /// Bytes per data packet: the camera's property 11.
    pub packet: usize,
    /// How long the camera may take to go on, at every step.
    pub patience: Duration,
}

impl Setup {
    /// The RT1062's packet size for a framing, and SPSDK's 5 s.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            packet: wire.packet(),
            patience: Duration::from_secs(5),
        }
    }
}

/// The data phase of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// None.
    None,
    /// These bytes go to the camera.
    Out(Cow<'a, [u8]>),
    /// Bytes come from the camera; more than this many are refused.
    In(u32),
}

/// What the camera said, be it yes or no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 0 is success; [`status::text`](super::status::text) has words for the others.
    pub status: u32,
    /// The words after the status of the response that carries them: values of a property, byte
    /// count and words of a fuse, length of data, else the tag the camera answers.
    pub words: Vec<u32>,
    /// What was read; not all of it when the status is not 0.
    pub data: Vec<u8>,
    /// The camera went without a word, as it may after reset, execute and call.
    pub left: bool,
    /// The camera ended the data phase early; the status says why.
    pub stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Drain,
    First,
    Out,
    In,
    Final,
    Over,
}

/// One command, its data and its replies.
///
/// Before anything is said, and between reports of outgoing data, it looks whether the camera
/// said something ([`Turn::Wait`] until now): leftovers of an exchange that was given up, or a
/// stop. A `Reply` is whatever the camera answers; a [`Failure`] is about the wire.
pub struct Exchange<'a> {
    line: Line,
    command: Command,
    data: Data<'a>,
    packet: usize,
    patience: Duration,
    junk_limit: usize,
    stage: Stage,
    since: Duration,
    looked: bool,
    leftovers: u32,
    junk: usize,
    sent: usize,
    give_up: bool,
    stopped: bool,
    announced: usize,
    reply: Reply,
    outcome: Option<Result<Reply, Failure>>,
}

impl<'a> Exchange<'a> {
    /// Prepares an exchange; the camera hears of it with the first polls.
    #[must_use]
    pub fn new(setup: Setup, command: Command, data: Data<'a>) -> Self {
        Self {
            line: Line::new(setup.wire, setup.packet),
            command,
            data,
            packet: setup.packet.clamp(1, u16::MAX.into()),
            patience: setup.patience,
            junk_limit: match setup.wire {
                Wire::Hid => JUNK_REPORTS,
                Wire::Uart => JUNK_BYTES,
            },
            stage: Stage::Drain,
            since: Duration::ZERO,
            looked: false,
            leftovers: 0,
            junk: 0,
            sent: 0,
            give_up: false,
            stopped: false,
            announced: 0,
            reply: Reply::default(),
            outcome: None,
        }
    }

    /// Gives up sending data at the next packet: the camera is told, and its status, usually
    /// [`ABORT_DATA_PHASE`](super::status::ABORT_DATA_PHASE), becomes the reply. Without effect
    /// when nothing is left to send.
    pub fn abort(&mut self) {
        self.give_up = true;
    }

    /// Bytes of data moved, and bytes there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        match &self.data {
            Data::None => (0, 0),
            Data::Out(bytes) => (self.sent as u64, bytes.len() as u64),
            Data::In(expected) => (self.reply.data.len() as u64, u64::from(*expected)),
        }
    }

    fn finish(&mut self, outcome: Result<Reply, Failure>) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.outcome = Some(outcome);
        }
    }

    fn answer(&mut self, status: u32, words: &[u32]) {
        let mut reply = std::mem::take(&mut self.reply);
        reply.status = status;
        reply.stopped = self.stopped;
        if reply.words.is_empty() {
            reply.words = words.to_vec();
        }
        self.finish(Ok(reply));
    }

    fn fail(&mut self, failure: impl Into<Failure>) {
        self.finish(Err(failure.into()));
    }

    fn left(&mut self) {
        let reply = Reply {
            left: true,
            ..Reply::default()
        };
        self.finish(Ok(reply));
    }

    fn advance(&mut self, now: Duration, stage: Stage) {
        self.stage = stage;
        self.progressed(now);
    }

    fn progressed(&mut self, now: Duration) {
        self.since = now;
        self.junk = 0;
        self.looked = false;
    }

    fn count_junk(&mut self, amount: usize) {
        self.junk += amount;
        if self.junk > self.junk_limit {
            self.fail(Failure::Protocol {
                what: "nothing the camera says makes sense",
            });
        }
    }

    fn on_event(&mut self, now: Duration, event: Event) {
        match (event, self.stage) {
            (_, Stage::Drain | Stage::Over) => {}
            (Event::Broken(failure), _) => self.fail(failure),
            (Event::Response(payload), _) => match Response::decode(&payload) {
                Ok(response) => {
                    if let Err(malformed) = self.on_response(now, &response) {
                        self.fail(malformed);
                    }
                }
                Err(malformed) => self.fail(malformed),
            },
            (Event::Acknowledged, Stage::Out) if self.all_sent() => {
                self.advance(now, Stage::Final);
            }
            (Event::Acknowledged, _) => {}
            (Event::Data(payload), Stage::In) => self.on_data(now, &payload),
            (Event::Enough, Stage::Out | Stage::Final)
                if matches!(self.data, Data::Out(_)) && !self.stopped =>
            {
                self.stopped = true;
                self.advance(now, Stage::Final);
            }
            (Event::Data(_) | Event::Enough, _) => self.count_junk(1),
            (Event::Junk(amount), _) => self.count_junk(amount),
        }
    }

    fn on_response(&mut self, now: Duration, response: &Response) -> Result<(), Malformed> {
        let (status, words) = response.status()?;
        let answers_us = if response.tag() == reply::GENERIC {
            words.first() == Some(&self.command.tag().into())
        } else {
            self.stage == Stage::First && self.is_typed_reply(response.tag())
        };
        if !answers_us {
            self.count_junk(1);
            return Ok(());
        }
        match self.stage {
            Stage::First if status != status::SUCCESS => self.answer(status, words),
            Stage::First => self.on_accepted(now, response.tag(), words)?,
            // The acceptance, heard twice: data that are not sent cannot have been written.
            Stage::Out if status == status::SUCCESS => self.count_junk(1),
            Stage::In | Stage::Final
                if status == status::SUCCESS && self.reply.data.len() < self.announced =>
            {
                self.fail(Failure::DataLost {
                    announced: self.announced,
                    came: self.reply.data.len(),
                });
            }
            _ => self.answer(status, words),
        }
        Ok(())
    }

    fn is_typed_reply(&self, found: u8) -> bool {
        match self.command.typed_reply() {
            Some(expected) => found == expected,
            None => self.command.tag() > tag::ELE_MESSAGE,
        }
    }

    /// The camera took the command; what follows depends on the data phase.
    fn on_accepted(&mut self, now: Duration, found: u8, words: &[u32]) -> Result<(), Malformed> {
        match &self.data {
            Data::Out(bytes) if bytes.is_empty() => self.advance(now, Stage::Final),
            Data::Out(_) => self.advance(now, Stage::Out),
            Data::In(expected) if found != reply::GENERIC => {
                let (announced, expected) = match words.first() {
                    Some(announced) => (*announced, *expected),
                    None => return Err(Malformed::Short { need: 12, got: 8 }),
                };
                if announced > expected {
                    self.fail(Failure::Protocol {
                        what: "the camera announces more data than asked for",
                    });
                    return Ok(());
                }
                self.announced = usize::try_from(announced).unwrap_or(usize::MAX);
                self.reply.words = words.to_vec();
                let stage = if announced == 0 {
                    Stage::Final
                } else {
                    Stage::In
                };
                self.advance(now, stage);
            }
            Data::None | Data::In(_) => self.answer(status::SUCCESS, words),
        }
        Ok(())
    }

    fn on_data(&mut self, now: Duration, payload: &[u8]) {
        let total = self.reply.data.len().saturating_add(payload.len());
        if total > self.announced {
            self.fail(Failure::Protocol {
                what: "the camera sends more data than it announced",
            });
            return;
        }
        self.reply.data.extend(payload);
        // An empty packet: the camera gives up, and says why in the reply.
        self.stopped |= payload.is_empty();
        let over = payload.is_empty() || total == self.announced;
        self.advance(now, if over { Stage::Final } else { Stage::In });
    }

    fn all_sent(&self) -> bool {
        matches!(&self.data, Data::Out(bytes) if self.sent == bytes.len())
    }

    /// Puts the next piece of data on the line; `false` when looking comes first, or waiting.
    fn send_more(&mut self, now: Duration) -> bool {
        let Data::Out(bytes) = &self.data else {
            return false;
        };
        if !self.line.ready() {
            return false;
        }
        if self.line.needs_looking() && !self.looked {
            return false;
        }
        if self.give_up {
            self.line.send_data(&[]);
            self.advance(now, Stage::Final);
        } else {
            let rest = bytes.get(self.sent..).unwrap_or_default();
            let piece = rest.get(..self.packet).unwrap_or(rest);
            self.sent += piece.len();
            self.line.send_data(piece);
            // Over UART the last packet is first to be acknowledged.
            let over = self.all_sent() && self.line.needs_looking();
            self.advance(now, if over { Stage::Final } else { Stage::Out });
        }
        true
    }

    fn timed_out(&mut self) {
        if self.command.tag() == tag::RESET && self.stage != Stage::Drain {
            return self.left();
        }
        self.fail(Failure::Timeout {
            what: match self.stage {
                Stage::Out => "the camera to take data",
                Stage::In => "data",
                Stage::Final => "the final response",
                Stage::Drain | Stage::First | Stage::Over => "the response",
            },
        });
    }

    /// A wait that lasts no longer than the present moment, if one is due.
    fn look(&mut self) -> bool {
        let wanted = match self.stage {
            Stage::Drain => self.leftovers < LEFTOVERS,
            Stage::Out => self.line.needs_looking() && self.line.ready(),
            _ => false,
        };
        wanted && !std::mem::replace(&mut self.looked, true)
    }
}

impl Machine for Exchange<'_> {
    type Output = Result<Reply, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                let mut events = Vec::new();
                self.line.feed(now, bytes, |event| events.push(event));
                // Whatever came, more may be behind it: look again.
                self.looked = false;
                self.leftovers = self.leftovers.saturating_add(1);
                for event in events {
                    self.on_event(now, event);
                }
            }
            Input::Stall => self.fail(Failure::Refused),
            Input::Gone if self.command.leaves() && self.stage != Stage::Drain => self.left(),
            Input::Gone => self.fail(Failure::Gone),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        loop {
            if self.stage == Stage::Over {
                // The last response wants its acknowledgement too.
                if let Some(Ok(Reply { left: false, .. })) = self.outcome
                    && let Some(Ok(bytes)) = self.line.poll(now)
                {
                    return Turn::Send(bytes);
                }
                let again = Failure::Protocol {
                    what: "the exchange had ended before",
                };
                return Turn::Done(self.outcome.take().unwrap_or(Err(again)));
            }
            match self.line.poll(now) {
                Some(Ok(bytes)) => return Turn::Send(bytes),
                Some(Err(failure)) => {
                    self.fail(failure);
                    continue;
                }
                None => {}
            }
            if self.look() {
                return Turn::Wait { until: now };
            }
            if self.stage == Stage::Drain {
                self.line.send_command(&self.command.encode());
                self.advance(now, Stage::First);
                continue;
            }
            if self.stage == Stage::Out && self.send_more(now) {
                continue;
            }
            let deadline = self.since.saturating_add(self.patience);
            if now >= deadline {
                self.timed_out();
                continue;
            }
            let until = self.line.wake().map_or(deadline, |wake| wake.min(deadline));
            return Turn::Wait { until };
        }
    }
}
