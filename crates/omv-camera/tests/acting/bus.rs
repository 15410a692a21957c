//! A camera that acts, on a bus in virtual time, with a line that can be bad.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use omv_camera::session::{Options, Session};
use omv_camera::{Looked, find, look};
use omv_link::{Bus, Device, Function, Heard, Link, LinkError, Place, Seen};

use super::Actor;

/// Bytes of one read.
const CHUNK: usize = 4096;

/// What a line does to bytes.
#[derive(Clone, Copy, Default)]
pub struct Noise {
    /// One byte in so many is flipped, dropped or doubled; 0 is none.
    pub one_in: u32,
    state: u64,
}

impl Noise {
    pub fn one_in(one_in: u32, seed: u64) -> Self {
        Self {
            one_in,
            state: seed | 1,
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn on(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.one_in == 0 {
            return bytes.to_vec();
        }
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            let dice = self.next();
            if !dice.is_multiple_of(u64::from(self.one_in)) {
                out.push(byte);
                continue;
            }
            match (dice >> 32) % 3 {
                0 => out.push(byte ^ 1 << ((dice >> 40) % 8)),
                1 => {}
                _ => out.extend([byte, byte]),
            }
        }
        out
    }
}

/// A camera of a test.
pub trait Acts: Send + 'static {
    /// Takes bytes of the host's.
    fn feed(&mut self, now: Duration, bytes: &[u8]);
    /// Bytes for the host; at most about `limit`.
    fn take(&mut self, now: Duration, limit: usize) -> Vec<u8>;
    /// When it does something by itself.
    fn next(&mut self, _now: Duration) -> Duration {
        Duration::MAX
    }
    /// The host closed the port.
    fn closed(&mut self, _now: Duration) {}
    /// Whether it left the bus.
    fn has_left(&self) -> bool {
        false
    }
}

impl Acts for Actor {
    fn feed(&mut self, now: Duration, bytes: &[u8]) {
        self.feed(now, bytes);
    }

    fn take(&mut self, now: Duration, limit: usize) -> Vec<u8> {
        self.take(now, limit)
    }

    fn next(&mut self, now: Duration) -> Duration {
        self.next(now)
    }

    fn closed(&mut self, now: Duration) {
        self.closed(now);
    }

    fn has_left(&self) -> bool {
        self.left.is_some()
    }
}

pub struct World<A = Actor> {
    pub now: Duration,
    pub actor: A,
    pub noise: Noise,
    pub plugged: bool,
    visit: u64,
    open: bool,
}

/// A bus with one socket.
pub struct Stand<A = Actor>(Arc<Mutex<World<A>>>);

impl<A> Clone for Stand<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Acts> Stand<A> {
    pub fn of(actor: A) -> Self {
        Self(Arc::new(Mutex::new(World {
            now: Duration::ZERO,
            actor,
            noise: Noise::default(),
            plugged: true,
            visit: 1,
            open: false,
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World<A>> {
        self.0.lock().unwrap()
    }

    pub fn open(&self, options: Options) -> Session {
        Session::open(&self.look(), options).unwrap()
    }

    pub fn look(&self) -> Looked {
        let buses: [Arc<dyn Bus>; 1] = [Arc::new(self.clone())];
        look(&find(&buses).unwrap().remove(0), None).unwrap()
    }

    pub fn plug(&self) {
        let mut world = self.world();
        world.plugged = true;
        world.visit += 1;
    }
}

impl Stand {
    pub fn new() -> Self {
        Self::of(Actor::new())
    }

    pub fn unplug(&self) {
        let mut world = self.world();
        world.plugged = false;
        // Power is lost with the cable.
        let made = world.actor.stage().made;
        world.actor = Actor::new();
        world.actor.stage().made = made;
    }
}

impl<A: Acts> Bus for Stand<A> {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let world = self.world();
        let seen = Seen {
            place: Place::new("stand", "1"),
            visit: world.visit,
            vid: 0x37C5,
            pid: 0x1060,
            release: 0x0100,
            serial: Some("ACT1".into()),
            product: None,
            node: None,
            denied: false,
            simulated: true,
        };
        Ok(world.plugged.then_some(seen).into_iter().collect())
    }

    fn now(&self) -> Duration {
        self.world().now
    }

    fn is_virtual_time(&self) -> bool {
        true
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        let mut world = self.world();
        world.now = world.now.max(until);
        Ok(())
    }

    fn open(&self, _seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        let mut world = self.world();
        if std::mem::replace(&mut world.open, true) {
            return Err(LinkError::Busy { holder: None });
        }
        let visit = world.visit;
        Ok(Box::new(Held(self.clone(), visit)))
    }
}

struct Held<A: Acts>(Stand<A>, u64);

impl<A: Acts> Device for Held<A> {
    fn link(&mut self, _function: Function) -> Result<Box<dyn Link>, LinkError> {
        Ok(Box::new(Line(self.0.clone(), self.1)))
    }
}

impl<A: Acts> Drop for Held<A> {
    fn drop(&mut self) {
        let mut world = self.0.world();
        world.open = false;
        let now = world.now;
        world.actor.closed(now);
    }
}

struct Line<A>(Stand<A>, u64);

impl<A: Acts> Link for Line<A> {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let mut world = self.0.world();
        if !world.plugged || world.visit != self.1 {
            return Err(LinkError::Gone);
        }
        let bytes = world.noise.on(frame);
        let now = world.now;
        world.actor.feed(now, &bytes);
        Ok(())
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        let mut world = self.0.world();
        loop {
            let now = world.now;
            if !world.plugged || world.visit != self.1 || world.actor.has_left() {
                return Ok(Some(Heard::Gone));
            }
            let bytes = world.actor.take(now, CHUNK);
            if !bytes.is_empty() {
                world.now += Duration::from_micros(20);
                let bytes = world.noise.on(&bytes);
                return Ok(Some(Heard::Bytes(bytes)));
            }
            if now >= until {
                return Ok(None);
            }
            let next = world.actor.next(now);
            world.now = next.min(until).max(now);
        }
    }
}
