//! A bus on which a camera's bootloaders are the real ones. Everything else of the camera, ROM and
//! firmware, is virtual.
//!
//! ```text
//!   omv-camera --> RealBus --> virtual camera: ROM, firmware, and when a loader is to run ...
//!                     |  flash and fuses over      ^ flash and fuses back, then its own reset
//!                     +------> the real loader ----+
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use omv_boards::State;
use omv_link::{Bus, Device, Function, Heard, Link, LinkError, Seen};
use omv_sim::VirtualBus;
use omv_sim::rt1062::Rt1062;
use omv_wire::mboot::{Command, property, tag};

use crate::emulator::{Doing, Emulator};
use crate::reports;
use crate::side_by_side::greet;

/// The product id of both loaders.
const LOADER: u16 = 0x0073;
/// Longer than the virtual loader takes to answer its greeting.
const LONG: Duration = Duration::from_secs(1);

/// The bus; its one camera sits in the virtual one.
#[derive(Clone)]
pub struct RealBus {
    inner: VirtualBus,
    real: Arc<Mutex<Session>>,
}

struct Session {
    emulator: Emulator,
    /// The visit in which the real loader took over.
    visit: Option<u64>,
    /// Tags of the commands it got, over all visits, with the loader's state.
    commands: Vec<(State, u8)>,
}

impl RealBus {
    /// The real loaders for the camera on this bus.
    pub fn new(inner: &VirtualBus) -> Self {
        let session = Session {
            emulator: Emulator::new(),
            visit: None,
            commands: Vec::new(),
        };
        Self {
            inner: inner.clone(),
            real: Arc::new(Mutex::new(session)),
        }
    }

    /// Tags of the commands that a real loader got.
    pub fn commands(&self, which: State) -> Vec<u8> {
        let session = self.session();
        let of = session.commands.iter().filter(|(state, _)| *state == which);
        of.map(|(_, tag)| *tag).collect()
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.real.lock().expect("no test panics in here")
    }

    fn camera<R>(&self, act: impl FnOnce(&mut Rt1062) -> R) -> R {
        self.inner.with(0, |camera, _| {
            act(camera.as_any().downcast_mut().expect("an RT1062"))
        })
    }

    fn state(&self) -> State {
        self.inner.with(0, |camera, _| camera.status().state)
    }
}

impl Bus for RealBus {
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
        let inner = self.inner.open(seen)?;
        if seen.pid != LOADER {
            return Ok(inner);
        }
        Ok(Box::new(RealDevice {
            inner,
            visit: seen.visit,
            bus: self.clone(),
        }))
    }
}

struct RealDevice {
    inner: Box<dyn Device>,
    visit: u64,
    bus: RealBus,
}

impl Device for RealDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        let mut inner = self.inner.link(function)?;
        let which = self.bus.state();
        let mut session = self.bus.session();
        if session.visit != Some(self.visit) {
            session.visit = Some(self.visit);
            // The virtual one shall stay on the bus as long as the real one does.
            let hello = Command::get_property(property::CURRENT_VERSION, 0);
            inner.send(&reports::report(1, &hello.encode()))?;
            inner.wait(inner.now() + LONG)?.expect("its answer");
            self.bus
                .camera(|camera| session.emulator.take_parts(camera.chip()));
            greet(&mut session.emulator, which);
        }
        Ok(Box::new(RealLink {
            inner,
            which,
            bus: self.bus.clone(),
            heard: VecDeque::new(),
            left: false,
        }))
    }
}

struct RealLink {
    inner: Box<dyn Link>,
    which: State,
    bus: RealBus,
    heard: VecDeque<Vec<u8>>,
    left: bool,
}

impl Link for RealLink {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.left {
            return self.inner.send(frame);
        }
        let mut session = self.bus.session();
        if let [1, _, _, _, tag, ..] = frame {
            session.commands.push((self.which, *tag));
        }
        let answer = session.emulator.out(frame);
        self.heard.extend(answer.reports);
        match answer.doing {
            Doing::Waits => Ok(()),
            Doing::Reset => {
                self.left = true;
                let emulator = &mut session.emulator;
                self.bus.camera(|camera| emulator.give_parts(camera.chip()));
                // From here on the virtual camera does what a reset brings.
                self.inner.send(&reports::command(tag::RESET, 0, &[]))?;
                self.inner.wait(self.now() + LONG).map(drop)
            }
            other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        if let Some(report) = self.heard.pop_front() {
            return Ok(Some(Heard::Bytes(report)));
        }
        if self.left {
            return self.inner.wait(until);
        }
        self.bus.inner.pass(until.saturating_sub(self.now()));
        Ok(None)
    }
}
