//! A bus inside this process: virtual cameras in virtual time.
//!
//! Nothing here sleeps. Waiting moves the clock to the next thing that happens, so an erase of
//! half a minute takes as long as the arithmetic for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omv_link::urb::{Carrier, Ticket, UrbDevice};
use omv_link::{Bus, Device, LinkError, Place, Seen};
use omv_wire::usb::{Completion, Urb};

use crate::{Camera, Port};

/// Longest slice a bus lets pass in one wait: whoever waits looks again at least this often.
const SLICE: Duration = Duration::from_millis(20);

/// One or more sockets with virtual cameras in them, and their common clock.
#[derive(Clone)]
pub struct VirtualBus {
    name: String,
    sockets: Arc<Vec<Arc<Socket>>>,
    clock: Arc<Mutex<Duration>>,
}

/// A camera's socket, shared by whoever talks to it.
struct Socket {
    state: Mutex<SocketState>,
    clock: Arc<Mutex<Duration>>,
}

struct SocketState {
    port: Port,
    done: Vec<(Ticket, Completion)>,
    next_ticket: Ticket,
    open: bool,
}

impl VirtualBus {
    /// A bus with these cameras on ports 1, 2, ...
    pub fn new(name: &str, cameras: Vec<Box<dyn Camera>>) -> Self {
        let clock = Arc::new(Mutex::new(Duration::ZERO));
        let socket = |camera| {
            let state = SocketState {
                port: Port::new(camera),
                done: Vec::new(),
                next_ticket: 1,
                open: false,
            };
            Arc::new(Socket {
                state: Mutex::new(state),
                clock: Arc::clone(&clock),
            })
        };
        let sockets = Arc::new(cameras.into_iter().map(socket).collect());
        Self {
            name: name.to_owned(),
            sockets,
            clock,
        }
    }

    /// Does something with the camera on a port, counted from 0.
    pub fn with<R>(&self, port: usize, act: impl FnOnce(&mut dyn Camera, Duration) -> R) -> R {
        let now = self.now();
        let mut state = self.sockets[port].lock();
        state.port.advance(now);
        act(state.port.camera_mut(), now)
    }

    fn place(&self, number: usize) -> Place {
        Place::new(&self.name, &(number + 1).to_string())
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let until = self.now() + time;
        for socket in &*self.sockets {
            socket.lock().port.advance(until);
        }
        *lock(&self.clock) = until;
    }
}

impl Bus for VirtualBus {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let now = self.now();
        let seen = self
            .sockets
            .iter()
            .enumerate()
            .filter_map(|(number, socket)| {
                let mut state = socket.lock();
                state.port.advance(now);
                let serial = state.port.camera().serial();
                let visit = state.port.camera().visit();
                let driver = state.port.camera().has_driver();
                let face = state.port.camera_mut().face()?;
                let device = face.device();
                Some(Seen {
                    place: self.place(number),
                    visit,
                    vid: device.vendor,
                    pid: device.product,
                    release: device.version,
                    serial,
                    product: face.string(device.product_string),
                    node: None,
                    denied: face.needs_driver() && !driver,
                    simulated: true,
                })
            });
        Ok(seen.collect())
    }

    fn now(&self) -> Duration {
        *lock(&self.clock)
    }

    fn is_virtual_time(&self) -> bool {
        true
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        let now = self.now();
        if until > now {
            self.pass((until - now).min(SLICE));
        }
        Ok(())
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        let still_there = self.list()?.contains(seen);
        let at = (0..self.sockets.len()).find(|number| self.place(*number) == seen.place);
        let socket = at.filter(|_| still_there).ok_or(LinkError::Gone)?;
        if seen.denied {
            let node = seen.place.to_string();
            return Err(LinkError::NoAccess { node });
        }
        let socket = Arc::clone(&self.sockets[socket]);
        {
            let mut state = socket.lock();
            if state.open {
                return Err(LinkError::Busy {
                    holder: Some("this process".into()),
                });
            }
            state.open = true;
        }
        let carrier = Import {
            socket,
            visit: seen.visit,
        };
        Ok(Box::new(UrbDevice::open(Arc::new(carrier))?))
    }
}

impl Socket {
    fn lock(&self) -> MutexGuard<'_, SocketState> {
        lock(&self.state)
    }
}

/// One opening of a camera.
struct Import {
    socket: Arc<Socket>,
    visit: u64,
}

impl Carrier for Import {
    fn now(&self) -> Duration {
        *lock(&self.socket.clock)
    }

    fn submit(&self, urb: Urb) -> Result<Ticket, LinkError> {
        let now = self.now();
        let mut state = self.socket.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.port.advance(now);
        state.port.submit(self.visit, ticket, urb);
        Ok(ticket)
    }

    fn reap(
        &self,
        tickets: &[Ticket],
        until: Duration,
    ) -> Result<Option<(Ticket, Completion)>, LinkError> {
        let mut state = self.socket.lock();
        loop {
            let now = self.now();
            state.port.advance(now);
            let arrived = state.port.take_done();
            state.done.extend(arrived);
            if let Some(at) = state
                .done
                .iter()
                .position(|(ticket, _)| tickets.contains(ticket))
            {
                return Ok(Some(state.done.remove(at)));
            }
            if now >= until {
                return Ok(None);
            }
            let next = state
                .port
                .next_event()
                .map_or(until, |next| next.min(until));
            *lock(&self.socket.clock) = next;
        }
    }

    fn unlink(&self, ticket: Ticket) {
        let mut state = self.socket.lock();
        if !state.port.unlink(ticket) {
            state.done.retain(|(done, _)| *done != ticket);
        }
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.socket.lock().open = false;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the simulation as it was; there is nothing to protect.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
