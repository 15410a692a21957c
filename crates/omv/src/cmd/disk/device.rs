//! A file or a block device as sectors, and whether it may be written to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use omv_fat::{Fault, Sectors};

use crate::fail::Fail;

/// What an opened disk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written.
    Read,
    /// It is written to; refused while it is mounted.
    Write,
}

/// An opened disk.
pub struct FileDisk {
    file: File,
    sector: u32,
    sectors: u64,
    writable: bool,
    /// Whether the sector size is that of the medium.
    pub sector_size_known: bool,
}

impl FileDisk {
    /// Opens a block device or an image. `sector` is the size of a sector, where somebody said it.
    pub fn open(path: &Path, access: Access, sector: Option<u32>) -> Result<Self, Fail> {
        let writable = access == Access::Write;
        let meta = std::fs::metadata(path).map_err(|error| Fail::file(path, "reading", error))?;
        if meta.is_dir() {
            return Err(Fail::Usage {
                what: format!("{} is a folder", path.display()),
                help: "Name the device of the disk, such as /dev/sdb, or an image file.".into(),
            });
        }
        let device = system::is_device(&meta);
        if writable && let Some(at) = system::mounted(path, &meta) {
            return Err(Fail::Mounted {
                path: path.to_owned(),
                at,
            });
        }
        let mut options = OpenOptions::new();
        options.read(true).write(writable);
        if writable && device {
            system::alone(&mut options);
        }
        let doing = if writable {
            "opening for writing"
        } else {
            "reading"
        };
        let opened = options.open(path);
        let mut file = opened.map_err(|error| refused(path, device, doing, error))?;
        let size = file
            .seek(SeekFrom::End(0))
            .map_err(|error| Fail::file(path, doing, error))?;
        let of_device = if device {
            system::sector_size(&meta)
        } else {
            None
        };
        let mut disk = Self {
            file,
            sector: 512,
            sectors: size / 512,
            writable,
            sector_size_known: false,
        };
        disk.sector_size_known = sector.or(of_device).is_some();
        let sector = match sector.or(of_device) {
            Some(sector) => sector,
            None => omv_fat::likely_sector_size(&mut disk),
        };
        (disk.sector, disk.sectors) = (sector, size / u64::from(sector));
        Ok(disk)
    }

    /// How a check should look at it.
    pub fn options(&self) -> omv_fat::Options {
        omv_fat::Options {
            sector_size_known: self.sector_size_known,
            content: true,
        }
    }

    /// Bytes on it.
    pub fn size(&self) -> u64 {
        self.sectors * u64::from(self.sector)
    }

    /// Makes the system forget what it remembers of the disk, so that reading is reading.
    pub fn forget(&self) {
        system::forget(&self.file);
    }

    fn seek(&mut self, first: u64, length: usize) -> Result<(), Fault> {
        let count = length as u64 / u64::from(self.sector);
        if first
            .checked_add(count)
            .is_none_or(|end| end > self.sectors)
        {
            return Err(Fault::PastEnd { sector: first });
        }
        let at = SeekFrom::Start(first * u64::from(self.sector));
        self.file
            .seek(at)
            .map(drop)
            .map_err(|_| Fault::Unreadable { sector: first })
    }
}

impl Sectors for FileDisk {
    fn sector_size(&self) -> u32 {
        self.sector
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.seek(first, into.len())?;
        self.file
            .read_exact(into)
            .map_err(|_| Fault::Unreadable { sector: first })
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        if !self.writable {
            return Err(Fault::ReadOnly);
        }
        self.seek(first, from.len())?;
        self.file
            .write_all(from)
            .map_err(|error| match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Fault::ReadOnly
                }
                _ => Fault::Unwritable { sector: first },
            })
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.file
            .sync_all()
            .map_err(|_| Fault::Unwritable { sector: 0 })
    }
}

/// Why a disk or an image was not opened.
fn refused(path: &Path, device: bool, doing: &'static str, error: io::Error) -> Fail {
    match error.kind() {
        io::ErrorKind::PermissionDenied if device => Fail::DiskRights {
            path: path.to_owned(),
        },
        _ => Fail::file(path, doing, error),
    }
}

/// Refuses a disk that is no card: formatting takes everything.
pub fn removable(path: &Path) -> Result<(), Fail> {
    let meta = std::fs::metadata(path).map_err(|error| Fail::file(path, "reading", error))?;
    if !system::is_device(&meta) || system::is_removable(&meta) {
        return Ok(());
    }
    Err(Fail::Usage {
        what: format!("{} is not a removable disk", path.display()),
        help: "Name the whole card or stick, such as /dev/sdb or /dev/mmcblk0.".into(),
    })
}

#[cfg(target_os = "linux")]
mod system {
    use super::{File, OpenOptions, Path, PathBuf};
    use std::fs::{self, Metadata};
    use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

    /// `O_EXCL`: for block devices, refused while somebody has it mounted. Source: open(2).
    const EXCLUSIVE: i32 = 0o200;

    pub fn is_device(meta: &Metadata) -> bool {
        meta.file_type().is_block_device()
    }

    pub fn forget(file: &File) {
        // What the system refuses to forget is read from memory, which a test says.
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }

    pub fn alone(options: &mut OpenOptions) {
        options.custom_flags(EXCLUSIVE);
    }

    /// The folder in which the kernel describes a block device.
    fn folder(meta: &Metadata) -> Option<PathBuf> {
        let device = meta.rdev();
        // Source: glibc's gnu_dev_major and gnu_dev_minor.
        let major = device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000;
        let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00;
        fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()
    }

    pub fn sector_size(meta: &Metadata) -> Option<u32> {
        let folder = folder(meta)?;
        let places = [
            folder.join("queue/logical_block_size"),
            folder.join("../queue/logical_block_size"),
        ];
        let read = |place: &PathBuf| fs::read_to_string(place).ok()?.trim().parse().ok();
        places
            .iter()
            .find_map(read)
            .filter(|size| (512..=4096).contains(size))
    }

    pub fn is_removable(meta: &Metadata) -> bool {
        let Some(folder) = folder(meta) else {
            return false;
        };
        // A partition is not a disk.
        if folder.join("partition").exists() {
            return false;
        }
        let flag = fs::read_to_string(folder.join("removable")).unwrap_or_default();
        let path = folder.to_string_lossy().into_owned();
        flag.trim() == "1" || path.contains("/usb") || path.contains("/mmcblk")
    }

    /// Where the disk, a partition of it, or the file behind a loop device is mounted.
    pub fn mounted(path: &Path, meta: &Metadata) -> Option<PathBuf> {
        let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = if is_device(meta) { folder(meta) } else { None };
        let file = fs::canonicalize(path).ok()?;
        for line in table.lines() {
            let mut words = line.split(' ');
            let (Some(number), Some(at)) = (words.nth(2), words.nth(1)) else {
                continue;
            };
            let Ok(folder) = fs::canonicalize(format!("/sys/dev/block/{number}")) else {
                continue;
            };
            let below = own.as_ref().is_some_and(|own| folder.starts_with(own));
            let backing = ["loop/backing_file", "../loop/backing_file"];
            let behind = backing.iter().any(|name| {
                let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
                Path::new(text.trim()) == file
            });
            if below || behind {
                return Some(PathBuf::from(at));
            }
        }
        None
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{File, OpenOptions, Path, PathBuf};
    use std::fs::Metadata;

    pub fn forget(_: &File) {}

    pub fn is_device(meta: &Metadata) -> bool {
        !meta.is_file()
    }

    pub fn alone(_: &mut OpenOptions) {}

    pub fn sector_size(_: &Metadata) -> Option<u32> {
        None
    }

    /// Not known here, so devices are refused and images are not.
    pub fn is_removable(_: &Metadata) -> bool {
        false
    }

    pub fn mounted(_: &Path, _: &Metadata) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_somebody_elses_is_told_from_a_file_of_somebody_elses() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let disk = refused(Path::new("/dev/sdb"), true, "reading", denied());
        assert_eq!((disk.code(), disk.exit()), ("disk-no-access", 5));
        assert!(disk.message().contains("/dev/sdb") && disk.help().contains("sudo"));
        let file = refused(Path::new("card.img"), false, "reading", denied());
        assert_eq!(file.code(), "file");
        let busy = io::Error::from(io::ErrorKind::ResourceBusy);
        let busy = refused(Path::new("/dev/sdb"), true, "reading", busy);
        assert_eq!(busy.code(), "file");
    }
}
