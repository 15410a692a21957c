//! Who is who on USB. The expectations were taken from upstream by hand, not from the board files.

use std::collections::BTreeSet;

use omv_boards::{
    Candidate, Family, Life, SoftEntry, Speak, State, UsbId, Version, all, by_arch, by_name,
    candidates,
};

fn id(text: &str) -> UsbId {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn found(usb: &str, serial: Option<&str>) -> Vec<(&'static str, State)> {
    let pair = |candidate: Candidate| (&*candidate.board.name, candidate.state());
    candidates(id(usb), serial).into_iter().map(pair).collect()
}

#[test]
fn every_board_of_the_firmware_tree_is_known_and_sorted_by_name() {
    let names: Vec<&str> = all().iter().map(|board| &*board.name).collect();
    assert_eq!(
        names,
        [
            "ARDUINO_GIGA",
            "ARDUINO_NANO_33_BLE_SENSE",
            "ARDUINO_NANO_RP2040_CONNECT",
            "ARDUINO_NICLA_VISION",
            "ARDUINO_PORTENTA_H7",
            "MPS2_AN500",
            "MPS3_AN547",
            "OPENMV1",
            "OPENMV2",
            "OPENMV3",
            "OPENMV4",
            "OPENMV4P",
            "OPENMVPT",
            "OPENMV_AE3",
            "OPENMV_N6",
            "OPENMV_RT1060",
            "RPI_PICO",
        ]
    );
}

#[test]
fn a_board_is_found_by_name_and_alias_in_any_case() {
    let rt1062 = by_name("OPENMV_RT1060").unwrap();
    for name in ["openmv_rt1060", "RT1062", "rt1060"] {
        assert_eq!(by_name(name), Some(rt1062), "{name}");
    }
    assert_eq!(by_name("rt10"), None);
}

#[test]
fn the_rom_of_an_stm32_gives_many_candidates_and_no_guess() {
    let found = found("0483:DF11", Some("200364500000"));
    let boards: BTreeSet<&str> = found.iter().map(|(name, _)| *name).collect();
    for board in [
        "OPENMV2",
        "OPENMV3",
        "OPENMV4",
        "OPENMV4P",
        "OPENMVPT",
        "OPENMV_N6",
    ] {
        assert!(boards.contains(board), "{board}");
    }
    assert!(found.iter().all(|(_, state)| *state == State::StRom));
    assert!(
        !boards.contains("ARDUINO_NICLA_VISION"),
        "its ROM has no way out over USB"
    );
}

#[test]
fn the_two_loaders_of_the_rt1062_share_an_id() {
    let both = [
        ("OPENMV_RT1060", State::Sbl),
        ("OPENMV_RT1060", State::Flashloader),
    ];
    assert_eq!(found("15A2:0073", None), both);
    assert_eq!(found("1FC9:0135", None), [("OPENMV_RT1060", State::Sdp)]);
}

#[test]
fn a_running_rt1062_since_v4_8_1_is_exactly_one_candidate() {
    assert_eq!(
        found("37C5:1060", Some("0123456789abcdef")),
        [("OPENMV_RT1060", State::Run)]
    );
}

#[test]
fn openmv_ids_name_one_board_each() {
    let expected = [
        ("37C5:1202", "OPENMV2", State::Run),
        ("37C5:1203", "OPENMV3", State::Run),
        ("37C5:1204", "OPENMV4", State::Run),
        ("37C5:124A", "OPENMV4P", State::Run),
        ("37C5:1205", "OPENMVPT", State::Run),
        ("37C5:1206", "OPENMV_N6", State::Run),
        ("37C5:16E3", "OPENMV_AE3", State::Run),
        ("37C5:AFE3", "OPENMV_AE3", State::Run),
        ("37C5:9202", "OPENMV2", State::Dfu),
        ("37C5:9203", "OPENMV3", State::Dfu),
        ("37C5:9204", "OPENMV4", State::Dfu),
        ("37C5:924A", "OPENMV4P", State::Dfu),
        ("37C5:9205", "OPENMVPT", State::Dfu),
        ("37C5:9206", "OPENMV_N6", State::Dfu),
        ("37C5:96E3", "OPENMV_AE3", State::Dfu),
        ("2341:0466", "ARDUINO_GIGA", State::Run),
        ("2341:0366", "ARDUINO_GIGA", State::ArduinoDfu),
        ("2341:045F", "ARDUINO_NICLA_VISION", State::Run),
        ("2341:015A", "ARDUINO_NANO_33_BLE_SENSE", State::Run),
        ("2341:005A", "ARDUINO_NANO_33_BLE_SENSE", State::Bossa),
        ("2341:015E", "ARDUINO_NANO_RP2040_CONNECT", State::Run),
        ("0403:6015", "OPENMV_AE3", State::SeUart),
        ("1A86:55D3", "OPENMV_AE3", State::SeUart),
    ];
    for (usb, board, state) in expected {
        assert_eq!(found(usb, None), [(board, state)], "{usb}");
    }
}

#[test]
fn an_unknown_id_gives_an_empty_list() {
    assert!(
        found("28EA:0003", None).is_empty(),
        "the misprint of the RP2040's id"
    );
    assert!(found("0000:0000", Some("000000000011")).is_empty());
}

#[test]
fn only_the_fixed_serials_mean_the_old_serial_bootloader() {
    for serial in ["000000000010", "000000000011"] {
        let found = found("1209:ABD1", Some(serial));
        assert!(
            found.iter().all(|(_, state)| *state == State::LegacyBl),
            "{serial}"
        );
        let boards: BTreeSet<&str> = found.iter().map(|(name, _)| *name).collect();
        let expected = [
            "OPENMV1", "OPENMV2", "OPENMV3", "OPENMV4", "OPENMV4P", "OPENMVPT",
        ];
        assert_eq!(boards, BTreeSet::from(expected));
    }
    for serial in [None, Some("346534563033"), Some("")] {
        let found = found("1209:ABD1", serial);
        assert!(
            found.iter().all(|(_, state)| *state == State::Run),
            "{serial:?}"
        );
        assert!(found.contains(&("OPENMV_RT1060", State::Run)));
    }
}

#[test]
fn a_portenta_bootloader_may_be_a_mislabelled_nicla() {
    let found = found("2341:035B", None);
    assert!(found.contains(&("ARDUINO_PORTENTA_H7", State::ArduinoDfu)));
    assert!(found.contains(&("ARDUINO_NICLA_VISION", State::ArduinoDfu)));
}

#[test]
fn the_running_id_changed_with_v4_6_0_and_on_the_rt1062_with_v4_8_1() {
    let run = |board: &str, release: &str| {
        let board = by_name(board).unwrap();
        board
            .identity(State::Run, Some(version(release)))
            .unwrap()
            .usb
    };
    assert_eq!(run("h7", "4.5.9"), id("1209:ABD1"));
    assert_eq!(run("h7", "4.6.0"), id("37C5:1204"));
    assert_eq!(run("rt1062", "4.8.0"), id("1209:ABD1"));
    assert_eq!(run("rt1062", "4.8.1"), id("37C5:1060"));
    let current = by_name("rt1062")
        .unwrap()
        .identity(State::Run, None)
        .unwrap();
    assert_eq!(
        (current.usb, current.speak),
        (id("37C5:1060"), Speak::V1OrV2)
    );
}

#[test]
fn every_architecture_string_leads_to_its_board() {
    let expected = [
        ("OMV2 F4 256 JPEG", "OPENMV2"),
        ("OMV7 F7 512 JPEG", "OPENMV3"),
        ("OMV3 F7 512", "OPENMV3"),
        ("OMV4 H7 1024", "OPENMV4"),
        ("OMV4R H7 32768 SDRAM", "OPENMV4P"),
        ("OMV4P H7 32768 SDRAM", "OPENMV4P"),
        ("OPENMVPURETHERMAL 65536 SDRAM", "OPENMVPT"),
        ("OPENMVPT 65536 SDRAM", "OPENMVPT"),
        ("OMVRT1060 32768 SDRAM", "OPENMV_RT1060"),
        ("OpenMV N6", "OPENMV_N6"),
        ("OPENMV AE3", "OPENMV_AE3"),
        ("PORTENTA H7 8192 SDRAM", "ARDUINO_PORTENTA_H7"),
        ("BORMIO H7 1024", "ARDUINO_NICLA_VISION"),
        ("NICLAV H7 1024", "ARDUINO_NICLA_VISION"),
        ("GIGA H7 8192 SDRAM", "ARDUINO_GIGA"),
        ("NANO33 M4", "ARDUINO_NANO_33_BLE_SENSE"),
        ("MPS2 AN500", "MPS2_AN500"),
        ("MPS3 AN547", "MPS3_AN547"),
    ];
    for (arch, board) in expected {
        let names: Vec<&str> = by_arch(arch)
            .into_iter()
            .map(|board| &*board.name)
            .collect();
        assert_eq!(names, [board], "{arch}");
    }
}

#[test]
fn architecture_strings_are_compared_whole_and_with_case() {
    let two: Vec<&str> = by_arch("PICO M0")
        .into_iter()
        .map(|board| &*board.name)
        .collect();
    assert_eq!(two, ["ARDUINO_NANO_RP2040_CONNECT", "RPI_PICO"]);
    for wrong in [
        "OPENMV N6",
        "OpenMV AE3",
        "OMV4",
        "OMV4 H7 1024 ",
        "OMV4 H7 PRO 32768 SDRAM",
        "",
    ] {
        assert!(by_arch(wrong).is_empty(), "{wrong:?}");
    }
}

#[test]
fn architecture_strings_fit_the_firmware_s_limit() {
    for board in all() {
        assert!(
            board.arch.iter().all(|arch| arch.text.len() <= 33),
            "{}",
            board.name
        );
    }
}

#[test]
fn every_state_that_hands_must_reach_says_how() {
    for board in all() {
        for identity in &board.seen {
            let reached_by_program = identity.soft.contains(&SoftEntry::SdpJump);
            let running = identity.state.family() == Family::Running;
            assert!(
                running || reached_by_program || identity.hands.is_some(),
                "{} {}",
                board.name,
                identity.state
            );
        }
        let recovers_by_wire = |state| board.identities(state).next().is_some();
        for state in [State::StRom, State::Sdp, State::SeUart, State::Picoboot] {
            if recovers_by_wire(state) {
                let tells = board
                    .identities(state)
                    .all(|identity| identity.leave.is_some());
                assert!(
                    tells,
                    "{} {state}: the wire must come off again",
                    board.name
                );
            }
        }
        let emulated = matches!(board.life, Life::Emulator { .. });
        let silent = board.advice(State::Silent).next().is_some();
        assert!(
            emulated || silent,
            "{}: nothing to say when nothing appears",
            board.name
        );
    }
}

#[test]
fn bootloader_windows_are_those_of_the_sources() {
    let window = |board: &str, state| {
        let identity = by_name(board).unwrap().identity(state, None).unwrap();
        (identity.configure_within, identity.window)
    };
    for board in ["m4", "m7", "h7", "h7-plus", "pt", "n6", "ae3"] {
        assert_eq!(
            window(board, State::Dfu),
            (Some(1000), Some(1500)),
            "{board}"
        );
    }
    for board in ["m4", "m7", "h7", "h7-plus", "pt"] {
        assert_eq!(
            window(board, State::LegacyBl),
            (Some(2000), Some(1000)),
            "{board}"
        );
    }
    assert_eq!(window("rt1062", State::Sbl).1, Some(1500));
    for board in ["portenta", "giga", "nicla"] {
        assert_eq!(window(board, State::ArduinoDfu), (None, None), "{board}");
    }
}

#[test]
fn the_bootloader_light_is_green_and_on_the_pure_thermal_blue() {
    use omv_boards::Colour::{Blue, Green};
    for (board, colour) in [
        ("m4", Green),
        ("m7", Green),
        ("h7", Green),
        ("n6", Green),
        ("pt", Blue),
    ] {
        let board = by_name(board).unwrap();
        let periods: Vec<Option<u32>> = board
            .leds(State::Dfu)
            .map(|led| led.toggles_every)
            .collect();
        assert_eq!(periods, [Some(100), Some(200), Some(50)], "{}", board.name);
        assert!(
            board.leds(State::Dfu).all(|led| led.colour == colour),
            "{}",
            board.name
        );
    }
}

#[test]
fn protocol_2_facts_are_those_of_the_firmware() {
    let expected = [
        ("OPENMV2", 498, 512, 8, 0x0004_0000, 35, 60),
        ("OPENMV3", 498, 512, 22, 0x0004_0050, 35, 60),
        ("OPENMV4", 498, 512, 32, 0x0004_0050, 50, 90),
        ("OPENMV4P", 4082, 1024, 1024, 0x0004_0070, 50, 90),
        ("OPENMVPT", 4082, 1024, 1024, 0x0004_0070, 50, 90),
        ("OPENMV_RT1060", 4082, 1024, 1024, 0x001F_0020, 50, 90),
        ("OPENMV_AE3", 8178, 2048, 1024, 0x003F_08C3, 50, 68),
        ("OPENMV_N6", 8178, 2048, 1024, 0x001F_08FF, 50, 90),
        ("ARDUINO_GIGA", 4082, 1024, 1024, 0x001F_0070, 50, 90),
        ("ARDUINO_NICLA_VISION", 4082, 512, 32, 0x001F_0070, 50, 90),
        ("ARDUINO_PORTENTA_H7", 4082, 1024, 1024, 0x001F_0070, 50, 90),
    ];
    for (name, payload, ring, stream, caps, low, high) in expected {
        let v2 = by_name(name).unwrap().v2.unwrap();
        let facts = (v2.max_payload(), v2.stdout_ring, v2.stream_kib, v2.hw_caps);
        assert_eq!(facts, (payload, ring, stream, caps), "{name}");
        assert_eq!((v2.jpeg.low, v2.jpeg.high), (low, high), "{name}");
    }
    let count = all().iter().filter(|board| board.v2.is_some()).count();
    assert_eq!(count, expected.len());
}

#[test]
fn states_and_versions_keep_their_names() {
    let names = "run legacy-bl dfu st-rom sbl flashloader sdp arduino-dfu bossa picoboot se-uart \
                 no-driver cycling silent";
    let listed: Vec<String> = State::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(listed.join(" "), names);
    for state in State::ALL {
        assert_eq!(state.name().parse(), Ok(state));
        let written = toml::Value::try_from(state).unwrap();
        assert_eq!(
            written.as_str(),
            Some(state.name()),
            "the board files use the same names"
        );
    }
    assert!("RUN".parse::<State>().is_err());
    assert_eq!(State::Flashloader.family(), Family::Recovery);
    assert_eq!(State::Cycling.family(), Family::Trouble);

    assert_eq!(version("v4.8.1"), version("4.8.1"));
    assert!(version("4.10.0") > version("4.9.9"));
    assert_eq!(version("v4.8.1").to_string(), "4.8.1");
    for wrong in [
        "",
        "4.8",
        "4.8.1.0",
        "4.8.x",
        "vv4.8.1",
        "4.+8.1",
        "4.8.",
        "4.8.99999",
    ] {
        assert!(wrong.parse::<Version>().is_err(), "{wrong:?}");
    }
    for wrong in ["", "37C5", "37C5:", "37C5:10600", "+7C5:1060", "37C5-1060"] {
        assert!(wrong.parse::<UsbId>().is_err(), "{wrong:?}");
    }
    assert_eq!(id("37c5:124a").to_string(), "37C5:124A");
}
