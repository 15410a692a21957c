//! What the script and the protocols share of a running camera.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Setup;
use super::facts::Facts;
use super::preview::{Fate, Preview};
use super::requests::{Own, Requests};
use super::ring::Ring;
use crate::disk::Disks;
use crate::engine::models::Models;
use crate::engine::pictures::Pictures;
use crate::picture::{Format, Picture};

/// Most bytes of a script the firmware takes: what its heap has room for, about.
const MOST_SCRIPT: usize = 1 << 20;
/// Most keys that wait for a script.
const MOST_KEYS: usize = 4096;

/// Something the protocol tells the host unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A script began, or ended.
    Script(bool),
    /// Text waits.
    Text,
    /// A frame waits, or was dropped.
    Frame,
    /// The interpreter restarts.
    SoftReboot,
    /// A script registered a channel.
    Registered,
    /// A script's channel has something to say.
    Channel(u8, u16),
}

/// What the host asked of the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop what runs.
    Stop,
    /// Run the script that was sent.
    Run,
}

/// The insides of a camera that runs.
pub struct Works {
    /// Facts.
    pub facts: Facts,
    /// Text for the host.
    pub text: Ring,
    /// Keys for the script.
    pub keys: VecDeque<u8>,
    /// The frame for the host.
    pub preview: Preview,
    /// Files.
    pub disks: Disks,
    /// What the sensor sees, and how fast.
    pub setup: Setup,
    /// Number of the next frame of the sensor.
    pub frame: u32,
    /// Pace of the script's loop, frames a second.
    fps: f32,
    last_frame: Option<Duration>,
    /// The script that is being sent.
    pub script: Vec<u8>,
    /// Whether something is executed.
    pub running: bool,
    /// What the host wants.
    pub wish: Option<Wish>,
    /// What is to be told.
    pub happened: VecDeque<Happened>,
    /// The camera's time, as of the last step.
    pub now: Duration,
    /// Channels of the script, in the order of their ids.
    pub channels: Vec<Own>,
    /// What a host asks of them.
    pub requests: Requests,
    /// Images of the script.
    pub pictures: Pictures,
    /// Networks of the script.
    pub models: Models,
}

/// All that hold the insides.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Works>>);

impl Shared {
    /// Shares them.
    pub fn new(works: Works) -> Self {
        Self(Arc::new(Mutex::new(works)))
    }

    /// The insides, for as long as the guard lives.
    pub fn inside(&self) -> MutexGuard<'_, Works> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Works {
    /// Those of a camera that was just switched on.
    pub fn new(facts: Facts, setup: Setup, disks: Disks) -> Self {
        Self {
            text: Ring::new(facts.ring),
            keys: VecDeque::new(),
            preview: Preview::new(&facts),
            disks,
            setup,
            frame: 0,
            fps: 0.0,
            last_frame: None,
            script: Vec::new(),
            running: false,
            wish: None,
            happened: VecDeque::new(),
            now: Duration::ZERO,
            channels: Vec::new(),
            requests: Requests::default(),
            pictures: Pictures::default(),
            models: Models::default(),
            facts,
        }
    }

    /// Text of a script, with line ends as a terminal wants them.
    pub fn print(&mut self, text: &[u8]) {
        let mut bytes = Vec::with_capacity(text.len());
        for byte in text {
            if *byte == b'\n' && bytes.last() != Some(&b'\r') {
                bytes.push(b'\r');
            }
            bytes.push(*byte);
        }
        if self.text.push(&bytes) {
            self.happened.push_back(Happened::Text);
        }
    }

    /// Time between two frames of the sensor at this size.
    pub fn period(&self, (width, height): (usize, usize)) -> Duration {
        let rate = self.setup.frame_rate.unwrap_or(match width * height {
            0..=76_800 => 60.0,
            76_801..=307_200 => 50.0,
            307_201..=921_600 => 30.0,
            _ => 15.0,
        });
        Duration::from_secs_f64(1.0 / rate.clamp(0.01, 10_000.0))
    }

    /// The sensor's next frame. Whatever passed meanwhile is skipped: a script that is slow sees
    /// what is there now.
    pub fn capture(&mut self, now: Duration, size: (usize, usize), format: Format) -> Picture {
        let picture = self.setup.scene.render(self.frame, size, format);
        self.frame = self.frame.wrapping_add(1);
        if let Some(last) = self.last_frame {
            let seconds = now.saturating_sub(last).as_secs_f32().max(1e-6);
            self.fps = match self.fps {
                0.0 => 1.0 / seconds,
                fps => fps * 0.8 + 0.2 / seconds,
            };
        }
        self.last_frame = Some(now);
        picture
    }

    /// Shows the host what the script has.
    pub fn show(&mut self, picture: &Picture) {
        match self.preview.show(picture, self.fps) {
            Fate::Stored | Fate::TooBig => self.happened.push_back(Happened::Frame),
            Fate::Skipped => {}
            Fate::SourceTooBig => self.print(b"\x1b[40O\n"),
        }
    }

    /// Takes in a piece of a script; false when there is no room.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.script.len() + bytes.len() <= MOST_SCRIPT;
        if fits {
            self.script.extend_from_slice(bytes);
        }
        fits
    }

    /// Takes in keys for the script; too many are dropped.
    pub fn type_keys(&mut self, bytes: &[u8]) {
        let room = MOST_KEYS.saturating_sub(self.keys.len());
        self.keys.extend(bytes.iter().take(room));
    }
}
