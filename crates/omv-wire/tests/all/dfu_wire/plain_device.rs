//! The OpenMV bootloader's own ways, request by request.
//!
//! Source: hathach/tinyusb src/class/dfu/dfu_device.c; openmv/openmv boot/src/common/dfu.c.

use std::time::Duration;

use omv_wire::dfu::{Answer, BLOCK, Camera, Event, Report, State, Status, request};
use omv_wire::usb::Setup;

use super::chip::{Bootloader, MS};

struct Bench {
    camera: Camera<Bootloader>,
    now: Duration,
}

impl Bench {
    fn new(alternate: u8) -> Self {
        let mut bench = Self {
            camera: Camera::new(Bootloader::new()),
            now: Duration::ZERO,
        };
        bench.ok(Setup::set_interface(0, alternate), &[]);
        bench
    }

    fn ask(&mut self, setup: Setup, data: &[u8]) -> (Answer, Option<Event>) {
        self.camera.request(self.now, &setup, data)
    }

    fn ok(&mut self, setup: Setup, data: &[u8]) {
        assert_eq!(self.ask(setup, data), (Answer::OK, None));
    }

    fn download(&mut self, block: u16, data: &[u8]) -> Answer {
        let setup = Setup::class_out(request::DNLOAD, block, 0, data.len() as u16);
        self.ask(setup, data).0
    }

    fn upload(&mut self, block: u16, length: u16) -> (Answer, Option<Event>) {
        self.ask(Setup::class_in(request::UPLOAD, block, 0, length), &[])
    }

    fn status(&mut self) -> (Report, Option<Event>) {
        self.now = self.now.max(self.camera.busy_until());
        let (answer, event) = self.ask(Setup::class_in(request::GETSTATUS, 0, 0, 6), &[]);
        let Answer::Data(bytes) = answer else {
            panic!("{answer:?}");
        };
        (Report::decode(&bytes).unwrap(), event)
    }

    fn told(&mut self) -> (Status, State) {
        let (report, _) = self.status();
        (report.status, report.state)
    }
}

#[test]
fn a_block_is_written_after_the_answer_that_says_busy() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.download(0, &[7; 4096]), Answer::OK);
    assert_eq!(bench.camera.partitions().bytes[1][0], 0xA1);
    let (report, event) = bench.status();
    assert_eq!(report.state, State::DownloadBusy);
    assert_eq!(event, Some(Event::Claimed));
    let until = 901 * MS;
    let early = bench.ask(Setup::class_in(request::GETSTATUS, 0, 0, 6), &[]);
    assert_eq!(early, (Answer::Later { until }, None));
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    assert_eq!(bench.now, until);
    assert_eq!(bench.camera.partitions().bytes[1][..4096], [7; 4096]);
}

#[test]
fn an_upload_between_download_and_status_cancels_the_block_in_silence() {
    let mut bench = Bench::new(1);
    bench.download(0, &[7; 4096]);
    let (answer, event) = bench.upload(1, 4);
    assert_eq!(answer, Answer::Data(vec![0xA1; 4]));
    assert_eq!(event, Some(Event::Claimed));
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    assert_eq!(bench.camera.partitions().bytes[1][0], 0xA1);
}

#[test]
fn an_upload_over_the_end_is_four_zeros_and_still_claims() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.upload(3, BLOCK).0, Answer::Data(vec![0xA2; 4096]));
    let over = (Answer::Data(vec![0; 4]), Some(Event::Claimed));
    assert_eq!(bench.upload(4, BLOCK), over);
    assert_eq!(bench.upload(u16::MAX, 1).0, Answer::Data(vec![0]));
    assert_eq!(bench.upload(0, BLOCK + 1), (Answer::Stall, None));
    assert_eq!(bench.told(), (Status::OK, State::Idle));
}

#[test]
fn a_download_in_the_wrong_state_is_refused_and_changes_nothing() {
    let mut bench = Bench::new(1);
    bench.download(0, &[7; 4096]);
    assert_eq!(bench.download(1, &[8; 4096]), Answer::Stall);
    assert_eq!(bench.download(1, &[]), Answer::Stall);
    assert_eq!(bench.camera.state(), State::DownloadSync);
    assert_eq!(bench.told().1, State::DownloadBusy);
    assert_eq!(bench.told().1, State::DownloadIdle);
    let long = Setup::class_out(request::DNLOAD, 1, 0, BLOCK + 1);
    assert_eq!(bench.ask(long, &[0; 4097]).0, Answer::Stall);
    assert_eq!(bench.camera.partitions().bytes[1][..4096], [7; 4096]);
}

#[test]
fn everything_forgives_from_everywhere() {
    for setup in [
        Setup::class_out(request::ABORT, 0, 0, 0),
        Setup::class_out(request::CLRSTATUS, 0, 0, 0),
        Setup::set_interface(0, 1),
    ] {
        let mut bench = Bench::new(0);
        bench.download(0, &[7; 16]);
        bench.status();
        assert_eq!(bench.told(), (Status::WRITE, State::Error));
        bench.ok(setup, &[]);
        assert_eq!(bench.told(), (Status::OK, State::Idle));
        bench.download(1, &[7; 16]);
        bench.ok(setup, &[]);
        assert_eq!(bench.told(), (Status::OK, State::Idle));
    }
}

#[test]
fn refusals_are_reported_one_answer_late_and_in_their_order() {
    let mut bench = Bench::new(0);
    bench.download(9, &[7; 4096]);
    assert_eq!(bench.told(), (Status::OK, State::DownloadBusy));
    assert_eq!(bench.told(), (Status::WRITE, State::Error));

    let mut bench = Bench::new(1);
    bench.download(8, &[7; 1]);
    assert_eq!(bench.told(), (Status::OK, State::DownloadBusy));
    assert_eq!(bench.told(), (Status::ADDRESS, State::Error));
    assert_eq!(bench.camera.partitions().unlocked, []);
}

#[test]
fn block_zero_unlocks_even_when_it_is_too_long_for_the_partition() {
    let mut bench = Bench::new(1);
    bench.camera.partitions_mut().table[1].size = 100;
    bench.download(0, &[7; 101]);
    bench.status();
    assert_eq!(bench.told(), (Status::ADDRESS, State::Error));
    assert_eq!(bench.camera.partitions().unlocked, [1]);
}

#[test]
fn the_empty_download_manifests_and_returns_to_idle() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.download(0, &[]), Answer::OK);
    let (report, event) = bench.status();
    assert_eq!(report.state, State::Manifest);
    assert_eq!(event, Some(Event::Claimed));
    assert_eq!(bench.told(), (Status::OK, State::Idle));
    assert_eq!(bench.camera.partitions().manifests, 1);
}

#[test]
fn asking_for_status_or_state_does_not_claim() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.status().1, None);
    let state = Setup::class_in(request::GETSTATE, 0, 0, 1);
    assert_eq!(bench.ask(state, &[]), (Answer::Data(vec![2]), None));
    bench.ok(Setup::class_out(request::ABORT, 0, 0, 0), &[]);
    bench.ok(Setup::class_out(request::CLRSTATUS, 0, 0, 0), &[]);
}

#[test]
fn detach_is_taken_in_any_state() {
    let mut bench = Bench::new(0);
    bench.download(0, &[7; 16]);
    let detach = Setup::class_out(request::DETACH, 1000, 0, 0);
    let left = (Answer::OK, Some(Event::Detach));
    assert_eq!(bench.ask(detach, &[]), left);
}

#[test]
fn a_read_failure_is_an_empty_answer_and_an_error() {
    let mut bench = Bench::new(1);
    bench.camera.partitions_mut().unreadable = true;
    assert_eq!(bench.upload(0, BLOCK).0, Answer::OK);
    assert_eq!(bench.told(), (Status::FILE, State::Error));
}

#[test]
fn an_alternate_that_does_not_exist_is_chosen_and_has_no_bytes() {
    let mut bench = Bench::new(200);
    let get = Setup {
        request_type: 0x81,
        request: 0x0A,
        value: 0,
        index: 0,
        length: 1,
    };
    assert_eq!(bench.ask(get, &[]).0, Answer::Data(vec![200]));
    assert_eq!(bench.upload(0, BLOCK).0, Answer::Data(vec![0; 4]));
    bench.download(0, &[1; 16]);
    bench.status();
    assert_eq!(bench.told(), (Status::ADDRESS, State::Error));
    bench.camera.bus_reset();
    assert_eq!(bench.camera.alternate(), 0);
    assert_eq!(bench.told(), (Status::OK, State::Idle));
}

#[test]
fn the_poll_time_of_a_partition_is_told_while_it_is_written() {
    let mut bench = Bench::new(2);
    bench.camera.partitions_mut().table[2].poll = 100 * MS;
    bench.download(0, &[7; 16]);
    assert_eq!(bench.status().0.poll, 100 * MS);
    assert_eq!(bench.status().0.poll, Duration::ZERO);
}

#[test]
fn requests_to_others_are_refused() {
    let mut bench = Bench::new(0);
    for setup in [
        Setup::class_in(request::GETSTATUS, 0, 1, 6),
        Setup::class_in(7, 0, 0, 6),
        Setup::class_out(request::UPLOAD, 0, 0, 4),
        Setup::get_descriptor(1, 0, 0, 18),
        Setup::set_configuration(1),
    ] {
        assert_eq!(bench.ask(setup, &[]), (Answer::Stall, None), "{setup:?}");
    }
}
