//! The serial numbers of one chip in all states.

use omv_boards::State;
use omv_sim::Camera;
use omv_sim::dfu::{Quirks, Wish};

use super::bench::{Bench, wish};

fn serial(wish: Wish) -> Option<String> {
    let state = wish.state;
    let mut bench = Bench::new(wish.make().unwrap());
    bench.until(state);
    bench.camera().serial()
}

/// Source: openmv/openmv-ota src/openmv_ota/flash/arduino.py, which quotes a Portenta.
#[test]
fn a_portenta_shows_the_two_serial_numbers_that_were_measured() {
    let run = serial(wish("ARDUINO_PORTENTA_H7", State::Run));
    let dfu = serial(wish("ARDUINO_PORTENTA_H7", State::ArduinoDfu));
    assert_eq!(run.as_deref(), Some("346534563033"));
    assert_eq!(dfu.as_deref(), Some("0033001F3033510634323437"));
}

#[test]
fn the_bootloader_shows_the_board_id_and_the_firmware_a_mix() {
    assert_eq!(
        serial(wish("OPENMV4", State::Run)).as_deref(),
        Some("346534563033")
    );
    let dfu = serial(wish("OPENMV4", State::Dfu));
    assert_eq!(dfu.as_deref(), Some("34323437303351060033001F"));
    let n6 = serial(wish("OPENMV_N6", State::Run));
    assert_eq!(n6.as_deref(), Some("1f0033000651333037343234"));
}

#[test]
fn the_rom_of_an_h7_names_the_revision_and_others_the_chip() {
    let h7 = |revision_y| {
        let quirks = Quirks {
            revision_y,
            ..Quirks::default()
        };
        serial(Wish {
            quirks,
            ..wish("OPENMV4", State::StRom)
        })
    };
    assert_eq!(h7(false).as_deref(), Some("200364500000"));
    assert_eq!(h7(true).as_deref(), Some("100364500000"));
    // 0033001F + 34323437, then 3033.
    assert_eq!(
        serial(wish("OPENMV3", State::StRom)).as_deref(),
        Some("346534563033")
    );
}

#[test]
fn the_serial_bootloader_says_nothing_of_the_camera() {
    let legacy = serial(wish("OPENMV4", State::LegacyBl));
    assert_eq!(legacy.as_deref(), Some("000000000011"));
}

#[test]
fn two_cameras_differ_in_their_serial_numbers() {
    let camera = wish("OPENMV_AE3", State::Dfu).make().unwrap();
    let mut other = Bench::new(camera.with_uid([7; 12]));
    other.until(State::Dfu);
    assert_ne!(
        other.camera().serial(),
        serial(wish("OPENMV_AE3", State::Dfu))
    );
}
