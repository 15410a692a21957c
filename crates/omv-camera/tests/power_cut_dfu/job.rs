//! The operations that are cut, and when.

use std::time::Duration;

use omv_boards::{Board, Role, State};
use omv_camera::{Error, Event, Outcome};
use omv_link::Bus as _;
use omv_plan::{Image, Wish};
use omv_sim::dfu::{self, Bootloader, DfuCamera, Quirks, Remains};
use omv_sim::nor::Nor;

use crate::bench::{Bench, release};
use crate::owner::Cut;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Flash,
    Recover,
}

/// One operation on one board.
pub struct Job {
    pub name: String,
    pub ask: Ask,
    pub board: &'static Board,
    pub images: Vec<Image>,
    /// The version that runs at the end.
    pub version: &'static str,
    /// The camera at the start.
    pub before: Remains,
    /// Its flash at the end.
    pub after: Nor,
    /// When each step of the uncut run began and ended.
    spans: Vec<(Duration, Duration)>,
}

impl Job {
    /// An update of a running camera over its DFU bootloader.
    pub fn flash(board: &'static Board) -> Self {
        let wanted = [Role::Romfs, Role::Firmware, Role::SecondFirmware];
        let wish = dfu::Wish::of(board);
        Self::new("flash", Ask::Flash, wish, "5.0.0", &wanted)
    }

    /// Bootloader, firmware and ROM file system of a camera in its chip's ROM.
    pub fn recover(board: &'static Board) -> Self {
        let wanted = [Role::Bootloader, Role::Romfs, Role::Firmware];
        let wish = dfu::Wish {
            state: State::StRom,
            ..dfu::Wish::of(board)
        };
        Self::new(
            "recover through the ROM",
            Ask::Recover,
            wish,
            "5.0.0",
            &wanted,
        )
    }

    /// An update of the time of the serial bootloader.
    pub fn legacy(board: &'static Board) -> Self {
        let wish = dfu::Wish {
            version: "4.5.6".into(),
            bootloader: Some(Bootloader::Legacy(3)),
            ..dfu::Wish::of(board)
        };
        let wanted = [Role::Firmware];
        Self::new("flash, old bootloader", Ask::Flash, wish, "4.5.9", &wanted)
    }

    fn new(what: &str, ask: Ask, wish: dfu::Wish, version: &'static str, wanted: &[Role]) -> Self {
        let board = wish.board;
        let mut images = release(board, version);
        images.retain(|image| {
            let region = board.region(&image.region);
            region.is_some_and(|region| wanted.contains(&region.role))
        });
        // More than a sector of the chips with the largest ones, and no more than that.
        for image in &mut images {
            match board.region(&image.region).map(|region| region.role) {
                Some(Role::Firmware) => {
                    image.bytes = dfu::sample::firmware(board, version, 0x2_2345).into();
                }
                Some(Role::SecondFirmware) => {
                    image.bytes = dfu::sample::second_firmware(board, version, 0x8345).into();
                }
                _ => {}
            }
        }
        let before = wish.make().expect("there is such a camera").remains();
        let after = before.parts.nor.clone();
        let name = board.name.to_lowercase();
        let name = name
            .trim_start_matches("openmv_")
            .trim_start_matches("arduino_");
        let mut job = Self {
            name: format!("{name} {what}"),
            ask,
            board,
            images,
            version,
            before,
            after,
            spans: Vec::new(),
        };
        job.measure();
        job
    }

    /// The uncut run: what it takes, and what it leaves.
    fn measure(&mut self) {
        let mut bench = self.bench(false);
        let (bus, mut told) = (bench.bus.clone(), Vec::new());
        let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = std::sync::Arc::clone(&times);
        bench.when = Box::new(move |event, _, _| {
            let is_edge = matches!(event, Event::Started { .. } | Event::Finished { .. });
            if is_edge {
                noted.lock().expect("nobody panics").push(bus.now());
            }
        });
        let outcome = self.attempt(&mut bench);
        let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert_eq!(
            outcome.firmware().as_deref(),
            Some(self.version),
            "{}",
            self.name
        );
        told.append(&mut times.lock().expect("nobody panics"));
        self.spans = told
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        assert!(!self.spans.is_empty());
        self.after = bench.camera(|camera| camera.remains().parts.nor);
        assert_eq!(bench.misused(), None, "{}", self.name);
    }

    /// At least `count` moments: the end of every step, and as many inside each, evenly spread;
    /// long steps, which change flash, get most.
    pub fn moments(&self, count: usize) -> Vec<Cut> {
        let whole: Duration = self.spans.iter().map(|(start, end)| *end - *start).sum();
        let mut cuts = Vec::new();
        for (start, end) in &self.spans {
            let length = *end - *start;
            let share = length.as_secs_f64() / whole.as_secs_f64().max(1e-9);
            // Half by length, half alike for each step: short ones are where surprises are.
            let inside = (count as f64 * share / 2.0).ceil() as usize;
            let inside = inside + count.div_ceil(2 * self.spans.len());
            for index in 0..inside {
                let part = (index as f64 + 1.0) / (inside as f64 + 1.0);
                let at = *start + length.mul_f64(part);
                let torn = index % 2 == 1;
                cuts.push(Cut { at, torn });
            }
            let torn = cuts.len() % 2 == 1;
            cuts.push(Cut { at: *end, torn });
        }
        cuts
    }

    /// The camera at the start, as long after power-on as somebody needs to come.
    pub fn bench(&self, torn: bool) -> Bench {
        let bench = Bench::with(self.board, revive(self.before.clone(), torn));
        bench.bus.pass(Duration::from_secs(5));
        bench
    }

    /// Looks, plans what fits the state the camera is in, and runs it.
    pub fn attempt(&self, bench: &mut Bench) -> Result<Outcome, Error> {
        let looked = bench.meet()?;
        let wish = Wish {
            firmware: looked.firmware().and_then(|version| version.parse().ok()),
            ..Wish::default()
        };
        let (board, images, ask) = (self.board, &self.images, self.ask);
        bench.run(looked, &|state| match ask {
            Ask::Flash => omv_plan::flash(board, state, images.clone(), &wish),
            Ask::Recover => omv_plan::recover(board, state, images.clone(), &wish),
        })
    }
}

/// A camera made of what one left behind.
pub fn revive(remains: Remains, torn: bool) -> DfuCamera {
    let quirks = Quirks {
        torn,
        ..Quirks::default()
    };
    DfuCamera::from_remains(remains, quirks)
}
