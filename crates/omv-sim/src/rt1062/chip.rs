//! What stays when the power goes: flash and fuses, shared by whatever runs on the chip.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::nor::{Nor, Speed};

/// Address of the flash as the processor sees it.
pub const FLASH: u32 = 0x6000_0000;
/// Bytes of flash: 128 Mbit.
pub const FLASH_SIZE: u32 = 0x0100_0000;
/// Number of fuse words.
pub const FUSE_WORDS: usize = 64;
/// The word that holds BT_FUSE_SEL, and its bit.
pub const BOOT_FUSE: (usize, u32) = (6, 0x10);

/// Flash, fuses, and the clock that operations on them are scheduled by.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The flash.
    pub nor: Nor,
    /// One-time programmable words: bits are only ever gained.
    pub fuses: [u32; FUSE_WORDS],
    /// Time on the camera's clock.
    pub now: Duration,
    /// Set when the allowance of flash bytes ran out.
    pub lost_power: bool,
    /// Set when a host sent a command that no host ever should.
    pub misused: Option<&'static str>,
}

/// A handle on the parts.
#[derive(Clone, Debug)]
pub struct Chip(Arc<Mutex<Parts>>);

impl Chip {
    /// A chip with blank flash and the fuses of a camera as it is sold, with this unique id.
    pub fn new(uid: [u32; 2], speed: Speed) -> Self {
        let mut fuses = [0; FUSE_WORDS];
        fuses[1..3].copy_from_slice(&uid);
        fuses[BOOT_FUSE.0] = BOOT_FUSE.1;
        Self::of(Parts {
            nor: Nor::blank(FLASH_SIZE as usize, speed),
            fuses,
            now: Duration::ZERO,
            lost_power: false,
            misused: None,
        })
    }

    /// A chip made of these parts.
    pub fn of(parts: Parts) -> Self {
        Self(Arc::new(Mutex::new(parts)))
    }

    /// The parts, for as long as the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes time on to the flash.
    pub fn settle(&self, now: Duration) {
        let mut parts = self.lock();
        parts.now = parts.now.max(now);
        if !parts.nor.settle(now) {
            parts.lost_power = true;
        }
    }
}
