//! What NXP's own tools sent in the rig, sent once more: the virtual camera answers byte for byte
//! as it did then.

#[path = "../../../omv-wire/tests/recorded/mod.rs"]
mod recorded;

#[path = "../served/common/mod.rs"]
mod common;

use std::time::Duration;

use omv_link::{Bus, Function, Heard};
use omv_sim::rt1062::{Rt1062, sample};
use omv_sim::{Hand, VirtualBus};
use recorded::Recording;
use sha2::{Digest, Sha256};

const MS: Duration = Duration::from_millis(1);
/// Longest wait for an answer on the camera's clock: all of ROMFS is erased in 92 s.
const PATIENCE: Duration = Duration::from_secs(120);
const LOADER: (u16, u16) = (0x15A2, 0x0073);
const ROM: (u16, u16) = (0x1FC9, 0x0135);
const RUNNING: (u16, u16) = (0x37C5, 0x1060);

/// Files like those of the recording. The loaders are NXP's, so others of their size stand in.
fn stand_in(name: &str) -> Vec<u8> {
    match name {
        "firmware.bin" => sample::firmware(sample::NEWEST, 0x1_0000),
        "romfs0.img" => sample::romfs(12_345),
        "sdphost_flash_loader.bin" => sample::flashloader(),
        "blhost_flash_loader.bin" => sample::sbl(),
        _ => panic!("no {name}"),
    }
}

struct Bench(VirtualBus);

impl Bench {
    fn new(camera: Rt1062) -> Self {
        Self(VirtualBus::new("virtual", vec![Box::new(camera)]))
    }

    fn hands(&self, hands: &[Hand]) {
        for hand in hands {
            self.0.with(0, |camera, now| camera.hand(now, *hand));
        }
    }

    /// Waits for this device and opens it.
    fn open(&self, ids: (u16, u16)) -> Box<dyn omv_link::Link> {
        let end = self.0.now() + Duration::from_secs(10);
        loop {
            let seen = self.0.list().unwrap();
            if let Some(seen) = seen.iter().find(|seen| (seen.vid, seen.pid) == ids) {
                let mut device = self.0.open(seen).unwrap();
                return device.link(Function::Hid).unwrap();
            }
            assert!(self.0.now() < end, "{ids:04x?} does not come");
            self.0.pass(MS);
        }
    }

    /// Sends what was sent to the device that the line names, and demands what was answered.
    fn replay(&self, recording: &Recording) {
        for session in &recording.sessions {
            let rom = session.line.starts_with("sdphost ");
            let mut link = self.open(if rom { ROM } else { LOADER });
            for (number, report) in session.reports.iter().enumerate() {
                let until = link.now() + PATIENCE;
                if report.out {
                    link.send(&report.bytes).unwrap();
                    continue;
                }
                let Some(Heard::Bytes(heard)) = link.wait(until).unwrap() else {
                    panic!("no report {number} of `{}`", session.line);
                };
                let heard = blanked(heard, rom);
                assert_eq!(heard, report.bytes, "report {number} of `{}`", session.line);
            }
            let more = link.wait(link.now() + 5 * MS).unwrap();
            assert_eq!(more, None, "after `{}`", session.line);
        }
    }

    /// Waits until the firmware runs; its version.
    fn runs(&self) -> Option<String> {
        let end = self.0.now() + Duration::from_secs(10);
        let there = || {
            let seen = self.0.list().unwrap();
            seen.iter().any(|seen| (seen.vid, seen.pid) == RUNNING)
        };
        while !there() {
            assert!(self.0.now() < end, "it does not start");
            self.0.pass(MS);
        }
        self.0.with(0, |camera, _| camera.status().firmware)
    }
}

/// A loader's report as it is recorded: without what its buffer held before.
fn blanked(mut bytes: Vec<u8>, rom: bool) -> Vec<u8> {
    let end = 4 + usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
    if let Some(rest) = bytes.get_mut(end..).filter(|_| !rom) {
        rest.fill(0);
    }
    bytes
}

fn update() -> Recording {
    let text = include_str!("../../../omv-wire/tests/vectors/spsdk-3.12.0-update.txt");
    recorded::read(text, &stand_in)
}

fn recovery() -> Recording {
    let text = include_str!("../../../omv-wire/tests/vectors/spsdk-3.12.0-recovery.txt");
    recorded::read(text, &stand_in)
}

#[test]
fn the_update_by_the_real_blhost_is_answered_as_it_was_recorded() {
    let bench = Bench::new(common::patient());
    bench.open(LOADER);
    bench.hands(&[Hand::PinLow(true)]);
    let recording = update();
    assert_eq!(recording.sessions.len(), 5);
    bench.replay(&recording);
    assert_eq!(bench.runs().as_deref(), Some(sample::NEWEST));
}

#[test]
fn the_recovery_by_the_real_tools_is_answered_as_it_was_recorded() {
    let bench = Bench::new(common::ordinary());
    bench.hands(&[Hand::Unplug, Hand::Jumper(true), Hand::Plug]);
    let recording = recovery();
    assert_eq!(recording.sessions.len(), 3);
    bench.replay(&recording);
    bench.hands(&[Hand::Unplug, Hand::Jumper(false), Hand::Plug]);
    assert_eq!(bench.runs().as_deref(), Some(sample::NEWEST));
}

#[test]
fn the_made_up_files_are_those_of_the_recordings() {
    let files = [update().files, recovery().files].concat();
    let ours = ["firmware.bin", "romfs0.img"];
    let mut compared = 0;
    for (name, digest) in files.iter().filter(|(name, _)| ours.contains(&&**name)) {
        let found: String = Sha256::digest(stand_in(name))[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(&found, digest, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 3);
}
