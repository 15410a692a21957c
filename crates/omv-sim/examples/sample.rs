//! Writes a made-up firmware, or ROM file system, to a file, for tests that flash a virtual camera
//! through programs which know nothing of virtual cameras: `sample VERSION|romfs BYTES FILE` for the
//! RT1062, `sample release VERSION BYTES FOLDER BOARD` for the files of a release for another board.
//! `sample needs BYTES BOARD` prints the milliseconds that the camera itself needs to take firmware of
//! this size and to give it back.

use std::path::Path;

use omv_sim::dfu::{self, Generation};
use omv_sim::rt1062::sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [what, version, size, folder, board] = words.as_slice()
        && what == "release"
    {
        return release(version, size.parse()?, Path::new(folder), board);
    }
    if let [what, size, board] = words.as_slice()
        && what == "needs"
    {
        let board = omv_boards::by_name(board).ok_or("no such board")?;
        let needs = dfu::Needs::of(board, size.parse()?).ok_or("it is not flashed like that")?;
        println!("{}", needs.all().as_millis());
        return Ok(());
    }
    let [what, size, file] = words.as_slice() else {
        return Err("sample VERSION|romfs BYTES FILE".into());
    };
    let image = match what.as_str() {
        "romfs" => sample::romfs(size.parse()?),
        version => sample::firmware(version, size.parse()?),
    };
    std::fs::write(file, image)?;
    Ok(())
}

/// Bootloader, firmware of this size and ROM file system of a board.
fn release(
    version: &str,
    size: usize,
    folder: &Path,
    board: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let board = omv_boards::by_name(board).ok_or("no such board")?;
    let generation = Generation::of_release(version.parse().map_err(|_| "no version")?);
    std::fs::create_dir_all(folder)?;
    for (name, bytes) in [
        ("firmware.bin", dfu::sample::firmware(board, version, size)),
        ("bootloader.bin", dfu::sample::bootloader(board, generation)),
        ("romfs0.img", sample::romfs(12_345)),
    ] {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
