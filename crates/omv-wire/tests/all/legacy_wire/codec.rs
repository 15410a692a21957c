//! Bytes of the commands and answers.

use omv_wire::legacy::{Blocks, Command, Layout, Version};
use proptest::prelude::*;

/// What openmv/openmv tools/pyopenmv.py at v4.5.9 sends, and the words of
/// src/omv/ports/stm32/boot/src/usbd_cdc_interface.c of the same tag.
#[test]
fn the_commands_are_the_bytes_of_the_tagged_sources() {
    let hex = |command: Command| -> String {
        command
            .encode()
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect()
    };
    assert_eq!(hex(Command::Start), "0100CDAB");
    assert_eq!(hex(Command::Reset), "0200CDAB");
    assert_eq!(hex(Command::Erase(11)), "0400CDAB0B000000");
    assert_eq!(hex(Command::Write(vec![0xDE, 0xAD])), "0800CDABDEAD");
    assert_eq!(hex(Command::Query), "1000CDAB");
    assert_eq!(hex(Command::BlockErase(511)), "0410CDABFF010000");
    assert_eq!(hex(Command::BlockWrite(vec![7])), "0810CDAB07");
    assert_eq!(hex(Command::BlockQuery), "1010CDAB");
    assert_eq!(hex(Command::BlockTest), "2010CDAB");
}

/// `OMV_BOOT_FLASH_LAYOUT` and `OMV_BOOT_QSPIF_LAYOUT` of src/omv/boards at v4.5.9.
#[test]
fn the_layouts_are_those_of_the_boards() {
    let h7 = Layout {
        first_all: 1,
        first_firmware: 2,
        last: 15,
    };
    let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 15, 0, 0, 0];
    assert_eq!(h7.encode(), bytes);
    assert_eq!(Layout::decode(&bytes), Ok(h7));
    let plus = [0, 0, 0, 0, 0xFF, 1, 0, 0, 0, 0, 1, 0];
    let blocks = Blocks {
        first: 0,
        last: 511,
        size: 65_536,
    };
    assert_eq!(Blocks::decode(&plus), Ok(blocks));
    assert_eq!(blocks.encode(), plus);
    assert_eq!(Blocks::decode(&[0; 12]), Ok(Blocks::default()));
}

/// `bootloader_version` at v2.3 (an echo), v3.5.2 and v4.5.9.
#[test]
fn an_unknown_version_is_taken_for_the_first() {
    assert_eq!(Version::of(0xABCD_0001), Version::One);
    assert_eq!(Version::of(0xABCD_0002), Version::Two);
    assert_eq!(Version::of(0xABCD_0003), Version::Three);
    assert_eq!(Version::of(0x2000_1234), Version::One);
}

#[test]
fn layouts_in_no_order_are_refused() {
    let layout = |words: [u32; 3]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Layout::decode(&bytes).is_ok()
    };
    assert!(layout([1, 4, 11]));
    for words in [[5, 4, 11], [1, 12, 11], [1, 4, u32::MAX]] {
        assert!(!layout(words), "{words:?}");
    }
    assert!(Layout::decode(&[0; 11]).is_err());
    assert!(Blocks::decode(&[0xFF; 12]).is_err());
}

#[test]
fn a_packet_that_ends_before_its_argument_is_refused() {
    for packet in [
        &b""[..],
        b"\x04\x00\xCD",
        b"\x04\x00\xCD\xAB",
        b"\x04\x00\xCD\xAB\x01",
    ] {
        assert!(Command::decode(packet).is_err());
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(number: u32, bytes: Vec<u8>) {
        for command in [
            Command::Start,
            Command::Reset,
            Command::Erase(number),
            Command::Write(bytes.clone()),
            Command::Query,
            Command::BlockErase(number),
            Command::BlockWrite(bytes),
            Command::BlockQuery,
            Command::BlockTest,
        ] {
            prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Command::decode(&bytes);
        let _ = Layout::decode(&bytes);
        let _ = Blocks::decode(&bytes);
    }
}
