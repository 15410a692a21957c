//! A bus between the library and the camera on which control requests are answered otherwise.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omv_link::{Bus, Device, Function, Heard, Link, LinkError, Seen};
use omv_sim::VirtualBus;
use omv_wire::usb::Setup;

/// A control request on its way to the camera.
pub struct Request {
    pub setup: Setup,
    pub data: Vec<u8>,
}

impl Request {
    /// Whether it is this request of the DFU class.
    pub fn is(&self, request: u8) -> bool {
        self.setup.request_type & 0x60 == 0x20 && self.setup.request == request
    }
}

/// Makes something else of a reply.
pub type Change = dyn FnOnce(&mut Vec<u8>) + Send;

/// What becomes of a request.
pub enum Fate {
    /// The camera answers it.
    Pass,
    /// The camera answers it, and something else arrives.
    Change(Box<Change>),
    /// The camera never sees it, and refuses it.
    Stall,
    /// The camera never sees it, and is silent.
    Silence,
    /// The camera never sees it, and says this.
    Say(Vec<u8>),
}

type Manners = dyn FnMut(&Request) -> Fate + Send;

/// The bus.
#[derive(Clone)]
pub struct Between {
    inner: VirtualBus,
    manners: Arc<Mutex<Manners>>,
    requests: Arc<Mutex<Vec<u8>>>,
    hides_serial: bool,
}

impl Between {
    pub fn new(inner: &VirtualBus, manners: impl FnMut(&Request) -> Fate + Send + 'static) -> Self {
        Self {
            inner: inner.clone(),
            manners: Arc::new(Mutex::new(manners)),
            requests: Arc::default(),
            hides_serial: false,
        }
    }

    /// The same, where nobody learns the serial number.
    pub fn without_serial(self) -> Self {
        Self {
            hides_serial: true,
            ..self
        }
    }

    /// How often a request of the DFU class was sent.
    pub fn count(&self, request: u8) -> usize {
        let requests = self.requests.lock().expect("no test panics in here");
        requests.iter().filter(|one| **one == request).count()
    }
}

impl Bus for Between {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let mut list = self.inner.list()?;
        if self.hides_serial {
            list.iter_mut().for_each(|seen| seen.serial = None);
        }
        Ok(list)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        self.inner.wait(until)
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        let all = self.inner.list()?;
        let same = |one: &&Seen| (&one.place, one.visit) == (&seen.place, seen.visit);
        let seen = all.iter().find(same).ok_or(LinkError::Gone)?;
        Ok(Box::new(BetweenDevice {
            inner: self.inner.open(seen)?,
            bus: self.clone(),
        }))
    }
}

struct BetweenDevice {
    inner: Box<dyn Device>,
    bus: Between,
}

impl Device for BetweenDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        let inner = self.inner.link(function)?;
        if function != Function::Control {
            return Ok(inner);
        }
        Ok(Box::new(BetweenLink {
            inner,
            bus: self.bus.clone(),
            fate: Fate::Pass,
        }))
    }
}

struct BetweenLink {
    inner: Box<dyn Link>,
    bus: Between,
    fate: Fate,
}

impl Link for BetweenLink {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let (setup, data) = frame.split_at(Setup::LEN);
        let request = Request {
            setup: Setup::decode(setup).expect("a setup packet comes first"),
            data: data.to_vec(),
        };
        if request.setup.request_type & 0x60 == 0x20 {
            let mut requests = self.bus.requests.lock().expect("no test panics in here");
            requests.push(request.setup.request);
        }
        self.fate = (self.bus.manners.lock().expect("no test panics in here"))(&request);
        match self.fate {
            Fate::Pass | Fate::Change(_) => self.inner.send(frame),
            Fate::Stall | Fate::Silence | Fate::Say(_) => Ok(()),
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        match std::mem::replace(&mut self.fate, Fate::Pass) {
            Fate::Pass => self.inner.wait(until),
            Fate::Change(change) => {
                let mut heard = self.inner.wait(until)?;
                match &mut heard {
                    Some(Heard::Bytes(bytes)) => change(bytes),
                    Some(_) => {}
                    None => self.fate = Fate::Change(change),
                }
                Ok(heard)
            }
            Fate::Stall => Ok(Some(Heard::Stall)),
            Fate::Say(bytes) => Ok(Some(Heard::Bytes(bytes))),
            Fate::Silence => {
                self.bus.inner.pass(until.saturating_sub(self.inner.now()));
                self.fate = Fate::Silence;
                Ok(None)
            }
        }
    }
}
