//! Running a script to its end, and waiting for one picture: calls above a session's own.

use std::sync::Arc;
use std::time::Duration;

use super::{Appetite, Ended, Frames, Notice, Session};
use crate::{Error, Frame};

/// How much a script may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// After this it is stopped.
    pub time: Duration,
    /// Bytes of text kept: the last ones.
    pub text: usize,
}

impl Default for Limits {
    /// 30 s, 1 MiB.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            text: 1 << 20,
        }
    }
}

impl Limits {
    /// With this much time.
    pub fn time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// With this much text.
    pub fn text(self, text: usize) -> Self {
        Self { text, ..self }
    }
}

/// What came of a script.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// What it printed, without what the firmware says on its own behind it. Untrusted.
    pub text: Vec<u8>,
    /// Bytes of text that are missing, before what there is.
    pub missing: u64,
    /// How it ended.
    pub ended: Ended,
    /// Whether it was stopped because its time was over.
    pub timed_out: bool,
}

impl Output {
    /// The text, whatever is no UTF-8 replaced.
    pub fn text_lossy(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

pub(super) fn execute(session: &Session, script: &[u8], limits: &Limits) -> Result<Output, Error> {
    // Half of it may still lie waiting when the rest is cut.
    let watch = session.watch_with(Appetite {
        frames: Frames::None,
        text: limits.text.max(1),
    });
    session.run(script)?;
    let mut output = Output {
        text: Vec::new(),
        missing: 0,
        ended: Ended::Lost,
        timed_out: false,
    };
    let (mut running, mut left) = (false, limits.time);
    loop {
        let before = session.now();
        let notice = watch.next(left);
        left = left.saturating_sub(session.now().saturating_sub(before));
        match notice {
            Some(Notice::Started) => {
                running = true;
                output.text.clear();
                output.missing = 0;
            }
            // What was printed before belongs to what ran before.
            Some(Notice::Text(text)) if running => {
                output.text.extend_from_slice(&text);
                let over = output.text.len().saturating_sub(limits.text);
                output.text.drain(..over);
                output.missing += over as u64;
            }
            Some(Notice::Dropped(dropped)) => output.missing += dropped.text_bytes,
            Some(Notice::Ended(ended)) if running => {
                output.ended = ended;
                return Ok(output);
            }
            Some(Notice::Closed | Notice::Lost) => return Ok(output),
            Some(_) => {}
            None if !output.timed_out => {
                output.timed_out = true;
                session.stop()?;
                // It has ended, or the call failed; what it said is on its way.
                left = Duration::from_secs(1);
            }
            None => return Ok(output),
        }
    }
}

pub(super) fn frame(session: &Session, limit: Duration) -> Result<Arc<Frame>, Error> {
    let watch = session.watch_with(Appetite {
        frames: Frames::Latest,
        text: 0,
    });
    let mut left = limit;
    loop {
        let before = session.now();
        match watch.next(left) {
            Some(Notice::Frame(frame)) => return Ok(frame),
            None | Some(Notice::Closed) => {
                let seconds = limit.as_secs_f32();
                return Err(Error::NoFrame { seconds });
            }
            Some(_) => {}
        }
        left = left.saturating_sub(session.now().saturating_sub(before));
    }
}
