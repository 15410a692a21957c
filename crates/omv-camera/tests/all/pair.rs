//! Two cameras on one bus: each command is for one of them.

use std::time::Duration;

use crate::bench::{Bench, board, image};
use omv_boards::State;
use omv_camera::{Error, Event, Found, find, look, select};
use omv_plan::{Image, Wish};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Camera, Hand, VirtualBus};

const SIZE: usize = 0x1_2345;

fn images() -> Vec<Image> {
    vec![image("firmware", sample::firmware("5.0.0", SIZE))]
}

/// Two running cameras.
fn pair() -> Bench {
    let firmware = sample::firmware("4.8.0", SIZE);
    let camera = |uid| Rt1062::new(&firmware, Quirks::default()).with_uid(uid);
    let mut bench = Bench::running(&firmware);
    let cameras: Vec<Box<dyn Camera>> = vec![
        Box::new(camera([0x1111_1111, 0x2222_2222])),
        Box::new(camera([0x3333_3333, 0x4444_4444])),
    ];
    bench.bus = VirtualBus::new("pair", cameras);
    bench.pass(4);
    bench
}

fn erased(bench: &Bench, port: usize) -> u64 {
    bench
        .bus
        .with(port, |camera, _| camera.status().erased_sectors)
}

fn hands(bench: &Bench, port: usize, hands: &[Hand]) {
    bench.bus.with(port, |camera, now| {
        for hand in hands {
            camera.hand(now, *hand);
        }
    });
}

#[test]
fn of_two_cameras_none_is_taken_unless_it_is_named() {
    let mut bench = pair();
    let all = || find(&bench.buses()).unwrap();
    let Err(Error::Several { which }) = select(all(), None) else {
        panic!("one was taken");
    };
    assert_eq!(which.len(), 2);
    let Err(Error::NotThisOne { .. }) = select(all(), Some("nobody")) else {
        panic!("one was taken");
    };
    for (port, found) in all().iter().enumerate() {
        let serial = found.seen.serial.clone().unwrap();
        let place = found.seen.place.to_string();
        for name in [
            serial.as_str(),
            &serial.to_lowercase(),
            &place,
            &format!("{}", port + 1),
        ] {
            let chosen: Found = select(all(), Some(name)).unwrap();
            assert_eq!(chosen.seen.place, found.seen.place, "{name}");
        }
    }
    // The second is flashed, the first does not notice.
    let second = select(all(), Some("pair 2")).unwrap();
    let looked = look(&second, None).unwrap();
    let plan = omv_plan::flash(board(), State::Run, images(), &Wish::default()).unwrap();
    let outcome = bench.run(&plan, looked).unwrap();
    assert_eq!(outcome.place, "pair 2");
    assert_eq!(erased(&bench, 0), 0);
    assert!(erased(&bench, 1) > 0);
}

#[test]
fn another_camera_that_restarts_at_the_same_time_is_not_taken_for_ours() {
    // The other one is off the bus when the watch is armed, and its window opens during the wait.
    for late in 0..20 {
        let mut bench = pair();
        let first = select(find(&bench.buses()).unwrap(), Some("pair 1")).unwrap();
        let looked = look(&first, None).unwrap();
        let plan = omv_plan::flash(board(), State::Run, images(), &Wish::default()).unwrap();
        hands(&bench, 1, &[Hand::Unplug, Hand::Plug]);
        bench.bus.pass(Duration::from_millis(10 * late));
        let outcome = bench.run(&plan, looked).unwrap();
        assert_eq!(outcome.place, "pair 1", "{late}0 ms");
        assert_eq!(erased(&bench, 1), 0);
        assert!(erased(&bench, 0) > 0);
    }
}

#[test]
fn a_person_may_plug_the_camera_into_another_socket() {
    let mut bench = pair();
    // The second socket is empty at first: what is put in there later is the same camera.
    hands(&bench, 1, &[Hand::Unplug]);
    let first = select(find(&bench.buses()).unwrap(), Some("pair 1")).unwrap();
    let mut looked = look(&first, None).unwrap();
    hands(&bench, 0, &[Hand::Unplug]);
    (looked.state, looked.who) = (State::Silent, None);
    let plan = omv_plan::flash(board(), State::Silent, images(), &Wish::default()).unwrap();
    bench.obliging = false;
    bench.moves_when_asked = true;
    let outcome = bench.run(&plan, looked).unwrap();
    assert_eq!(outcome.place, "pair 2");
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::Hands { .. }))
    );
}
