//! A virtual camera of any board, a person beside it, and the makers' programs.

use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Board, Role, State};
use omv_camera::{
    Context, Error, Event, Found, Looked, Outcome, Stop, find, look, run, select, wait_for_camera,
};
use omv_link::Bus;
use omv_plan::{Image, Job, Plan, Refusal};
use omv_sim::dfu::{DfuCamera, Generation, Wish, sample};
use omv_sim::{Camera, Hand, Status, VirtualBus};

/// Boards there are virtual cameras of that are updated over DFU.
pub const BOARDS: [&str; 10] = [
    "OPENMV2",
    "OPENMV3",
    "OPENMV4",
    "OPENMV4P",
    "OPENMVPT",
    "OPENMV_N6",
    "OPENMV_AE3",
    "ARDUINO_PORTENTA_H7",
    "ARDUINO_GIGA",
    "ARDUINO_NICLA_VISION",
];

pub fn board(name: &str) -> &'static Board {
    omv_boards::by_name(name).expect("a board with a file")
}

/// What a release has for a board: everything but the disk.
pub fn release(board: &Board, version: &str) -> Vec<Image> {
    let image = |role, bytes: &dyn Fn(usize) -> Vec<u8>| {
        let region = board.role(role)?;
        Some(Image {
            file: region.files.first()?.clone(),
            region: region.name.clone(),
            start: region.start,
            bytes: bytes(region.size as usize).into(),
        })
    };
    let generation = Generation::of_release(version.parse().expect("a version"));
    let bootloader = (board.dfu.is_some()).then(|| sample::bootloader(board, generation));
    [
        // Several erase units, and an end in the middle of one.
        image(Role::Firmware, &|_| {
            sample::firmware(board, version, 0x4_2345)
        }),
        image(Role::SecondFirmware, &|_| {
            sample::second_firmware(board, version, 0x1_2345)
        }),
        image(Role::Romfs, &|_| omv_sim::rt1062::sample::romfs(0x5678)),
        bootloader.and_then(|bytes| image(Role::Bootloader, &|_| bytes.clone())),
        image(Role::BootTable, &sample::boot_table),
    ]
    .into_iter()
    .flatten()
    .chain(loaders(board))
    .collect()
}

/// What ST's program needs; nothing reads it here.
fn loaders(board: &Board) -> impl Iterator<Item = Image> {
    board.loaders.iter().map(|loader| Image {
        file: loader.file.clone(),
        region: loader.role.name().to_owned(),
        start: 0,
        bytes: vec![0; loader.bytes as usize].into(),
    })
}

/// Whoever watches a job, with the bus and a way to stop it.
pub type When = dyn FnMut(&Event, &VirtualBus, &Stop);

/// One camera on a bus.
pub struct Bench {
    pub bus: VirtualBus,
    pub board: &'static Board,
    pub events: Vec<Event>,
    pub kept: Vec<(String, Vec<u8>)>,
    /// What the makers' programs were started for.
    pub vendors: Vec<Job>,
    /// Stands between the library and the bus, if something does.
    pub between: Option<Arc<dyn Bus>>,
    /// The name of the camera that is meant; the first one is what hands reach.
    pub wanted: Option<String>,
    /// Whether somebody does what a step asks for.
    pub obliging: bool,
    pub stop: Stop,
    /// What a test does when something happens.
    pub when: Box<When>,
}

impl Bench {
    pub fn new(wish: Wish) -> Self {
        let (board, settles) = (wish.board, wish.settles());
        let bench = Self::with(board, wish.make().expect("there is such a camera"));
        bench.bus.pass(settles);
        bench
    }

    /// A camera that was just plugged in.
    pub fn with(board: &'static Board, camera: DfuCamera) -> Self {
        Self::several(board, vec![camera])
    }

    /// Cameras that were just plugged in.
    pub fn several(board: &'static Board, cameras: Vec<DfuCamera>) -> Self {
        let boxed = |camera| Box::new(camera) as Box<dyn Camera>;
        let cameras = cameras.into_iter().map(boxed).collect();
        Self {
            bus: VirtualBus::new("bench", cameras),
            board,
            events: Vec::new(),
            kept: Vec::new(),
            vendors: Vec::new(),
            between: None,
            wanted: None,
            obliging: true,
            stop: Stop::default(),
            when: Box::new(|_, _, _| {}),
        }
    }

    pub fn buses(&self) -> Vec<Arc<dyn Bus>> {
        let bus = || Arc::new(self.bus.clone()) as Arc<dyn Bus>;
        vec![self.between.clone().unwrap_or_else(bus)]
    }

    pub fn status(&self) -> Status {
        self.bus.with(0, |camera, _| camera.status())
    }

    /// Does something with the camera itself.
    pub fn camera<R>(&self, act: impl FnOnce(&mut DfuCamera) -> R) -> R {
        self.bus.with(0, |camera, _| {
            let camera = camera.as_any().downcast_mut::<DfuCamera>();
            act(camera.expect("a camera with DFU"))
        })
    }

    /// The bytes of a region, from its beginning.
    pub fn bytes(&self, region: &str, size: usize) -> Vec<u8> {
        let region = self.board.region(region).expect("a region");
        self.camera(|camera| camera.chip().lock().read_region(region, 0, size))
    }

    /// What the program did wrong with the flash, if anything.
    pub fn misused(&self) -> Option<&'static str> {
        self.camera(|camera| camera.chip().lock().misused)
    }

    fn select(&self) -> Result<Found, Error> {
        select(find(&self.buses())?, self.wanted.as_deref())
    }

    /// Looks at the camera, waiting for one that comes and goes.
    pub fn meet(&self) -> Result<Looked, Error> {
        let mut last = Error::NoCamera;
        for _ in 0..4 {
            let found = match self.select() {
                Err(Error::NoCamera) => {
                    let limit = Duration::from_secs(60);
                    wait_for_camera(&self.buses(), limit, &Stop::default(), |_| true)?;
                    self.select()?
                }
                other => other?,
            };
            match look(&found, Some(self.board)) {
                // The window closed under it.
                Err(error @ (Error::Gone { .. } | Error::Link(omv_link::LinkError::Gone))) => {
                    last = error;
                    self.bus.pass(Duration::from_millis(300));
                }
                other => return other,
            }
        }
        Err(last)
    }

    /// Runs what a wish comes to, and what it comes to then if the bootloader is another one.
    pub fn run(
        &mut self,
        looked: Looked,
        plan: &dyn Fn(State) -> Result<Plan, Refusal>,
    ) -> Result<Outcome, Error> {
        let first = looked.found.clone();
        match self.once(&plan(looked.state)?, looked.found, looked.who) {
            Err(Error::OtherBootloader { instead, .. }) => {
                let found = self.select().unwrap_or(first);
                self.once(&plan(instead)?, found, None)
            }
            other => other,
        }
    }

    fn once(
        &mut self,
        plan: &Plan,
        found: Found,
        who: Option<omv_camera::Who>,
    ) -> Result<Outcome, Error> {
        let (bus, board) = (self.bus.clone(), self.board);
        let (events, kept, vendors) = (&mut self.events, &mut self.kept, &mut self.vendors);
        let (when, stop, obliging) = (&mut self.when, self.stop.clone(), self.obliging);
        run(
            plan,
            Context {
                found,
                who,
                tell: &mut |event| {
                    if let Event::Hands { step, .. } = &event
                        && let omv_plan::Step::Hands { expect, .. } = &plan.steps[*step]
                        && obliging
                    {
                        oblige(&bus, expect);
                    }
                    when(&event, &bus, &stop);
                    events.push(event);
                },
                keep: &mut |region, bytes| {
                    kept.push((region.to_owned(), bytes.to_vec()));
                    Ok(())
                },
                vendor: &mut |job, images, _| {
                    vendors.push(job);
                    for image in images {
                        if let Some(region) = board.region(&image.region) {
                            place(&bus, region, &image.bytes);
                        }
                    }
                    Ok(())
                },
                stop: stop.clone(),
            },
        )
    }
}

/// What the maker's program leaves behind.
fn place(bus: &VirtualBus, region: &omv_boards::Region, bytes: &[u8]) {
    bus.with(0, |camera, _| {
        let camera = camera.as_any().downcast_mut::<DfuCamera>();
        let camera = camera.expect("a camera with DFU");
        camera
            .chip()
            .lock()
            .place(region.memory, region.start, bytes);
    });
}

/// Does what a step asks a person for, at once.
pub fn oblige(bus: &VirtualBus, expect: &[State]) {
    let hands: &[Hand] = match expect.first() {
        Some(State::StRom | State::SeUart) => &[Hand::Unplug, Hand::Jumper(true), Hand::Plug],
        Some(State::ArduinoDfu) => &[Hand::DoubleTap],
        _ => &[Hand::Unplug, Hand::Jumper(false), Hand::Plug],
    };
    bus.with(0, |camera, now| {
        for hand in hands {
            camera.hand(now, *hand);
        }
    });
}
