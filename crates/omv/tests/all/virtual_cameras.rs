//! Virtual cameras by name and state, as a person asks for them.

use std::time::{Duration, Instant};

use crate::common::{Desk, Ran};

fn listed(desk: &Desk, spec: &str) -> Vec<serde_json::Value> {
    let ran = desk.omv(&["list", "--json", "-c", &format!("sim:{spec}")]);
    assert_eq!(ran.code, Some(0), "{spec}: {}", ran.err);
    serde_json::from_str(&ran.out).expect("a list")
}

#[test]
fn every_board_is_listed_in_the_state_that_was_asked_for() {
    let desk = Desk::new();
    for (spec, state, usb) in [
        ("m4", "run", "37C5:1202"),
        ("m7,state=legacy-bl", "legacy-bl", "1209:ABD1"),
        ("h7", "run", "37C5:1204"),
        ("h7,state=dfu", "dfu", "37C5:9204"),
        ("h7,state=st-rom", "st-rom", "0483:DF11"),
        ("h7,state=no-driver", "no-driver", "37C5:9204"),
        ("h7-plus,state=dfu,bootloader=4.6", "dfu", "37C5:924A"),
        ("pure-thermal,firmware=4.5.9", "run", "1209:ABD1"),
        ("n6,firmware=5.0.0", "run", "37C5:1206"),
        ("ae3,state=se-uart", "se-uart", "0403:6015"),
        (
            "ae3,state=se-uart,quirk=second-bridge",
            "se-uart",
            "1A86:55D3",
        ),
        ("portenta,state=arduino-dfu", "arduino-dfu", "2341:035B"),
        ("giga", "run", "2341:0466"),
        ("nicla,state=arduino-dfu", "arduino-dfu", "2341:035F"),
        ("rt1062,state=sdp", "sdp", "1FC9:0135"),
    ] {
        let cameras = listed(&desk, spec);
        assert_eq!(cameras.len(), 1, "{spec}");
        // Some ids belong to several states; without opening it nobody knows better.
        let states = cameras[0]["states"].as_array().expect("states");
        let alone = cameras[0]["state"] == state;
        assert!(
            alone || states.contains(&state.into()),
            "{spec}: {states:?}"
        );
        assert_eq!(cameras[0]["usb"], usb, "{spec}");
    }
    for silent in [
        "h7,state=silent",
        "nicla,state=silent",
        "portenta,state=cycling",
    ] {
        assert_eq!(
            listed(&desk, silent),
            [] as [serde_json::Value; 0],
            "{silent}"
        );
    }
}

#[test]
fn a_wish_that_makes_no_sense_is_refused_with_what_there_is() {
    let desk = Desk::new();
    let refused = |spec: &str| -> Ran {
        let ran = desk.omv(&["list", "-c", &format!("sim:{spec}")]);
        assert_eq!(ran.code, Some(2), "{spec}: {}", ran.out);
        ran
    };
    assert!(refused("pico").err.contains("h7-plus"));
    assert!(refused("h7,state=sbl").err.contains("legacy-bl"));
    assert!(refused("h7,state=asleep").err.contains("st-rom"));
    assert!(refused("h7,colour=red").err.contains("bootloader"));
    assert!(refused("h7,quirk=blank-part").err.contains("--quirk help"));
    assert!(refused("h7,bootloader=9").err.contains("1.0.3"));
    assert!(refused("n6,bootloader=legacy").err.contains("never had"));
    assert!(refused("rt1062,state=dfu").err.contains("sdp"));
}

#[test]
fn a_camera_in_a_file_keeps_its_board_and_says_so() {
    let desk = Desk::new();
    let here = |spec: &str| desk.omv(&["list", "--json", "-c", &format!("sim:{spec}")]);
    let file = desk.path("camera").display().to_string();
    assert_eq!(here(&format!("h7,firmware=5.0.0@{file}")).code, Some(0));
    let info = desk.omv(&["info", "--json", "-c", &format!("sim:h7@{file}")]);
    assert_eq!(info.result()["firmware"], "5.0.0");
    let other = here(&format!("m7@{file}"));
    assert_eq!(other.code, Some(2), "{}", other.err);
    let state = here(&format!("h7,state=dfu@{file}"));
    assert_eq!(state.code, Some(2), "{}", state.err);
}

#[test]
fn a_served_h7_obeys_hands() {
    let desk = Desk::new();
    let mut child = desk
        .command(&["sim", "h7,state=dfu", "--speed", "10"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the simulator starts");
    let until = Instant::now() + Duration::from_secs(10);
    while desk.omv(&["sim", "ctl", "h7", "status"]).code != Some(0) {
        assert!(Instant::now() < until, "the simulator does not answer");
    }
    desk.until("h7", "dfu");
    for hand in [vec!["jumper", "on"], vec!["reset"]] {
        let words = ["sim", "ctl", "h7"];
        let words: Vec<&str> = words.into_iter().chain(hand).collect();
        assert_eq!(desk.omv(&words).code, Some(0));
    }
    desk.until("h7", "st-rom");
    for hand in [vec!["jumper", "off"], vec!["unplug"], vec!["plug"]] {
        let words = ["sim", "ctl", "h7"];
        let words: Vec<&str> = words.into_iter().chain(hand).collect();
        assert_eq!(desk.omv(&words).code, Some(0));
    }
    desk.until("h7", "run");
    let _ = child.kill();
    let _ = child.wait();
}
