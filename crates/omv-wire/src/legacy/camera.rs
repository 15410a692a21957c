//! Their side: a bootloader that obeys packet by packet.
//!
//! ```text
//!  waiting --START--> obeying --RESET--> done: the application starts
//!                        | a sector that cannot be erased, a word that cannot be written
//!                        v
//!                     stopped for good: a fast blink
//! ```
//!
//! It works inside its USB interrupt: while it erases, nothing is taken and nothing answered.
//!
//! Source: openmv/openmv `src/bootloader/src/usbd_cdc_interface.c`, `flash.c`, tags v1.4, v2.3,
//! v3.5.2 and v4.5.9.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{Blocks, Command, Layout, START_WORD, Version};
use crate::{Input, Machine, Turn};

/// What the bootloader stands on. `None` is a failure, of which it dies; else how long it takes.
pub trait Flash {
    /// Erases a sector of internal flash.
    fn erase(&mut self, now: Duration, sector: u32) -> Option<Duration>;

    /// Writes firmware, `offset` bytes after its start.
    fn write(&mut self, now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration>;

    /// Erases a block of external flash.
    fn erase_block(&mut self, now: Duration, block: u32) -> Option<Duration>;

    /// Writes external flash.
    fn write_external(&mut self, now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration>;
}

/// What tells one bootloader from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personality {
    /// Protocol version.
    pub version: Version,
    /// Bytes of an endpoint, which is also the buffer that is written at once since version 2.
    pub packet: usize,
    /// What it answers to QUERY.
    pub layout: Layout,
    /// What it answers for the external flash; none without one.
    pub blocks: Option<Blocks>,
}

/// Bytes of external flash written at once.
const PAGE: usize = 256;

/// Bytes that were sent and not yet written.
#[derive(Clone, Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    offset: u32,
}

/// A bootloader that was just started.
#[derive(Clone, Debug)]
pub struct Camera<F> {
    personality: Personality,
    flash: F,
    started: bool,
    internal: Buffer,
    external: Buffer,
    busy: Duration,
    out: VecDeque<Vec<u8>>,
    left: bool,
}

impl<F: Flash> Camera<F> {
    /// A bootloader on this flash.
    pub fn new(personality: Personality, flash: F) -> Self {
        Self {
            personality,
            flash,
            started: false,
            internal: Buffer::default(),
            external: Buffer::default(),
            busy: Duration::ZERO,
            out: VecDeque::new(),
            left: false,
        }
    }

    /// What it stands on.
    pub fn flash(&self) -> &F {
        &self.flash
    }

    /// Whether START came: then no window closes.
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Until when it takes no packets. [`Duration::MAX`] is a bootloader that stopped at a
    /// failure; only a reset helps.
    pub fn busy_until(&self) -> Duration {
        self.busy
    }

    fn spend(&mut self, takes: Option<Duration>) {
        self.busy = takes.map_or(Duration::MAX, |takes| self.busy.saturating_add(takes));
    }

    fn knows(&self, command: &Command) -> bool {
        let since = match command {
            Command::Start | Command::Reset | Command::Erase(_) | Command::Write(_) => Version::One,
            Command::Query => Version::Two,
            _ => Version::Three,
        };
        self.personality.version >= since
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start => {
                self.started = true;
                self.internal = Buffer::default();
                // Where the external flash goes on is kept.
                self.external.bytes.clear();
                let word = match self.personality.version {
                    Version::One => START_WORD,
                    version => version.word(),
                };
                self.out.push_back(word.to_le_bytes().to_vec());
            }
            Command::Reset => self.reset(),
            Command::Erase(sector) => {
                let takes = self.flash.erase(self.busy, sector);
                self.spend(takes);
            }
            Command::Write(bytes) => self.write(&bytes),
            Command::Query => {
                let layout = self.personality.layout.encode();
                self.out.push_back(layout.to_vec());
            }
            Command::BlockQuery => {
                let blocks = self.personality.blocks.unwrap_or_default();
                self.out.push_back(blocks.encode().to_vec());
            }
            Command::BlockErase(block) if self.personality.blocks.is_some() => {
                let takes = self.flash.erase_block(self.busy, block);
                self.spend(takes);
            }
            Command::BlockWrite(bytes) if self.personality.blocks.is_some() => {
                self.external.bytes.extend_from_slice(&bytes);
                self.flush_external(false);
            }
            Command::BlockTest => {
                let works = u32::from(self.personality.blocks.is_some());
                self.out.push_back(works.to_le_bytes().to_vec());
            }
            Command::BlockErase(_) | Command::BlockWrite(_) => {}
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.personality.version > Version::One {
            self.internal.bytes.extend_from_slice(bytes);
            self.flush_internal(false);
            return;
        }
        // Version 1 writes the whole words of each packet and counts its bytes.
        let whole = bytes.len() / 4 * 4;
        let words = bytes.get(..whole).unwrap_or_default();
        let takes = self.flash.write(self.busy, self.internal.offset, words);
        self.internal.offset += bytes.len() as u32;
        self.spend(takes);
    }

    fn reset(&mut self) {
        self.left = true;
        if self.personality.version > Version::One {
            self.flush_internal(true);
            self.flush_external(true);
        }
    }

    /// Writes full buffers; with `rest` also one that is not, filled up with FF.
    fn flush_internal(&mut self, rest: bool) {
        while let Some(bytes) = take(&mut self.internal.bytes, self.personality.packet, rest) {
            let takes = self.flash.write(self.busy, self.internal.offset, &bytes);
            self.internal.offset += bytes.len() as u32;
            self.spend(takes);
        }
    }

    fn flush_external(&mut self, rest: bool) {
        while let Some(bytes) = take(&mut self.external.bytes, PAGE, rest) {
            let offset = self.external.offset;
            let takes = self.flash.write_external(self.busy, offset, &bytes);
            self.external.offset += bytes.len() as u32;
            self.spend(takes);
        }
    }
}

/// Takes a full buffer off the front, or with `rest` whatever there is, filled up.
fn take(bytes: &mut Vec<u8>, size: usize, rest: bool) -> Option<Vec<u8>> {
    if bytes.is_empty() || (bytes.len() < size && !rest) {
        return None;
    }
    let mut taken: Vec<u8> = bytes.drain(..size.min(bytes.len())).collect();
    taken.resize(size, 0xFF);
    Some(taken)
}

impl<F: Flash> Machine for Camera<F> {
    type Output = ();

    /// One call is one packet.
    fn feed(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(packet) = input else {
            return;
        };
        if self.left || self.busy > now {
            return;
        }
        self.busy = now;
        // What it does not know it ignores.
        if let Ok(command) = Command::decode(packet)
            && self.knows(&command)
        {
            self.obey(command);
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<()> {
        if self.busy > now {
            return Turn::Wait { until: self.busy };
        }
        match (self.out.pop_front(), self.left) {
            (Some(bytes), _) => Turn::Send(bytes),
            (None, true) => Turn::Done(()),
            (None, false) => Turn::Wait {
                until: Duration::MAX,
            },
        }
    }
}
