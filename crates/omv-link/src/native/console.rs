//! The serial console: raw bytes, DTR asserted, every wait with an end.
//!
//! `serialport` opens the port, sets it up and keeps others out. On Unix the bytes go through a
//! file of our own, for two reasons: a write of `serialport` blocks without limit once the
//! camera stops reading, and its errors keep no error number.

use std::io;
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, SerialPort};

use super::opening::{Trouble, classify};
use crate::{Heard, Link, LinkError};

/// A camera that takes no byte for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes one [`Heard::Bytes`] of a console carries.
const LARGEST: usize = 16 * 1024;

/// An open console.
pub(super) struct Console<K> {
    pipe: Pipe,
    path: String,
    started: Instant,
    gone: bool,
    /// Whatever must live as long as this link.
    _keep: K,
}

impl<K> Console<K> {
    /// Opens `path` at `baud`, once. Trying again is the caller's business.
    pub(super) fn open(path: &str, baud: u32, started: Instant, keep: K) -> Result<Self, Trouble> {
        Ok(Self {
            pipe: Pipe::open(path, baud)?,
            path: path.to_owned(),
            started,
            gone: false,
            _keep: keep,
        })
    }

    fn io_error(&self, doing: &str, source: io::Error) -> LinkError {
        LinkError::Io {
            doing: format!("{doing} {}", self.path),
            source,
        }
    }
}

impl<K: Send> Link for Console<K> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.gone {
            return Err(LinkError::Gone);
        }
        match self.pipe.write(frame) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                // Closing a port waits for what is still queued, up to half a minute.
                let _ = self.pipe.port.clear(ClearBuffer::Output);
                Err(LinkError::Stuck)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.gone = true;
                Err(LinkError::Gone)
            }
            Err(error) => Err(self.io_error("writing to", error)),
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        if self.gone {
            return Ok(Some(Heard::Gone));
        }
        let limit = until.saturating_sub(self.now());
        match self.pipe.read(limit) {
            Ok(Some(bytes)) => Ok(Some(Heard::Bytes(bytes))),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.gone = true;
                Ok(Some(Heard::Gone))
            }
            Err(error) => Err(self.io_error("reading from", error)),
        }
    }
}

/// The bytes' way. Departure is the error kind `NotConnected`, a full line `TimedOut`.
struct Pipe {
    port: Box<dyn SerialPort>,
    #[cfg(unix)]
    file: super::node::NodeFile,
    /// A terminal gives a quarter of it at a time: clearing as much each time would cost more than reading.
    buffer: Box<[u8]>,
}

fn configure(path: &str, baud: u32) -> Result<Box<dyn SerialPort>, Trouble> {
    // Setting a rate fails on the pseudo terminals of macOS; 0 leaves it alone.
    let baud = if cfg!(target_os = "macos") && path.starts_with("/dev/ttys") {
        0
    } else {
        baud
    };
    // The library ignores a failed DTR, which pseudo terminals do not have.
    serialport::new(path, baud)
        .dtr_on_open(true)
        .timeout(PATIENCE)
        .open()
        .map_err(|error| match error.kind() {
            // Its word for a port that somebody else opened exclusively.
            serialport::ErrorKind::NoDevice => Trouble::Busy,
            _ => classify(error.into()),
        })
}

#[cfg(unix)]
impl Pipe {
    fn open(path: &str, baud: u32) -> Result<Self, Trouble> {
        let file = super::node::NodeFile::open(path).map_err(classify)?;
        let port = configure(path, baud)?;
        let buffer = vec![0; LARGEST].into();
        Ok(Self { port, file, buffer })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes, PATIENCE)
    }

    fn read(&mut self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        use super::node::Got;

        match self.file.read(&mut self.buffer, limit)? {
            Got::Bytes(count) => Ok(self.buffer.get(..count).map(<[u8]>::to_vec)),
            Got::Nothing => Ok(None),
            Got::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(not(unix))]
impl Pipe {
    fn open(path: &str, baud: u32) -> Result<Self, Trouble> {
        Ok(Self {
            port: configure(path, baud)?,
            buffer: vec![0; LARGEST].into(),
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.port.set_timeout(PATIENCE)?;
        while !bytes.is_empty() {
            match self.port.write(bytes).map_err(as_departure)? {
                0 => return Err(io::ErrorKind::TimedOut.into()),
                count => bytes = bytes.get(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn read(&mut self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        // A timeout of zero means none at all here.
        self.port.set_timeout(limit.max(Duration::from_millis(1)))?;
        match self.port.read(&mut self.buffer) {
            Ok(0) => Err(io::ErrorKind::NotConnected.into()),
            Ok(count) => Ok(self.buffer.get(..count).map(<[u8]>::to_vec)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(error) => Err(as_departure(error)),
        }
    }
}

/// Windows reports an unplugged port as denied access, a bad command or a missing device.
#[cfg(not(unix))]
fn as_departure(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::TimedOut {
        error
    } else {
        io::ErrorKind::NotConnected.into()
    }
}
