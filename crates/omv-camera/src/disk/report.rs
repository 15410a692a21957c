//! What a test says in the end.

use std::time::Duration;

/// How thorough a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The capacity, and samples of the whole disk read twice. Nothing stays changed.
    Quick,
    /// Whether the disk is as large as it says: markers in the square root of its blocks, put
    /// back afterwards. Nothing stays changed.
    Capacity,
    /// Every block written and read twice. Everything on the disk is lost.
    Full,
}

/// What can be wrong with a disk, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// It takes no writes.
    Protected,
    /// Behind its true end it begins again.
    Wraps,
    /// Behind its true end it forgets.
    Drops,
    /// Blocks fail and nobody says so: something else comes in their place.
    Silent,
    /// Blocks cannot be written.
    WriteErrors,
    /// Blocks cannot be read.
    ReadErrors,
    /// What was written is gone once the disk was let go of.
    Forgets,
    /// Blocks come back in each other's place.
    Swaps,
    /// Blocks keep what they had.
    Stuck,
    /// Blocks come back with other bits, or not the same twice.
    Flaky,
    /// Writes take so long that a recording stalls.
    Slow,
}

impl Defect {
    /// All of them, the worst first.
    pub const ALL: [Self; 11] = [
        Self::Protected,
        Self::Wraps,
        Self::Drops,
        Self::Silent,
        Self::WriteErrors,
        Self::ReadErrors,
        Self::Forgets,
        Self::Swaps,
        Self::Stuck,
        Self::Flaky,
        Self::Slow,
    ];

    /// Stable name, for JSON and for forum answers.
    pub fn code(self) -> &'static str {
        match self {
            Self::Protected => "card-protected",
            Self::Wraps => "card-wraps",
            Self::Drops => "card-drops",
            Self::Silent => "card-silent-errors",
            Self::WriteErrors => "card-write-errors",
            Self::ReadErrors => "card-read-errors",
            Self::Forgets => "card-forgets",
            Self::Swaps => "card-swaps",
            Self::Stuck => "card-stuck",
            Self::Flaky => "card-flaky",
            Self::Slow => "card-slow",
        }
    }

    /// What that is, in one line.
    pub fn title(self) -> &'static str {
        match self {
            Self::Protected => "it is write-protected",
            Self::Wraps => "it is smaller than it says and begins again behind its end",
            Self::Drops => "it is smaller than it says and forgets what is written behind its end",
            Self::Silent => "blocks fail and it is not reported: other data comes back",
            Self::WriteErrors => "blocks cannot be written",
            Self::ReadErrors => "blocks cannot be read",
            Self::Forgets => "what was written is lost when the disk is let go of",
            Self::Swaps => "blocks come back in each other's place",
            Self::Stuck => "blocks do not change when they are written",
            Self::Flaky => "blocks come back with wrong bits, or not the same twice",
            Self::Slow => "writes take too long to record to it",
        }
    }

    /// One thing a person can do.
    pub fn help(self) -> &'static str {
        match self {
            Self::Protected => {
                "Move the lock slider of the card. A card without one that does this is worn out: \
                 copy its files and replace it."
            }
            Self::Wraps | Self::Drops => {
                "The card is a fake. Copy its files and give it back; files written behind its \
                 true end are lost already."
            }
            Self::Silent => {
                "Read the card in a reader of the computer. If it is fine there, it cannot follow \
                 this camera's clock; either way use another card."
            }
            Self::WriteErrors | Self::ReadErrors | Self::Stuck | Self::Flaky | Self::Swaps => {
                "Copy what can be read and replace the card."
            }
            Self::Forgets => {
                "Replace the card: a camera that is switched off would lose its last files."
            }
            Self::Slow => "Fine for scripts. To record video, use a faster card.",
        }
    }

    /// Whether the disk can still be used for scripts.
    pub fn is_mild(self) -> bool {
        matches!(self, Self::Slow | Self::Protected)
    }
}

/// Blocks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// One defect, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub defect: Defect,
    /// Where; the first 64 ranges.
    pub ranges: Vec<Range>,
    /// How many blocks in all that were looked at.
    pub blocks: u64,
}

/// How long single pieces took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Half of them took no longer.
    pub median: Duration,
    /// One in a hundred took longer.
    pub p99: Duration,
    /// The longest.
    pub worst: Duration,
    /// Bytes per second over all of them.
    pub rate: u64,
}

/// Speed, where enough was moved to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speed {
    /// Of reading pieces of up to 64 KiB in a row.
    pub read: Option<Times>,
    /// Of writing them.
    pub write: Option<Times>,
}

/// What a test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How thorough it was.
    pub mode: Mode,
    /// Bytes of a block.
    pub block_size: u32,
    /// Blocks the disk says it has.
    pub claimed: u64,
    /// Blocks it has, as far as that was found out; the same as claimed unless it lies.
    pub size: u64,
    /// Blocks that were looked at.
    pub looked_at: u64,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// Its speed.
    pub speed: Speed,
    /// Whether everything that was written over is back. False also after a full test.
    pub restored: bool,
}

impl Report {
    /// The worst that was found.
    pub fn verdict(&self) -> Option<Defect> {
        self.findings.first().map(|finding| finding.defect)
    }
}
