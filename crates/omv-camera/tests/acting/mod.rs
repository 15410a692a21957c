//! A running camera that acts: firmware's own protocol engine in front of a script that is a list
//! of acts, so that a test says what happens when. For protocol v2.
//!
//! ```text
//!   print TEXT      sleep MS         raise NAME TEXT     spin      flood
//!   frames N W H    a numbered grayscale picture every 20 ms      stream W H     without a pause
//!   jpeg N BYTES    files of that size      file PATH    that file, without a pause
//!   lie             a false header
//!   busy N                 N times: a numbered line, three pictures, a pause
//!   profile         firmware with its profiler: two functions were counted
//!   channel NAME    registers a channel that keeps what is written
//! ```
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod bus;
#[cfg(target_os = "linux")]
pub mod pty;
mod stage;

use std::time::Duration;

use omv_wire::v2::Leave;
use omv_wire::v2::camera::{Camera, Personality};
use omv_wire::v2::parser::Event;
use omv_wire::v2::records::{Memory, SysInfo, Version};
use omv_wire::{Input, Machine, Turn};

#[allow(unused_imports, reason = "each test binary uses its part")]
pub use stage::{Stage, frame_number};

const MS: Duration = Duration::from_millis(1);
/// From a script's end to the protocol being back.
const REBOOT: Duration = Duration::from_millis(80);

/// The camera: engine, script, reboots.
pub struct Actor {
    camera: Camera<Stage>,
    now: Duration,
    rebooting: Option<Duration>,
    boot_script: Option<Duration>,
    /// What came during a reboot.
    queued: Vec<u8>,
    pub left: Option<Leave>,
    /// A camera that says nothing any more from then on.
    pub mute: bool,
    /// Bytes it still says before it is one.
    pub mute_after: Option<usize>,
    text_told: Duration,
}

impl Actor {
    pub fn new() -> Self {
        let pool = Memory {
            total: 1 << 20,
            used: 0x2000,
            free: (1 << 20) - 0x2000,
            ..Memory::default()
        };
        let personality = Personality {
            max_payload: 4082,
            version: Version {
                protocol: [1, 0, 2],
                bootloader: [1, 0, 3],
                firmware: [5, 0, 0],
            },
            info: SysInfo {
                uid: [1, 2, 3],
                usb: (0x37C5, 0x1060),
                sensors: [0x7725, 0, 0],
                stream_buffer: 4096,
                ..SysInfo::default()
            },
            memory: vec![pool],
        };
        Self {
            camera: Camera::new(personality, Stage::default()),
            now: Duration::ZERO,
            rebooting: None,
            boot_script: None,
            queued: Vec::new(),
            left: None,
            mute: false,
            mute_after: None,
            text_told: Duration::ZERO,
        }
    }

    pub fn stage(&mut self) -> &mut Stage {
        self.camera.channels_mut()
    }

    pub fn feed(&mut self, now: Duration, bytes: &[u8]) {
        self.advance(now);
        match self.rebooting {
            Some(_) => self.queued.extend_from_slice(bytes),
            None => self.camera.feed(now, Input::Bytes(bytes)),
        }
    }

    /// The host closed the port.
    pub fn closed(&mut self, now: Duration) {
        self.camera.feed(now, Input::Gone);
    }

    /// Bytes for the host; at most about `limit`.
    pub fn take(&mut self, now: Duration, limit: usize) -> Vec<u8> {
        self.advance(now);
        let mut bytes = Vec::new();
        while self.rebooting.is_none() && bytes.len() < limit && self.left.is_none() {
            match self.camera.poll(now) {
                Turn::Send(more) => bytes.extend(more),
                Turn::Done(leave) => self.left = Some(leave),
                Turn::Wait { .. } => {
                    if !self.tell_events(now) {
                        break;
                    }
                }
            }
        }
        if let Some(left) = &mut self.mute_after {
            bytes.truncate(*left);
            *left -= bytes.len();
            self.mute |= *left == 0;
        } else if self.mute {
            bytes.clear();
        }
        bytes
    }

    pub fn next(&mut self, now: Duration) -> Duration {
        let engine = match self.camera.poll(now) {
            Turn::Wait { until } => until,
            // What it has to say is taken by `take`, which comes first.
            _ => now,
        };
        let text = match self.stage().ring.is_empty() {
            true => Duration::MAX,
            false => self.text_told + 50 * MS,
        };
        let own = [self.rebooting, self.boot_script, self.stage().wakes()];
        let own = own.into_iter().flatten().min().unwrap_or(Duration::MAX);
        own.min(engine)
            .min(text)
            .max(now + Duration::from_micros(50))
    }

    pub fn advance(&mut self, now: Duration) {
        self.now = now;
        if self.rebooting.is_some_and(|end| end <= now) {
            self.rebooting = None;
            self.boot_script = Some(now + 20 * MS);
            let queued = std::mem::take(&mut self.queued);
            self.camera.feed(now, Input::Bytes(&queued));
        }
        if self.boot_script.is_some_and(|end| end <= now) {
            self.boot_script = None;
            self.stage()
                .print(b"OpenMV v5.0.0; MicroPython v1.26\r\n>>> ");
            self.stage().events.extend([event(1, 1), event(1, 0)]);
        }
        if self.rebooting.is_none() {
            self.stage().act(now);
        }
        if self.stage().text_waits() && now >= self.text_told + 50 * MS {
            self.text_told = now;
            self.stage().events.push(Event {
                channel: 2,
                code: None,
            });
        }
    }

    /// Whether there was anything to tell.
    fn tell_events(&mut self, _now: Duration) -> bool {
        let events = std::mem::take(&mut self.stage().events);
        let any = !events.is_empty();
        let mut told = false;
        for event in events {
            if event == Event::SOFT_REBOOT {
                self.camera.soft_reboot();
                self.stage().rebooted();
                told = true;
                // The event still goes out; the rest of the reboot follows it.
                self.reboot_after();
            } else {
                told |= self.camera.tell(event);
            }
        }
        any && told
    }

    fn reboot_after(&mut self) {
        self.queued.clear();
        self.stage().print(b"MPY: soft reboot\r\n");
        self.boot_script = Some(self.now + REBOOT);
    }
}

fn event(channel: u8, code: u16) -> Event {
    Event {
        channel,
        code: Some(code),
    }
}
