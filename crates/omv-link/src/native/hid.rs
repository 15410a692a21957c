//! The HID interface: whole reports, id first.
//!
//! Reports go out unpadded on Linux, where the kernel sends them as they are; Windows pads them
//! to the full length itself, and the loaders take both.

use std::ffi::CString;
use std::io;
use std::time::{Duration, Instant};

use hidapi::{HidApi, HidDevice, HidError};

use super::opening::{Trouble, classify};
use crate::{Heard, Link, LinkError};

/// The largest report Linux passes on, in bytes. Source: Linux kernel, include/linux/hid.h,
/// `HID_MAX_BUFFER_SIZE`.
const LARGEST: usize = 16 * 1024;
/// One read never waits longer; the library counts milliseconds in 32 bits.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// An open HID interface.
pub(super) struct Hid<P> {
    device: HidDevice,
    node: String,
    started: Instant,
    /// What the next waits hear before they look at the device.
    ahead: Option<Heard>,
    /// Tells whether the device has left. The library's errors do not say.
    has_left: P,
}

impl<P: Fn() -> bool> Hid<P> {
    /// Opens `node`, once. Trying again is the caller's business.
    pub(super) fn open(node: &str, started: Instant, has_left: P) -> Result<Self, Trouble> {
        // The library tells why an opening failed in prose only; this open tells it by number.
        #[cfg(unix)]
        drop(super::node::NodeFile::open(node).map_err(classify)?);
        let path = CString::new(node).map_err(|error| classify(error.into()))?;
        let device = HidApi::new()
            .and_then(|api| api.open_path(&path))
            .map_err(|error| match classify(into_io(error)) {
                // A moment ago it could be opened: most likely the device is leaving, and a
                // second look tells.
                Trouble::Other(source) => Trouble::Missing(source),
                known => known,
            })?;
        Ok(Self {
            device,
            node: node.to_owned(),
            started,
            ahead: None,
            has_left,
        })
    }
}

impl<P: Fn() -> bool + Send> Link for Hid<P> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.ahead == Some(Heard::Gone) {
            return Err(LinkError::Gone);
        }
        let Err(error) = self.device.write(frame) else {
            return Ok(());
        };
        let source = into_io(error);
        match source.kind() {
            io::ErrorKind::TimedOut => Err(LinkError::Stuck),
            // What Linux says of a STALL.
            io::ErrorKind::BrokenPipe => {
                self.ahead = Some(Heard::Stall);
                Ok(())
            }
            _ if (self.has_left)() => {
                self.ahead = Some(Heard::Gone);
                Err(LinkError::Gone)
            }
            _ => Err(LinkError::Io {
                doing: format!("writing to {}", self.node),
                source,
            }),
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        match &self.ahead {
            Some(Heard::Gone) => return Ok(Some(Heard::Gone)),
            Some(_) => return Ok(self.ahead.take()),
            None => {}
        }
        let mut report = vec![0; LARGEST];
        loop {
            let left = until.saturating_sub(self.now()).min(LONGEST);
            // Rounded up: rounded down, the last millisecond of a wait would spin.
            let millis = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            match self.device.read_timeout(&mut report, millis) {
                Ok(0) if self.now() >= until => return Ok(None),
                Ok(0) => {}
                Ok(count) => {
                    report.truncate(count);
                    return Ok(Some(Heard::Bytes(report)));
                }
                Err(error) => {
                    let source = into_io(error);
                    if source.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    if (self.has_left)() {
                        self.ahead = Some(Heard::Gone);
                        return Ok(Some(Heard::Gone));
                    }
                    return Err(LinkError::Io {
                        doing: format!("reading from {}", self.node),
                        source,
                    });
                }
            }
        }
    }
}

fn into_io(error: HidError) -> io::Error {
    match error {
        HidError::IoError { error } => error,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_opens_but_not_for_the_library_is_worth_a_second_look() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("hidraw0");
        std::fs::write(&node, []).unwrap();
        let opened = Hid::open(node.to_str().unwrap(), Instant::now(), || true);
        // As when the device leaves between the two openings.
        assert!(matches!(opened, Err(Trouble::Missing(_))));
    }
}
