//! Bytes as the standards print them.

use omv_wire::Malformed;
use omv_wire::msc::{Capacity, Command, Identity, Sense, Status, StatusWrapper, Wrapper};
use proptest::prelude::*;

/// The READ CAPACITY that a capture of Linux's usb-storage shows for any disk: operation 25h in
/// ten bytes, eight bytes wanted. Layout: Bulk-Only Transport 1.0 table 5.1, SBC READ CAPACITY(10).
#[test]
fn a_wrapper_is_31_bytes_however_short_its_command() {
    let wrapper = Wrapper {
        tag: 0x0403_0201,
        length: 8,
        inward: true,
        unit: 0,
        command: Command::ReadCapacity.encode(),
    };
    let mut bytes = b"USBC\x01\x02\x03\x04\x08\0\0\0\x80\0\x0A\x25".to_vec();
    bytes.resize(31, 0);
    assert_eq!(wrapper.encode(), bytes);
    assert_eq!(Wrapper::decode(&bytes), Ok(wrapper));
}

#[test]
fn a_wrapper_of_another_size_or_signature_or_without_command_is_refused() {
    let wrapper = Wrapper {
        tag: 1,
        length: 0,
        inward: false,
        unit: 0,
        command: Command::TestUnitReady.encode(),
    };
    let good = wrapper.encode();
    assert!(Wrapper::decode(&good[..30]).is_err());
    assert!(Wrapper::decode(&[&good[..], &[0]].concat()).is_err());
    for (at, byte, field) in [
        (0, b'V', "dCBWSignature"),
        (14, 0, "bCBWCBLength"),
        (14, 17, "bCBWCBLength"),
    ] {
        let mut bad = good.clone();
        bad[at] = byte;
        let refused = Wrapper::decode(&bad);
        assert!(
            matches!(refused, Err(Malformed::Field { field: which, .. }) if which == field),
            "{refused:?}"
        );
    }
}

#[test]
fn a_status_is_13_bytes_with_one_of_three_ends() {
    for (byte, status) in [(0, Status::Passed), (1, Status::Failed), (2, Status::Phase)] {
        let wrapper = StatusWrapper {
            tag: 7,
            residue: 512,
            status,
        };
        let bytes = [&b"USBS\x07\0\0\0\0\x02\0\0"[..], &[byte]].concat();
        assert_eq!(wrapper.encode(), bytes);
        assert_eq!(StatusWrapper::decode(&bytes), Ok(wrapper));
    }
    assert!(StatusWrapper::decode(b"USBS\x07\0\0\0\0\x02\0\0\x03").is_err());
    assert!(StatusWrapper::decode(b"USBC\x07\0\0\0\0\x02\0\0\x00").is_err());
    assert!(StatusWrapper::decode(b"USBS").is_err());
}

#[test]
fn block_numbers_and_sizes_are_big_endian() {
    let read = Command::Read {
        block: 0x0102_0304,
        count: 0x0506,
    };
    assert_eq!(read.encode(), [0x28, 0, 1, 2, 3, 4, 0, 5, 6, 0]);
    let four_mib = Capacity {
        blocks: 1024,
        block_size: 4096,
    };
    assert_eq!(four_mib.encode(), [0, 0, 3, 0xFF, 0, 0, 0x10, 0]);
}

#[test]
fn a_block_size_no_disk_has_is_refused() {
    for size in [0, 1, 511, 513, 8192, u32::MAX] {
        let bytes = [[0, 0, 0, 9], size.to_be_bytes()].concat();
        assert!(Capacity::decode(&bytes).is_err(), "{size}");
    }
}

#[test]
fn the_reason_of_a_failure_has_words_and_comes_back_from_its_bytes() {
    for (sense, word) in [
        (Sense::NO_MEDIUM, "ejected"),
        (Sense::READ_ERROR, "cannot be read"),
        (Sense::WRITE_FAULT, "cannot be written"),
        (Sense::OUT_OF_RANGE, "no such block"),
        (Sense::PROTECTED, "write-protected"),
    ] {
        assert_eq!(Sense::decode(&sense.encode()), Ok(sense));
        assert!(sense.meaning().contains(word), "{}", sense.meaning());
    }
    assert!(Sense::decode(&[0x72; 18]).is_err());
}

#[test]
fn a_products_name_is_clean_before_it_is_shown() {
    let identity = Identity {
        removable: true,
        vendor: *b"\x1b[31mevl",
        product: *b"\x1b]0;SDCard\x07\0\0\0\0\0",
        revision: *b"1.00",
    };
    let back = Identity::decode(&identity.encode()).unwrap();
    assert_eq!(back.product(), "]0;SDCard");
}

proptest! {
    #[test]
    fn every_command_comes_back_from_its_bytes(block: u32, count: u16, page in 0_u8..0x40, bit: bool, length: u8) {
        let commands = [
            Command::TestUnitReady,
            Command::RequestSense { length },
            Command::Inquiry { page: bit.then_some(page), length: count },
            Command::ModeSense { page, length },
            Command::StartStop { start: bit, eject: !bit },
            Command::PreventRemoval(bit),
            Command::ReadFormatCapacities { length: count },
            Command::ReadCapacity,
            Command::Read { block, count },
            Command::Write { block, count },
            Command::SynchronizeCache,
        ];
        for command in commands {
            prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_fail_otherwise_than_with_an_error(bytes: Vec<u8>) {
        let _ = Wrapper::decode(&bytes);
        let _ = StatusWrapper::decode(&bytes);
        let _ = Command::decode(&bytes);
        let _ = Sense::decode(&bytes);
        let _ = Identity::decode(&bytes).map(|identity| identity.product());
        if let Ok(capacity) = Capacity::decode(&bytes) {
            prop_assert_eq!(&capacity.encode()[..], &bytes[..8]);
        }
    }
}
