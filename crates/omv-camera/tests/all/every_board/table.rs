//! The table: what is expected, written down first; then run, cell by cell; then kept in
//! `docs/boards.md`.

use std::fmt::Write as _;

use omv_boards::{Board, MemoryKind, Region, Role, State};
use omv_camera::{Error, Looked, Outcome};
use omv_plan::{Image, Plan, Refusal, Wish, erase_disk, flash, recover, save};
use omv_sim::dfu;

use super::bench::{BOARDS, Bench, board, oblige, release};

/// What people want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Firmware,
    Romfs,
    EraseDisk,
    Backup,
    Recover,
}

const WANTS: [Want; 5] = [
    Want::Firmware,
    Want::Romfs,
    Want::EraseDisk,
    Want::Backup,
    Want::Recover,
];

/// What a cell of the table says when it went well.
const ARRIVES: &str = "arrives";

/// What is expected, and the line of the facts that says so for a refusal.
fn expected(board: &Board, state: State, want: Want) -> &'static str {
    let is_arduino = board.mcuboot.is_some();
    let disk = board.region("disk").expect("every board has a disk");
    let internal = disk.memory == MemoryKind::Internal;
    match (state, want) {
        // "id visible, open denied": nothing but access helps.
        (State::NoDriver, _) => "no-access",
        // The bootloader is destroyed. Arduino's can only be brought back with a debug probe;
        // others have a ROM.
        (State::Silent, Want::Recover) if !is_arduino => ARRIVES,
        (State::Silent, _) => "no-camera",
        // Arduino's bootloader has no window: a double tap, which is what recovering asks for.
        (State::Cycling, Want::Recover) => ARRIVES,
        (State::Cycling, _) if is_arduino => "no-camera",
        // What was wanted is done, and the firmware still crashes.
        (State::Cycling, Want::Romfs | Want::EraseDisk | Want::Backup) => "cycling",
        // Written by Arduino's own tools only.
        (State::StRom, _) if is_arduino => "wrong-state",
        // Serial bootloader: firmware only, of its own time; nothing can be read back.
        (State::LegacyBl, Want::Firmware | Want::Romfs) => "old-bootloader",
        (State::LegacyBl, Want::Backup) => "no-region",
        // The ROM reaches internal flash only, and of an N6 or AE3 not even that.
        (State::StRom, Want::EraseDisk | Want::Backup) if board.st_rom.is_none() => "wrong-state",
        (State::SeUart, Want::EraseDisk | Want::Backup) => "wrong-state",
        (State::StRom, Want::Backup) if !internal => "no-region",
        (State::StRom, Want::EraseDisk) if !disk.is_writable_in(State::StRom) => "no-region",
        _ => ARRIVES,
    }
}

/// Looks at the camera; for a recovery of one that shows nothing, after doing what has to be done
/// by hand.
fn meet(bench: &Bench, want: Want) -> Result<Looked, Error> {
    match bench.meet() {
        Err(Error::NoCamera) if want == Want::Recover => {
            let board = bench.board;
            let by_hand = [State::SeUart, State::StRom, State::ArduinoDfu];
            let last = by_hand.into_iter().filter(|state| match state {
                State::StRom => board.mcuboot.is_none(),
                _ => true,
            });
            let mut last = last.filter(|state| board.identity(*state, None).is_some());
            oblige(&bench.bus, &[last.next().expect("a last resort")]);
            bench.meet()
        }
        other => other,
    }
}

fn run(bench: &mut Bench, want: Want) -> Result<Outcome, Error> {
    let board = bench.board;
    let looked = meet(bench, want)?;
    let wish = Wish {
        save_disk: looked.state != State::LegacyBl,
        firmware: looked.firmware().and_then(|version| version.parse().ok()),
        ..Wish::default()
    };
    let images = release(board, "5.0.0");
    let romfs = board.role(Role::Romfs).expect("every board has one");
    let plan = |state: State| -> Result<Plan, Refusal> {
        match want {
            Want::Firmware => flash(board, state, images.clone(), &wish),
            Want::Romfs => {
                let mut some = images.clone();
                let firmware = [Role::Firmware, Role::SecondFirmware];
                let firmware = firmware.map(|role| board.role(role).map(|r| &r.name));
                some.retain(|image| !firmware.contains(&Some(&image.region)));
                assert!(some.iter().any(|image| image.region == romfs.name));
                flash(board, state, some, &wish)
            }
            Want::EraseDisk => erase_disk(board, state, &wish),
            Want::Backup => save(board, state, "disk", &wish),
            Want::Recover => recover(board, state, images.clone(), &wish),
        }
    };
    bench.run(looked, &plan)
}

/// Bytes of a disk that are erased.
fn erased(disk: &Region) -> usize {
    disk.quick_erase.unwrap_or(disk.erase_unit) as usize
}

/// Whether what was wanted was done to a camera whose firmware crashes.
fn prove_done(bench: &Bench, want: Want) {
    let romfs = bench.board.role(Role::Romfs).expect("a romfs");
    let disk = bench.board.region("disk").expect("a disk");
    match want {
        Want::Backup => assert_eq!(bench.kept.len(), 1),
        Want::EraseDisk => {
            let head = bench.bytes(&disk.name, erased(disk));
            assert!(head.iter().all(|byte| *byte == 0));
        }
        _ => {
            let bytes = omv_sim::rt1062::sample::romfs(0x5678);
            assert_eq!(bench.bytes(&romfs.name, bytes.len()), bytes);
        }
    }
}

/// Whether the camera runs and its flash holds what it should.
fn prove(bench: &mut Bench, want: Want, outcome: &Outcome, state: State) {
    let name = format!("{} {state} {want:?}", bench.board.name);
    assert_eq!(bench.misused(), None, "{name}");
    assert_eq!(outcome.state, State::Run, "{name}");
    assert_eq!(bench.status().state, State::Run, "{name}");
    let disk = bench.board.region("disk").expect("a disk").clone();
    let holds = |image: &Image| {
        let bytes = bench.bytes(&image.region, image.bytes.len());
        assert!(bytes == *image.bytes, "{name}: {} differs", image.region);
    };
    match want {
        Want::Firmware | Want::Recover => {
            assert_eq!(outcome.firmware().as_deref(), Some("5.0.0"), "{name}");
            let images = release(bench.board, "5.0.0");
            let rom = bench.vendors.is_empty() && !matches!(state, State::StRom | State::SeUart);
            let written = images.iter().filter(|image| {
                let region = bench.board.region(&image.region);
                let role = region.map(|region| region.role);
                let low = matches!(role, Some(Role::Bootloader | Role::BootTable));
                role.is_some() && !(low && rom)
            });
            written.for_each(holds);
            let verified = |report: &omv_camera::RegionReport| report.verified;
            assert!(outcome.regions.iter().all(verified), "{name}");
        }
        Want::Romfs => {
            let images = release(bench.board, "5.0.0");
            let romfs = bench.board.role(Role::Romfs).expect("a romfs");
            images
                .iter()
                .filter(|image| image.region == romfs.name)
                .for_each(holds);
        }
        Want::EraseDisk => {
            let head = bench.bytes(&disk.name, erased(&disk));
            let blank = |byte: u8| head.iter().all(|one| *one == byte);
            assert!(blank(0) || blank(0xFF), "{name}: {:02x?}", &head[..16]);
        }
        Want::Backup => {
            let (region, bytes) = bench.kept.first().expect("it was kept");
            assert_eq!((region, bytes.len()), (&disk.name, disk.size as usize));
            let there = bench.bytes(&disk.name, disk.size as usize);
            assert!(*bytes == there, "{name}");
        }
    }
}

fn cell(board: &'static Board, state: State, want: Want) -> String {
    let wish = dfu::Wish {
        state,
        version: if state == State::LegacyBl {
            "4.5.9"
        } else {
            "4.8.1"
        }
        .into(),
        ..dfu::Wish::of(board)
    };
    let mut bench = Bench::new(wish);
    match run(&mut bench, want) {
        Ok(outcome) => {
            prove(&mut bench, want, &outcome, state);
            ARRIVES.to_owned()
        }
        Err(error) => {
            if error.code() == "cycling" {
                prove_done(&bench, want);
            }
            error.code().to_owned()
        }
    }
}

#[test]
fn every_board_in_every_state_arrives_or_refuses_as_expected() {
    let mut table = String::from("| board | state |");
    for want in WANTS {
        let _ = write!(table, " {want:?} |");
    }
    table += "\n|---|---|";
    table += &"---|".repeat(WANTS.len());
    let mut wrong = Vec::new();
    for name in BOARDS {
        let board = board(name);
        for state in dfu::Wish::states(board) {
            let _ = write!(table, "\n| {name} | {state} |");
            for want in WANTS {
                let came = cell(board, state, want);
                let should = expected(board, state, want);
                if came != should {
                    wrong.push(format!("{name} {state} {want:?}: {came}, not {should}"));
                }
                let _ = write!(table, " {came} |");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kept = include_str!("../../../../../docs/boards.md");
    assert!(
        kept.contains(&table),
        "docs/boards.md should have:\n{table}"
    );
}
