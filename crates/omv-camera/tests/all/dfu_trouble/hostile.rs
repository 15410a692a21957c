//! Devices that do not answer as they should.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omv_boards::{Role, State};
use omv_camera::Error;
use omv_plan::{Image, Wish};
use omv_wire::dfu::request;

use super::bench::Bench;
use super::between::{Between, Fate, Request};
use super::{camera, files};

/// No single failure may keep a person waiting for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a device answers to GETSTATUS.
fn report(status: u8, poll: u32, state: u8) -> Vec<u8> {
    let [p0, p1, p2, _] = poll.to_le_bytes();
    vec![status, p0, p1, p2, state, 0]
}

/// A camera in a state, and everything about to be written to it; all of it, equal or not.
fn ready(name: &str, state: State) -> (Bench, Vec<Image>) {
    let bench = camera(name, state);
    let images = files(
        &bench,
        &[Role::Firmware, Role::SecondFirmware, Role::Bootloader],
    );
    (bench, images)
}

/// Every board whose flash is written over DFU by one of its ways.
const WAYS: [(&str, State); 5] = [
    ("OPENMV4", State::Dfu),
    ("OPENMV_AE3", State::Dfu),
    ("OPENMV2", State::StRom),
    ("OPENMV4", State::StRom),
    ("ARDUINO_GIGA", State::ArduinoDfu),
];

/// Has every kind of device behave like this, and tells what a person is told.
fn misbehave(
    code: &str,
    manners: impl Fn(&Request) -> Fate + Clone + Send + 'static,
    ways: &[(&str, State)],
) -> Vec<Error> {
    let mut errors = Vec::new();
    for (name, state) in ways {
        let (mut bench, images) = ready(name, *state);
        let before = bench.flash_bytes();
        let between = Between::new(&bench.bus, manners.clone());
        bench.between = Some(Arc::new(between.clone()));
        let start = bench.now();
        let wish = Wish {
            full: true,
            ..Wish::default()
        };
        let error = bench.flash(&images, &wish).expect_err("that is no camera");
        let took = bench.now() - start;
        assert_eq!(error.code(), code, "{name} {state}: {error}");
        assert!(took < PATIENCE, "{name} {state}: {took:?}, {error}");
        assert!(!error.help().is_empty());
        if between.count(request::DNLOAD) == 0 {
            assert!(bench.flash_bytes() == before, "{name} {state} was changed");
        }

        // The device comes to its senses, and the same command ends well.
        bench.between = None;
        bench.replug();
        bench.pass(1);
        let done = bench.flash(&images, &wish);
        let done = done.unwrap_or_else(|error| panic!("{name} {state}, again: {error}"));
        assert_eq!(done.state, State::Run, "{name} {state}");
        let firmware = bench
            .board
            .role(Role::Firmware)
            .expect("firmware")
            .name
            .clone();
        let written: Vec<Image> = images
            .into_iter()
            .filter(|i| i.region == firmware)
            .collect();
        assert!(bench.holds(&written), "{name} {state}");
        assert_eq!(bench.misused(), None);
        errors.push(error);
    }
    errors
}

#[test]
fn a_device_that_refuses_everything_is_given_up_in_a_moment() {
    for error in misbehave("protocol", |_| Fate::Stall, &WAYS) {
        assert!(error.to_string().contains("refused"), "{error}");
    }
}

#[test]
fn a_device_that_never_answers_is_given_up_before_a_minute_is_over() {
    for error in misbehave("protocol", |_| Fate::Silence, &WAYS) {
        assert!(error.to_string().contains("waited in vain"), "{error}");
    }
}

#[test]
fn a_device_that_asks_for_four_hours_of_silence_is_refused_at_once() {
    let four_hours = |request: &Request| {
        if request.is(request::GETSTATUS) {
            return Fate::Change(Box::new(|reply| {
                let state = reply[4];
                *reply = report(0, 4 * 3_600_000, state);
                // Idle devices ask for nothing: only at work is it believed.
                if state == 2 {
                    reply[1..4].fill(0);
                }
            }));
        }
        Fate::Pass
    };
    // While a block is written, not while nothing is.
    let ways = [WAYS[0], WAYS[2], WAYS[4]];
    for error in misbehave("protocol", four_hours, &ways) {
        assert!(error.to_string().contains("14400000 ms"), "{error}");
    }
}

#[test]
fn a_device_that_is_busy_for_ever_is_given_up() {
    let busy = |request: &Request| {
        if request.is(request::GETSTATUS) {
            return Fate::Say(report(0, 100, 4));
        }
        Fate::Pass
    };
    misbehave("protocol", busy, &WAYS);
}

#[test]
fn states_that_make_no_sense_are_told_and_not_believed() {
    // Every state there is but the two that follow a block, and some that there are not.
    for state in [0, 1, 2, 6, 7, 8, 9, 11, 0x7F, 0xFF] {
        let lies = move |request: &Request| match request.is(request::GETSTATUS) {
            true => Fate::Change(Box::new(move |reply| {
                // What begins idle is believed to be idle, or nothing would be written at all.
                if reply[4] != 2 {
                    *reply = report(0, 0, state);
                }
            })),
            false => Fate::Pass,
        };
        misbehave("protocol", lies, &[WAYS[0], WAYS[3]]);
    }
}

#[test]
fn answers_of_the_wrong_size_are_refused() {
    for size in [0, 1, 5, 7, 64, 4096] {
        let cut = move |request: &Request| match request.is(request::GETSTATUS) {
            true => Fate::Change(Box::new(move |reply| reply.resize(size, 0))),
            false => Fate::Pass,
        };
        misbehave("protocol", cut, &[WAYS[0], WAYS[3]]);
    }
}

#[test]
fn reading_that_never_ends_is_cut_off() {
    let endless = |request: &Request| match request.is(request::UPLOAD) {
        true => Fate::Say(vec![0xA5; 0x1_0000]),
        false => Fate::Pass,
    };
    for error in misbehave("protocol", endless, &WAYS) {
        assert!(error.to_string().contains("length of a reply"), "{error}");
    }
}

#[test]
fn reading_that_always_comes_short_is_no_proof_of_anything() {
    let short = |request: &Request| match request.is(request::UPLOAD) && request.setup.value > 1 {
        true => Fate::Change(Box::new(|reply| {
            reply.pop();
        })),
        false => Fate::Pass,
    };
    for error in misbehave("protocol", short, &WAYS) {
        assert!(error.to_string().contains("came"), "{error}");
    }
}

#[test]
fn one_that_refuses_or_ignores_the_way_back_to_its_first_partition_is_left_all_the_same() {
    // The second is written by address, and ends in the memory that is not its first.
    let ways = [
        ("OPENMV4", State::Dfu, &[Role::Firmware, Role::Romfs][..]),
        ("ARDUINO_GIGA", State::ArduinoDfu, &[Role::Romfs]),
    ];
    for (name, state, roles) in ways {
        for silent in [false, true] {
            let (mut bench, _) = ready(name, state);
            let images = files(&bench, roles);
            let asked = Arc::new(Mutex::new(0));
            let count = Arc::clone(&asked);
            let refuses = move |request: &Request| {
                // SET_INTERFACE with the alternate 0, once another one was chosen.
                let setup = &request.setup;
                let chosen = setup.request_type == 1 && setup.request == 0x0B;
                let mut asked = count.lock().expect("nobody panics");
                match (chosen, setup.value, *asked) {
                    (true, 1.., 0) => *asked = 1,
                    (true, 0, 1..) => {
                        *asked += 1;
                        return if silent { Fate::Silence } else { Fate::Stall };
                    }
                    _ => {}
                }
                Fate::Pass
            };
            bench.between = Some(Arc::new(Between::new(&bench.bus, refuses)));
            let done = bench.flash(&images, &Wish::default());
            let done = done.unwrap_or_else(|error| panic!("{name} {state}: {error}"));
            assert_eq!(done.state, State::Run, "{name} {state}");
            assert!(bench.holds(&images), "{name} {state}");
            assert_eq!(
                *asked.lock().unwrap(),
                2,
                "{name} {state}: it was asked once"
            );
        }
    }
}

#[test]
fn errors_of_the_device_are_told_in_words() {
    // Status 3 is errWRITE, 8 is errADDRESS, 15 is errSTALLEDPKT.
    for (status, words) in [(3, "errWRITE"), (8, "errADDRESS"), (15, "errSTALLEDPKT")] {
        let fails = move |request: &Request| match request.is(request::GETSTATUS) {
            true => Fate::Change(Box::new(move |reply| {
                if reply[4] != 2 {
                    *reply = report(status, 0, 10);
                }
            })),
            false => Fate::Pass,
        };
        for error in misbehave("dfu-refused", fails, &[WAYS[0], WAYS[2], WAYS[3], WAYS[4]]) {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn bytes_that_are_read_back_otherwise_are_a_failed_verification_with_the_address() {
    for (name, state) in WAYS {
        let (mut bench, images) = ready(name, state);
        let wish = Wish {
            full: true,
            ..Wish::default()
        };
        let written = Arc::new(std::sync::Mutex::new(false));
        let flip = move |request: &Request| {
            let mut written = written.lock().expect("nobody panics");
            *written |= request.is(request::DNLOAD) && request.data.len() > 64;
            if request.is(request::UPLOAD) && *written {
                return Fate::Change(Box::new(|reply| {
                    if let Some(byte) = reply.get_mut(9) {
                        *byte ^= 0x10;
                    }
                }));
            }
            Fate::Pass
        };
        bench.between = Some(Arc::new(Between::new(&bench.bus, flip)));
        let error = bench.flash(&images, &wish).unwrap_err();
        assert_eq!(error.code(), "verify-failed", "{name} {state}: {error}");
        let Error::VerifyFailed {
            region,
            address,
            wrote,
            read,
        } = error
        else {
            panic!("{error}");
        };
        let image = images.iter().find(|image| image.region == region);
        let image = image.expect("an image that was given");
        assert_eq!(address, image.start + 9, "{name} {state}");
        assert_eq!((wrote, read), (image.bytes[9], image.bytes[9] ^ 0x10));

        bench.between = None;
        bench.replug();
        bench.pass(1);
        bench.flash(&images, &Wish::default()).unwrap();
        assert_eq!(bench.status().state, State::Run);
    }
}
