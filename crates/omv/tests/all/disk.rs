//! `omv disk` as a user runs it, on images: what is wrong, repaired and taken back, rescued,
//! formatted, copied.

use crate::common::Desk;
use omv_fat::{Blueprint, Form, Memory, Scheme, format};

/// A small card with a script that is linked badly: the first link of its chain is gone.
fn card(scheme: Scheme) -> Vec<u8> {
    let mut disk = Memory::new(512, vec![0; 8 << 20]);
    let wish = Blueprint {
        form: Some(Form::Fat12),
        scheme,
        label: "OPENMV".into(),
        serial: 1,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    disk.bytes
}

/// The volume's parts: table, root, data, bytes in a cluster.
fn parts(bytes: &[u8]) -> (usize, usize, usize, usize) {
    let word = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let fat = word(14) * 512;
    let root = fat + 2 * word(22) * 512;
    (fat, root, root + 512 * 32, usize::from(bytes[13]) * 512)
}

/// With a file of two clusters, the chain of which ends after the first.
fn broken() -> (Vec<u8>, Vec<u8>) {
    let mut bytes = card(Scheme::Whole);
    let (fat, root, data, cluster) = parts(&bytes);
    let script: Vec<u8> = b"print('hello')\n"
        .iter()
        .copied()
        .cycle()
        .take(cluster + 100)
        .collect();
    bytes[data..data + script.len()].copy_from_slice(&script);
    let mut entry = b"MAIN    PY \x20\x18".to_vec();
    entry.resize(32, 0);
    entry[26] = 2;
    entry[28..32].copy_from_slice(&(script.len() as u32).to_le_bytes());
    let at = (root..).step_by(32).find(|at| bytes[*at] == 0).unwrap();
    bytes[at..at + 32].copy_from_slice(&entry);
    // Clusters 2 and 3: both are ends.
    for copy in [fat, fat + (root - fat) / 2] {
        bytes[copy + 3..copy + 6].copy_from_slice(&[0xFF, 0xFF, 0xFF]);
    }
    (bytes, script)
}

#[test]
fn a_healthy_card_is_called_healthy_and_a_broken_one_is_not() {
    let desk = Desk::new();
    desk.write("good.img", &card(Scheme::Mbr));
    let good = desk.omv(&["disk", "check", "good.img"]);
    assert_eq!(good.code, Some(0), "{}{}", good.out, good.err);
    assert!(
        good.out.contains("healthy, and a camera takes it"),
        "{}",
        good.out
    );
    desk.write("broken.img", &broken().0);
    let bad = desk.omv(&["disk", "check", "broken.img"]);
    assert_eq!(bad.code, Some(11), "{}{}", bad.out, bad.err);
    assert!(
        bad.out.contains("error[chain-short]: /main.py"),
        "{}",
        bad.out
    );
    let json = desk.omv(&["disk", "check", "broken.img", "--json"]);
    let lines: Vec<serde_json::Value> = json
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["code"], "chain-short");
    assert_eq!(lines[0]["loss"], "loss-free");
    assert_eq!(lines.last().unwrap()["healthy"], false);
}

#[test]
fn a_repair_shows_its_plan_links_what_was_lost_and_can_be_taken_back() {
    let desk = Desk::new();
    let (bytes, script) = broken();
    let disk = desk.write("card.img", &bytes);
    let plan = desk.omv(&["disk", "repair", "card.img", "--dry-run"]);
    assert_eq!(plan.code, Some(0), "{}{}", plan.out, plan.err);
    assert!(
        plan.out.contains("link the chain that follows"),
        "{}",
        plan.out
    );
    assert_eq!(std::fs::read(&disk).unwrap(), bytes);
    let asked = desk.omv(&["disk", "repair", "card.img"]);
    assert_eq!(asked.code, Some(8), "{}{}", asked.out, asked.err);
    assert_eq!(std::fs::read(&disk).unwrap(), bytes);
    let done = desk.omv(&["disk", "repair", "card.img", "--yes", "--undo", "back.txt"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_eq!(desk.omv(&["disk", "check", "card.img"]).code, Some(0));
    let out = desk.omv(&["disk", "rescue", "card.img", "saved"]);
    assert_eq!(out.code, Some(0), "{}{}", out.out, out.err);
    assert_eq!(std::fs::read(desk.path("saved/main.py")).unwrap(), script);
    let undone = desk.omv(&["disk", "undo", "card.img", "back.txt", "--yes"]);
    assert_eq!(undone.code, Some(0), "{}{}", undone.out, undone.err);
    assert_eq!(std::fs::read(&disk).unwrap(), bytes);
}

#[test]
fn a_rescue_takes_a_broken_file_whole_and_leaves_the_disk_alone() {
    let desk = Desk::new();
    let (bytes, script) = broken();
    let disk = desk.write("card.img", &bytes);
    let out = desk.omv(&["disk", "rescue", "card.img", "saved"]);
    assert_eq!(out.code, Some(0), "{}{}", out.out, out.err);
    assert_eq!(std::fs::read(desk.path("saved/main.py")).unwrap(), script);
    assert_eq!(std::fs::read(&disk).unwrap(), bytes);
    let again = desk.omv(&["disk", "rescue", "card.img", "saved"]);
    assert_eq!(
        again.code,
        Some(2),
        "a folder with files in it is not written to"
    );
}

#[test]
fn a_format_asks_twice_and_an_image_comes_back_as_it_was() {
    let desk = Desk::new();
    let bytes = broken().0;
    let disk = desk.write("card.img", &bytes);
    let saved = desk.omv(&["disk", "image", "save", "card.img", "copy.img"]);
    assert_eq!(saved.code, Some(0), "{}{}", saved.out, saved.err);
    for words in [
        &["--yes"][..],
        &["--erase", "card.img"],
        &["--yes", "--erase", "other.img"],
    ] {
        let all = [&["disk", "format", "card.img"], words].concat();
        assert!(matches!(desk.omv(&all).code, Some(2 | 8)));
        assert_eq!(std::fs::read(&disk).unwrap(), bytes);
    }
    let done = desk.omv(&["disk", "format", "card.img", "--yes", "--erase", "card.img"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_ne!(std::fs::read(&disk).unwrap(), bytes);
    assert_eq!(desk.omv(&["disk", "check", "card.img"]).code, Some(0));
    let words = [
        "disk", "image", "restore", "copy.img", "card.img", "--yes", "--erase", "card.img",
    ];
    let back = desk.omv(&words);
    assert_eq!(back.code, Some(0), "{}{}", back.out, back.err);
    assert_eq!(std::fs::read(&disk).unwrap(), bytes);
}

#[test]
fn what_is_no_disk_is_refused_clearly() {
    let desk = Desk::new();
    desk.write("text.txt", b"not a disk");
    desk.write("undo.txt", b"omv disk undo 1\nsize 5\nsector 512\n0 ZZ\n");
    assert_eq!(desk.omv(&["disk", "check", "missing.img"]).code, Some(9));
    assert_eq!(desk.omv(&["disk", "check", "."]).code, Some(2));
    assert_eq!(desk.omv(&["disk", "check", "text.txt"]).code, Some(11));
    assert_eq!(
        desk.omv(&["disk", "undo", "text.txt", "undo.txt", "--yes"])
            .code,
        Some(2)
    );
    let format = desk.omv(&["disk", "format", "text.txt", "--yes", "--erase", "text.txt"]);
    assert_eq!(format.code, Some(9), "{}{}", format.out, format.err);
    assert_eq!(std::fs::read(desk.path("text.txt")).unwrap(), b"not a disk");
}
