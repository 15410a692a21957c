//! Why does it not start? What `doctor` says of a whole virtual camera and its disk.

use std::sync::Arc;
use std::time::Duration;

use omv_boards::candidates;
use omv_camera::Looked;
use omv_camera::Stop;
use omv_camera::disk::{Blocks, UsbDisk};
use omv_camera::doctor::{
    Answer, Code, Facts, Finding, Options, Remedy, Severity, Sight, diagnose, examine,
};
use omv_fat::{Blueprint, Form, Memory, Scheme, format, store};
use omv_link::{Bus, Function};
use omv_sim::medium::{Faulty, MemoryCard, Shared, Trouble};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Setup, VirtualBus};

use crate::starts::{cases, well, with_main};

fn sight([usb, board, firmware]: [&str; 3], disk: omv_camera::doctor::Disk) -> Sight {
    let usb = usb.parse().unwrap();
    Sight {
        place: "usb 1-4".into(),
        usb,
        release: 0x0103,
        serial: None,
        candidates: candidates(usb, None),
        simulated: false,
        nodes: Vec::new(),
        alternates: None,
        alternate_names: Vec::new(),
        answer: Answer::Who {
            board: omv_boards::by_name(board).unwrap(),
            arch: None,
            usb: None,
            firmware: Some(firmware.parse().unwrap()),
            uid: None,
        },
        disk: Some(disk),
    }
}

fn said(sight: Sight) -> Vec<Finding> {
    diagnose(&Facts {
        cameras: vec![sight],
        ..Facts::default()
    })
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|one| one.code).collect()
}

#[test]
fn each_cause_is_found_alone() {
    for (row, camera, disk, code) in cases() {
        let findings = said(sight(camera, disk));
        assert_eq!(codes(&findings), [code], "{row}");
    }
}

#[test]
fn a_disk_on_which_all_is_well_gives_no_finding() {
    for camera in [
        ["37C5:1060", "rt1062", "5.0.0"],
        ["37C5:1204", "openmv4", "4.8.1"],
    ] {
        assert_eq!(said(sight(camera, well())), []);
    }
}

#[test]
fn an_import_that_is_guarded_or_lies_beside_the_script_is_no_finding() {
    let rt1062 = ["37C5:1060", "rt1062", "5.0.0"];
    let guarded = with_main("try:\n    import lcd\nexcept ImportError:\n    lcd = None\n");
    assert_eq!(said(sight(rt1062, guarded)), []);
    for file in [
        "my_helpers.py",
        "lib/my_helpers.mpy",
        "my_helpers/__init__.py",
    ] {
        let mut disk = with_main("import my_helpers\n");
        disk.files.push(file.into());
        assert_eq!(said(sight(rt1062, disk)), [], "{file}");
    }
}

#[test]
fn an_internal_disk_that_the_camera_would_format_is_rescued_before_any_reset() {
    let disk = omv_camera::doctor::Disk::default();
    let findings = said(sight(["37C5:1060", "rt1062", "5.0.0"], disk));
    assert_eq!(findings[0].remedy, Some(Remedy::Rescue));
    assert!(findings[0].next.starts_with("Do not reset the camera"));
}

/// A card of 8 MiB with this `main.py`.
fn card(main: &[u8]) -> Vec<u8> {
    let mut disk = Memory::new(512, vec![0; 8 << 20]);
    let wish = Blueprint {
        form: Some(Form::Fat12),
        scheme: Scheme::Mbr,
        label: "OPENMV".into(),
        serial: 3,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    let change = store(&mut disk, "main.py", main, 0x5A21_0000).unwrap();
    change.apply(&mut disk).unwrap();
    disk.bytes
}

fn seen(card: Option<Shared>) -> Vec<Finding> {
    let mut camera = Rt1062::new(&sample::firmware("5.0.0", 0x8000), Quirks::default());
    camera.set_up(Setup {
        card,
        formats: true,
        ..Setup::default()
    });
    let bus = VirtualBus::new("bench", vec![Box::new(camera)]);
    bus.pass(Duration::from_secs(5));
    let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus)];
    let open = |looked: &Looked| {
        let mut device = looked.found.bus.open(&looked.found.seen).ok()?;
        let disk = UsbDisk::open(device.link(Function::Disk).ok()?).ok()?;
        let card = disk.block_size() == 512;
        Some((Box::new(disk) as Box<dyn Blocks>, card))
    };
    let stop = Stop::default();
    let facts = examine(&buses, None, &Options::default(), &stop, Some(&open)).unwrap();
    assert!(facts.cameras[0].disk.is_some());
    diagnose(&facts)
}

#[test]
fn a_camera_with_its_own_disk_or_a_good_card_is_well() {
    assert_eq!(codes(&seen(None)), []);
    let good = Shared::new(MemoryCard::of(&card(b"import time\nprint('hello')\n")));
    assert_eq!(codes(&seen(Some(good))), []);
}

#[test]
fn a_card_whose_errors_the_firmware_hides_is_found_and_the_next_step_told() {
    let image = card(b"import time\nprint('hello')\n");
    let dying = Faulty::new(
        MemoryCard::of(&image),
        Trouble::Fails(vec![150..153, 400..16_384]),
    );
    let findings = seen(Some(Shared::new(dying)));
    let first = &findings[0];
    assert_eq!(
        (first.code, first.severity),
        (Code::DiskFaulty, Severity::Problem)
    );
    assert!(
        first.title.contains("first at block 150"),
        "{}",
        first.title
    );
    assert!(first.next.contains("use another card"), "{}", first.next);
    assert_eq!(first.remedy, Some(Remedy::TestDisk));
}
