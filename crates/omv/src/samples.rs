//! Made-up files for virtual cameras. A real camera is never given one.

use omv_boards::{Board, LoaderRole, Role};
use omv_plan::Image;
use omv_sim::dfu::{self, Generation};
use omv_sim::rt1062::sample;

/// Size of a sample firmware, where there is room.
const FIRMWARE: u32 = 0x18_0000;
/// Size of the sample for a second core.
const SECOND: usize = 0x4_0000;

/// The newest firmware for a board; for two cores if it has two.
pub fn firmware(board: &Board) -> Vec<Image> {
    let version = sample::NEWEST;
    if board.mboot.is_some() {
        let bytes = sample::firmware(version, FIRMWARE as usize);
        return image(board, Role::Firmware, bytes).into_iter().collect();
    }
    let room = board.role(Role::Firmware).map_or(0, |region| region.size);
    let first = dfu::sample::firmware(board, version, FIRMWARE.min(room) as usize);
    let second = || dfu::sample::second_firmware(board, version, SECOND);
    let has_second = board.role(Role::SecondFirmware).is_some();
    image(board, Role::Firmware, first)
        .into_iter()
        .chain(
            has_second
                .then(second)
                .and_then(|bytes| image(board, Role::SecondFirmware, bytes)),
        )
        .collect()
}

/// What only a recovery through a chip's ROM writes.
pub fn bootloader(board: &Board) -> Vec<Image> {
    let bootloader = dfu::sample::bootloader(board, Generation::NEWEST);
    let table = board.role(Role::BootTable).and_then(|region| {
        let bytes = dfu::sample::boot_table(region.size as usize);
        image(board, Role::BootTable, bytes)
    });
    image(board, Role::Bootloader, bootloader)
        .into_iter()
        .chain(table)
        .collect()
}

/// The makers' loader programs.
pub fn loaders(board: &Board) -> Vec<Image> {
    let one = |loader: &omv_boards::Loader| {
        let region = board.role(Role::Bootloader).map(|region| &*region.name);
        let (bytes, region) = match loader.role {
            LoaderRole::Flashloader => (sample::flashloader(), "ram"),
            LoaderRole::Sbl => (sample::sbl(), region.unwrap_or_default()),
            // Nothing inside a virtual camera runs them.
            other => (vec![0x5A; loader.bytes as usize], other.name()),
        };
        Image {
            file: loader.file.clone(),
            region: region.to_owned(),
            start: loader.load,
            bytes: bytes.into(),
        }
    };
    board.loaders.iter().map(one).collect()
}

fn image(board: &Board, role: Role, bytes: Vec<u8>) -> Option<Image> {
    let region = board.role(role)?;
    let file = region.files.first().map_or("", |file| file);
    Some(Image {
        file: format!("sample-{file}"),
        region: region.name.clone(),
        start: region.start,
        bytes: bytes.into(),
    })
}
