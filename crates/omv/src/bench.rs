//! The buses there are, and the one camera that is meant: where virtual cameras are joined to
//! the library.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omv_boards::{Board, State};
use omv_camera::{Error, Event, Found, Looked, Stop, find, look, select, wait_for_camera};
use omv_link::native::NativeBus;
use omv_link::record::{self, Recorder};
use omv_link::usbip::UsbIpBus;
use omv_link::{Bus, LinkError};
use omv_sim::state::Keeper;
use omv_sim::{Camera, Hand, VirtualBus};

use crate::cli::Common;
use crate::fail::Fail;
use crate::virtual_camera::{Made, Spec, simulator};

/// What begins the name of a camera inside this process.
const INSIDE: &str = "sim:";
/// How often a camera that slips away while it is looked at is looked for again.
const TRIES: usize = 5;

/// Between two looks for a camera that is on its way to its firmware.
const LOOK: Duration = Duration::from_millis(50);
/// How long a bootloader may be there that hands over by itself: its window and the start behind it.
const STARTS: u32 = 160;
/// How long there may be no camera at all: it leaves the bus between bootloader and firmware.
const AWAY: u32 = 60;

/// Everything cameras can hang on, and which of them was asked for.
pub struct Bench {
    /// The buses.
    pub buses: Vec<Arc<dyn Bus>>,
    /// The name given with `--camera`; none for a camera inside this process, which is alone.
    pub wanted: Option<String>,
    /// Asked for by Ctrl-C.
    pub stop: Stop,
    inside: Option<Inside>,
    recorder: Option<Recorder>,
}

/// A camera that lives as long as this command.
struct Inside {
    bus: VirtualBus,
    keeper: RefCell<Option<Keeper>>,
}

/// Keeps a camera inside this process from living faster than the person who watches it.
pub struct Pace {
    bus: Option<VirtualBus>,
    since: Instant,
    then: Duration,
}

impl Pace {
    /// Rests until as much time has passed here as on the camera. Its clock stands still
    /// meanwhile: it only runs while somebody waits for it.
    pub fn keep(&self) {
        if let Some(bus) = &self.bus {
            let lived = bus.now().saturating_sub(self.then);
            let ahead = lived.saturating_sub(self.since.elapsed());
            std::thread::sleep(ahead.min(Duration::from_millis(100)));
        }
    }
}

impl Bench {
    /// A pace to live at, from now on.
    pub fn pace(&self) -> Pace {
        let bus = self.inside.as_ref().map(|inside| inside.bus.clone());
        let then = bus.as_ref().map_or(Duration::ZERO, Bus::now);
        Pace {
            bus,
            since: Instant::now(),
            then,
        }
    }

    /// Gathers the buses for a command.
    ///
    /// `who` is what others are told who find a camera taken: `omv flash`.
    pub fn new(common: &Common, who: &str, stop: Stop) -> Result<Self, Fail> {
        let spec = common
            .camera
            .as_deref()
            .and_then(|name| name.strip_prefix(INSIDE));
        let (inside, wanted) = match spec {
            Some(spec) => (Some(Inside::new(spec)?), None),
            None => (None, common.camera.clone()),
        };
        let buses: Vec<Box<dyn Bus>> = match &inside {
            Some(inside) => vec![Box::new(inside.bus.clone())],
            None => outside(common, who),
        };
        let recorder = common.record.as_deref().map(recorder).transpose()?;
        let buses = buses.into_iter().map(|bus| match &recorder {
            Some(recorder) => Arc::new(recorder.bus(bus)) as Arc<dyn Bus>,
            None => Arc::from(bus),
        });
        let buses = buses.collect();
        Ok(Self {
            buses,
            wanted,
            stop,
            inside,
            recorder,
        })
    }

    /// Whether the camera is inside this process, and nobody else's.
    pub fn is_inside(&self) -> bool {
        self.inside.is_some()
    }

    /// Plays the hands for a camera inside this process: there is nobody else to do it.
    pub fn hands(&self, expect: &[State]) {
        let Some(Inside { bus, .. }) = &self.inside else {
            return;
        };
        bus.with(0, |camera, now| {
            let wired = [State::Sdp, State::StRom, State::SeUart];
            let wire = wired.iter().any(|state| expect.contains(state));
            camera.hand(now, Hand::Unplug);
            camera.hand(now, Hand::Jumper(wire));
            camera.hand(now, Hand::Plug);
            if expect.contains(&State::ArduinoDfu) {
                camera.hand(now, Hand::DoubleTap);
            }
        });
    }

    /// Keeps what was asked to be kept: the record of the traffic, and the state of a camera
    /// inside this process.
    pub fn keep(&self) -> Result<(), Fail> {
        if let Some(recorder) = &self.recorder {
            let path = Path::new("the record");
            recorder
                .finish()
                .map_err(|error| Fail::file(path, "writing", error))?;
        }
        let Some(Inside { bus, keeper }) = &self.inside else {
            return Ok(());
        };
        let jumper = bus.with(0, |camera, _| camera.status().jumper);
        match &mut *keeper.borrow_mut() {
            Some(keeper) => keeper.save(jumper).map_err(simulator),
            None => Ok(()),
        }
    }

    /// Everything that may be a camera.
    pub fn find(&self) -> Result<Vec<Found>, Fail> {
        Ok(find(&self.buses)?)
    }

    /// The one camera that is meant, looked at. If none is there, waits for one to be plugged in.
    pub fn camera(
        &self,
        board: Option<&'static Board>,
        wait: Duration,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Looked, Fail> {
        let mut told = false;
        for attempt in 1.. {
            let mut found = self.find()?;
            let wanted = self.wanted.as_deref();
            let one = match select(found.clone(), wanted) {
                Err(Error::NoCamera | Error::NotThisOne { .. }) if !wait.is_zero() => {
                    if !told {
                        let ask = "Plug the camera in now; if it is plugged in, unplug it and plug it in again.";
                        tell(Event::Waiting {
                            ask: ask.to_owned(),
                        });
                        told = true;
                    }
                    let accept = |one: &Found| select(vec![one.clone()], wanted).is_ok();
                    found = wait_for_camera(&self.buses, wait, &self.stop, accept)?;
                    select(found, wanted)?
                }
                other => other?,
            };
            match look(&one, board) {
                // A bootloader's window closed, or the camera is just starting: look again.
                Err(Error::Gone { .. } | Error::Link(LinkError::Gone)) if attempt < TRIES => {
                    let bus = &one.bus;
                    let soon = bus.now() + Duration::from_millis(300);
                    while bus.now() < soon {
                        bus.wait(soon)?;
                    }
                }
                other => return Ok(other?),
            }
        }
        Err(Error::NoCamera.into())
    }
}

impl Bench {
    /// The one camera that is meant, running. One that was just plugged in or reset is waited for: its
    /// bootloader is not touched meanwhile, or it would stay there.
    ///
    /// `wanted` is its name, where it is not the one given with `--camera`. Whoever looks again anyway
    /// does not wait (`waits`) for one that is not there at all.
    pub fn running(&self, wanted: Option<&str>, waits: bool) -> Result<Looked, Fail> {
        let wanted = wanted.or(self.wanted.as_deref());
        let (mut starting, mut away) = (0, if waits { 0 } else { AWAY });
        loop {
            let chance = match select(self.find()?, wanted) {
                Ok(one) if one.states().contains(&State::Run) => match look(&one, None) {
                    Err(Error::Gone { .. } | Error::Link(LinkError::Gone)) => &mut away,
                    other => return Ok(other?),
                },
                Ok(one) if hands_over(one.state()) && starting < STARTS => &mut starting,
                Ok(one) => return Err(Error::NotRunning { state: one.state() }.into()),
                Err(Error::NoCamera | Error::NotThisOne { .. }) if away < AWAY => &mut away,
                Err(error) => return Err(error.into()),
            };
            *chance += 1;
            if self.stop.asked() || *chance > STARTS {
                return Err(Error::NoCamera.into());
            }
            match self.buses.first() {
                Some(bus) => bus.wait(bus.now() + LOOK)?,
                None => std::thread::sleep(LOOK),
            }
        }
    }
}

/// Whether a camera in this state goes on to its firmware by itself.
fn hands_over(state: State) -> bool {
    matches!(
        state,
        State::Sbl | State::Dfu | State::LegacyBl | State::Cycling
    )
}

impl Inside {
    /// A camera inside this process: `rt1062`, `h7,state=dfu` or `rt1062@FILE`.
    fn new(spec: &str) -> Result<Self, Fail> {
        let spec = Spec::parse(spec)?;
        let Made { camera, settles } = spec.make()?;
        let keep = |file: &Path| Keeper::keep(file, camera.store(), camera.status().jumper);
        let keeper = spec.file.as_deref().map(keep).transpose();
        let keeper = RefCell::new(keeper.map_err(simulator)?);
        let bus = VirtualBus::new("sim", vec![Box::new(camera) as Box<dyn Camera>]);
        // It was plugged in long ago, or just long enough for what it should be.
        bus.pass(settles);
        Ok(Self { bus, keeper })
    }
}

/// This machine's own bus, and those of the virtual cameras that run on it.
pub fn buses(who: &str) -> Vec<Box<dyn Bus>> {
    let mut buses: Vec<Box<dyn Bus>> = vec![Box::new(NativeBus::new(who))];
    buses.extend(crate::cmd::sim::running(who));
    buses
}

/// Those, and the servers that were named.
fn outside(common: &Common, who: &str) -> Vec<Box<dyn Bus>> {
    let mut buses = buses(who);
    for address in &common.usbip {
        let title = format!("usbip {address}");
        buses.push(Box::new(UsbIpBus::new(address, &title, who)));
    }
    buses
}

/// A record of all traffic: readable text, without the firmware itself.
fn recorder(path: &Path) -> Result<Recorder, Fail> {
    let file = std::fs::File::create(path).map_err(|e| Fail::file(path, "writing", e))?;
    let options = record::Options {
        hashes: true,
        blank_serials: true,
    };
    Ok(Recorder::new(std::io::BufWriter::new(file), options))
}
