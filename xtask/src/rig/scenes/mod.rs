//! The tests of the rig: a script for the guest, and a judge for what it left. The script's
//! words are in `rig/scene.sh`.
//!
//! One file a family. A new family is a file here, a line in [`FAMILIES`] and a word in [`GUESTS`].

mod dfu;
mod dfu_lines;
mod disk;
mod omv;
mod spsdk;

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

/// The families.
const FAMILIES: [(&str, &[Scene]); 6] = [
    ("omv", omv::SCENES),
    ("disk", disk::SCENES),
    ("cards", disk::CARDS),
    ("dfu", dfu::SCENES),
    ("ota", dfu::OTA),
    ("spsdk", spsdk::SCENES),
];

/// The guests, which run side by side: the folder that each shares with this machine, and what it plays, families
/// or single tests. Two, as the machines that test this have two processors, and about as long each: four, tried
/// on a machine that did much else, were too slow for the limits of some tests.
pub const GUESTS: [(&str, &[&str]); 2] = [
    ("share", &["omv", "disk", "cards", "spsdk", "ota"]),
    ("share-dfu", &["dfu"]),
];

/// Families that only run when they are named.
pub const ON_DEMAND: [&str; 3] = ["ota", "disk", "cards"];

/// Whether a word means a test: its name, or that of its family.
pub fn means(word: &str, scene: &Scene) -> bool {
    scene.name == word || family(scene) == word
}

/// All of them, in the order they run in.
pub fn all() -> impl Iterator<Item = &'static Scene> + Clone {
    FAMILIES.into_iter().flat_map(|(_, scenes)| scenes)
}

/// The family of a test.
pub fn family(scene: &Scene) -> &'static str {
    let mut families = FAMILIES.into_iter();
    let found = families.find(|(_, scenes)| scenes.iter().any(|one| one.name == scene.name));
    found.map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_is_played_in_one_guest() {
        for scene in all() {
            let plays = |(_, words): &&(_, &[&str])| words.iter().any(|word| means(word, scene));
            let guests = GUESTS.iter().filter(plays).count();
            assert_eq!(guests, 1, "{}", scene.name);
        }
    }
}
