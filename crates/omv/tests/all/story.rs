//! The program and a virtual camera as two processes, as a user meets them.

use std::io::Read;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{self, Desk, Ran, text};
use omv_sim::rt1062::sample;

/// Fast enough that a test takes seconds, slow enough that hands find their moment.
const SPEED: [&str; 2] = ["--speed", "20"];

fn sim(desk: &Desk, name: &str) -> common::Sim {
    desk.sim(&["--name", name, SPEED[0], SPEED[1]])
}

#[test]
fn a_power_cut_in_mid_flash_is_survived_by_flashing_again() {
    let desk = Desk::new();
    let _sim = sim(&desk, "bench");
    desk.until("bench", "run");
    let file = desk.write("firmware.bin", &sample::firmware("5.0.0", 0x4_0000));

    desk.omv(&[
        "sim",
        "ctl",
        "bench",
        "power-cut",
        "--after-bytes",
        "100000",
    ]);
    let cut = desk.omv(&["flash", "--json", text(&file)]);
    assert_eq!(
        (cut.code, cut.error_code().as_str()),
        (Some(1), "camera-gone"),
        "{}",
        cut.out
    );
    let status = desk
        .omv(&["sim", "ctl", "bench", "status", "--json"])
        .result();
    assert_eq!(status["plugged"], false, "the cut is remembered");

    desk.omv(&["sim", "ctl", "bench", "plug"]);
    let again = desk.omv(&["flash", "--json", text(&file)]);
    assert_eq!(again.code, Some(0), "{}\n{}", again.out, again.err);
    let result = again.result();
    assert_eq!(
        (&result["state"], &result["firmware"]),
        (&"run".into(), &"5.0.0".into())
    );
    assert_eq!(result["regions"][0]["verified"], true);
}

#[test]
fn a_dead_camera_is_recovered_with_the_wire_and_runs_once_it_is_removed() {
    let desk = Desk::new();
    let _sim = sim(&desk, "bench");
    desk.omv(&["sim", "ctl", "bench", "unplug"]);
    desk.omv(&["sim", "ctl", "bench", "jumper", "on"]);
    desk.omv(&["sim", "ctl", "bench", "plug"]);
    desk.until("bench", "sdp");

    let mut recover = desk
        .command(&["recover", "-c", "bench", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The hands: once the program asks for it, remove the wire and replug.
    let mut out = recover.stdout.take().unwrap();
    let mut said = String::new();
    let until = Instant::now() + Duration::from_secs(60);
    while !said.contains("\"event\":\"hands\"") {
        let mut buffer = [0; 4096];
        let count = out.read(&mut buffer).unwrap();
        assert!(
            count > 0 && Instant::now() < until,
            "never asked for hands: {said}"
        );
        said.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    for hand in [&["unplug"][..], &["jumper", "off"], &["plug"]] {
        let args: Vec<&str> = ["sim", "ctl", "bench"]
            .iter()
            .chain(hand)
            .copied()
            .collect();
        desk.omv(&args);
    }
    out.read_to_string(&mut said).unwrap();
    let status = recover.wait().unwrap();
    let ran = Ran {
        code: status.code(),
        out: said,
        err: String::new(),
    };
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let result = ran.result();
    assert_eq!(
        (&result["state"], &result["firmware"]),
        (&"run".into(), &"5.0.0".into())
    );
    assert_eq!(result["boot_fuse_set"], true);
    let names: Vec<&str> = result["regions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert!(
        names.contains(&"sbl") && names.contains(&"firmware"),
        "{names:?}"
    );
}

#[test]
fn two_cameras_and_no_name_are_listed_and_nothing_is_done() {
    let desk = Desk::new();
    let _one = sim(&desk, "one");
    let _two = sim(&desk, "two");
    desk.until("one", "run");
    desk.until("two", "run");
    let ran = desk.omv(&["flash", "--json"]);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(4), "several-cameras"),
        "{}",
        ran.out
    );
    let list = desk.omv(&["list", "--json"]);
    let cameras: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(
        cameras.as_array().map(Vec::len),
        Some(2),
        "one array: {}",
        list.out
    );
    let ran = desk.omv(&["flash", "-c", "two", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let firmware = |name| {
        let ran = desk.omv(&["sim", "ctl", name, "status", "--json"]);
        ran.result()["firmware"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        (firmware("one").as_str(), firmware("two").as_str()),
        ("4.8.0", "5.0.0")
    );
}

#[test]
fn a_second_program_is_told_who_holds_the_camera() {
    let desk = Desk::new();
    let _sim = desk.sim(&["--name", "bench", "--speed", "1"]);
    desk.until("bench", "run");
    let first = desk
        .command(&["flash", "-c", "bench"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    desk.until("bench", "sbl");
    sleep(Duration::from_millis(300));
    let second = desk.omv(&["info", "-c", "bench", "--json"]);
    stop(first);
    assert_eq!(
        (second.code, second.error_code().as_str()),
        (Some(5), "busy"),
        "{}",
        second.out
    );
    let message = second.result()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(message.contains("omv flash"), "names the holder: {message}");
}

#[cfg(unix)]
#[test]
fn the_first_interrupt_stops_between_two_frames_and_says_how_the_camera_is() {
    use std::os::unix::process::ExitStatusExt;

    let desk = Desk::new();
    let _sim = desk.sim(&["--name", "bench", "--speed", "1"]);
    desk.until("bench", "run");
    let mut flash = desk
        .command(&["flash", "-c", "bench", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    desk.until("bench", "sbl");
    sleep(Duration::from_secs(2));
    let pid = flash.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    let asked = Instant::now();
    let status = flash.wait().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "stops at the next safe point"
    );
    assert_eq!(
        status.signal(),
        Some(2),
        "the signal is raised again: {status}"
    );
    let mut out = String::new();
    flash
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    let ran = Ran {
        code: None,
        out,
        err: String::new(),
    };
    assert_eq!(ran.error_code(), "stopped");
    let message = ran.result()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(message.contains("waits in its bootloader"), "{message}");
}

#[test]
fn an_update_is_followed_across_usb_id_protocol_and_version() {
    let desk = Desk::new();
    let _sim = sim(&desk, "bench");
    desk.until("bench", "run");
    let before = desk.omv(&["info", "--json"]).result();
    let file = desk.write("firmware.bin", &sample::firmware("5.0.0", 0x2_0000));
    let ran = desk.omv(&["flash", "--json", text(&file)]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let after = desk.omv(&["info", "--json"]).result();
    let facts = |v: &serde_json::Value| {
        ["usb", "protocol", "firmware"].map(|f| v[f].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(facts(&before), ["1209:ABD1", "v1", "4.8.0"]);
    assert_eq!(facts(&after), ["37C5:1060", "v2", "5.0.0"]);
}

#[test]
fn watching_the_list_tells_of_every_coming_and_going() {
    let desk = Desk::new();
    let _sim = sim(&desk, "bench");
    desk.until("bench", "run");
    let watch = desk
        .command(&["list", "--watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(300));
    desk.omv(&["sim", "ctl", "bench", "unplug"]);
    sleep(Duration::from_millis(300));
    desk.omv(&["sim", "ctl", "bench", "plug"]);
    desk.until("bench", "run");
    sleep(Duration::from_millis(300));
    let out = stop(watch);
    let events: Vec<serde_json::Value> = out
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|e| {
            (
                e["event"].as_str().unwrap_or(""),
                e["state"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(told.first(), Some(&("arrived", "run")), "{told:?}");
    assert!(told.contains(&("left", "run")), "{told:?}");
    assert!(
        told.iter().filter(|(event, _)| *event == "arrived").count() >= 2,
        "{told:?}"
    );
    assert_eq!(
        told.last().map(|(_, state)| *state),
        Some("run"),
        "{told:?}"
    );
}

/// Ends a child that would go on, and returns what it said.
fn stop(mut child: std::process::Child) -> String {
    let _ = child.kill();
    let mut out = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        let _ = stdout.read_to_string(&mut out);
    }
    let _ = child.wait();
    out
}
