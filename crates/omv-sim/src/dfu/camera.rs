//! The camera as its port, hands and an onlooker see it.

use std::time::Duration;

use omv_boards::State;

use super::DfuCamera;
use super::content::{self, Start};
use super::life::Life;
use crate::Face;
use crate::camera::{Camera, Hand, Status};

impl Camera for DfuCamera {
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }

    fn face(&mut self) -> Option<&mut dyn Face> {
        match &mut self.life {
            Life::Rom(face) | Life::Dfu { face, .. } | Life::Arduino(face) => Some(&mut **face),
            Life::Bridge(face) => Some(&mut **face),
            Life::Legacy { face, .. } => Some(&mut **face),
            Life::Run(face) => Some(&mut **face),
            Life::Off | Life::Dead(_) | Life::Starting { .. } => None,
        }
    }

    fn serial(&self) -> Option<String> {
        let serial = match &self.life {
            Life::Rom(face) | Life::Dfu { face, .. } | Life::Arduino(face) => face.serial(),
            Life::Legacy { face, .. } => face.serial(),
            Life::Run(face) => face.serial(),
            Life::Bridge(_) | Life::Off | Life::Dead(_) | Life::Starting { .. } => "",
        };
        (!serial.is_empty()).then(|| serial.to_owned())
    }

    fn visit(&self) -> u64 {
        self.visit
    }

    fn has_driver(&self) -> bool {
        self.driver
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
        let starting = match &self.life {
            Life::Starting { until, .. } => Some(*until),
            _ => None,
        };
        [
            starting,
            self.window_end(),
            self.host_configures(),
            self.cut_at,
        ]
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
            Hand::Unplug | Hand::PowerCut => self.lose_power(),
            Hand::Reset if self.plugged => self.reset(),
            Hand::DoubleTap if self.plugged => {
                // Only Arduino's bootloader counts.
                self.forced = self.board.mcuboot.is_some();
                self.reset();
            }
            Hand::Plug | Hand::Reset | Hand::DoubleTap | Hand::PinLow(_) => {}
            Hand::Jumper(set) => self.jumper = set,
            Hand::Driver(installed) => self.driver = installed,
            Hand::PowerCutAfter(bytes) => self.chip.lock().nor.set_allowance(Some(bytes)),
        }
    }

    fn status(&self) -> Status {
        let parts = self.chip.lock();
        let found = match content::firmware(&parts) {
            Start::Runs(firmware) => Some(firmware.version.to_string()),
            Start::Crashes | Start::Nowhere => None,
        };
        let erased_sectors = parts.nor.wear().erased_sectors;
        let misused = parts.misused;
        drop(parts);
        let (state, doing) = self.onlook();
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

impl DfuCamera {
    /// Its state and a sentence on it.
    fn onlook(&self) -> (State, String) {
        let passing = if self.crashing {
            State::Cycling
        } else {
            State::Silent
        };
        match &self.life {
            Life::Off => (State::Silent, "it has no power".to_owned()),
            Life::Dead(why) => (State::Silent, (*why).to_owned()),
            Life::Starting { .. } => (passing, "it is starting".to_owned()),
            Life::Rom(_) => (State::StRom, "the chip's ROM waits".to_owned()),
            Life::Bridge(_) => (
                State::SeUart,
                "its recovery switch is on: only the serial bridge is there".to_owned(),
            ),
            Life::Dfu { .. } if self.window_end().is_none() => {
                (State::Dfu, "a host holds the bootloader".to_owned())
            }
            Life::Dfu { .. } => {
                let state = if self.crashing {
                    State::Cycling
                } else {
                    State::Dfu
                };
                (state, "the bootloader waits for a short while".to_owned())
            }
            Life::Legacy { face, .. } => {
                let waits = if face.is_held() {
                    "for commands"
                } else {
                    "for a short while"
                };
                (
                    State::LegacyBl,
                    format!("the serial bootloader waits {waits}"),
                )
            }
            Life::Arduino(_) => (State::ArduinoDfu, "Arduino's bootloader waits".to_owned()),
            Life::Run(face) => (
                State::Run,
                format!("firmware {} runs", face.firmware().version),
            ),
        }
    }
}
