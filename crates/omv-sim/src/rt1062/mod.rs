//! A virtual OpenMV Cam RT1062: power, ROM, resident bootloader, flashloader, firmware.
//!
//! ```text
//!            power on, reset
//!                  |
//!      wire set, or boot fuse clear ----> ROM (SDP) --jump--> flashloader --reset--> (top)
//!                  |
//!      no boot block, no bootloader ----> ROM, or silence (uncertain: a quirk)
//!                  |
//!      vectors fail, or P11 low --------> silence: only the wire helps
//!                  |
//!             SBL, 1500 ms --first report--> SBL for good --reset--> (top)
//!                  |
//!      firmware whole? --no--> it crashes and the chip resets --> (top)
//!                  |
//!               running --reset--> (top)
//! ```
//!
//! It boots what is really in its flash, and what the firmware answers comes from the image.

pub mod chip;
mod firmware;
mod loader;
mod memory;
mod rom;
pub mod sample;

use std::time::Duration;

use omv_boards::State;
use omv_wire::{mboot, sdp};

use crate::Face;
use crate::camera::{Camera, Hand, Status};
use crate::medium::{self, FlashDisk};
use crate::nor::{Speed, Torn};
use crate::run::{Firmware, Goodbye, RunFace};
use crate::running::Setup;
use chip::{BOOT_FUSE, Chip, Parts};
use firmware::{Resident, Vectors};
use loader::LoaderFace;
use memory::{Loader, Memory};
use rom::RomFace;

/// The flashloader on its other wire: a serial line, over the memory of this chip.
pub fn uart_loader(chip: &Chip) -> mboot::Camera<impl mboot::Target + Send + use<>> {
    mboot::Camera::new(
        mboot::Wire::Uart,
        Memory::new(chip.clone(), Loader::Flashloader),
    )
}

/// The mask ROM on its other wire: a serial line.
pub fn uart_rom(quirks: Quirks) -> sdp::Camera<impl sdp::Target + Send + use<>> {
    rom::rom(quirks, true)
}

/// How long things take that are not the flash's doing. From the moment power comes or a reset
/// is asked for; values are those of the fact's class, not measured on a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// ROM code until the resident bootloader runs, or until the ROM itself is on the bus.
    pub rom: Duration,
    /// Resident bootloader until it is on the bus; part of its window.
    pub attach: Duration,
    /// Flashloader from the jump until it is on the bus.
    pub flashloader: Duration,
    /// Firmware from its first instruction until it is on the bus.
    pub firmware: Duration,
    /// Half-written firmware until the chip resets itself.
    pub crash: Duration,
    /// ROM or loader from its last report until it is off the bus. A host needs a moment to read
    /// that report: NXP's own tools lose it when the device is gone before they look.
    pub goodbye: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            rom: millis(30),
            attach: millis(120),
            flashloader: millis(700),
            firmware: millis(1200),
            crash: millis(400),
            goodbye: millis(30),
        }
    }
}

/// Behaviours about which the facts are uncertain, or that only some cameras show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// A ROM that finds nothing to boot stays silent instead of showing itself on USB.
    pub silent_rom: bool,
    /// The ROM has an interrupt OUT endpoint instead of taking reports on the control endpoint.
    pub rom_out_endpoint: bool,
    /// The ROM answers error-status with failure, as a blank part does.
    pub blank_part: bool,
    /// The chip is closed: the ROM takes no unsigned program.
    pub locked: bool,
    /// The boot fuse was never burned: every reset leads into the ROM.
    pub clear_boot_fuse: bool,
    /// A power cut leaves cells between erased and programmed.
    pub torn: bool,
}

impl Quirks {
    /// Their names, for the command line, with a line each.
    pub const NAMES: [(&'static str, &'static str); 6] = [
        (
            "silent-rom",
            "a ROM that finds nothing to boot stays off the bus",
        ),
        (
            "rom-out-endpoint",
            "the ROM takes reports on an interrupt endpoint",
        ),
        ("blank-part", "the ROM answers error-status with a failure"),
        ("locked", "the chip is closed and takes no unsigned program"),
        ("clear-boot-fuse", "the boot fuse was never burned"),
        (
            "torn",
            "a power cut leaves cells half erased or half programmed",
        ),
    ];

    /// Switches one on by its name; false for a name there is not.
    pub fn set(&mut self, name: &str) -> bool {
        let flag = match name {
            "silent-rom" => &mut self.silent_rom,
            "rom-out-endpoint" => &mut self.rom_out_endpoint,
            "blank-part" => &mut self.blank_part,
            "locked" => &mut self.locked,
            "clear-boot-fuse" => &mut self.clear_boot_fuse,
            "torn" => &mut self.torn,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// What the chip is doing.
enum Life {
    Off,
    /// Nothing that would ever end by itself.
    Dead(&'static str),
    /// Off the bus until a moment, then something else.
    Starting {
        until: Duration,
        next: Next,
    },
    Rom(Box<RomFace>),
    Loader {
        face: Box<LoaderFace>,
        window: Option<Duration>,
    },
    Run(Box<RunFace>),
}

/// What a [`Life::Starting`] becomes.
enum Next {
    Reset,
    Rom,
    Sbl { window: Option<Duration> },
    Flashloader,
    Application,
    Firmware(Firmware),
}

/// The camera.
pub struct Rt1062 {
    chip: Chip,
    now: Duration,
    life: Life,
    visit: u64,
    plugged: bool,
    jumper: bool,
    pin_low: bool,
    cut_at: Option<Duration>,
    times: Times,
    quirks: Quirks,
    setup: Setup,
    half_written_starts: u64,
}

/// Everything of a camera that outlives a loss of power.
#[derive(Clone, Debug)]
pub struct Remains {
    /// Flash and fuses.
    pub parts: Parts,
    /// Whether the ROM wire is set.
    pub jumper: bool,
}

impl Rt1062 {
    /// A camera as it is sold, with this firmware in its flash, plugged in at time zero.
    pub fn new(firmware: &[u8], quirks: Quirks) -> Self {
        let chip = Chip::new([0x1A2B_3C4D, 0x0060_1062], Speed::default());
        {
            let mut parts = chip.lock();
            parts.nor.place(0, &sample::flash_configuration());
            parts.nor.place(sample::SBL, &sample::sbl());
            parts.nor.place(sample::FIRMWARE, firmware);
            if quirks.clear_boot_fuse {
                parts.fuses[BOOT_FUSE.0] &= !BOOT_FUSE.1;
            }
        }
        let parts = chip.lock().clone();
        Self::from_remains(
            Remains {
                parts,
                jumper: false,
            },
            quirks,
        )
    }

    /// The same with another unique id, so that two cameras can be told apart.
    #[must_use]
    pub fn with_uid(self, uid: [u32; 2]) -> Self {
        self.chip.lock().fuses[1..3].copy_from_slice(&uid);
        self
    }

    /// A camera made of what one left behind.
    pub fn from_remains(remains: Remains, quirks: Quirks) -> Self {
        let mut parts = remains.parts;
        parts.now = Duration::ZERO;
        parts.lost_power = false;
        parts.nor.set_torn(if quirks.torn {
            Torn::Always
        } else {
            Torn::Never
        });
        let mut camera = Self {
            chip: Chip::of(parts),
            now: Duration::ZERO,
            life: Life::Off,
            visit: 0,
            plugged: true,
            jumper: remains.jumper,
            pin_low: false,
            cut_at: None,
            times: Times::default(),
            quirks,
            setup: Setup::default(),
            half_written_starts: 0,
        };
        camera.reset();
        camera
    }

    /// What its firmware finds from its next start on: card, scene, interpreter.
    pub fn set_up(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// Its internal disk, and the block the volume on it begins at.
    pub fn disk(&self) -> Option<(medium::Shared, u64)> {
        let disk = FlashDisk::new(firmware::board(), Box::new(self.chip.clone()))?;
        let start = disk.volume_start();
        Some((medium::Shared::new(disk), start))
    }

    /// Its running firmware, if that runs.
    pub fn running(&self) -> Option<&RunFace> {
        match &self.life {
            Life::Run(face) => Some(face),
            _ => None,
        }
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

    /// Flash and fuses, for whoever keeps them in a file or checks them in a test.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// Lets the power fail at a moment to come.
    pub fn cut_at(&mut self, at: Option<Duration>) {
        self.cut_at = at;
    }

    /// The next start, from the beginning.
    fn reset(&mut self) {
        let until = self.now + self.times.rom;
        self.life = Life::Starting {
            until,
            next: Next::Reset,
        };
    }

    /// What the ROM does once it has looked around.
    fn boot(&mut self) {
        let resident = {
            let parts = self.chip.lock();
            let fuse_set = parts.fuses[BOOT_FUSE.0] & BOOT_FUSE.1 != 0;
            (fuse_set && !self.jumper).then(|| firmware::resident(&parts))
        };
        match resident {
            None => self.become_later(self.times.rom, Next::Rom),
            Some(Resident::Works) => self.start_resident(),
            Some(Resident::Damaged) => self.life = Life::Dead("its bootloader crashes"),
            Some(Resident::Missing) if self.quirks.silent_rom => {
                self.life = Life::Dead("the ROM finds nothing to boot");
            }
            Some(Resident::Missing) => self.become_later(self.times.rom, Next::Rom),
        }
    }

    fn start_resident(&mut self) {
        let vectors = firmware::vectors(&self.chip.lock());
        match vectors {
            Vectors::Fail => self.life = Life::Dead("its vectors lead nowhere: set the wire"),
            Vectors::Start => self.become_later(Duration::ZERO, Next::Application),
            Vectors::Wait(_) if self.pin_low => {
                self.become_later(Duration::ZERO, Next::Application);
            }
            Vectors::Wait(millis) => {
                let window = millis.map(|millis| self.now + Duration::from_millis(millis.into()));
                self.become_later(self.times.attach, Next::Sbl { window });
            }
        }
    }

    fn start_application(&mut self) {
        let found = firmware::firmware(&self.chip.lock());
        match found {
            Some(firmware) => self.become_later(self.times.firmware, Next::Firmware(firmware)),
            None => {
                self.half_written_starts += 1;
                // The ROM runs after this reset as after any other.
                self.become_later(self.times.crash + self.times.rom, Next::Reset);
            }
        }
    }

    fn become_later(&mut self, after: Duration, next: Next) {
        self.life = Life::Starting {
            until: self.now + after,
            next,
        };
    }

    fn become_now(&mut self, next: Next) {
        let goodbye = self.times.goodbye;
        let loader = |loader| {
            let memory = Memory::new(self.chip.clone(), loader);
            Box::new(LoaderFace::new(memory, goodbye))
        };
        let life = match next {
            Next::Reset => return self.boot(),
            Next::Application => return self.start_application(),
            Next::Rom => Life::Rom(Box::new(RomFace::new(self.quirks, goodbye))),
            Next::Sbl { window } => {
                let face = loader(Loader::Sbl);
                Life::Loader { face, window }
            }
            Next::Flashloader => {
                let face = loader(Loader::Flashloader);
                Life::Loader { face, window: None }
            }
            Next::Firmware(firmware) => {
                let fuses = self.chip.lock().fuses;
                let body = firmware::body([fuses[1], fuses[2]]);
                let mut setup = self.setup.clone();
                setup.rom = medium::rom(firmware::board(), Box::new(self.chip.clone()));
                Life::Run(Box::new(RunFace::new(firmware, body, setup, self.disk())))
            }
        };
        self.visit += 1;
        self.life = life;
    }

    fn lose_power(&mut self) {
        let mut parts = self.chip.lock();
        parts.nor.cut(self.now);
        parts.lost_power = false;
        drop(parts);
        self.plugged = false;
        self.life = Life::Off;
    }

    /// One step of its own life at the present moment; false when nothing is due.
    fn step(&mut self) -> bool {
        let now = self.now;
        match &mut self.life {
            Life::Off | Life::Dead(_) => return false,
            Life::Starting { until, .. } if *until <= now => {
                if let Life::Starting { next, .. } = std::mem::replace(&mut self.life, Life::Off) {
                    self.become_now(next);
                }
            }
            Life::Starting { .. } => return false,
            Life::Rom(face) => match face.leaves(now) {
                Some(true) => self.become_later(self.times.flashloader, Next::Flashloader),
                Some(false) => self.life = Life::Dead("the program in RAM crashed"),
                None => return false,
            },
            Life::Loader { face, window } => {
                // A report only counts if it came in time.
                if face.held_since().is_some() {
                    *window = None;
                }
                match face.leaves(now) {
                    Some(mboot::Leave::Reset) => self.reset(),
                    Some(mboot::Leave::Execute { .. }) => self.start_application(),
                    None if window.is_some_and(|end| end <= now) => self.start_application(),
                    None => return false,
                }
            }
            Life::Run(face) => match face.leaves(now) {
                // There is no other bootloader than the resident one, and it runs at each reset.
                Some(Goodbye::Reset | Goodbye::Bootloader) => self.reset(),
                Some(Goodbye::Sleep(None)) => self.life = Life::Dead("it sleeps for ever"),
                Some(Goodbye::Sleep(Some(time))) => self.become_later(time, Next::Reset),
                None => return false,
            },
        }
        true
    }
}

impl Camera for Rt1062 {
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }

    fn face(&mut self) -> Option<&mut dyn Face> {
        match &mut self.life {
            Life::Rom(face) => Some(&mut **face),
            Life::Loader { face, .. } => Some(&mut **face),
            Life::Run(face) => Some(&mut **face),
            Life::Off | Life::Dead(_) | Life::Starting { .. } => None,
        }
    }

    fn serial(&self) -> Option<String> {
        match &self.life {
            Life::Run(face) => Some(face.serial().to_owned()),
            _ => None,
        }
    }

    fn visit(&self) -> u64 {
        self.visit
    }

    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let cut = self.cut_at.filter(|at| *at <= self.now);
        self.chip.settle(cut.unwrap_or(self.now));
        if cut.is_some() || self.chip.lock().lost_power {
            self.cut_at = None;
            self.lose_power();
        }
        while self.step() {}
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        let own = match &self.life {
            Life::Starting { until, .. } => Some(*until),
            Life::Loader { window, .. } => *window,
            _ => None,
        };
        [own, self.cut_at]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn hand(&mut self, now: Duration, hand: Hand) {
        self.advance(now);
        match hand {
            Hand::Plug if !self.plugged => {
                self.plugged = true;
                self.reset();
            }
            Hand::Reset | Hand::DoubleTap if self.plugged => self.reset(),
            // HID needs no driver.
            Hand::Plug | Hand::Reset | Hand::DoubleTap | Hand::Driver(_) => {}
            Hand::Unplug | Hand::PowerCut => self.lose_power(),
            Hand::Jumper(set) => self.jumper = set,
            Hand::PinLow(low) => self.pin_low = low,
            Hand::PowerCutAfter(bytes) => self.chip.lock().nor.set_allowance(Some(bytes)),
        }
    }

    fn status(&self) -> Status {
        let parts = self.chip.lock();
        let found = firmware::firmware(&parts).map(|firmware| firmware.version.to_string());
        let erased_sectors = parts.nor.wear().erased_sectors;
        let misused = parts.misused;
        drop(parts);
        let (state, doing) = match &self.life {
            Life::Off => (State::Silent, "it has no power".to_owned()),
            Life::Dead(why) => (State::Silent, (*why).to_owned()),
            Life::Starting { .. } => (State::Silent, "it is starting".to_owned()),
            Life::Rom(_) => (State::Sdp, "the chip's ROM waits for a program".to_owned()),
            Life::Loader { face, window } => {
                let state = match face.memory().loader() {
                    Loader::Sbl => State::Sbl,
                    Loader::Flashloader => State::Flashloader,
                };
                let waits = if window.is_some() {
                    "for a short while"
                } else {
                    "for commands"
                };
                (state, format!("a bootloader waits {waits}"))
            }
            Life::Run(face) => (
                State::Run,
                format!("firmware {} runs", face.firmware().version),
            ),
        };
        Status {
            state,
            plugged: self.plugged,
            jumper: self.jumper,
            firmware: found,
            doing: misused.map_or(doing, |what| format!("MISUSED: {what}")),
            half_written_starts: self.half_written_starts,
            erased_sectors,
        }
    }
}
