//! A file of `/dev` read and written with deadlines.
//!
//! It never blocks in a read or a write, only in a wait with an end: a camera that stops taking
//! bytes must not take the program with it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};

/// How one attempt to read ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// This many bytes.
    Bytes(usize),
    /// Nothing before the end of the wait.
    Nothing,
    /// The other end is gone.
    Gone,
}

/// The least a terminal hands out at once when it has more. Linux keeps a page of them, less one byte.
const MORE: usize = 4095;

/// An open node.
#[derive(Debug)]
pub(super) struct NodeFile {
    file: File,
    /// The last read took all there was, so the next one would most likely be for nothing.
    drained: bool,
}

impl NodeFile {
    /// Opens it for reading and writing, without making it this process's terminal.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Self {
            file: open(path, flags, Mode::empty())?.into(),
            drained: true,
        })
    }

    /// Waits at most `limit` for bytes and takes what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8], limit: Duration) -> io::Result<Got> {
        let end = Instant::now().checked_add(limit);
        loop {
            if self.drained {
                match self.ready(PollFlags::IN, end)? {
                    Ready::Yes => {}
                    Ready::No => return Ok(Got::Nothing),
                    Ready::HungUp => return Ok(Got::Gone),
                }
            }
            match self.file.read(buffer) {
                // A hung-up terminal reads as empty for ever.
                Ok(0) => return Ok(Got::Gone),
                Ok(count) => {
                    self.drained = count < MORE.min(buffer.len());
                    return Ok(Got::Bytes(count));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                Err(error) if is_departure(&error) => return Ok(Got::Gone),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all of it. Every accepted byte gives the other end another `patience`.
    ///
    /// # Errors
    /// `TimedOut` when nothing was accepted for `patience`, `NotConnected` when the other end is
    /// gone.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
        // Most writes need no wait, and so no clock.
        let mut end = None;
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::NotConnected.into()),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    end = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let end = *end.get_or_insert_with(|| Instant::now().checked_add(patience));
                    match self.ready(PollFlags::OUT, end)? {
                        Ready::Yes => {}
                        Ready::No => return Err(io::ErrorKind::TimedOut.into()),
                        Ready::HungUp => return Err(io::ErrorKind::NotConnected.into()),
                    }
                }
                Err(error) if is_departure(&error) => {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the node is ready for `what`, at most until `end` (`None`: for ever and a day).
    fn ready(&self, what: PollFlags, end: Option<Instant>) -> io::Result<Ready> {
        loop {
            let left = end.map_or(LONGEST, |end| end.saturating_duration_since(Instant::now()));
            let limit = Timespec::try_from(left.min(LONGEST))
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            let mut watched = [PollFd::new(&self.file, what)];
            match poll(&mut watched, Some(&limit)) {
                Ok(0) => return Ok(Ready::No),
                Ok(_) => {
                    let [watched] = watched;
                    let seen = watched.revents();
                    return Ok(if seen.contains(what) {
                        Ready::Yes
                    } else {
                        Ready::HungUp
                    });
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
}

/// One wait is never longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

enum Ready {
    Yes,
    No,
    HungUp,
}

/// The errors a terminal gives once its device has left.
pub(super) fn is_departure(error: &io::Error) -> bool {
    use rustix::io::Errno;

    [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::PIPE]
        .iter()
        .any(|gone| error.raw_os_error() == Some(gone.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// The far end of a pseudo terminal, and the near end in raw mode.
    fn pair() -> (OwnedFd, NodeFile) {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let near = NodeFile::open(ptsname(&far, Vec::new()).unwrap().to_str().unwrap()).unwrap();
        let mut modes = rustix::termios::tcgetattr(&near.file).unwrap();
        modes.make_raw();
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(&near.file, now, &modes).unwrap();
        (far, near)
    }

    #[test]
    fn a_far_end_that_reads_nothing_ends_a_long_write() {
        let (_far, mut near) = pair();
        let start = Instant::now();
        let error = near
            .write_all(&vec![0x55; 1 << 20], Duration::from_millis(50))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[test]
    fn a_far_end_that_reads_slowly_gets_every_byte() {
        let (far, mut near) = pair();
        let sent: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let reader = std::thread::spawn(move || {
            let mut far = File::from(far);
            let mut heard = Vec::new();
            let mut buffer = [0; 4096];
            while heard.len() < 200_000 {
                let count = far.read(&mut buffer).unwrap();
                heard.extend_from_slice(&buffer[..count]);
                std::thread::sleep(Duration::from_millis(1));
            }
            heard
        });
        near.write_all(&sent, Duration::from_secs(5)).unwrap();
        assert!(reader.join().unwrap() == sent);
    }

    #[test]
    fn a_far_end_that_closes_is_gone_for_both_directions() {
        let (far, mut near) = pair();
        let mut far = File::from(far);
        far.write_all(b"bye").unwrap();
        let mut buffer = [0; 16];
        let limit = Duration::from_secs(5);
        assert_eq!(near.read(&mut buffer, limit).unwrap(), Got::Bytes(3));
        assert_eq!(&buffer[..3], b"bye");
        drop(far);
        assert_eq!(near.read(&mut buffer, limit).unwrap(), Got::Gone);
        let error = near.write_all(b"?", limit).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }

    #[test]
    fn a_far_end_that_closes_ends_a_wait_in_progress() {
        let (far, mut near) = pair();
        let closer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(far);
        });
        let start = Instant::now();
        let limit = Duration::from_secs(20);
        assert_eq!(near.read(&mut [0; 16], limit).unwrap(), Got::Gone);
        assert!(start.elapsed() < limit);
        closer.join().unwrap();
    }

    #[test]
    fn silence_ends_with_the_wait() {
        let (_far, mut near) = pair();
        let start = Instant::now();
        let limit = Duration::from_millis(30);
        assert_eq!(near.read(&mut [0; 16], limit).unwrap(), Got::Nothing);
        assert!(start.elapsed() >= limit);
        assert_eq!(
            near.read(&mut [0; 16], Duration::ZERO).unwrap(),
            Got::Nothing
        );
    }
}
