//! Release archives, honest and not.

use std::io::{Cursor, Write};

use crate::common::{board, firmware, romfs};
use omv_boards::LoaderRole;
use omv_plan::{Bytes, Image, Refusal, Source, ZipSource, choose, loader};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;

const SIZE: usize = 0x1_2345;

/// A zip with these files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn open(files: &[(&str, &[u8])]) -> ZipSource {
    ZipSource::new("release.zip", archive(files)).unwrap()
}

fn chosen(files: &[(&str, &[u8])], region: &str) -> Result<Option<Image>, Refusal> {
    choose(&mut open(files), board(), region)
}

#[test]
fn a_release_for_one_board_has_its_files_at_the_top() {
    let (firmware, romfs) = (firmware(SIZE), romfs(SIZE));
    let files: &[(&str, &[u8])] = &[("firmware.bin", &firmware), ("romfs0.img", &romfs)];
    let image = chosen(files, "firmware").unwrap().unwrap();
    assert_eq!(
        (image.start, &image.bytes[..]),
        (0x6004_0000, &firmware[..])
    );
    assert_eq!(image.file, "release.zip:firmware.bin");
    let image = chosen(files, "romfs").unwrap().unwrap();
    assert_eq!((image.start, &image.bytes[..]), (0x6080_0000, &romfs[..]));
}

#[test]
fn a_release_for_all_boards_has_a_folder_for_each() {
    let ours = firmware(SIZE);
    let files: &[(&str, &[u8])] = &[
        ("OPENMV4P/firmware.bin", b"another"),
        ("firmware_5.0.0/OPENMV_RT1060/firmware.bin", &ours),
        ("OPENMV_N6/firmware.bin", b"a third"),
    ];
    let image = chosen(files, "firmware").unwrap().unwrap();
    assert!(image.bytes[..] == ours[..]);
    assert_eq!(
        chosen(files, "romfs").unwrap(),
        None,
        "there is none for anybody"
    );
    // Windows made this one.
    let files: &[(&str, &[u8])] = &[
        ("OPENMV4P\\firmware.bin", b"x"),
        ("openmv_rt1060\\firmware.bin", &ours),
    ];
    assert!(chosen(files, "firmware").unwrap().unwrap().bytes[..] == ours[..]);
}

#[test]
fn a_release_without_this_board_says_which_it_has() {
    let files: &[(&str, &[u8])] = &[
        ("OPENMV4P/firmware.bin", b"x"),
        ("OPENMV_N6/firmware.bin", b"y"),
    ];
    let refusal = chosen(files, "firmware").unwrap_err();
    let Refusal::NotInside { has, .. } = &refusal else {
        panic!("{refusal}");
    };
    assert_eq!(has, &["OPENMV4P", "OPENMV_N6"]);
}

#[test]
fn a_path_that_leaves_the_archive_condemns_all_of_it() {
    let leaving = [
        "../firmware.bin",
        "a/../../firmware.bin",
        "/etc/firmware.bin",
        "..\\firmware.bin",
        "\\firmware.bin",
        "C:\\firmware.bin",
        "c:firmware.bin",
    ];
    for name in leaving {
        let bytes = archive(&[("firmware.bin", b"good"), (name, b"bad")]);
        let refusal = ZipSource::new("release.zip", bytes).err();
        let refusal = refusal.unwrap_or_else(|| panic!("{name} was taken"));
        assert!(matches!(refusal, Refusal::BadArchive { .. }), "{refusal}");
        assert!(
            refusal.to_string().contains("leaves the archive"),
            "{refusal}"
        );
    }
    // Dots are no crime.
    assert!(
        chosen(&[("v5..0/a.b/firmware.bin", b"x")], "firmware")
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_path_with_control_characters_is_shown_escaped() {
    let bytes = archive(&[("../\u{1b}[2Jfirmware.bin", b"bad")]);
    let refusal = ZipSource::new("release.zip", bytes).err().unwrap();
    assert!(!refusal.to_string().contains('\u{1b}'));
}

#[test]
fn a_file_that_unpacks_to_more_than_its_region_is_refused_unread() {
    let bomb = vec![0; 64 << 20];
    let bytes = archive(&[("firmware.bin", &bomb)]);
    assert!(bytes.len() < 1 << 20);
    let mut source = ZipSource::new("release.zip", bytes).unwrap();
    let refusal = choose(&mut source, board(), "firmware").unwrap_err();
    assert!(
        matches!(
            refusal,
            Refusal::TooLarge {
                size: 0x400_0000,
                ..
            }
        ),
        "{refusal}"
    );
}

/// Overwrites the unpacked size in every header of an archive.
fn lie(mut bytes: Vec<u8>, says: u32) -> Vec<u8> {
    for (signature, field) in [(b"PK\x01\x02", 24), (b"PK\x03\x04", 22)] {
        let starts = bytes.windows(4).enumerate().filter(|(_, w)| w == signature);
        let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
        for at in starts {
            bytes[at + field..at + field + 4].copy_from_slice(&says.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn a_bomb_that_lies_about_its_size_is_stopped_at_the_limit() {
    let bomb = vec![0; 64 << 20];
    for says in [0, 4096] {
        let bytes = lie(archive(&[("firmware.bin", &bomb)]), says);
        let mut source = ZipSource::new("release.zip", bytes).unwrap();
        let read = source.read("firmware.bin", 0x3C_0001);
        let refusal = read.expect_err("64 MiB are not 4 KiB");
        assert!(
            matches!(
                refusal,
                Refusal::TooLarge { .. } | Refusal::BadArchive { .. }
            ),
            "{refusal}"
        );
    }
}

#[test]
fn a_file_that_is_shorter_than_it_says_or_damaged_is_not_taken_for_whole() {
    let whole = firmware(SIZE);
    let good = archive(&[("firmware.bin", &whole)]);
    let mut broken = good.clone();
    let at = broken.len() / 3;
    broken[at] ^= 0x55;
    let mut source = ZipSource::new("release.zip", broken).unwrap();
    let refusal = choose(&mut source, board(), "firmware").unwrap_err();
    assert!(matches!(refusal, Refusal::BadArchive { .. }), "{refusal}");

    let mut source = ZipSource::new("release.zip", lie(good, SIZE as u32 + 1)).unwrap();
    if let Ok(Some(image)) = choose(&mut source, board(), "firmware") {
        assert!(
            image.bytes[..] == whole[..],
            "its checksum was right all the same"
        );
    }
}

#[test]
fn an_archive_with_a_great_many_files_is_refused() {
    let names: Vec<String> = (0..10_001).map(|number| number.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let refusal = ZipSource::new("release.zip", archive(&files))
        .err()
        .unwrap();
    assert!(refusal.to_string().contains("10001 entries"), "{refusal}");
}

#[test]
fn a_single_file_is_itself_whatever_its_folder() {
    let bytes = firmware(SIZE);
    let mut file = Bytes::new("build/firmware.bin", "firmware.bin", bytes.clone());
    let image = choose(&mut file, board(), "firmware").unwrap().unwrap();
    assert!(image.bytes[..] == bytes[..]);
    assert_eq!(image.file, "build/firmware.bin");
}

#[test]
fn a_wheel_has_the_loaders_deep_inside_and_the_boards_own_come_first() {
    let path = "openmv_ota/data/flashloaders/OPENMV_RT1060/blhost_flash_loader.bin";
    let files: &[(&str, &[u8])] = &[("other/blhost_flash_loader.bin", b"other"), (path, b"ours")];
    let image = loader(&mut open(files), board(), LoaderRole::Sbl, true).unwrap();
    assert_eq!(&image.bytes[..], b"ours");
    assert_eq!((image.start, image.region.as_str()), (0x6000_1000, "sbl"));
    let refusal = loader(&mut open(files), board(), LoaderRole::Sbl, false).unwrap_err();
    assert!(
        matches!(refusal, Refusal::UnknownLoader { .. }),
        "{refusal}"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_an_archive_panic(
        noise in prop::collection::vec(any::<u8>(), 0..400),
        at in 0..1000_usize,
        value in any::<u8>(),
    ) {
        let _ = ZipSource::new("noise", noise);
        let mut bytes = archive(&[("OPENMV_RT1060/firmware.bin", &[7; 3000]), ("romfs0.img", b"x")]);
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(mut source) = ZipSource::new("damaged", bytes) {
            for name in source.names() {
                let _ = source.read(&name, 10_000);
            }
            let _ = choose(&mut source, board(), "firmware");
            let _ = choose(&mut source, board(), "romfs");
        }
    }
}
