//! What the scenes find in the share: files to be written, loaders, lines that somebody types,
//! a home for SPSDK.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{NEW, OLD};
use crate::judges;
use crate::run::{Job, Shop};

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

/// Lines of other people's pages, and those for dfu-util, by their names in the share.
const LINES: [(&str, &str); 3] = [
    ("update", include_str!("../../../rig/lines/update")),
    ("recovery", include_str!("../../../rig/lines/recovery")),
    ("dfu-util", include_str!("../../../rig/lines/dfu-util")),
];

/// What the cameras with DFU are given: folder, board, version, bytes of firmware. The large one reaches
/// into the second megabyte of an H7.
const RELEASES: [(&str, &str, &str, usize); 8] = [
    ("m7", "m7", NEW, FIRMWARE_SIZE),
    ("m7-next", "m7", "5.0.1", FIRMWARE_SIZE),
    ("h7", "h7", NEW, FIRMWARE_SIZE),
    ("h7plus", "h7plus", NEW, FIRMWARE_SIZE),
    ("h7plus-next", "h7plus", "5.0.1", FIRMWARE_SIZE),
    ("h7plus-large", "h7plus", NEW, 0xC_1000),
    ("n6", "n6", NEW, FIRMWARE_SIZE),
    ("n6-next", "n6", "5.0.1", FIRMWARE_SIZE),
];
/// The names that openmv-ota has for boards, and the releases they get.
const OTA: [(&str, &str); 3] = [
    ("OPENMV4", "h7"),
    ("OPENMV4P", "h7plus"),
    ("OPENMV_N6", "n6"),
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

/// What the scenes with DFU need: releases, files for dfu-util with the suffixes that its own
/// helpers give them, and lines to type.
pub fn dfu(shop: &Shop, share: &Path) -> Result<()> {
    let folder = share.join("dfu");
    for (name, board, version, size) in RELEASES {
        let job = sampler(shop).args(["release", version, &size.to_string()]);
        job.args([folder.join(name)]).args([board]).stream()?;
    }
    // The ROM does not reach the memory that this one goes to.
    fs::remove_file(folder.join("h7plus-large/romfs0.img"))?;
    fs::create_dir_all(folder.join("ota"))?;
    for (name, release) in OTA {
        for (from, to) in [
            ("firmware.bin", "firmware.bin"),
            ("romfs0.img", "factory-romfs.img"),
        ] {
            let to = folder.join("ota").join(format!("{name}-{to}"));
            fs::copy(folder.join(release).join(from), to)?;
        }
    }
    let filler = |size: usize| (0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>();
    fs::write(folder.join("bank2.bin"), filler(0x2_1000))?;
    let lines = folder.join("lines");
    fs::create_dir_all(&lines)?;
    for name in ["firmware.bin", "bootloader.bin", "romfs0.img"] {
        fs::copy(folder.join("h7").join(name), lines.join(name))?;
    }
    fs::write(lines.join("large.img"), filler(0x2_0001))?;
    for (name, ids) in [
        ("good.dfu", ["-v", "37c5", "-p", "9204"]),
        ("other.dfu", ["-v", "0483", "-p", "df11"]),
    ] {
        fs::copy(lines.join("romfs0.img"), lines.join(name))?;
        let job = shop.program("dfu-suffix").args(ids).args(["-a"]);
        job.args([lines.join(name)]).output()?;
    }
    let mut damaged = fs::read(lines.join("good.dfu"))?;
    damaged[100] ^= 1;
    fs::write(lines.join("damaged.dfu"), damaged)?;
    let element = format!("0x08000000:{}", lines.join("bootloader.bin").display());
    let job = shop.program("dfuse-pack").args(["-b", &element]);
    let job = job.args(["-D", "0x0483:0xdf11"]);
    job.args([lines.join("elements.dfu")]).output()?;
    typed_lines(share)
}

/// The lines that somebody types.
fn typed_lines(share: &Path) -> Result<()> {
    fs::create_dir_all(share.join("lines"))?;
    for (name, lines) in LINES {
        fs::write(share.join("lines").join(name), lines)?;
    }
    Ok(())
}

/// What the scenes with NXP's tools need besides.
pub fn tools(shop: &Shop, share: &Path, loaders: &Path) -> Result<()> {
    typed_lines(share)?;
    sample(shop, "romfs", ROMFS_SIZE, &share.join("romfs0.img"))?;
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
    let job = sampler(shop).args([what, &size.to_string()]);
    job.args([file]).stream()
}

/// The example that makes up images; [`crate::work::programs`] builds it.
fn sampler(shop: &Shop) -> Job<'_> {
    shop.program(shop.target.join("debug/examples/sample"))
}

/// Where NXP's tools are installed.
pub fn spsdk(shop: &Shop) -> PathBuf {
    shop.target.join("judges/spsdk")
}

/// Where openmv-ota is installed.
pub fn ota(shop: &Shop) -> PathBuf {
    shop.target.join("judges/ota")
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
