//! Files on the real map of the RT1062, small and made up.
#![allow(dead_code)]

use omv_boards::{Board, by_name};
use omv_plan::{Image, Plan, Refusal};

/// Where the Arm vectors stand in a firmware file.
pub const VECTORS: usize = 0x2000;

/// The board under test.
pub fn board() -> &'static Board {
    by_name("rt1062").expect("the RT1062 has a board file")
}

/// A firmware file that passes every test: boot block, image vector table, vectors, strings.
pub fn firmware(size: usize) -> Vec<u8> {
    let mut bytes = vec![0x5A; size];
    bytes[..0x3000].fill(0xFF);
    bytes[..4].copy_from_slice(b"FCFB");
    bytes[0x1000..0x1004].copy_from_slice(&0x4020_00D1_u32.to_le_bytes());
    bytes[VECTORS..VECTORS + 4].copy_from_slice(&0x2002_0000_u32.to_le_bytes());
    bytes[VECTORS + 4..VECTORS + 8].copy_from_slice(&0x6004_3101_u32.to_le_bytes());
    let strings = b"\0OMVRT1060 32768 SDRAM\0 OpenMV v5.0.0-made-up; MicroPython\0";
    bytes[0x3200..0x3200 + strings.len()].copy_from_slice(strings);
    bytes
}

/// A ROM file system image of `size` bytes whose header tells its length.
pub fn romfs(size: usize) -> Vec<u8> {
    let mut bytes = vec![0x33; size];
    let length = (size - 7) as u32;
    bytes[..3].copy_from_slice(&[0xD2, 0xCD, 0x31]);
    for (slot, shift) in [21, 14, 7, 0].into_iter().enumerate() {
        let more = if shift == 0 { 0 } else { 0x80 };
        bytes[3 + slot] = ((length >> shift) & 0x7F) as u8 | more;
    }
    bytes
}

/// An image for a region, named after it.
pub fn image(region: &str, bytes: Vec<u8>) -> Image {
    let place = board().region(region).expect("known region");
    Image {
        file: place
            .files
            .first()
            .cloned()
            .unwrap_or(format!("{region}.img")),
        region: region.into(),
        start: place.start,
        bytes: bytes.into(),
    }
}

/// Firmware and ROM file system.
pub fn images() -> Vec<Image> {
    vec![
        image("firmware", firmware(0x1_2345)),
        image("romfs", romfs(0x2345)),
    ]
}

/// Stand-ins for both loaders, as long as the real ones.
pub fn loaders() -> Vec<Image> {
    let mut sbl = vec![0x11; 31_320];
    sbl[..4].copy_from_slice(&0x4020_00D1_u32.to_le_bytes());
    let ram = Image {
        file: "sdphost_flash_loader.bin".into(),
        region: "ram".into(),
        start: 0x2000_1C00,
        bytes: vec![0x22; 87_884].into(),
    };
    vec![ram, image("sbl", sbl)]
}

/// A plan, or why there is none, as text for a snapshot.
pub fn show(plan: &Result<Plan, Refusal>) -> String {
    let plan = match plan {
        Ok(plan) => plan,
        Err(refusal) => return format!("refused[{}]: {refusal}\n", refusal.code()),
    };
    let mut text = format!("risk: {:?}\n", plan.risk()).to_lowercase();
    for warning in &plan.warnings {
        text += &format!("warning: {warning}\n");
    }
    for (number, step) in plan.describe().iter().enumerate() {
        let risk = format!("{:?}", step.risk).to_lowercase();
        let bytes = match step.bytes {
            0 => String::new(),
            bytes => format!(" ({bytes} bytes)"),
        };
        text += &format!(
            "{:>2} {risk:<8} {} {}{bytes}\n",
            number + 1,
            step.verb,
            step.what
        );
        for line in &step.equivalent {
            text += &format!("               $ {line}\n");
        }
    }
    text
}
