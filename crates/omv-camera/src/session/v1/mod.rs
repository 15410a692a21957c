//! A connected camera that speaks protocol v1.
//!
//! ```text
//!   from 4.5.6   GET_STATE every 25 ms: flags, picture, text in one answer --> FRAME_DUMP
//!   before       TX_BUF_LEN, TX_BUF, FRAME_SIZE, FRAME_DUMP; SCRIPT_RUNNING every 100 ms
//! ```
//!
//! There is no checksum, no counter and no way to start over: an answer that comes short means
//! that the order of bytes is lost, and the camera is let go and opened again. Nothing but whole
//! commands is ever sent.

mod script;

use std::time::{Duration, SystemTime};

use omv_link::{Device, Heard, Link};
use omv_wire::v1::codec::{Command, Opcode};
use omv_wire::v1::state::{CameraState, FrameSize, Kind};
use omv_wire::v2::Leave;
use omv_wire::v2::records::{Memory, Stats};

use super::connect::Held;
use super::info::Profile;
use super::scribe::Scribe;
use super::worker::Failed;
use super::{Options, Preview, Talk};
use crate::{Error, Frame, PixelFormat};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// Between two looks at firmware before 4.5.6, which tells things one by one.
const LOOK_OLD: Duration = Duration::from_millis(10);
/// Between two questions of such firmware whether a script runs.
const RUNNING: Duration = Duration::from_millis(100);
/// Wait for an answer: while the interpreter starts anew commands queue for a moment.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Slowest line a patience allows for.
const BYTES_PER_MILLISECOND: u64 = 250;
/// Between a header and its data: they must not share a USB packet.
const APART: Duration = Duration::from_millis(2);
/// Largest picture read, in bytes: four times the memory of any board.
const LARGEST: usize = 32 << 20;

/// Firmware that can.
const HAS_STATE: [u8; 3] = [4, 5, 6];
const FIXED_STATE: [u8; 3] = [4, 6, 0];
const SEPARATE_DATA: [u8; 3] = [3, 5, 3];
const PLAIN_RGB565: [u8; 3] = [3, 8, 0];
const HAS_PROFILER: [u8; 3] = [4, 8, 0];

/// See the head of the file.
pub(super) struct Line {
    link: Box<dyn Link>,
    scribe: Scribe,
    firmware: [u8; 3],
    /// Whether the stack is ST's, which wants commands alone in their packets, and ends a
    /// transfer of full packets in a way that not every host stands.
    packets: bool,
    /// Bytes that came and were not asked for yet.
    ready: Vec<u8>,
    running: bool,
    look_at: Duration,
    running_at: Duration,
    /// Pictures are still those of the script before.
    stale: bool,
    started: script::Watching,
    _device: Box<dyn Device>,
}

impl Line {
    pub(super) fn begin(
        held: Held,
        scribe: Scribe,
        _options: Options,
    ) -> Result<Self, Box<Failed>> {
        const STREAMS: [&str; 5] = ["IMXRT1060", "AE3", "NANO33", "PICO", "N6"];
        let kind = held.who.kind.as_deref().unwrap_or_default();
        let now = held.link.now();
        let mut line = Self {
            link: held.link,
            scribe,
            firmware: held.who.firmware,
            packets: !STREAMS.contains(&kind),
            ready: Vec::new(),
            running: false,
            look_at: now,
            running_at: now,
            stale: false,
            started: script::Watching::default(),
            _device: held.device,
        };
        let preview = line.scribe.preview;
        match line.set_preview(preview).and_then(|()| line.look()) {
            Ok(()) => Ok(line),
            Err(error) => Err(Failed::new(error, line.scribe)),
        }
    }

    fn gone() -> Error {
        Error::Gone {
            doing: "talking to it".into(),
        }
    }

    /// Lets time pass; what comes unasked is kept for the next answer to tell.
    fn pause(&mut self, time: Duration) -> Result<(), Error> {
        let until = self.link.now() + time;
        while let Some(heard) = self.link.wait(until)? {
            match heard {
                Heard::Bytes(bytes) => self.ready.extend(bytes),
                Heard::Gone => return Err(Self::gone()),
                Heard::Stall => {}
            }
        }
        Ok(())
    }

    fn command(&mut self, opcode: Opcode, length: usize) -> Result<(), Error> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let command = Command { opcode, length };
        self.link.send(&command.encode()).map_err(Error::from)
    }

    /// A question, and its whole answer.
    fn ask(&mut self, opcode: Opcode, length: usize) -> Result<Vec<u8>, Error> {
        // Bytes nobody asked for belong to a question given up; they would shift all answers.
        self.ready.clear();
        self.command(opcode, length)?;
        let patience = PATIENCE + Duration::from_millis(length as u64 / BYTES_PER_MILLISECOND);
        let end = self.link.now() + patience;
        // However long the answer, its bytes follow one another.
        let mut until = self.link.now() + PATIENCE;
        while self.ready.len() < length {
            match self.link.wait(until)? {
                Some(Heard::Bytes(bytes)) => {
                    self.ready.extend(bytes);
                    until = end.min(self.link.now() + PATIENCE);
                }
                Some(Heard::Gone) => return Err(Self::gone()),
                Some(Heard::Stall) => {}
                None if self.link.now() < until => {}
                None => {
                    return Err(Error::Protocol {
                        doing: "talking to it".into(),
                        what: format!("{} of {length} bytes came", self.ready.len()),
                    });
                }
            }
        }
        let rest = self.ready.split_off(length);
        Ok(std::mem::replace(&mut self.ready, rest))
    }

    fn word(&mut self, opcode: Opcode) -> Result<u32, Error> {
        let answer = self.ask(opcode, 4)?;
        Ok(answer.first_chunk().copied().map_or(0, u32::from_le_bytes))
    }

    /// A command with data for the camera.
    fn tell(&mut self, opcode: Opcode, data: &[u8]) -> Result<(), Error> {
        self.command(opcode, data.len())?;
        self.pause(APART)?;
        self.link.send(data)?;
        self.pause(APART)
    }

    fn set_preview(&mut self, preview: Preview) -> Result<(), Error> {
        let on = match preview {
            Preview::Off => false,
            Preview::Jpeg => true,
            Preview::Raw { .. } => {
                return Err(Error::NotInFirmware {
                    what: "raw pictures",
                });
            }
        };
        self.scribe.preview = preview;
        if self.firmware >= SEPARATE_DATA {
            return self.tell(Opcode::FB_ENABLE, &u32::from(on).to_le_bytes());
        }
        // The argument rides behind the header, which says that there is none.
        let command = Command {
            opcode: Opcode::FB_ENABLE,
            length: 0,
        };
        let mut bytes = command.encode().to_vec();
        bytes.extend(u16::from(on).to_le_bytes());
        self.link.send(&bytes)?;
        self.pause(APART)
    }

    /// Asks for everything there is to know, once.
    fn look(&mut self) -> Result<(), Error> {
        if self.firmware >= HAS_STATE {
            self.look_once()?;
        } else {
            self.look_piecewise()?;
        }
        Ok(())
    }

    fn state_size(&self) -> usize {
        let fixed = self.firmware <= FIXED_STATE;
        match fixed {
            true => 64,
            // A whole number of packets would end in an empty one.
            false => 511,
        }
    }

    fn look_once(&mut self) -> Result<(), Error> {
        let answer = self.ask(Opcode::GET_STATE, self.state_size())?;
        let state = CameraState::decode(&answer).map_err(|malformed| Error::Protocol {
            doing: "talking to it".into(),
            what: malformed.to_string(),
        })?;
        self.scribe.text(&state.text);
        self.started.heard(&state.text);
        if let Some(frame) = state.frame {
            self.dump(frame)?;
        } else if state.impossible {
            self.give_back()?;
        }
        // Where there is more there is no need to wait.
        let every = match state.has_text || !state.text.is_empty() || state.frame.is_some() {
            true => Duration::ZERO,
            false => LOOK,
        };
        self.look_at = self.link.now() + every;
        self.runs(state.running, state.text.is_empty())
    }

    fn look_piecewise(&mut self) -> Result<(), Error> {
        let waiting = self.word(Opcode::TX_BUF_LEN)?.min(1 << 16) as usize;
        if waiting > 0 {
            let text = self.ask(Opcode::TX_BUF, waiting)?;
            self.scribe.text(&text);
            self.started.heard(&text);
        }
        if self.scribe.preview != Preview::Off {
            let answer = self.ask(Opcode::FRAME_SIZE, FrameSize::SIZE)?;
            match FrameSize::decode(&answer) {
                Ok(Some(frame)) => self.dump(frame)?,
                Ok(None) => {}
                Err(_) => self.give_back()?,
            }
        }
        let now = self.link.now();
        self.look_at = now + LOOK_OLD;
        if now >= self.running_at {
            self.running_at = now + RUNNING;
            let running = self.word(Opcode::SCRIPT_RUNNING)? != 0;
            self.runs(running, waiting == 0)?;
        }
        Ok(())
    }

    /// Reads a picture that waits. It has to be read, or the preview stops.
    fn dump(&mut self, frame: FrameSize) -> Result<(), Error> {
        let size = frame.bytes(self.firmware);
        if size == 0 || size > LARGEST {
            return self.give_back();
        }
        // One byte more than full packets: its value is anything.
        let full = self.packets && size.is_multiple_of(64);
        let mut data = self.ask(Opcode::FRAME_DUMP, size + usize::from(full))?;
        data.truncate(size);
        if self.stale || self.scribe.preview == Preview::Off {
            return Ok(());
        }
        let format = match frame.kind(self.firmware) {
            Kind::Raw(format) => PixelFormat::from_wire(format),
            Kind::File if data.starts_with(b"\x89PNG") => Some(PixelFormat::Png),
            Kind::File => Some(PixelFormat::Jpeg),
        };
        let format = match format {
            Some(PixelFormat::Rgb565) if self.firmware < PLAIN_RGB565 => PixelFormat::Rgb565Swapped,
            Some(format) => format,
            None => {
                self.scribe.corrupt();
                return Ok(());
            }
        };
        self.scribe.frame(Frame {
            number: 0,
            width: frame.width,
            height: frame.height,
            format,
            data,
            fps: None,
            at: self.link.now(),
            time: SystemTime::UNIX_EPOCH,
        });
        Ok(())
    }

    /// Gives a picture back unread that cannot be one: off and on does that.
    fn give_back(&mut self) -> Result<(), Error> {
        self.scribe.corrupt();
        let preview = self.scribe.preview;
        self.set_preview(Preview::Off)?;
        self.set_preview(preview)
    }

    fn missing<T>(what: &'static str) -> Result<T, Error> {
        Err(Error::NotInFirmware { what })
    }
}

impl Talk for Line {
    fn now(&self) -> Duration {
        self.link.now()
    }

    fn turn(&mut self, until: Duration) -> Result<(), Error> {
        if self.look_at <= self.link.now() {
            return self.look();
        }
        let until = until.min(self.look_at);
        let time = until.saturating_sub(self.link.now());
        self.pause(time)
    }

    fn run(&mut self, script: &[u8]) -> Result<(), Error> {
        self.run_script(script)
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.settle()
    }

    fn input(&mut self, _bytes: &[u8]) -> Result<(), Error> {
        Self::missing("keys for a script")
    }

    fn preview(&mut self, preview: Preview) -> Result<(), Error> {
        self.set_preview(preview)
    }

    fn sensor(&mut self, _id: u32) -> Result<(), Error> {
        Self::missing("the choice of a sensor")
    }

    fn channel_read(&mut self, _name: &str, _limit: usize) -> Result<Vec<u8>, Error> {
        Self::missing("channels")
    }

    fn channel_write(&mut self, _name: &str, _bytes: &[u8]) -> Result<(), Error> {
        Self::missing("channels")
    }

    fn channel_ioctl(&mut self, _name: &str, _request: u32, _args: &[u8]) -> Result<(), Error> {
        Self::missing("channels")
    }

    fn statistics(&mut self) -> Result<Stats, Error> {
        Self::missing("protocol statistics")
    }

    fn memory(&mut self) -> Result<Vec<Memory>, Error> {
        Self::missing("memory statistics")
    }

    fn profile(&mut self) -> Result<Profile, Error> {
        if self.firmware < HAS_PROFILER {
            return Self::missing("a profiler");
        }
        let shape = self.ask(Opcode::PROFILE_SIZE, 12)?;
        let (words, _) = shape.as_chunks::<4>();
        let word = |at: usize| {
            words
                .get(at)
                .map_or(0, |word| u32::from_le_bytes(*word) as usize)
        };
        let (records, size) = (word(0), word(1));
        let bytes = records.saturating_mul(size);
        if size == 0 || bytes > 1 << 20 {
            return Ok(Profile::default());
        }
        // One record less than full packets, for the same reason as with pictures.
        let bytes = match self.packets && bytes.is_multiple_of(64) {
            true => bytes - size,
            false => bytes,
        };
        let data = self.ask(Opcode::PROFILE_DUMP, bytes)?;
        Ok(Profile::decode(&data, size))
    }

    fn profile_mode(&mut self, exclusive: bool) -> Result<(), Error> {
        match self.firmware < HAS_PROFILER {
            true => Self::missing("a profiler"),
            false => self.tell(Opcode::PROFILE_MODE, &u32::from(exclusive).to_le_bytes()),
        }
    }

    fn profile_event(&mut self, counter: u32, event: u32) -> Result<(), Error> {
        let data = [counter.to_le_bytes(), event.to_le_bytes()].concat();
        match self.firmware < HAS_PROFILER {
            true => Self::missing("a profiler"),
            false => self.tell(Opcode::PROFILE_EVENT, &data),
        }
    }

    fn profile_reset(&mut self) -> Result<(), Error> {
        match self.firmware < HAS_PROFILER {
            true => Self::missing("a profiler"),
            false => self.command(Opcode::PROFILE_RESET, 0),
        }
    }

    fn leave(&mut self, leave: Leave) -> Result<(), Error> {
        let opcode = match leave {
            Leave::Reset => Opcode::SYS_RESET,
            Leave::Bootloader => Opcode::SYS_RESET_TO_BL,
        };
        if leave == Leave::Bootloader && self.firmware < PLAIN_RGB565 {
            return Self::missing("the way to the bootloader");
        }
        self.command(opcode, 0)?;
        match self.pause(Duration::from_millis(300)) {
            Err(Error::Gone { .. } | Error::Link(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn finish(self: Box<Self>) -> Scribe {
        self.scribe
    }
}
