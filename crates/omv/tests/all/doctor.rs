//! `omv doctor` as a person and a script meet it.

use std::fs;
use std::io::Read;

use crate::common::{Desk, text};
use serde_json::{Value, json};

/// The unique id and the serial number of the virtual RT1062.
const SERIAL: &str = "4d3c2b1a62106000";

/// A made-up system: one RT1062 in its bootloader in socket 1-4, the account may do everything.
fn system(desk: &Desk) -> String {
    for (path, text) in [
        ("sys/bus/usb/devices/1-4/idVendor", "15a2\n"),
        ("sys/bus/usb/devices/1-4/idProduct", "0073\n"),
        ("sys/bus/usb/devices/1-4/bcdDevice", "0002\n"),
        ("sys/bus/usb/devices/1-4/busnum", "1\n"),
        ("sys/bus/usb/devices/1-4/devnum", "9\n"),
        ("sys/bus/usb/devices/1-4/serial", "ABCDEF0123456789\n"),
        (
            "sys/bus/usb/devices/1-4/1-4:1.0/0003:15A2:0073.0001/hidraw/hidraw0/dev",
            "",
        ),
        ("dev/hidraw0", ""),
        ("dev/bus/usb/001/009", ""),
        ("run/udev/control", ""),
        ("proc/812/comm", "ModemManager\n"),
        ("sys/class/dmi/id/product_name", "VirtualBox\n"),
    ] {
        let path = desk.path("system").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    text(&desk.path("system")).to_owned()
}

#[test]
fn a_virtual_camera_is_healthy_and_this_machine_has_nothing_to_do_with_it() {
    let desk = Desk::new();
    let ran = desk.omv(&["doctor", "-c", "sim:rt1062"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("running 4.8.0, a virtual camera"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("no problem found"), "{}", ran.out);
    assert!(!ran.out.contains("udev"), "{}", ran.out);
}

#[test]
fn a_problem_has_an_exit_code_of_its_own_and_a_next_step() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("empty/sys")).expect("made");
    let root = desk.path("empty");
    let args = ["doctor", "--root", text(&root), "--watch", "0"];
    let ran = desk.omv(&args);
    assert_eq!(ran.code, Some(11), "{}", ran.err);
    assert!(
        ran.out.contains("PROBLEM") && ran.out.contains("[silent]"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("Run:  omv doctor --watch 60"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        ran.out
    );
    let named = [&args[..], &["-c", "openmv3", "--json"]].concat();
    let result = desk.omv(&named).result();
    assert_eq!(
        (&result["ok"], &result["healthy"]),
        (&true.into(), &false.into())
    );
    let next = result["findings"][0]["next"].as_str().unwrap_or_default();
    assert!(next.contains("BOOT0) to 3.3V"), "{next}");
}

#[test]
fn the_json_of_a_made_up_system_is_what_scripts_rely_on() {
    let desk = Desk::new();
    let root = system(&desk);
    let ran = desk.omv(&["doctor", "--root", &root, "--watch", "0", "--json"]);
    let mut result = ran.result();
    // Root needs no rules; whoever runs the tests may be root.
    let findings = result["findings"].as_array_mut().expect("findings");
    findings.retain(|one| one["code"] != "rules-missing");
    let short: Vec<Value> = findings
        .iter()
        .map(|one| json!([one["code"], one["severity"], one["place"]]))
        .collect();
    assert_eq!(
        short,
        [
            json!(["modem-manager", "warning", null]),
            json!(["in-bootloader", "warning", "usb 1-4"]),
            json!(["virtual-machine", "hint", null]),
        ]
    );
    let fields = [
        "code", "severity", "place", "title", "words", "next", "command", "source",
    ];
    for field in fields {
        assert!(
            findings.iter().all(|one| one.get(field).is_some()),
            "{field}"
        );
    }
    assert_eq!(findings[1]["command"], "omv flash -c 1-4 FIRMWARE");
    let node = |name: &str| format!("{root}/dev/{name}");
    assert_eq!(
        result["cameras"],
        json!([{
            "alternate_names": [],
            "alternates": null,
            "arch": null,
            "board": "OPENMV_RT1060",
            "boards": ["OPENMV_RT1060"],
            "camera": "ABCDEF0123456789",
            "error": null,
            "family": "bootloader",
            "firmware": null,
            "nodes": [
                { "path": node("bus/usb/001/009"), "access": "allowed", "holders": [] },
                { "path": node("hidraw0"), "access": "allowed", "holders": [] },
            ],
            "place": "usb 1-4",
            "release": "0002",
            "serial": "ABCDEF0123456789",
            "simulated": false,
            "state": "sbl",
            "usb": "15A2:0073",
        }])
    );
    assert_eq!(result["healthy"], true);
    assert_eq!(ran.code, Some(0), "warnings are no problems");
}

#[test]
fn another_program_that_holds_the_node_is_named() {
    let desk = Desk::new();
    let root = system(&desk);
    let fd = desk.path("system/proc/77/fd");
    fs::create_dir_all(&fd).expect("made");
    fs::write(desk.path("system/proc/77/comm"), "blhost\n").expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink(desk.path("system/dev/hidraw0"), fd.join("3")).expect("linked");
    let ran = desk.omv(&["doctor", "--root", &root, "--watch", "0"]);
    assert_eq!(ran.code, Some(11));
    assert!(
        ran.out
            .contains("PROBLEM  usb 1-4: in use by blhost (process 77)  [busy]"),
        "{}",
        ran.out
    );
}

#[test]
fn no_serial_number_is_left_in_any_byte_of_a_report() {
    let desk = Desk::new();
    let path = desk.path("report.zip");
    let ran = desk.omv(&["doctor", "-c", "sim:rt1062", "--report", text(&path)]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains(SERIAL), "the screen shows it: {}", ran.out);
    let bytes = fs::read(&path).expect("a report");
    let binary: Vec<u8> = (0..SERIAL.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&SERIAL[at..at + 2], 16).expect("digits"))
        .collect();
    let words: Vec<u8> = binary
        .chunks(4)
        .flat_map(|word| word.iter().rev().copied())
        .collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut numbers = vec![SERIAL.to_owned(), hex(&words)];
    // The firmware tells its unique id in words; in a record the text stands in hexadecimal.
    for text in numbers.clone() {
        numbers.push(hex(text.as_bytes()));
        numbers.push(hex(text.to_uppercase().as_bytes()));
    }
    let lower = bytes.to_ascii_lowercase();
    for number in &numbers {
        let found = lower
            .windows(number.len())
            .any(|window| window == number.as_bytes());
        assert!(!found, "{number} is in the report");
    }
    for form in [&binary, &words] {
        assert!(!bytes.windows(form.len()).any(|window| window == &form[..]));
    }
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
    let mut all = String::new();
    for name in ["report.txt", "report.json", "traffic.txt"] {
        let mut file = archive.by_name(name).expect(name);
        file.read_to_string(&mut all).expect("text");
    }
    for wanted in [
        "# omv record 1",
        "console:921600",
        "omv 0.",
        "\"firmware\": \"4.8.0\"",
    ] {
        assert!(all.contains(wanted), "{wanted} is missing:\n{all}");
    }
}

#[test]
fn serial_numbers_of_a_made_up_system_are_blanked_too() {
    let desk = Desk::new();
    let root = system(&desk);
    let path = desk.path("report.zip");
    desk.omv(&[
        "doctor",
        "--root",
        &root,
        "--watch",
        "0",
        "--report",
        text(&path),
    ]);
    let bytes = fs::read(&path).expect("a report");
    let serial = b"ABCDEF0123456789";
    assert!(!bytes.windows(serial.len()).any(|window| window == serial));
}

#[test]
fn a_light_is_explained_and_a_text_without_one_is_a_usage_error() {
    let desk = Desk::new();
    let ran = desk.omv(&["doctor", "--led", "green blinking", "-c", "openmv3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("The bootloader waits for a host"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("Pure Thermal"), "{}", ran.out);
    let result = desk
        .omv(&["doctor", "--led", "blue flickering thing", "--json"])
        .result();
    assert_eq!(result["not_understood"], json!(["thing"]));
    assert_eq!(result["meanings"][0]["colour"], "blue");
    let ran = desk.omv(&["doctor", "--led", "hedgehog", "--json"]);
    assert_eq!((ran.code, ran.error_code().as_str()), (Some(2), "usage"));
}

#[cfg(target_os = "linux")]
#[test]
fn rules_are_installed_with_consent_only_and_whole() {
    let desk = Desk::new();
    let root = system(&desk);
    let file = desk.path("system/etc/udev/rules.d/60-omv.rules");
    let install = ["doctor", "--root", &root, "--install-rules", "--json"];
    let ran = desk.omv(&install);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(8), "needs-hands")
    );
    assert!(!file.exists(), "nothing without consent");
    let agreed = [&install[..], &["--yes"]].concat();
    let result = desk.omv(&agreed).result();
    assert_eq!(
        (&result["written"], &result["applied"]),
        (&true.into(), &false.into())
    );
    let printed = desk.omv(&["doctor", "--print-rules"]).out;
    assert_eq!(fs::read_to_string(&file).expect("the file"), printed);
    assert!(printed.contains("TAG+=\"uaccess\"") && printed.contains("SUBSYSTEM==\"hidraw\""));
    let again = desk.omv(&agreed).result();
    assert_eq!(again["written"], false, "it is there already");
    let folder = fs::read_dir(file.parent().expect("a folder")).expect("listed");
    assert_eq!(folder.count(), 1, "nothing is left beside it");
    let after = desk
        .omv(&["doctor", "--root", &root, "--watch", "0", "--json"])
        .result();
    let codes = after["findings"].to_string();
    assert!(
        !codes.contains("modem-manager") && !codes.contains("rules-missing"),
        "{codes}"
    );
}

#[test]
fn a_camera_that_is_not_there_is_told_apart_from_none_at_all() {
    let desk = Desk::new();
    let root = system(&desk);
    let args = ["doctor", "--root", &root, "--watch", "0", "--json", "-c"];
    let ran = desk.omv(&[&args[..], &["FFFF"]].concat());
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(3), "not-this-one")
    );
    let ran = desk.omv(&[&args[..], &["openmv4"]].concat());
    assert_eq!(ran.code, Some(11));
    assert_eq!(ran.result()["findings"][0]["code"], "silent");
}
