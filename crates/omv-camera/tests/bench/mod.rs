//! A workbench for tests: a virtual RT1062 on a bus in virtual time, and what one does to it.
#![allow(dead_code)]

mod meddle;

pub use meddle::Meddled;

use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Board, State, by_name};
use omv_camera::{Context, Error, Event, Found, Looked, Outcome, Stop, find, look, run};
use omv_link::Bus;
use omv_plan::{Image, Plan, Refusal, Step, Wish};
use omv_sim::rt1062::{Quirks, Remains, Rt1062, sample};
use omv_sim::{Camera, Hand, Status, VirtualBus};

/// The board under test.
pub fn board() -> &'static Board {
    by_name("rt1062").expect("the RT1062 has a board file")
}

/// An image for a region.
pub fn image(region: &str, bytes: Vec<u8>) -> Image {
    let start = board().region(region).expect("known region").start;
    Image {
        file: format!("{region}.bin"),
        region: region.into(),
        start,
        bytes: bytes.into(),
    }
}

/// The made-up loaders.
pub fn loaders() -> Vec<Image> {
    let ram = Image {
        file: "sdphost_flash_loader.bin".into(),
        region: "ram".into(),
        start: 0x2000_1C00,
        bytes: sample::flashloader().into(),
    };
    vec![ram, image("sbl", sample::sbl())]
}

/// A bus with one camera on it, and a person beside it.
pub struct Bench {
    pub bus: VirtualBus,
    /// What was told, and when.
    pub events: Vec<Event>,
    pub times: Vec<Duration>,
    /// Whether the person does what a plan asks for.
    pub obliging: bool,
    /// Whether the person only unplugs the camera and plugs it in again, whatever was asked.
    pub replug_when_asked: bool,
    /// Whether the person plugs the camera into the second socket instead.
    pub moves_when_asked: bool,
    /// The event at which stopping is asked for.
    pub stop_when: Option<fn(&Event) -> bool>,
    /// Whether what is read from the camera can be kept.
    pub keeps: bool,
    /// What the library is given instead of the bus itself.
    pub between: Option<Meddled>,
    pub kept: Vec<(String, Vec<u8>)>,
    pub stop: Stop,
}

impl Bench {
    /// A camera as sold, with this firmware, running.
    pub fn running(firmware: &[u8]) -> Self {
        let bench = Self::with(Rt1062::new(firmware, Quirks::default()));
        bench.pass(4);
        bench
    }

    /// Any camera, freshly powered.
    pub fn with(camera: Rt1062) -> Self {
        let bus = VirtualBus::new("bench", vec![Box::new(camera) as Box<dyn Camera>]);
        Self {
            bus,
            events: Vec::new(),
            times: Vec::new(),
            obliging: true,
            replug_when_asked: false,
            moves_when_asked: false,
            stop_when: None,
            keeps: true,
            between: None,
            kept: Vec::new(),
            stop: Stop::default(),
        }
    }

    /// What a camera left behind, powered again.
    pub fn from_remains(remains: Remains) -> Self {
        Self::with(Rt1062::from_remains(remains, Quirks::default()))
    }

    /// A camera with the wire set, in its ROM, with this firmware in its flash.
    pub fn in_rom(firmware: &[u8], quirks: Quirks) -> Self {
        let mut remains = Rt1062::new(firmware, quirks).remains();
        remains.jumper = true;
        let bench = Self::with(Rt1062::from_remains(remains, quirks));
        bench.pass(1);
        bench
    }

    /// Time on the camera's clock.
    pub fn now(&self) -> Duration {
        self.bus.now()
    }

    /// Lets seconds pass.
    pub fn pass(&self, seconds: u64) {
        self.bus.pass(Duration::from_secs(seconds));
    }

    /// What hands do, one after the other.
    pub fn hands(&self, hands: &[Hand]) {
        give_a_hand(&self.bus, hands);
    }

    /// What an onlooker sees.
    pub fn status(&self) -> Status {
        self.bus.with(0, |camera, _| camera.status())
    }

    /// Does something with the camera itself.
    pub fn camera<R>(&self, act: impl FnOnce(&mut Rt1062) -> R) -> R {
        self.bus.with(0, |camera, _| {
            let camera = camera.as_any().downcast_mut::<Rt1062>();
            act(camera.expect("an RT1062"))
        })
    }

    /// The one camera there is, without touching it.
    pub fn found(&self) -> Result<Found, Error> {
        omv_camera::select(find(&self.buses())?, None)
    }

    /// The bus as the library wants it.
    pub fn buses(&self) -> Vec<Arc<dyn Bus>> {
        match &self.between {
            Some(meddled) => vec![Arc::new(meddled.clone())],
            None => vec![Arc::new(self.bus.clone())],
        }
    }

    /// Looks at the one camera there is.
    pub fn look(&self) -> Result<Looked, Error> {
        look(&self.found()?, Some(board()))
    }

    /// Looks, plans and runs.
    pub fn flash(&mut self, images: Vec<Image>, wish: &Wish) -> Result<Outcome, Error> {
        let looked = self.look()?;
        let plan = omv_plan::flash(board(), looked.state, images, wish)?;
        self.run(&plan, looked)
    }

    /// Looks, plans the rebuilding with the made-up loaders, and runs.
    pub fn recover(&mut self, images: Vec<Image>, wish: &Wish) -> Result<Outcome, Error> {
        let looked = self.look()?;
        let images = [images, loaders()].concat();
        let plan = omv_plan::recover(board(), looked.state, images, wish)?;
        self.run(&plan, looked)
    }

    /// Runs a plan.
    pub fn run(&mut self, plan: &Plan, looked: Looked) -> Result<Outcome, Error> {
        let (events, times, kept) = (&mut self.events, &mut self.times, &mut self.kept);
        let (bus, stop, stop_when) = (&self.bus, &self.stop, self.stop_when);
        let (obliging, keeps) = (self.obliging, self.keeps);
        let (replugs, moves) = (self.replug_when_asked, self.moves_when_asked);
        let mut tell = |event: Event| {
            times.push(bus.now());
            if stop_when.is_some_and(|when| when(&event)) {
                stop.ask();
            }
            match &event {
                Event::Hands { step, .. } if obliging => oblige(bus, &plan.steps[*step]),
                Event::Hands { .. } if moves => {
                    bus.with(1, |camera, now| camera.hand(now, Hand::Plug));
                }
                Event::Hands { .. } if replugs => give_a_hand(bus, &[Hand::Unplug, Hand::Plug]),
                _ => {}
            }
            events.push(event);
        };
        let mut keep = |region: &str, bytes: &[u8]| {
            if !keeps {
                return Err(std::io::Error::other("the disk is full"));
            }
            kept.push((region.to_owned(), bytes.to_vec()));
            Ok(())
        };
        let context = Context {
            found: looked.found,
            who: looked.who,
            tell: &mut tell,
            keep: &mut keep,
            vendor: &mut |_, _, _| unreachable!(),
            stop: stop.clone(),
        };
        run(plan, context)
    }

    /// What the finished steps with this verb came to, in order.
    pub fn outcomes(&self, verb: &str) -> Vec<String> {
        let planned = self.events.iter().rev().find_map(|event| match event {
            Event::Planned { steps, .. } => Some(steps),
            _ => None,
        });
        let steps = planned.expect("there was a plan");
        let finished = self.events.iter().filter_map(|event| match event {
            Event::Finished { step, outcome, .. } if steps[*step].verb == verb => outcome.clone(),
            _ => None,
        });
        finished.collect()
    }

    /// Sectors erased since the camera was made.
    pub fn erased(&self) -> u64 {
        self.status().erased_sectors
    }

    /// Changes the flash behind everybody's back.
    pub fn place(&self, address: u32, bytes: &[u8]) {
        let offset = (address - 0x6000_0000) as usize;
        self.camera(|camera| camera.chip().lock().nor.place(offset, bytes));
    }

    /// Bytes of the camera's flash, by address.
    pub fn flash_bytes(&self, start: u32, size: usize) -> Vec<u8> {
        let offset = (start - 0x6000_0000) as usize;
        self.camera(|camera| camera.chip().lock().nor.read(offset, size))
    }
}

/// What hands do, one after the other.
pub fn give_a_hand(bus: &VirtualBus, hands: &[Hand]) {
    bus.with(0, |camera, now| {
        for hand in hands {
            camera.hand(now, *hand);
        }
    });
}

/// Does what a step asks a person for, at once.
fn oblige(bus: &VirtualBus, step: &Step) {
    let Step::Hands { expect, .. } = step else {
        panic!("hands were asked for by {step:?}");
    };
    let hands: &[Hand] = match expect[..] {
        [State::Sdp] => &[Hand::Unplug, Hand::Jumper(true), Hand::Plug],
        [State::Run] => &[Hand::Unplug, Hand::Jumper(false), Hand::Plug],
        _ => &[Hand::Unplug, Hand::Plug],
    };
    give_a_hand(bus, hands);
}

/// Shorthand for a refusal.
pub fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("not a refusal: {other}"),
    }
}

/// The wish to erase the disk after saving it.
pub fn saved() -> omv_plan::Wish {
    omv_plan::Wish {
        save_disk: true,
        ..omv_plan::Wish::default()
    }
}
