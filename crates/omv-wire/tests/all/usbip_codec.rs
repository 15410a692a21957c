//! USB/IP heads and records against bytes seen on the wire.

use omv_wire::Malformed;
use omv_wire::usb::{
    Configuration, ConfigurationBuilder, DeviceDescriptor, Direction, Setup, Speed, UrbStatus, kind,
};
use omv_wire::usbip::codec::{
    CmdSubmit, OpHead, Pdu, RetSubmit, errno_of, op, speed_code, speed_of, status_of,
};
use omv_wire::usbip::{BusId, DeviceRecord, OpStatus};
use proptest::prelude::*;

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    bytes.try_into().expect("as many digits as bytes")
}

fn field<T: std::fmt::Debug>(result: Result<T, Malformed>) -> &'static str {
    match result {
        Err(Malformed::Field { field, .. }) => field,
        other => panic!("a refused field was expected, not {other:?}"),
    }
}

/// The first request of an enumeration, captured from Linux.
const FIRST: &str = "00000001 00000001 00010001 00000001 00000000 00000200 \
                     00000040 00000000 00000000 00000000 80060001 00004000";

#[test]
fn the_first_request_linux_sends_reads_as_get_descriptor() {
    let bytes = hex(FIRST);
    let Ok(Pdu::CmdSubmit(head)) = Pdu::decode(&bytes) else {
        panic!("a submit was expected");
    };
    assert_eq!((head.seqnum, head.devid, head.endpoint), (1, 0x1_0001, 0));
    assert_eq!((head.direction, head.length), (Direction::In, 64));
    let setup = Setup::from_bytes(head.setup);
    assert_eq!(setup, Setup::get_descriptor(kind::DEVICE, 0, 0, 64));
    assert_eq!(Pdu::CmdSubmit(head).encode(), bytes);
}

#[test]
fn an_unlink_linux_sent_names_its_target() {
    let bytes = hex("00000002 0000016f 00010001 00000000 00000000 0000003c \
         00000000 00000000 00000000 00000000 00000000 00000000");
    let unlink = Pdu::CmdUnlink {
        seqnum: 0x16F,
        devid: 0x1_0001,
        target: 0x3C,
    };
    assert_eq!(Pdu::decode(&bytes), Ok(unlink));
    assert_eq!(unlink.encode(), bytes);
}

/// The capture at the end of Linux Documentation/usb/usbip_protocol.rst.
#[test]
fn the_capture_in_the_kernel_documentation_reads_and_writes_back() {
    let reads = hex("00000001 00000d05 0001000f 00000001 00000001 00000200 \
         00000040 ffffffff 00000000 00000004 00000000 00000000");
    let submit = CmdSubmit {
        seqnum: 0xD05,
        devid: 0x1_000F,
        direction: Direction::In,
        endpoint: 1,
        flags: 0x200,
        length: 64,
        start_frame: u32::MAX,
        packets: 0,
        interval: 4,
        setup: [0; 8],
    };
    assert_eq!(Pdu::decode(&reads), Ok(Pdu::CmdSubmit(submit)));
    assert_eq!(Pdu::CmdSubmit(submit).encode(), reads);

    let writes = hex("00000001 00000d06 0001000f 00000000 00000001 00000000 \
         00000040 ffffffff 00000000 00000004 00000000 00000000");
    let submit = CmdSubmit {
        seqnum: 0xD06,
        direction: Direction::Out,
        flags: 0,
        ..submit
    };
    assert_eq!(Pdu::decode(&writes), Ok(Pdu::CmdSubmit(submit)));

    let wrote = hex("00000003 00000d06 00000000 00000000 00000000 00000000 \
         00000040 ffffffff 00000000 00000000 00000000 00000000");
    let ended = RetSubmit {
        seqnum: 0xD06,
        status: 0,
        actual: 64,
        start_frame: u32::MAX,
        packets: 0,
        errors: 0,
    };
    assert_eq!(Pdu::decode(&wrote), Ok(Pdu::RetSubmit(ended)));
    assert_eq!(Pdu::RetSubmit(ended).encode(), wrote);
}

#[test]
fn a_successful_unlink_says_minus_104() {
    let bytes = hex("00000004 00000004 00000000 00000000 00000000 ffffff98 \
         00000000 00000000 00000000 00000000 00000000 00000000");
    let status = errno_of(UrbStatus::Unlinked);
    assert_eq!(Pdu::RetUnlink { seqnum: 4, status }.encode(), bytes);
    assert_eq!(status_of(-104), UrbStatus::Unlinked);
}

#[test]
fn heads_with_impossible_fields_are_refused() {
    let with = |word: usize, value: u32| {
        let mut bytes: [u8; 48] = hex(FIRST);
        bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_be_bytes());
        Pdu::decode(&bytes)
    };
    assert_eq!(field(with(0, 0)), "command");
    assert_eq!(field(with(0, 5)), "command");
    assert_eq!(field(with(3, 2)), "direction");
    assert_eq!(field(with(4, 16)), "ep");
    assert_eq!(field(with(4, 0x100)), "ep");
    assert!(with(6, 4 << 20).is_ok());
    assert_eq!(field(with(6, (4 << 20) + 1)), "transfer_buffer_length");
    assert_eq!(field(with(6, u32::MAX)), "transfer_buffer_length");
    assert_eq!(field(with(8, 1025)), "number_of_packets");
    let Ok(Pdu::CmdSubmit(head)) = with(8, u32::MAX) else {
        panic!("0xFFFFFFFF packets mean none");
    };
    assert_eq!(head.iso_packets(), 0);
    let mut long: [u8; 48] = hex(FIRST);
    long[3] = 3;
    long[24..28].copy_from_slice(&0xFFFF_FFFF_u32.to_be_bytes());
    assert_eq!(field(Pdu::decode(&long)), "actual_length");
}

#[test]
fn operations_carry_version_code_and_status() {
    let head = OpHead {
        code: op::REQ_DEVLIST,
        status: OpStatus::Ok,
    };
    assert_eq!(head.encode(), hex("0111 8005 00000000"));
    let busy = OpHead::decode(&hex("0111 0003 00000002")).unwrap();
    assert_eq!((busy.code, busy.status), (op::REP_IMPORT, OpStatus::Busy));
    assert_eq!(field(OpHead::decode(&hex("0106 0003 00000000"))), "version");
}

#[test]
fn statuses_keep_their_numbers_and_each_says_what_it_means() {
    for code in 0..9 {
        assert_eq!(OpStatus::of(code).code(), code);
        assert!(!OpStatus::of(code).meaning().is_empty());
    }
    assert_eq!(OpStatus::of(9), OpStatus::Other(9));
    assert!(OpStatus::Busy.meaning().contains("in use"));
}

#[test]
fn errors_never_travel_as_success() {
    for status in [
        UrbStatus::Ok,
        UrbStatus::Stall,
        UrbStatus::Gone,
        UrbStatus::Unlinked,
    ] {
        assert_eq!(status_of(errno_of(status)), status);
        assert!(!status.meaning().is_empty());
    }
    assert_eq!(errno_of(UrbStatus::Stall), -32);
    assert_eq!(status_of(-108), UrbStatus::Gone);
    assert_eq!(status_of(-2), UrbStatus::Unlinked);
    assert_eq!(status_of(-75), UrbStatus::Error(-75));
    assert_eq!(errno_of(UrbStatus::Error(0)), -71);
    assert_eq!(errno_of(UrbStatus::Error(5)), -71);
}

#[test]
fn speeds_keep_linux_numbers() {
    let numbers = [
        (Speed::Low, 1),
        (Speed::Full, 2),
        (Speed::High, 3),
        (Speed::Super, 5),
        (Speed::SuperPlus, 6),
    ];
    for (speed, number) in numbers {
        assert_eq!(speed_code(speed), number);
        assert_eq!(speed_of(number), Some(speed));
    }
    assert_eq!((speed_of(0), speed_of(4)), (None, None));
}

fn record() -> DeviceRecord {
    let device = DeviceDescriptor {
        usb_version: 0x0200,
        class: 0xEF,
        subclass: 2,
        protocol: 1,
        max_packet_0: 64,
        vendor: 0x37C5,
        product: 0x1206,
        version: 0x0102,
        manufacturer_string: 1,
        product_string: 2,
        serial_string: 3,
        configurations: 1,
    };
    let bytes = ConfigurationBuilder::new(1)
        .interface(0, 0, [2, 2, 1], 0)
        .interface(1, 0, [10, 0, 0], 0)
        .interface(1, 1, [10, 0, 0], 0)
        .finish()
        .unwrap();
    let active = Configuration::decode(&bytes).unwrap();
    DeviceRecord::new(BusId::new("1-1").unwrap(), Speed::High, &device, &active)
}

#[test]
fn a_record_puts_each_field_where_the_documentation_says() {
    let bytes = record().encode();
    assert_eq!(bytes.len(), 312);
    assert!(bytes.starts_with(b"/sys/devices/"));
    assert_eq!(bytes[255], 0);
    assert_eq!(bytes[256..261], *b"1-1\0\0");
    assert_eq!(
        bytes[288..],
        hex::<24>("00000001 00000001 00000003 37c5 1206 0102 ef 02 01 01 01 02")
    );
    assert_eq!(record().devid(), 0x1_0001);
    assert_eq!(record().interfaces, [[2, 2, 1], [10, 0, 0]]);
}

#[test]
fn a_path_too_long_is_cut_between_characters_and_ends_in_nul() {
    let mut long = record();
    long.path = "é".repeat(200);
    let bytes: [u8; 312] = long.encode().try_into().unwrap();
    assert_eq!(bytes[254..256], [0, 0]);
    assert_eq!(DeviceRecord::decode(&bytes).unwrap().path, "é".repeat(127));
    long.path = "a\0b".into();
    let bytes: [u8; 312] = long.encode().try_into().unwrap();
    assert_eq!(DeviceRecord::decode(&bytes).unwrap().path, "a");
}

#[test]
fn a_path_without_nul_is_read_and_a_busid_without_is_refused() {
    let mut bytes: [u8; 312] = record().encode().try_into().unwrap();
    bytes[..256].fill(b'p');
    assert_eq!(DeviceRecord::decode(&bytes).unwrap().path.len(), 256);
    bytes[256..288].fill(b'1');
    assert_eq!(field(DeviceRecord::decode(&bytes)), "busid");
    bytes[256..260].copy_from_slice(&[0xFF, 0xFE, 0, 0]);
    assert_eq!(field(DeviceRecord::decode(&bytes)), "busid");
}

#[test]
fn a_busid_is_short_text_without_control_characters() {
    assert!(BusId::new(&"1".repeat(31)).is_ok());
    assert_eq!(BusId::new("1-1.4").unwrap().to_string(), "1-1.4");
    for bad in ["", &"1".repeat(32), "1\0", "1-1\u{1b}[2J"] {
        assert_eq!(field(BusId::new(bad)), "busid");
    }
}

proptest! {
    #[test]
    fn every_head_that_is_accepted_writes_back(words: [u32; 12], command in 1_u32..=4) {
        let mut bytes = [0; 48];
        for (at, word) in words.iter().enumerate() {
            bytes[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
        }
        bytes[..4].copy_from_slice(&command.to_be_bytes());
        // Small values where most would be refused.
        bytes[12..16].copy_from_slice(&(words[3] & 1).to_be_bytes());
        bytes[16..20].copy_from_slice(&(words[4] & 15).to_be_bytes());
        bytes[24..28].copy_from_slice(&(words[6] >> 10).to_be_bytes());
        bytes[32..36].copy_from_slice(&(words[8] >> 22).to_be_bytes());
        let pdu = Pdu::decode(&bytes).unwrap();
        prop_assert_eq!(Pdu::decode(&pdu.encode()), Ok(pdu));
        if command == 1 {
            prop_assert_eq!(pdu.encode(), bytes);
        }
    }

    #[test]
    fn every_record_round_trips(
        path in "[a-z/]{0,255}", name in "[0-9.-]{1,31}",
        numbers: (u32, u32), ids: (u16, u16, u16), class: [u8; 3], counts: [u8; 3],
    ) {
        let [configuration, configurations, interface_count] = counts;
        let record = DeviceRecord {
            path,
            busid: BusId::new(&name).unwrap(),
            busnum: numbers.0,
            devnum: numbers.1,
            speed: Some(Speed::Full),
            vendor: ids.0,
            product: ids.1,
            version: ids.2,
            class,
            configuration,
            configurations,
            interface_count,
            interfaces: Vec::new(),
        };
        let bytes: [u8; 312] = record.encode().try_into().unwrap();
        prop_assert_eq!(DeviceRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn arbitrary_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 312)) {
        let bytes: [u8; 312] = bytes.try_into().unwrap();
        let _ = DeviceRecord::decode(&bytes);
    }
}
