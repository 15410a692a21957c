//! Results in files.

use std::path::Path;

use omv_bench::Run;

use crate::fail::Fail;

/// Reads a result.
pub fn read(path: &Path) -> Result<Run, Fail> {
    let bytes = crate::files::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Run::parse(&path.display().to_string(), &text).map_err(Fail::Bench)
}

/// Writes a page or a picture.
pub fn write(path: &Path, text: &str) -> Result<(), Fail> {
    std::fs::write(path, text).map_err(|error| Fail::file(path, "writing", error))
}
