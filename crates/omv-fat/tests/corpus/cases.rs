//! The damages, one function each, and what must be found.
//!
//! `hurt` names files whose bytes the damage itself takes, `moved` those that come back under
//! another name, `stays` what no repair of the disk can change.

mod boot;
mod exfat;
mod fat;
mod files;

use crate::image::Image;

/// Healthy disks in the corpus.
pub const HEALTHY: usize = 12;

/// One damage.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub base: &'static str,
    pub harm: fn(&mut Image),
    pub finds: &'static [&'static str],
    pub hurt: &'static [&'static str],
    pub moved: &'static [&'static str],
    pub stays: &'static [&'static str],
    /// Whether the damage is outside of the volume, which alone others can be asked about.
    pub harmed_outside: bool,
    pub note: &'static str,
}

impl Case {
    pub fn hurt(self, hurt: &'static [&'static str]) -> Self {
        Self { hurt, ..self }
    }

    pub fn moved(self, moved: &'static [&'static str]) -> Self {
        Self { moved, ..self }
    }

    pub fn stays(self, stays: &'static [&'static str]) -> Self {
        Self { stays, ..self }
    }

    pub fn outside(self) -> Self {
        Self {
            harmed_outside: true,
            ..self
        }
    }

    pub fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

/// A damage of that name to that disk, with what must be found.
pub fn case(
    name: &'static str,
    base: &'static str,
    finds: &'static [&'static str],
    harm: fn(&mut Image),
) -> Case {
    Case {
        name,
        base,
        harm,
        finds,
        hurt: &[],
        moved: &[],
        stays: &[],
        harmed_outside: false,
        note: "",
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [boot::cases(), fat::cases(), files::cases(), exfat::cases()].concat()
}

/// Every file of the disks that `mkfs.fat` made.
pub const ALL: &[&str] = &[
    "/main.py",
    "/long.bin",
    "/other.bin",
    "/third.bin",
    "/empty.txt",
    "/A picture with a long name.jpg",
    "/lib/util.py",
    "/lib/deep/data.bin",
    "/logs/one.csv",
    "/logs/two.csv",
    "/README.txt",
];
