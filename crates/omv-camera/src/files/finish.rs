//! What a save by the camera left when it was cut: a temporary file with its hash in its name.

use omv_fat::{remove, store, walk};

use super::BlockSectors;
use super::camera::{DIGITS, ENDING, hash};
use super::save::{Notebook, SaveError, change, read};
use crate::disk::Blocks;

/// What became of a leftover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The file's name.
    pub file: String,
    /// Whether it has the new content now; otherwise the old one was left as it was.
    pub renewed: bool,
}

/// The file a leftover belongs to, and the digits of the hash it must have.
fn belongs(shown: &str) -> Option<(&str, &str)> {
    let (path, digits) = shown.strip_suffix(ENDING)?.rsplit_once('.')?;
    let is_hash = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = digits.len() == DIGITS && digits.bytes().all(is_hash) && !path.is_empty();
    fits.then_some((path, digits))
}

/// The leftovers on a disk: the temporary file's path.
pub fn leftovers(disk: &mut dyn Blocks) -> Vec<String> {
    let mut sectors = BlockSectors::new(disk);
    let Some(walk) = walk(&mut sectors, None) else {
        return Vec::new();
    };
    let entries = walk.entries().iter().filter(|entry| !entry.directory);
    entries
        .map(|entry| entry.shown.trim_matches('/').to_owned())
        .filter(|shown| belongs(shown).is_some())
        .collect()
}

/// Finishes every save by the camera that was cut. One whose temporary file is complete, beside a
/// name that is absent, is completed; of any other the temporary file is removed.
///
/// # Errors
/// [`SaveError`]; then it can be tried again.
pub fn finish(
    disk: &mut dyn Blocks,
    notebook: &mut dyn Notebook,
    stamp: u32,
) -> Result<Vec<Finished>, SaveError> {
    let mut finished = Vec::new();
    for leftover in leftovers(disk) {
        let Some((path, digits)) = belongs(&leftover) else {
            continue;
        };
        let content = read(disk, &leftover)?;
        let whole = content.filter(|content| hash(content).starts_with(digits));
        let absent = is_absent(disk, path);
        let mut renewed = false;
        if let Some(content) = whole.filter(|_| absent) {
            let plan = store(&mut BlockSectors::new(disk), path, &content, stamp)?;
            change(disk, notebook, path, &plan)?;
            renewed = true;
        }
        let plan = remove(&mut BlockSectors::new(disk), &leftover)?;
        change(disk, notebook, &leftover, &plan)?;
        finished.push(Finished {
            file: path.to_owned(),
            renewed,
        });
    }
    Ok(finished)
}

fn is_absent(disk: &mut dyn Blocks, path: &str) -> bool {
    let mut sectors = BlockSectors::new(disk);
    // What cannot be listed is not taken for absent.
    walk(&mut sectors, None).is_some_and(|walk| {
        let same = |shown: &str| shown.trim_matches('/').eq_ignore_ascii_case(path);
        !walk.entries().iter().any(|entry| same(&entry.shown))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_whole_hash_are_leftovers() {
        let good = "lib/main.py.0123456789abcdef.omv";
        assert_eq!(belongs(good), Some(("lib/main.py", "0123456789abcdef")));
        for other in [
            "main.py",
            "main.py.omv",
            "main.py.0123.omv",
            ".0123456789abcdef.omv",
        ] {
            assert_eq!(belongs(other), None, "{other}");
        }
    }
}
