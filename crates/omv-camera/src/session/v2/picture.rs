//! Pictures: when to look for one, and reading it.
//!
//! ```text
//!   event, POLL --> LOCK --BUSY--> again after 1 ms, a few times, then wait for the next event
//!                    |
//!                    +--> SIZE --> READ --> UNLOCK, whatever came --> next look 10 ms after LOCK
//! ```
//!
//! The camera grants one lock in more than 10 ms of a clock that counts whole ones, and stores no picture
//! while one waits. So the next lock is tried as soon as it can be had, without waiting to be told that a
//! picture is there. One that was had right behind a refusal tells when that clock ticks: from then on each
//! is asked for once, 11 ms after the one before.

use std::time::{Duration, SystemTime};

use omv_wire::v2::session::Answer;
use omv_wire::v2::stream::FrameHeader;

use super::super::{Preview, Reliability};
use super::Line;
use crate::{Error, Frame, PixelFormat};

/// Between two locks at the least.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// What the camera counts.
const TICK: Duration = Duration::from_millis(1);
/// Before a refused lock is tried again.
const AGAIN: Duration = Duration::from_micros(500);
/// Refusals before it is believed that there is no picture.
const REFUSALS: u32 = 5;
/// Largest frame read, in bytes: no board's buffer has a quarter of it.
const LARGEST: u32 = 32 << 20;

/// Requests of the channel `stream`.
const CTRL: u32 = 0;
const RAW_CTRL: u32 = 1;
const RAW_CFG: u32 = 2;
pub(super) const SOURCE: u32 = 3;

/// When to look for a picture.
#[derive(Default)]
pub(super) struct Due {
    /// Nobody told of one.
    idle: bool,
    refusals: u32,
    at: Duration,
    /// The last lock was had just behind a tick of the camera's clock.
    steady: bool,
}

impl Due {
    /// There may be one.
    pub(super) fn look(&mut self) {
        self.idle = false;
        self.refusals = 0;
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        !self.idle && self.at <= now
    }

    /// When to look next, as far as known.
    pub(super) fn next(&self) -> Duration {
        match self.idle {
            true => Duration::MAX,
            false => self.at,
        }
    }

    fn refused(&mut self, now: Duration) {
        self.refusals += 1;
        self.at = now + AGAIN;
        self.idle = self.refusals >= REFUSALS;
    }

    fn taken(&mut self, locked: Duration) {
        let in_time = locked < self.at + TICK;
        self.steady = in_time && (self.steady || self.refusals > 0);
        self.refusals = 0;
        self.at = match self.steady {
            // From when it was meant to be: being late must not add up.
            true => self.at + LOCK_INTERVAL + TICK,
            false => locked + LOCK_INTERVAL,
        };
    }
}

impl Line {
    pub(super) fn set_preview(&mut self, preview: Preview) -> Result<(), Error> {
        self.scribe.preview = preview;
        if let Ok(stream) = self.channel("stream") {
            let on = u32::from(preview != Preview::Off).to_le_bytes();
            self.set_raw()?;
            // Also drops a picture that waits.
            self.ioctl(stream.id, CTRL, &on, true)?;
        }
        self.picture.look();
        Ok(())
    }

    /// Raw or not; a soft reboot puts the camera back to what its board is built for.
    pub(super) fn set_raw(&mut self) -> Result<(), Error> {
        let Ok(stream) = self.channel("stream") else {
            return Ok(());
        };
        match self.scribe.preview {
            Preview::Off => Ok(()),
            Preview::Jpeg => self.ioctl(stream.id, RAW_CTRL, &0_u32.to_le_bytes(), true),
            Preview::Raw { width, height } => {
                let side = |side: u16| u32::from(side.min(i16::MAX as u16)).to_le_bytes();
                let args = [side(width), side(height)].concat();
                self.ioctl(stream.id, RAW_CFG, &args, true)?;
                self.ioctl(stream.id, RAW_CTRL, &1_u32.to_le_bytes(), true)
            }
        }
    }

    /// Lets go of a picture that waits: it is of another script.
    pub(super) fn drop_picture(&mut self) -> Result<(), Error> {
        match (self.scribe.preview, self.channel("stream")) {
            (Preview::Off, _) | (_, Err(_)) => Ok(()),
            (_, Ok(stream)) => self.ioctl(stream.id, CTRL, &1_u32.to_le_bytes(), true),
        }
    }

    /// One picture, if there is one.
    pub(super) fn read_picture(&mut self) -> Result<(), Error> {
        let Ok(stream) = self.channel("stream") else {
            self.picture.idle = true;
            return Ok(());
        };
        let before = self.link.now();
        match self.lock(stream.id) {
            Ok(true) => {}
            Ok(false) => {
                self.picture.refused(self.link.now());
                return Ok(());
            }
            // Whether it is locked is unknown: given back, it is not.
            Err(Error::NoAnswer { .. }) => {
                self.picture.taken(before);
                return self.unlock(stream.id);
            }
            Err(error) => return Err(error),
        }
        let read = self.read_locked(stream.id);
        self.unlock(stream.id)?;
        self.picture.taken(before);
        match read? {
            Some(bytes) => self.show(bytes),
            None => self.scribe.corrupt(),
        }
        Ok(())
    }

    /// The locked picture; `None` if it is damaged, or if in the middle of it the camera may have
    /// begun anew: then the lock is gone, and what is read next may be of another picture.
    fn read_locked(&mut self, id: u8) -> Result<Option<Vec<u8>>, Error> {
        let doubts = self.doubts;
        let size = match self.size(id) {
            Ok(size) => size,
            Err(Error::NoAnswer { .. } | Error::RequestRefused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if size == 0 || size > LARGEST {
            return Ok(None);
        }
        // On a bad line in pieces of a packet each: what got lost is asked for again.
        let most = match self.reliability {
            Reliability::Usb => size,
            Reliability::Lossy => self.session.caps().max_payload.into(),
        };
        let mut bytes = Vec::new();
        while bytes.len() < size as usize {
            let offset = bytes.len() as u32;
            let length = (size - offset).min(most);
            let request = self.read_from(id, offset, length);
            match self.request(&request, true) {
                // What has another length belongs to another question.
                Ok(Answer::Data(piece))
                    if piece.len() == length as usize && self.doubts == doubts =>
                {
                    match offset {
                        0 => bytes = piece,
                        _ => bytes.extend(piece),
                    }
                }
                Ok(_) | Err(Error::NoAnswer { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(bytes))
    }

    fn show(&mut self, mut bytes: Vec<u8>) {
        let header = FrameHeader::decode(&bytes).ok();
        let parts = header.and_then(|header| {
            let format = PixelFormat::from_wire(header.format)?;
            let size = header.data(&bytes).ok()?.len();
            Some((header, format, size))
        });
        let Some((header, format, size)) = parts else {
            self.scribe.corrupt();
            return;
        };
        // In place: a large picture is not copied once more.
        bytes.drain(..header.offset as usize);
        bytes.truncate(size);
        self.scribe.frame(Frame {
            number: 0,
            width: header.width,
            height: header.height,
            format,
            data: bytes,
            fps: (header.fps > 0.0).then_some(header.fps),
            at: self.link.now(),
            time: SystemTime::UNIX_EPOCH,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_refused_until_the_clock_of_the_camera_is_known_and_then_no_more() {
        let micros = Duration::from_micros;
        // Ticks of the camera come 300 microseconds behind those of this side, and 40 pass on the way.
        let tick = |at: Duration| (at + micros(740)).as_millis();
        let mut due = Due::default();
        let (mut now, mut last, mut refused) = (micros(0), None, Vec::new());
        for taken in 0..200 {
            now = now.max(due.next()) + micros(60);
            while last.is_some_and(|last| tick(now) - last <= 10) {
                refused.push(taken);
                due.refused(now);
                now = due.next() + micros(60);
            }
            last = Some(tick(now));
            due.taken(now);
            // The picture is read.
            now += micros(4000);
        }
        assert!(
            !refused.is_empty() && refused.iter().all(|at| *at <= 1),
            "{refused:?}"
        );
        assert!(now < micros(11_020 * 200), "{now:?} for 200 pictures");
    }
}
