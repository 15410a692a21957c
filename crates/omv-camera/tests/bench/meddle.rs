//! A bus between the library and the camera that listens, changes answers, or falls silent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omv_link::{Bus, Device, Function, Heard, Link, LinkError, Seen};
use omv_sim::VirtualBus;

/// What is done to everything that goes to or from the camera.
#[derive(Clone)]
pub struct Meddled {
    inner: VirtualBus,
    /// From then on the camera takes everything and answers nothing.
    pub deaf_from: Duration,
    /// Changes what the camera says.
    pub rewrite: fn(&mut Vec<u8>),
    /// Tags of the bootloader commands that were sent.
    pub commands: Arc<Mutex<Vec<u8>>>,
}

impl Meddled {
    /// One that only listens.
    pub fn new(inner: &VirtualBus) -> Self {
        Self {
            inner: inner.clone(),
            deaf_from: Duration::MAX,
            rewrite: |_| {},
            commands: Arc::default(),
        }
    }
}

impl Bus for Meddled {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        self.inner.list()
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        self.inner.wait(until)
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        Ok(Box::new(MeddledDevice {
            inner: self.inner.open(seen)?,
            bus: self.clone(),
        }))
    }
}

struct MeddledDevice {
    inner: Box<dyn Device>,
    bus: Meddled,
}

impl Device for MeddledDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        Ok(Box::new(MeddledLink {
            inner: self.inner.link(function)?,
            bus: self.bus.clone(),
        }))
    }
}

struct MeddledLink {
    inner: Box<dyn Link>,
    bus: Meddled,
}

impl MeddledLink {
    fn is_deaf(&self) -> bool {
        self.inner.now() >= self.bus.deaf_from
    }
}

impl Link for MeddledLink {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.is_deaf() {
            return Ok(());
        }
        // Report 1 carries commands; four bytes of header come before the tag.
        if let [1, _, _, _, tag, ..] = frame {
            let mut commands = self.bus.commands.lock().expect("no test panics in here");
            commands.push(*tag);
        }
        self.inner.send(frame)
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        if !self.is_deaf() {
            let mut heard = self.inner.wait(until.min(self.bus.deaf_from))?;
            if let Some(Heard::Bytes(bytes)) = &mut heard {
                (self.bus.rewrite)(bytes);
            }
            if heard.is_some() || !self.is_deaf() {
                return Ok(heard);
            }
        }
        self.bus.inner.pass(until.saturating_sub(self.inner.now()));
        Ok(None)
    }
}
