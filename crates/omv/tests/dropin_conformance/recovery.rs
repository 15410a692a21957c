//! The rebuilding of a camera through its flashloader, step by step as OpenMV's own tools do it.

use std::fs;

use omv_sim::rt1062::chip::{BOOT_FUSE, Chip};
use omv_sim::rt1062::sample;
use omv_sim::serve::uart::Pty;

use crate::scene::QUICK;
use crate::tools::{Omv, Outcome, Spsdk, Tool};

/// The steps, from the greeting of the flashloader to the reset.
const STEPS: [&str; 26] = [
    "get-property 1",
    "fill-memory 0x2000 4 0xC0000008 word",
    "configure-memory 9 0x2000",
    "flash-erase-region 0x60000000 0x1000",
    "fill-memory 0x2000 4 0xF000000F word",
    "configure-memory 9 0x2000",
    "read-memory 0x60000000 0x200 fcb.bin",
    "flash-erase-region 0x60001000 0x8000",
    "write-memory 0x60001000 sbl.bin",
    "read-memory 0x60001000 SBL sbl.read",
    "flash-erase-region 0x60400000 0x1000",
    "flash-erase-region 0x60800000 0x10000",
    "write-memory 0x60800000 romfs.bin",
    "read-memory 0x60800000 0x10000 romfs.read",
    "flash-erase-region 0x60040000 0x40000",
    "write-memory 0x60040000 firmware.bin",
    "read-memory 0x60040000 0x40000 firmware.read",
    "efuse-read-once 6",
    "efuse-program-once 6 00000010",
    "efuse-read-once 6",
    "get-property 25 9",
    "read-memory 0x60000000 16",
    "read-memory 0x60042000 16",
    "list-memory",
    "get-property 17",
    "reset",
];

/// Runs the steps with both tools and compares every result, and the cameras at the end.
pub fn recover(spsdk: &mut Spsdk) {
    let theirs = steps(spsdk);
    let ours = steps(&mut Omv);
    for ((step, theirs), ours) in STEPS.iter().zip(&theirs.0).zip(&ours.0) {
        assert_eq!(ours.code, 0, "{step}: {ours:?}");
        assert_eq!(theirs.code, 0, "{step}: {theirs:?}");
        assert_eq!(
            text(&theirs.out),
            without_progress(&text(&ours.out)),
            "{step}"
        );
        assert_eq!(theirs.err, ours.err, "{step}");
    }
    assert!(theirs.1 == ours.1, "the cameras differ at the end");
    let flash = &ours.1.0;
    assert_eq!(&flash[..4], b"FCFB");
    assert_eq!(flash[0x1000..][..sample::sbl().len()], sample::sbl());
}

type Camera = (Vec<u8>, [u32; 64]);

fn steps(tool: &mut dyn Tool) -> (Vec<Outcome>, Camera) {
    let chip = Chip::new([0x1A2B_3C4D, 0x0060_1062], QUICK);
    {
        let mut parts = chip.lock();
        // What made it fail, and a disk that shall go.
        parts.nor.place(0, &[0; 0x1000]);
        parts.nor.place(0x40_0000, b"old disk");
        parts.fuses[BOOT_FUSE.0] &= !BOOT_FUSE.1;
    }
    let pty = Pty::open(&chip).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sbl = sample::sbl();
    for (name, content) in [
        ("sbl.bin", sbl.clone()),
        ("romfs.bin", sample::romfs(0x1_0000)),
        ("firmware.bin", sample::firmware(sample::SHIPPED, 0x4_0000)),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let mut outcomes = Vec::new();
    for step in STEPS {
        let step = step.replace("SBL", &sbl.len().to_string());
        let line = format!("-p {} {step}", pty.path().display());
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        outcomes.push(tool.run("blhost", &words, folder.path()));
    }
    for (written, read) in [
        ("sbl.bin", "sbl.read"),
        ("romfs.bin", "romfs.read"),
        ("firmware.bin", "firmware.read"),
    ] {
        let content = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert!(content(written) == content(read), "{read}");
    }
    let parts = chip.lock();
    let camera = (parts.nor.read(0, parts.nor.size()), parts.fuses);
    (outcomes, camera)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn without_progress(text: &str) -> String {
    match text.split_once("\r(1/1)") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once('\n').unwrap();
            format!("{before}{after}")
        }
        None => text.to_owned(),
    }
}
