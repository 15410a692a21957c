//! A block on its way into the device: DNLOAD, then GETSTATUS until it is worked off.
//!
//! ```text
//!   DNLOAD --> GETSTATUS --dfuDNBUSY--> pause --> GETSTATUS ... --dfuDNLOAD-IDLE--> done
//!                  |                                  |
//!                  +--dfuERROR, other states--> fail  +--still busy at the deadline--> fail, or
//!                                                     |  CLRSTATUS, GETSTATUS: errUNKNOWN
//!                                                     +> CLRSTATUS, GETSTATUS: dfuIDLE --> done
//! ```

use std::time::Duration;

use super::{Failure, Next, Reach, Step, Steps, Told};
use crate::dfu::{Report, State, Status, request};

/// Refusals of GETSTATUS in a row that are forgiven: the STM32L4 refuses while it erases.
/// Source: dfu-util src/dfuse.c.
const STALLS: u32 = 3;

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The device said so.
    Said,
    /// The device never said so, and was brought back by clearing an error it did not have.
    Kicked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Download,
    Polling,
    Pausing,
    /// The number of the request: clear, status, clear, status.
    Kick(u8),
}

/// One block or command.
#[derive(Clone, Debug)]
pub struct Work {
    reach: Reach,
    block: u16,
    data: Vec<u8>,
    what: &'static str,
    /// The first answer must be `dfuDNBUSY`, or the device did not understand.
    must_be_busy: bool,
    limit: Duration,
    kick_after: Option<Duration>,
    phase: Phase,
    started: Duration,
    asked: bool,
    stalls: u32,
    silences: u32,
    pause: Duration,
}

impl Work {
    pub fn new(reach: Reach, block: u16, data: Vec<u8>, what: &'static str) -> Self {
        Self {
            limit: reach.limits.work,
            reach,
            block,
            data,
            what,
            must_be_busy: false,
            kick_after: None,
            phase: Phase::Download,
            started: Duration::ZERO,
            asked: false,
            stalls: 0,
            silences: 0,
            pause: Duration::ZERO,
        }
    }

    /// Wants to see `dfuDNBUSY` first.
    pub fn strict(mut self) -> Self {
        self.must_be_busy = true;
        self
    }

    /// Takes as long as erasing everything may.
    pub fn patient(mut self) -> Self {
        let limits = &mut self.reach.limits;
        self.limit = limits.erase_all;
        limits.transfer = limits.erase_all;
        limits.poll = limits.erase_all;
        self
    }

    /// Clears an error that is not there when the device is still busy after this time.
    pub fn kick_after(mut self, after: Option<Duration>) -> Self {
        self.kick_after = after;
        self
    }

    fn ask(&mut self, phase: Phase) -> Next<Done> {
        self.phase = phase;
        match phase {
            Phase::Kick(0 | 2) => self.reach.out(request::CLRSTATUS, 0, Vec::new()),
            _ => self.reach.get_status(),
        }
    }

    fn pause(&mut self, now: Duration) -> Next<Done> {
        self.phase = Phase::Pausing;
        let until = now.saturating_add(self.pause);
        // One more question at each deadline, then it counts.
        let deadlines = [self.kick_at(), Some(self.ends())];
        let next = deadlines.into_iter().flatten().filter(|at| *at > now).min();
        Next::Pause(next.map_or(until, |next| next.min(until)))
    }

    fn ends(&self) -> Duration {
        self.started.saturating_add(self.limit)
    }

    /// When the device is kicked: never before twice the time it asks for.
    fn kick_at(&self) -> Option<Duration> {
        let after = self.kick_after?.max(self.pause.saturating_mul(2));
        Some(self.started.saturating_add(after))
    }

    fn timeout(&self) -> Failure {
        Failure::Timeout { what: self.what }
    }

    fn polled(&mut self, now: Duration, report: &Report) -> Step<Done> {
        let first = !std::mem::replace(&mut self.asked, true);
        self.stalls = 0;
        match (report.state, report.status) {
            (State::Error, status) => {
                let what = self.what;
                Err(Failure::Status { status, what })
            }
            (State::DownloadBusy, _) => {
                self.pause = self.reach.poll(report)?;
                self.still_busy(now)
            }
            (State::DownloadSync, _) if !(first && self.must_be_busy) => {
                self.pause = self.reach.poll(report)?;
                self.still_busy(now)
            }
            (State::DownloadIdle, Status::OK) if !(first && self.must_be_busy) => {
                Ok(Next::Done(Done::Said))
            }
            (State::DownloadIdle, status) if status != Status::OK => {
                let what = self.what;
                Err(Failure::Status { status, what })
            }
            (state, _) => Err(Failure::State {
                state,
                what: self.what,
            }),
        }
    }

    fn still_busy(&mut self, now: Duration) -> Step<Done> {
        if self.kick_at().is_some_and(|at| at <= now) {
            return Ok(self.ask(Phase::Kick(0)));
        }
        if self.ends() <= now {
            return Err(self.timeout());
        }
        Ok(self.pause(now))
    }

    fn kicking(&mut self, now: Duration, step: u8, told: Told<'_>) -> Step<Done> {
        if step == 0 && told == Told::Stall {
            // Another chip than thought: it will end by itself, or not.
            self.kick_after = None;
            return self.still_busy(now);
        }
        let bytes = told.reply(self.what)?;
        let wanted = match step {
            1 => (State::Error, Status::UNKNOWN),
            3 => (State::Idle, Status::OK),
            _ => return Ok(self.ask(Phase::Kick(step + 1))),
        };
        let report = Report::decode(bytes)?;
        if (report.state, report.status) != wanted {
            return Err(Failure::State {
                state: report.state,
                what: self.what,
            });
        }
        if step == 1 {
            return Ok(self.ask(Phase::Kick(2)));
        }
        Ok(Next::Done(Done::Kicked))
    }
}

impl Steps<Done> for Work {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<Done> {
        match (self.phase, told) {
            (_, Told::Start) => {
                self.started = now;
                let data = std::mem::take(&mut self.data);
                Ok(self.reach.out(request::DNLOAD, self.block, data))
            }
            (_, Told::Gone) => Err(Failure::Gone),
            (Phase::Download, told) => {
                told.reply(self.what)?;
                Ok(self.ask(Phase::Polling))
            }
            (Phase::Pausing, _) => Ok(self.ask(Phase::Polling)),
            (Phase::Kick(step), told) => self.kicking(now, step, told),
            (Phase::Polling, Told::Stall) => {
                self.stalls += 1;
                if self.stalls > STALLS {
                    return Err(Failure::Refused { what: "GETSTATUS" });
                }
                self.pause = self.pause.max(super::SHORTEST_PAUSE);
                self.still_busy(now)
            }
            // One lost answer is forgiven. Source: hathach/tinyusb issue 3415.
            (Phase::Polling, Told::Silence) if self.silences == 0 && now < self.ends() => {
                self.silences = 1;
                Ok(self.ask(Phase::Polling))
            }
            (Phase::Polling, told) => {
                let report = Report::decode(told.reply(self.what)?)?;
                self.polled(now, &report)
            }
        }
    }
}
