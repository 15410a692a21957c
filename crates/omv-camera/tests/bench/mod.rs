//! A workbench for tests: a virtual RT1062 on a bus in virtual time, and what one does to it.
#![allow(dead_code)]

use std::sync::Arc;

use omv_boards::{Board, by_name};
use omv_camera::{Context, Error, Event, Looked, Outcome, Stop, find, look, run};
use omv_link::Bus;
use omv_plan::{Image, Plan, Refusal, Wish};
use omv_sim::rt1062::{Quirks, Remains, Rt1062, sample};
use omv_sim::{Camera, VirtualBus};

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

/// A bus with one camera on it.
pub struct Bench {
    pub bus: VirtualBus,
    pub events: Vec<Event>,
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
            kept: Vec::new(),
            stop: Stop::default(),
        }
    }

    /// What a camera left behind, powered again.
    pub fn from_remains(remains: Remains) -> Self {
        Self::with(Rt1062::from_remains(remains, Quirks::default()))
    }

    /// Lets seconds pass.
    pub fn pass(&self, seconds: u64) {
        self.bus.pass(std::time::Duration::from_secs(seconds));
    }

    /// The bus as the library wants it.
    pub fn buses(&self) -> Vec<Arc<dyn Bus>> {
        vec![Arc::new(self.bus.clone())]
    }

    /// Looks at the one camera there is.
    pub fn look(&self) -> Result<Looked, Error> {
        let found = find(&self.buses())?;
        look(&omv_camera::select(found, None)?, Some(board()))
    }

    /// Looks, plans and runs.
    pub fn flash(&mut self, images: Vec<Image>, wish: &Wish) -> Result<Outcome, Error> {
        let looked = self.look()?;
        let plan = omv_plan::flash(board(), looked.state, images, wish)?;
        self.run(&plan, looked)
    }

    /// Runs a plan.
    pub fn run(&mut self, plan: &Plan, looked: Looked) -> Result<Outcome, Error> {
        let (events, kept) = (&mut self.events, &mut self.kept);
        run(
            plan,
            Context {
                found: looked.found,
                who: looked.who,
                tell: &mut |event| events.push(event),
                keep: &mut |region, bytes| {
                    kept.push((region.to_owned(), bytes.to_vec()));
                    Ok(())
                },
                stop: self.stop.clone(),
            },
        )
    }

    /// Bytes of the camera's flash, by address.
    pub fn flash_bytes(&self, start: u32, size: usize) -> Vec<u8> {
        self.bus.with(0, |camera, _| {
            let camera = camera.as_any().downcast_ref::<Rt1062>().expect("an RT1062");
            camera
                .chip()
                .lock()
                .nor
                .read((start - 0x6000_0000) as usize, size)
        })
    }
}

/// Shorthand for a refusal.
pub fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("not a refusal: {other}"),
    }
}
