//! Images from outside, every layout read back, and everything that should be refused.

use super::*;

fn file(name: &str, bytes: &[u8], alignment: usize) -> Item {
    Item::File {
        name: name.to_owned(),
        bytes: bytes.to_vec(),
        alignment,
    }
}

fn directory(name: &str, items: Vec<Item>) -> Item {
    let name = name.to_owned();
    Item::Directory { name, items }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// What mpremote 1.29.0 writes for `a.txt`, `lib/m.py` and `z.bin` (`romfs --no-mpy build`), but for
/// the last file's bytes, which are 00 to 81.
const MPREMOTE: &str = "d2cd31 8131
    050e 05612e747874 0206 68656c6c6f0a
    0411 036c6962 050b 046d2e7079 0204 783d310a
    05810b 057a2e62696e 028102";

fn small_tree() -> Vec<Item> {
    let counted: Vec<u8> = (0..130).collect();
    vec![
        file("a.txt", b"hello\n", 1),
        directory("lib", vec![file("m.py", b"x=1\n", 1)]),
        file("z.bin", &counted, 1),
    ]
}

#[test]
fn the_compact_layout_is_that_of_mpremote() {
    let mut theirs = hex(MPREMOTE);
    theirs.extend(0..130);
    assert_eq!(write(&small_tree(), Layout::Compact).unwrap(), theirs);
    assert_eq!(write(&[], Layout::Compact).unwrap(), hex("d2cd31 00"));
    let one = [file("a", b"hi", 1)];
    assert_eq!(
        write(&one, Layout::Compact).unwrap(),
        hex("d2cd31 08 0506 0161 0202 6869")
    );
}

/// From openmv/openmv `tools/mkromfs.py` at 5.0.0: the encoder was run on these two entries.
#[test]
fn the_layout_of_openmv_is_that_of_its_builder() {
    let theirs = hex("d2cd31 80808080808080808080808044
         0580808080808 00e 05612e747874 0206 68656c6c6f0a
         05808080808080 26 086d2e74666c697465 0280808080808080 14
         000102030405060708090a0b0c0d0e0f10111213");
    let counted: Vec<u8> = (0..0x14).collect();
    let items = [file("a.txt", b"hello\n", 4), file("m.tflite", &counted, 16)];
    let ours = write(&items, Layout::OpenMv).unwrap();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 84);
}

/// The same encoder on 36 entries: sizes around those where a length takes another byte, three
/// alignments, names of many lengths. The bytes of a file are those of a linear congruence.
#[test]
fn generated_images_are_those_of_openmvs_builder() {
    let sizes = [
        0, 1, 100, 126, 127, 128, 129, 16_380, 16_383, 16_384, 16_390, 70_000,
    ];
    let noise = |seed: usize, length: usize| -> Vec<u8> {
        let mut state = seed as u32 | 1;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(next).collect()
    };
    let mut items = Vec::new();
    for (at, size) in sizes.into_iter().enumerate() {
        for (alignment, end) in [(4, "txt"), (16, "tflite"), (32, "bin")] {
            let name = format!("{}.{end}", "n".repeat(at * 3 + 1));
            items.push(file(&name, &noise(at, size), alignment));
        }
    }
    let image = write(&items, Layout::OpenMv).unwrap();
    assert_eq!(image.len(), 410_000);
    assert_eq!(crate::crc::crc16_xmodem(&image), 0xAB9B);
}

/// Names and contents, with the place of each content.
fn flat(entries: &[Entry<'_>], before: &str, rows: &mut Vec<(String, Vec<u8>, usize)>) {
    for entry in entries {
        let path = format!("{before}{}", String::from_utf8_lossy(entry.name));
        match &entry.node {
            Node::Directory(inside) => flat(inside, &format!("{path}/"), rows),
            Node::File(Some(content)) => {
                rows.push((path, content.bytes.to_vec(), content.offset));
            }
            Node::File(None) => rows.push((path, b"nothing".to_vec(), 0)),
        }
    }
}

fn rows(image: &[u8]) -> Vec<(String, Vec<u8>, usize)> {
    let mut found = Vec::new();
    flat(&read(image).unwrap().entries, "", &mut found);
    found
}

#[test]
fn our_own_layout_has_directories_aligns_contents_and_ends_on_a_unit_of_flash() {
    let items = vec![
        file("a.txt", b"hello\n", 4),
        directory(
            "models",
            vec![
                file("ü.tflite", &[7; 33], 32),
                directory("empty", Vec::new()),
            ],
        ),
        file("none", b"", 16),
    ];
    let image = write(&items, Layout::Aligned).unwrap();
    assert_eq!(image.len() % 16, 0);
    let read_back = read(&image).unwrap();
    assert_eq!(read_back.length % 2, 0);
    assert!(image[read_back.length..].iter().all(|byte| *byte == 0xFF));
    let rows = rows(&image);
    let names: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(names, ["a.txt", "models/ü.tflite", "none"]);
    assert_eq!(rows[1].1, [7; 33]);
    for (row, alignment) in rows.iter().zip([4, 32, 16]) {
        assert_eq!(row.2 % alignment, 0, "{}", row.0);
    }
}

/// In the manner of OpenMV IDE: lengths padded, zeros behind the content inside the file's record.
#[test]
fn zeros_behind_a_content_are_no_records() {
    let image = hex("d2cd31 0e 050c 0161 028004 61626364 00000000");
    assert_eq!(rows(&image[..]), [("a".to_owned(), b"abcd".to_vec(), 11)]);
}

#[test]
fn pointers_padding_unknown_kinds_and_files_without_content_are_read() {
    // Padding, kind 9, then data at the top, and a file that points at it.
    let image = hex("d2cd31 1a 0101ff 0902aaaa 0203616263 0506 0162 03 02 0309 0504 0163 0100");
    let found = rows(&image);
    assert_eq!(found[0], ("b".to_owned(), b"abc".to_vec(), 13));
    assert_eq!(found[1], ("c".to_owned(), b"nothing".to_vec(), 0));
    // Any number may have idle bytes before it.
    let image = hex("d2cd31 8080 0e 808005 8080 08 8001 61 8002 02 6869");
    assert_eq!(rows(&image), [("a".to_owned(), b"hi".to_vec(), 18)]);
}

#[test]
fn what_a_camera_would_stumble_over_is_refused_with_its_place() {
    let cases = [
        ("", 0, "no ROM file system"),
        ("d2cd", 0, "no ROM file system"),
        ("d2cd31", 3, "behind the end"),
        ("d2cd31 05 0503", 3, "cut short"),
        ("d2cd31 02 0000", 4, "kind 0"),
        ("d2cd31 03 050401", 4, "longer than what holds it"),
        ("d2cd31 04 0502 0561", 4, "a name is longer"),
        ("d2cd31 05 0503 016102", 9, "behind the end"),
        ("d2cd31 06 0504 0161 0301", 8, "longer than what holds it"),
        ("d2cd31 08 0506 0161 0302 0900", 8, "outside of the image"),
        ("d2cd31 9080808000 05", 3, "larger than the camera can hold"),
    ];
    for (bytes, at, words) in cases {
        match read(&hex(bytes)) {
            Err(fault) if fault.at == at && fault.what.contains(words) => {}
            other => panic!("{bytes}: {other:?}, not {words:?} at {at}"),
        }
    }
}

#[test]
fn depth_and_number_of_entries_have_a_limit() {
    let mut image = Vec::new();
    for _ in 0..=DEEPEST + 1 {
        let mut outer = vec![4];
        let mut length = Vec::new();
        let size = image.len() + 2;
        length.push(0x80 | (size >> 7) as u8);
        length.push(size as u8 & 0x7F);
        outer.extend(length);
        outer.extend(b"\x01a");
        outer.extend(image);
        image = outer;
    }
    let mut whole = HEADER.to_vec();
    whole.extend([0x80 | (image.len() >> 7) as u8, image.len() as u8 & 0x7F]);
    whole.extend(image);
    assert!(read(&whole).unwrap_err().what.contains("deeper"));
    let tiny = b"\x04\x02\x01a".repeat(MOST_ENTRIES + 1);
    let mut whole = HEADER.to_vec();
    let size = tiny.len();
    whole.extend([
        0x80 | (size >> 14) as u8,
        0x80 | (size >> 7 & 0x7F) as u8,
        size as u8 & 0x7F,
    ]);
    whole.extend(tiny);
    assert!(read(&whole).unwrap_err().what.contains("more files"));
}

#[test]
fn what_no_camera_could_open_is_not_written() {
    let refused = |items: &[Item], layout| write(items, layout).unwrap_err().what;
    for name in ["", "a/b", "a\0"] {
        assert!(refused(&[file(name, b"", 4)], Layout::Aligned).contains("cannot open"));
    }
    let twice = [file("a", b"", 4), directory("a", Vec::new())];
    assert!(refused(&twice, Layout::Compact).contains("twice"));
    assert!(refused(&[file("ü", b"", 4)], Layout::Compact).contains("ASCII"));
    assert!(refused(&[directory("a", Vec::new())], Layout::OpenMv).contains("directory"));
    assert!(refused(&[file("a", b"", 0)], Layout::Aligned).contains("alignment"));
    let mut deep = directory("a", Vec::new());
    for _ in 0..DEEPEST + 1 {
        deep = directory("a", vec![deep]);
    }
    assert!(refused(&[deep], Layout::Aligned).contains("deeply"));
}

#[test]
fn names_that_leave_their_folder_are_not_plain() {
    for name in ["", ".", "..", "a/b", "/", "a\\b", "c:", "a\nb", "\x1b[31m"] {
        assert!(!is_plain(name.as_bytes()), "{name:?}");
    }
    assert!(!is_plain(b"\xFF"));
    assert!(is_plain("modell ü.tflite".as_bytes()) && is_plain(b".hidden"));
}
