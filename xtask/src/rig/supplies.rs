//! What the scenes find in the share: files to be written, loaders, lines that somebody types,
//! a home for SPSDK.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{NEW, OLD};
use crate::judges;
use crate::run::Shop;

/// Size of the firmware that is flashed, bytes: small, for erasing takes its time.
const FIRMWARE_SIZE: usize = 0x1_0000;
/// Size of the ROM file system: its last packet and its last page are not full.
const ROMFS_SIZE: usize = 12_345;
/// Where the resident bootloader looks for its settings, from the start of a firmware file.
const SETTINGS: usize = 0x23C0;
/// Settings that make it wait for ever: a tag, then a window of 0 ms; the rest is left blank.
const PATIENT: [u8; 0x34] = {
    let mut settings = [0xFF; 0x34];
    settings[0] = b'k';
    settings[1] = b'c';
    settings[2] = b'f';
    settings[3] = b'g';
    settings[0x12] = 0;
    settings[0x13] = 0;
    settings
};
/// The loaders by the names that OpenMV's page gives them. Longest one accepted, bytes.
const LOADERS: ([&str; 2], u64) = (
    ["sdphost_flash_loader.bin", "blhost_flash_loader.bin"],
    4 << 20,
);

/// Lines of other people's pages, by their names in the share.
const LINES: [(&str, &str); 2] = [
    ("update", include_str!("../../../rig/lines/update")),
    ("recovery", include_str!("../../../rig/lines/recovery")),
];

/// Firmware for every scene, made up: one that is flashed, and one that a camera comes with
/// whose bootloader waits for ever.
pub fn firmware(shop: &Shop, share: &Path) -> Result<()> {
    sample(shop, NEW, FIRMWARE_SIZE, &share.join("firmware.bin"))?;
    let patient = share.join("patient.bin");
    sample(shop, OLD, FIRMWARE_SIZE, &patient)?;
    let mut image = fs::read(&patient)?;
    let place = image.get_mut(SETTINGS..SETTINGS + PATIENT.len());
    place.context("a short sample")?.copy_from_slice(&PATIENT);
    fs::write(patient, image).map_err(Into::into)
}

/// What the scenes with NXP's tools need besides.
pub fn tools(shop: &Shop, share: &Path, loaders: &Path) -> Result<()> {
    sample(shop, "romfs", ROMFS_SIZE, &share.join("romfs0.img"))?;
    fs::create_dir_all(share.join("lines"))?;
    for (name, lines) in LINES {
        fs::write(share.join("lines").join(name), lines)?;
    }
    let mut archive = zip::ZipArchive::new(File::open(loaders)?)?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    for wanted in LOADERS.0 {
        let inside = names.iter().find(|name| name.ends_with(wanted));
        let entry = archive.by_name(inside.with_context(|| format!("no {wanted}"))?)?;
        let mut bytes = Vec::new();
        entry.take(LOADERS.1).read_to_end(&mut bytes)?;
        fs::write(share.join(wanted), bytes)?;
    }
    warm_up(shop, &share.join("home"))
}

fn sample(shop: &Shop, what: &str, size: usize, file: &Path) -> Result<()> {
    let words = [
        "run",
        "--quiet",
        "-p",
        "omv-sim",
        "--example",
        "sample",
        "--",
    ];
    let job = shop.cargo(words).args([what, &size.to_string()]);
    job.args([file]).stream()
}

/// Where NXP's tools are installed.
pub fn spsdk(shop: &Shop) -> PathBuf {
    shop.target.join("judges/spsdk")
}

/// Lets SPSDK build its cache here, for it would take the guest half a minute.
fn warm_up(shop: &Shop, home: &Path) -> Result<()> {
    fs::create_dir_all(home)?;
    let blhost = shop.program(spsdk(shop).join("bin/blhost"));
    let help = blhost.args(["get-property", "--help"]);
    help.env("HOME", home).output().map(drop)
}

/// NXP's loaders, for the recovery; its tools are installed at the same time.
pub fn loaders(shop: &Shop) -> Result<PathBuf> {
    judges::fetch(shop)?;
    let folder = judges::ready(shop)?;
    let wheels = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let mut wheels = wheels.filter(|path| path.extension().is_some_and(|end| end == "whl"));
    wheels.next().context("no wheel among the judges")
}
