//! Descriptors and requests against bytes real devices send, and against bytes none should.

use omv_wire::Malformed;
use omv_wire::usb::{
    Association, CdcFunctional, Configuration, ConfigurationBuilder, DeviceDescriptor, Direction,
    HidDescriptor, LineCoding, Recipient, ReportKind, RequestKind, Setup, Transfer, Urb,
    cdc_data_interface, decode_languages, decode_string, descriptors, encode_languages,
    encode_string, kind, request,
};
use proptest::prelude::*;

/// Device descriptor of the RT1062's loaders; observed by executing the loader shipped on every
/// RT1062.
const SBL_DEVICE: [u8; 18] = [
    0x12, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x40, 0xA2, 0x15, 0x73, 0x00, 0x02, 0x00, 0x01, 0x02,
    0x00, 0x01,
];

/// Configuration of the same loaders at high speed.
const SBL_CONFIGURATION: [u8; 41] = [
    0x09, 0x02, 0x29, 0x00, 0x01, 0x01, 0x00, 0xC0, 0x32, // configuration
    0x09, 0x04, 0x00, 0x00, 0x02, 0x03, 0x00, 0x00, 0x03, // interface
    0x09, 0x21, 0x00, 0x01, 0x00, 0x01, 0x22, 0x4C, 0x00, // HID
    0x07, 0x05, 0x81, 0x03, 0xF8, 0x03, 0x03, // endpoint 1 IN
    0x07, 0x05, 0x02, 0x03, 0xF8, 0x03, 0x03, // endpoint 2 OUT
];

/// Device descriptor of the H7's DFU bootloader (openmv boot/src/common/desc.c).
const DFU_DEVICE: [u8; 18] = [
    0x12, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x40, 0xC5, 0x37, 0x04, 0x92, 0x03, 0x01, 0x01, 0x02,
    0x03, 0x01,
];

/// Four alternate settings and the functional descriptor after the last, as that bootloader has.
const DFU_CONFIGURATION: [u8; 54] = [
    0x09, 0x02, 0x36, 0x00, 0x01, 0x01, 0x00, 0x80, 0xFA, //
    0x09, 0x04, 0x00, 0x00, 0x00, 0xFE, 0x01, 0x02, 0x04, //
    0x09, 0x04, 0x00, 0x01, 0x00, 0xFE, 0x01, 0x02, 0x05, //
    0x09, 0x04, 0x00, 0x02, 0x00, 0xFE, 0x01, 0x02, 0x06, //
    0x09, 0x04, 0x00, 0x03, 0x00, 0xFE, 0x01, 0x02, 0x07, //
    0x09, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x10, 0x10, 0x01, //
];

fn field(result: Result<impl std::fmt::Debug, Malformed>) -> &'static str {
    match result {
        Err(Malformed::Field { field, .. }) => field,
        other => panic!("a refused field was expected, not {other:?}"),
    }
}

fn changed(at: usize, to: u8) -> Vec<u8> {
    let mut bytes = SBL_CONFIGURATION.to_vec();
    bytes[at] = to;
    bytes
}

#[test]
fn the_loader_names_itself_15a2_0073_and_writes_back_the_same_bytes() {
    let device = DeviceDescriptor::decode(&SBL_DEVICE).unwrap();
    assert_eq!((device.vendor, device.product), (0x15A2, 0x0073));
    assert_eq!((device.usb_version, device.version), (0x0200, 0x0002));
    assert_eq!((device.manufacturer_string, device.product_string), (1, 2));
    assert_eq!((device.serial_string, device.configurations), (0, 1));
    assert_eq!(device.encode(), SBL_DEVICE);
}

#[test]
fn a_dfu_bootloader_round_trips_and_gives_its_qualifier() {
    let device = DeviceDescriptor::decode(&DFU_DEVICE).unwrap();
    assert_eq!((device.vendor, device.product), (0x37C5, 0x9204));
    assert_eq!(device.encode(), DFU_DEVICE);
    let qualifier = [0x0A, 0x06, 0x00, 0x02, 0, 0, 0, 0x40, 0x01, 0x00];
    assert_eq!(device.qualifier(), qualifier);
}

#[test]
fn a_device_descriptor_of_another_type_length_or_packet_size_is_refused() {
    let with = |at: usize, to: u8| {
        let mut bytes = SBL_DEVICE;
        bytes[at] = to;
        field(DeviceDescriptor::decode(&bytes))
    };
    assert_eq!(with(0, 17), "bLength");
    assert_eq!(with(1, 2), "bDescriptorType");
    assert_eq!(with(7, 0), "bMaxPacketSize0");
    assert_eq!(
        DeviceDescriptor::decode(&SBL_DEVICE[..17]),
        Err(Malformed::Short { need: 18, got: 17 })
    );
}

#[test]
fn the_loaders_configuration_shows_one_hid_interface_with_in_1_and_out_2() {
    assert_eq!(Configuration::total_length(&SBL_CONFIGURATION[..9]), Ok(41));
    let all = Configuration::decode(&SBL_CONFIGURATION).unwrap();
    assert_eq!((all.value, all.attributes, all.max_power), (1, 0xC0, 50));
    let hid = all.interface(0).unwrap();
    assert_eq!((hid.class, hid.subclass, hid.protocol), (3, 0, 0));
    assert_eq!(hid.string, 3);
    let reads = hid.endpoint(Transfer::Interrupt, Direction::In).unwrap();
    assert_eq!(
        (reads.number(), reads.packet_size(), reads.interval),
        (1, 1016, 3)
    );
    let writes = hid.endpoint(Transfer::Interrupt, Direction::Out).unwrap();
    assert_eq!((writes.number(), writes.packet_size()), (2, 1016));
    let inner = all.class_specific(0, kind::HID).unwrap();
    assert_eq!(HidDescriptor::decode(inner).unwrap().report_length, 76);
    assert_eq!(all.class_specific(0, kind::CLASS_INTERFACE), None);
    assert_eq!(all.class_specific(1, kind::HID), None);
}

#[test]
fn the_builder_writes_the_loaders_configuration_byte_for_byte() {
    let hid = HidDescriptor {
        version: 0x0100,
        country: 0,
        report_length: 76,
    };
    let bytes = ConfigurationBuilder::new(1)
        .self_powered()
        .max_power(50)
        .interface(0, 0, [3, 0, 0], 3)
        .hid(hid)
        .endpoint(0x81, Transfer::Interrupt, 1016, 3)
        .endpoint(0x02, Transfer::Interrupt, 1016, 3)
        .finish();
    assert_eq!(bytes.unwrap(), SBL_CONFIGURATION);
}

#[test]
fn the_functional_descriptor_after_the_last_alternate_is_found() {
    let all = Configuration::decode(&DFU_CONFIGURATION).unwrap();
    let strings: Vec<u8> = all.interfaces.iter().map(|i| i.string).collect();
    assert_eq!(strings, [4, 5, 6, 7]);
    assert_eq!(all.setting(0, 2).unwrap().string, 6);
    assert!(all.setting(0, 4).is_none());
    let functional = all.class_specific(0, kind::DFU_FUNCTIONAL).unwrap();
    assert_eq!(functional, &DFU_CONFIGURATION[45..]);
}

#[test]
fn a_serial_function_is_grouped_and_finds_its_data_interface() {
    let cdc = CdcFunctional {
        version: 0x0110,
        control: 0,
        data: 1,
        call_management: 0,
        capabilities: 2,
    };
    let bytes = ConfigurationBuilder::new(1)
        .remote_wakeup()
        .string(9)
        .association(Association {
            first: 0,
            count: 2,
            class: 2,
            subclass: 2,
            protocol: 0,
            string: 4,
        })
        .interface(0, 0, [2, 2, 0], 4)
        .cdc(cdc)
        .endpoint(0x81, Transfer::Interrupt, 8, 16)
        .interface(1, 0, [0x0A, 0, 0], 0)
        .endpoint(0x02, Transfer::Bulk, 512, 0)
        .endpoint(0x82, Transfer::Bulk, 512, 0)
        .finish()
        .unwrap();
    let expected = [
        9, 2, 75, 0, 2, 1, 9, 0xA0, 50, // configuration
        8, 11, 0, 2, 2, 2, 0, 4, // association
        9, 4, 0, 0, 1, 2, 2, 0, 4, // control interface
        5, 0x24, 0, 0x10, 1, 5, 0x24, 1, 0, 1, 4, 0x24, 2, 2, 5, 0x24, 6, 0, 1, // functional
        7, 5, 0x81, 3, 8, 0, 16, // notifications
        9, 4, 1, 0, 2, 0x0A, 0, 0, 0, // data interface
        7, 5, 2, 2, 0, 2, 0, 7, 5, 0x82, 2, 0, 2, 0,
    ];
    assert_eq!(bytes, expected);
    let all = Configuration::decode(&bytes).unwrap();
    assert_eq!(all.associations.len(), 1);
    assert_eq!(
        (all.associations[0].first, all.associations[0].count),
        (0, 2)
    );
    let control = all.interface(0).unwrap();
    assert_eq!(cdc_data_interface(&control.extra), Some(1));
    let data = all.interface(1).unwrap();
    let out = data.endpoint(Transfer::Bulk, Direction::Out).unwrap();
    assert_eq!((out.number(), out.packet_size()), (2, 512));
}

#[test]
fn without_a_union_call_management_names_the_data_interface() {
    let extra = [5, 0x24, 0, 0x10, 1, 5, 0x24, 1, 0, 3];
    assert_eq!(cdc_data_interface(&extra), Some(3));
    assert_eq!(cdc_data_interface(&extra[..5]), None);
}

#[test]
fn descriptors_after_an_endpoint_belong_to_it_and_are_still_found() {
    let bytes = ConfigurationBuilder::new(1)
        .raw(&[3, 9, 1])
        .interface(0, 0, [3, 0, 0], 0)
        .endpoint(0x81, Transfer::Interrupt, 64, 1)
        .raw(&[4, 0x77, 1, 2])
        .finish()
        .unwrap();
    let all = Configuration::decode(&bytes).unwrap();
    assert_eq!(all.extra, [3, 9, 1]);
    assert_eq!(all.interfaces[0].endpoints[0].extra, [4, 0x77, 1, 2]);
    assert_eq!(all.class_specific(0, 0x77), Some(&[4, 0x77, 1, 2][..]));
}

#[test]
fn a_descriptor_too_short_for_its_own_head_ends_the_walk_with_an_error() {
    assert_eq!(field(Configuration::decode(&changed(18, 0))), "bLength");
    assert!(descriptors(&[1, 2, 9]).next().unwrap().is_err());
    let mut walk = descriptors(&[2, 9, 0, 9, 2, 9]);
    assert_eq!(walk.next(), Some(Ok(&[2, 9][..])));
    assert!(walk.next().unwrap().is_err());
    assert_eq!(walk.next(), None);
}

#[test]
fn a_total_length_that_lies_is_refused_both_ways() {
    assert_eq!(
        Configuration::decode(&changed(2, 42)),
        Err(Malformed::Short { need: 42, got: 41 })
    );
    assert_eq!(
        field(Configuration::decode(&changed(2, 40))),
        "wTotalLength"
    );
    assert_eq!(
        field(Configuration::total_length(&changed(2, 8))),
        "wTotalLength"
    );
}

#[test]
fn a_descriptor_that_runs_past_the_end_is_refused() {
    let cut = changed(34, 8);
    assert_eq!(
        Configuration::decode(&cut),
        Err(Malformed::Short { need: 8, got: 7 })
    );
}

#[test]
fn counts_that_contradict_the_bytes_are_refused() {
    assert_eq!(
        field(Configuration::decode(&changed(4, 2))),
        "bNumInterfaces"
    );
    assert_eq!(
        field(Configuration::decode(&changed(4, 255))),
        "bNumInterfaces"
    );
    assert_eq!(
        field(Configuration::decode(&changed(13, 3))),
        "bNumEndpoints"
    );
}

#[test]
fn two_hundred_and_fifty_five_interfaces_are_refused() {
    let mut builder = ConfigurationBuilder::new(1);
    for number in 0..255 {
        builder = builder.interface(number, 0, [255, 0, 0], 0);
    }
    assert_eq!(field(builder.finish()), "bNumInterfaces");
}

#[test]
fn more_alternate_settings_than_any_device_has_are_refused() {
    let mut builder = ConfigurationBuilder::new(1);
    for number in 0..2 {
        for alternate in 0..=255 {
            builder = builder.interface(number, alternate, [0xFE, 1, 2], 0);
        }
    }
    assert_eq!(field(builder.finish()), "bAlternateSetting");
}

#[test]
fn a_configuration_longer_than_its_length_field_is_refused_by_the_builder() {
    let builder = ConfigurationBuilder::new(1).interface(0, 0, [255, 0, 0], 0);
    let long = (0..300).fold(builder, |b, _| b.raw(&[255; 255]));
    assert_eq!(field(long.finish()), "wTotalLength");
}

#[test]
fn impossible_or_repeated_endpoints_and_settings_are_refused() {
    assert_eq!(
        field(Configuration::decode(&changed(29, 0x80))),
        "bEndpointAddress"
    );
    assert_eq!(
        field(Configuration::decode(&changed(29, 0x91))),
        "bEndpointAddress"
    );
    assert_eq!(
        field(Configuration::decode(&changed(36, 0x81))),
        "bEndpointAddress"
    );
    assert_eq!(
        field(Configuration::decode(&changed(10, 5))),
        "bEndpointAddress"
    );
    assert_eq!(
        field(Configuration::decode(&changed(10, 2))),
        "bDescriptorType"
    );
    let twice = ConfigurationBuilder::new(1)
        .interface(0, 0, [255, 0, 0], 0)
        .interface(0, 0, [255, 0, 0], 0);
    assert_eq!(field(twice.finish()), "bAlternateSetting");
    let homeless = ConfigurationBuilder::new(1).endpoint(0x81, Transfer::Bulk, 64, 0);
    assert_eq!(field(homeless.finish()), "bDescriptorType");
}

#[test]
fn the_first_request_of_an_enumeration_reads_as_such() {
    // Captured from Linux: GET_DESCRIPTOR device, 64 bytes wanted.
    let bytes = [0x80, 0x06, 0x00, 0x01, 0x00, 0x00, 0x40, 0x00];
    let setup = Setup::decode(&bytes).unwrap();
    assert_eq!(setup, Setup::get_descriptor(kind::DEVICE, 0, 0, 64));
    assert_eq!(setup.direction(), Direction::In);
    assert_eq!(setup.kind(), RequestKind::Standard);
    assert_eq!(setup.recipient(), Recipient::Device);
    assert_eq!((setup.value_high(), setup.value_low()), (kind::DEVICE, 0));
    assert_eq!(setup.encode(), bytes);
}

#[test]
fn requests_have_the_bytes_drivers_send() {
    let report = Setup::get_interface_descriptor(kind::REPORT, 2, 76);
    assert_eq!(
        report.encode(),
        [0x81, 0x06, 0x00, 0x22, 0x02, 0x00, 0x4C, 0x00]
    );
    assert_eq!(
        Setup::set_configuration(1).encode(),
        [0x00, 0x09, 1, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        Setup::set_interface(2, 3).encode(),
        [0x01, 0x0B, 3, 0, 2, 0, 0, 0]
    );
    assert_eq!(
        Setup::clear_halt(0x81).encode(),
        [0x02, 0x01, 0, 0, 0x81, 0, 0, 0]
    );
    assert_eq!(Setup::clear_halt(0x81).recipient(), Recipient::Endpoint);
    assert_eq!(Setup::clear_halt(0x81).index_low(), 0x81);
    let opened = Setup::set_control_line_state(0, true, true);
    assert_eq!(opened.encode(), [0x21, 0x22, 3, 0, 0, 0, 0, 0]);
    assert_eq!(opened.kind(), RequestKind::Class);
    assert_eq!(opened.recipient(), Recipient::Interface);
    let report = Setup::set_report(ReportKind::Output, 1, 0, 17);
    assert_eq!(report.encode(), [0x21, 0x09, 0x01, 0x02, 0, 0, 17, 0]);
    let lun = Setup::class_in(request::GET_MAX_LUN, 0, 1, 1);
    assert_eq!(lun.encode(), [0xA1, 0xFE, 0, 0, 1, 0, 1, 0]);
    let vendor = Setup::from_bytes([0xC3, 1, 0, 0, 7, 0, 0, 0]);
    assert_eq!(vendor.kind(), RequestKind::Vendor);
    assert_eq!(vendor.recipient(), Recipient::Other(3));
    assert_eq!(Setup::from_bytes([0x60; 8]).kind(), RequestKind::Reserved);
    assert!(Setup::decode(&[0; 7]).is_err());
}

#[test]
fn a_control_transfer_without_data_goes_out_whatever_its_direction_bit_says() {
    let asks = Urb::control(Setup::get_descriptor(kind::DEVICE, 0, 0, 18), vec![1]);
    assert_eq!((asks.direction, asks.size()), (Direction::In, 18));
    assert!(asks.data.is_empty());
    let nothing = Urb::control(Setup::get_descriptor(kind::DEVICE, 0, 0, 0), Vec::new());
    assert_eq!((nothing.direction, nothing.size()), (Direction::Out, 0));
    assert_eq!(Urb::write(2, vec![0; 5]).size(), 5);
}

#[test]
fn linux_sets_9600_8n1_when_it_finds_a_serial_port() {
    let bytes = [0x80, 0x25, 0, 0, 0, 0, 8];
    let coding = LineCoding::decode(&bytes).unwrap();
    assert_eq!((coding.rate, coding.data_bits), (9600, 8));
    assert_eq!((coding.stop_bits, coding.parity), (0, 0));
    assert_eq!(coding.encode(), bytes);
    assert!(LineCoding::decode(&bytes[..6]).is_err());
}

#[test]
fn a_hid_descriptor_without_a_report_is_refused() {
    let good = [9, 0x21, 0x00, 0x01, 0, 1, 0x22, 0x4C, 0];
    assert_eq!(HidDescriptor::decode(&good).unwrap().encode(), good);
    for (at, to) in [(5, 0), (6, 0x23), (1, 0x22)] {
        let mut bad = good;
        bad[at] = to;
        assert_eq!(field(HidDescriptor::decode(&bad)), "bDescriptorType");
    }
}

#[test]
fn strings_are_utf_16_and_languages_are_numbers() {
    assert_eq!(encode_string("Hé").unwrap(), [6, 3, b'H', 0, 0xE9, 0]);
    assert_eq!(encode_languages(&[0x0409]).unwrap(), [4, 3, 9, 4]);
    assert_eq!(decode_languages(&[4, 3, 9, 4]), Ok(vec![0x0409]));
    assert!(encode_string(&"x".repeat(126)).is_ok());
    assert_eq!(field(encode_string(&"x".repeat(127))), "bLength");
}

#[test]
fn a_string_cut_short_is_read_as_far_as_it_goes() {
    assert_eq!(
        decode_string(&[10, 3, b'o', 0, b'k', 0, b'!']).unwrap(),
        "ok"
    );
    assert_eq!(decode_string(&[4, 3, b'o', 0, b'k', 0]).unwrap(), "o");
    assert_eq!(decode_string(&[4, 3, 0x00, 0xD8]).unwrap(), "\u{FFFD}");
    assert_eq!(field(decode_string(&[1, 3])), "bLength");
    assert_eq!(field(decode_string(&[4, 2, 0, 0])), "bDescriptorType");
    assert_eq!(
        decode_string(&[4]),
        Err(Malformed::Short { need: 2, got: 1 })
    );
}

proptest! {
    #[test]
    fn every_setup_round_trips(bytes: [u8; 8]) {
        prop_assert_eq!(Setup::from_bytes(bytes).encode(), bytes);
    }

    #[test]
    fn every_short_string_round_trips(text in "\\PC{0,60}") {
        let bytes = encode_string(&text).unwrap();
        prop_assert_eq!(decode_string(&bytes).unwrap(), text);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = DeviceDescriptor::decode(&bytes);
        let _ = Configuration::decode(&bytes);
        let _ = HidDescriptor::decode(&bytes);
        let _ = LineCoding::decode(&bytes);
        let _ = decode_string(&bytes);
        let _ = cdc_data_interface(&bytes);
        prop_assert!(descriptors(&bytes).count() <= bytes.len());
    }

    #[test]
    fn a_damaged_configuration_never_panics_and_never_grows(
        hits in prop::collection::vec((0_usize..54, any::<u8>()), 1..6),
        length in 0_usize..=54,
    ) {
        let mut bytes = DFU_CONFIGURATION.to_vec();
        for (at, to) in hits {
            bytes[at] = to;
        }
        if let Ok(all) = Configuration::decode(&bytes[..length]) {
            prop_assert!(all.interfaces.len() <= 5);
            let _ = all.class_specific(0, kind::HID);
        }
    }

    #[test]
    fn what_the_builder_accepts_reads_back_as_built(
        plan in prop::collection::vec((0_u8..4, 0_u8..3, any::<[u8; 3]>(), 0_u8..5), 0..8),
    ) {
        let mut builder = ConfigurationBuilder::new(3);
        for &(number, alternate, class, endpoints) in &plan {
            builder = builder.interface(number, alternate, class, 0);
            for endpoint in 1..=endpoints {
                builder = builder.endpoint(0x80 | endpoint, Transfer::Bulk, 64, 0);
            }
        }
        if let Ok(bytes) = builder.finish() {
            let all = Configuration::decode(&bytes).unwrap();
            prop_assert_eq!(all.value, 3);
            let read: Vec<_> = all.interfaces.iter().map(|i| {
                let class = [i.class, i.subclass, i.protocol];
                (i.number, i.alternate, class, i.endpoints.len() as u8)
            }).collect();
            prop_assert_eq!(read, plan);
        }
    }
}
