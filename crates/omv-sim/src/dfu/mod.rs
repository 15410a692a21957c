//! Virtual cameras of every board that is updated over DFU: those with an STM32, the AE3, and
//! Arduino's.
//!
//! ```text
//!           power on, reset
//!                 |
//!     BOOT0 wire or switch set, or blank flash --> ROM (or the AE3's serial bridge), for good
//!                 |
//!     bootloader damaged -----------------------> silence
//!                 |
//!     DFU:      1000 ms to be configured, then 1500 ms; UPLOAD or a written block hold it
//!     serial:   2000 ms to be configured, then 1000 ms; START holds it
//!     Arduino:  none, but after a double tap, a wish of the firmware, or without firmware
//!                 |
//!     firmware whole? -- half of it: crashes and resets --> (top)
//!                 |   -- no vectors: locks up, or the same
//!               running --reset--> (top)
//! ```
//!
//! What differs between boards comes from their files in `omv-boards`; which bootloader and which
//! firmware a camera has, from the bytes in its flash.
//!
//! Sources: openmv/openmv boot/src/common/main.c v4.6.0 to v5.0.0; arduino/mcuboot-arduino-stm32h7.

mod addresses;
mod bridge;
mod camera;
mod cards;
pub mod chip;
mod content;
mod face;
mod legacy;
mod life;
mod needs;
mod partitions;
mod quirks;
pub mod sample;
mod wish;

use std::time::Duration;

use omv_boards::Board;

use crate::medium::{self, Behind, FlashDisk};
use crate::nor::Torn;
use crate::run::RunFace;
use crate::running::Setup;
use chip::{Chip, Parts, Revision};
use life::{Life, Next};

pub use content::Generation;
pub use needs::Needs;
pub use quirks::Quirks;
pub use wish::{Bootloader, Wish, WishError};

/// How long things take that are not the flash's doing; values of the facts' class, not measured
/// on a camera, but for the start of Arduino's boards.
///
/// Source of that: openmv/openmv-ota `src/openmv_ota/flash/arduino.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From power or reset until the bootloader or the ROM runs.
    pub reset: Duration,
    /// Bootloader or ROM until it is on the bus; part of a window.
    pub attach: Duration,
    /// From there until the machine it is plugged into has configured it.
    pub configure: Duration,
    /// Firmware from its first instruction until it is on the bus.
    pub firmware: Duration,
    /// Half-written firmware until the chip resets itself.
    pub crash: Duration,
}

impl Times {
    /// Those of a board.
    pub fn of(board: &Board) -> Self {
        let millis = Duration::from_millis;
        let slow = board.mcuboot.is_some();
        Self {
            reset: millis(10),
            attach: millis(120),
            configure: millis(60),
            firmware: millis(if slow { 31_700 } else { 1200 }),
            crash: millis(400),
        }
    }
}

/// A virtual camera.
pub struct DfuCamera {
    chip: Chip,
    board: &'static Board,
    now: Duration,
    life: Life,
    visit: u64,
    plugged: bool,
    jumper: bool,
    driver: bool,
    /// The firmware asked for its bootloader, or RESET was pressed twice.
    forced: bool,
    cut_at: Option<Duration>,
    times: Times,
    quirks: Quirks,
    setup: Setup,
    half_written_starts: u64,
    /// Whether it crashed since it was plugged in and did not run since.
    crashing: bool,
}

/// Everything of a camera that outlives a loss of power.
#[derive(Clone, Debug)]
pub struct Remains {
    /// Flash.
    pub parts: Parts,
    /// Whether the wire (or switch) that starts the ROM is set.
    pub jumper: bool,
}

impl DfuCamera {
    /// A camera made of what one left behind, plugged in at time zero.
    pub fn from_remains(remains: Remains, quirks: Quirks) -> Self {
        let mut parts = remains.parts;
        parts.now = Duration::ZERO;
        parts.lost_power = false;
        parts.nor.set_torn(if quirks.torn {
            Torn::Always
        } else {
            Torn::Never
        });
        if quirks.revision_y {
            parts.revision = Revision::Y;
        }
        let board = parts.board;
        let mut camera = Self {
            chip: Chip::of(parts),
            board,
            now: Duration::ZERO,
            life: Life::Off,
            visit: 0,
            plugged: true,
            jumper: remains.jumper,
            driver: !quirks.no_driver,
            forced: false,
            cut_at: None,
            times: Times::of(board),
            quirks,
            setup: Setup::default(),
            half_written_starts: 0,
            crashing: false,
        };
        camera.reset();
        camera
    }

    /// What would be left if power failed now.
    pub fn remains(&self) -> Remains {
        let mut parts = self.chip.lock().clone();
        parts.nor.cut(self.now);
        Remains {
            parts,
            jumper: self.jumper,
        }
    }

    /// The same with another unique id, so that two cameras can be told apart.
    #[must_use]
    pub fn with_uid(self, uid: [u8; 12]) -> Self {
        self.chip.lock().uid = uid;
        self
    }

    /// What its firmware finds from its next start on: card, scene, interpreter.
    pub fn set_up(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// Its internal disk, and the block the volume on it begins at.
    pub fn disk(&self) -> Option<(medium::Shared, u64)> {
        let disk = FlashDisk::new(self.board, Box::new(self.chip.clone()))?;
        let start = disk.volume_start();
        let shared = match disk.held_back(self.board) {
            Some((sector, delay)) => medium::Shared::new(Behind::new(disk, (sector, start), delay)),
            None => medium::Shared::new(disk),
        };
        Some((shared, start))
    }

    /// Its running firmware, if that runs.
    pub fn running(&self) -> Option<&RunFace> {
        match &self.life {
            Life::Run(face) => Some(face),
            _ => None,
        }
    }

    /// The board.
    pub fn board(&self) -> &'static Board {
        self.board
    }

    /// Flash, for whoever keeps it in a file or checks it in a test.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// Its times.
    pub fn times(&self) -> Times {
        self.times
    }

    /// Lets the power fail at a moment to come.
    pub fn cut_at(&mut self, at: Option<Duration>) {
        self.cut_at = at;
    }

    /// The next start with the magic word in RAM that keeps the bootloader.
    fn force(&mut self) {
        self.forced = true;
    }

    fn reset(&mut self) {
        self.become_later(self.times.reset, Next::Reset);
    }

    fn become_later(&mut self, after: Duration, next: Next) {
        self.life = Life::Starting {
            until: self.now + after,
            next,
        };
    }

    fn lose_power(&mut self) {
        let mut parts = self.chip.lock();
        parts.nor.cut(self.now);
        parts.lost_power = false;
        drop(parts);
        self.plugged = false;
        self.forced = false;
        self.crashing = false;
        self.life = Life::Off;
    }
}
