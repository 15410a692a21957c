//! What goes wrong, and what the owner is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::bench::{Bench, Meddled, board, image};
use omv_boards::State;
use omv_camera::{Error, Event, Stop, wait_for_camera};
use omv_link::{Bus, LinkError};
use omv_plan::{Image, Order, Wish};
use omv_sim::nor::Worn;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Hand, VirtualBus};

const SIZE: usize = 0x1_2345;

fn new() -> Vec<u8> {
    sample::firmware("5.0.0", SIZE)
}

fn images() -> Vec<Image> {
    vec![image("firmware", new())]
}

fn running() -> Bench {
    Bench::running(&sample::firmware("4.8.0", SIZE + 0x800))
}

/// Breaks one bit of a cell at an address.
fn wear_out(bench: &Bench, address: u32, worn: Worn) {
    let bit = !new()[(address - 0x6004_0000) as usize];
    let bit = bit & bit.wrapping_neg();
    let offset = (address - 0x6000_0000) as usize;
    bench.camera(|camera| camera.chip().lock().nor.wear_out(offset, worn, bit));
}

#[test]
fn a_cell_that_does_not_keep_its_charge_is_found_by_reading_back() {
    let mut bench = running();
    wear_out(&bench, 0x6004_9ABC, Worn::Leaky);
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    let Error::VerifyFailed {
        region,
        address,
        wrote,
        read,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((region.as_str(), address), ("firmware", 0x6004_9ABC));
    assert_eq!(wrote, new()[0x9ABC]);
    assert_ne!(wrote, read);
    // The vectors were not touched yet: the window stays open.
    let remains = bench.camera(|camera| camera.remains());
    let bench = Bench::from_remains(remains);
    bench.pass(1);
    assert_eq!(bench.status().state, State::Sbl);
}

#[test]
fn a_cell_that_cannot_be_erased_is_the_cameras_own_error() {
    let mut bench = running();
    wear_out(&bench, 0x6004_9ABC, Worn::Stuck);
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(error, Error::Status { status: 20106, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("erase flash"));
}

#[test]
fn a_failure_while_the_vectors_are_erased_says_not_to_unplug() {
    let mut bench = running();
    wear_out(&bench, 0x6004_2FF0, Worn::Leaky);
    wear_out(&bench, 0x6004_2FF1, Worn::Stuck);
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(matches!(error, Error::VectorsErased { .. }), "{error}");
    assert!(error.help().starts_with("Leave the camera plugged in"));
    let told = bench.events.iter().rev().find_map(|event| match event {
        Event::Failed { code, .. } => Some(*code),
        _ => None,
    });
    assert_eq!(told, Some(error.code()));
}

#[test]
fn stopping_at_any_step_says_the_state_and_the_same_command_finishes_the_work() {
    static STOP_AT: AtomicUsize = AtomicUsize::new(0);
    for order in [Order::Safe, Order::Park, Order::EraseFirst] {
        let wish = Wish {
            order,
            ..Wish::default()
        };
        let steps = omv_plan::flash(board(), State::Run, images(), &wish).unwrap();
        for (stop_at, step) in steps.describe().iter().enumerate() {
            STOP_AT.store(stop_at, Ordering::SeqCst);
            let mut bench = running();
            bench.stop_when = Some(|event| {
                let stop_at = STOP_AT.load(Ordering::SeqCst);
                matches!(event, Event::Started { step } if *step == stop_at)
            });
            let error = bench.flash(images(), &wish).unwrap_err();
            let Error::Stopped { doing, state } = &error else {
                panic!("{stop_at} {}: {error}", step.verb);
            };
            let runs = ["reset", "ask"].contains(&step.verb) && !doing.contains("into the firm");
            let says = if runs {
                "the camera runs"
            } else {
                "waits in its bootloader"
            };
            assert!(state.contains(says), "{stop_at} {}: {error}", step.verb);
            let wire = order == Order::EraseFirst && step.verb == "write";
            assert_eq!(
                state.contains("SBL wire"),
                wire,
                "{stop_at} {}: {error}",
                step.verb
            );

            // What it says holds for as long as the camera has power.
            bench.pass(60);
            (bench.stop, bench.stop_when) = (Stop::default(), None);
            bench.flash(images(), &wish).unwrap();
            assert_eq!(bench.flash_bytes(0x6004_0000, SIZE), new());
            assert_eq!(bench.status().half_written_starts, 0);
        }
    }
}

#[test]
fn stopping_never_leaves_the_vectors_erased() {
    let mut bench = running();
    // Asked for when the erase of the vectors has just been done.
    bench.stop_when = Some(|event| {
        matches!(
            event,
            Event::Moved {
                done: 0x1000,
                total: 0x1000,
                ..
            }
        )
    });
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    assert_eq!(
        bench.flash_bytes(0x6004_2000, 0x1000),
        new()[0x2000..0x3000]
    );
    let remains = bench.camera(|camera| camera.remains());
    let bench = Bench::from_remains(remains);
    bench.pass(1);
    assert_eq!(bench.status().state, State::Sbl);
}

#[test]
fn stopping_a_wait_for_hands_says_that_nothing_is_being_written() {
    let mut bench = running();
    bench.obliging = false;
    bench.stop_when = Some(|event| matches!(event, Event::Hands { .. }));
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    assert!(bench.now() < Duration::from_secs(10));
}

#[test]
fn a_cable_pulled_in_the_middle_is_told_with_what_to_do() {
    for verb in ["compare", "erase", "write", "verify"] {
        let mut bench = running();
        bench.flash(images(), &Wish::default()).unwrap();
        let index = |event: &Event| match event {
            Event::Started { step } => Some(*step),
            _ => None,
        };
        let steps = omv_plan::flash(board(), State::Run, images(), &Wish::default()).unwrap();
        let step = steps
            .describe()
            .iter()
            .position(|step| step.verb == verb)
            .unwrap();
        let at = |wanted: usize| {
            let at = bench
                .events
                .iter()
                .position(|event| index(event) == Some(wanted));
            bench.times[at.unwrap()]
        };
        let middle = (at(step) + at(step + 1)) / 2;

        let mut bench = running();
        bench.camera(|camera| camera.cut_at(Some(middle)));
        let error = bench.flash(images(), &Wish::default()).unwrap_err();
        assert!(
            matches!(error, Error::Gone { .. } | Error::Link(LinkError::Gone)),
            "{verb}: {error}"
        );
        assert!(error.help().contains("plug the camera in again"), "{verb}");
        assert!(
            bench.now() - middle < Duration::from_secs(1),
            "{verb}: told at once"
        );
        bench.hands(&[Hand::Plug]);
        let soon = Duration::from_secs(5);
        wait_for_camera(&bench.buses(), soon, &bench.stop, |_| true).unwrap();
        bench.flash(images(), &Wish::default()).unwrap();
    }
}

#[test]
fn a_pin_that_hides_the_bootloader_is_suspected_when_the_camera_runs_again_at_once() {
    let mut bench = running();
    bench.hands(&[Hand::PinLow(true)]);
    let began = bench.now();
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotThere {
                expected: State::Sbl,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("`run`"), "{error}");
    assert!(error.help().contains("P11"));
    assert!(bench.now() - began < Duration::from_secs(7));
    assert_eq!((bench.erased(), bench.status().state), (0, State::Run));
    bench.hands(&[Hand::PinLow(false)]);
    bench.flash(images(), &Wish::default()).unwrap();
}

#[test]
fn firmware_that_crashes_at_every_start_is_told_as_such() {
    let mut crashes = new();
    crashes[0x1_0000] ^= 1;
    let mut bench = running();
    let images = vec![image("firmware", crashes)];
    let error = bench.flash(images, &Wish::default()).unwrap_err();
    assert!(
        matches!(error, Error::Cycling { times } if times >= 3),
        "{error}"
    );
    // And it can be caught again.
    let soon = Duration::from_secs(5);
    wait_for_camera(&bench.buses(), soon, &bench.stop, |_| true).unwrap();
    bench.flash(self::images(), &Wish::default()).unwrap();
}

#[test]
fn another_makers_bootloader_is_not_written_to() {
    let changes: [fn(&mut Vec<u8>); 2] = [
        // The version, property 1.
        |bytes| swap(bytes, &[0x00, 0x08, 0x02, 0x4B], &[0x00, 0x01, 0x02, 0x4B]),
        // The peripherals, property 2: A7, three words, status 0, then the value.
        |bytes| {
            swap(
                bytes,
                &[0, 0, 0, 0, 0x10, 0, 0, 0],
                &[0, 0, 0, 0, 0x33, 0, 0, 0],
            )
        },
    ];
    for rewrite in changes {
        let mut bench = Bench::with(Rt1062::new(&new(), Quirks::default()));
        let mut between = Meddled::new(&bench.bus);
        between.rewrite = rewrite;
        bench.between = Some(between);
        bench.pass(1);
        let error = bench.look().err().unwrap();
        assert!(matches!(error, Error::ForeignLoader { .. }), "{error}");
    }
}

#[test]
fn a_camera_that_sends_less_than_was_asked_for_does_not_pass_for_verified() {
    static FRAMES: AtomicUsize = AtomicUsize::new(0);
    let mut bench = running();
    let mut between = Meddled::new(&bench.bus);
    // Every read announces one frame of data at most, and the others mean nothing.
    between.rewrite = |bytes| {
        if bytes[0] == 3 && bytes[4] == 0xA3 {
            FRAMES.store(0, Ordering::SeqCst);
            let one = 1012.min(u32::from_le_bytes([
                bytes[12], bytes[13], bytes[14], bytes[15],
            ]));
            bytes[12..16].copy_from_slice(&one.to_le_bytes());
        }
        if bytes[0] == 4 && FRAMES.fetch_add(1, Ordering::SeqCst) > 0 {
            bytes[0] = 0x7F;
        }
    };
    bench.between = Some(between);
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(error.to_string().contains("it sent 1012 of"), "{error}");
}

#[test]
fn a_camera_somebody_else_has_open_is_busy() {
    let mut bench = running();
    let found = bench.found().unwrap();
    let _held = found.bus.open(&found.seen).unwrap();
    let error = bench.flash(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(error, Error::Link(LinkError::Busy { .. })),
        "{error}"
    );
}

fn swap(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from);
    if let Some(at) = at {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn nobody_waits_for_ever_for_a_camera_that_is_not_there() {
    let bus = VirtualBus::new("empty", Vec::new());
    let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus.clone())];
    let limit = Duration::from_secs(5);
    let error = wait_for_camera(&buses, limit, &Stop::default(), |_| true)
        .err()
        .unwrap();
    assert!(matches!(error, Error::NoCamera));
    assert_eq!(bus.now(), limit);
}
