//! Our side: catching the window, and writing firmware at a pace the camera can follow.
//!
//! ```text
//!  Greet:   START every 10 ms until answered --> QUERY --> external QUERY --> Greeting
//!
//!  Update:  ERASE, QUERY, wait  (each sector)     quick: a question after each erase
//!           32 x WRITE, QUERY, wait  (to the end)        and each batch shows it follows
//!           RESET                                 careful: fixed pauses instead
//! ```
//!
//! Sources: openmv/qt-creator `openmvpluginserialport.cpp`, `openmvpluginio.cpp`,
//! `bootloaders/openmvpluginbootloader.cpp` (times, sizes, batches).

use std::ops::RangeInclusive;
use std::time::Duration;

use super::codec::{Blocks, Command, Layout, Version};
use crate::{Input, Machine, Malformed, Turn};

/// How often START is sent again.
const RESEND: Duration = Duration::from_millis(10);
/// Silence that says that no more answers to START will come.
const QUIET: Duration = Duration::from_millis(30);
/// Longest wait for an answer that nothing holds up.
const ANSWER: Duration = Duration::from_millis(500);
/// Longest wait for the answer after an erase.
const ERASED: Duration = Duration::from_secs(10);
/// Pause after an erase where nothing can be asked.
const ERASE_PAUSE: Duration = Duration::from_millis(2000);
/// Pause after a write where nothing can be asked.
const WRITE_PAUSE: Duration = Duration::from_millis(1);
/// Pause around RESET.
const RESET_PAUSE: Duration = Duration::from_millis(5);
/// Writes between two questions.
const BATCH: usize = 32;

/// Why an update did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// START was not answered.
    #[error("the serial bootloader does not answer")]
    Silent,
    /// It left the bus.
    #[error("the camera has left")]
    Gone,
    /// It stopped answering after this many bytes of the firmware.
    #[error("the serial bootloader stopped answering after {written} bytes")]
    Stopped {
        /// Bytes sent before.
        written: usize,
    },
    /// An answer is none.
    #[error("the serial bootloader answers wrongly: {0}")]
    Malformed(#[from] Malformed),
}

/// What a bootloader says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: Version,
    /// Its sectors; none from version 1, which the caller must know.
    pub layout: Option<Layout>,
    /// Its external flash; none where there is none.
    pub blocks: Option<Blocks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Start,
    /// Waits for answers to START that were asked for too often.
    Quiet,
    Layout,
    Blocks,
}

/// Says START until somebody answers, then asks for the layouts.
#[derive(Clone, Debug)]
pub struct Greet {
    end: Option<Duration>,
    patience: Duration,
    asking: Asking,
    due: Duration,
    heard: Vec<u8>,
    greeting: Greeting,
    outcome: Option<Result<Greeting, Failure>>,
    send: Option<Command>,
}

impl Greet {
    /// Tries for this long: a window is open for one second, of old bootloaders for half of one.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            end: None,
            patience,
            asking: Asking::Start,
            due: Duration::ZERO,
            heard: Vec::new(),
            greeting: Greeting {
                version: Version::One,
                layout: None,
                blocks: None,
            },
            outcome: None,
            send: None,
        }
    }

    fn ask(&mut self, asking: Asking, command: Command, now: Duration) {
        self.asking = asking;
        self.due = now + ANSWER;
        self.heard.clear();
        self.send = Some(command);
    }

    fn look(&mut self, now: Duration) {
        let outcome = match (self.asking, self.heard.as_slice()) {
            (Asking::Start, &[a, b, c, d, ..]) => {
                self.greeting.version = Version::of(u32::from_le_bytes([a, b, c, d]));
                self.asking = Asking::Quiet;
                self.due = now + QUIET;
                None
            }
            (Asking::Quiet, _) => {
                self.due = now + QUIET;
                None
            }
            (Asking::Layout, bytes) if bytes.len() >= Layout::LEN => match Layout::decode(bytes) {
                Err(malformed) => Some(Err(malformed.into())),
                Ok(layout) => {
                    self.greeting.layout = Some(layout);
                    if self.greeting.version == Version::Three {
                        self.ask(Asking::Blocks, Command::BlockQuery, now);
                        None
                    } else {
                        Some(Ok(self.greeting))
                    }
                }
            },
            (Asking::Blocks, bytes) if bytes.len() >= Layout::LEN => match Blocks::decode(bytes) {
                Err(malformed) => Some(Err(malformed.into())),
                Ok(blocks) => {
                    self.greeting.blocks = Some(blocks).filter(|blocks| blocks.size > 0);
                    Some(Ok(self.greeting))
                }
            },
            _ => None,
        };
        self.outcome = self.outcome.take().or(outcome);
    }

    /// The time for what is asked is over.
    fn late(&mut self, now: Duration, end: Duration) -> Option<Turn<Result<Greeting, Failure>>> {
        match self.asking {
            Asking::Start if now >= end => self.outcome = Some(Err(Failure::Silent)),
            Asking::Start => {
                self.due = (now + RESEND).min(end);
                return Some(Turn::Send(Command::Start.encode()));
            }
            Asking::Quiet if self.greeting.version == Version::One => {
                self.outcome = Some(Ok(self.greeting));
            }
            Asking::Quiet => self.ask(Asking::Layout, Command::Query, now),
            Asking::Layout | Asking::Blocks => {
                self.outcome = Some(Err(Failure::Stopped { written: 0 }));
            }
        }
        None
    }
}

impl Machine for Greet {
    type Output = Result<Greeting, Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => {
                let room = 64_usize.saturating_sub(self.heard.len());
                self.heard.extend(bytes.iter().take(room));
                self.look(now);
            }
            Input::Stall => {}
            Input::Gone => self.outcome = self.outcome.take().or(Some(Err(Failure::Gone))),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        let end = *self.end.get_or_insert(now + self.patience);
        loop {
            if let Some(outcome) = &self.outcome {
                return Turn::Done(outcome.clone());
            }
            if let Some(command) = self.send.take() {
                return Turn::Send(command.encode());
            }
            if now < self.due {
                return Turn::Wait { until: self.due };
            }
            if let Some(turn) = self.late(now, end) {
                return turn;
            }
        }
    }
}

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Full packets, with a question after each erase and each batch. Not for version 1.
    Quick,
    /// Packets that leave room, with fixed pauses: for version 1, and after a failure.
    Careful,
}

/// What an update consists of.
#[derive(Clone, Debug)]
pub struct Job {
    /// Sectors to erase.
    pub sectors: Option<RangeInclusive<u32>>,
    /// Blocks of the external flash to erase.
    pub blocks: Option<RangeInclusive<u32>>,
    /// The firmware; empty to erase alone.
    pub firmware: Vec<u8>,
    /// Bytes of an endpoint, 64 or 512.
    pub packet: usize,
    /// How fast.
    pub pace: Pace,
}

impl Job {
    fn chunk(&self) -> usize {
        let spare = match self.pace {
            Pace::Quick => Command::HEAD,
            Pace::Careful => Command::HEAD + 4,
        };
        self.packet.saturating_sub(spare).max(4) / 4 * 4
    }

    fn commands(&self) -> Vec<Command> {
        let sectors = self.sectors.clone().into_iter().flatten();
        let blocks = self.blocks.clone().into_iter().flatten();
        let mut firmware = self.firmware.clone();
        firmware.resize(firmware.len().next_multiple_of(4), 0xFF);
        let writes = firmware.chunks(self.chunk());
        sectors
            .map(Command::Erase)
            .chain(blocks.map(Command::BlockErase))
            .chain(writes.map(|chunk| Command::Write(chunk.to_vec())))
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Send,
    /// A question goes out, with this long for the answer.
    Ask(Duration),
    Answer,
    /// A pause before RESET, and one after it.
    Last,
    Over,
}

/// Erases and writes, after a [`Greet`] on the same link. Ends with the application starting.
#[derive(Clone, Debug)]
pub struct Update {
    commands: std::vec::IntoIter<Command>,
    pace: Pace,
    packet: usize,
    next: Next,
    due: Duration,
    batch: usize,
    heard: usize,
    written: usize,
    total: usize,
    outcome: Option<Result<(), Failure>>,
}

impl Update {
    /// Starts with the first `poll`.
    #[must_use]
    pub fn new(job: &Job) -> Self {
        Self {
            commands: job.commands().into_iter(),
            pace: job.pace,
            packet: job.packet,
            next: Next::Send,
            due: Duration::ZERO,
            batch: 0,
            heard: 0,
            written: 0,
            total: job.firmware.len(),
            outcome: None,
        }
    }

    /// Bytes of the firmware sent, and all of them.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.written.min(self.total), self.total)
    }

    /// What follows a command.
    fn sent(&mut self, now: Duration, command: &Command) -> Vec<u8> {
        let mut packet = command.encode();
        let writes = matches!(command, Command::Write(_));
        if let Command::Write(bytes) = command {
            self.written += bytes.len();
            self.batch += 1;
        }
        match (self.pace, writes) {
            (Pace::Careful, true) => self.due = now + WRITE_PAUSE,
            (Pace::Careful, false) => self.due = now + ERASE_PAUSE,
            (Pace::Quick, true) => {
                if self.batch >= BATCH || self.commands.len() == 0 {
                    self.batch = 0;
                    self.next = Next::Ask(ANSWER);
                }
            }
            (Pace::Quick, false) => {
                // Filled up, so that the question travels in a packet of its own.
                packet.resize(self.packet, 0);
                self.next = Next::Ask(ERASED);
            }
        }
        packet
    }
}

impl Machine for Update {
    type Output = Result<(), Failure>;

    fn feed(&mut self, _now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.heard += bytes.len(),
            Input::Stall => {}
            // After RESET that is the aim.
            Input::Gone if self.next == Next::Over => self.outcome = Some(Ok(())),
            Input::Gone => self.outcome = self.outcome.take().or(Some(Err(Failure::Gone))),
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        loop {
            if let Some(outcome) = &self.outcome {
                return Turn::Done(outcome.clone());
            }
            if self.next == Next::Answer && self.heard >= Layout::LEN {
                self.heard = 0;
                self.due = now;
                self.next = Next::Send;
            }
            if now < self.due {
                return Turn::Wait { until: self.due };
            }
            match self.next {
                Next::Ask(limit) => {
                    self.heard = 0;
                    self.due = now + limit;
                    self.next = Next::Answer;
                    return Turn::Send(Command::Query.encode());
                }
                Next::Answer => {
                    let written = self.written;
                    self.outcome = Some(Err(Failure::Stopped { written }));
                }
                Next::Send => match self.commands.next() {
                    Some(command) => return Turn::Send(self.sent(now, &command)),
                    None => {
                        self.due = now + RESET_PAUSE;
                        self.next = Next::Last;
                    }
                },
                Next::Last => {
                    self.due = now + RESET_PAUSE;
                    self.next = Next::Over;
                    return Turn::Send(Command::Reset.encode());
                }
                Next::Over => self.outcome = Some(Ok(())),
            }
        }
    }
}
