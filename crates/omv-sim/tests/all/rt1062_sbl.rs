//! The resident bootloader's window, row by row as observed by executing the loader shipped on
//! every RT1062 from its reset handler to the jump.
//!
//! Times count from the bootloader's start. The observed 1500.04 ms are 1500 ms here.

use std::time::Duration;

use omv_boards::State;
use omv_sim::nor::SECTOR;
use omv_sim::rt1062::{Quirks, Rt1062, Times, sample};
use omv_sim::{Hand, Port, Status};
use omv_wire::mboot::{Command, property};
use omv_wire::usb::{Setup, Urb};

const MS: Duration = Duration::from_millis(1);
/// The chip's address of the vector sector, from the start of the flash.
const VECTORS: usize = sample::FIRMWARE + sample::VECTORS;
/// The place of the record that changes the wait.
const RECORD: usize = VECTORS + 0x3C0;

/// A camera on a port, its bootloader's clock starting at zero.
struct Bench(Port);

impl Bench {
    /// A whole firmware, then these bytes put over it.
    fn new(changes: &[(usize, &[u8])]) -> Self {
        let whole = sample::firmware("4.8.0", 0x1_0000);
        let mut remains = Rt1062::new(&whole, Quirks::default()).remains();
        for (offset, bytes) in changes {
            remains.parts.nor.place(*offset, bytes);
        }
        Self(Port::new(Box::new(Rt1062::from_remains(
            remains,
            Quirks::default(),
        ))))
    }

    /// With the reset vector replaced.
    fn vector(reset: u32) -> Self {
        Self::new(&[(VECTORS + 4, &reset.to_le_bytes())])
    }

    fn status(&mut self, millis: u64) -> Status {
        self.0
            .advance(Times::default().rom + Duration::from_millis(millis));
        self.0.camera().status()
    }

    fn state(&mut self, millis: u64) -> State {
        self.status(millis).state
    }

    /// Sets the configuration, as an operating system does.
    fn configure(&mut self) {
        let visit = self.0.camera().visit();
        self.0.submit(
            visit,
            1,
            Urb::control(Setup::set_configuration(1), Vec::new()),
        );
    }

    /// Sends the first word; tells whether it was answered within two milliseconds.
    fn greet(&mut self) -> bool {
        let visit = self.0.camera().visit();
        let command = Command::get_property(property::CURRENT_VERSION, 0).encode();
        let mut report = vec![1, 0, command.len() as u8, 0];
        report.extend(command);
        report.resize(1016, 0);
        self.0.take_done();
        self.0.submit(visit, 2, Urb::read(1, 1016));
        self.0.submit(visit, 3, Urb::write(2, report));
        let soon = self.0.now() + 2 * MS;
        self.0.advance(soon);
        let done = self.0.take_done();
        done.iter().any(|(ticket, completion)| {
            *ticket == 2 && completion.data.get(12..16) == Some(&[0x00, 0x08, 0x02, 0x4B])
        })
    }

    /// When the bootloader is on the bus during the first `seconds`, to the millisecond.
    fn windows(&mut self, seconds: u64) -> Vec<(u64, u64)> {
        let mut windows: Vec<(u64, u64)> = Vec::new();
        for millis in 0..seconds * 1000 {
            self.0
                .advance(Times::default().rom + Duration::from_millis(millis));
            let face = self.0.camera_mut().face();
            if face.is_some_and(|face| face.device().vendor == 0x15A2) {
                match windows.last_mut() {
                    Some((_, end)) if *end == millis => *end += 1,
                    _ => windows.push((millis, millis + 1)),
                }
            }
        }
        windows
    }
}

/// The default window: 1500 ms from the start, of which some are gone when USB is up.
fn default_window() -> (u64, u64) {
    (Times::default().attach.as_millis() as u64, 1500)
}

/// A record that waits this long, with HID as the peripheral and no other wish.
fn record(wait: u16) -> Vec<u8> {
    let mut record = vec![0xFF; 0x34];
    record[..4].copy_from_slice(b"kcfg");
    record[0x10] = 0x10;
    record[0x12..0x14].copy_from_slice(&wait.to_le_bytes());
    record
}

#[test]
fn row_a_a_vector_that_passes_waits_a_second_and_a_half_and_starts_the_firmware() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.windows(3), [default_window()]);
    let up = 1500 + Times::default().firmware.as_millis() as u64;
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.state(up - 1), State::Silent);
    assert_eq!(bench.state(up), State::Run);
    assert_eq!(bench.status(up).half_written_starts, 0);
}

#[test]
fn row_a_being_configured_does_not_hold_it() {
    let mut bench = Bench::new(&[]);
    bench.state(200);
    bench.configure();
    assert_eq!(bench.state(1499), State::Sbl);
    assert_eq!(bench.state(1500), State::Silent);
}

#[test]
fn row_a_the_first_report_is_answered_at_once_and_holds_it_for_good() {
    for first in [700, 1495] {
        let mut bench = Bench::new(&[]);
        bench.state(first);
        bench.configure();
        assert!(bench.greet(), "at {first} ms");
        assert_eq!(bench.state(20_000), State::Sbl);
        assert!(bench.greet(), "at 20 s");
        assert_eq!(bench.state(30_000), State::Sbl);
    }
}

#[test]
fn row_a_a_report_without_configuration_does_not_count() {
    let mut bench = Bench::new(&[]);
    bench.state(700);
    bench.greet();
    assert_eq!(bench.state(1499), State::Sbl);
    assert_eq!(bench.state(1500), State::Silent);
}

#[test]
fn rows_b_to_d_a_vector_that_fails_opens_no_window_ever() {
    let erased = [0xFF; SECTOR];
    let mut cases = vec![
        ("B", Bench::new(&[(VECTORS, &erased)])),
        ("C", Bench::new(&[(VECTORS, &[0; SECTOR])])),
    ];
    for reset in [
        0x8000_0001,
        0x1234_5679,
        0xFFFF_FFFE,
        0x6100_0001,
        0x2000_2401,
    ] {
        cases.push(("D", Bench::vector(reset)));
    }
    for (row, bench) in &mut cases {
        assert_eq!(bench.windows(10), [], "{row}");
        assert_eq!(bench.state(60_000), State::Silent, "{row}");
        assert_eq!(bench.0.camera().visit(), 0, "{row}: never on the bus");
    }
}

#[test]
fn only_the_place_of_the_reset_vector_is_looked_at() {
    // An even vector, one into RAM, one behind the firmware.
    for reset in [
        0x6004_3100,
        0x2000_0001,
        0x0000_0101,
        0x2023_FFFF,
        0x60F0_0001,
        0x60FF_FFFF,
    ] {
        let windows = Bench::vector(reset).windows(2);
        assert_eq!(windows.first(), Some(&default_window()), "{reset:#x}");
    }
    // No stack to speak of.
    let mut bench = Bench::new(&[(VECTORS, &[0xFF; 4])]);
    assert_eq!(bench.windows(2).first(), Some(&default_window()));
}

#[test]
fn row_e_erased_code_behind_good_vectors_shows_the_window_at_every_reset() {
    let erased = vec![0xFF; 0x1_0000 - sample::VECTORS - SECTOR];
    let behind = VECTORS + SECTOR;
    let mut bench = Bench::new(&[(behind, &erased)]);
    let windows = bench.windows(20);
    assert!(windows.len() >= 9, "{windows:?}");
    let (start, end) = default_window();
    let again = Times::default().crash + Times::default().rom;
    let every = end + again.as_millis() as u64;
    for (index, window) in windows.iter().take(9).enumerate() {
        let from = index as u64 * every;
        assert_eq!(*window, (from + start, from + end));
    }
    assert!(bench.status(20_000).half_written_starts >= 9);

    let mut bench = Bench::new(&[(behind, &erased)]);
    bench.state(1495);
    bench.configure();
    assert!(bench.greet());
    assert_eq!(bench.status(30_000).half_written_starts, 0);
    assert_eq!(bench.state(30_000), State::Sbl);
}

#[test]
fn row_f_a_low_pin_skips_the_window() {
    let mut bench = Bench::new(&[]);
    bench
        .0
        .camera_mut()
        .hand(Duration::ZERO, Hand::PinLow(true));
    assert_eq!(bench.windows(5), []);
    assert_eq!(bench.state(5000), State::Run);

    let mut bench = Bench::new(&[(VECTORS, &[0xFF; SECTOR])]);
    bench
        .0
        .camera_mut()
        .hand(Duration::ZERO, Hand::PinLow(true));
    assert_eq!(bench.windows(5), []);
    assert_eq!(bench.state(5000), State::Silent);
}

#[test]
fn a_record_sets_the_wait() {
    let (start, _) = default_window();
    let cases: [(&[u8], u64); 5] = [
        (&[0xFF; 0x34], 1500),
        (&[0; 0x34], 1500),
        (&record(0xFFFF), 1500),
        (&record(10_000), 10_000),
        (&record(400), 400),
    ];
    for (bytes, wait) in cases {
        let windows = Bench::new(&[(RECORD, bytes)]).windows(12);
        assert_eq!(windows.first(), Some(&(start, wait)));
    }
}

#[test]
fn a_record_of_no_wait_waits_for_ever_whatever_lies_behind_the_vectors() {
    let erased = vec![0xFF; 0x1_0000 - sample::VECTORS - SECTOR];
    let behind: &[(usize, &[u8])] = &[(RECORD, &record(0)), (VECTORS + SECTOR, &erased)];
    for changes in [&behind[..1], behind] {
        let mut bench = Bench::new(changes);
        assert_eq!(bench.state(50_000), State::Sbl);
        bench.configure();
        assert!(bench.greet(), "at 50 s");
        let status = bench.status(60_000);
        assert_eq!((status.state, status.half_written_starts), (State::Sbl, 0));
    }
}

#[test]
fn a_record_can_ask_for_the_firmware_at_once() {
    let mut at_once = record(10_000);
    at_once[0x1E] = 0xFE;
    let mut bench = Bench::new(&[(RECORD, &at_once)]);
    assert_eq!(bench.windows(5), []);
}

#[test]
fn a_record_helps_neither_vectors_that_fail_nor_a_low_pin() {
    let mut erased = vec![0xFF; SECTOR];
    erased[0x3C0..0x3F4].copy_from_slice(&record(0));
    assert_eq!(Bench::new(&[(VECTORS, &erased)]).windows(10), []);

    let mut bench = Bench::new(&[(RECORD, &record(0))]);
    bench
        .0
        .camera_mut()
        .hand(Duration::ZERO, Hand::PinLow(true));
    assert_eq!(bench.windows(10), []);
}
