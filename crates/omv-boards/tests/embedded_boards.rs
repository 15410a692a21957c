//! The boards this crate ships, compared with numbers taken from upstream by hand.

use omv_boards::{UsbId, all, by_name, candidates};

#[test]
fn every_embedded_board_file_parses() {
    assert!(!all().is_empty());
}

#[test]
fn the_rt1062_has_an_id_of_its_own() {
    let found = candidates(
        UsbId {
            vid: 0x37C5,
            pid: 0x1060,
        },
        None,
    );
    assert_eq!(found.len(), 1);
    assert_eq!(Some(found[0].board), by_name("RT1062"));
}
