//! Making a camera that is in a wished state.

use std::time::Duration;

use omv_boards::{Board, Role, State, Version};

use super::chip::{Parts, Revision};
use super::content::{Generation, bootloader_regions};
use super::{DfuCamera, Quirks, Remains, Times, sample};
use crate::camera::{Camera, Hand};

/// The unique id a virtual camera has when none is asked for: that of the Portenta from which
/// openmv-ota quotes its two serial numbers.
const UID: [u8; 12] = [
    0x1F, 0x00, 0x33, 0x00, 0x06, 0x51, 0x33, 0x30, 0x37, 0x34, 0x32, 0x34,
];
/// Bytes of sample firmware of the main core, if there is room.
const FIRMWARE_SIZE: u32 = 0xC_0000;

/// Which of its bootloaders a board has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootloader {
    /// OpenMV's DFU bootloader.
    Dfu(Generation),
    /// OpenMV's serial bootloader, with its protocol version.
    Legacy(u8),
}

/// What a camera should be.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The board.
    pub board: &'static Board,
    /// The state it is found in.
    pub state: State,
    /// Version of a sample firmware.
    pub version: String,
    /// Firmware instead of a sample.
    pub firmware: Option<Vec<u8>>,
    /// Its bootloader; none for the one that the firmware's release brought.
    pub bootloader: Option<Bootloader>,
    /// Quirks.
    pub quirks: Quirks,
}

/// Why there can be no such camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WishError {
    /// No virtual camera of this board exists.
    #[error("there is no virtual {0} yet")]
    Board(String),
    /// The board is never in that state.
    #[error("the {board} is never in the state {state}")]
    State {
        /// The board.
        board: String,
        /// The state.
        state: State,
    },
    /// The version is none.
    #[error("{0:?} is no version of firmware")]
    Version(String),
    /// The board never had that bootloader.
    #[error("the {0} never had such a bootloader")]
    Bootloader(String),
}

impl Wish {
    /// A running camera of this board, as it is sold.
    pub fn of(board: &'static Board) -> Self {
        Self {
            board,
            state: State::Run,
            version: sample::SHIPPED.to_owned(),
            firmware: None,
            bootloader: None,
            quirks: Quirks::default(),
        }
    }

    /// The states in which a camera of this board can be had.
    pub fn states(board: &Board) -> Vec<State> {
        let troubles = [State::NoDriver, State::Cycling, State::Silent];
        let fits =
            |state: &State| troubles.contains(state) || board.identity(*state, None).is_some();
        State::ALL.into_iter().filter(fits).collect()
    }

    /// Makes it, and lets time pass until it is in that state.
    ///
    /// # Errors
    /// [`WishError`].
    pub fn make(self) -> Result<DfuCamera, WishError> {
        let board = self.board;
        if board.dfu.is_none() && board.mcuboot.is_none() {
            return Err(WishError::Board(board.title.clone()));
        }
        if !Self::states(board).contains(&self.state) {
            return Err(WishError::State {
                board: board.title.clone(),
                state: self.state,
            });
        }
        let mut camera = DfuCamera::from_remains(self.remains()?, self.quirks);
        self.set(&mut camera);
        Ok(camera)
    }

    /// How long after power-on it is in that state, and stays there for a while.
    pub fn settles(&self) -> Duration {
        let times = Times::of(self.board);
        match self.state {
            State::LegacyBl | State::NoDriver => times.reset + times.attach,
            State::Run => times.firmware + Duration::from_secs(4),
            _ => Duration::from_secs(5),
        }
    }

    /// Flash and wires of that camera.
    fn remains(&self) -> Result<Remains, WishError> {
        let revision = if self.quirks.revision_y {
            Revision::Y
        } else {
            Revision::V
        };
        let mut parts = Parts::blank(self.board, UID, revision);
        self.place_bootloader(&mut parts)?;
        self.place_firmware(&mut parts);
        let layout = self.board.layout();
        if let Some(table) = layout.and_then(|layout| layout.role(Role::BootTable)) {
            let bytes = sample::boot_table(table.size as usize);
            parts.place(table.memory, table.start, &bytes);
        }
        Ok(Remains {
            parts,
            jumper: matches!(self.state, State::StRom | State::SeUart),
        })
    }

    fn place_bootloader(&self, parts: &mut Parts) -> Result<(), WishError> {
        let board = self.board;
        let never = || WishError::Bootloader(board.title.clone());
        let version: Version = match self.version.parse() {
            Ok(version) => version,
            Err(_) => return Err(WishError::Version(self.version.clone())),
        };
        let before_dfu = version
            < Version {
                major: 4,
                minor: 6,
                patch: 0,
            };
        let legacy = self.state == State::LegacyBl || (before_dfu && board.legacy.is_some());
        let usual = if legacy {
            Bootloader::Legacy(3)
        } else {
            Bootloader::Dfu(Generation::of_release(version))
        };
        let mut bytes = match self.bootloader.unwrap_or(usual) {
            _ if board.mcuboot.is_some() => sample::mcuboot(board),
            Bootloader::Legacy(_) if board.legacy.is_none() => return Err(never()),
            Bootloader::Legacy(_) if self.state == State::Dfu => return Err(never()),
            Bootloader::Dfu(_) if self.state == State::LegacyBl => return Err(never()),
            Bootloader::Legacy(version) => sample::legacy(board, version),
            Bootloader::Dfu(generation) => sample::bootloader(board, generation),
        };
        if self.state == State::Silent {
            bytes[0x1800] ^= 0xFF;
        }
        let mut rest = bytes.as_slice();
        for region in bootloader_regions(board) {
            let (now, later) = rest.split_at(rest.len().min(region.size as usize));
            parts.place(region.memory, region.start, now);
            rest = later;
        }
        Ok(())
    }

    fn place_firmware(&self, parts: &mut Parts) {
        let layout = self.board.layout();
        let region = |role| layout.and_then(|layout| layout.role(role));
        if let Some(main) = region(Role::Firmware) {
            let sampled = || {
                let size = FIRMWARE_SIZE.min(main.size) as usize;
                sample::firmware(self.board, &self.version, size)
            };
            let mut bytes = self.firmware.clone().unwrap_or_else(sampled);
            bytes.truncate(main.size as usize);
            if self.state == State::Cycling {
                // An update that was interrupted after three quarters.
                bytes.truncate(bytes.len() / 4 * 3);
            }
            parts.place(main.memory, main.start, &bytes);
        }
        if let Some(second) = region(Role::SecondFirmware) {
            let bytes = sample::second_firmware(self.board, &self.version, 0x4_0000);
            parts.place(second.memory, second.start, &bytes);
        }
        if let Some(romfs) = region(Role::Romfs) {
            parts.place(romfs.memory, romfs.start, &sample::rom());
        }
    }

    /// What is not in flash.
    fn set(&self, camera: &mut DfuCamera) {
        match self.state {
            State::Dfu | State::ArduinoDfu => camera.force(),
            State::NoDriver => {
                camera.hand(Duration::ZERO, Hand::Driver(false));
                if camera.board.mcuboot.is_some() {
                    camera.force();
                }
            }
            _ => {}
        }
    }
}
