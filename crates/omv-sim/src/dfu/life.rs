//! What a camera does by itself: starts, windows that close, resets, crashes.

use std::time::Duration;

use omv_boards::{MemoryKind, Role, State};
use omv_wire::dfu::Partitions;
use omv_wire::dfu::dfuse::Event;

use super::addresses::Addresses;
use super::bridge::BridgeFace;
use super::content::{Generation, Resident, Start};
use super::face::{DfuFace, Leaves};
use super::legacy::LegacyFace;
use super::partitions::Bootloader;
use super::{DfuCamera, cards, content};
use crate::Face;
use crate::medium;
use crate::run::{Firmware, Goodbye, RunFace};

/// OpenMV's bootloader: how long it waits to be configured, and then for a host that stays.
///
/// Source: openmv/openmv boot/src/common/main.c; boards/*/boot_config.h `OMV_BOOT_DFU_TIMEOUT`.
const DFU_WINDOW: (Duration, Duration) = (Duration::from_millis(1000), Duration::from_millis(1500));
/// The serial bootloader's, of version 2.1 and later.
///
/// Source: openmv/openmv src/bootloader/src/main.c, tags v2.1 to v4.5.9.
const LEGACY_WINDOW: (Duration, Duration) =
    (Duration::from_millis(2000), Duration::from_millis(1000));
/// Older ones wait this long altogether. Source: the same file at v1.4 and v2.0.
const OLDEST_WINDOW: Duration = Duration::from_millis(500);

/// What the chip is doing.
pub enum Life {
    Off,
    /// Nothing that would ever end by itself.
    Dead(&'static str),
    /// Off the bus until a moment, then something else.
    Starting {
        until: Duration,
        next: Next,
    },
    /// The ROM of an STM32.
    Rom(Box<DfuFace>),
    /// The AE3's serial bridge.
    Bridge(Box<BridgeFace>),
    /// OpenMV's DFU bootloader, running since a moment.
    Dfu {
        face: Box<DfuFace>,
        generation: Generation,
        since: Duration,
        forced: bool,
        held: bool,
    },
    /// OpenMV's serial bootloader, the same.
    Legacy {
        face: Box<LegacyFace>,
        version: u8,
        since: Duration,
    },
    Arduino(Box<DfuFace>),
    Run(Box<RunFace>),
}

/// What a [`Life::Starting`] becomes.
pub enum Next {
    Reset,
    Rom,
    Bootloader {
        generation: Generation,
        forced: bool,
        since: Duration,
    },
    Legacy {
        version: u8,
        since: Duration,
    },
    Arduino,
    Firmware(Firmware),
}

impl DfuCamera {
    /// What happens at power-on and reset.
    fn boot(&mut self) {
        let forced = std::mem::take(&mut self.forced);
        if self.jumper && self.has_rom() {
            return self.become_later(self.times.attach, Next::Rom);
        }
        let resident = content::resident(&self.chip.lock());
        self.start_resident(resident, forced);
    }

    /// Whether the wire (or switch) leads anywhere: not over the Nicla's USB port.
    fn has_rom(&self) -> bool {
        [State::StRom, State::SeUart]
            .iter()
            .any(|state| self.board.identity(*state, None).is_some())
    }

    fn start_resident(&mut self, resident: Resident, forced: bool) {
        let since = self.now;
        match resident {
            Resident::Missing if self.has_rom() => {
                self.become_later(self.times.attach, Next::Rom);
            }
            Resident::Missing => self.life = Life::Dead("its bootloader is gone"),
            Resident::Damaged(why) => self.life = Life::Dead(why),
            Resident::Dfu(generation) => {
                let next = Next::Bootloader {
                    generation,
                    forced,
                    since,
                };
                self.become_later(self.times.attach, next);
            }
            Resident::Legacy(version) => {
                self.become_later(self.times.attach, Next::Legacy { version, since });
            }
            Resident::Arduino => {
                // It looks at the vectors and no further.
                let start = content::firmware(&self.chip.lock());
                if forced || start == Start::Nowhere {
                    self.become_later(self.times.attach, Next::Arduino);
                } else {
                    self.start_application();
                }
            }
        }
    }

    /// The jump to the firmware, which nobody has checked.
    fn start_application(&mut self) {
        let start = content::firmware(&self.chip.lock());
        let resets = match start {
            Start::Runs(firmware) => {
                return self.become_later(self.times.firmware, Next::Firmware(firmware));
            }
            Start::Crashes => !self.quirks.hangs,
            // A core with its flash inside locks up at the first fetch; the N6, whose flash is
            // outside, was seen to come back.
            Start::Nowhere => self.board.memory(MemoryKind::Internal).is_none(),
        };
        self.half_written_starts += 1;
        self.crashing = true;
        if resets {
            self.become_later(self.times.crash + self.times.reset, Next::Reset);
        } else {
            self.life = Life::Dead("its firmware is broken and hangs");
        }
    }

    fn become_now(&mut self, next: Next) {
        let life = match next {
            Next::Reset => return self.boot(),
            Next::Rom => self.rom(),
            Next::Bootloader {
                generation,
                forced,
                since,
            } => {
                let partitions = Bootloader::new(self.chip.clone(), generation);
                let names = partitions.table().iter().map(|p| p.name.clone());
                let card = cards::bootloader(&self.chip.lock(), generation, names.collect());
                Life::Dfu {
                    face: Box::new(DfuFace::plain(card, partitions)),
                    generation,
                    since,
                    forced,
                    held: false,
                }
            }
            Next::Legacy { version, since } => match LegacyFace::new(&self.chip, version) {
                Some(face) => Life::Legacy {
                    face: Box::new(face.short_packets(self.quirks.short_packets)),
                    version,
                    since,
                },
                None => Life::Dead("it never had such a bootloader"),
            },
            Next::Arduino => {
                let card = cards::mcuboot(&self.chip.lock());
                match card {
                    Some((card, manners)) => {
                        let addresses = Addresses::new(self.chip.clone(), &card.names);
                        Life::Arduino(Box::new(DfuFace::se(card, manners, addresses)))
                    }
                    None => Life::Dead("it never had such a bootloader"),
                }
            }
            Next::Firmware(firmware) => {
                self.crashing = false;
                let body = cards::body(&self.chip.lock());
                let mut setup = self.setup.clone();
                setup.rom = medium::rom(self.board, Box::new(self.chip.clone()));
                Life::Run(Box::new(RunFace::new(firmware, body, setup, self.disk())))
            }
        };
        self.visit += 1;
        self.life = life;
    }

    fn rom(&self) -> Life {
        let mut bridges = self.board.identities(State::SeUart);
        let bridge = bridges.nth(usize::from(self.quirks.second_bridge));
        if let Some(identity) = bridge {
            return Life::Bridge(Box::new(BridgeFace::new(identity.usb)));
        }
        let parts = self.chip.lock();
        Life::Rom(Box::new(match cards::rom(&parts) {
            Some((card, manners)) => {
                let addresses = Addresses::new(self.chip.clone(), &card.names);
                DfuFace::se(card, manners, addresses)
            }
            None => DfuFace::mute(cards::phases(&parts)),
        }))
    }

    /// What a DfuSe device does after its last answer.
    fn leave_se(&mut self, event: Event) {
        match event {
            Event::Hang => self.life = Life::Dead("its ROM hangs: unplug it"),
            Event::Reset { after } => self.become_later(after, Next::Reset),
            Event::Unprotect => {
                self.erase_internal();
                self.become_later(Duration::from_secs(16), Next::Reset);
            }
            Event::Start { address } => {
                let layout = self.board.layout();
                let starts = |role| {
                    let region = layout.and_then(|layout| layout.role(role));
                    region.is_some_and(|region| region.start == address)
                };
                if starts(Role::Bootloader) {
                    let resident = content::resident(&self.chip.lock());
                    self.start_resident(resident, false);
                } else if starts(Role::Firmware) {
                    self.start_application();
                } else {
                    self.life = Life::Dead("it was sent to where no program is");
                }
            }
        }
    }

    fn erase_internal(&mut self) {
        let mut parts = self.chip.lock();
        let memory = parts.board.memory(MemoryKind::Internal);
        for sector in memory.into_iter().flat_map(omv_boards::Memory::sectors) {
            parts.erase(MemoryKind::Internal, sector);
        }
    }

    /// When the machine it is plugged into configures what is on the bus, if nobody did.
    pub(super) fn host_configures(&self) -> Option<Duration> {
        let (since, configured, needs) = match &self.life {
            Life::Dfu { face, since, .. } => {
                (*since, face.configured_at().is_some(), face.needs_driver())
            }
            Life::Legacy { face, since, .. } => {
                (*since, face.configured_at().is_some(), face.needs_driver())
            }
            _ => return None,
        };
        let at = since + self.times.attach + self.times.configure;
        (!configured && (self.driver || !needs)).then_some(at)
    }

    /// When a bootloader's window closes; none for one that is held.
    pub(super) fn window_end(&self) -> Option<Duration> {
        match &self.life {
            Life::Dfu {
                face,
                since,
                forced,
                held,
                ..
            } => match face.configured_at() {
                None => Some(*since + DFU_WINDOW.0),
                Some(_) if *forced || *held => None,
                Some(at) => Some(at + DFU_WINDOW.1),
            },
            Life::Legacy {
                face,
                version,
                since,
            } => match face.configured_at() {
                _ if face.is_held() => None,
                _ if *version <= 1 => Some(*since + OLDEST_WINDOW),
                None => Some(*since + LEGACY_WINDOW.0),
                Some(at) => Some(at + LEGACY_WINDOW.1),
            },
            _ => None,
        }
    }

    /// One step of its own life at the present moment; false when nothing is due.
    pub(super) fn step(&mut self) -> bool {
        let now = self.now;
        if self.host_configures().is_some_and(|at| at <= now) {
            match &mut self.life {
                Life::Dfu { face, .. } => face.configured(now),
                Life::Legacy { face, .. } => face.configured(now),
                _ => {}
            }
            return true;
        }
        let closes = self.window_end().is_some_and(|end| end <= now);
        match &mut self.life {
            Life::Starting { until, .. } if *until <= now => {
                if let Life::Starting { next, .. } = std::mem::replace(&mut self.life, Life::Off) {
                    self.become_now(next);
                }
            }
            Life::Dfu {
                face,
                generation,
                held,
                ..
            } => {
                let claim = face.take_claim();
                *held |= claim;
                let detach = face.take_leave() == Some(Leaves::Detach);
                if face.is_unconfigured() || (detach && generation.detaches()) {
                    self.start_application();
                } else if detach {
                    // It only lets go of the window's clock, which has mostly run out by then.
                    *held = false;
                } else if closes && !claim {
                    self.start_application();
                } else {
                    return claim;
                }
            }
            Life::Legacy { face, .. } => {
                if !face.leaves(now) && !closes {
                    return false;
                }
                self.start_application();
            }
            Life::Rom(face) | Life::Arduino(face) => match face.take_leave() {
                Some(Leaves::Se(event)) => self.leave_se(event),
                _ => return false,
            },
            Life::Run(face) => match face.leaves(now) {
                Some(Goodbye::Bootloader) => {
                    self.force();
                    self.reset();
                }
                Some(Goodbye::Reset) => self.reset(),
                Some(Goodbye::Sleep(None)) => self.life = Life::Dead("it sleeps for ever"),
                Some(Goodbye::Sleep(Some(time))) => self.become_later(time, Next::Reset),
                None => return false,
            },
            _ => return false,
        }
        true
    }
}
