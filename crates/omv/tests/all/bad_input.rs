//! Files that are not what they should be: a clear error, exit 9, and a camera nobody touched.

use crate::common::{Desk, text, zip};
use omv_sim::rt1062::sample;

/// A camera kept in a file, so that it can be seen that nothing happened to it.
const CAMERA: &str = "sim:rt1062@camera.img";

struct Case {
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
    /// Whether `--force` gets past it.
    forced: bool,
}

fn case(
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
    forced: bool,
) -> Case {
    Case {
        name,
        file,
        bytes,
        code,
        forced,
    }
}

fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = sample::firmware("5.0.0", 0x9000);
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

fn other_board() -> Vec<u8> {
    let mut image = sample::firmware("5.0.0", 0x9000);
    let ours = b"OMVRT1060 32768 SDRAM";
    let at = image
        .windows(ours.len())
        .position(|w| w == ours)
        .expect("the sample names itself");
    image[at..at + ours.len()].copy_from_slice(b"OMV4P H7 32768 SDRAM\0");
    image
}

/// An archive whose directory says a file is small while it unpacks to far more.
fn bomb() -> Vec<u8> {
    zip(&[("OPENMV_RT1060/firmware.bin", &vec![0; 64 << 20])])
}

fn cases() -> Vec<Case> {
    let good = sample::firmware("5.0.0", 0x9000);
    let release = zip(&[("OPENMV_RT1060/firmware.bin", &good)]);
    let mut damaged = release.clone();
    damaged[0x200] ^= 0x10;
    vec![
        case("empty", "firmware.bin", Vec::new(), "not-valid", false),
        case(
            "cut before its vectors",
            "firmware.bin",
            good[..0x1800].to_vec(),
            "not-valid",
            false,
        ),
        case(
            "cut before its entry",
            "firmware.bin",
            good[..0x2100].to_vec(),
            "not-valid",
            true,
        ),
        case(
            "too large",
            "firmware.bin",
            vec![0xFF; 0x3C_0001],
            "too-large",
            false,
        ),
        case(
            "text",
            "firmware.bin",
            b"#!/bin/sh\n".repeat(4000),
            "not-valid",
            true,
        ),
        case(
            "text that names other boards",
            "README.md",
            b"For the OpenMV N6, the OPENMV AE3 and OMV4 H7 1024.\n".repeat(800),
            "not-valid",
            true,
        ),
        case(
            "flipped FCB mark",
            "firmware.bin",
            changed(0, b"GCFB"),
            "not-valid",
            true,
        ),
        case(
            "flipped IVT word",
            "firmware.bin",
            changed(0x1000, &[0xD3]),
            "not-valid",
            true,
        ),
        case(
            "flipped reset vector",
            "firmware.bin",
            changed(0x2007, &[0x20]),
            "not-valid",
            true,
        ),
        case(
            "another board",
            "firmware.bin",
            other_board(),
            "wrong-board",
            true,
        ),
        case(
            "cut ROMFS",
            "romfs0.img",
            sample::romfs(0x3000)[..0x2000].to_vec(),
            "not-valid",
            true,
        ),
        case(
            "no archive",
            "release.zip",
            b"hello".to_vec(),
            "bad-archive",
            false,
        ),
        case(
            "cut archive",
            "release.zip",
            release[..release.len() / 2].to_vec(),
            "bad-archive",
            false,
        ),
        case(
            "damaged archive",
            "release.zip",
            damaged,
            "bad-archive",
            false,
        ),
        case(
            "archive that leaves its folder",
            "release.zip",
            zip(&[("../../etc/firmware.bin", &good)]),
            "bad-archive",
            false,
        ),
        case(
            "archive without this board",
            "release.zip",
            zip(&[
                ("OPENMV4/firmware.bin", &good),
                ("OPENMV_N6/firmware.bin", &good),
            ]),
            "not-inside",
            false,
        ),
        case(
            "archive without firmware",
            "release.zip",
            zip(&[("a.txt", b"a")]),
            "not-inside",
            false,
        ),
        case(
            "archive that explodes",
            "release.zip",
            bomb(),
            "too-large",
            false,
        ),
    ]
}

#[test]
fn a_bad_file_is_refused_by_name_and_the_camera_is_not_touched() {
    let desk = Desk::new();
    let first = desk.omv(&["reset", "-c", CAMERA, "--json"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let before = std::fs::read(desk.path("camera.img")).unwrap();
    for case in cases() {
        let file = desk.write(case.file, &case.bytes);
        let ran = desk.omv(&["flash", "-c", CAMERA, "--json", text(&file)]);
        assert_eq!(ran.error_code(), case.code, "{}: {}", case.name, ran.out);
        assert_eq!(ran.code, Some(9), "{}: {}", case.name, ran.out);
        let help = ran.result()["error"]["help"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(!help.is_empty(), "{} has no help", case.name);
        let after = std::fs::read(desk.path("camera.img")).unwrap();
        assert!(before == after, "{}: the camera's flash changed", case.name);
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn text_is_called_text_and_not_firmware_of_a_board_that_it_names() {
    let desk = Desk::new();
    let page = desk.write(
        "README.md",
        &b"It runs on the OpenMV N6 \xC3\xA9.\n".repeat(400),
    );
    let script = desk.write("main.py", b"import csi\n");
    for (camera, file) in [
        ("sim:rt1062", &page),
        ("sim:n6", &page),
        ("sim:h7", &script),
    ] {
        let ran = desk.omv(&["flash", "-c", camera, text(file)]);
        assert_eq!(ran.code, Some(9), "{camera}: {}", ran.err);
        let said = ran.err.contains("it is text, not firmware");
        assert!(said && !ran.err.contains("is for"), "{camera}: {}", ran.err);
    }
}

#[test]
fn force_gets_past_a_wrong_file_and_never_past_an_impossible_one() {
    let desk = Desk::new();
    for case in cases() {
        let file = desk.write(case.file, &case.bytes);
        let args = [
            "flash",
            "-c",
            "sim:rt1062",
            "--json",
            "--force",
            "--dry-run",
            text(&file),
        ];
        let ran = desk.omv(&args);
        let expected = if case.forced { Some(0) } else { Some(9) };
        assert_eq!(ran.code, expected, "{}: {}", case.name, ran.out);
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_file_that_is_not_there_or_not_readable_is_said_so() {
    let desk = Desk::new();
    let ran = desk.omv(&["flash", "-c", "sim:rt1062", "--json", "nowhere.bin"]);
    assert_eq!((ran.code, ran.error_code().as_str()), (Some(9), "file"));
    let ran = desk.omv(&[
        "recover",
        "-c",
        "sim:rt1062",
        "--yes",
        "--json",
        "--loaders",
        "nowhere",
    ]);
    assert_eq!((ran.code, ran.error_code().as_str()), (Some(9), "file"));
}

#[test]
fn a_loader_of_another_hash_is_refused_unless_forced() {
    let desk = Desk::new();
    let folder = desk.path("loaders");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("sdphost_flash_loader.bin"),
        sample::flashloader(),
    )
    .unwrap();
    std::fs::write(folder.join("blhost_flash_loader.bin"), sample::sbl()).unwrap();
    let args = [
        "recover",
        "-c",
        "sim:rt1062",
        "--yes",
        "--json",
        "--loaders",
        text(&folder),
    ];
    let ran = desk.omv(&args);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(9), "unknown-loader")
    );
    let forced: Vec<&str> = args.into_iter().chain(["--force"]).collect();
    assert_eq!(desk.omv(&forced).code, Some(0));
}

#[test]
fn info_reports_a_bad_file_instead_of_refusing_it() {
    let desk = Desk::new();
    let file = desk.write("firmware.bin", &other_board());
    let ran = desk.omv(&["info", "--json", "--board", "rt1062", text(&file)]);
    let report = &ran.result()["files"][0];
    assert_eq!((ran.code, &report["usable"]), (Some(0), &false.into()));
    assert_eq!(report["boards"][0], "OPENMV4P");
}
