//! Files as the interpreter's C library sees them: the camera's disks, our modules, the bridge.
//!
//! ```text
//!   /_omv/NAME.py   modules that are part of the camera's firmware
//!   /dev/omv        the bridge: write a request, seek to its end for the answer's length, read it
//!   anything else   the camera's disks
//! ```
//!
//! Layouts are those of Emscripten's libc: errors negative, `stat` with the mode at 4 and the size
//! at 24. The errors' numbers are those a camera shows, which the library hands on as they are.

use wasmi::{Error, Linker};

use super::call;
use super::host::{Here, memory, now, sleep_until};
use crate::disk::{DiskError, Entry};
use crate::engine::modules;
use crate::running::Shared;

const BRIDGE: &str = "/dev/omv";
const OURS: &str = "/_omv";
/// The first number a file gets.
const FIRST: usize = 3;
/// Most files open at once.
const MOST: usize = 64;
/// Most bytes of a file that is written.
const MOST_BYTES: usize = 64 << 20;
/// How often a script that waits for a key looks.
const KEY_EVERY: std::time::Duration = std::time::Duration::from_millis(5);

const ENOENT: i32 = 2;
const EBADF: i32 = 9;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const EIO: i32 = 5;
const EEXIST: i32 = 17;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOTEMPTY: i32 = 39;
const EMFILE: i32 = 24;
const EFAULT: i32 = 14;

fn number(error: DiskError) -> i32 {
    match error {
        DiskError::Missing => ENOENT,
        DiskError::Exists => EEXIST,
        DiskError::Folder => EISDIR,
        DiskError::NotEmpty => ENOTEMPTY,
        DiskError::Invalid => EINVAL,
        DiskError::Full => ENOSPC,
        DiskError::ReadOnly => EROFS,
        DiskError::Io => EIO,
    }
}

enum Open {
    File {
        path: String,
        bytes: Vec<u8>,
        at: usize,
        append: bool,
        changed: bool,
    },
    Folder {
        entries: Vec<Entry>,
        at: usize,
    },
    Bridge {
        answer: Vec<u8>,
        at: usize,
    },
}

/// The files a script has open.
pub struct Files {
    works: Shared,
    open: Vec<Option<Open>>,
    staged: Vec<u8>,
}

impl Files {
    /// None so far.
    pub fn new(works: &Shared) -> Self {
        let mut open = Vec::new();
        open.resize_with(FIRST, || None);
        Self {
            works: works.clone(),
            open,
            staged: Vec::new(),
        }
    }

    /// The text of a script that has a name, for whoever executes it.
    pub fn stage(&mut self, source: Vec<u8>) {
        self.staged = source;
    }

    /// That text, once.
    pub fn staged(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.staged)
    }

    /// Writes what was not written yet.
    pub fn close_all(&mut self, _works: &Shared) {
        for number in FIRST..self.open.len() {
            self.flush(number);
            self.open[number] = None;
        }
    }

    fn module(&self, path: &str) -> Option<Vec<u8>> {
        let name = path
            .strip_prefix(OURS)?
            .strip_prefix('/')?
            .strip_suffix(".py")?;
        modules::source(name, &self.works.inside().facts)
    }

    fn stat(&self, path: &str) -> Result<Entry, i32> {
        let path = self.works.inside().disks.absolute(path);
        let entry = |folder, size| Entry {
            name: String::new(),
            folder,
            size,
        };
        if path == BRIDGE {
            return Ok(entry(false, 0));
        }
        if path == OURS {
            return Ok(entry(true, 0));
        }
        if let Some(name) = path
            .strip_prefix(OURS)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            if modules::is_package(name, &self.works.inside().facts) {
                return Ok(entry(true, 0));
            }
            let source = self.module(&path).ok_or(ENOENT)?;
            return Ok(entry(false, source.len() as u64));
        }
        self.works.inside().disks.stat(&path).map_err(number)
    }

    fn open(&mut self, path: &str, flags: i32) -> Result<i32, i32> {
        let path = self.works.inside().disks.absolute(path);
        let (writes, creates) = (flags & 3 != 0, flags & 0o100 != 0);
        let (truncates, append) = (flags & 0o1000 != 0, flags & 0o2000 != 0);
        let made = if path == BRIDGE {
            let answer = Vec::new();
            Open::Bridge { answer, at: 0 }
        } else if let Some(bytes) = self.module(&path) {
            Open::File {
                path,
                bytes,
                at: 0,
                append: false,
                changed: false,
            }
        } else {
            let found = self.stat(&path);
            match found {
                Ok(entry) if entry.folder && writes => return Err(EISDIR),
                Ok(entry) if entry.folder => {
                    let entries = self.works.inside().disks.list(&path).map_err(number)?;
                    Open::Folder { entries, at: 0 }
                }
                Ok(_) if truncates => Open::File {
                    path,
                    bytes: Vec::new(),
                    at: 0,
                    append,
                    changed: true,
                },
                Ok(_) => {
                    let bytes = self.works.inside().disks.read(&path).map_err(number)?;
                    Open::File {
                        path,
                        bytes,
                        at: 0,
                        append,
                        changed: false,
                    }
                }
                Err(ENOENT) if creates => {
                    // It is there from now on, as on a camera.
                    self.works
                        .inside()
                        .disks
                        .write(&path, &[])
                        .map_err(number)?;
                    Open::File {
                        path,
                        bytes: Vec::new(),
                        at: 0,
                        append,
                        changed: false,
                    }
                }
                Err(error) => return Err(error),
            }
        };
        let free = (FIRST..self.open.len()).find(|number| self.open[*number].is_none());
        let place = free.unwrap_or(self.open.len());
        if place >= MOST {
            return Err(EMFILE);
        }
        if place == self.open.len() {
            self.open.push(None);
        }
        self.open[place] = Some(made);
        Ok(place as i32)
    }

    fn flush(&mut self, file: usize) -> i32 {
        if let Some(Some(Open::File {
            path,
            bytes,
            changed,
            ..
        })) = self.open.get_mut(file)
            && std::mem::take(changed)
            && let Err(error) = self.works.inside().disks.write(path, bytes)
        {
            return number(error);
        }
        0
    }

    fn close(&mut self, file: i32) -> i32 {
        let result = self.flush(file as usize);
        if let Some(open) = self.open.get_mut(file as usize) {
            *open = None;
        }
        result
    }

    fn read(&mut self, file: i32, count: usize) -> Result<Vec<u8>, i32> {
        let (bytes, at) = match self.open.get_mut(file as usize) {
            Some(Some(Open::File { bytes, at, .. })) => (bytes, at),
            Some(Some(Open::Bridge { answer, at })) => (answer, at),
            Some(Some(Open::Folder { .. })) => return Err(EISDIR),
            _ => return Err(EBADF),
        };
        let start = (*at).min(bytes.len());
        let end = (start + count).min(bytes.len());
        *at = end;
        Ok(bytes[start..end].to_vec())
    }

    fn write(&mut self, file: i32, data: &[u8]) -> Result<(), i32> {
        let Some(Some(Open::File {
            bytes,
            at,
            append,
            changed,
            ..
        })) = self.open.get_mut(file as usize)
        else {
            return Err(EBADF);
        };
        if *append {
            *at = bytes.len();
        }
        let end = *at + data.len();
        if end > MOST_BYTES {
            return Err(ENOSPC);
        }
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[*at..end].copy_from_slice(data);
        (*at, *changed) = (end, true);
        Ok(())
    }

    fn seek(&mut self, file: i32, offset: i64, whence: i32) -> Result<i64, i32> {
        let (length, at) = match self.open.get_mut(file as usize) {
            Some(Some(Open::File { bytes, at, .. })) => (bytes.len(), at),
            // The answer's length is asked this way; reading goes on at its start.
            Some(Some(Open::Bridge { answer, at })) => {
                *at = 0;
                return Ok(answer.len() as i64);
            }
            _ => return Err(EBADF),
        };
        let base = match whence {
            0 => 0,
            1 => *at as i64,
            _ => length as i64,
        };
        let to = base.saturating_add(offset);
        if !(0..=MOST_BYTES as i64).contains(&to) {
            return Err(EINVAL);
        }
        *at = to as usize;
        Ok(to)
    }
}

fn get(here: &Here<'_>, at: i32, size: usize) -> Result<Vec<u8>, Error> {
    let memory = memory(here)?;
    let bytes = memory.data(here).get(at as u32 as usize..);
    let bytes = bytes.and_then(|bytes| bytes.get(..size));
    bytes
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Error::new("outside of memory"))
}

fn put(here: &mut Here<'_>, at: i32, bytes: &[u8]) -> Result<(), Error> {
    let memory = memory(here)?;
    let written = memory.write(&mut *here, at as u32 as usize, bytes);
    written.map_err(|_| Error::new("outside of memory"))
}

fn word(here: &Here<'_>, at: i32) -> Result<i32, Error> {
    let bytes = get(here, at, 4)?;
    Ok(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// A text that ends with 0, of at most a path's length.
fn text(here: &Here<'_>, at: i32) -> Result<String, Error> {
    let memory = memory(here)?;
    let bytes = memory
        .data(here)
        .get(at as u32 as usize..)
        .unwrap_or_default();
    let bytes: Vec<u8> = bytes
        .iter()
        .take(1024)
        .take_while(|byte| **byte != 0)
        .copied()
        .collect();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The pieces of memory a read or write is about.
fn vectors(here: &Here<'_>, at: i32, count: i32) -> Result<Vec<(i32, usize)>, Error> {
    let pair = |index: i32| {
        let at = at + 8 * index;
        Ok((word(here, at)?, word(here, at + 4)? as u32 as usize))
    };
    (0..count.clamp(0, 64)).map(pair).collect()
}

fn fd_write(mut here: Here<'_>, file: i32, at: i32, count: i32, done: i32) -> Result<i32, Error> {
    let mut bytes = Vec::new();
    for (at, size) in vectors(&here, at, count)? {
        bytes.extend(get(&here, at, size)?);
    }
    let result = match file {
        1 | 2 => {
            here.data().works.clone().inside().print(&bytes);
            Ok(())
        }
        _ if matches!(
            here.data().files.open.get(file as usize),
            Some(Some(Open::Bridge { .. }))
        ) =>
        {
            let reply = call::answer(&mut here, &bytes)?;
            if let Some(Some(Open::Bridge { answer, at })) =
                here.data_mut().files.open.get_mut(file as usize)
            {
                (*answer, *at) = (reply, 0);
            }
            Ok(())
        }
        _ => here.data_mut().files.write(file, &bytes),
    };
    put(&mut here, done, &(bytes.len() as u32).to_le_bytes())?;
    Ok(result.err().unwrap_or(0))
}

fn fd_read(mut here: Here<'_>, file: i32, at: i32, count: i32, done: i32) -> Result<i32, Error> {
    let mut total = 0_u32;
    for (at, size) in vectors(&here, at, count)? {
        let bytes = if file == 0 {
            match key(&mut here)? {
                Some(key) => vec![key],
                None => break,
            }
        } else {
            match here.data_mut().files.read(file, size) {
                Ok(bytes) => bytes,
                Err(error) => return Ok(error),
            }
        };
        put(&mut here, at, &bytes)?;
        total += bytes.len() as u32;
        if bytes.len() < size {
            break;
        }
    }
    put(&mut here, done, &total.to_le_bytes())?;
    Ok(0)
}

/// Waits for a key; none when the script is to stop.
fn key(here: &mut Here<'_>) -> Result<Option<u8>, Error> {
    loop {
        let works = here.data().works.clone();
        if let Some(key) = works.inside().keys.pop_front() {
            return Ok(Some(key));
        }
        let until = now(&*here) + KEY_EVERY;
        sleep_until(here, until)?;
        if now(&*here) < until {
            return Ok(None);
        }
    }
}

fn stat(mut here: Here<'_>, path: i32, into: i32) -> Result<i32, Error> {
    let path = text(&here, path)?;
    let found = here.data().files.stat(&path);
    match found {
        Ok(entry) => put(&mut here, into, &record(&entry)).map(|()| 0),
        Err(error) => Ok(-error),
    }
}

fn record(entry: &Entry) -> [u8; 96] {
    let mut bytes = [0; 96];
    let mode: u32 = if entry.folder { 0o040_777 } else { 0o100_777 };
    bytes[4..8].copy_from_slice(&mode.to_le_bytes());
    bytes[24..32].copy_from_slice(&entry.size.to_le_bytes());
    bytes
}

fn change(
    here: &Here<'_>,
    act: impl FnOnce(&mut crate::disk::Disks) -> Result<(), DiskError>,
) -> i32 {
    let works = here.data().works.clone();
    let result = act(&mut works.inside().disks);
    result.map_or_else(|error| -number(error), |()| 0)
}

fn list(mut here: Here<'_>, file: i32, into: i32, room: i32) -> Result<i32, Error> {
    /// Bytes of one entry: `inode u64 | offset u64 | size u16 | kind u8 | name`.
    const SIZE: usize = 280;
    let mut bytes = Vec::new();
    let Some(Some(Open::Folder { entries, at })) =
        here.data_mut().files.open.get_mut(file as usize)
    else {
        return Ok(-EBADF);
    };
    while let Some(entry) = entries.get(*at)
        && bytes.len() + SIZE <= room as usize
    {
        *at += 1;
        let mut one = [0; SIZE];
        one[..8].copy_from_slice(&(*at as u64).to_le_bytes());
        one[8..16].copy_from_slice(&(*at as u64).to_le_bytes());
        one[16..18].copy_from_slice(&(SIZE as u16).to_le_bytes());
        one[18] = if entry.folder { 4 } else { 8 };
        let name = &entry.name.as_bytes()[..entry.name.len().min(255)];
        one[19..19 + name.len()].copy_from_slice(name);
        bytes.extend(one);
    }
    put(&mut here, into, &bytes)?;
    Ok(bytes.len() as i32)
}

/// Defines the system calls.
pub fn link(linker: &mut Linker<super::host::Host>) -> Result<(), Error> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(WASI, "fd_read", fd_read)?;
    linker.func_wrap(WASI, "fd_close", |mut here: Here<'_>, file: i32| {
        here.data_mut().files.close(file)
    })?;
    linker.func_wrap(WASI, "fd_sync", |mut here: Here<'_>, file: i32| {
        here.data_mut().files.flush(file as usize)
    })?;
    linker.func_wrap(
        WASI,
        "fd_seek",
        |mut here: Here<'_>,
         file: i32,
         offset: i64,
         whence: i32,
         into: i32|
         -> Result<i32, Error> {
            match here.data_mut().files.seek(file, offset, whence) {
                Ok(at) => put(&mut here, into, &at.to_le_bytes()).map(|()| 0),
                Err(error) => Ok(error),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_openat",
        |mut here: Here<'_>,
         _folder: i32,
         path: i32,
         flags: i32,
         _more: i32|
         -> Result<i32, Error> {
            let path = text(&here, path)?;
            let opened = here.data_mut().files.open(&path, flags);
            Ok(opened.unwrap_or_else(|error| -error))
        },
    )?;
    linker.func_wrap("env", "__syscall_stat64", stat)?;
    linker.func_wrap("env", "__syscall_lstat64", stat)?;
    linker.func_wrap(
        "env",
        "__syscall_newfstatat",
        |here: Here<'_>, _folder: i32, path: i32, into: i32, _flags: i32| stat(here, path, into),
    )?;
    linker.func_wrap("env", "__syscall_getdents64", list)?;
    linker.func_wrap(
        "env",
        "__syscall_getcwd",
        |mut here: Here<'_>, into: i32, size: i32| -> Result<i32, Error> {
            let cwd = here.data().works.inside().disks.cwd().to_owned();
            if cwd.len() as i32 >= size {
                return Ok(-EFAULT);
            }
            put(&mut here, into, &[cwd.as_bytes(), &[0]].concat())?;
            Ok(cwd.len() as i32 + 1)
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_chdir",
        |here: Here<'_>, path: i32| -> Result<i32, Error> {
            let path = text(&here, path)?;
            Ok(change(&here, |disks| disks.chdir(&path)))
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_mkdirat",
        |here: Here<'_>, _folder: i32, path: i32, _mode: i32| -> Result<i32, Error> {
            let path = text(&here, path)?;
            Ok(change(&here, |disks| disks.mkdir(&path)))
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_unlinkat",
        |here: Here<'_>, _folder: i32, path: i32, _flags: i32| -> Result<i32, Error> {
            let path = text(&here, path)?;
            Ok(change(&here, |disks| disks.remove(&path)))
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_rmdir",
        |here: Here<'_>, path: i32| -> Result<i32, Error> {
            let path = text(&here, path)?;
            Ok(change(&here, |disks| disks.remove(&path)))
        },
    )?;
    linker.func_wrap(
        "env",
        "__syscall_renameat",
        |here: Here<'_>, _one: i32, from: i32, _other: i32, to: i32| -> Result<i32, Error> {
            let (from, to) = (text(&here, from)?, text(&here, to)?);
            Ok(change(&here, |disks| disks.rename(&from, &to)))
        },
    )?;
    Ok(())
}
