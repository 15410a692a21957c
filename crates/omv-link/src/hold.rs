//! One job per USB socket: a lock that dies with its holder.
//!
//! ```text
//!   $XDG_RUNTIME_DIR/omv/locks/usb%201-4.2      "omv flash (process 4711)"
//! ```
//!
//! The operating system's own lock on an open file is what counts; the text inside is only
//! there to tell others who has it. A killed process leaves the file behind and the lock not.
//! Files are never deleted: deleting one that somebody just opened would let two in.
//!
//! Where `XDG_RUNTIME_DIR` is missing, a folder of this user in the temporary directory serves.
//! Others can write there too, so a folder that is a link, belongs to somebody else or lets
//! others write is refused.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::LinkError;

/// The longest holder text read back, in bytes.
const HOLDER_LIMIT: u64 = 256;

/// A place taken for this process, until dropped.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

impl Hold {
    /// Takes `key` (a place) for `who` (`omv flash`) in the folder of this user.
    ///
    /// # Errors
    /// [`LinkError::Busy`] with the holder's own words if it is taken, [`LinkError::Io`] if the
    /// lock folder cannot be made or cannot be trusted.
    pub fn take(key: &str, who: &str) -> Result<Self, LinkError> {
        Self::take_in(&default_folder(), key, who)
    }

    /// As [`take`](Self::take), in a folder of the caller's choice, which is made if missing.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_in(folder: &Path, key: &str, who: &str) -> Result<Self, LinkError> {
        private_folder(folder).map_err(|source| LinkError::Io {
            doing: format!("preparing the lock folder {}", folder.display()),
            source,
        })?;
        let path = folder.join(file_name(key));
        let io_error = |source| LinkError::Io {
            doing: format!("locking {}", path.display()),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LinkError::Busy {
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(source)),
        }
        file.set_len(0)
            .and_then(|()| write!(file, "{who} (process {})", std::process::id()))
            .and_then(|()| file.flush())
            .map_err(io_error)?;
        Ok(Self { _file: file })
    }
}

/// Where the locks of this user live.
pub fn default_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        // The XDG base directory specification: a relative path is to be ignored. After `su` the
        // variable often names another user's folder.
        Some(runtime) if runtime.is_absolute() && check_folder(&runtime).is_ok() => {
            runtime.join("omv").join("locks")
        }
        _ => std::env::temp_dir().join(user_folder()).join("locks"),
    }
}

/// A name of this user's own, so that two users of one machine do not meet.
#[cfg(unix)]
fn user_folder() -> String {
    format!("omv-{}", rustix::process::getuid().as_raw())
}

/// The temporary directory is the user's own already.
#[cfg(not(unix))]
fn user_folder() -> String {
    "omv".to_owned()
}

/// What the holder wrote about itself, cleaned for a terminal. On Windows a locked file cannot
/// be read by others, so the holder stays unknown there.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(HOLDER_LIMIT).read_to_string(&mut text).ok()?;
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// One file name per key: everything but letters, digits, `.`, `-` and `_` becomes `%XX`.
fn file_name(key: &str) -> String {
    let mut name = String::new();
    for (index, byte) in key.bytes().enumerate() {
        match byte {
            // A leading dot would make `.` and `..` out of keys of that name.
            b'.' if index == 0 => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    name
}

/// Makes the folder and its parent if missing, for this user alone, and checks that nobody
/// else prepared them.
///
/// # Errors
/// What the system says, and `PermissionDenied` for a folder that is a link, belongs to somebody
/// else or lets others write.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
        check_parent(parent)?;
    }
    make_folder(folder)?;
    check_folder(folder)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match folder_builder().create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn folder_builder() -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;

    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn folder_builder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// Looks at the folder itself, not at what a link points to.
#[cfg(unix)]
fn check_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        Err(untrusted(folder, "is not a folder"))
    } else if found.uid() != rustix::process::getuid().as_raw() {
        Err(untrusted(folder, "belongs to another user"))
    } else if found.mode() & 0o022 != 0 {
        Err(untrusted(folder, "can be written by other users"))
    } else {
        Ok(())
    }
}

/// The parent may also be the system's own shared folder: there the sticky bit keeps others
/// from replacing what is not theirs.
#[cfg(unix)]
fn check_parent(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let found = fs::symlink_metadata(folder)?;
    if found.is_dir() && found.uid() == 0 && found.mode() & 0o1000 != 0 {
        return Ok(());
    }
    check_folder(folder)
}

#[cfg(not(unix))]
fn check_folder(folder: &Path) -> io::Result<()> {
    if fs::symlink_metadata(folder)?.is_dir() {
        Ok(())
    } else {
        Err(untrusted(folder, "is not a folder"))
    }
}

#[cfg(not(unix))]
fn check_parent(folder: &Path) -> io::Result<()> {
    check_folder(folder)
}

fn untrusted(folder: &Path, trouble: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} {trouble}", folder.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_keys_have_different_file_names_and_none_leaves_the_folder() {
        let keys = [
            "usb 1-4.2",
            "usb%201-4.2",
            "usb_1-4.2",
            "..",
            ".",
            "../x",
            "a/b",
        ];
        let names: std::collections::BTreeSet<_> = keys.iter().map(|key| file_name(key)).collect();
        assert_eq!(names.len(), keys.len());
        assert!(
            names
                .iter()
                .all(|name| !name.contains('/') && !name.starts_with('.'))
        );
    }
}
