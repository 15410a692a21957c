//! The tests of the rig: a script for the guest, and a judge for what it left. The script's
//! words are in `rig/scene.sh`.
//!
//! One file a family. A new family is a file here and a line in [`all`].

pub mod dfu;
mod dfu_lines;
mod omv;
pub mod spsdk;

use anyhow::Result;

use super::results::Results;

/// A test.
pub struct Scene {
    /// As it is typed.
    pub name: &'static str,
    /// Longest run in the guest, seconds.
    pub limit: u64,
    /// What happens.
    pub script: &'static str,
    /// The vector file that the traffic of the scene must agree with, if it was tapped.
    pub recording: Option<Recording>,
    /// What must have come of it.
    pub judge: fn(&Results) -> Result<()>,
}

/// Traffic that is kept as a vector file.
#[derive(Clone, Copy)]
pub struct Recording {
    /// Name of the file, among the vectors of `omv-wire`.
    pub file: &'static str,
    /// Whether this scene makes the file; others are only compared with it.
    pub makes: bool,
    /// What the file is about: its first line.
    pub title: &'static str,
}

/// All of them, in the order they run in.
pub fn all() -> impl Iterator<Item = &'static Scene> + Clone {
    let families = [omv::SCENES, dfu::SCENES, spsdk::SCENES];
    families.into_iter().flatten()
}
