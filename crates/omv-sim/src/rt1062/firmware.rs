//! What the bytes in flash amount to: which code would start, and how far it would get.

use omv_boards::{Board, SerialFormula, State};

use super::chip::{FLASH, FLASH_SIZE, Parts};
use super::memory::is_ivt;
use super::sample::{FIRMWARE, FIRMWARE_SEAL, LOADER_SEAL, SBL, VECTORS};
use crate::image::{contains, version};
use crate::run::{Body, Firmware};
use crate::seal::{self, Seal};

/// Bytes of the resident bootloader as it is shipped.
const SBL_SIZE: usize = 31_320;
/// Bytes the firmware's region has.
const FIRMWARE_SIZE: usize = 0x3C_0000;
/// The configuration record of the resident bootloader, in the firmware's vector sector.
const RECORD: usize = FIRMWARE + 0x23C0;
/// How long the resident bootloader waits without a record, milliseconds.
const WAIT: u16 = 1500;
/// The resident bootloader's own entry point: a vector that leads back to it is refused.
const SBL_ENTRY: u32 = 0x2000_2401;

/// What the ROM finds when it is to boot from flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resident {
    /// A bootloader that works.
    Works,
    /// No valid boot block or no bootloader: the ROM gives up on flash.
    Missing,
    /// Something that begins like a bootloader and crashes.
    Damaged,
}

/// What the resident bootloader does with the firmware's vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// They pass: wait this long for a host, or for ever.
    Wait(Option<u16>),
    /// They pass, and a record says to start at once.
    Start,
    /// They do not pass: no window, and the core locks up.
    Fail,
}

/// Looks at boot block and resident bootloader.
pub fn resident(parts: &Parts) -> Resident {
    let nor = &parts.nor;
    if nor.read(0, 4) != b"FCFB" || !is_ivt(nor.word(SBL)) {
        return Resident::Missing;
    }
    let sealed = seal::check(LOADER_SEAL, SBL_SIZE, |at, n| nor.read(SBL + at, n));
    let shipped = || {
        let known = board().loaders.iter().any(|loader| {
            loader.bytes as usize == SBL_SIZE
                && crate::sha256(&nor.read(SBL, SBL_SIZE)) == loader.sha256
        });
        if known {
            Resident::Works
        } else {
            Resident::Damaged
        }
    };
    match sealed {
        Seal::Whole => Resident::Works,
        Seal::Broken => Resident::Damaged,
        Seal::Absent => shipped(),
    }
}

/// Looks at the firmware as the resident bootloader does: only at the reset vector, and at the
/// record that may change its mind.
///
/// Source: the shipped bootloader, executed from its reset handler to the jump.
pub fn vectors(parts: &Parts) -> Vectors {
    let reset = parts.nor.word(FIRMWARE + VECTORS + 4);
    let memory = [
        (0, 0x2_0000),
        (0x2000_0000, 0x2_0000),
        (0x2020_0000, 0xC_0000),
    ];
    let in_ram = memory
        .iter()
        .any(|(base, size)| (*base..base + size).contains(&reset));
    let in_flash = (FLASH..FLASH + FLASH_SIZE).contains(&reset);
    if reset == 0 || reset == SBL_ENTRY || !(in_ram || in_flash) {
        return Vectors::Fail;
    }
    let record = parts.nor.read(RECORD, 0x34);
    if &record[..4] != b"kcfg" {
        return Vectors::Wait(Some(WAIT));
    }
    if record[0x1E] & 1 == 0 {
        return Vectors::Start;
    }
    match u16::from_le_bytes([record[0x12], record[0x13]]) {
        0 => Vectors::Wait(None),
        0xFFFF => Vectors::Wait(Some(WAIT)),
        millis => Vectors::Wait(Some(millis)),
    }
}

/// The firmware, if all of it is there; `None` for one that crashes when it is started.
///
/// Whole means: its seal is, or, where it has none because it is no sample, its strings name
/// this board and a version. Half-written code of that second kind is not found out.
pub fn firmware(parts: &Parts) -> Option<Firmware> {
    let nor = &parts.nor;
    if vectors(parts) == Vectors::Fail {
        return None;
    }
    let sealed = seal::check(FIRMWARE_SEAL, FIRMWARE_SIZE, |at, n| {
        nor.read(FIRMWARE + at, n)
    });
    let bytes = match sealed {
        Seal::Broken => return None,
        Seal::Whole => nor.read(FIRMWARE + FIRMWARE_SEAL, 0x1000),
        Seal::Absent => nor.read(FIRMWARE, FIRMWARE_SIZE),
    };
    let board = board();
    let arch = board
        .arch
        .iter()
        .find(|arch| contains(&bytes, arch.text.as_bytes()))?;
    let version = version(&bytes)?;
    let usb = board.identity(State::Run, Some(version))?.usb;
    let kind = arch.kinds.first().cloned().unwrap_or_default();
    Some(Firmware {
        version,
        arch: arch.text.clone(),
        kind,
        usb,
    })
}

/// The board this camera is.
pub fn board() -> &'static Board {
    const NAME: &str = "OPENMV_RT1060";
    match omv_boards::by_name(NAME) {
        Some(board) => board,
        None => unreachable!("the board files always have {NAME}"),
    }
}

/// The camera that its firmware finds itself on.
pub fn body(uid: [u32; 2]) -> Body {
    /// What a Cortex-M7 of this chip says of itself.
    const CPU_ID: u32 = 0x411F_C271;
    Body {
        board: board(),
        serial: serial(uid),
        uid: [0, uid[1], uid[0]],
        cpu_id: CPU_ID,
        // That of the sources it was built with: this board has none of OpenMV's.
        bootloader: [1, 0, 3],
        packets: false,
    }
}

/// The serial number the firmware derives from the chip's unique id.
fn serial(uid: [u32; 2]) -> String {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&uid[0].to_le_bytes());
    bytes[4..8].copy_from_slice(&uid[1].to_le_bytes());
    let formula = board().serials.get(&State::Run).copied();
    formula
        .unwrap_or(SerialFormula::MemoryOrder16)
        .render(&bytes)
        .unwrap_or_default()
}
