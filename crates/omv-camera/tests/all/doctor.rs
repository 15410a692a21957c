//! Every known problem: the facts that show it, and what is said. No device, no driver, and no
//! operating system but in these facts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use omv_boards::{UsbId, by_name, candidates};
use omv_camera::doctor::udev;
use omv_camera::doctor::{
    Answer, Code, Facts, Finding, RULES, Remedy, Severity, Sight, UNSEEN, Visit, diagnose,
};
use omv_link::native::health::windows::parse;
use omv_link::native::health::{Access, Host, Node, NodeKind, Platform, Program, RuleFile};

use crate::starts;
const DOCUMENT: &str = include_str!("../../../../docs/doctor.md");

fn id(text: &str) -> UsbId {
    text.parse().unwrap()
}

/// A device with this id in socket 1-4.
fn sight(usb: &str) -> Sight {
    Sight {
        place: "usb 1-4".into(),
        usb: id(usb),
        release: 0x0103,
        serial: None,
        candidates: candidates(id(usb), None),
        simulated: false,
        nodes: Vec::new(),
        alternates: None,
        alternate_names: Vec::new(),
        answer: Answer::NotAsked,
        disk: None,
    }
}

fn running(usb: &str, board: &str, firmware: &str) -> Sight {
    Sight {
        answer: Answer::Who {
            board: by_name(board).unwrap(),
            arch: None,
            usb: None,
            firmware: Some(firmware.parse().unwrap()),
            uid: None,
        },
        ..sight(usb)
    }
}

/// A Linux machine where all is well.
fn linux() -> Host {
    Host {
        platform: Platform::Linux,
        udevd: Some(true),
        rules: vec![RuleFile {
            path: format!("/etc/udev/rules.d/{}", udev::FILE),
            name: udev::FILE.into(),
            text: udev::text(),
        }],
        ..Host::default()
    }
}

fn on(host: Host, cameras: impl IntoIterator<Item = Sight>) -> Facts {
    let cameras: Vec<Sight> = cameras.into_iter().collect();
    let visits = cameras
        .iter()
        .map(|sight| Visit {
            place: sight.place.clone(),
            usb: sight.usb,
            state: sight.state(),
            came: None,
            left: None,
        })
        .collect();
    Facts {
        host: Some(host),
        cameras,
        visits,
        watched: Duration::from_secs(5),
        expected: None,
    }
}

/// Stays in socket 1-4: id, came and left in milliseconds.
fn stays(stays: &[(&str, u64, Option<u64>)]) -> Vec<Visit> {
    stays
        .iter()
        .map(|(usb, came, left)| Visit {
            place: "usb 1-4".into(),
            usb: id(usb),
            state: sight(usb).state(),
            came: (*came > 0).then(|| Duration::from_millis(*came)),
            left: left.map(Duration::from_millis),
        })
        .collect()
}

fn denied(kind: NodeKind) -> Node {
    Node {
        path: "/dev/node".into(),
        kind,
        access: Access::Denied,
        holders: Vec::new(),
    }
}

fn without_rules() -> Host {
    Host {
        rules: Vec::new(),
        ..linux()
    }
}

fn windows(line: &str) -> Host {
    Host {
        platform: Platform::Windows,
        pnp: parse(line),
        ..Host::default()
    }
}

/// Number of the problem, the facts that show it, the code it must have.
fn cases() -> Vec<(&'static str, Facts, Code)> {
    let healthy = || running("37C5:1060", "rt1062", "5.0.0");
    let with = |sight: Sight, change: &dyn Fn(&mut Sight)| {
        let mut sight = sight;
        change(&mut sight);
        on(linux(), [sight])
    };
    let visited = |facts: Facts, visits| Facts { visits, ..facts };
    let legacy = Sight {
        candidates: candidates(id("1209:ABD1"), Some("000000000011")),
        ..sight("1209:ABD1")
    };
    let mut cases = vec![
        (
            "1",
            with(sight("0483:DF11"), &|s| {
                s.serial = Some("200364500000".into());
            }),
            Code::RomRevisionV,
        ),
        (
            "4",
            on(windows("USB\\VID_37C5&PID_9203\\1234\t28\t"), []),
            Code::DriverMissing,
        ),
        (
            "4",
            on(windows("USB\\VID_37C5&PID_9203\\1234\t52\tWinUSB"), []),
            Code::DriverRefused,
        ),
        (
            "4",
            on(windows("USB\\VID_0483&PID_DF11\\1234\t0\tSTTub30"), []),
            Code::DriverForeign,
        ),
        (
            "4",
            on(windows("USB\\VID_0000&PID_0002\\5&1A&0&4\t43\t"), []),
            Code::DeviceFailed,
        ),
        ("5", on(linux(), []), Code::Silent),
        ("10", on(linux(), []), Code::Silent),
        (
            "7",
            on(linux(), [running("2341:045B", "nicla", "4.5.9")]),
            Code::BoardMismatch,
        ),
        (
            "26",
            on(linux(), [running("37C5:1204", "openmv3", "4.8.0")]),
            Code::BoardMismatch,
        ),
        (
            "8",
            on(
                without_rules(),
                [Sight {
                    nodes: vec![denied(NodeKind::Hidraw)],
                    ..sight("1FC9:0135")
                }],
            ),
            Code::NoAccess,
        ),
        (
            "8",
            with(sight("1FC9:0135"), &|s| {
                s.nodes = vec![denied(NodeKind::Hidraw)];
            }),
            Code::RulesNotApplied,
        ),
        ("8", on(without_rules(), [healthy()]), Code::RulesMissing),
        (
            "9",
            Facts {
                host: Some(Host {
                    platform: Platform::MacOs,
                    ..Host::default()
                }),
                ..with(sight("37C5:1060"), &|s| {
                    s.answer = Answer::Failed {
                        code: "no-access",
                        message: "permission denied".into(),
                    };
                })
            },
            Code::NoAccess,
        ),
        (
            "9",
            with(sight("15A2:0073"), &|s| {
                s.nodes = vec![Node {
                    access: Access::Allowed,
                    holders: vec!["blhost (process 12)".into()],
                    ..denied(NodeKind::Hidraw)
                }];
            }),
            Code::Busy,
        ),
        (
            "10",
            with(sight("37C5:1060"), &|s| {
                s.answer = Answer::Failed {
                    code: "protocol",
                    message: "the camera does not answer".into(),
                };
            }),
            Code::NoAnswer,
        ),
        (
            "11",
            visited(
                on(linux(), [sight("1FC9:0135")]),
                stays(&[("1FC9:0135", 0, Some(900)), ("1FC9:0135", 1500, None)]),
            ),
            Code::WireInPlace,
        ),
        ("11", on(linux(), [sight("1FC9:0135")]), Code::InRecovery),
        ("30", on(linux(), [sight("2E8A:0003")]), Code::InRecovery),
        (
            "12",
            on(linux(), [running("1209:ABD1", "rt1062", "4.5.0")]),
            Code::UpdateFirst,
        ),
        (
            "14",
            visited(
                on(
                    Host {
                        hypervisor: Some("VirtualBox".into()),
                        ..linux()
                    },
                    [],
                ),
                stays(&[("37C5:9204", 100, Some(300))]),
            ),
            Code::VirtualMachine,
        ),
        ("15", on(linux(), [sight("2341:005A")]), Code::RetiredBoard),
        (
            "17",
            on(
                Host {
                    programs: vec![Program {
                        name: "ModemManager".into(),
                        process: 812,
                    }],
                    ..without_rules()
                },
                [healthy()],
            ),
            Code::ModemManager,
        ),
        (
            "18",
            visited(
                on(linux(), []),
                vec![Visit {
                    state: legacy.state(),
                    ..stays(&[("1209:ABD1", 1000, Some(1450))]).remove(0)
                }],
            ),
            Code::ShortWindow,
        ),
        ("19", on(linux(), [legacy]), Code::LegacyBootloader),
        ("24", on(linux(), [sight("0403:6015")]), Code::MaybeAe3),
        (
            "28",
            visited(
                on(linux(), []),
                stays(&[
                    ("37C5:9204", 0, Some(900)),
                    ("37C5:9204", 2900, Some(4000)),
                    ("37C5:9204", 6000, Some(7100)),
                ]),
            ),
            Code::Cycling,
        ),
        (
            "31",
            with(sight("2341:035B"), &|s| {
                s.alternate_names = vec![
                    "@Internal Flash  2MB   /0x08000000/01*128Ka,15*128Kg".into(),
                    "@Arduino  boot  v.22   /0x00000000/0*4Kg".into(),
                ];
            }),
            Code::OldArduinoBootloader,
        ),
    ];
    for (row, [usb, board, firmware], disk, code) in starts::cases() {
        let facts = with(running(usb, board, firmware), &|s| {
            s.disk = Some(disk.clone())
        });
        cases.push((row, facts, code));
    }
    let starts: Vec<(&str, u64, Option<u64>)> = vec![
        ("37C5:1060", 1000, Some(1900)),
        ("37C5:1060", 4000, Some(4900)),
        ("37C5:1060", 7000, None),
    ];
    cases.push((
        "40",
        visited(on(linux(), [healthy()]), stays(&starts)),
        Code::MainLoops,
    ));
    for row in ["21", "22"] {
        let old = with(sight("37C5:9203"), &|s| s.release = 0x0200);
        cases.push((row, old, Code::OldBootloader));
    }
    cases
}

fn codes(facts: &Facts) -> Vec<Code> {
    diagnose(facts).iter().map(|one| one.code).collect()
}

fn find(facts: &Facts, code: Code) -> Finding {
    let found = diagnose(facts).into_iter().find(|one| one.code == code);
    found.unwrap_or_else(|| panic!("no {code}: {:?}", codes(facts)))
}

#[test]
fn every_known_problem_is_found_from_its_facts() {
    for (row, facts, code) in cases() {
        let finding = find(&facts, code);
        assert!(
            !finding.title.is_empty() && !finding.words.is_empty() && !finding.next.is_empty(),
            "{row}: {finding:?}"
        );
    }
}

#[test]
fn every_row_of_the_table_is_either_found_or_said_to_be_unseen() {
    let mut by_rules: BTreeMap<&str, BTreeSet<Code>> = BTreeMap::new();
    for rule in RULES {
        for row in rule.rows {
            by_rules.entry(row).or_default().extend(rule.codes);
        }
    }
    let mut tested = BTreeSet::new();
    for (row, _, code) in cases() {
        let rules = by_rules
            .get(row)
            .unwrap_or_else(|| panic!("no rule for {row}"));
        assert!(rules.contains(&code), "{row} {code}");
        tested.insert(row);
    }
    let ruled: BTreeSet<&str> = by_rules.keys().copied().collect();
    assert_eq!(tested, ruled, "every row with a rule has a case");
    let unseen: BTreeSet<&str> = UNSEEN.iter().map(|(row, _)| *row).collect();
    assert!(ruled.is_disjoint(&unseen));
    let mut all: Vec<u32> = ruled
        .union(&unseen)
        .map(|row| row.parse().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (1..=40).collect::<Vec<u32>>());
}

#[test]
fn a_healthy_camera_on_a_healthy_machine_gives_no_finding() {
    for sight in [
        running("37C5:1060", "rt1062", "5.0.0"),
        running("1209:ABD1", "rt1062", "4.8.0"),
        running("37C5:1204", "openmv4", "4.8.1"),
    ] {
        assert_eq!(codes(&on(linux(), [sight])), []);
    }
}

#[test]
fn the_codes_in_the_document_are_those_in_the_program() {
    let table = DOCUMENT.split("## Known problems").next().unwrap();
    let rows: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(code, _)| code)
        .collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(rows, codes);
    let given: BTreeSet<Code> = RULES.iter().flat_map(|rule| rule.codes).copied().collect();
    let all: BTreeSet<Code> = Code::ALL.iter().copied().collect();
    assert_eq!(given, all, "every code is some rule's");
}

#[test]
fn the_known_problems_in_the_document_are_those_of_the_rules() {
    let table = DOCUMENT.split("## Known problems").nth(1).unwrap();
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let number = cells[0].trim_start_matches("| ");
        if number.parse::<u32>().is_ok() {
            let codes = cells.last().unwrap().split('`').skip(1).step_by(2);
            rows.insert(number.into(), codes.map(str::to_owned).collect());
        }
    }
    assert_eq!(rows.len(), 40);
    for (row, _) in UNSEEN {
        assert!(rows[*row].is_empty(), "{row}");
    }
    for rule in RULES {
        for row in rule.rows {
            let known = rule
                .codes
                .iter()
                .any(|code| rows[*row].contains(code.name()));
            assert!(known, "{row} names none of {:?}", rule.codes);
        }
    }
}

#[test]
fn the_worst_comes_first() {
    let facts = on(
        Host {
            programs: vec![Program {
                name: "brltty".into(),
                process: 9,
            }],
            ..without_rules()
        },
        [],
    );
    let severities: Vec<Severity> = diagnose(&facts).iter().map(|one| one.severity).collect();
    assert_eq!(
        severities,
        [Severity::Problem, Severity::Warning, Severity::Hint]
    );
}

#[test]
fn a_denied_camera_is_offered_the_rules_and_they_are_said_once() {
    let facts = on(
        without_rules(),
        [Sight {
            nodes: vec![denied(NodeKind::Tty)],
            ..sight("37C5:1204")
        }],
    );
    assert_eq!(codes(&facts), [Code::NoAccess]);
    assert_eq!(
        find(&facts, Code::NoAccess).remedy,
        Some(Remedy::InstallRules)
    );
}

#[test]
fn a_closed_usb_node_is_no_trouble_for_a_camera_reached_over_its_console() {
    let sight = Sight {
        nodes: vec![denied(NodeKind::Usb)],
        ..running("37C5:1060", "rt1062", "5.0.0")
    };
    assert_eq!(codes(&on(linux(), [sight])), []);
}

#[test]
fn root_needs_no_rules() {
    let host = Host {
        root: true,
        ..without_rules()
    };
    assert_eq!(
        codes(&on(host, [running("37C5:1060", "rt1062", "5.0.0")])),
        []
    );
}

#[test]
fn a_bootloader_that_passes_once_is_no_cycle_and_a_start_is_none_either() {
    let mut facts = on(linux(), [running("37C5:1204", "openmv4", "4.8.0")]);
    facts.visits = stays(&[("37C5:9204", 0, Some(900)), ("37C5:1204", 1500, None)]);
    assert_eq!(codes(&facts), []);
    // Three restarts by hand, far apart.
    let far = [
        ("37C5:9204", 1, Some(900)),
        ("37C5:9204", 30_000, Some(31_000)),
        ("37C5:9204", 60_000, None),
    ];
    facts = on(linux(), [sight("37C5:9204")]);
    facts.visits = stays(&far);
    assert!(!codes(&facts).contains(&Code::Cycling));
}

#[test]
fn on_windows_a_bootloader_without_a_driver_is_not_taken_for_crashing_firmware() {
    let host = windows("USB\\VID_37C5&PID_9204\\1234\t28\t");
    let mut facts = on(host, []);
    facts.visits = stays(&[
        ("37C5:9204", 0, Some(900)),
        ("37C5:9204", 2900, Some(4000)),
        ("37C5:9204", 6000, Some(7100)),
    ]);
    let codes = codes(&facts);
    assert!(codes.contains(&Code::DriverMissing) && !codes.contains(&Code::Cycling));
}

#[test]
fn a_silent_camera_of_a_known_board_gets_that_boards_words() {
    let mut facts = on(linux(), []);
    facts.expected = by_name("rt1062");
    assert!(find(&facts, Code::Silent).next.contains("SBL pin to 3.3V"));
    facts.expected = by_name("openmv3");
    assert!(find(&facts, Code::Silent).next.contains("BOOT0) to 3.3V"));
}

#[test]
fn three_alternates_are_a_bootloader_without_romfs_and_four_are_not() {
    for (alternates, lacks) in [(3, true), (4, false), (7, false)] {
        let sight = Sight {
            alternates: Some(alternates),
            ..sight("37C5:9203")
        };
        let found = codes(&on(linux(), [sight])).contains(&Code::NoRomfs);
        assert_eq!(found, lacks, "{alternates} alternates");
    }
    let named = Sight {
        alternate_names: ["BOOTLOADER", "FILESYSTEM", "FIRMWARE", "ROMFS0"]
            .map(str::to_owned)
            .to_vec(),
        ..sight("37C5:9203")
    };
    assert!(!codes(&on(linux(), [named])).contains(&Code::NoRomfs));
}

#[test]
fn current_bootloaders_are_left_alone() {
    let current = Sight {
        release: 0x0102,
        ..sight("37C5:9203")
    };
    assert_eq!(codes(&on(linux(), [current])), [Code::InBootloader]);
    let arduino = Sight {
        alternates: Some(4),
        alternate_names: vec!["@MCUboot        v.25   /0x00000000/0*4Kg".into()],
        ..sight("2341:035B")
    };
    assert_eq!(codes(&on(linux(), [arduino])), [Code::InBootloader]);
}

fn sight_at(place: &str, usb: &str, serial: Option<&str>) -> Sight {
    Sight {
        place: place.into(),
        serial: serial.map(str::to_owned),
        ..sight(usb)
    }
}

#[test]
fn two_devices_with_one_serial_number_are_told_to_be_chosen_by_place() {
    let twins = [
        sight_at("usb 1-4", "0483:DF11", Some("A")),
        sight_at("usb 1-5", "0483:DF11", Some("A")),
        sight_at("usb 1-6", "0483:DF11", Some("B")),
    ];
    let finding = find(&on(linux(), twins), Code::SameSerial);
    assert!(
        finding.words.contains("usb 1-4, usb 1-5 have"),
        "{}",
        finding.words
    );
}

#[test]
fn a_camera_inside_this_process_has_nothing_to_do_with_the_machine() {
    let mut facts = on(linux(), [running("37C5:1060", "rt1062", "5.0.0")]);
    facts.host = None;
    assert_eq!(codes(&facts), []);
}
