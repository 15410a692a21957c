//! Every plan there is, as people see it: from every state, with the lines one would type with
//! NXP's tools.

use crate::common::{self, board, image, images, loaders, show};
use omv_boards::State;
use omv_plan::{Order, Plan, Refusal, Risk, Step, Wish, erase_disk, flash, recover, restore, save};

/// One section for each state; states with the same plan share one.
fn from_every_state(plan: impl Fn(State) -> Result<Plan, Refusal>) -> String {
    let mut sections: Vec<(Vec<&str>, String)> = Vec::new();
    for state in State::ALL {
        let shown = show(&plan(state)).replace(&format!("`{state}`"), "`<state>`");
        match sections.iter_mut().find(|(_, text)| *text == shown) {
            Some((states, _)) => states.push(state.name()),
            None => sections.push((vec![state.name()], shown)),
        }
    }
    let section =
        |(states, text): &(Vec<&str>, String)| format!("=== from {}\n{text}", states.join(", "));
    sections.iter().map(section).collect::<Vec<_>>().join("\n")
}

fn saved() -> Wish {
    Wish {
        save_disk: true,
        ..Wish::default()
    }
}

fn everything() -> Vec<omv_plan::Image> {
    [images(), loaders()].concat()
}

#[test]
fn flash_from_every_state() {
    insta::assert_snapshot!(from_every_state(|state| {
        flash(board(), state, everything(), &Wish::default())
    }));
}

#[test]
fn flash_with_every_wish() {
    let normal = Wish::default();
    let wishes = [
        (
            "parked",
            Wish {
                order: Order::Park,
                ..normal.clone()
            },
        ),
        (
            "all erased first",
            Wish {
                order: Order::EraseFirst,
                ..normal.clone()
            },
        ),
        (
            "all rewritten",
            Wish {
                full: true,
                ..normal.clone()
            },
        ),
        (
            "disk erased",
            Wish {
                erase_disk: true,
                ..normal.clone()
            },
        ),
        (
            "disk saved and erased",
            Wish {
                erase_disk: true,
                save_disk: true,
                ..normal.clone()
            },
        ),
        // Not a matter of an update: there is no ROM in the way.
        (
            "fuse",
            Wish {
                burn_boot_fuse: true,
                ..normal
            },
        ),
    ];
    let section = |(name, wish): &(&str, Wish)| {
        format!(
            "=== {name}\n{}",
            show(&flash(board(), State::Run, images(), wish))
        )
    };
    insta::assert_snapshot!(wishes.iter().map(section).collect::<Vec<_>>().join("\n"));
}

#[test]
fn flash_of_one_file() {
    let section = |region: &str| {
        let images = images().into_iter().filter(|image| image.region == region);
        let plan = flash(board(), State::Run, images.collect(), &Wish::default());
        format!("=== {region}\n{}", show(&plan))
    };
    insta::assert_snapshot!([section("firmware"), section("romfs")].join("\n"));
}

#[test]
fn recover_from_every_state() {
    insta::assert_snapshot!(from_every_state(|state| {
        recover(board(), state, everything(), &Wish::default())
    }));
}

#[test]
fn recover_with_consent_to_burn_the_boot_fuse() {
    let wish = Wish {
        burn_boot_fuse: true,
        erase_disk: true,
        save_disk: true,
        ..Wish::default()
    };
    insta::assert_snapshot!(show(&recover(board(), State::Sdp, everything(), &wish)));
}

#[test]
fn save_from_every_state() {
    insta::assert_snapshot!(from_every_state(|state| save(
        board(),
        state,
        "disk",
        &Wish::default()
    )));
}

#[test]
fn restore_from_every_state() {
    insta::assert_snapshot!(from_every_state(|state| {
        let disk = image("disk", vec![0x44; 0x40_0000]);
        restore(board(), state, disk, &Wish::default())
    }));
}

#[test]
fn erase_from_every_state() {
    insta::assert_snapshot!(from_every_state(|state| erase_disk(
        board(),
        state,
        &saved()
    )));
}

#[test]
fn only_a_rebuilding_with_consent_does_something_for_ever() {
    let consent = Wish {
        burn_boot_fuse: true,
        ..Wish::default()
    };
    let risk = |plan: Result<Plan, Refusal>| plan.unwrap().risk();
    let mut plans = Vec::new();
    for state in [State::Run, State::Sbl, State::Silent, State::Cycling] {
        plans.push(flash(board(), state, everything(), &consent));
    }
    plans.push(recover(board(), State::Sdp, everything(), &Wish::default()));
    plans.push(erase_disk(board(), State::Run, &saved()));
    for plan in plans {
        assert_eq!(risk(plan), Risk::Rewrites);
    }
    assert_eq!(
        risk(save(board(), State::Run, "disk", &Wish::default())),
        Risk::Reads
    );
    for state in [State::Sdp, State::Flashloader, State::Run] {
        assert_eq!(
            risk(recover(board(), state, everything(), &consent)),
            Risk::Forever
        );
    }
}

#[test]
fn a_fuse_is_read_before_it_is_burned() {
    let consent = Wish {
        burn_boot_fuse: true,
        ..Wish::default()
    };
    let plan = recover(board(), State::Sdp, everything(), &consent).unwrap();
    let place = |wanted: fn(&Step) -> bool| plan.steps.iter().position(wanted).unwrap();
    let read = place(|step| matches!(step, Step::ReadFuse { .. }));
    assert_eq!(
        place(|step| matches!(step, Step::BurnFuse { .. })),
        read + 1
    );
    assert!(read > place(|step| matches!(step, Step::Verify { .. })));
}

#[test]
fn every_byte_of_an_image_is_erased_written_and_verified_once_the_vectors_last() {
    for size in [0x3000, 0x3001, 0x4000, 0x1_2345] {
        let file = common::firmware(size.max(0x3300));
        let images = vec![image("firmware", file)];
        let end = images[0].end().next_multiple_of(0x1000);
        for order in [Order::Safe, Order::Park, Order::EraseFirst] {
            let wish = Wish {
                order,
                ..Wish::default()
            };
            let plan = flash(board(), State::Run, images.clone(), &wish).unwrap();
            for verb in ["erase", "write", "verify"] {
                let parts = plan.steps.iter().filter_map(|step| match (verb, step) {
                    ("erase", Step::Erase { part })
                    | ("write", Step::Write { part })
                    | ("verify", Step::Verify { part }) => Some(part),
                    _ => None,
                });
                let mut spans: Vec<_> = parts.flat_map(|part| part.spans.clone()).collect();
                if order != Order::EraseFirst {
                    assert_eq!(spans.last().unwrap(), &(0x6004_2000..0x6004_3000));
                }
                spans.sort_by_key(|span| span.start);
                let joined = spans.windows(2).all(|pair| pair[0].end == pair[1].start);
                assert!(joined, "{spans:x?}");
                assert_eq!(
                    (spans[0].start, spans[spans.len() - 1].end),
                    (0x6004_0000, end)
                );
            }
        }
    }
}

#[test]
fn a_camera_that_should_stay_is_written_as_ever_and_then_left_alone() {
    let plan = flash(board(), State::Sbl, images(), &Wish::default()).unwrap();
    let staying = plan.clone().staying();
    assert_eq!(staying.steps[..], plan.steps[..staying.steps.len()]);
    let dropped = &plan.steps[staying.steps.len()..];
    assert!(
        matches!(dropped, [Step::Leave { .. }, Step::Ask]),
        "{dropped:?}"
    );
}
