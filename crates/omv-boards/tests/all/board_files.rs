//! What a board file must not say, and how it is told.

use std::collections::BTreeSet;

use omv_boards::{Error, State, parse, parse_all};
use proptest::prelude::*;

/// The smallest board with a flash map: two regions in a memory of four sectors.
const SMALL: &str = r#"
name = "SMALL"
title = "Small board"
mcu = "None"
life = "current"
source = "a test"

[[seen]]
state = "dfu"
usb = { vid = 0x37C5, pid = 0x9999 }
speak = "dfu"
hands = "Unplug and plug in."

[[memory]]
kind = "internal"
start = 0x1000
size = 0x4000
sectors = [{ count = 4, size = 0x1000 }]

[[layout]]
name = "current"

[[layout.region]]
name = "FIRMWARE"
role = "firmware"
memory = "internal"
start = 0x1000
size = 0x2000
erase_unit = 0x1000
alternate = { number = 0, name = "FIRMWARE" }
files = ["firmware.bin"]

[[layout.region]]
name = "DISK"
role = "disk"
memory = "internal"
start = 0x3000
size = 0x1000
erase_unit = 0x1000
alternate = { number = 1, name = "DISK" }
quick_erase = 4096

[[image]]
file = "firmware.bin"
region = "FIRMWARE"

[limits]
appear = 1
enter = 1
run = 1
erase = 1
firmware = 1
romfs = 1
"#;

/// The small board with one change, which must occur.
fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replacen(from, to, 1)
}

fn refusal(from: &str, to: &str) -> Error {
    parse(&changed(from, to)).expect_err(to)
}

#[test]
fn the_small_board_is_accepted() {
    assert_eq!(parse(SMALL).unwrap().name, "SMALL");
}

#[test]
fn an_unknown_key_is_refused_with_its_name_and_line() {
    let Error::Syntax {
        line,
        column,
        message,
    } = refusal("quick_erase", "quick_erse")
    else {
        panic!("another refusal");
    };
    assert!(message.contains("quick_erse"), "{message}");
    let expected = SMALL
        .lines()
        .position(|line| line.starts_with("quick_erase"))
        .unwrap()
        + 1;
    assert_eq!((line, column), (expected, 1));
}

#[test]
fn a_missing_key_is_refused_with_its_name() {
    let Error::Syntax { message, .. } = refusal("mcu = \"None\"\n", "") else {
        panic!("another refusal");
    };
    assert!(message.contains("mcu"), "{message}");
}

#[test]
fn a_version_or_state_nobody_knows_is_refused() {
    assert_eq!(refusal("\"dfu\"", "\"dfoo\"").code(), "board-syntax");
    assert_eq!(
        refusal("speak", "since = \"4.6\"\nspeak").code(),
        "board-syntax"
    );
}

#[test]
fn overlapping_regions_are_refused_unless_declared() {
    let overlapping = refusal("start = 0x3000", "start = 0x2000");
    let (board, first, second) = ("SMALL".into(), "FIRMWARE".into(), "DISK".into());
    assert_eq!(
        overlapping,
        Error::Overlap {
            board,
            first,
            second
        }
    );
    let declared = "start = 0x2000\noverlaps = [\"FIRMWARE\"]";
    assert!(parse(&changed("start = 0x3000", declared)).is_ok());
    let wrong = "start = 0x2000\noverlaps = [\"FIRMWALE\"]";
    assert_eq!(refusal("start = 0x3000", wrong).code(), "board-dangling");
}

#[test]
fn a_forbidden_region_is_writable_in_no_state_whatever_else_it_says() {
    let disk = |line: &str| {
        let text = changed(
            "quick_erase = 4096",
            &format!("writable_in = [\"dfu\"]\n{line}"),
        );
        let region = parse(&text).unwrap().region("disk").unwrap().clone();
        (region.is_writable_in(State::Dfu), region.is_read_only())
    };
    assert_eq!(disk(""), (true, false));
    assert_eq!(disk("forbidden = \"It bites.\""), (false, true));
}

#[test]
fn the_same_region_twice_is_refused() {
    assert_eq!(
        refusal("name = \"DISK\"\nrole", "name = \"firmware\"\nrole").code(),
        "board-twice"
    );
}

#[test]
fn sizes_that_break_an_erase_unit_are_refused() {
    assert_eq!(
        refusal("size = 0x2000", "size = 0x1800").code(),
        "board-broken-units"
    );
    assert_eq!(
        refusal("erase_unit = 0x1000", "erase_unit = 0").code(),
        "board-broken-units"
    );
    assert_eq!(
        refusal("erase_unit = 0x1000", "erase_unit = 0x1800").code(),
        "board-broken-units"
    );
    let short = SMALL.replacen(
        "start = 0x3000\nsize = 0x1000",
        "start = 0x3000\nsize = 0x800",
        1,
    );
    let short = short.replacen(
        "erase_unit = 0x1000\nalternate = { number = 1",
        "erase_unit = 0x800\nalternate = { number = 1",
        1,
    );
    let short = short.replacen("quick_erase = 4096\n", "", 1);
    assert_eq!(parse(&short).unwrap_err().code(), "board-broken-units");
    let late = SMALL.replacen(
        "start = 0x3000\nsize = 0x1000",
        "start = 0x3800\nsize = 0x1800",
        1,
    );
    let late = late.replacen(
        "erase_unit = 0x1000\nalternate = { number = 1",
        "erase_unit = 0x800\nalternate = { number = 1",
        1,
    );
    assert_eq!(parse(&late).unwrap_err().code(), "board-broken-units");
    assert_eq!(
        refusal("start = 0x3000", "start = 0x3800").code(),
        "board-broken-units"
    );
}

#[test]
fn regions_outside_of_their_memory_are_refused() {
    assert_eq!(
        refusal("start = 0x3000", "start = 0x5000").code(),
        "board-outside"
    );
    assert_eq!(
        refusal("start = 0x3000", "start = 0xFFFF_F000").code(),
        "board-outside"
    );
    assert_eq!(
        refusal("memory = \"internal\"", "memory = \"qspi\"").code(),
        "board-outside"
    );
    assert_eq!(refusal("count = 4", "count = 5").code(), "board-outside");
    assert_eq!(
        refusal("quick_erase = 4096", "quick_erase = 4097").code(),
        "board-outside"
    );
    assert_eq!(
        refusal("quick_erase = 4096", "quick_erase = 0").code(),
        "board-outside"
    );
    assert_eq!(
        refusal("quick_erase = 4096", "vector_sector = 0x2000").code(),
        "board-outside"
    );
    let no_sectors = "[{ count = 4, size = 0x1000 }, { count = 9, size = 0 }]";
    assert_eq!(
        refusal("[{ count = 4, size = 0x1000 }]", no_sectors).code(),
        "board-outside"
    );
}

#[test]
fn two_regions_with_one_alternate_are_refused() {
    assert_eq!(refusal("number = 1", "number = 0").code(), "board-twice");
    let same_name = refusal(
        "number = 1, name = \"DISK\"",
        "number = 1, name = \"FIRMWARE\"",
    );
    assert_eq!(same_name.code(), "board-twice");
}

#[test]
fn a_board_without_source_is_refused() {
    let (board, what) = ("SMALL".into(), "source".into());
    assert_eq!(
        refusal("\"a test\"", "\" \""),
        Error::Missing { board, what }
    );
}

#[test]
fn a_state_without_operator_text_is_refused() {
    let error = refusal(
        "hands = \"Unplug and plug in.\"\n",
        "soft = [\"v2-boot\"]\n",
    );
    assert_eq!(error.code(), "board-missing");
    assert!(error.to_string().contains("dfu"), "{error}");
}

#[test]
fn two_eras_of_one_id_may_meet_but_not_share_a_release() {
    let two = |until: &str, since: &str| {
        let again = "[[seen]]\nstate = \"run\"\nusb = { vid = 1, pid = 2 }\nspeak = \"v1\"\n";
        let text =
            format!("{again}until = \"{until}\"\n\n{again}since = \"{since}\"\n\n[[memory]]");
        parse(&changed("[[memory]]", &text))
    };
    assert!(two("4.5.9", "4.6.0").is_ok());
    assert_eq!(two("4.6.0", "4.6.0").unwrap_err().code(), "board-same-era");
}

#[test]
fn names_that_lead_nowhere_are_refused() {
    assert_eq!(
        refusal("region = \"FIRMWARE\"", "region = \"FIRM\"").code(),
        "board-dangling"
    );
    assert_eq!(
        refusal("[\"firmware.bin\"]", "[\"other.bin\"]").code(),
        "board-dangling"
    );
    let serials = "[serials]\nrun = \"board-id\"\n\n[limits]";
    assert_eq!(refusal("[limits]", serials).code(), "board-dangling");
    let huge = "region = \"FIRMWARE\"\nexact_size = 0x2001";
    assert_eq!(
        refusal("region = \"FIRMWARE\"", huge).code(),
        "board-outside"
    );
}

#[test]
fn two_boards_may_not_share_a_name_a_title_or_an_openmv_id() {
    let renamed = SMALL.replacen("\"SMALL\"", "\"OTHER\"", 1);
    let retitled = renamed.replacen("Small board", "Other board", 1);
    let other = retitled.replacen("0x9999", "0x9998", 1);
    let check = |text: &str| parse_all(&[("a.toml", SMALL), ("b.toml", text)]);
    let boards = check(&other).unwrap();
    assert_eq!(boards[0].name, "OTHER", "sorted by name, not by file");
    let alias = other.replacen("mcu =", "aliases = [\"small\"]\nmcu =", 1);
    for (text, what) in [
        (SMALL, "name"),
        (&*alias, "name"),
        (&*renamed, "title"),
        (&*retitled, "USB id"),
    ] {
        let Err(Error::Twice { what: found, .. }) = check(text) else {
            panic!("{what}")
        };
        assert_eq!(found, what);
    }
}

#[test]
fn a_refused_file_is_named() {
    let error = parse_all(&[("small.toml", "name = 1")]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("small.toml: line 1, column 8"),
        "{error}"
    );
    assert_eq!(error.code(), "board-syntax");
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_a_hint() {
    let text = String::new;
    let errors = [
        Error::Syntax {
            line: 1,
            column: 1,
            message: text(),
        },
        Error::Missing {
            board: text(),
            what: text(),
        },
        Error::Twice {
            board: text(),
            what: "",
            value: text(),
        },
        Error::Dangling {
            board: text(),
            from: text(),
            what: "",
            value: text(),
        },
        Error::Overlap {
            board: text(),
            first: text(),
            second: text(),
        },
        Error::BrokenUnits {
            board: text(),
            region: text(),
        },
        Error::Outside {
            board: text(),
            what: text(),
            of: text(),
        },
        Error::SameEra {
            board: text(),
            usb: omv_boards::UsbId { vid: 0, pid: 0 },
            state: State::Run,
        },
    ];
    let codes: BTreeSet<&str> = errors.iter().map(Error::code).collect();
    assert_eq!(codes.len(), errors.len());
    assert!(errors.iter().all(|error| error.help().ends_with('.')));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_number_changed_at_random_never_panics(pick in any::<prop::sample::Index>(), value: u32) {
        let numbers: Vec<usize> = SMALL.match_indices("0x").map(|(at, _)| at).collect();
        let at = numbers[pick.index(numbers.len())];
        let end = at + SMALL[at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
        let text = format!("{}{value:#x}{}", &SMALL[..at], &SMALL[end..]);
        if let Ok(board) = parse(&text) {
            let all = omv_boards::Span { start: 0, end: 0x8000 };
            prop_assert!(board.sectors(omv_boards::MemoryKind::Internal, all).count() <= 4);
        }
    }
}
