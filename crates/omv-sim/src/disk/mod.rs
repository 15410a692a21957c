//! The file tree of a running camera: which disk it starts from, and files on it.
//!
//! ```text
//!   4.6.20 and later          before
//!   /flash   internal disk    /   the card, or else the internal disk
//!   /sdcard  card, if it can be mounted and /flash/SKIPSD is missing
//! ```
//!
//! From 4.7.0 on there is `/rom`, too: an image in flash that is only read.
//!
//! At each start the internal disk is mounted, or formatted without a question. The working
//! folder, `boot.py`, `main.py` and USB mass storage are those of the card where there is one.
//!
//! Files are read and written whole, with a FAT of somebody else's; a file being written appears
//! on the disk when it is flushed or closed.
//!
//! Sources: openmv/openmv scripts/libraries/_boot.py; ports/stm32/main.c before it.

mod rom;
mod volume;

use std::io::{self, Read, Write};

use crate::medium::{Shared, Stamp, format_internal};
use rom::Rom;
use volume::{Stream, Volume};

/// Most entries of a folder; one whose chain of clusters goes in a circle would have no end.
const ENTRIES: usize = 1 << 16;
/// Largest file that is read into memory.
const MOST: u64 = 64 << 20;
/// The file by which hosts know the disk of a camera.
const MARK: &str = ".openmv_disk";

/// Which rules of mounting a firmware follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// `/flash` and `/sdcard`: 4.6.20 and later.
    Both,
    /// One of them as `/`.
    One,
}

/// Why something was not done to a file. The numbers are those Python shows (`errno`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// There is no such file or folder.
    #[error("ENOENT")]
    Missing,
    /// Something of that name is there.
    #[error("EEXIST")]
    Exists,
    /// A folder is in the way.
    #[error("EISDIR")]
    Folder,
    /// The folder has something in it.
    #[error("ENOTEMPTY")]
    NotEmpty,
    /// The name cannot be used.
    #[error("EINVAL")]
    Invalid,
    /// No room.
    #[error("ENOSPC")]
    Full,
    /// It can only be read.
    #[error("EROFS")]
    ReadOnly,
    /// The disk failed, or what is on it makes no sense.
    #[error("EIO")]
    Io,
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::InvalidInput => Self::Invalid,
            io::ErrorKind::WriteZero => Self::Full,
            // The FAT crate has no kinds of its own for these.
            _ if error.to_string().contains("No space") => Self::Full,
            _ if error.to_string().contains("not empty") => Self::NotEmpty,
            _ if error.to_string().contains("is a directory") => Self::Folder,
            _ => Self::Io,
        }
    }
}

/// What is known of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in its folder.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Bytes; 0 for a folder.
    pub size: u64,
}

/// Room on a disk, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of a cluster.
    pub cluster: u64,
    /// Clusters there are.
    pub total: u64,
    /// Clusters nobody uses.
    pub free: u64,
}

#[derive(Clone, Debug)]
struct Mount {
    /// `/flash`; empty for the root itself.
    name: &'static str,
    volume: Volume,
}

/// Whether the camera's firmware would mount this medium.
pub fn is_mountable(medium: &Shared) -> bool {
    Volume::find(medium).is_some()
}

/// The mounted disks of a camera that runs.
#[derive(Clone, Debug)]
pub struct Disks {
    mounts: Vec<Mount>,
    cwd: String,
    path: Vec<String>,
    shown: Option<Shared>,
    formatted: bool,
    rom: Option<Rom>,
}

impl Disks {
    /// Mounts what there is, as the firmware does when it starts. An internal disk that cannot be
    /// mounted is formatted.
    pub fn boot(flash: Option<(Shared, u64)>, card: Option<Shared>, rules: Rules) -> Self {
        let mut formatted = false;
        let internal = flash.as_ref().and_then(|(medium, start)| {
            if let Some(volume) = Volume::find(medium) {
                return Some(volume);
            }
            formatted = true;
            format_internal(&mut medium.clone(), *start, Stamp::default()).ok()?;
            Volume::find(medium)
        });
        let card = card.and_then(|card| Volume::find(&card).map(|volume| (card, volume)));
        let mut disks = Self {
            mounts: Vec::new(),
            cwd: "/".to_owned(),
            path: Vec::new(),
            shown: flash.map(|(medium, _)| medium),
            formatted,
            rom: None,
        };
        match rules {
            Rules::Both => disks.mount_both(internal, card),
            Rules::One => disks.mount_one(internal, card),
        }
        disks
    }

    fn mount_both(&mut self, internal: Option<Volume>, card: Option<(Shared, Volume)>) {
        if let Some(volume) = internal {
            self.mounts.push(Mount {
                name: "/flash",
                volume,
            });
            self.enter("/flash");
        }
        let skipped = self.stat("/flash/SKIPSD").is_ok();
        if let Some((medium, volume)) = card.filter(|_| !skipped) {
            self.mounts.push(Mount {
                name: "/sdcard",
                volume,
            });
            self.enter("/sdcard");
            self.shown = Some(medium);
        }
        if !self.mounts.is_empty() && self.stat(MARK).is_err() {
            // A card that is full or write-protected stays without.
            let _ = self.write(MARK, &[]);
        }
    }

    fn mount_one(&mut self, internal: Option<Volume>, card: Option<(Shared, Volume)>) {
        let volume = match card {
            Some((medium, volume)) => {
                self.shown = Some(medium);
                Some(volume)
            }
            None => internal,
        };
        self.mounts
            .extend(volume.map(|volume| Mount { name: "", volume }));
        self.path = vec!["/".to_owned(), "/lib".to_owned()];
    }

    fn enter(&mut self, name: &str) {
        self.cwd = name.to_owned();
        self.path.push(name.to_owned());
        self.path.push(format!("{name}/lib"));
    }

    /// Mounts the image of a ROM file system at `/rom`, where modules are looked for, too.
    pub fn mount_rom(&mut self, image: std::sync::Arc<[u8]>) {
        self.rom = Some(Rom::new(image));
        self.path.extend(["/rom".to_owned(), "/rom/lib".to_owned()]);
    }

    /// The part of a path behind `/rom`, if one is mounted there.
    fn in_rom(&self, path: &str) -> Option<(&Rom, String)> {
        let rom = self.rom.as_ref()?;
        let absolute = self.absolute(path);
        let rest = absolute.strip_prefix("/rom")?;
        let inside = rest.is_empty() || rest.starts_with('/');
        inside.then(|| (rom, rest.trim_start_matches('/').to_owned()))
    }

    /// The medium that USB mass storage shows.
    pub fn shown(&self) -> Option<&Shared> {
        self.shown.as_ref()
    }

    /// Whether the internal disk had to be formatted at this start.
    pub fn was_formatted(&self) -> bool {
        self.formatted
    }

    /// Where modules are looked for, as `sys.path` has it after the start.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The working folder.
    pub fn cwd(&self) -> &str {
        &self.cwd
    }

    /// Changes the working folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn chdir(&mut self, path: &str) -> Result<(), DiskError> {
        let absolute = self.absolute(path);
        if !self.stat(&absolute)?.folder {
            return Err(DiskError::Missing);
        }
        self.cwd = absolute;
        Ok(())
    }

    /// Without `.`, `..` and double slashes, from the root on.
    pub fn absolute(&self, path: &str) -> String {
        let mut parts = Vec::new();
        let base = if path.starts_with('/') { "" } else { &self.cwd };
        for part in base.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// The disk a path leads to, and the path on it. What is in `/rom` is on none.
    fn resolve(&self, path: &str) -> Result<(&Volume, String), DiskError> {
        if self.in_rom(path).is_some() {
            return Err(DiskError::ReadOnly);
        }
        let absolute = self.absolute(path);
        for mount in &self.mounts {
            if let Some(rest) = absolute.strip_prefix(mount.name)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return Ok((&mount.volume, rest.trim_start_matches('/').to_owned()));
            }
        }
        Err(DiskError::Missing)
    }

    fn is_root_of_mounts(&self, path: &str) -> bool {
        let named = self.mounts.iter().all(|mount| !mount.name.is_empty());
        named && self.absolute(path) == "/"
    }

    /// Looks at a file or folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn stat(&self, path: &str) -> Result<Entry, DiskError> {
        let root = Entry {
            name: String::new(),
            folder: true,
            size: 0,
        };
        if self.is_root_of_mounts(path) {
            return Ok(root);
        }
        if let Some((rom, inner)) = self.in_rom(path) {
            return rom.stat(&inner);
        }
        let (volume, inner) = self.resolve(path)?;
        if inner.is_empty() {
            return Ok(root);
        }
        let system = volume.open()?;
        let (folder, name) = inner.rsplit_once('/').unwrap_or(("", &inner));
        let entries = list(&system, folder)?;
        let found = entries
            .into_iter()
            .find(|e| e.name.eq_ignore_ascii_case(name));
        found.ok_or(DiskError::Missing)
    }

    /// What is in a folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, DiskError> {
        if self.is_root_of_mounts(path) {
            let entry = |mount: &Mount| Entry {
                name: mount.name.trim_start_matches('/').to_owned(),
                folder: true,
                size: 0,
            };
            let rom = self.rom.as_ref().map(|_| Entry {
                name: "rom".to_owned(),
                folder: true,
                size: 0,
            });
            return Ok(self.mounts.iter().map(entry).chain(rom).collect());
        }
        if let Some((rom, inner)) = self.in_rom(path) {
            return rom.list(&inner);
        }
        let (volume, inner) = self.resolve(path)?;
        list(&volume.open()?, &inner)
    }

    /// A file's content.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        if self.stat(path)?.folder {
            return Err(DiskError::Folder);
        }
        if let Some((rom, inner)) = self.in_rom(path) {
            return rom.read(&inner);
        }
        let (volume, inner) = self.resolve(path)?;
        let system = volume.open()?;
        let root = system.root_dir();
        let mut bytes = Vec::new();
        root.open_file(&inner)?.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Makes a file of this content, or gives it to one that is there.
    ///
    /// # Errors
    /// [`DiskError`]; the file may then hold less.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        if self.stat(path).is_ok_and(|entry| entry.folder) {
            return Err(DiskError::Folder);
        }
        let (volume, inner) = self.resolve(path)?;
        if !bytes.is_empty() && volume.claims_to_be_full() {
            return Err(DiskError::Full);
        }
        let system = volume.open()?;
        {
            let root = system.root_dir();
            let mut file = root.create_file(&inner)?;
            file.truncate()?;
            file.write_all(bytes)?;
            file.flush()?;
        }
        Ok(system.unmount()?)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn mkdir(&self, path: &str) -> Result<(), DiskError> {
        if self.stat(path).is_ok() {
            return Err(DiskError::Exists);
        }
        self.change(path, |root, inner| root.create_dir(inner).map(drop))
    }

    /// Removes a file, or a folder that is empty.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn remove(&self, path: &str) -> Result<(), DiskError> {
        self.change(path, |root, inner| root.remove(inner))
    }

    /// Gives a file another name on the same disk; one that has that name is replaced.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.stat(from)?;
        let (_, target) = self.resolve(to)?;
        if self.stat(to).is_ok_and(|entry| !entry.folder) {
            self.remove(to)?;
        }
        let (volume, inner) = self.resolve(from)?;
        if inner.is_empty() {
            return Err(DiskError::Invalid);
        }
        volume.staged(|volume| {
            let system = volume.open()?;
            let root = system.root_dir();
            root.rename(&inner, &root, &target)?;
            drop(root);
            Ok(system.unmount()?)
        })
    }

    /// Room on the disk a path leads to.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn room(&self, path: &str) -> Result<Room, DiskError> {
        let (volume, _) = self.resolve(path)?;
        let stats = volume.open()?.stats()?;
        Ok(Room {
            cluster: stats.cluster_size().into(),
            total: stats.total_clusters().into(),
            free: stats.free_clusters().into(),
        })
    }

    fn change(
        &self,
        path: &str,
        act: impl FnOnce(&fatfs::Dir<'_, Stream>, &str) -> io::Result<()>,
    ) -> Result<(), DiskError> {
        let (volume, inner) = self.resolve(path)?;
        if inner.is_empty() {
            return Err(DiskError::Invalid);
        }
        let system = volume.open()?;
        act(&system.root_dir(), &inner)?;
        Ok(system.unmount()?)
    }
}

fn list(system: &fatfs::FileSystem<Stream>, folder: &str) -> Result<Vec<Entry>, DiskError> {
    let root = system.root_dir();
    let folder = match folder {
        "" => root,
        folder => root.open_dir(folder)?,
    };
    let mut entries = Vec::new();
    for entry in folder.iter().take(ENTRIES) {
        let entry = entry?;
        let name = entry.file_name();
        if name != "." && name != ".." {
            entries.push(Entry {
                name,
                folder: entry.is_dir(),
                size: entry.len(),
            });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
