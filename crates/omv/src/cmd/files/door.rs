//! Which disk is meant, opened as blocks.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use omv_boards::State;
use omv_camera::Looked;
use omv_camera::disk::{BlockError, Blocks, UsbDisk};
use omv_camera::files::{MemoryNotebook, Notebook};
use omv_camera::session::{Options, Session};
use omv_fat::{Fault, Sectors};
use omv_link::native::drives;
use omv_link::{Function, LinkError};

use super::args::Place;
use super::notebook::FileNotebook;
use crate::bench::Bench;
use crate::cli::Common;
use crate::cmd::disk::device::{Access, FileDisk};
use crate::fail::Fail;
use crate::signals::stop_on_interrupt;

/// What kind of disk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The camera's card.
    Card,
    /// The camera's internal disk.
    Internal,
    /// A file or device that was named.
    Named,
}

impl Kind {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "sd",
            Self::Internal => "flash",
            Self::Named => "named",
        }
    }
}

/// A disk that was opened.
pub struct Door {
    /// Its blocks.
    pub blocks: Box<dyn Blocks>,
    /// Where the plan of a save is kept.
    pub notebook: Box<dyn Notebook>,
    /// What a person calls it.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// The camera it belongs to.
    pub camera: Option<(Bench, Looked)>,
}

/// Opens the disk that is meant: the one that was named, or the one of the camera that is meant.
pub fn open(common: &Common, place: &Place, write: bool, who: &str) -> Result<Door, Fail> {
    let to = |write| match write {
        true => Access::Write,
        false => Access::Read,
    };
    if let Some(path) = &place.disk {
        let mut notebook = FileNotebook::of_path(path);
        // What an interrupted save left is mended first, whatever was asked for.
        let access = to(write || notebook.kept().is_some());
        return Ok(Door {
            blocks: Box::new(FileBlocks::open(path, access)?),
            notebook: Box::new(notebook),
            title: path.display().to_string(),
            kind: Kind::Named,
            camera: None,
        });
    }
    let bench = Bench::new(common, who, stop_on_interrupt())?;
    let looked = bench.camera(None, Duration::ZERO, &mut |_| {})?;
    if write {
        quiet(&looked)?;
    }
    let blocks = of_camera(&looked, to(write))?;
    let kind = kind_of(&looked, &*blocks);
    let what = match kind {
        Kind::Internal => "internal disk",
        _ => "card",
    };
    let notebook = notebook_of(common, &looked, kind);
    Ok(Door {
        title: format!("{what} of {}", looked.board.title),
        blocks,
        notebook,
        kind,
        camera: Some((bench, looked)),
    })
}

/// Where the plan of a save onto a camera's disk is kept.
pub fn notebook_of(common: &Common, looked: &Looked, kind: Kind) -> Box<dyn Notebook> {
    let seen = &looked.found.seen;
    let named = common.camera.as_deref();
    // A camera that lives as long as this command needs no note that outlives it.
    if named.is_some_and(|name| name.starts_with("sim:")) {
        return Box::new(MemoryNotebook::default());
    }
    let camera = seen.serial.clone();
    let camera = camera.unwrap_or_else(|| seen.place.to_string());
    Box::new(FileNotebook::of_key(&format!("{camera}-{}", kind.name())))
}

impl Door {
    /// Closes the disk, so that the camera can be talked to. The camera has it for itself then.
    pub fn close(&mut self) -> Result<(), Fail> {
        self.blocks.let_go(true)?;
        self.blocks = Box::new(Closed);
        Ok(())
    }

    /// Stops the script that runs, and opens the disk again.
    pub fn quiet(&mut self) -> Result<(), Fail> {
        let Some((_, looked)) = &self.camera else {
            return Ok(());
        };
        self.blocks = Box::new(Closed);
        quiet(looked)?;
        self.blocks = of_camera(looked, Access::Write)?;
        Ok(())
    }

    /// Opens it again.
    pub fn reopen(&mut self) -> Result<(), Fail> {
        if let Some((_, looked)) = &self.camera {
            self.blocks = of_camera(looked, Access::Write)?;
            self.blocks.let_go(false)?;
        }
        Ok(())
    }

    /// Keeps what a camera inside this process has become.
    pub fn keep(self) -> Result<(), Fail> {
        drop(self.blocks);
        self.camera.map_or(Ok(()), |(bench, _)| bench.keep())
    }
}

/// A disk that was closed.
struct Closed;

impl Blocks for Closed {
    fn block_size(&self) -> u32 {
        512
    }

    fn blocks(&self) -> u64 {
        0
    }

    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), BlockError> {
        Err(BlockError::Gone)
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), BlockError> {
        Err(BlockError::Gone)
    }

    fn settle(&mut self) -> Result<(), BlockError> {
        Err(BlockError::Gone)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// Stops the script that runs: camera and computer do not ask each other before they write.
pub fn quiet(looked: &Looked) -> Result<(), Fail> {
    if looked.found.state() != State::Run {
        return Ok(());
    }
    let session = Session::open(looked, Options::default())?;
    let stopped = match session.is_running() {
        true => session.stop(),
        false => Ok(()),
    };
    session.close();
    Ok(stopped?)
}

/// The disk that a camera shows, over USB/IP or by the drive that the system made of it.
pub fn of_camera(looked: &Looked, access: Access) -> Result<Box<dyn Blocks>, Fail> {
    let found = &looked.found;
    let mut device = found.bus.open(&found.seen)?;
    match device.link(Function::Disk) {
        Ok(link) => return Ok(Box::new(UsbDisk::open(link)?)),
        Err(LinkError::NoFunction { .. }) if found.seen.node.is_some() => {}
        Err(error) => return Err(error.into()),
    }
    let drive = drives(&found.seen.place).into_iter().next();
    let drive = drive.ok_or(LinkError::NoFunction {
        function: Function::Disk,
    })?;
    Ok(Box::new(FileBlocks::open(&drive.node, access)?))
}

/// The internal disk is as large as the region of flash it lies in; everything else is a card.
pub fn kind_of(looked: &Looked, blocks: &dyn Blocks) -> Kind {
    /// Blocks of 512 bytes that STM32 firmware shows in front of it.
    const LEAD: u64 = 256 * 512;
    let bytes = blocks.blocks() * u64::from(blocks.block_size());
    let region = looked.board.layout().and_then(|layout| {
        layout
            .role(omv_boards::Role::Disk)
            .map(|region| u64::from(region.size))
    });
    match region {
        Some(size) if bytes <= size + LEAD => Kind::Internal,
        _ => Kind::Card,
    }
}

/// A file or block device of this computer as blocks.
pub struct FileBlocks {
    disk: FileDisk,
    begun: Instant,
}

impl FileBlocks {
    /// Opens it; refused for writing while it is mounted.
    pub fn open(path: &Path, access: Access) -> Result<Self, Fail> {
        Ok(Self {
            disk: FileDisk::open(path, access, None)?,
            begun: Instant::now(),
        })
    }
}

fn failed(fault: Fault) -> BlockError {
    match fault {
        Fault::ReadOnly => BlockError::Protected,
        other => BlockError::Failed(other.to_string()),
    }
}

impl Blocks for FileBlocks {
    fn block_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn blocks(&self) -> u64 {
        self.disk.sectors()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
        self.disk.forget();
        self.disk.read(first, into).map_err(failed)
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
        self.disk.write(first, from).map_err(failed)
    }

    fn settle(&mut self) -> Result<(), BlockError> {
        self.disk.flush().map_err(failed)
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// This moment as FAT keeps it, in UTC: `year - 1980 (7) month (4) day (5) hour (5) minute (6)
/// seconds / 2 (5)`.
pub fn stamp() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    stamp_of(now.unwrap_or_default().as_secs())
}

fn stamp_of(seconds: u64) -> u32 {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date in the Gregorian calendar, years beginning with March.
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let date = year.clamp(1980, 2107).saturating_sub(1980) << 9 | month << 5 | day;
    let time = ((second / 3600) << 11) | ((second / 60 % 60) << 5) | (second % 60 / 2);
    (date << 16 | time) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_fat_keeps_it() {
        // 2026-11-28 21:55:53 UTC, and a leap day.
        let parts = |stamp: u32| {
            let (date, time) = (stamp >> 16, stamp & 0xFFFF);
            let date = (1980 + (date >> 9), date >> 5 & 15, date & 31);
            (date, (time >> 11, time >> 5 & 63, (time & 31) * 2))
        };
        assert_eq!(
            parts(stamp_of(1_795_902_953)),
            ((2026, 11, 28), (21, 55, 52))
        );
        assert_eq!(parts(stamp_of(1_709_164_800)), ((2024, 2, 29), (0, 0, 0)));
    }
}
