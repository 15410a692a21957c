//! The disk that a command names: a device or file of this computer, or the disk of a camera.

use std::path::Path;

use omv_camera::files::BlockSectors;
use omv_fat::{Fault, Options, Sectors};

use super::device::{Access, FileDisk};
use crate::cli::Common;
use crate::cmd::files::args::Place;
use crate::cmd::files::door::{self, Door};
use crate::fail::Fail;

/// What stands for the disk of the camera that is meant.
pub const CAMERA: &str = ":";

/// An opened disk.
pub enum Opened {
    /// Of this computer.
    Here(FileDisk),
    /// Behind a camera.
    There(Box<Door>),
}

/// Opens it.
pub fn open(
    common: &Common,
    path: &Path,
    access: Access,
    sector: Option<u32>,
    who: &str,
) -> Result<Opened, Fail> {
    if path != Path::new(CAMERA) {
        return FileDisk::open(path, access, sector).map(Opened::Here);
    }
    let place = Place { disk: None };
    let door = door::open(common, &place, access == Access::Write, who)?;
    Ok(Opened::There(Box::new(door)))
}

impl Opened {
    /// How a check should look at it.
    pub fn options(&self) -> Options {
        match self {
            Self::Here(disk) => disk.options(),
            Self::There(_) => Options {
                sector_size_known: true,
                content: true,
            },
        }
    }

    /// Bytes on it.
    pub fn size(&self) -> u64 {
        self.sectors() * u64::from(self.sector_size())
    }

    /// What a person calls it.
    pub fn title(&self, path: &Path) -> String {
        match self {
            Self::Here(_) => path.display().to_string(),
            Self::There(door) => door.title.clone(),
        }
    }

    /// The same disk, to be written to. A camera's is kept open: its script is stopped.
    pub fn for_writing(self, path: &Path, sector: Option<u32>) -> Result<Self, Fail> {
        match self {
            Self::Here(disk) => {
                drop(disk);
                FileDisk::open(path, Access::Write, sector).map(Self::Here)
            }
            Self::There(mut door) => {
                door.quiet()?;
                Ok(Self::There(door))
            }
        }
    }

    /// Makes reading after this reading from the medium.
    pub fn anew(self, path: &Path, sector: Option<u32>) -> Result<Self, Fail> {
        match self {
            Self::Here(disk) => {
                drop(disk);
                FileDisk::open(path, Access::Read, sector).map(Self::Here)
            }
            there => Ok(there),
        }
    }

    /// The end of what wrote to it: keeps what a camera inside this process has become.
    pub fn keep(self) -> Result<(), Fail> {
        match self {
            Self::Here(_) => Ok(()),
            Self::There(door) => door.keep(),
        }
    }
}

impl Sectors for Opened {
    fn sector_size(&self) -> u32 {
        match self {
            Self::Here(disk) => disk.sector_size(),
            Self::There(door) => door.blocks.block_size(),
        }
    }

    fn sectors(&self) -> u64 {
        match self {
            Self::Here(disk) => disk.sectors(),
            Self::There(door) => door.blocks.blocks(),
        }
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        match self {
            Self::Here(disk) => disk.read(first, into),
            Self::There(door) => BlockSectors::new(&mut *door.blocks).read(first, into),
        }
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Here(disk) => disk.write(first, from),
            Self::There(door) => BlockSectors::new(&mut *door.blocks).write(first, from),
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        match self {
            Self::Here(disk) => disk.flush(),
            Self::There(door) => BlockSectors::new(&mut *door.blocks).flush(),
        }
    }
}
