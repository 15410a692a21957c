//! The vocabulary of plans.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, Region, State};
use serde::Serialize;

use crate::image::{Image, Part};

/// How much a step can hurt. Consent is asked for the worst of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Changes nothing that lasts.
    Reads,
    /// Replaces what can be written again.
    Rewrites,
    /// Cannot be undone.
    Forever,
}

/// How running firmware is sent into its bootloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// By a command of the camera's own protocol.
    Command,
    /// By opening its console at 1200 baud, which any program on an Arduino board understands.
    Touch,
}

/// What the program of a chip's maker is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// STMicroelectronics' programmer writes the bootloader of an STM32N6.
    StBootloader,
    /// Alif's toolkit renews the system package of the Secure Enclave.
    AlifSystem,
    /// Alif's toolkit writes the bootloader and the boot table.
    AlifBootloader,
}

/// One step. Each is idempotent, and each wait in it has an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the running camera into its bootloader. The watch is armed before the command is
    /// sent, because the bootloader leaves again within seconds.
    Enter {
        /// How it is told to.
        by: Knock,
        /// The states it may appear in; the first is the one this plan goes on from.
        expect: Vec<State>,
        /// How long that may take.
        limit: Duration,
    },
    /// Restart the running camera.
    Restart {
        /// How long it may take until it runs again.
        limit: Duration,
    },
    /// Wait until a camera appears, for a person's hands or for its own next start.
    Hands {
        /// What the person should do.
        ask: String,
        /// Any of these states ends the wait.
        expect: Vec<State>,
        /// How long to wait.
        limit: Duration,
    },
    /// Say the first word to the bootloader: it stays from then on. Also proves that it is the
    /// one expected, and that it has every region this plan needs.
    Hold {
        /// Which bootloader.
        expect: State,
    },
    /// Put a program into RAM through the ROM.
    Load {
        /// Index of the image.
        image: usize,
    },
    /// Start the program in RAM.
    Jump {
        /// Where.
        start: u32,
        /// The state it appears in.
        expect: State,
        /// How long that may take.
        limit: Duration,
    },
    /// Tell the flashloader what kind of flash there is.
    Configure,
    /// Erase the flash configuration block and have the loader write it anew.
    BootBlock {
        /// Its address.
        start: u32,
        /// Bytes to erase.
        size: u32,
    },
    /// Read a region and hand the bytes to whoever asked.
    Save {
        /// Region name.
        region: String,
        /// First address.
        start: u32,
        /// Bytes.
        size: u32,
    },
    /// Read what is there and note which sectors differ from the image; the later steps leave
    /// equal ones alone.
    Compare {
        /// What.
        part: Part,
    },
    /// Make the resident bootloader wait for ever until the vectors are written.
    Park {
        /// Index of the firmware image.
        image: usize,
        /// The sector that holds vectors and record.
        sector: Range<u32>,
    },
    /// Erase sectors.
    Erase {
        /// What.
        part: Part,
    },
    /// Write bytes to erased sectors.
    Write {
        /// What.
        part: Part,
    },
    /// Read back what was written and compare every byte.
    Verify {
        /// What.
        part: Part,
    },
    /// Make a range blank, and check that it is.
    Blank {
        /// Region name.
        region: String,
        /// First address.
        start: u32,
        /// Bytes.
        size: u32,
    },
    /// Have the chip maker's own program write the bootloader, and show what it says.
    Vendor {
        /// Whose, and what for.
        job: Job,
        /// Indexes of the images it needs, the one to be written first.
        images: Vec<usize>,
    },
    /// Read the boot fuse.
    ReadFuse {
        /// OCOTP word.
        word: u32,
        /// The bit that should be set, as a mask.
        mask: u32,
    },
    /// Burn it, unless it is already set.
    BurnFuse {
        /// OCOTP word.
        word: u32,
        /// The bit, as a mask.
        mask: u32,
    },
    /// Reset the camera and watch what it becomes.
    Leave {
        /// The state it should reach.
        expect: State,
        /// How long that may take.
        limit: Duration,
    },
    /// Ask the running camera who it is.
    Ask,
}

/// What will be done to one camera. The dry run prints it, the executor runs it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The board.
    pub board: &'static Board,
    /// Images that steps refer to.
    pub images: Vec<Image>,
    /// In order.
    pub steps: Vec<Step>,
    /// What a person should know first.
    pub warnings: Vec<String>,
    /// Keep to a pace that every old camera can follow: for those that could not before.
    pub careful: bool,
}

impl Plan {
    /// The worst risk in it.
    pub fn risk(&self) -> Risk {
        self.steps
            .iter()
            .map(Step::risk)
            .max()
            .unwrap_or(Risk::Reads)
    }

    /// The same without its end: the camera waits in its bootloader for the next job.
    #[must_use]
    pub fn staying(mut self) -> Self {
        while matches!(self.steps.last(), Some(Step::Leave { .. } | Step::Ask)) {
            self.steps.pop();
        }
        self
    }

    /// The regions that the steps from this one on read or write, up to the next bootloader.
    pub fn regions_from(&self, step: usize) -> Vec<&'static Region> {
        let names = self.steps.iter().skip(step + 1);
        let names = names.take_while(|step| !matches!(step, Step::Hold { .. }));
        let mut regions: Vec<&Region> = names
            .filter_map(|step| self.board.region(self.region_of(step)?))
            .collect();
        regions.dedup_by_key(|region| &region.name);
        regions
    }

    fn region_of<'a>(&'a self, step: &'a Step) -> Option<&'a str> {
        match step {
            Step::Compare { part }
            | Step::Erase { part }
            | Step::Write { part }
            | Step::Verify { part } => Some(&self.images.get(part.image)?.region),
            Step::Save { region, .. } | Step::Blank { region, .. } => Some(region),
            _ => None,
        }
    }

    /// The steps as shown to people and programs.
    pub fn describe(&self) -> Vec<StepInfo> {
        let mut at = None;
        let mut one = |step: &Step| {
            if let Step::Hold { expect } = step {
                at = Some(*expect);
            }
            self.info(step, at)
        };
        self.steps.iter().map(&mut one).collect()
    }
}

impl Step {
    /// How much it can hurt.
    pub fn risk(&self) -> Risk {
        match self {
            Self::BurnFuse { .. } => Risk::Forever,
            Self::BootBlock { .. }
            | Self::Park { .. }
            | Self::Erase { .. }
            | Self::Write { .. }
            | Self::Blank { .. }
            | Self::Vendor { .. } => Risk::Rewrites,
            _ => Risk::Reads,
        }
    }
}

/// One step of a plan, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepInfo {
    /// The verb: `reset`, `erase`, `write`, `verify`.
    pub verb: &'static str,
    /// What it acts on.
    pub what: String,
    /// Bytes it moves, at most.
    pub bytes: u64,
    /// How much it can hurt.
    pub risk: Risk,
    /// The same step as command lines of the tools people use today, where they can do it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub equivalent: Vec<String>,
}
