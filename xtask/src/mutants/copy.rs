//! A copy of the repository that may be broken.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::Shop;

/// Brings the copy up to the files git knows or would take. What is equal is not touched: cargo goes
/// by the times of files, and must build again what a mutant of an earlier run changed, and no more.
///
/// # Errors
/// Without git, or when the disk says no.
pub fn workspace(shop: &Shop) -> Result<PathBuf> {
    let copy = shop.target.join("mutants/workspace");
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let names = shop.program("git").args(list).output()?;
    let names: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    bring(&shop.root, &names, &copy)?;
    Ok(copy)
}

fn bring(from: &Path, names: &[&str], copy: &Path) -> Result<()> {
    fs::create_dir_all(copy)?;
    let mut wanted = HashSet::new();
    for name in names {
        let to = copy.join(name);
        // A file that was removed and not yet committed is listed all the same.
        let Ok(content) = fs::read(from.join(name)) else {
            continue;
        };
        if fs::read(&to).ok().as_ref() != Some(&content) {
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&to, content).with_context(|| format!("copying {name}"))?;
        }
        wanted.insert(to);
    }
    remove_others(copy, &wanted)
}

fn remove_others(folder: &Path, wanted: &HashSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_others(&entry.path(), wanted)?;
        } else if !wanted.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_broken_is_written_again_and_what_is_equal_is_not() {
        let folder = Shop::new().unwrap().target.join("xtask-tests/copy");
        let (from, copy) = (folder.join("from/a"), folder.join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir_all(copy.join("b")).unwrap();
        fs::write(from.join("equal"), "1").unwrap();
        fs::write(from.join("broken"), "1").unwrap();
        let root = folder.join("from");
        let names = ["a/equal", "a/broken", "a/removed"];
        bring(&root, &names, &copy).unwrap();
        let time = |name: &str| fs::metadata(copy.join(name)).unwrap().modified().unwrap();
        let before = (time("a/equal"), time("a/broken"));
        fs::write(copy.join("a/broken"), "2").unwrap();
        fs::write(copy.join("b/left"), "3").unwrap();
        bring(&root, &names, &copy).unwrap();
        assert_eq!(time("a/equal"), before.0);
        assert!(time("a/broken") > before.1);
        assert_eq!(fs::read(copy.join("a/broken")).unwrap(), b"1");
        assert!(!copy.join("b/left").exists());
    }
}
