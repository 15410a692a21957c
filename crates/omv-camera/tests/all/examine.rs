//! The doctor's eyes, on a virtual camera in virtual time: what is watched, asked and left alone.

use std::time::Duration;

use crate::bench::Bench;
use omv_boards::{State, by_name};
use omv_camera::Error;
use omv_camera::doctor::{Answer, Code, Facts, Options, diagnose, examine};
use omv_link::Bus;
use omv_sim::Hand;
use omv_sim::rt1062::{Quirks, Rt1062, sample};

fn seen(bench: &Bench, options: &Options) -> Facts {
    examine(&bench.buses(), None, options, &bench.stop, None).unwrap()
}

fn codes(facts: &Facts) -> Vec<Code> {
    diagnose(facts).iter().map(|one| one.code).collect()
}

fn running() -> Bench {
    Bench::running(&sample::firmware("4.8.0", 0x1_2345))
}

#[test]
fn a_running_camera_is_asked_at_once_and_answers() {
    let bench = running();
    let facts = seen(&bench, &Options::default());
    assert!(
        facts.watched < Duration::from_millis(100),
        "no wait: {facts:?}"
    );
    let Answer::Who {
        board, firmware, ..
    } = &facts.cameras[0].answer
    else {
        panic!("{facts:?}");
    };
    assert_eq!(board.name, "OPENMV_RT1060");
    assert_eq!(
        firmware.map(|version| version.to_string()).as_deref(),
        Some("4.8.0")
    );
    assert_eq!(codes(&facts), []);
}

#[test]
fn a_starting_camera_is_followed_through_its_bootloader_and_not_held_in_it() {
    let bench = Bench::with(Rt1062::new(
        &sample::firmware("4.8.0", 0x1_2345),
        Quirks::default(),
    ));
    let facts = seen(&bench, &Options::default());
    let states: Vec<State> = facts.visits.iter().map(|visit| visit.state).collect();
    assert_eq!(states.last(), Some(&State::Run), "{states:?}");
    assert!(states.contains(&State::Sbl), "{states:?}");
    assert_eq!(codes(&facts), []);
}

#[test]
fn firmware_that_crashes_at_every_start_is_cycling() {
    let mut crashes = sample::firmware("5.0.0", 0x1_2345);
    crashes[0x1_0000] ^= 1;
    let bench = Bench::with(Rt1062::new(&crashes, Quirks::default()));
    let facts = seen(&bench, &Options::default());
    assert_eq!(codes(&facts), [Code::Cycling]);
    assert!(
        facts.watched <= Duration::from_secs(20),
        "{:?}",
        facts.watched
    );
}

#[test]
fn an_unplugged_camera_is_silent_after_the_time_its_board_may_take() {
    let bench = running();
    bench
        .bus
        .with(0, |camera, now| camera.hand(now, Hand::Unplug));
    bench.pass(1);
    let facts = seen(&bench, &Options::default());
    assert_eq!(codes(&facts), [Code::Silent]);
    assert_eq!(facts.watched.as_secs(), 5);
    let arduino = Options {
        expected: by_name("nicla"),
        wanted: Some("nicla".into()),
        ..Options::default()
    };
    assert_eq!(seen(&bench, &arduino).watched.as_secs(), 60);
}

#[test]
fn a_camera_with_its_wire_in_place_is_in_recovery() {
    let bench = running();
    bench.bus.with(0, |camera, now| {
        camera.hand(now, Hand::Unplug);
        camera.hand(now, Hand::Jumper(true));
        camera.hand(now, Hand::Plug);
    });
    bench.pass(5);
    let facts = seen(&bench, &Options::default());
    assert_eq!(codes(&facts), [Code::InRecovery]);
}

#[test]
fn a_fixed_time_is_kept_and_a_stop_ends_it() {
    let bench = running();
    let options = Options {
        watch: Some(Duration::from_secs(3)),
        ..Options::default()
    };
    let before = bench.bus.now();
    assert_eq!(seen(&bench, &options).watched, Duration::from_secs(3));
    assert!(bench.bus.now() >= before + Duration::from_secs(3));
    bench.stop.ask();
    let stopped = examine(&bench.buses(), None, &options, &bench.stop, None);
    assert!(matches!(stopped, Err(Error::Stopped { .. })));
}

#[test]
fn a_camera_of_another_name_is_not_taken_for_the_one_that_is_meant() {
    let bench = running();
    let options = Options {
        wanted: Some("FFFF".into()),
        ..Options::default()
    };
    let seen = examine(&bench.buses(), None, &options, &bench.stop, None);
    assert!(matches!(seen, Err(Error::NotThisOne { .. })));
}
