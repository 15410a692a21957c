//! The camera that acts behind a pseudo terminal, in real time: for other people's programs, and
//! for measuring.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use omv_camera::{Looked, find, look};
use omv_link::native::open_path;
use omv_link::{Bus, Device, Function, Link, LinkError, Place, Seen};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::Actor;

/// A terminal with a camera behind it, which lives as long as the process.
#[derive(Clone)]
pub struct Terminal {
    pub path: String,
    pub actor: Arc<Mutex<Actor>>,
    started: Instant,
}

impl Terminal {
    pub fn new() -> Self {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let path = ptsname(&far, Vec::new()).unwrap().into_string().unwrap();
        // Held open, so that a host that closes it does not end it, and raw from the start.
        let near = File::options().read(true).write(true).open(&path).unwrap();
        let mut settings = tcgetattr(near.as_fd()).unwrap();
        settings.make_raw();
        tcsetattr(near.as_fd(), OptionalActions::Now, &settings).unwrap();
        let actor = Arc::new(Mutex::new(Actor::new()));
        let terminal = Self {
            path,
            actor,
            started: Instant::now(),
        };
        let device = terminal.clone();
        std::thread::Builder::new()
            .name("device".into())
            .spawn(move || device.live(File::from(far), near))
            .unwrap();
        terminal
    }

    /// The firmware counts whole milliseconds.
    fn tick(&self) -> Duration {
        Duration::from_millis(self.started.elapsed().as_millis() as u64)
    }

    fn live(&self, mut far: File, _near: File) {
        let mut buffer = [0; 4096];
        loop {
            let bytes = self.actor.lock().unwrap().take(self.tick(), 1 << 16);
            if !bytes.is_empty() {
                if far.write_all(&bytes).is_err() {
                    return;
                }
                continue;
            }
            let next = self.actor.lock().unwrap().next(self.tick());
            let wait = next
                .saturating_sub(self.started.elapsed())
                .clamp(Duration::from_micros(100), Duration::from_millis(5));
            let mut watched = [PollFd::new(&far, PollFlags::IN)];
            match poll(&mut watched, Some(&Timespec::try_from(wait).unwrap())) {
                Ok(0) => continue,
                Ok(_) => {}
                Err(_) => return,
            }
            match far.read(&mut buffer) {
                Ok(count @ 1..) => self
                    .actor
                    .lock()
                    .unwrap()
                    .feed(self.tick(), &buffer[..count]),
                _ => return,
            }
        }
    }

    pub fn look(&self) -> Looked {
        let buses: [Arc<dyn Bus>; 1] = [Arc::new(self.clone())];
        look(&find(&buses).unwrap().remove(0), None).unwrap()
    }
}

impl Bus for Terminal {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        Ok(vec![Seen {
            place: Place::new("pty", "1"),
            visit: 1,
            vid: 0x37C5,
            pid: 0x1060,
            release: 0x0100,
            serial: Some("ACT1".into()),
            product: None,
            node: Some(self.path.clone()),
            denied: false,
            simulated: true,
        }])
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        std::thread::sleep(until.saturating_sub(self.now()));
        Ok(())
    }

    fn open(&self, _seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        Ok(Box::new(self.clone()))
    }
}

impl Device for Terminal {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        match function {
            Function::Console { baud } => open_path(&self.path, baud),
            _ => Err(LinkError::NoFunction { function }),
        }
    }
}
