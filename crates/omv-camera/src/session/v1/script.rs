//! Starting and stopping scripts.
//!
//! ```text
//!   text out --> STOP --> SCRIPT_RUNNING until 0 --> EXEC, script --> running? --> ... --> not
//! ```
//!
//! `EXEC` while something runs is ignored, and on TinyUSB boards its data then hangs the camera;
//! so it is only sent after the camera said that nothing runs. The same question makes firmware
//! 4.8 forget the script it had. `STOP` empties the console, so that is read first.

use std::time::Duration;

use omv_wire::v1::codec::Opcode;

use super::{HAS_STATE, LOOK, Line};
use crate::Error;

/// For everything that runs to end.
const SETTLE: Duration = Duration::from_secs(5);
/// Before what does not stop is told again.
const STOP_AGAIN: Duration = Duration::from_secs(1);
/// The prompt is back this long after the script has ended.
const CALM: Duration = Duration::from_millis(50);
/// A script that was taken in runs by then; one that came while the heap was locked never will.
const START: Duration = Duration::from_millis(500);
/// Text behind a script's end is awaited for so long.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// Times a script is sent.
const UPLOADS: u32 = 3;
/// Most questions asked until a camera has said all, before a script is sent.
const WORDS: u32 = 200;
/// Longest from the end of a script to the prompt.
const PROMPT: Duration = Duration::from_millis(400);
/// How text of the firmware behind a script begins.
const REBOOT: &[u8] = b"MPY: soft reboot";

/// What is known of a script that was sent.
#[derive(Default)]
pub(super) struct Watching {
    /// Whether the firmware said that a script is over.
    over: bool,
    last: Vec<u8>,
    /// It was seen to have ended then; its last words may be on their way.
    ended: Option<Duration>,
}

impl Watching {
    /// Looks for the firmware's words behind a script, over the borders of answers.
    pub(super) fn heard(&mut self, text: &[u8]) {
        self.last.extend_from_slice(text);
        self.over |= self
            .last
            .windows(REBOOT.len())
            .any(|window| window == REBOOT);
        let keep = self.last.len().saturating_sub(REBOOT.len() - 1);
        self.last.drain(..keep);
    }
}

impl Line {
    /// The camera said whether a script runs, and whether it had text.
    pub(super) fn runs(&mut self, running: bool, silent: bool) -> Result<(), Error> {
        let now = self.link.now();
        if running {
            self.started.ended = None;
            if !std::mem::replace(&mut self.running, true) {
                self.stale = false;
                self.scribe.started();
            }
            return Ok(());
        }
        if std::mem::take(&mut self.running) {
            self.started.ended = Some(now);
        }
        if let Some(since) = self.started.ended {
            let said_all = silent && (self.started.over || now >= since + LAST_WORDS);
            if said_all {
                self.started.ended = None;
                self.scribe.ended();
            }
        }
        Ok(())
    }

    /// Stops whatever runs and waits until the camera is ready for a script.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let limit = self.link.now() + SETTLE;
        let mut told: Option<Duration> = None;
        loop {
            self.look()?;
            let now = self.link.now();
            let running = match self.firmware >= HAS_STATE {
                true => self.running,
                false => self.word(Opcode::SCRIPT_RUNNING)? != 0,
            };
            if !running {
                self.runs(false, true)?;
                if self.started.ended.is_none() {
                    break;
                }
            } else if now >= limit {
                return Err(Error::WillNotStop);
            } else if told.is_none_or(|told| now >= told + STOP_AGAIN) {
                self.scribe.stopping();
                self.command(Opcode::SCRIPT_STOP, 0)?;
                told = Some(now);
            }
            self.pause(LOOK)?;
        }
        if told.is_some() {
            self.pause(CALM)?;
        }
        self.hear_out(told.is_some())
    }

    pub(super) fn run_script(&mut self, script: &[u8]) -> Result<(), Error> {
        self.settle()?;
        let mut script = script.to_vec();
        // A transfer of full packets ends in an empty one, which is more than some stacks bear.
        if script.is_empty() || script.len().is_multiple_of(64) {
            script.push(b'\n');
        }
        for _ in 0..UPLOADS {
            // Also makes firmware 4.8 forget the script before.
            let limit = self.link.now() + SETTLE;
            while self.word(Opcode::SCRIPT_RUNNING)? != 0 {
                if self.link.now() >= limit {
                    return Err(Error::WillNotStop);
                }
                self.command(Opcode::SCRIPT_STOP, 0)?;
                self.pause(CALM)?;
            }
            self.started = Watching::default();
            self.stale = true;
            self.scribe.sent_to_silence();
            self.tell(Opcode::SCRIPT_EXEC, &script)?;
            if self.has_started()? {
                self.stale = false;
                return Ok(());
            }
        }
        self.scribe.lost();
        Err(Error::NoAnswer {
            request: Opcode::SCRIPT_EXEC.0,
        })
    }

    /// Reads what is said already, such as the prompt's banner: none of it is the next script's. One that
    /// was just stopped is on its way to the prompt.
    fn hear_out(&mut self, stopped: bool) -> Result<(), Error> {
        let limit = self.link.now() + if stopped { PROMPT } else { Duration::ZERO };
        for _ in 0..WORDS {
            self.look()?;
            // Where there is more there is no need to wait.
            if self.look_at > self.link.now() {
                if self.scribe.is_at_prompt() || self.link.now() >= limit {
                    break;
                }
                self.pause(LOOK)?;
            }
        }
        Ok(())
    }

    /// Whether the script that was sent runs, or did.
    fn has_started(&mut self) -> Result<bool, Error> {
        let limit = self.link.now() + START;
        loop {
            if self.firmware >= HAS_STATE {
                self.look_once()?;
            } else {
                self.running_at = self.link.now();
                self.look_piecewise()?;
            }
            if self.running || !self.scribe.has_script() {
                return Ok(true);
            }
            if self.started.over {
                // Over before it was seen: its end is told like any other.
                self.started.ended.get_or_insert(self.link.now());
                return Ok(true);
            }
            if self.link.now() >= limit {
                return Ok(false);
            }
            self.pause(LOOK / 5)?;
        }
    }
}
