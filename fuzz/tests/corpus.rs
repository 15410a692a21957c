//! The committed corpora, replayed on any compiler: what was found once stays found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use omv_fuzz::{HOME, TARGETS};

/// Bytes all corpora may have together: they are seeds, not the harvest.
const LIMIT: u64 = 100 * 1024;

fn here(folder: &str) -> PathBuf {
    Path::new(HOME).join(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()));
    let mut paths: Vec<_> = listed
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn folders(folder: &str) -> BTreeSet<String> {
    let stem = |path: &PathBuf| {
        path.file_stem()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let paths = entries(&here(folder))
        .into_iter()
        .filter(|path| path.is_dir());
    paths.filter_map(|path| stem(&path)).collect()
}

#[test]
fn every_seed_passes_every_target() {
    for (name, _) in TARGETS {
        for seed in entries(&here("corpus").join(name)) {
            let bytes = fs::read(&seed).expect("a seed");
            for (other, target) in TARGETS {
                println!("{} in {other}", seed.display());
                target(&bytes);
            }
        }
    }
}

#[test]
fn every_target_has_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, folders("corpus"));
    for target in &targets {
        assert!(
            !entries(&here("corpus").join(target)).is_empty(),
            "{target} has no seeds"
        );
    }
}

#[test]
fn the_corpora_stay_small() {
    let seeds = TARGETS
        .iter()
        .flat_map(|(name, _)| entries(&here("corpus").join(name)));
    let size: u64 = seeds
        .map(|seed| seed.metadata().expect("a size").len())
        .sum();
    assert!(size <= LIMIT, "{size} bytes");
}
