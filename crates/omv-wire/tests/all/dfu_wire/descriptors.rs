//! Descriptors of real devices, byte by byte.

use omv_wire::Malformed;
use omv_wire::dfu::{CLASS, Functional, alternates};
use omv_wire::usb::{Association, CdcFunctional, Configuration, ConfigurationBuilder, Transfer};

/// Configuration of the H7's bootloader 1.0.3. Source: openmv/openmv boot/src/common/desc.c.
const OPENMV_H7: [u8; 54] = [
    0x09, 0x02, 0x36, 0x00, 0x01, 0x01, 0x00, 0x80, 0xFA, //
    0x09, 0x04, 0x00, 0x00, 0x00, 0xFE, 0x01, 0x02, 0x04, //
    0x09, 0x04, 0x00, 0x01, 0x00, 0xFE, 0x01, 0x02, 0x05, //
    0x09, 0x04, 0x00, 0x02, 0x00, 0xFE, 0x01, 0x02, 0x06, //
    0x09, 0x04, 0x00, 0x03, 0x00, 0xFE, 0x01, 0x02, 0x07, //
    0x09, 0x21, 0x07, 0xE8, 0x03, 0x00, 0x10, 0x01, 0x01,
];

const OPENMV: Functional = Functional {
    attributes: 0x07,
    detach_timeout: 1000,
    transfer_size: 4096,
    version: 0x0101,
};

#[test]
fn the_configuration_of_the_openmv_bootloader_is_built_byte_for_byte() {
    let builder = ConfigurationBuilder::new(1).max_power(250);
    let built = alternates(builder, 0, 4, 4, OPENMV).finish().unwrap();
    assert_eq!(built, OPENMV_H7);
}

#[test]
fn functional_descriptors_of_four_devices_read_and_write_the_same() {
    let cases: [([u8; 9], u16, u16); 4] = [
        (
            [0x09, 0x21, 0x07, 0xE8, 0x03, 0x00, 0x10, 0x01, 0x01],
            4096,
            0x0101,
        ),
        (
            [0x09, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x04, 0x1A, 0x01],
            1024,
            0x011A,
        ),
        (
            [0x09, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x08, 0x1A, 0x01],
            2048,
            0x011A,
        ),
        (
            [0x09, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x10, 0x1A, 0x01],
            4096,
            0x011A,
        ),
    ];
    for (bytes, size, version) in cases {
        let read = Functional::decode(&bytes).unwrap();
        assert_eq!((read.transfer_size, read.version), (size, version));
        assert_eq!(read.encode(), bytes);
    }
}

#[test]
fn a_functional_descriptor_of_dfu_1_0_has_no_version() {
    let read = Functional::decode(&[7, 0x21, 1, 0xFF, 0, 0x40, 0]).unwrap();
    assert_eq!((read.transfer_size, read.version), (64, 0x0100));
}

#[test]
fn a_functional_descriptor_without_a_transfer_size_is_refused() {
    let refused = Functional::decode(&[9, 0x21, 7, 0, 0, 0, 0, 1, 1]);
    let field = "wTransferSize";
    assert_eq!(refused, Err(Malformed::Field { field, value: 0 }));
    assert!(Functional::decode(&[9, 0x22, 7, 0, 0, 0, 4, 1, 1]).is_err());
    assert!(Functional::decode(&[9, 0x21, 7, 0, 0, 0]).is_err());
}

#[test]
fn a_dfu_interface_fits_beside_a_serial_port() {
    let builder = ConfigurationBuilder::new(1).self_powered().max_power(250);
    let functional = Functional {
        attributes: 0x0B,
        detach_timeout: 255,
        transfer_size: 4096,
        version: Functional::DFUSE,
    };
    let ports = Association {
        first: 1,
        count: 2,
        class: 2,
        subclass: 2,
        protocol: 1,
        string: 0,
    };
    let serial = CdcFunctional {
        version: 0x0110,
        control: 1,
        data: 2,
        call_management: 0,
        capabilities: 2,
    };
    let bytes = alternates(builder, 0, 4, 6, functional)
        .association(ports)
        .interface(1, 0, [2, 2, 1], 0)
        .cdc(serial)
        .endpoint(0x83, Transfer::Interrupt, 8, 16)
        .interface(2, 0, [10, 0, 0], 0)
        .endpoint(0x02, Transfer::Bulk, 64, 0)
        .endpoint(0x82, Transfer::Bulk, 64, 0)
        .finish()
        .unwrap();
    let read = Configuration::decode(&bytes).unwrap();
    let dfu = read.interfaces.iter().filter(|i| i.number == 0);
    let names: Vec<_> = dfu
        .map(|i| ([i.class, i.subclass, i.protocol], i.string))
        .collect();
    assert_eq!(names, [(CLASS, 6), (CLASS, 7), (CLASS, 8), (CLASS, 9)]);
    let found = read.class_specific(0, 0x21).unwrap();
    assert_eq!(Functional::decode(found), Ok(functional));
}
