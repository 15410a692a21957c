//! A running camera: scripts and what they print, pictures and films. The scripts are both: Python
//! for an interpreter, and comments for a virtual camera without one.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Desk, Ran, text};

/// Cameras of both protocols, and one whose console begins with the prompt's banner.
const CAMERAS: [&str; 3] = [
    "sim:rt1062,firmware=5.0.0",
    "sim:rt1062,firmware=4.5.2",
    "sim:h7,firmware=4.5.9",
];
const HELLO: &str = "# omv-sim: print hello\nprint('hello')\n";
const ENDLESS: &str = "# omv-sim: loop\n# omv-sim: print round\n# omv-sim: wait 20\n# omv-sim: repeat\n\
import time\nwhile True:\n    print('round')\n    time.sleep_ms(20)\n";
const RAISES: &str = "# omv-sim: raise ZeroDivisionError divide by zero\n1 // 0\n";
const STREAM: &str = include_str!("browser/stream.py");

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
}

#[test]
fn a_script_runs_and_what_it_prints_comes_on_either_protocol() {
    let desk = Desk::new();
    desk.write("hello.py", HELLO.as_bytes());
    for camera in CAMERAS {
        let ran = desk.omv(&["run", "hello.py", "-c", camera]);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(0), "hello\n"),
            "{camera}: {}",
            ran.err
        );
    }
    let ran = desk.omv(&["run", "hello.py", "-c", CAMERAS[0], "--json"]);
    let events: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(events, ["text", "ended", "result"], "{}", ran.out);
}

#[test]
fn a_script_that_raises_ends_with_10_and_its_traceback_names_the_local_file() {
    let desk = Desk::new();
    let file = desk.write("raises.py", RAISES.as_bytes());
    for camera in CAMERAS {
        let ran = desk.omv(&["run", text(&file), "-c", camera]);
        assert_eq!(ran.code, Some(10), "{camera}: {}", ran.err);
        let place = format!("  File \"{}\", line ", text(&file));
        assert!(ran.out.contains(&place), "{camera}: {}", ran.out);
        assert!(
            ran.err
                .contains("error[script-raised]: the script raised ZeroDivisionError"),
            "{}",
            ran.err
        );
    }
    // Arguments come in a line of their own, which is not counted.
    let line = |more: &[&str]| {
        let words = ["run", "raises.py", "-c", CAMERAS[0], "--json"];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        let ran = desk.omv(&words);
        let what = (ran.code, ran.error_code());
        assert_eq!(what, (Some(10), "script-raised".to_owned()));
        let lines = ran.lines();
        let ended = lines.iter().find(|line| line["event"] == "ended");
        ended.unwrap()["raised"]["line"].as_u64().unwrap()
    };
    assert_eq!(line(&[]), line(&["--", "a", "b'c"]));
}

#[test]
fn a_script_comes_from_standard_input_too() {
    let desk = Desk::new();
    let file = desk.write("hello.py", HELLO.as_bytes());
    let stdin = fs::File::open(file).unwrap();
    let done = desk
        .command(&["run", "-", "-c", CAMERAS[0]])
        .stdin(stdin)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "hello\n");
}

#[test]
fn ctrl_c_stops_the_script_within_a_second_and_not_the_camera() {
    let desk = Desk::new();
    desk.write("endless.py", ENDLESS.as_bytes());
    desk.write("hello.py", HELLO.as_bytes());
    let _camera = desk.sim(&[]);
    desk.until("rt1062", "run");
    let mut child = desk
        .command(&["run", "endless.py", "-c", "rt1062"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "round");
    let begun = Instant::now();
    interrupt(&child);
    let status = child.wait().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_ne!(status.code(), Some(0));
    let again = desk.omv(&["run", "hello.py", "-c", "rt1062"]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "hello\n"),
        "{}",
        again.err
    );
}

#[test]
fn a_script_is_stopped_when_its_time_is_over_and_by_another_program() {
    let desk = Desk::new();
    desk.write("endless.py", ENDLESS.as_bytes());
    let ran = desk.omv(&[
        "run",
        "endless.py",
        "-c",
        CAMERAS[1],
        "--timeout",
        "0.5",
        "--json",
    ]);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(1), "script-timeout"),
        "{}",
        ran.out
    );
    let stopped = desk.omv(&["stop", "-c", CAMERAS[0]]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.err);
}

#[test]
fn a_script_that_resets_its_camera_is_told_from_a_cable_that_was_pulled() {
    let desk = Desk::new();
    let reset = "# omv-sim: print going\n# omv-sim: wait 50\n# omv-sim: reset\n\
import machine, time\nprint('going')\ntime.sleep_ms(50)\nmachine.reset()\n";
    desk.write("reset.py", reset.as_bytes());
    desk.write(
        "sleep.py",
        reset
            .replace("reset", "sleep")
            .replace("machine.sleep", "machine.deepsleep")
            .as_bytes(),
    );
    for camera in CAMERAS {
        // One that sleeps stays away, as one without power.
        for (script, code) in [
            ("reset.py", "camera-restarted"),
            ("sleep.py", "camera-gone"),
        ] {
            let ran = desk.omv(&["run", script, "-c", camera, "--json"]);
            assert_eq!(
                (ran.code, ran.error_code().as_str()),
                (Some(1), code),
                "{camera}: {}",
                ran.out
            );
        }
    }
}

#[test]
fn a_saved_script_runs_again_and_has_its_time_anew() {
    let desk = Desk::new();
    let file = desk.write("hello.py", HELLO.as_bytes());
    let words = [
        "run",
        "hello.py",
        "--watch",
        "--timeout",
        "1",
        "-c",
        CAMERAS[0],
    ];
    let mut child = desk
        .command(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut remarks = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut remark = |words: &str| {
        let line = remarks.next().expect("a remark").unwrap();
        assert!(line.contains(words), "{line} and not {words}");
    };
    let save = |text: &[u8]| {
        // Times of files may be as coarse as that.
        std::thread::sleep(Duration::from_millis(50));
        fs::write(&file, text).unwrap();
    };
    assert_eq!(lines.next().unwrap().unwrap(), "hello");
    remark("[waiting until hello.py is saved]");
    save(ENDLESS.as_bytes());
    remark("running it again");
    assert_eq!(lines.next().unwrap().unwrap(), "round");
    // What is no script is not the end of it.
    save(b"print('\xE9')");
    remark("; waiting until hello.py is saved]");
    save(HELLO.replace("hello", "again").as_bytes());
    remark("running it again");
    // What was stopped says so.
    assert!(lines.any(|line| line.unwrap() == "again"));
    remark("[waiting until");
    save(ENDLESS.as_bytes());
    remark("running it again");
    remark("its time was over and it was stopped; waiting until");
    save(ENDLESS.as_bytes());
    remark("running it again");
    save(b"print('\xE9')");
    remark("; waiting until hello.py is saved]");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), None, "the signal ended it");

    let ran = desk.omv(&["run", "-", "--watch", "-c", CAMERAS[0], "--json"]);
    assert_eq!(ran.error_code(), "usage");
}

#[test]
fn bad_scripts_are_refused_before_anything_is_touched() {
    let desk = Desk::new();
    desk.write("latin.py", b"print('\xE9')\n");
    desk.write("large.py", &vec![b'#'; (1 << 20) + 1]);
    for (file, code) in [
        ("latin.py", "script-not-text"),
        ("large.py", "script-too-large"),
        ("none.py", "file"),
    ] {
        let ran = desk.omv(&["run", file, "-c", CAMERAS[0], "--json"]);
        assert_eq!(
            (ran.code, ran.error_code().as_str()),
            (Some(9), code),
            "{}",
            ran.out
        );
    }
}

#[test]
fn escape_sequences_of_a_script_never_reach_the_terminal() {
    let desk = Desk::new();
    let evil = "# omv-sim: print \x1b[2Jred\x1b]0;title\x07 end\nprint('\\x1b[2Jred\\x1b]0;title\\x07 end')\n";
    desk.write("evil.py", evil.as_bytes());
    let ran = desk.omv(&["run", "evil.py", "-c", CAMERAS[0]]);
    assert_eq!(ran.out, "red end\n");
}

#[test]
fn endless_text_that_nobody_reads_ends_quietly() {
    let desk = Desk::new();
    let endless = "# omv-sim: loop\n# omv-sim: print a line of text that comes again and again and again\n# omv-sim: repeat\n\
while True:\n    print('a line of text that comes again and again and again')\n";
    desk.write("endless.py", endless.as_bytes());
    let mut child = desk
        .command(&["run", "endless.py", "-c", CAMERAS[0]])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 20_000]).unwrap();
    drop(out);
    let begun = Instant::now();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn one_picture_goes_into_a_file_on_either_protocol() {
    let desk = Desk::new();
    desk.write("stream.py", STREAM.as_bytes());
    for camera in CAMERAS {
        let ran = desk.omv(&[
            "snap",
            "one.jpg",
            "--script",
            "stream.py",
            "-c",
            camera,
            "--json",
        ]);
        assert_eq!(ran.code, Some(0), "{camera}: {}{}", ran.out, ran.err);
        assert_eq!(
            (&ran.result()["width"], &ran.result()["height"]),
            (&320.into(), &240.into())
        );
        assert!(
            fs::read(desk.path("one.jpg"))
                .unwrap()
                .starts_with(&[0xFF, 0xD8, 0xFF])
        );
    }
    let ran = desk.omv(&["snap", "one.png", "--script", "stream.py", "-c", CAMERAS[0]]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        fs::read(desk.path("one.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let ran = desk.omv(&["snap", "one.bmp", "-c", CAMERAS[0], "--json"]);
    assert_eq!(ran.error_code(), "usage");
}

#[test]
fn a_script_that_shows_no_picture_says_why() {
    let desk = Desk::new();
    let scripts = [
        ("raises.py", RAISES, 10, "script-raised"),
        ("hello.py", HELLO, 1, "no-frame"),
    ];
    let ways: [&[&str]; 4] = [
        &["snap", "one.jpg"],
        &["record", "film.avi"],
        &["record", "film/"],
        &[
            "capture", "set", "--label", "ball", "--every", "1", "--count", "1",
        ],
    ];
    for (name, script, exit, code) in scripts {
        desk.write(name, script.as_bytes());
        for (camera, way) in CAMERAS.iter().flat_map(|one| ways.map(|way| (one, way))) {
            let begun = Instant::now();
            let words = [way, &["--script", name, "-c", camera]].concat();
            let ran = desk.omv(&words);
            let told = format!("{camera} {way:?} {name}: {}{}", ran.out, ran.err);
            assert_eq!(ran.code, Some(exit), "{told}");
            assert!(ran.err.contains(&format!("error[{code}]")), "{told}");
            // What a script says comes before what became of it.
            let said = match exit {
                10 => "  File \"raises.py\", line",
                _ => "hello\n",
            };
            let (before, _) = ran.err.split_once("error[").unwrap();
            assert!(before.contains(said), "{told}");
            assert!(begun.elapsed() < Duration::from_secs(8), "{told}");
        }
    }
    // However much it said before.
    let line = "it says a lot, ".repeat(20);
    let lines = format!("# omv-sim: print {line}\n# omv-sim: wait 10\n").repeat(400);
    desk.write("long.py", format!("{lines}{RAISES}").as_bytes());
    let words = ["snap", "one.jpg", "--script", "long.py", "-c", CAMERAS[0]];
    let ran = desk.omv(&words);
    assert_eq!(ran.code, Some(10), "{}", ran.err);
    assert!(
        ran.err.contains("  File \"long.py\", line"),
        "{}",
        ran.err.len()
    );
    desk.write("endless.py", ENDLESS.as_bytes());
    let words = [
        "snap",
        "one.jpg",
        "--script",
        "endless.py",
        "-c",
        CAMERAS[0],
    ];
    let ran = desk.omv(&words);
    assert!(ran.err.starts_with("round\n"), "{}", ran.err);
    assert!(
        ran.err.contains("no picture came within 10 s"),
        "{}",
        ran.err
    );
    assert!(!desk.path("one.jpg").exists());
    assert!(!desk.path("film.avi.csv").exists() && !desk.path("film").exists());
    let words = [
        "snap", "one.jpg", "--script", "hello.py", "-c", CAMERAS[0], "--json",
    ];
    let ran = desk.omv(&words);
    assert_eq!(ran.lines()[0]["text"], "hello\n", "{}", ran.out);
    assert_eq!(
        (ran.error_code().as_str(), ran.err.as_str()),
        ("no-frame", "")
    );
}

#[test]
fn ctrl_c_ends_the_wait_for_a_picture() {
    let desk = Desk::new();
    desk.write("endless.py", ENDLESS.as_bytes());
    let _camera = desk.sim(&[]);
    desk.until("rt1062", "run");
    for way in [["snap", "one.jpg"], ["record", "film.avi"]] {
        let words = [&way[..], &["--script", "endless.py", "-c", "rt1062"]].concat();
        let mut command = desk.command(&words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_secs(2));
        let begun = Instant::now();
        interrupt(&child);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert!(ran.err.contains("error[stopped]"), "{way:?}: {}", ran.err);
        assert!(begun.elapsed() < Duration::from_secs(4), "{way:?}");
        assert!(!desk.path(way[1]).exists(), "{way:?}");
    }
}

#[test]
fn a_camera_that_shows_nothing_is_given_a_script_that_does() {
    let desk = Desk::new();
    for camera in CAMERAS.iter().chain(&["sim:n6"]) {
        let ran = desk.omv(&["snap", "one.jpg", "-c", camera]);
        assert_eq!(ran.code, Some(0), "{camera}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("320 x 240"), "{camera}: {}", ran.out);
        // Nobody misses what ran on a camera that was made for this.
        assert_eq!(ran.err, "", "{camera}");
    }
    let film = [
        "record", "film.avi", "--frames", "3", "-c", CAMERAS[1], "--json",
    ];
    assert_eq!(desk.omv(&film).result()["frames"], 3);

    // What somebody else's script did is told.
    let _camera = desk.sim(&["--era", "4.5.2"]);
    desk.until("rt1062", "run");
    let ran = desk.omv(&["snap", "two.png", "-c", "rt1062"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("was stopped; `omv reset` starts it again"),
        "{}",
        ran.err
    );
    // It is idle now.
    let ran = desk.omv(&["snap", "three.png", "-c", "rt1062"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_film_has_as_many_pictures_as_asked_for() {
    let desk = Desk::new();
    desk.write("stream.py", STREAM.as_bytes());
    for (name, first) in [("film.avi", "film.avi"), ("pictures/", "pictures/")] {
        let ran = desk.omv(&[
            "record",
            name,
            "--frames",
            "5",
            "--script",
            "stream.py",
            "-c",
            CAMERAS[0],
            "--json",
        ]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        let result = ran.result();
        assert_eq!(
            (&result["frames"], &result["dropped"]),
            (&5.into(), &0.into()),
            "{result}"
        );
        assert_eq!(result["files"][0], first);
    }
    assert!(desk.path("pictures/000005.jpg").exists());
    let table = fs::read_to_string(desk.path("film.avi.csv")).unwrap();
    assert_eq!(table.lines().count(), 6);

    // What was recorded is what another camera sees.
    desk.write(
        "jpeg.py",
        b"# omv-sim: frame 320 240 JPEG\n# omv-sim: wait 1000\n",
    );
    let camera = "sim:rt1062,firmware=5.0.0,scene=film.avi";
    let ran = desk.omv(&["snap", "seen.jpg", "--script", "jpeg.py", "-c", camera]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let [film, seen] = ["film.avi", "seen.jpg"].map(|name| fs::read(desk.path(name)).unwrap());
    assert!(film.windows(seen.len()).any(|part| part == seen));
    let text = ["snap", "x.jpg", "-c", "sim:rt1062,scene=jpeg.py", "--json"];
    assert_eq!(desk.omv(&text).error_code(), "usage");
}

#[test]
fn channels_are_listed_and_old_firmware_says_that_it_has_none() {
    let desk = Desk::new();
    let ran = desk.omv(&["channels", "-c", CAMERAS[0]]);
    assert!(ran.out.contains("stdout"), "{}{}", ran.out, ran.err);
    let ran = desk.omv(&["channels", "-c", CAMERAS[1]]);
    assert!(ran.out.contains("no channels"), "{}{}", ran.out, ran.err);
    let ran = desk.omv(&["channel", "read", "nothing", "-c", CAMERAS[0], "--json"]);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(9), "no-channel"),
        "{}",
        ran.out
    );
}

#[test]
fn a_picture_in_a_file_is_no_terminal() {
    let desk = Desk::new();
    desk.write("stream.py", STREAM.as_bytes());
    let ran = desk.omv(&["view", "--script", "stream.py", "-c", CAMERAS[0], "--json"]);
    assert_eq!(ran.error_code(), "usage");
}
