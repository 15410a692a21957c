//! Files on a disk, from the command line: an image stands for a card in a reader.

use crate::common::Desk;

/// A desk with a card of 32 MiB.
fn desk() -> Desk {
    let desk = Desk::new();
    let card = std::fs::File::create(desk.path("card.img")).unwrap();
    card.set_len(32 << 20).unwrap();
    let made = desk.omv(&["disk", "format", "card.img", "--yes", "--erase", "card.img"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    desk
}

#[test]
fn a_script_is_saved_listed_printed_copied_and_removed() {
    let desk = desk();
    let script = b"import time\n\nprint('hello')\n";
    desk.write("blink.py", script);
    let on = ["--disk", "card.img"];
    let omv = |args: &[&str]| {
        let all: Vec<&str> = args.iter().chain(&on).copied().collect();
        let ran = desk.omv(&all);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        ran.out
    };
    assert!(omv(&["save", "blink.py"]).contains("read back twice"));
    assert!(omv(&["save", "blink.py"]).contains("was there already"));
    assert_eq!(omv(&["cat", "main.py"]).as_bytes(), script);
    omv(&["mkdir", "lib"]);
    omv(&["cp", "blink.py", ":lib/"]);
    let listed = omv(&["ls", "-r"]);
    for name in ["/main.py", "/lib/", "/lib/blink.py", "/.openmv_disk"] {
        assert!(listed.contains(name), "{listed}");
    }
    omv(&["cp", ":lib/blink.py", "back.py"]);
    assert_eq!(std::fs::read(desk.path("back.py")).unwrap(), script);
    omv(&["rm", "lib/blink.py"]);
    omv(&["rm", "lib"]);
    assert!(!omv(&["ls", "-r"]).contains("lib"));
    assert!(omv(&["df"]).contains("free"));
    let check = desk.omv(&["disk", "check", "card.img"]);
    assert_eq!(check.code, Some(0), "{}", check.out);
    assert!(!desk.path("card.img.omv-save").exists());
}

#[test]
fn a_script_that_would_not_start_is_refused_and_saved_when_that_is_insisted_on() {
    let desk = desk();
    desk.write("bad.py", b"def x(:\n");
    let refused = desk.omv(&["save", "bad.py", "--disk", "card.img"]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("would not start"), "{}", refused.err);
    let saved = desk.omv(&["save", "bad.py", "--disk", "card.img", "--force"]);
    assert_eq!(saved.code, Some(0), "{}", saved.err);
}

#[test]
fn comments_are_left_out_on_request_and_lines_keep_their_numbers() {
    let desk = desk();
    desk.write(
        "long.py",
        b"\"\"\"What it does.\"\"\"\n# why\nx = '# not a comment'  # but this\n",
    );
    let saved = desk.omv(&["save", "long.py", "--strip", "--disk", "card.img"]);
    assert_eq!(saved.code, Some(0), "{}", saved.err);
    let text = desk.omv(&["cat", "main.py", "--disk", "card.img"]).out;
    assert_eq!(text.lines().nth(2), Some("x = '# not a comment'"), "{text}");
}

#[test]
fn what_cannot_be_done_is_said_with_its_code() {
    let desk = desk();
    desk.write("a.py", b"x = 1\n");
    for (args, code, exit) in [
        (vec!["cat", "nothing.py"], "disk-no-file", 9),
        (vec!["cp", "a.py", ":no/where.py"], "disk-no-folder", 9),
        (vec!["save", "a.py", "--as", "a:b.py"], "disk-bad-name", 9),
        (vec!["rm", "nothing"], "disk-no-file", 9),
        (vec!["cp", "a.py", "b.py"], "usage", 2),
    ] {
        let all: Vec<&str> = args
            .iter()
            .chain(&["--disk", "card.img"])
            .copied()
            .collect();
        let ran = desk.omv(&all);
        assert_eq!(ran.code, Some(exit), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(&format!("[{code}]")), "{}", ran.err);
    }
}

#[test]
fn an_image_is_tested_like_a_card_and_stays_as_it_was() {
    let desk = desk();
    let before = std::fs::read(desk.path("card.img")).unwrap();
    for mode in ["quick", "capacity"] {
        let ran = desk.omv(&["disk", "test", "card.img", "--mode", mode, "--json"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        let result: serde_json::Value =
            serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
        assert_eq!(result["bytes"], 32 << 20);
        assert_eq!(result["restored"], true);
    }
    let full = desk.omv(&["disk", "test", "card.img", "--mode", "full"]);
    assert_eq!(full.code, Some(8), "{}", full.err);
    assert!(std::fs::read(desk.path("card.img")).unwrap() == before);
}

/// What a virtual camera with this card is called.
const CAMERA: &str = "sim:rt1062,firmware=5.0.0,sd=card.img";

#[test]
fn files_on_the_card_of_a_camera_are_worked_on_over_its_usb() {
    let desk = desk();
    let script =
        b"# omv-sim: loop\n# omv-sim: print on\n# omv-sim: wait 20\n# omv-sim: repeat\nx = 1\n";
    desk.write("blink.py", script);
    let omv = |args: &[&str]| {
        let all: Vec<&str> = args.iter().chain(&["-c", CAMERA]).copied().collect();
        let ran = desk.omv(&all);
        assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    let saved = omv(&["save", "blink.py"]);
    assert!(
        saved.contains("main.py on the card of OpenMV Cam RT1062"),
        "{saved}"
    );
    assert!(saved.contains("and it runs"), "{saved}");
    omv(&["mkdir", "lib"]);
    omv(&["cp", "blink.py", ":lib/"]);
    assert_eq!(omv(&["cat", "lib/blink.py"]).as_bytes(), script);
    assert!(omv(&["ls", "-r"]).contains("/lib/blink.py"));
    omv(&["rm", "lib/blink.py"]);
    assert!(omv(&["df", "--json"]).contains("\"kind\":\"sd\""));
    assert!(omv(&["disk", "check"]).contains("a camera takes it"));
    omv(&["disk", "image", "save", ":", "copy.img"]);
    assert!(desk.path("copy.img").exists());
    omv(&["disk", "rescue", ":", "saved"]);
    assert_eq!(std::fs::read(desk.path("saved/main.py")).unwrap(), script);
    let card = std::fs::read(desk.path("card.img")).unwrap();
    assert!(std::fs::read(desk.path("copy.img")).unwrap() == card);
    assert!(omv(&["disk", "test"]).contains("Nothing was found"));
}

#[test]
fn the_internal_disk_of_a_camera_is_written_too_and_a_program_is_set_aside_in_the_bootloader() {
    let desk = Desk::new();
    desk.write("loop.py", b"import machine\nmachine.reset()\n");
    for (camera, model) in [("rt.sim", "rt1062"), ("h7.sim", "h7")] {
        let camera = format!("sim:{model}@{camera}");
        let omv = |args: &[&str]| {
            let all: Vec<&str> = args.iter().chain(&["-c", &camera]).copied().collect();
            let ran = desk.omv(&all);
            assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.out, ran.err);
            ran.out
        };
        let saved = omv(&["save", "loop.py", "--no-reset"]);
        assert!(saved.contains("internal disk"), "{saved}");
        assert!(omv(&["ls"]).contains("/main.py"));
        let backup = format!("{model}.img");
        let aside = omv(&[
            "disk",
            "set-aside",
            "--bootloader",
            "--yes",
            "--backup",
            &backup,
        ]);
        assert!(aside.contains("MAIN.BAK now; 1 sector changed"), "{aside}");
        let listed = omv(&["ls"]).to_lowercase();
        assert!(
            listed.contains("/main.bak") && !listed.contains("/main.py"),
            "{listed}"
        );
        assert_eq!(
            omv(&["cat", "MAIN.BAK"]),
            "import machine\nmachine.reset()\n"
        );
    }
}
