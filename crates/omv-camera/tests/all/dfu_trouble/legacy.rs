//! The serial bootloader of firmware up to 4.5.9.

use std::time::Duration;

use omv_boards::{Role, State};
use omv_camera::Error;
use omv_plan::{Image, Plan, Wish};
use omv_sim::dfu::{self, Bootloader, Quirks};

use super::bench::{Bench, release};
use super::wish;

const BOARDS: [&str; 3] = ["OPENMV2", "OPENMV3", "OPENMV4P"];

fn old(name: &str, state: State, version: u8, quirks: Quirks) -> Bench {
    Bench::new(dfu::Wish {
        version: "4.5.6".into(),
        bootloader: Some(Bootloader::Legacy(version)),
        quirks,
        ..wish(name, state)
    })
}

/// Firmware of the time, and nothing else.
fn firmware(bench: &Bench, version: &str) -> Vec<Image> {
    let mut images = release(bench.board, version);
    let region = bench.board.role(Role::Firmware).expect("firmware");
    images.retain(|image| image.region == region.name);
    images
}

#[test]
fn firmware_of_the_time_goes_through_every_version_of_it_on_every_board() {
    for name in BOARDS {
        for version in 1..=3 {
            for state in [State::Run, State::LegacyBl] {
                let mut bench = old(name, state, version, Quirks::default());
                let images = firmware(&bench, "4.5.9");
                let what = format!("{name} version {version} {state}");
                let outcome = bench.flash(&images, &Wish::default());
                let outcome = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(outcome.state, State::Run, "{what}");
                assert_eq!(outcome.firmware().as_deref(), Some("4.5.9"), "{what}");
                assert!(bench.holds(&images), "{what}");
                assert_eq!(bench.misused(), None, "{what}");
                // Nothing was read back, and nothing else is said.
                assert!(
                    outcome.regions.iter().all(|region| !region.verified),
                    "{what}"
                );
                assert!(
                    outcome.took < Duration::from_secs(120),
                    "{what}: {:?}",
                    outcome.took
                );
            }
        }
    }
}

#[test]
fn firmware_that_expects_the_next_bootloader_is_refused_before_anything_is_sent() {
    for name in BOARDS {
        for (version, state) in [("4.6.0", State::LegacyBl), ("5.0.0", State::Run)] {
            let mut bench = old(name, state, 3, Quirks::default());
            let images = firmware(&bench, version);
            let (before, erased) = (bench.flash_bytes(), bench.status().erased_sectors);
            let error = bench.flash(&images, &Wish::default()).unwrap_err();
            assert_eq!(error.code(), "old-bootloader", "{name} {version}: {error}");
            assert!(bench.flash_bytes() == before, "{name} {version}");
            assert_eq!(bench.status().erased_sectors, erased, "{name} {version}");
            bench.pass(10);
            assert_eq!(bench.status().state, State::Run, "{name} {version}");
        }
    }
}

#[test]
fn one_that_cannot_follow_is_told_and_goes_carefully_the_next_time() {
    let slow = Quirks {
        short_packets: true,
        ..Quirks::default()
    };
    for name in BOARDS {
        for version in 2..=3 {
            let mut bench = old(name, State::LegacyBl, version, slow);
            let images = firmware(&bench, "4.5.9");
            let start = bench.now();
            let error = bench.flash(&images, &Wish::default()).unwrap_err();
            let Error::TooFast { written } = error else {
                panic!("{name} {version}: {error}");
            };
            assert!(written < 0x1_0000, "{written}");
            assert!(bench.now() - start < Duration::from_secs(60));

            // Its bootloader is unharmed: unplugged and plugged in, and slowly.
            let board = bench.board;
            let plan = |state| {
                let plan = omv_plan::flash(board, state, images.clone(), &Wish::default())?;
                Ok(Plan {
                    careful: true,
                    ..plan
                })
            };
            let mut looked = bench.meet().unwrap();
            looked.state = State::Silent;
            let outcome = bench.run(looked, &plan).unwrap();
            assert_eq!(
                outcome.firmware().as_deref(),
                Some("4.5.9"),
                "{name} {version}"
            );
            assert!(bench.holds(&images), "{name} {version}");
        }
    }
}
