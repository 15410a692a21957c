//! Hostile bytes for everything in omv that reads bytes: one plain function a target.
//!
//! ```text
//!   fuzz_targets/every.rs --libFuzzer-> |
//!   tests/corpus.rs -------replay------> | TARGETS: name, fn(&[u8])
//! ```
//!
//! A target may do anything but panic, hang or let its output and memory grow out of proportion to
//! what it is fed. Codecs are held to their round trip as well; machines are driven by a
//! [`script`], and the host's side must come to an end when the camera falls silent.
//!
//! To add one: a function in the module of its crate or protocol, a line in [`TARGETS`], and seeds
//! in `corpus/NAME/`. The tests name what is missing.

pub mod boards;
pub mod dfu;
pub mod fat;
pub mod frames;
pub mod identify;
pub mod mboot;
pub mod msc;
pub mod plan;
pub mod python;
pub mod romfs;
pub mod script;
pub mod sdp;
pub mod tflite;
pub mod usb;
pub mod usbip;
pub mod v1;
pub mod v2;

/// A target: takes any bytes, and panics on a finding.
pub type Target = fn(&[u8]);

/// The folder of this crate, with the corpora in it.
pub const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// What tells the program `every` which target it is.
pub const TARGET_VARIABLE: &str = "OMV_FUZZ_TARGET";

/// Every target and its name, which is also the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("boards_parse", boards::parse),
    ("dfu_device", dfu::device),
    ("dfu_files", dfu::files),
    ("dfu_host", dfu::host),
    ("fat_changed", fat::changed),
    ("fat_disk", fat::disk),
    ("fat_note", fat::note),
    ("frames", frames::picture),
    ("identify", identify::identify),
    ("mboot_camera", mboot::camera),
    ("mboot_codec", mboot::codec),
    ("mboot_host", mboot::host),
    ("msc_camera", msc::camera),
    ("msc_host", msc::host),
    ("plan_image", plan::image),
    ("plan_zip", plan::zip),
    ("python", python::script),
    ("romfs", romfs::image),
    ("sdp_camera", sdp::camera),
    ("sdp_codec", sdp::codec),
    ("sdp_host", sdp::host),
    ("tflite_model", tflite::model),
    ("usb_descriptors", usb::descriptors),
    ("usbip_camera", usbip::camera),
    ("usbip_host", usbip::host),
    ("v1_camera", v1::camera),
    ("v1_console", v1::console),
    ("v1_host", v1::host),
    ("v2_camera", v2::camera),
    ("v2_codec", v2::codec),
    ("v2_host", v2::host),
    ("v2_session", v2::session),
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}
