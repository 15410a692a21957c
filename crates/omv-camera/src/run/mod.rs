//! The one executor of plans.
//!
//! It does what the plan says, in that order, and nothing else. What it learns on the way (which
//! sectors differ, what the boot fuse is) only ever makes it do less.

mod flash;
mod moves;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use omv_boards::State;
use omv_link::LinkError;
use omv_plan::{Image, Job, Plan, Step, sha256};
use omv_wire::identify::Who;
use serde::Serialize;

use crate::look::version;
use crate::programmer::Programmer;
use crate::wait::Stop;
use crate::{Error, Event, Found};

/// Runs a chip maker's own program: what for, the files it needs, the camera.
pub type Vendor<'a> = dyn FnMut(Job, &[&Image], &Found) -> Result<(), Error> + 'a;

/// What an execution needs besides the plan.
pub struct Context<'a> {
    /// The camera, as it was found; none when it has yet to be plugged in.
    pub found: Found,
    /// Who runs there, if it runs.
    pub who: Option<Who>,
    /// Hears of everything that happens.
    pub tell: &'a mut dyn FnMut(Event),
    /// Keeps what is read from the camera: region name and bytes.
    pub keep: &'a mut dyn FnMut(&str, &[u8]) -> io::Result<()>,
    /// Has a chip maker's own program do what only it can.
    pub vendor: &'a mut Vendor<'a>,
    /// Asked for to stop.
    pub stop: Stop,
}

/// What was done to one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegionReport {
    /// Its name.
    pub name: String,
    /// Bytes of the image.
    pub bytes: u64,
    /// Bytes of flash erased.
    pub erased_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes left alone because they were equal.
    pub skipped_bytes: u64,
    /// Whether every byte of the image was read back and is equal.
    pub verified: bool,
    /// SHA-256 of the image, lower-case hex.
    pub sha256: String,
}

/// What an execution came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The state the camera is in now.
    pub state: State,
    /// Who runs there now.
    pub who: Option<Who>,
    /// Its serial number, else its place.
    pub label: String,
    /// Its place.
    pub place: String,
    /// What was done to each region.
    pub regions: Vec<RegionReport>,
    /// Whether the boot fuse is set, if it was read.
    pub boot_fuse_set: Option<bool>,
    /// How long it all took on the camera's clock.
    pub took: Duration,
}

impl Outcome {
    /// The version of the firmware that runs now, if one was asked.
    pub fn firmware(&self) -> Option<String> {
        self.who.as_ref().map(version)
    }
}

/// Runs a plan to its end, or to the first step that fails.
///
/// # Errors
/// That of the step. The camera is then in the state the error describes; looking at it again
/// and planning again continues the work.
pub fn run(plan: &Plan, context: Context<'_>) -> Result<Outcome, Error> {
    let mut runner = Runner::new(plan, context);
    let (steps, warnings) = (plan.describe(), plan.warnings.clone());
    (runner.context.tell)(Event::Planned { steps, warnings });
    let start = runner.now();
    for (index, step) in plan.steps.iter().enumerate() {
        runner.step = index;
        let began = runner.now();
        (runner.context.tell)(Event::Started { step: index });
        match runner.check_step(step).and_then(|()| runner.one(step)) {
            Ok(outcome) => {
                let millis = (runner.now() - began).as_millis() as u64;
                (runner.context.tell)(Event::Finished {
                    step: index,
                    millis,
                    outcome,
                });
            }
            Err(error) => {
                let error = runner.explain(error);
                (runner.context.tell)(Event::Failed {
                    step: index,
                    code: error.code(),
                });
                return Err(error);
            }
        }
    }
    Ok(runner.outcome(start))
}

/// The state of one execution.
pub(crate) struct Runner<'p, 'c> {
    plan: &'p Plan,
    context: Context<'c>,
    step: usize,
    programmer: Option<Box<dyn Programmer>>,
    state: State,
    /// Per image: start addresses of the sectors that are known to be equal.
    equal: BTreeMap<usize, Vec<u32>>,
    reports: BTreeMap<usize, RegionReport>,
    /// Bytes of each image that were verified or found equal.
    proven: BTreeMap<usize, u64>,
    boot_fuse: Option<bool>,
    /// Whether the sector that opens the bootloader's window is erased and not yet written.
    vectors_erased: bool,
    /// Whether anything was erased or programmed.
    changed: bool,
}

impl<'p, 'c> Runner<'p, 'c> {
    fn new(plan: &'p Plan, context: Context<'c>) -> Self {
        let state = context.found.state();
        Self {
            plan,
            context,
            step: 0,
            programmer: None,
            state,
            equal: BTreeMap::new(),
            reports: BTreeMap::new(),
            proven: BTreeMap::new(),
            boot_fuse: None,
            vectors_erased: false,
            changed: false,
        }
    }

    fn now(&self) -> Duration {
        self.context.found.bus.now()
    }

    /// One step; what came of it, if that is worth a word.
    fn one(&mut self, step: &Step) -> Result<Option<String>, Error> {
        match step {
            Step::Enter { by, expect, limit } => self.enter(*by, expect, *limit)?,
            Step::Restart { limit } => self.restart(*limit)?,
            Step::Hands { ask, expect, limit } => self.hands(ask, expect, *limit)?,
            Step::Hold { expect } => self.hold(*expect)?,
            Step::Load { image } => self.load(*image)?,
            Step::Jump {
                start,
                expect,
                limit,
            } => self.jump(*start, *expect, *limit)?,
            Step::Configure => self.configure()?,
            Step::BootBlock { start, size } => self.boot_block(*start, *size)?,
            Step::Save {
                region,
                start,
                size,
            } => self.save(region, *start, *size)?,
            Step::Compare { part } => return self.compare(part).map(Some),
            Step::Park { image, sector } => return self.park(*image, sector).map(Some),
            Step::Erase { part } => return self.erase(part).map(Some),
            Step::Write { part } => return self.write(part).map(Some),
            Step::Verify { part } => return self.verify(part).map(Some),
            Step::Blank {
                region,
                start,
                size,
            } => self.blank(region, *start, *size)?,
            Step::Vendor { job, images } => {
                let plan = self.plan;
                let images: Vec<&Image> = images.iter().map(|at| &plan.images[*at]).collect();
                self.changed = true;
                (self.context.vendor)(*job, &images, &self.context.found)?;
            }
            Step::ReadFuse { word, mask } => return self.read_fuse(*word, *mask).map(Some),
            Step::BurnFuse { word, mask } => return self.burn_fuse(*word, *mask).map(Some),
            Step::Leave { expect, limit } => return self.leave(*expect, *limit),
            Step::Ask => return self.ask().map(Some),
        }
        Ok(None)
    }

    fn moved(&mut self, done: u64, total: u64) {
        (self.context.tell)(Event::Moved {
            step: self.step,
            done,
            total,
        });
    }

    fn report(&mut self, image: usize) -> &mut RegionReport {
        let plan = self.plan;
        self.reports.entry(image).or_insert_with(|| {
            let image = &plan.images[image];
            RegionReport {
                name: image.region.clone(),
                bytes: image.bytes.len() as u64,
                sha256: sha256(&image.bytes),
                ..RegionReport::default()
            }
        })
    }

    /// Fails before a step if stopping was asked for. Not between an erase of the vectors and
    /// their write: that is over in a moment, and the camera would not start without it. Nor before
    /// a bootloader is held: it would leave, and nobody could say what the camera is.
    fn check_step(&self, step: &Step) -> Result<(), Error> {
        let writes_vectors = self.vectors_erased && matches!(step, Step::Write { .. });
        let goes_on = writes_vectors || matches!(step, Step::Hands { .. } | Step::Hold { .. });
        if !self.context.stop.asked() || goes_on {
            return Ok(());
        }
        let info = self.plan.describe();
        let info = &info[self.step];
        self.check_stop(&format!("preparing to {} {}", info.verb, info.what))
    }

    /// Fails if stopping was asked for; `state` says what the camera is left as.
    fn check_stop(&self, doing: &str) -> Result<(), Error> {
        if !self.context.stop.asked() {
            return Ok(());
        }
        let state = match self.state {
            State::Run => "the camera runs",
            State::Sdp => "the camera waits in its ROM",
            State::StRom if self.changed => {
                "the camera waits in its chip's ROM, for as long as the wire is set; the work on its flash is not finished"
            }
            State::StRom => {
                "the camera waits in its chip's ROM, for as long as the wire is set; nothing was changed"
            }
            _ if self.vectors_erased => {
                "the camera waits in its bootloader; if it loses power now, only the SBL wire brings it back"
            }
            _ if self.changed => {
                "the camera waits in its bootloader until it loses power; the work on its flash is not finished"
            }
            _ => "the camera waits in its bootloader until it loses power; nothing was changed",
        };
        Err(Error::Stopped {
            doing: doing.to_owned(),
            state: state.to_owned(),
        })
    }

    /// An error that must be told differently because of the state it leaves the camera in.
    fn explain(&self, error: Error) -> Error {
        let still_there = matches!(
            error,
            Error::Status { .. } | Error::Protocol { .. } | Error::Link(LinkError::Stuck)
        );
        if self.vectors_erased && still_there {
            let cause = Box::new(error);
            return Error::VectorsErased { cause };
        }
        error
    }

    fn outcome(mut self, start: Duration) -> Outcome {
        let took = self.now() - start;
        for (image, proven) in std::mem::take(&mut self.proven) {
            let report = self.report(image);
            report.verified = proven == report.bytes;
        }
        let found = &self.context.found;
        Outcome {
            state: self.state,
            who: self.context.who.clone(),
            label: found.label(),
            place: found.seen.place.to_string(),
            regions: self.reports.into_values().collect(),
            boot_fuse_set: self.boot_fuse,
            took,
        }
    }
}
