//! Hands for a served camera: one line of text a request, one line of JSON an answer.
//!
//! ```text
//!   > unplug                      < {"ok":true,"state":"silent","plugged":false,...}
//!   > power-cut after-bytes 4096  < {"ok":true,...}
//!   > paint it black              < {"ok":false,"error":"..."}
//! ```
//!
//! The socket lies in the server's entry in the runtime folder, where nobody else can reach it.
//! It is a Unix socket; on systems without, asking for it is an error of its own.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};

use super::world::{Look, World};
use crate::Hand;

/// Most bytes of a request.
#[cfg(unix)]
const REQUEST_LIMIT: u64 = 256;
/// Most bytes of an answer.
#[cfg(unix)]
const ANSWER_LIMIT: u64 = 0x1_0000;

/// Something asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Do this to the camera, then tell how it is.
    Hand(Hand),
    /// Tell how it is.
    Status,
}

/// Text that is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown request; there are unplug, plug, jumper on|off, p11 on|off, reset, double-tap, \
     driver on|off, power-cut, power-cut after-bytes N, status"
)]
pub struct UnknownRequest;

impl FromStr for Request {
    type Err = UnknownRequest;

    fn from_str(text: &str) -> Result<Self, UnknownRequest> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Ok(Self::Hand(match words.as_slice() {
            ["status"] => return Ok(Self::Status),
            ["unplug"] => Hand::Unplug,
            ["plug"] => Hand::Plug,
            ["jumper", switch] => Hand::Jumper(is_on(switch)?),
            ["p11", switch] => Hand::PinLow(is_on(switch)?),
            ["reset"] => Hand::Reset,
            ["double-tap"] => Hand::DoubleTap,
            ["driver", switch] => Hand::Driver(is_on(switch)?),
            ["power-cut"] => Hand::PowerCut,
            ["power-cut", "after-bytes", bytes] => {
                Hand::PowerCutAfter(bytes.parse().map_err(|_| UnknownRequest)?)
            }
            _ => return Err(UnknownRequest),
        }))
    }
}

fn is_on(word: &str) -> Result<bool, UnknownRequest> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(UnknownRequest),
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |on| if on { "on" } else { "off" };
        match *self {
            Self::Status => f.write_str("status"),
            Self::Hand(Hand::Unplug) => f.write_str("unplug"),
            Self::Hand(Hand::Plug) => f.write_str("plug"),
            Self::Hand(Hand::Jumper(on)) => write!(f, "jumper {}", switch(on)),
            Self::Hand(Hand::PinLow(on)) => write!(f, "p11 {}", switch(on)),
            Self::Hand(Hand::Reset) => f.write_str("reset"),
            Self::Hand(Hand::DoubleTap) => f.write_str("double-tap"),
            Self::Hand(Hand::Driver(on)) => write!(f, "driver {}", switch(on)),
            Self::Hand(Hand::PowerCut) => f.write_str("power-cut"),
            Self::Hand(Hand::PowerCutAfter(bytes)) => write!(f, "power-cut after-bytes {bytes}"),
        }
    }
}

/// Why a server was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No server of that name runs.
    #[error("no virtual camera named {0:?} is running")]
    NotRunning(String),
    /// The server refused.
    #[error("the virtual camera refuses: {0}")]
    Refused(String),
    /// The answer is no JSON object.
    #[error("the virtual camera's answer makes no sense")]
    Senseless,
    /// This system has no Unix sockets.
    #[error("running virtual cameras cannot be handled on this system")]
    Unsupported,
    /// The operating system said no.
    #[error("talking to the virtual camera: {0}")]
    Io(#[from] io::Error),
}

/// Answers a request.
pub(super) fn answer(world: &World, request: &Request) -> Value {
    if let Request::Hand(hand) = request {
        world.hand(*hand);
    }
    let Look {
        status,
        pin_low,
        imported,
        visit,
        time,
        trouble,
    } = world.look();
    json!({
        "ok": true,
        "state": status.state.name(),
        "plugged": status.plugged,
        "jumper": status.jumper,
        "p11": pin_low,
        "firmware": status.firmware,
        "doing": status.doing,
        "half_written_starts": status.half_written_starts,
        "erased_sectors": status.erased_sectors,
        "imported": imported,
        "visit": visit,
        "time_seconds": time.as_secs_f64(),
        "save_error": trouble,
    })
}

/// Asks the server `name` in `folder`. The answer is the JSON object of the module's header.
///
/// # Errors
/// [`ControlError`]; an answer takes 5 s at most.
#[cfg(unix)]
pub fn control(folder: &Path, name: &str, request: &Request) -> Result<Value, ControlError> {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream;

    use super::folder::{CONTROL, is_name};

    const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);
    let missing = || ControlError::NotRunning(name.to_owned());
    if !is_name(name) {
        return Err(missing());
    }
    let connected = UnixStream::connect(folder.join(name).join(CONTROL));
    let mut stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => missing(),
        _ => ControlError::Io(error),
    })?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_LIMIT)).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line).map_err(|_| ControlError::Senseless)?;
    match answer.get("ok").and_then(Value::as_bool) {
        Some(true) => Ok(answer),
        Some(false) => {
            let why = answer.get("error").and_then(Value::as_str);
            Err(ControlError::Refused(why.unwrap_or_default().to_owned()))
        }
        None => Err(ControlError::Senseless),
    }
}

/// Asks the server `name` in `folder`; not possible here.
///
/// # Errors
/// [`ControlError::Unsupported`], always.
#[cfg(not(unix))]
pub fn control(_folder: &Path, _name: &str, _request: &Request) -> Result<Value, ControlError> {
    Err(ControlError::Unsupported)
}

#[cfg(unix)]
pub(super) use socket::Listener;

#[cfg(unix)]
mod socket {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};
    use serde_json::json;

    use super::{REQUEST_LIMIT, Request, World, answer};

    /// How long a client may stay silent, or leave an answer unread.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Most clients at a time.
    const CLIENTS: usize = 16;

    /// The control socket, closed when dropped.
    pub(in crate::serve) struct Listener {
        stop: Option<UnixStream>,
        thread: Option<JoinHandle<()>>,
    }

    impl Listener {
        /// Listens at `path`, where there must be nothing yet.
        pub(in crate::serve) fn open(path: &Path, world: Arc<World>) -> io::Result<Self> {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            let (stop, stopped) = UnixStream::pair()?;
            let thread = thread::Builder::new()
                .name("sim control".into())
                .spawn(move || listen(&listener, &stopped, &world))?;
            Ok(Self {
                stop: Some(stop),
                thread: Some(thread),
            })
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            self.stop = None;
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }

    fn listen(listener: &UnixListener, stopped: &UnixStream, world: &Arc<World>) {
        let clients = Arc::new(AtomicUsize::new(0));
        loop {
            let mut waiting = [
                PollFd::new(listener, PollFlags::IN),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !waiting[1].revents().is_empty() => return,
                Ok(_) => {}
            }
            let Ok((stream, _)) = listener.accept() else {
                // Out of descriptors, perhaps: that must not become a busy loop.
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
                clients.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (world, count) = (Arc::clone(world), Arc::clone(&clients));
            let started = thread::Builder::new().spawn(move || {
                let _ = serve(stream, &world);
                count.fetch_sub(1, Ordering::Relaxed);
            });
            if started.is_err() {
                clients.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn serve(stream: UnixStream, world: &World) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        loop {
            let mut line = Vec::new();
            let limit = REQUEST_LIMIT + 1;
            let count = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
            if count == 0 || world.is_stopping() {
                return Ok(());
            }
            let whole = line.ends_with(b"\n") || (count as u64) < limit;
            let text = std::str::from_utf8(&line).unwrap_or_default();
            let said = match text.parse::<Request>() {
                Ok(request) if whole => answer(world, &request),
                _ => json!({ "ok": false, "error": super::UnknownRequest.to_string() }),
            };
            writer.write_all(format!("{said}\n").as_bytes())?;
            if !whole {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_reads_as_it_is_written() {
        for text in [
            "unplug",
            "plug",
            "jumper on",
            "jumper off",
            "p11 on",
            "p11 off",
            "reset",
            "double-tap",
            "driver off",
            "power-cut",
            "power-cut after-bytes 4096",
            "status",
        ] {
            assert_eq!(text.parse::<Request>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "jumper",
            "jumper maybe",
            "power-cut after-bytes -1",
            "status now",
        ] {
            assert_eq!(text.parse::<Request>(), Err(UnknownRequest));
        }
    }
}
