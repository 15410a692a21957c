//! `.dfu` files: whole and for this board, or refused.

use omv_plan::{Bytes, Refusal, choose};
use omv_wire::dfu::Suffix;
use omv_wire::dfu::dfuse::{Element, File, Target};

/// The suffix of a file for an H7's bootloader, or for its ROM.
fn suffix(vendor: u16, product: u16) -> Suffix {
    Suffix {
        release: None,
        product: Some(product),
        vendor: Some(vendor),
        version: Suffix::PLAIN,
    }
}

fn chosen(name: &str, region: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let board = omv_boards::by_name("OPENMV4").expect("a board file");
    let image = choose(&mut Bytes::new(name, name, bytes), board, region)?;
    Ok(image.expect("it has the file").bytes.to_vec())
}

fn with_suffix(content: &[u8], vendor: u16, product: u16) -> Vec<u8> {
    let mut file = content.to_vec();
    suffix(vendor, product).append(&mut file);
    file
}

fn dfuse(addresses: &[u32]) -> Vec<u8> {
    let elements = addresses.iter().map(|address| Element {
        address: *address,
        data: b"OpenMV",
    });
    let target = Target {
        alternate: 0,
        name: None,
        elements: elements.collect(),
    };
    let file = File {
        suffix: suffix(0x0483, 0xDF11),
        targets: vec![target],
        counts_suffix: false,
    };
    file.write().expect("it can be written")
}

#[test]
fn the_suffix_of_a_whole_file_is_not_flashed() {
    let file = with_suffix(b"OpenMV", 0x37C5, 0x9204);
    assert_eq!(chosen("firmware.bin", "firmware", file).unwrap(), b"OpenMV");
    assert_eq!(
        chosen("firmware.bin", "firmware", b"OpenMV".to_vec()).unwrap(),
        b"OpenMV"
    );
    let any = with_suffix(b"OpenMV", 0xFFFF, 0xFFFF);
    assert_eq!(chosen("firmware.bin", "firmware", any).unwrap(), b"OpenMV");
}

#[test]
fn a_damaged_file_and_one_for_other_ids_are_refused() {
    let mut file = with_suffix(b"OpenMV", 0x37C5, 0x9204);
    file[2] ^= 4;
    let refusal = chosen("firmware.bin", "firmware", file).unwrap_err();
    assert_eq!(refusal.code(), "not-valid", "{refusal}");
    assert!(
        refusal.to_string().contains("suffix is damaged"),
        "{refusal}"
    );
    let file = with_suffix(b"OpenMV", 0x37C5, 0x9203);
    let refusal = chosen("firmware.bin", "firmware", file).unwrap_err();
    assert_eq!(refusal.code(), "wrong-board", "{refusal}");
    assert!(refusal.to_string().contains("37C5:9203"), "{refusal}");
}

#[test]
fn a_dfuse_file_is_unwrapped_if_its_address_is_that_of_the_region() {
    let content = chosen("bootloader.bin", "bootloader", dfuse(&[0x0800_0000]));
    assert_eq!(content.unwrap(), b"OpenMV");
    for addresses in [&[0x0804_0000][..], &[0x0800_0000, 0x0804_0000], &[]] {
        let refusal = chosen("bootloader.bin", "bootloader", dfuse(addresses)).unwrap_err();
        assert_eq!(refusal.code(), "not-valid", "{refusal}");
    }
}

#[test]
fn a_file_may_fill_its_region_and_have_a_suffix_and_not_a_byte_more() {
    let whole = vec![7; 131_072];
    let file = with_suffix(&whole, 0x37C5, 0x9204);
    assert!(chosen("romfs0.img", "romfs", file).unwrap() == whole);
    let more = vec![7; 131_072 + 400];
    assert_eq!(
        chosen("romfs0.img", "romfs", more).unwrap_err().code(),
        "too-large"
    );
}
