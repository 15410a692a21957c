//! The report behind this project, replayed with the program itself: a script that is fine, on a card that
//! is not, in an RT1062 whose firmware hides a card's errors.

use crate::common::Desk;

/// The same camera each time, started anew with this card.
fn camera(card: &str) -> String {
    format!("sim:rt1062,firmware=5.0.0,sd={card}@camera.sim")
}

/// A formatted card of 32 MiB.
fn card(desk: &Desk, name: &str) {
    let file = std::fs::File::create(desk.path(name)).unwrap();
    file.set_len(32 << 20).unwrap();
    let made = desk.omv(&["disk", "format", name, "--yes", "--erase", name]);
    assert_eq!(made.code, Some(0), "{}", made.err);
}

/// The block of a card on which this script begins.
fn home(desk: &Desk, card: &str, script: &[u8]) -> usize {
    let image = std::fs::read(desk.path(card)).unwrap();
    let mut blocks = image.chunks(512);
    let found = blocks.position(|block| block == &script[..512]);
    found.expect("the script lies on the card")
}

#[test]
fn a_save_onto_a_faulty_card_says_where_and_doctor_says_what_to_do_and_a_good_card_starts() {
    let desk = Desk::new();
    for name in ["dying.img", "good.img"] {
        card(&desk, name);
    }
    // It runs for ever, and is longer than what the card still keeps.
    let line = "# omv-sim: print on\n# omv-sim: wait 20\n";
    let script = format!("# omv-sim: loop\n{}# omv-sim: repeat\n", line.repeat(3000));
    desk.write("main.py", script.as_bytes());

    // Where a save will put it: the first blocks are well, those behind them fail, and the firmware
    // tells nobody.
    std::fs::copy(desk.path("good.img"), desk.path("same.img")).unwrap();
    desk.omv(&["save", "main.py", "--disk", "same.img"]);
    let bad = home(&desk, "same.img", script.as_bytes()) + 20;
    let dying = camera(&format!("dying.img,sd-fault=fails:{bad}-65535"));
    let saved = desk.omv(&["-c", &dying, "save", "main.py"]);
    assert_eq!(saved.code, Some(7), "{}{}", saved.out, saved.err);
    for words in [
        "error[disk-returned-other-data]",
        "returned other data than was written: main.py, byte ",
        "Do not trust this card",
    ] {
        assert!(saved.err.contains(words), "{words}: {}", saved.err);
    }
    let json = desk.omv(&["-c", &dying, "save", "main.py", "--json"]);
    assert_eq!(json.error_code(), "disk-returned-other-data");
    let message = json.result()["error"]["message"].to_string();
    let offset = message.rsplit("byte ").next().unwrap();
    let digits: String = offset.chars().take_while(char::is_ascii_digit).collect();
    let offset: usize = digits.parse().unwrap();
    assert_eq!(offset, 20 * 512, "{message}");

    let doctor = desk.omv(&["-c", &dying, "doctor"]);
    assert_eq!(doctor.code, Some(11), "{}{}", doctor.out, doctor.err);
    for words in ["[disk-faulty]", "use another card", "omv disk test"] {
        assert!(doctor.out.contains(words), "{words}: {}", doctor.out);
    }

    // Another card, the same script: saved, and after a reset it starts.
    let good = camera("good.img");
    let saved = desk.omv(&["-c", &good, "save", "main.py", "--json"]);
    assert_eq!(saved.code, Some(0), "{}{}", saved.out, saved.err);
    let result = saved.result();
    assert_eq!(
        (&result["kind"], &result["restarted"], &result["runs"]),
        (&"sd".into(), &true.into(), &true.into())
    );
    let doctor = desk.omv(&["-c", &good, "doctor"]);
    assert_eq!(doctor.code, Some(0), "{}", doctor.out);
}

#[test]
fn three_bad_blocks_under_main_py_are_enough_for_doctor() {
    let desk = Desk::new();
    card(&desk, "card.img");
    let line = "x = 1  # as long as a script is\n";
    desk.write("main.py", line.repeat(4000).as_bytes());
    let saved = desk.omv(&["save", "main.py", "--disk", "card.img"]);
    assert_eq!(saved.code, Some(0), "{}", saved.err);
    let first = home(&desk, "card.img", line.repeat(16).as_bytes());
    let (bad, last) = (first + 100, first + 102);
    let name = camera(&format!("card.img,sd-fault=fails:{bad}-{last}"));
    let doctor = desk.omv(&["-c", &name, "doctor"]);
    assert_eq!(doctor.code, Some(11), "{}{}", doctor.out, doctor.err);
    assert!(
        doctor.out.contains("[disk-faulty]") && doctor.out.contains(&format!("block {bad}")),
        "{}",
        doctor.out
    );
}

#[test]
fn a_fault_nobody_knows_and_a_fault_without_a_card_are_refused() {
    let desk = Desk::new();
    for camera in [
        "sim:rt1062,sd=8,sd-fault=melts",
        "sim:rt1062,sd-fault=protected",
    ] {
        let ran = desk.omv(&["-c", camera, "list"]);
        assert_eq!(ran.code, Some(2), "{camera}: {}{}", ran.out, ran.err);
    }
    let help = desk.omv(&["sim", "--sd-fault", "help"]);
    assert_eq!(help.code, Some(0), "{}", help.err);
    assert!(help.out.contains("wraps:BLOCKS"), "{}", help.out);
}
