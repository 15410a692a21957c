//! What each state of a board shows on USB, from its board file.

use omv_boards::{Board, SerialFormula, State};
use omv_wire::dfu::{Functional, dfuse::Manners};
use omv_wire::usb::Speed;

use super::chip::{Parts, Revision};
use super::content::{self, Generation, Resident};
use super::face::Card;
use crate::run::Body;

/// The serial number of a state; empty where it has none.
pub fn serial(parts: &Parts, state: State) -> String {
    let board = parts.board;
    let formula = board.serials.get(&state);
    let formula = formula.copied().unwrap_or(SerialFormula::Absent);
    let opaque = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    match (formula, state) {
        (SerialFormula::ChipRevision, _) => match parts.revision {
            Revision::V => "200364500000".to_owned(),
            Revision::Y => "100364500000".to_owned(),
        },
        (SerialFormula::Fixed, _) => {
            let identity = board.identity(state, None);
            let fixed = identity.and_then(|identity| identity.fixed_serials.first());
            fixed.cloned().unwrap_or_default()
        }
        // Both are numbers of the Secure Enclave; what matters is that they differ.
        (SerialFormula::Opaque, State::Run) => opaque(&parts.uid[4..]),
        (SerialFormula::Opaque, _) => opaque(&parts.uid),
        _ => formula.render(&parts.uid).unwrap_or_default(),
    }
}

/// The camera that its firmware finds itself on.
pub fn body(parts: &Parts) -> Body {
    let word = |at: usize| {
        let bytes = [0, 1, 2, 3].map(|i| parts.uid[at + i]);
        u32::from_le_bytes(bytes)
    };
    let mcu = &parts.board.mcu;
    Body {
        board: parts.board,
        serial: serial(parts, State::Run),
        uid: [word(8), word(4), word(0)],
        cpu_id: cpu_id(mcu),
        bootloader: match content::resident(parts) {
            Resident::Dfu(Generation::Versioned(version)) => version,
            // Without a header the firmware tells what it was built with.
            _ => [1, 0, 3],
        },
        // The N6 and the AE3 came after the change to TinyUSB.
        packets: parts.board.st_rom.is_some() || parts.board.mcuboot.is_some(),
    }
}

/// The architecture's own register: Cortex-M4, M7 or M55.
fn cpu_id(mcu: &str) -> u32 {
    match mcu.get(..7) {
        Some("STM32F4") => 0x410F_C241,
        Some("STM32F7" | "STM32H7") => 0x411F_C271,
        _ => 0x411F_D220,
    }
}

/// OpenMV's DFU bootloader.
///
/// Source: openmv/openmv boot/src/common/desc.c.
pub fn bootloader(parts: &Parts, generation: Generation, names: Vec<String>) -> Card {
    let identity = parts.board.identity(State::Dfu, None);
    Card {
        speed: speed(parts.board),
        usb: identity.map_or((0, 0), |identity| (identity.usb.vid, identity.usb.pid)),
        release: generation.release(),
        strings: [
            "OpenMV".to_owned(),
            identity
                .and_then(|identity| identity.product.clone())
                .unwrap_or_default(),
            serial(parts, State::Dfu),
        ],
        names,
        functional: Functional {
            attributes: Functional::CAN_DOWNLOAD
                | Functional::CAN_UPLOAD
                | Functional::MANIFESTATION_TOLERANT,
            detach_timeout: 1000,
            transfer_size: 4096,
            version: 0x0101,
        },
        self_powered: false,
        console: false,
    }
}

/// The ROM of an STM32, and how it behaves; none for a chip whose ROM is no flash programmer.
pub fn rom(parts: &Parts) -> Option<(Card, Manners)> {
    let facts = parts.board.st_rom.as_ref()?;
    let manners = match (facts.erase_hangs_from, parts.revision) {
        (Some(_), Revision::V) => Manners::rom_h7_revision_v(),
        (Some(_), Revision::Y) => Manners::rom_h7(),
        (None, _) => Manners::rom(),
    };
    let product = facts.product.clone().unwrap_or_default();
    let card = st_card(parts, &product, facts.release, facts.alternates.clone());
    let functional = manners.functional;
    Some((Card { functional, ..card }, manners))
}

/// The ROM of the N6, which loads signed images in phases. What its alternates are called was
/// not seen; a host is not to rely on this name.
pub fn phases(parts: &Parts) -> Card {
    let names = vec!["@FSBL /0x01/1*1Me".to_owned()];
    st_card(parts, "DFU in FS Mode", None, names)
}

fn st_card(parts: &Parts, product: &str, release: Option<u16>, names: Vec<String>) -> Card {
    let identity = parts.board.identity(State::StRom, None);
    Card {
        speed: Speed::Full,
        usb: identity.map_or((0, 0), |identity| (identity.usb.vid, identity.usb.pid)),
        release: release.unwrap_or(0x0200),
        strings: [
            "STMicroelectronics".to_owned(),
            product.to_owned(),
            serial(parts, State::StRom),
        ],
        names,
        functional: Manners::rom().functional,
        self_powered: true,
        console: false,
    }
}

/// Arduino's bootloader.
///
/// Source: arduino/mcuboot-arduino-stm32h7 app/dfu.
pub fn mcuboot(parts: &Parts) -> Option<(Card, Manners)> {
    let facts = parts.board.mcuboot.as_ref()?;
    let identity = parts.board.identity(State::ArduinoDfu, None)?;
    let manners = Manners::arduino();
    let card = Card {
        speed: Speed::High,
        usb: (identity.usb.vid, identity.usb.pid),
        release: 0x0200,
        strings: [
            "Arduino SA".to_owned(),
            facts.product.clone(),
            serial(parts, State::ArduinoDfu),
        ],
        names: facts.alternates.clone(),
        functional: manners.functional,
        self_powered: true,
        console: true,
    };
    Some((card, manners))
}

fn speed(board: &Board) -> Speed {
    match board.speed {
        Some(omv_boards::Speed::Full) => Speed::Full,
        _ => Speed::High,
    }
}
