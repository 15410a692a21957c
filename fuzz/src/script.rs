//! Input read as a play: what one side of a conversation hears, and when.
//!
//! ```text
//!   byte & 7   0  N           N milliseconds pass
//!              1  N           N times 64 milliseconds pass
//!              2              time passes until the machine wants to be asked again
//!              3  N  bytes    N bytes are heard
//!              4  N N bytes   as many bytes as the little-endian number says are heard
//!              5  N  bytes    N bytes are heard as a HID report, zeros behind them
//!              6              the endpoint refuses
//!              7              the device leaves the bus
//! ```
//!
//! The other five bits of the byte mean nothing. A line cut short takes what is left.

use std::borrow::Cow;
use std::time::Duration;

use omv_wire::{Input, Machine, Turn};

/// Bytes of a report of the RT1062's loaders, its header included.
const REPORT: usize = 1016;
/// Lines of a script that are played; the rest is left out.
const LINES: usize = 512;
/// Rounds of silence in which a host must have come to its end.
const ROUNDS: usize = 4096;

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Time passes.
    Later(Duration),
    /// Time passes until the moment the machine asked for.
    Due,
    /// Something is heard.
    Hear(Cow<'a, [u8]>),
    /// The endpoint refuses.
    Stall,
    /// The device leaves the bus.
    Gone,
}

/// The lines that are left.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    rest: &'a [u8],
    lines: usize,
}

impl<'a> Script<'a> {
    /// Reads any bytes as a script.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            lines: 0,
        }
    }

    fn byte(&mut self) -> u8 {
        take(&mut self.rest, 1).first().copied().unwrap_or(0)
    }
}

/// Takes up to `count` bytes off the front.
pub fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    taken
}

impl<'a> Iterator for Script<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() || self.lines == LINES {
            return None;
        }
        self.lines += 1;
        Some(match self.byte() & 7 {
            0 => Line::Later(Duration::from_millis(self.byte().into())),
            1 => Line::Later(Duration::from_millis(u64::from(self.byte()) * 64)),
            2 => Line::Due,
            3 => {
                let count = self.byte();
                Line::Hear(take(&mut self.rest, count.into()).into())
            }
            4 => {
                let count = u16::from_le_bytes([self.byte(), self.byte()]);
                Line::Hear(take(&mut self.rest, count.into()).into())
            }
            5 => {
                let count = self.byte();
                let mut report = take(&mut self.rest, count.into()).to_vec();
                report.resize(REPORT, 0);
                Line::Hear(report.into())
            }
            6 => Line::Stall,
            _ => Line::Gone,
        })
    }
}

/// What a machine may say at most between two things it hears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Frames; as many again are allowed as bytes were just heard.
    pub frames: usize,
    /// Bytes of one frame.
    pub frame: usize,
}

/// A machine on stage.
pub struct Stage<M> {
    machine: M,
    limits: Limits,
    now: Duration,
    due: Duration,
    over: bool,
    patient: bool,
}

impl<M: Machine> Stage<M> {
    /// Puts a machine on stage and lets it say what it has to say first.
    pub fn new(machine: M, limits: Limits) -> Self {
        let mut stage = Self {
            machine,
            limits,
            now: Duration::ZERO,
            due: Duration::ZERO,
            over: false,
            patient: false,
        };
        stage.settle(0);
        stage
    }

    /// Lets a machine that makes one frame at a time talk on: it is no longer listened to.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Plays a script, to its end or the machine's.
    pub fn play(&mut self, script: Script<'_>) {
        for line in script {
            if self.over {
                return;
            }
            let mut heard = 0;
            match line {
                Line::Later(passed) => self.now += passed,
                Line::Due => self.wait(),
                Line::Hear(bytes) => {
                    heard = bytes.len();
                    self.machine.feed(self.now, Input::Bytes(&bytes));
                }
                Line::Stall => self.machine.feed(self.now, Input::Stall),
                Line::Gone => self.machine.feed(self.now, Input::Gone),
            }
            self.settle(heard);
        }
    }

    /// Falls silent, which a host must not wait out for ever.
    ///
    /// # Panics
    /// When the machine still waits after thousands of rounds.
    pub fn must_end(&mut self) {
        for _ in 0..ROUNDS {
            if self.over {
                return;
            }
            self.wait();
            self.settle(0);
        }
        assert!(self.over, "the host waits for ever, now {:?}", self.now);
    }

    fn wait(&mut self) {
        // A camera that only listens says so with a moment that never comes.
        if self.due < Duration::from_secs(u32::MAX.into()) {
            self.now = self.now.max(self.due);
        }
    }

    /// Asks until the machine waits for something, or is done.
    fn settle(&mut self, heard: usize) {
        for _ in 0..=self.limits.frames + heard {
            match self.machine.poll(self.now) {
                Turn::Send(frame) => assert!(
                    frame.len() <= self.limits.frame,
                    "a frame of {} bytes",
                    frame.len()
                ),
                // A look at a link on which nothing has come.
                Turn::Wait { until } if until <= self.now => {}
                Turn::Wait { until } => {
                    self.due = until;
                    return;
                }
                Turn::Done(_) => {
                    self.over = true;
                    return;
                }
            }
        }
        assert!(
            self.patient,
            "it talks on and on after {heard} bytes, at {:?}",
            self.now
        );
    }
}
