//! Serial numbers, against vectors from outside.

use omv_boards::{SerialFormula, State, by_name, run_serial_from_arduino_dfu};
use proptest::prelude::*;

/// The unique id of the Portenta whose two serials openmv-ota quotes, in the order of memory.
const PORTENTA: [u8; 12] = [
    0x1F, 0x00, 0x33, 0x00, 0x06, 0x51, 0x33, 0x30, 0x37, 0x34, 0x32, 0x34,
];

/// Source: openmv/openmv-ota `src/openmv_ota/flash/arduino.py`, measured on a Portenta H7.
#[test]
fn the_running_serial_of_a_portenta_follows_from_its_bootloader_serial() {
    let run = run_serial_from_arduino_dfu("0033001F3033510634323437");
    assert_eq!(run.as_deref(), Some("346534563033"));
    assert_eq!(
        SerialFormula::ArduinoDfu.render(&PORTENTA).unwrap(),
        "0033001F3033510634323437"
    );
    assert_eq!(
        SerialFormula::StUsb.render(&PORTENTA).unwrap(),
        "346534563033"
    );
    assert_eq!(
        SerialFormula::BoardId.render(&PORTENTA).unwrap(),
        "34323437303351060033001F"
    );
}

/// Source: libopencm3 issue 760: words 002D0030 3334510B 32313533.
#[test]
fn the_rom_serial_of_an_f4_or_f7_equals_the_running_one() {
    let mut uid = [0; 12];
    for (bytes, word) in uid
        .chunks_exact_mut(4)
        .zip([0x002D_0030_u32, 0x3334_510B, 0x3231_3533])
    {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    assert_eq!(SerialFormula::StRom.render(&uid).unwrap(), "325E35633334");
    assert_eq!(SerialFormula::StUsb.render(&uid).unwrap(), "325E35633334");
}

#[test]
fn a_sum_that_carries_prints_a_third_digit() {
    let mut uid = [0; 12];
    (uid[2], uid[10], uid[0], uid[8]) = (0xFF, 0x01, 0x80, 0x80);
    assert_eq!(SerialFormula::StUsb.render(&uid).unwrap(), "00100001000000");
}

#[test]
fn text_that_is_no_bootloader_serial_gives_nothing() {
    for serial in [
        "",
        "346534563033",
        "0033001F303351063432343",
        "0033001F30335106343234zz",
        "é",
    ] {
        assert_eq!(run_serial_from_arduino_dfu(serial), None, "{serial:?}");
    }
}

#[test]
fn tinyusb_boards_print_small_letters_in_the_order_of_memory() {
    let serial = SerialFormula::MemoryOrder24.render(&PORTENTA).unwrap();
    assert_eq!(serial, "1f0033000651333037343234");
    assert_eq!(
        SerialFormula::MemoryOrder16.render(&PORTENTA).unwrap(),
        "1f00330006513330"
    );
}

#[test]
fn boards_name_the_formula_of_each_state() {
    let formula = |board: &str, state| by_name(board).unwrap().serials.get(&state).copied();
    assert_eq!(formula("h7", State::Run), Some(SerialFormula::StUsb));
    assert_eq!(formula("h7", State::Dfu), Some(SerialFormula::BoardId));
    assert_eq!(
        formula("h7", State::StRom),
        Some(SerialFormula::ChipRevision)
    );
    assert_eq!(formula("m7", State::StRom), Some(SerialFormula::StRom));
    assert_eq!(
        formula("nicla", State::ArduinoDfu),
        Some(SerialFormula::ArduinoDfu)
    );
    assert_eq!(formula("rt1062", State::Sbl), Some(SerialFormula::Absent));
    assert_eq!(
        formula("n6", State::Run),
        Some(SerialFormula::MemoryOrder24)
    );
}

proptest! {
    #[test]
    fn complete_serials_give_the_unique_id_back(uid: [u8; 12]) {
        for formula in [SerialFormula::BoardId, SerialFormula::ArduinoDfu, SerialFormula::MemoryOrder24] {
            let serial = formula.render(&uid).unwrap();
            prop_assert_eq!(formula.recover(&serial), Some(uid));
        }
        let lossy = SerialFormula::StUsb.render(&uid).unwrap();
        prop_assert!((12..=14).contains(&lossy.len()));
        prop_assert_eq!(SerialFormula::StUsb.recover(&lossy), None);
    }

    #[test]
    fn arbitrary_serials_never_panic(serial in ".{0,40}") {
        let _ = run_serial_from_arduino_dfu(&serial);
    }
}
