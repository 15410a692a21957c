//! DFU files: those of dfu-util's tools, and those of nobody.

use std::collections::BTreeMap;

use omv_wire::Malformed;
use omv_wire::dfu::Suffix;
use omv_wire::dfu::dfuse::{Element, File, Target};
use proptest::prelude::*;

fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let text = include_str!("../../vectors/dfu_files.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let named = lines.filter_map(|line| line.split_once(": "));
    named.map(|(name, hex)| (name, bytes(hex))).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |text: &str| -> Vec<u8> {
        let pairs = (0..text.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    hex.split_whitespace()
        .flat_map(|token| match token.split_once('*') {
            Some((byte, times)) => digits(byte).repeat(times.parse().unwrap()),
            None => digits(token),
        })
        .collect()
}

const ANY: Suffix = Suffix {
    release: None,
    product: None,
    vendor: None,
    version: Suffix::PLAIN,
};

#[test]
fn suffixes_of_dfu_suffix_are_read_and_written() {
    let openmv = Suffix {
        release: Some(0x0103),
        product: Some(0x9204),
        vendor: Some(0x37C5),
        version: Suffix::PLAIN,
    };
    let st = Suffix {
        release: Some(0),
        product: Some(0xDF11),
        vendor: Some(0x0483),
        version: Suffix::DFUSE,
    };
    let vectors = vectors();
    for (name, content, suffix) in [
        ("suffix-openmv", &b"OpenMV"[..], openmv),
        ("suffix-any", b"OpenMV", ANY),
        ("suffix-empty", b"", st),
    ] {
        let file = &vectors[name];
        assert_eq!(Suffix::split(file), Ok((content, Some(suffix))), "{name}");
        let mut built = content.to_vec();
        suffix.append(&mut built);
        assert_eq!(built, *file, "{name}");
    }
    assert!(openmv.is_for(0x37C5, 0x9204) && !openmv.is_for(0x37C5, 0x9203));
    assert!(ANY.is_for(0x37C5, 0x9204));
}

#[test]
fn a_file_without_the_mark_has_no_suffix() {
    for file in [&b""[..], b"OpenMV", &[0xFF; 40], b"UFD\x10\0\0\0\0"] {
        assert_eq!(Suffix::split(file), Ok((file, None)));
    }
}

#[test]
fn a_damaged_file_is_refused_wherever_it_was_damaged() {
    let good = &vectors()["suffix-openmv"];
    for at in 0..good.len() {
        let mut file = good.clone();
        file[at] ^= 0x20;
        let marks = good.len() - 8..good.len() - 5;
        match Suffix::split(&file) {
            Err(Malformed::Checksum { .. }) => assert!(!marks.contains(&at)),
            Ok((_, None)) => assert!(marks.contains(&at)),
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn a_suffix_longer_than_its_file_or_too_short_is_refused() {
    for length in [0u8, 15, 23, 255] {
        let mut file = vectors()["suffix-openmv"].clone();
        file.truncate(file.len() - 5);
        file.push(length);
        let fixed = guarded(&file);
        let refused = Malformed::Field {
            field: "bLength",
            value: length.into(),
        };
        assert_eq!(Suffix::split(&fixed), Err(refused));
    }
    let mut file = vectors()["suffix-openmv"].clone();
    file.truncate(file.len() - 5);
    file.push(18);
    let (content, suffix) = Suffix::split(&guarded(&file))
        .map(|(c, s)| (c.to_vec(), s))
        .unwrap();
    assert_eq!(content, b"Open");
    assert!(suffix.is_some());
}

/// The file with the checksum it ought to have.
fn guarded(file: &[u8]) -> Vec<u8> {
    let crc = file.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    [file, &crc.to_le_bytes()].concat()
}

/// Breaks a good file at one place and makes its checksum good again.
fn broken(file: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut file = file[..file.len() - 4].to_vec();
    file[at..at + with.len()].copy_from_slice(with);
    guarded(&file)
}

#[test]
fn files_of_dfuse_pack_are_read_and_written() {
    let vectors = vectors();
    let rising: Vec<u8> = (0..32).collect();
    let one = |address, data| Element { address, data };
    let target = |alternate, elements| Target {
        alternate,
        name: Some("ST...".to_owned()),
        elements,
    };
    let suffix = |vendor, product| Suffix {
        release: Some(0),
        product: Some(product),
        vendor: Some(vendor),
        version: Suffix::DFUSE,
    };
    let single = vec![target(0, vec![one(0x0800_0000, &rising[..])])];
    let several = vec![
        target(
            0,
            vec![one(0x0800_0000, &rising[..]), one(0x0804_0000, b"hello")],
        ),
        target(1, vec![one(0x9000_0000, b"hello")]),
    ];
    for (name, file) in [
        (
            "dfuse-one",
            File {
                suffix: suffix(0x0483, 0xDF11),
                targets: single.clone(),
                counts_suffix: true,
            },
        ),
        (
            "dfuse-st",
            File {
                suffix: suffix(0x0483, 0xDF11),
                targets: single,
                counts_suffix: false,
            },
        ),
        (
            "dfuse-many",
            File {
                suffix: suffix(0x2341, 0x035B),
                targets: several,
                counts_suffix: true,
            },
        ),
    ] {
        assert!(File::is_one(&vectors[name]));
        assert_eq!(File::read(&vectors[name]).as_ref(), Ok(&file), "{name}");
        assert_eq!(file.write().as_ref(), Ok(&vectors[name]), "{name}");
    }
}

#[test]
fn a_file_whose_counts_disagree_is_refused() {
    let good = &vectors()["dfuse-many"];
    assert!(File::read(&broken(good, 0, b"DfuSe")).is_ok());
    for (what, at, with) in [
        ("signature", 0, &b"DfuSE"[..]),
        ("version", 5, &[2]),
        ("size", 6, &[0x80]),
        ("fewer targets", 10, &[1]),
        ("more targets", 10, &[3]),
        ("target signature", 11, b"target"),
        ("target size", 277, &[54]),
        ("target size beyond the file", 279, &[0xFF]),
        ("fewer elements", 281, &[1]),
        ("more elements", 281, &[3]),
        ("elements without end", 281, &[0xFF; 4]),
        ("address at the end", 285, &[0xFF; 4]),
        ("element size", 289, &[33]),
        ("element size without end", 289, &[0xFF; 4]),
    ] {
        let file = broken(good, at, with);
        assert!(Suffix::split(&file).is_ok(), "{what}");
        assert!(File::read(&file).is_err(), "{what}");
    }
    assert!(File::read(&good[..good.len() - 16]).is_err());
    assert!(!File::is_one(b"DfuS") && File::read(b"DfuSe").is_err());
}

#[test]
fn what_does_not_fit_into_a_file_is_not_written() {
    let mut file = File {
        suffix: ANY,
        targets: vec![Target {
            alternate: 0,
            name: Some("x".repeat(256)),
            elements: Vec::new(),
        }],
        counts_suffix: false,
    };
    assert!(file.write().is_err());
    file.targets[0].name = Some("a\0b".to_owned());
    assert!(file.write().is_err());
    file.targets[0].name = None;
    assert!(file.write().is_ok());
    file.targets = vec![file.targets[0].clone(); 256];
    assert!(file.write().is_err());
}

proptest! {
    #[test]
    fn any_file_reads_as_it_was_written(
        contents in proptest::collection::vec(
            (any::<u8>(), proptest::option::of("[^\0]{0,60}"), proptest::collection::vec(
                (0u32..0xFFFF_0000, proptest::collection::vec(any::<u8>(), 0..40)), 0..4)),
            0..4),
        ids in (any::<u16>(), any::<u16>(), any::<u16>()),
        counts_suffix: bool,
    ) {
        let known = |id: u16| Some(id).filter(|id| *id != u16::MAX);
        let file = File {
            suffix: Suffix {
                release: known(ids.0),
                product: known(ids.1),
                vendor: known(ids.2),
                version: Suffix::DFUSE,
            },
            targets: contents.iter().map(|(alternate, name, elements)| Target {
                alternate: *alternate,
                name: name.clone(),
                elements: elements.iter()
                    .map(|(address, data)| Element { address: *address, data })
                    .collect(),
            }).collect(),
            counts_suffix,
        };
        let written = file.write().unwrap();
        prop_assert_eq!(File::read(&written), Ok(file));
    }

    #[test]
    fn any_bytes_are_a_file_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        at in 0usize..600,
        with in any::<[u8; 4]>(),
    ) {
        let _ = Suffix::split(&bytes);
        let _ = File::read(&bytes);
        let _ = File::read(&guarded(&[&b"DfuSe\x01"[..], &bytes, b"UFD\x10"].concat()));
        if let Ok(file) = File::read(&broken(&vectors()["dfuse-many"], at, &with)) {
            prop_assert!(file.write().is_ok());
        }
    }

    #[test]
    fn a_suffix_comes_off_as_it_went_on(content in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut file = content.clone();
        ANY.append(&mut file);
        prop_assert_eq!(Suffix::split(&file), Ok((&content[..], Some(ANY))));
    }
}
