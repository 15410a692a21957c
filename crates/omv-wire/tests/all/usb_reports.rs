//! HID report descriptors: the two a recovery host meets, and broken ones.

use omv_wire::Malformed;
use omv_wire::usb::{ReportDescriptor, ReportKind};
use proptest::prelude::*;

/// One report as NXP's loaders declare it: usage 1, bytes 0 to 255, `size` bits `count` times.
fn report(id: u8, size: u8, count: u8, main: u8) -> Vec<u8> {
    vec![
        0x85, id, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, size, 0x95, count,
        main, 0x02,
    ]
}

/// Vendor page, usage 1, one application collection around `reports`.
fn descriptor(reports: [Vec<u8>; 4]) -> Vec<u8> {
    let mut bytes = vec![0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01];
    bytes.extend(reports.concat());
    bytes.push(0xC0);
    bytes
}

/// The RT1062 loaders' descriptor; observed by executing the loader shipped on every RT1062.
fn sbl() -> Vec<u8> {
    let (out, back) = (0x91, 0x81);
    descriptor([
        report(1, 0x28, 0xCB, out),
        report(2, 0x28, 0xCB, out),
        report(3, 0x28, 0xCB, back),
        report(4, 0x28, 0xCB, back),
    ])
}

/// The ROM's descriptor as U-Boot's SDP gadget mirrors it (drivers/usb/gadget/f_sdp.c).
fn sdp() -> Vec<u8> {
    descriptor([
        report(1, 0x08, 0x10, 0x91),
        report(2, 0x80, 0x40, 0x91),
        report(3, 0x08, 0x04, 0x81),
        report(4, 0x08, 0x40, 0x81),
    ])
}

fn field(bytes: &[u8]) -> &'static str {
    match ReportDescriptor::decode(bytes) {
        Err(Malformed::Field { field, .. }) => field,
        other => panic!("a refused field was expected, not {other:?}"),
    }
}

#[test]
fn the_loaders_reports_are_all_1016_bytes() {
    assert_eq!(sbl().len(), 76);
    let reports = ReportDescriptor::decode(&sbl()).unwrap();
    assert_eq!(reports.ids(), [1, 2, 3, 4]);
    assert!(reports.numbered());
    assert_eq!(reports.longest(ReportKind::Input), 1016);
    assert_eq!(reports.longest(ReportKind::Output), 1016);
    assert_eq!(reports.longest(ReportKind::Feature), 0);
    assert_eq!(reports.length(ReportKind::Output, 1), Some(1016));
    assert_eq!(reports.length(ReportKind::Input, 1), None);
}

#[test]
fn the_roms_reports_differ_and_the_longest_counts() {
    let reports = ReportDescriptor::decode(&sdp()).unwrap();
    assert_eq!(reports.length(ReportKind::Output, 1), Some(17));
    assert_eq!(reports.length(ReportKind::Output, 2), Some(1025));
    assert_eq!(reports.length(ReportKind::Input, 3), Some(5));
    assert_eq!(reports.length(ReportKind::Input, 4), Some(65));
    assert_eq!(reports.longest(ReportKind::Input), 65);
    assert_eq!(reports.longest(ReportKind::Output), 1025);
}

#[test]
fn reports_without_ids_carry_none() {
    // The boot mouse of HID 1.11, appendix E.10: three bytes in.
    let mouse = [
        0x05, 0x01, 0x09, 0x02, 0xA1, 0x01, 0x09, 0x01, 0xA1, 0x00, 0x05, 0x09, 0x19, 0x01, 0x29,
        0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x05,
        0x81, 0x01, 0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x81, 0x25, 0x7F, 0x75, 0x08, 0x95,
        0x02, 0x81, 0x06, 0xC0, 0xC0,
    ];
    let reports = ReportDescriptor::decode(&mouse).unwrap();
    assert!(!reports.numbered());
    assert!(reports.ids().is_empty());
    assert_eq!(reports.length(ReportKind::Input, 0), Some(3));
}

#[test]
fn push_and_pop_restore_sizes_and_long_items_are_skipped() {
    let bytes = [
        0x75, 8, 0x95, 2, 0xA4, 0x75, 16, 0xB4, 0xFE, 3, 0x99, 1, 2, 3, 0x81, 2, 0xB1, 2,
    ];
    let reports = ReportDescriptor::decode(&bytes).unwrap();
    assert_eq!(reports.length(ReportKind::Input, 0), Some(2));
    assert_eq!(reports.length(ReportKind::Feature, 0), Some(2));
}

#[test]
fn reports_too_long_for_usb_are_refused_not_added_up() {
    let most = [
        0x77, 0xFF, 0xFF, 0xFF, 0xFF, 0x97, 0xFF, 0xFF, 0xFF, 0xFF, 0x81, 2,
    ];
    assert_eq!(field(&most), "report length");
    let twice = [0x75, 8, 0x96, 0xFF, 0xFF, 0x81, 2, 0x81, 2];
    assert_eq!(field(&twice), "report length");
    assert!(ReportDescriptor::decode(&twice[..7]).is_ok());
}

#[test]
fn what_does_not_balance_is_refused() {
    assert_eq!(field(&[0xA1, 1]), "collections left open");
    assert_eq!(field(&[0xC0]), "end collection");
    assert_eq!(field(&[0xB4]), "pop");
    assert_eq!(field(&[0xA4; 17]), "push");
    assert_eq!(field(&[0x85, 0]), "report id");
    assert_eq!(field(&[0x86, 0, 1]), "report id");
    assert_eq!(field(&[0x81, 2, 0x85, 1, 0x81, 2]), "report id");
    let cut = ReportDescriptor::decode(&sbl()[..75]);
    assert!(cut.is_err());
    let cut = ReportDescriptor::decode(&[0x26, 0xFF]);
    assert_eq!(cut, Err(Malformed::Short { need: 2, got: 1 }));
    assert!(ReportDescriptor::decode(&[0xFE]).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(reports) = ReportDescriptor::decode(&bytes) {
            prop_assert!(reports.longest(ReportKind::Input) <= 0x1_0000);
        }
    }

    #[test]
    fn a_damaged_descriptor_never_panics(at in 0_usize..76, to: u8) {
        let mut bytes = sbl();
        bytes[at] = to;
        let _ = ReportDescriptor::decode(&bytes);
    }
}
