//! `omv romfs`: images of the read-only file system at `/rom`.
//!
//! ```text
//!   folder --build--> image --ls, cat, extract, diff--> what is in it
//!                       ^ |
//!                  read | v flash      through the bootloader, by the plans of backup and flash
//!                     camera
//! ```

pub mod build;
mod camera;
mod contents;

use std::path::Path;

use omv_plan::Refusal;
use omv_wire::romfs::{Image, read};

use crate::cli::{Common, RomfsAction};
use crate::fail::Fail;
use crate::output::Output;

/// Runs the command; the exit code is 1 when a comparison finds a difference.
pub fn run(common: &Common, action: &RomfsAction, output: &Output) -> Result<u8, Fail> {
    match action {
        RomfsAction::Build {
            folder,
            output: file,
            board,
            how,
        } => build::run(folder, file, board.as_deref(), how, output)?,
        RomfsAction::Ls { image } => contents::ls(image, output)?,
        RomfsAction::Cat { image, path } => contents::cat(image, path)?,
        RomfsAction::Extract { image, folder } => contents::extract(image, folder, output)?,
        RomfsAction::Diff { one, other } => return contents::diff(one, other, output),
        RomfsAction::Read { .. } | RomfsAction::Flash { .. } => {
            camera::run(common, action, output)?;
        }
    }
    Ok(0)
}

/// Reads an image out of a file's bytes.
fn image<'a>(path: &Path, bytes: &'a [u8]) -> Result<Image<'a>, Fail> {
    read(bytes).map_err(|fault| not_valid(path, fault.to_string()))
}

/// What is no image, or holds what cannot be used.
fn not_valid(path: &Path, why: String) -> Fail {
    let file = path.display().to_string();
    let region = "a ROM file system".to_owned();
    Refusal::NotValid { file, region, why }.into()
}
