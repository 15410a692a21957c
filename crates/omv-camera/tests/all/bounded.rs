//! Every wait has an end: a camera that falls silent in any step ends the work in good time.

use std::time::Duration;

use crate::bench::{Bench, Meddled, board, image, loaders, saved};
use omv_boards::State;
use omv_camera::{Error, Event, Outcome};
use omv_plan::{Image, Order, Plan, Step, Wish, erase_disk};
use omv_sim::rt1062::{Quirks, sample};

/// The longest silence that any one command is given, and the longest time a restart is.
const LONGEST: Duration = Duration::from_secs(30);
/// What comes on top: commands that are still answered, the look at who is there.
const MARGIN: Duration = Duration::from_secs(5);

fn images() -> Vec<Image> {
    let firmware = sample::firmware("5.0.0", 0xF123);
    let romfs = sample::romfs(0x2345);
    [
        vec![image("firmware", firmware), image("romfs", romfs)],
        loaders(),
    ]
    .concat()
}

fn running() -> Bench {
    Bench::running(&sample::firmware("4.8.0", 0x1_0000))
}

fn in_rom() -> Bench {
    Bench::in_rom(&sample::firmware("4.8.0", 0x1_0000), Quirks::default())
}

/// Does one operation with a camera that is deaf from a moment on.
fn operate(mut bench: Bench, plan: &Plan, deaf_from: Duration) -> (Bench, Result<Outcome, Error>) {
    let looked = bench.look().expect("it answers at first");
    let mut between = Meddled::new(&bench.bus);
    between.deaf_from = deaf_from;
    let found = omv_camera::Found {
        bus: std::sync::Arc::new(between.clone()),
        ..looked.found
    };
    bench.between = Some(between);
    let outcome = bench.run(plan, omv_camera::Looked { found, ..looked });
    (bench, outcome)
}

/// Falls silent at the start and in the middle of every step.
fn falls_silent(make: fn() -> Bench, plan: &Plan) {
    let (bench, outcome) = operate(make(), plan, Duration::MAX);
    outcome.expect("it works with a camera that answers");
    let started: Vec<Duration> = bench
        .events
        .iter()
        .zip(&bench.times)
        .filter(|(event, _)| matches!(event, Event::Started { .. }))
        .map(|(_, at)| *at)
        .collect();
    let ends = started.iter().skip(1).copied().chain([bench.now()]);
    for ((step, start), end) in plan.steps.iter().zip(&started).zip(ends) {
        if matches!(step, Step::Hands { .. }) || end == *start {
            continue;
        }
        for deaf_from in [*start, (*start + end) / 2] {
            let (bench, outcome) = operate(make(), plan, deaf_from);
            let error = outcome.expect_err("it did not answer");
            let waited = bench.now() - deaf_from;
            assert!(waited <= LONGEST + MARGIN, "{step:?}: {waited:?}, {error}");
            assert!(
                matches!(
                    error,
                    Error::Protocol { .. } | Error::NotThere { .. } | Error::VectorsErased { .. }
                ),
                "{step:?}: {error:?}"
            );
            assert!(!error.help().is_empty());
        }
    }
}

#[test]
fn a_camera_that_falls_silent_in_an_update_is_given_half_a_minute() {
    for order in [Order::Safe, Order::Park] {
        let wish = Wish {
            order,
            erase_disk: true,
            ..Wish::default()
        };
        let plan = omv_plan::flash(board(), State::Run, images(), &wish).unwrap();
        falls_silent(running, &plan);
    }
}

#[test]
fn a_camera_that_falls_silent_while_it_is_rebuilt_is_given_half_a_minute() {
    let plan = omv_plan::recover(board(), State::Sdp, images(), &Wish::default()).unwrap();
    falls_silent(in_rom, &plan);
}

#[test]
fn a_camera_that_falls_silent_while_its_disk_is_saved_is_given_half_a_minute() {
    falls_silent(running, &erase_disk(board(), State::Run, &saved()).unwrap());
}

#[test]
fn a_camera_that_does_not_say_who_it_is_is_not_asked_for_ever() {
    for bench in [running(), in_rom()] {
        let mut between = Meddled::new(&bench.bus);
        between.deaf_from = Duration::ZERO;
        let bench = Bench {
            between: Some(between),
            ..bench
        };
        let began = bench.now();
        // The ROM is known by its USB id alone; nothing is asked of it.
        let state = bench.look().map(|looked| looked.state).ok();
        assert!(state.is_none() || state == Some(State::Sdp));
        assert!(bench.now() - began < Duration::from_secs(10));
    }
}

#[test]
fn a_person_who_does_nothing_is_waited_for_five_minutes() {
    let mut bench = running();
    bench.obliging = false;
    let began = bench.now();
    let error = bench.recover(images(), &Wish::default()).unwrap_err();
    assert!(
        matches!(error, Error::NoHands { seconds: 300, .. }),
        "{error}"
    );
    assert_eq!((bench.now() - began).as_secs(), 300);
}
