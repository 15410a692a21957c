//! A copy of the repository that may be broken.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::Shop;

/// Copies the files git knows or would take, with their times, so that what was built of an earlier
/// copy is not built again.
///
/// # Errors
/// Without git, or when the disk says no.
pub fn workspace(shop: &Shop) -> Result<PathBuf> {
    let copy = shop.target.join("mutants/workspace");
    if copy.exists() {
        fs::remove_dir_all(&copy).context("the copy of an earlier run")?;
    }
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let names = shop.program("git").args(list).output()?;
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let from = shop.root.join(name);
        // A file that was removed and not yet committed is listed all the same.
        let Ok(about) = fs::metadata(&from) else {
            continue;
        };
        let to = copy.join(name);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&from, &to).with_context(|| format!("copying {name}"))?;
        File::options()
            .write(true)
            .open(&to)
            .and_then(|file| file.set_modified(about.modified()?))
            .with_context(|| format!("the time of {name}"))?;
    }
    Ok(copy)
}
