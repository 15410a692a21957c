//! A person who stops the work.

use omv_boards::{Role, State};
use omv_camera::{Error, Event};
use omv_plan::{Step, Wish};

use super::{camera, files};

#[test]
fn stopping_at_any_step_says_the_state_and_the_same_command_finishes_the_work() {
    for (name, state) in [
        ("OPENMV4", State::Run),
        ("OPENMV3", State::StRom),
        ("OPENMV_AE3", State::Dfu),
        ("ARDUINO_GIGA", State::Run),
        ("OPENMV2", State::LegacyBl),
    ] {
        let old = state == State::LegacyBl;
        let rom = state == State::StRom;
        let mut roles = vec![Role::Firmware];
        if !old {
            roles.extend([Role::SecondFirmware, Role::Romfs]);
        }
        roles.extend(rom.then_some(Role::Bootloader));
        let images = files(&camera(name, state), &roles);
        let wish = Wish {
            force: old,
            ..Wish::default()
        };
        let board = camera(name, state).board;
        let plan = omv_plan::flash(board, state, images.clone(), &wish).unwrap();
        for (at, step) in plan.steps.iter().enumerate() {
            let mut bench = camera(name, state);
            bench.when = Box::new(move |event, _, stop| {
                if matches!(event, Event::Started { step } if *step == at) {
                    stop.ask();
                }
            });
            let what = format!("{name} {state}, step {at} {step:?}");
            let error = bench.flash(&images, &wish).expect_err(&what);
            let Error::Stopped { state: says, .. } = &error else {
                panic!("{what}: {error}");
            };
            let is = bench.status().state;
            let truth = match is {
                State::Run => says.contains("the camera runs") || says.contains("nothing is being"),
                State::StRom => says.contains("chip's ROM") || says.contains("nothing is being"),
                _ => says.contains("its bootloader") || says.contains("nothing is being"),
            };
            assert!(
                truth || matches!(step, Step::Leave { .. }),
                "{what}: {says}, but it is {is}"
            );

            // What it says holds for as long as the camera has power.
            if !matches!(step, Step::Leave { .. } | Step::Ask | Step::Hands { .. }) {
                bench.pass(60);
                assert_eq!(bench.status().state, is, "{what}");
            }
            bench.calm();
            let done = bench.flash(&images, &wish);
            let done = done.unwrap_or_else(|error| panic!("{what}, again: {error}"));
            assert_eq!(done.state, State::Run, "{what}");
            assert!(bench.holds(&images), "{what}");
            assert_eq!(bench.misused(), None, "{what}");
        }
    }
}

#[test]
fn stopping_in_the_middle_of_a_write_is_obeyed_within_a_block() {
    for (name, state) in [
        ("OPENMV4", State::Dfu),
        ("OPENMV4", State::StRom),
        ("ARDUINO_GIGA", State::ArduinoDfu),
    ] {
        let mut bench = camera(name, state);
        let images = files(&bench, &[Role::Firmware, Role::Bootloader]);
        bench.when = Box::new(|event, _, stop| {
            if matches!(event, Event::Moved { .. }) {
                stop.ask();
            }
        });
        let wish = Wish {
            full: true,
            ..Wish::default()
        };
        let error = bench.flash(&images, &wish).unwrap_err();
        assert_eq!(error.code(), "stopped", "{name}: {error}");
        let moved = bench
            .events
            .iter()
            .filter(|e| matches!(e, Event::Moved { .. }));
        assert_eq!(moved.count(), 1, "{name}");
        bench.calm();
        bench.flash(&images, &Wish::default()).unwrap();
        assert_eq!(bench.status().state, State::Run, "{name}");
    }
}
