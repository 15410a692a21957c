//! Steps as people read them.

use std::ops::Range;

use omv_boards::State;

use crate::image::Part;
use crate::step::{Job, Knock, Plan, Step, StepInfo};

impl Plan {
    /// One step as shown; `at` is the bootloader it happens in.
    pub(crate) fn info(&self, step: &Step, at: Option<State>) -> StepInfo {
        let (verb, what, bytes) = self.words(step);
        let risk = step.risk();
        StepInfo {
            verb,
            what,
            bytes,
            risk,
            equivalent: self.equivalent(step, at),
        }
    }

    fn words(&self, step: &Step) -> (&'static str, String, u64) {
        match step {
            Step::Enter { by, limit, .. } => {
                let how = match by {
                    Knock::Command => "into the bootloader",
                    Knock::Touch => "into the bootloader, by a touch at 1200 baud",
                };
                ("reset", format!("{how}, within {} s", limit.as_secs()), 0)
            }
            Step::Restart { .. } => ("restart", "the camera".into(), 0),
            Step::Hands { expect, .. } => {
                let states: Vec<String> = expect.iter().map(State::to_string).collect();
                (
                    "hands",
                    format!("yours, until the camera is `{}`", states.join("` or `")),
                    0,
                )
            }
            Step::Hold { expect } => {
                let which = match expect {
                    State::Sbl | State::Dfu | State::ArduinoDfu => "bootloader",
                    State::LegacyBl => "serial bootloader",
                    State::StRom => "chip's ROM",
                    other => other.name(),
                };
                ("hold", format!("the {which}"), 0)
            }
            Step::Load { image } => {
                let image = &self.images[*image];
                (
                    "load",
                    format!("{} into RAM", image.file),
                    image.bytes.len() as u64,
                )
            }
            Step::Jump { start, .. } => ("start", format!("it at {start:#010x}"), 0),
            Step::Configure => ("set up", "access to the flash".into(), 0),
            Step::BootBlock { start, size } => (
                "rebuild",
                format!("boot block {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::Save {
                region,
                start,
                size,
            } => (
                "save",
                format!("{region} {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::Compare { part } => ("compare", self.what(part), part.size()),
            Step::Park { sector, .. } => {
                let size = u64::from(sector.end - sector.start);
                ("park", format!("bootloader record {}", span(sector)), size)
            }
            Step::Erase { part } => ("erase", self.what(part), part.size()),
            Step::Write { part } => ("write", self.what(part), self.written(part)),
            Step::Verify { part } => ("verify", self.what(part), self.written(part)),
            Step::Blank {
                region,
                start,
                size,
            } => (
                "erase",
                format!("{region} {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::Vendor { job, images } => {
                let files = images.iter().map(|image| &self.images[*image]);
                let first = files.clone().next();
                let file = first.map_or("", |image| image.file.as_str());
                let bytes = first.map_or(0, |image| image.bytes.len() as u64);
                match job {
                    Job::AlifSystem => (
                        "renew",
                        format!("the system package with {}", job.program()),
                        0,
                    ),
                    _ => ("write", format!("{file} with {}", job.program()), bytes),
                }
            }
            Step::ReadFuse { word, .. } => ("read", format!("boot fuse, word {word}"), 0),
            Step::BurnFuse { word, mask } => (
                "burn",
                format!("boot fuse, word {word}, bits {mask:#x}, for ever"),
                0,
            ),
            Step::Leave {
                expect: State::Run, ..
            } => ("reset", "into the firmware".into(), 0),
            Step::Leave { expect, .. } => ("reset", format!("into {expect}"), 0),
            Step::Ask => ("ask", "the camera what it runs".into(), 0),
        }
    }

    fn what(&self, part: &Part) -> String {
        match part.spans.as_slice() {
            [] => part.name.clone(),
            [one] => format!("{} {}", part.name, span(one)),
            [first, .., last] => {
                let (whole, count) = (first.start..last.end, part.spans.len());
                format!("{} {} ({count} parts)", part.name, span(&whole))
            }
        }
    }

    /// Bytes of the image in a part; the last sector is usually not full.
    fn written(&self, part: &Part) -> u64 {
        let end = self.images[part.image].end();
        let bytes = |span: &Range<u32>| u64::from(span.end.min(end).saturating_sub(span.start));
        part.spans.iter().map(bytes).sum()
    }
}

impl Job {
    /// The program that does it.
    pub fn program(self) -> &'static str {
        match self {
            Self::StBootloader => "STM32_Programmer_CLI",
            Self::AlifSystem => "updateSystemPackage",
            Self::AlifBootloader => "app-write-mram",
        }
    }
}

pub(crate) fn span(range: &Range<u32>) -> String {
    format!("{:08X}-{:08X}", range.start, range.end)
}
