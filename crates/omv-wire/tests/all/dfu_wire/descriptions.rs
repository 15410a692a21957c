//! What a host learns about a device before it touches its memory.

use std::time::Duration;

use omv_wire::dfu::{
    Answer, Described, Dialect, Failure, Functional, Interface, Limits, alternates, describe,
};
use omv_wire::usb::{Configuration, ConfigurationBuilder, Setup, encode_string, kind};

use super::pair::{Device, Heard, Wire};

/// Descriptors and names alone; the string with index 4 is the first of them.
struct Shown {
    configuration: Vec<u8>,
    names: Vec<&'static str>,
    /// Bytes of a string descriptor that really come.
    cut: usize,
}

impl Device for Shown {
    fn ask(&mut self, _now: Duration, setup: &Setup, _data: &[u8]) -> Heard {
        assert_eq!((setup.request_type, setup.request), (0x80, 6));
        let mut bytes = match (setup.value_high(), setup.value_low()) {
            (kind::CONFIGURATION, 0) => self.configuration.clone(),
            (kind::STRING, index) => match self.names.get(usize::from(index) - 4) {
                Some(name) => {
                    let mut bytes = encode_string(name).unwrap();
                    bytes.truncate(self.cut);
                    bytes
                }
                None => return Heard::Answer(Answer::Stall),
            },
            other => panic!("{other:?}"),
        };
        bytes.truncate(setup.length.into());
        Heard::Answer(Answer::Data(bytes))
    }
}

const PLAIN: Functional = Functional {
    attributes: 7,
    detach_timeout: 1000,
    transfer_size: 4096,
    version: 0x0101,
};

const DFUSE: Functional = Functional {
    attributes: 0x0B,
    detach_timeout: 255,
    transfer_size: 1024,
    version: Functional::DFUSE,
};

fn described(
    functional: Functional,
    names: &[&'static str],
    cut: usize,
) -> (Result<Described, Failure>, usize) {
    let builder = ConfigurationBuilder::new(1);
    let count = names.len() as u8;
    let mut wire = Wire::new(Shown {
        configuration: alternates(builder, 0, count, 4, functional)
            .finish()
            .unwrap(),
        names: names.to_vec(),
        cut,
    });
    let described = wire.drive(describe(Limits::default()));
    (described, wire.log.len())
}

#[test]
fn partitions_are_found_by_name_wherever_they_are() {
    let names = ["BOOTLOADER", "FIRMWARE", "FILESYSTEM", "ROMFS0"];
    let (described, requests) = described(PLAIN, &names, 255);
    let interface = described.unwrap().interface;
    assert_eq!(requests, 2 + 4);
    assert_eq!(interface.functional, PLAIN);
    assert_eq!(interface.dialect(), Dialect::Plain);
    assert_eq!(interface.alternate("FIRMWARE").map(|a| a.number), Some(1));
    assert_eq!(interface.alternate("firmware"), None);
}

#[test]
fn a_name_that_two_memories_have_names_none_of_them() {
    let (described, _) = described(PLAIN, &["A", "B", "A"], 255);
    let interface = described.unwrap().interface;
    assert_eq!(interface.alternate("A"), None);
    assert_eq!(interface.alternate("B").map(|b| b.number), Some(1));
}

#[test]
fn dfuse_is_both_a_version_and_a_map() {
    let map = "@Internal Flash   /0x08000000/16*128Kg";
    for (functional, name, dialect) in [
        (DFUSE, map, Dialect::DfuSe),
        (DFUSE, "FIRMWARE", Dialect::Plain),
        (PLAIN, map, Dialect::Plain),
        (PLAIN, "FIRMWARE", Dialect::Plain),
    ] {
        let (described, _) = described(functional, &[name, "@Other"], 255);
        assert_eq!(described.unwrap().interface.dialect(), dialect);
    }
}

#[test]
fn a_name_cut_short_or_refused_is_what_came_of_it() {
    let (cut, _) = described(PLAIN, &["FIRMWARE"], 2 + 8);
    assert_eq!(cut.unwrap().interface.alternates[0].name, "FIRM");
    let configuration = alternates(ConfigurationBuilder::new(1), 0, 2, 4, PLAIN);
    let mut wire = Wire::new(Shown {
        configuration: configuration.finish().unwrap(),
        names: vec!["ONE"],
        cut: 255,
    });
    let interface = wire.drive(describe(Limits::default())).unwrap().interface;
    let names: Vec<_> = interface
        .alternates
        .iter()
        .map(|a| a.name.as_str())
        .collect();
    assert_eq!(names, ["ONE", ""]);
}

#[test]
fn memories_without_a_string_are_not_asked_for_it() {
    let (described, requests) = {
        let mut wire = Wire::new(Shown {
            configuration: alternates(ConfigurationBuilder::new(1), 0, 1, 0, PLAIN)
                .finish()
                .unwrap(),
            names: Vec::new(),
            cut: 255,
        });
        (wire.drive(describe(Limits::default())), wire.log.len())
    };
    assert_eq!(described.unwrap().interface.alternates[0].name, "");
    assert_eq!(requests, 2);
}

#[test]
fn a_functional_descriptor_is_found_wherever_it_stands() {
    let dfu = |builder: ConfigurationBuilder| builder.interface(2, 0, [0xFE, 1, 2], 4);
    let hid = |builder: ConfigurationBuilder| {
        let bytes = [9, 0x21, 0x11, 1, 0, 1, 0x22, 33, 0];
        builder.interface(0, 0, [3, 0, 0], 0).raw(&bytes)
    };
    let other = |builder: ConfigurationBuilder| builder.interface(1, 0, [0xFF, 0, 0], 0);
    let start = || ConfigurationBuilder::new(1);
    let functional = PLAIN.encode();
    for bytes in [
        dfu(hid(start())).raw(&functional).finish(),
        other(dfu(hid(start()))).raw(&functional).finish(),
        dfu(hid(start().raw(&functional))).finish(),
        dfu(hid(start()))
            .raw(&functional)
            .interface(2, 1, [0xFE, 1, 2], 5)
            .finish(),
    ] {
        let configuration = Configuration::decode(&bytes.unwrap()).unwrap();
        let found = Interface::find(&configuration).unwrap();
        assert_eq!((found.number, found.functional), (2, PLAIN));
    }
    let without = Configuration::decode(&dfu(hid(start())).finish().unwrap()).unwrap();
    assert_eq!(Interface::find(&without), Err(Failure::NoInterface));
}

#[test]
fn an_application_that_can_only_be_told_to_leave_is_no_dfu_device() {
    let runtime = ConfigurationBuilder::new(1)
        .interface(0, 0, [0xFE, 1, 1], 0)
        .raw(&PLAIN.encode());
    let configuration = Configuration::decode(&runtime.finish().unwrap()).unwrap();
    assert_eq!(Interface::find(&configuration), Err(Failure::NoInterface));
}
