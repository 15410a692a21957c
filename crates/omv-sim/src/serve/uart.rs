//! The serial lines of flashloader and ROM as pseudo terminals, for tools such as `blhost -p` and
//! `sdphost -p`.
//!
//! ```text
//!   blhost -p /dev/pts/7   <-- terminal, raw -->  Pty thread  <-->  mboot::Camera, UART framing
//!   sdphost -p /dev/pts/8  <-- terminal, raw -->  Pty thread  <-->  sdp::Camera, UART framing
//! ```
//!
//! In real time, and at no particular rate: a terminal has none. While the loader is busy it
//! does not read; a frame that stops short is forgotten after 30 ms of silence.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use omv_wire::mboot::{self, Target};
use omv_wire::{Input, Machine, Turn, sdp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::rt1062::chip::Chip;
use crate::rt1062::{Quirks, uart_loader, uart_rom};

/// Longest single sleep; longer ones are made of several.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Who answers at the far end of a line.
trait Answerer: Machine + Send + 'static {
    /// When it will listen again.
    fn busy_until(&self) -> Duration;
}

impl<T: Target + Send + 'static> Answerer for mboot::Camera<T> {
    fn busy_until(&self) -> Duration {
        mboot::Camera::busy_until(self)
    }
}

impl<T: sdp::Target + Send + 'static> Answerer for sdp::Camera<T> {
    fn busy_until(&self) -> Duration {
        Duration::ZERO
    }
}

/// A flashloader, or a ROM, on a pseudo terminal, until dropped.
#[derive(Debug)]
pub struct Pty<L = mboot::Leave> {
    path: PathBuf,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    left: Arc<Mutex<Option<L>>>,
    /// Both ends are kept open, so that the line hangs up neither between two users of it nor
    /// before they have read the last answer.
    _ends: [File; 2],
}

impl Pty<mboot::Leave> {
    /// A freshly started flashloader on this chip. The chip's clock goes on from where it is.
    ///
    /// # Errors
    /// What the system says if it has no terminal left.
    pub fn open(chip: &Chip) -> io::Result<Self> {
        Self::with(chip, uart_loader(chip))
    }
}

impl Pty<sdp::Leave> {
    /// The ROM of a camera that was just switched on with the wire set. Nothing follows it on
    /// this line: once it has jumped, the line is silent.
    ///
    /// # Errors
    /// What the system says if it has no terminal left.
    pub fn open_rom(chip: &Chip, quirks: Quirks) -> io::Result<Self> {
        Self::with(chip, uart_rom(quirks))
    }
}

impl<L: Copy + Send + 'static> Pty<L> {
    fn with(chip: &Chip, answerer: impl Answerer<Output = L>) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = rustix::fs::open(&path, flags, rustix::fs::Mode::empty())?;
        let mut settings = tcgetattr(&terminal)?;
        settings.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &settings)?;
        let before = rustix::fs::fcntl_getfl(&master)?;
        rustix::fs::fcntl_setfl(&master, before | OFlags::NONBLOCK)?;
        let (stop, stopped) = UnixStream::pair()?;
        let left = Arc::new(Mutex::new(None));
        let master = File::from(master);
        let ends = [master.try_clone()?, File::from(terminal)];
        let line = Line {
            master,
            stopped,
            chip: chip.clone(),
            start: Instant::now(),
            base: chip.lock().now,
        };
        let told = Arc::clone(&left);
        let thread = thread::Builder::new()
            .name("sim uart".into())
            .spawn(move || {
                let leave = line.serve(answerer).ok();
                *told.lock().unwrap_or_else(PoisonError::into_inner) = leave;
            })?;
        Ok(Self {
            path,
            stop: Some(stop),
            thread: Some(thread),
            left,
            _ends: ends,
        })
    }

    /// The terminal's path, for the tool's `-p`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it left, once it has; the line is silent from then on.
    pub fn left(&self) -> Option<L> {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Drop for Pty<L> {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The line was closed.
struct Closed;

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Self {
        Self
    }
}

struct Line {
    master: File,
    stopped: UnixStream,
    chip: Chip,
    start: Instant,
    /// The chip's time at `start`.
    base: Duration,
}

impl Line {
    /// The chip's time now, told to the chip as well.
    fn tick(&self) -> Duration {
        let now = self.base + self.start.elapsed();
        self.chip.settle(now);
        now
    }

    fn serve<A: Answerer>(mut self, mut loader: A) -> Result<A::Output, Closed> {
        let mut buffer = [0; 1024];
        loop {
            let now = self.tick();
            let until = match loader.poll(now) {
                Turn::Send(frame) => {
                    self.send(&frame)?;
                    continue;
                }
                Turn::Wait { until } => until,
                Turn::Done(leave) => return Ok(leave),
            };
            let busy = loader.busy_until();
            if busy > now {
                self.wait(PollFlags::empty(), busy.min(until))?;
            } else if self.wait(PollFlags::IN, until)? {
                match self.master.read(&mut buffer) {
                    Ok(count) => loader.feed(self.tick(), Input::Bytes(&buffer[..count])),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    fn send(&mut self, mut frame: &[u8]) -> Result<(), Closed> {
        while !frame.is_empty() {
            match self.master.write(frame) {
                Ok(count) => frame = &frame[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, Duration::MAX)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until the line is ready, at most until the chip's time is `until`. False when that
    /// passed.
    fn wait(&self, ready: PollFlags, until: Duration) -> Result<bool, Closed> {
        let left = until
            .saturating_sub(self.base)
            .saturating_sub(self.start.elapsed());
        let left = Timespec::try_from(left.min(LONGEST_SLEEP)).map_err(|_| Closed)?;
        let mut waiting = [
            PollFd::new(&self.stopped, PollFlags::IN),
            PollFd::new(&self.master, ready),
        ];
        // Without interest in the line, its hanging up must not end the wait early either.
        let count = if ready.is_empty() { 1 } else { 2 };
        match poll(&mut waiting[..count], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        if !waiting[0].revents().is_empty() {
            return Err(Closed);
        }
        Ok(!waiting[1].revents().is_empty())
    }
}
