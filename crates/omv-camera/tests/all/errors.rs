//! Every error there is, read aloud: message, stable code, one thing a person can do.

use std::collections::BTreeMap;
use std::io;

use omv_boards::State;
use omv_camera::Error;
use omv_camera::disk::BlockError;
use omv_camera::files::SaveError;
use omv_link::{Function, LinkError};
use omv_plan::Refusal;

fn text(text: &str) -> String {
    text.to_owned()
}

fn refusals() -> Vec<Refusal> {
    let (file, region, board) = (
        || text("firmware.bin"),
        || text("firmware"),
        || text("OpenMV Cam RT1062"),
    );
    vec![
        Refusal::NoImage,
        Refusal::NotInside {
            source_name: text("release.zip"),
            file: file(),
            board: board(),
            has: vec![text("OPENMV4P"), text("OPENMV_N6")],
        },
        Refusal::NotInside {
            source_name: text("release.zip"),
            file: file(),
            board: board(),
            has: vec![],
        },
        Refusal::BadArchive {
            source_name: text("release.zip"),
            why: text("the path `../x` leaves the archive"),
        },
        Refusal::WrongBoard {
            file: file(),
            says: text("OPENMV4P"),
            board: board(),
        },
        Refusal::TooLarge {
            file: file(),
            size: 4_000_000,
            region: region(),
            room: 3_932_160,
        },
        Refusal::NotValid {
            file: file(),
            region: region(),
            why: text("it is empty"),
        },
        Refusal::NoLoader {
            file: text("blhost_flash_loader.bin"),
        },
        Refusal::NoBootloader {
            file: text("bootloader.bin"),
            board: board(),
        },
        Refusal::OldBootloader {
            board: board(),
            why: text("this firmware expects the DFU bootloader"),
        },
        Refusal::OneCore {
            board: board(),
            missing: text("firmware_M55_HE.bin"),
        },
        Refusal::UnknownLoader {
            file: text("blhost_flash_loader.bin"),
            found: "0f".repeat(32),
        },
        Refusal::WrongState { state: State::Sdp },
        Refusal::NoRegion {
            board: board(),
            region: text("attic"),
            why: None,
        },
        Refusal::NoRegion {
            board: board(),
            region: text("fcb"),
            why: Some(text("only the wire brings it back.")),
        },
        Refusal::Unsupported {
            board: board(),
            why: text("its bootloader is not spoken yet"),
        },
        Refusal::NotAModel {
            file: "trained.tflite".into(),
            why: "it does not have the letters TFL3 of a TensorFlow Lite model".into(),
        },
        Refusal::NoNetworks {
            board: "OpenMV Cam M4".into(),
            version: "any firmware".into(),
        },
        Refusal::OtherProcessor {
            file: "trained.tflite".into(),
            board: "OpenMV Cam H7".into(),
            form: "compiled by Vela".into(),
        },
        Refusal::NoOperator {
            file: "trained.tflite".into(),
            operators: "RFFT2D".into(),
            board: "OpenMV Cam H7".into(),
        },
        Refusal::ModelTooLarge {
            file: "trained.tflite".into(),
            board: "OpenMV Cam H7".into(),
            what: "activations".into(),
            needs: 600_000,
            room: 270_336,
        },
        Refusal::LabelsDiffer {
            file: "labels.txt".into(),
            labels: 2,
            outputs: "[1, 3]".into(),
        },
        Refusal::NotAnExport {
            source_name: "photos.zip".into(),
            why: "there is no .tflite file in it".into(),
        },
        Refusal::BeforeRomfs {
            board: board(),
            firmware: omv_boards::Version {
                major: 4,
                minor: 6,
                patch: 20,
            },
            since: omv_boards::Version {
                major: 4,
                minor: 7,
                patch: 0,
            },
        },
        Refusal::CannotPark {
            file: file(),
            address: 0x6004_23C0,
        },
    ]
}

fn link_errors() -> Vec<LinkError> {
    vec![
        LinkError::Gone,
        LinkError::Busy {
            holder: Some(text("omv flash (process 4711)")),
        },
        LinkError::Busy { holder: None },
        LinkError::NoAccess {
            node: text("/dev/hidraw0"),
        },
        LinkError::Stuck,
        LinkError::NoFunction {
            function: Function::Hid,
        },
        LinkError::Descriptors(text("it ends in the middle")),
        LinkError::Peer {
            peer: text("127.0.0.1:3240"),
            what: text("the reply is not one"),
        },
        LinkError::Io {
            doing: text("opening /dev/ttyACM0"),
            source: io::Error::other("no such thing"),
        },
    ]
}

fn errors() -> Vec<Error> {
    let status = || Error::Status {
        doing: text("write flash"),
        status: 10203,
    };
    let not_there = |expected, instead| Error::NotThere {
        expected,
        seconds: 5,
        instead: text(instead),
    };
    vec![
        Error::NoCamera,
        Error::NotThisOne {
            wanted: text("kitchen"),
            there: text("1A2B3C, usb 1-4"),
        },
        Error::Several {
            which: vec![text("1A2B3C (usb 1-4)"), text("usb 1-5")],
        },
        Error::WhichBoard {
            place: text("usb 1-4"),
            boards: vec![text("OpenMV Cam M7"), text("OpenMV Cam H7")],
        },
        Error::Refused(Refusal::NoImage),
        Error::Link(LinkError::Stuck),
        Error::Gone {
            doing: text("asked to write flash"),
        },
        status(),
        Error::Status {
            doing: text("write flash"),
            status: 77,
        },
        Error::Dfu {
            doing: text("write `FIRMWARE`"),
            why: "it is not writable",
        },
        Error::Vendor {
            program: text("STM32_Programmer_CLI"),
            why: text("it is not installed"),
        },
        Error::OtherBootloader {
            expected: State::Dfu,
            instead: State::LegacyBl,
        },
        Error::TooFast { written: 81_920 },
        Error::OtherChip {
            board: text("OpenMV Cam M7"),
            says: text("@Internal Flash   /0x08000000/16*128Kg"),
        },
        Error::NoPartition {
            region: text("ROMFS0"),
        },
        Error::Protocol {
            doing: text("asked to read flash"),
            what: text("waited in vain for data"),
        },
        Error::ForeignLoader {
            place: text("usb 1-4"),
            property: 1,
            value: 0x4B02_0100,
        },
        Error::Locked,
        Error::Rom {
            doing: text("start the program in RAM"),
        },
        Error::VerifyFailed {
            region: text("firmware"),
            address: 0x6004_3000,
            wrote: 0x12,
            read: 0x92,
        },
        Error::VectorsErased {
            cause: Box::new(status()),
        },
        Error::BootFuseClear,
        not_there(State::Sbl, "it is `run` instead"),
        not_there(State::Run, "nothing is there"),
        Error::Cycling { times: 14 },
        Error::NoHands {
            ask: text("Plug the camera in."),
            seconds: 300,
        },
        Error::Stopped {
            doing: text("writing"),
            state: text("the camera waits in its bootloader until it loses power"),
        },
        Error::NotRunning { state: State::Sbl },
        Error::NotInFirmware {
            what: "memory statistics",
        },
        Error::RequestRefused {
            request: 0x26,
            why: text("failed"),
        },
        Error::NoAnswer { request: 0x27 },
        Error::WillNotStop,
        Error::ScriptTooLarge {
            size: 2_000_000,
            limit: 1 << 20,
        },
        Error::ScriptNotText { at: 17 },
        Error::NoChannel {
            name: text("lidar"),
            there: vec![text("stdin"), text("stdout"), text("stream")],
        },
        Error::NoFrame { seconds: 2.5 },
        Error::NotKept(io::Error::other("no space left on device")),
    ]
}

/// The codes that a source file gives to its own variants, in its order.
fn codes_in(source: &str) -> Vec<&str> {
    let body = source.split("fn code(&self)").nth(1).expect("it has codes");
    let body = body.split("fn help(&self)").next().expect("help follows");
    let lines = body.lines().filter(|line| line.contains("=> \""));
    lines
        .map(|line| line.split('"').nth(1).expect("a code"))
        .collect()
}

fn own_codes() -> [Vec<&'static str>; 5] {
    [
        codes_in(include_str!("../../src/error.rs")),
        codes_in(include_str!("../../../omv-plan/src/refusal.rs")),
        codes_in(include_str!("../../../omv-link/src/error.rs")),
        codes_in(include_str!("../../src/files/save.rs")),
        codes_in(include_str!("../../../omv-fat/src/store/mod.rs")),
    ]
}

/// What becomes of a save and of a disk.
fn saves() -> Vec<SaveError> {
    let file = || text("main.py");
    let refusals = [
        omv_fat::Refusal::NoVolume,
        omv_fat::Refusal::Exfat,
        omv_fat::Refusal::NoFolder(text("lib")),
        omv_fat::Refusal::Missing(file()),
        omv_fat::Refusal::InTheWay(file()),
        omv_fat::Refusal::NotEmpty(text("lib")),
        omv_fat::Refusal::BadName(text("a:b.py")),
        omv_fat::Refusal::Full {
            need: 70_000,
            free: 4096,
        },
        omv_fat::Refusal::RootFull,
    ];
    let on_camera = |errno, offset| SaveError::OnCamera {
        file: file(),
        errno,
        offset,
    };
    let own = [
        SaveError::Returned {
            file: file(),
            offset: 6144,
        },
        SaveError::Disk(BlockError::Failed(text("the disk refuses: read error"))),
        SaveError::Disk(BlockError::Protected),
        SaveError::Disk(BlockError::Gone),
        on_camera(5, Some(6144)),
        on_camera(28, None),
        on_camera(99, None),
        SaveError::Notebook(io::Error::new(io::ErrorKind::StorageFull, "no room")),
    ];
    let refusals = refusals.into_iter().map(SaveError::Refused);
    refusals.chain(own).collect()
}

/// Message, code and help of everything.
fn all() -> Vec<(String, &'static str, &'static str)> {
    let errors = errors();
    let errors = errors.iter().map(|e| (e.to_string(), e.code(), e.help()));
    let refusals = refusals();
    let refusals = refusals.iter().map(|e| (e.to_string(), e.code(), e.help()));
    let links = link_errors();
    let links = links.iter().map(|e| (e.to_string(), e.code(), e.help()));
    let saves: Vec<Error> = saves().into_iter().map(Error::Save).collect();
    let saves = saves.iter().map(|e| (e.to_string(), e.code(), e.help()));
    errors.chain(refusals).chain(links).chain(saves).collect()
}

#[test]
fn every_error_has_three_texts() {
    let shown = all()
        .into_iter()
        .map(|(message, code, help)| format!("error[{code}]: {message}\n  help: {help}\n"));
    insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_variant_is_left_out_of_the_snapshot() {
    let shown: Vec<&str> = all().into_iter().map(|(_, code, _)| code).collect();
    for code in own_codes().concat() {
        assert!(shown.contains(&code), "`{code}` is not read aloud here");
    }
}

#[test]
fn a_code_belongs_to_one_error_only() {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for code in own_codes().concat() {
        *uses.entry(code).or_default() += 1;
        let plain = code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(plain && !code.is_empty(), "`{code}`");
    }
    uses.retain(|_, count| *count > 1);
    assert!(uses.is_empty(), "used twice: {uses:?}");
}

#[test]
fn messages_begin_small_and_help_is_whole_sentences_about_the_world() {
    for (message, code, help) in all() {
        let first = message.chars().next().expect("there is a message");
        let name = message.starts_with("OpenMV");
        assert!(!first.is_uppercase() || name, "{code}: {message}");
        // What a board file or a step says is a sentence of its own.
        let quotes = message.contains("back.") || message.contains("after asking");
        assert!(!message.ends_with('.') || quotes, "{code}: {message}");
        assert!(
            help.ends_with('.') && help.starts_with(char::is_uppercase),
            "{code}: {help}"
        );
        // Another program's command line stands in backticks; ours does not stand here at all.
        let own: String = help.split('`').step_by(2).collect();
        assert!(!own.contains(" --"), "{code}: a flag");
    }
}
