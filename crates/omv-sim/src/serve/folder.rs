//! Where running servers are found.
//!
//! ```text
//!   $XDG_RUNTIME_DIR/omv/        or omv-<user id>/ in the temporary directory
//!     bench/
//!       endpoint                 127.0.0.1:40321
//!       pid                      4711
//!       board                    OPENMV_RT1060
//!       control                  a Unix socket, see the `control` module
//!       state                    flash and fuses, unless they are kept elsewhere
//!     locks/sim%20bench          held for as long as the server lives
//! ```
//!
//! The lock decides who owns an entry: whoever holds it may write or clean it up.

use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use omv_link::LinkError;
use omv_link::hold::{self, Hold};

use super::ServeError;

/// The file that says where the server listens; written last, whole at once.
pub(super) const ENDPOINT: &str = "endpoint";
/// The control socket.
pub(super) const CONTROL: &str = "control";
/// The camera itself, unless it is kept elsewhere.
pub(super) const STATE: &str = "state";
const PID: &str = "pid";
const BOARD: &str = "board";
const FRESH: &str = "endpoint.new";
/// Everything an entry may hold. Nothing else is ever deleted.
const FILES: [&str; 6] = [ENDPOINT, FRESH, CONTROL, STATE, PID, BOARD];
/// The folder of the locks, which is no entry.
const LOCKS: &str = "locks";

/// Longest name of a server, bytes; the path of a Unix socket has room for about a hundred.
const NAME_LIMIT: usize = 32;
/// Most bytes read from a file of an entry.
const FILE_LIMIT: u64 = 256;
/// How long looking for servers may take altogether.
const FIND_LIMIT: Duration = Duration::from_millis(180);
/// How long one server may take to accept a connection.
const PROBE_LIMIT: Duration = Duration::from_millis(50);
/// How often, and at what distance, a name is tried: somebody may just be looking whether the
/// last owner of it is dead.
const TRIES: (u32, Duration) = (10, Duration::from_millis(20));

/// A server that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Where it listens: `127.0.0.1:40321`.
    pub endpoint: String,
    /// Name of the camera's board, as the board files have it.
    pub board: String,
}

/// The folder in which this user's servers are found; made if missing.
///
/// # Errors
/// What the system says, and `PermissionDenied` for a folder that is a link, belongs to somebody
/// else or lets others write.
pub fn runtime_folder() -> io::Result<PathBuf> {
    let locks = hold::default_folder();
    hold::private_folder(&locks)?;
    Ok(locks.parent().unwrap_or(&locks).to_owned())
}

/// The servers that run, by name. Entries of dead ones are removed. Takes at most 200 ms.
pub fn find_servers(folder: &Path) -> Vec<Running> {
    let until = Instant::now() + FIND_LIMIT;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_name(name))
        .collect();
    names.sort();
    let look = |name: String| {
        let path = folder.join(&name);
        let found = running(&path, &name, until);
        if found.is_none() && FILES.iter().any(|file| path.join(file).exists()) {
            // Not before its owner, if there is one that only just starts or stops.
            if let Ok(_hold) = take(folder, &name) {
                clear(&path);
            }
        }
        found
    };
    names.into_iter().filter_map(look).collect()
}

fn running(path: &Path, name: &str, until: Instant) -> Option<Running> {
    let pid: i32 = text(path, PID)?.parse().ok()?;
    let endpoint: SocketAddr = text(path, ENDPOINT)?.parse().ok()?;
    let board = text(path, BOARD)?;
    let left = until.saturating_duration_since(Instant::now());
    if !lives(pid) {
        return None;
    }
    if !left.is_zero() {
        // One that is slow to answer is not dead; only one that refuses is.
        match TcpStream::connect_timeout(&endpoint, left.min(PROBE_LIMIT)) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return None,
            _ => {}
        }
    }
    Some(Running {
        name: name.to_owned(),
        endpoint: endpoint.to_string(),
        board,
    })
}

fn text(path: &Path, file: &str) -> Option<String> {
    let path = path.join(file);
    // Opening a pipe would wait for somebody to write to it.
    fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let mut text = String::new();
    let file = fs::File::open(path).ok()?;
    file.take(FILE_LIMIT).read_to_string(&mut text).ok()?;
    let text = text.trim();
    let clean = !text.is_empty() && !text.contains(char::is_control);
    clean.then(|| text.to_owned())
}

#[cfg(unix)]
fn lives(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid);
    let asked = pid.map(rustix::process::test_kill_process);
    // Anything but "no such process" means that there is one.
    asked.is_some_and(|asked| asked != Err(rustix::io::Errno::SRCH))
}

/// Here only the endpoint can tell.
#[cfg(not(unix))]
fn lives(_pid: i32) -> bool {
    true
}

/// Whether a text can be the name of a server: letters, digits, `.`, `-` and `_`.
pub(super) fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let length = 1..=NAME_LIMIT;
    length.contains(&name.len())
        && name.chars().all(good)
        && !name.starts_with('.')
        && name != LOCKS
}

fn take(folder: &Path, name: &str) -> Result<Hold, LinkError> {
    Hold::take_in(&folder.join(LOCKS), &format!("sim {name}"), "omv sim")
}

fn clear(path: &Path) {
    for file in FILES {
        let _ = fs::remove_file(path.join(file));
    }
    let _ = fs::remove_dir(path);
}

/// The entry of a server, removed when dropped.
#[derive(Debug)]
pub(super) struct Entry {
    path: PathBuf,
    _hold: Hold,
}

impl Entry {
    /// Takes a name; what a dead owner of it left behind is removed.
    pub(super) fn make(folder: &Path, name: &str) -> Result<Self, ServeError> {
        if !is_name(name) {
            return Err(ServeError::BadName(name.to_owned()));
        }
        let mut tries = 1;
        let hold = loop {
            match take(folder, name) {
                Ok(hold) => break hold,
                Err(LinkError::Busy { .. }) if tries < TRIES.0 => thread::sleep(TRIES.1),
                Err(LinkError::Busy { holder }) => {
                    let name = name.to_owned();
                    return Err(ServeError::NameTaken { name, holder });
                }
                Err(other) => return Err(ServeError::Folder(other)),
            }
            tries += 1;
        };
        let path = folder.join(name);
        clear(&path);
        let entry = Self { path, _hold: hold };
        make_folder(&entry.path).map_err(|source| entry.failed("making", source))?;
        Ok(entry)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the server be found.
    pub(super) fn announce(&self, endpoint: SocketAddr, board: &str) -> Result<(), ServeError> {
        let write = |file: &str, text: &str| fs::write(self.path.join(file), format!("{text}\n"));
        write(BOARD, board)
            .and_then(|()| write(PID, &std::process::id().to_string()))
            .and_then(|()| write(FRESH, &endpoint.to_string()))
            .and_then(|()| fs::rename(self.path.join(FRESH), self.path.join(ENDPOINT)))
            .map_err(|source| self.failed("writing", source))
    }

    pub(super) fn failed(&self, doing: &str, source: io::Error) -> ServeError {
        ServeError::Io {
            doing: format!("{doing} {}", self.path.display()),
            source,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

#[cfg(unix)]
fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder_or_pass_for_something_else() {
        for good in ["bench", "a.b-c_9"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "locks", "a b", "ä", &"x".repeat(33)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
