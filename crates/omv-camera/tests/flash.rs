//! Flashing a virtual RT1062 from every state it can be in.

mod bench;

use bench::{Bench, board, image, loaders};
use omv_boards::State;
use omv_camera::Event;
use omv_plan::{Step, Wish};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Camera, Hand};

const SIZE: usize = 0x1_2345;

#[test]
fn an_update_changes_version_protocol_and_usb_id() {
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let before = bench.look().unwrap();
    assert_eq!(
        (before.state, before.firmware().as_deref()),
        (State::Run, Some("4.8.0"))
    );
    assert_eq!(
        (before.found.seen.vid, before.found.seen.pid),
        (0x1209, 0xABD1)
    );

    let new = sample::firmware("5.0.0", SIZE + 777);
    let outcome = bench
        .flash(vec![image("firmware", new.clone())], &Wish::default())
        .unwrap();

    assert_eq!(outcome.state, State::Run);
    assert_eq!(outcome.who.unwrap().firmware, [5, 0, 0]);
    let after = bench.look().unwrap();
    assert_eq!(
        (after.found.seen.vid, after.found.seen.pid),
        (0x37C5, 0x1060)
    );
    assert_eq!(bench.flash_bytes(0x6004_0000, new.len()), new);
    let report = &outcome.regions[0];
    assert!(report.verified);
    assert_eq!(report.bytes, new.len() as u64);
    assert_eq!(report.written_bytes + report.skipped_bytes, report.bytes);
}
