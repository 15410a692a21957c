//! DfuSe devices, request by request.
//!
//! Source: STMicroelectronics AN3156; dfu-util ticket 88; betaflight-configurator pull requests
//! 1861 and 5348; arduino/mcuboot-arduino-stm32h7 app/dfu.

use std::time::Duration;

use omv_wire::dfu::dfuse::{Camera, Departure, Elsewhere, Event, Manners, WhileBusy};
use omv_wire::dfu::{Answer, Report, State, Status, request};
use omv_wire::usb::Setup;

use super::chip::{Chip, MS};

const H7: &str = "16*128Kg";
const BANK_2: u32 = 0x0810_0000;

struct Bench {
    camera: Camera<Chip>,
    now: Duration,
}

impl Bench {
    fn new(manners: Manners) -> Self {
        Self {
            camera: Camera::new(manners, Chip::new(H7)),
            now: Duration::ZERO,
        }
    }

    fn ask(&mut self, setup: Setup, data: &[u8]) -> (Answer, Option<Event>) {
        self.camera.request(self.now, &setup, data)
    }

    fn out(&mut self, request: u8) -> Answer {
        self.ask(Setup::class_out(request, 0, 0, 0), &[]).0
    }

    fn download(&mut self, block: u16, data: &[u8]) -> Answer {
        let setup = Setup::class_out(request::DNLOAD, block, 0, data.len() as u16);
        self.ask(setup, data).0
    }

    fn upload(&mut self, block: u16, length: u16) -> Answer {
        self.ask(Setup::class_in(request::UPLOAD, block, 0, length), &[])
            .0
    }

    fn report(&mut self) -> Report {
        let (answer, _) = self.ask(Setup::class_in(request::GETSTATUS, 0, 0, 6), &[]);
        match answer {
            Answer::Data(bytes) => Report::decode(&bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn told(&mut self) -> (Status, State) {
        self.now = self.now.max(self.camera.busy_until());
        let report = self.report();
        (report.status, report.state)
    }

    /// Sends block 0 and lets the work begin.
    fn command(&mut self, command: u8, address: u32) -> Report {
        let mut data = vec![command];
        data.extend(address.to_le_bytes());
        assert_eq!(self.download(0, &data), Answer::OK);
        self.report()
    }

    fn done(&mut self, command: u8, address: u32) {
        assert_eq!(self.command(command, address).state, State::DownloadBusy);
        assert_eq!(self.told(), (Status::OK, State::DownloadIdle));
    }
}

#[test]
fn a_command_runs_when_its_status_is_asked_for() {
    let mut bench = Bench::new(Manners::rom_h7());
    bench.download(0, &[0x41, 0, 0, 2, 8]);
    assert_eq!(bench.camera.memory().erased, []);
    let report = bench.report();
    assert_eq!(report.state, State::DownloadBusy);
    assert_eq!(report.poll, 1000 * MS);
    assert_eq!(bench.camera.memory().erased, [0x0802_0000]);
    let until = 900 * MS;
    let early = bench.ask(Setup::class_in(request::GETSTATUS, 0, 0, 6), &[]);
    assert_eq!(early, (Answer::Later { until }, None));
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    assert_eq!(bench.now, until);
}

#[test]
fn data_go_to_the_pointer_and_the_pointer_stays() {
    let mut bench = Bench::new(Manners::rom_h7());
    bench.done(0x41, 0x0800_0000);
    bench.done(0x21, 0x0800_0100);
    for block in [2, 3] {
        bench.download(block, &[block as u8; 1024]);
        assert_eq!(bench.told().1, State::DownloadBusy);
        assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    }
    let bytes = &bench.camera.memory().bytes;
    assert_eq!(bytes[0xFF..0x102], [0xFF, 2, 2]);
    assert_eq!(bytes[0x4FF..0x501], [2, 3]);
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.upload(3, 4), Answer::Data(vec![3; 4]));
    assert_eq!(bench.told(), (Status::OK, State::UploadIdle));
}

#[test]
fn an_erase_moves_the_pointer_to_what_it_erased() {
    let mut bench = Bench::new(Manners::rom_h7());
    bench.done(0x21, 0x0804_0000);
    bench.done(0x41, 0x0802_0000);
    bench.download(2, &[5; 4]);
    bench.told();
    bench.told();
    assert_eq!(bench.camera.memory().bytes[0x2_0000..0x2_0004], [5; 4]);
}

#[test]
fn the_commands_are_listed_by_an_upload_of_block_zero() {
    let mut bench = Bench::new(Manners::rom());
    let listed = vec![0x00, 0x21, 0x41, 0x92];
    assert_eq!(bench.upload(0, 64), Answer::Data(listed));
    assert_eq!(bench.told(), (Status::OK, State::Idle));
    let mut bench = Bench::new(Manners::arduino());
    let listed = vec![0x00, 0x21, 0x41];
    assert_eq!(bench.upload(0, 4096), Answer::Data(listed));
    assert_eq!(bench.upload(1, 64), Answer::Stall);
    assert_eq!(bench.upload(2, 4097), Answer::Stall);
}

#[test]
fn clearing_without_an_error_makes_one_and_twice_returns_to_idle() {
    let mut bench = Bench::new(Manners::rom());
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.told(), (Status::UNKNOWN, State::Error));
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.told(), (Status::UNKNOWN, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.told(), (Status::OK, State::Idle));

    let clear_elsewhere = Elsewhere::Refused;
    let mut bench = Bench::new(Manners {
        clear_elsewhere,
        ..Manners::rom()
    });
    assert_eq!(bench.out(request::CLRSTATUS), Answer::Stall);
    assert_eq!(bench.told(), (Status::OK, State::Idle));
}

#[test]
fn an_erase_in_the_second_bank_of_revision_v_never_ends_until_it_is_kicked() {
    let mut bench = Bench::new(Manners::rom_h7_revision_v());
    bench.done(0x41, BANK_2 - 1);
    bench.command(0x41, BANK_2);
    assert_eq!(bench.camera.memory().bytes[0x10_0000], 0xFF);
    for _ in 0..100 {
        bench.now += 1000 * MS;
        let busy = Report::new(Status::OK, 1000 * MS, State::DownloadBusy);
        assert_eq!(bench.report(), busy);
    }
    assert_eq!(bench.download(2, &[0; 4]), Answer::Stall);
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.told().1, State::DownloadBusy);
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.told(), (Status::UNKNOWN, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.told(), (Status::OK, State::Idle));
    assert_eq!(bench.camera.memory().cut_short, 0);
    bench.done(0x41, 0x0800_0000);
}

#[test]
fn a_kick_that_comes_too_early_cuts_the_erase_short() {
    let mut bench = Bench::new(Manners::rom_h7_revision_v());
    bench.command(0x41, BANK_2);
    bench.now += 899 * MS;
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.camera.memory().cut_short, 1);
}

#[test]
fn addresses_outside_the_memory_are_errors_of_the_target() {
    let mut bench = Bench::new(Manners::rom());
    for command in [0x21, 0x41] {
        let report = bench.command(command, 0x0820_0000);
        assert_eq!(report.state, State::DownloadBusy);
        assert_eq!(bench.told(), (Status::TARGET, State::Error));
        assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    }
    bench.done(0x21, 0x081F_F800);
    bench.download(2, &[0; 2048]);
    bench.told();
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    bench.download(3, &[0; 1]);
    bench.told();
    assert_eq!(bench.told(), (Status::TARGET, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.upload(3, 1), Answer::Stall);
    assert_eq!(bench.told(), (Status::TARGET, State::Error));
}

#[test]
fn a_protected_chip_answers_with_the_makers_own_error() {
    let mut bench = Bench::new(Manners::rom());
    bench.camera.memory_mut().protected = true;
    assert_eq!(bench.upload(2, 64), Answer::Stall);
    assert_eq!(bench.told(), (Status::VENDOR, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    bench.command(0x41, 0x0800_0000);
    assert_eq!(bench.told(), (Status::VENDOR, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    bench.download(0, &[0x41]);
    bench.told();
    assert_eq!(bench.told(), (Status::VENDOR, State::Error));
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    bench.download(0, &[0x92]);
    let status = Setup::class_in(request::GETSTATUS, 0, 0, 6);
    assert_eq!(bench.ask(status, &[]).1, Some(Event::Unprotect));
    let until = Duration::MAX;
    assert_eq!(bench.ask(status, &[]), (Answer::Later { until }, None));
    assert_eq!(bench.camera.memory().erased, []);
}

#[test]
fn each_device_leaves_in_its_own_way() {
    let status = Setup::class_in(request::GETSTATUS, 0, 0, 6);
    let after = 200 * MS;
    let address = 0x0804_0000;
    let until = Duration::MAX;
    let manifest = |poll| {
        let report = Report::new(Status::OK, poll, State::Manifest);
        Answer::Data(report.encode().to_vec())
    };
    let vanishing = Manners {
        departure: Departure::Vanishes,
        ..Manners::rom()
    };
    let zero = Duration::ZERO;
    for (manners, answer, event) in [
        (Manners::rom(), manifest(zero), Event::Start { address }),
        (Manners::rom_h7_revision_v(), manifest(zero), Event::Hang),
        (vanishing, Answer::Later { until }, Event::Start { address }),
        (Manners::arduino(), manifest(MS), Event::Reset { after }),
    ] {
        let mut bench = Bench::new(manners);
        bench.done(0x21, address);
        assert_eq!(bench.download(2, &[]), Answer::OK);
        assert_eq!(bench.ask(status, &[]), (answer, Some(event)));
        assert_eq!(bench.ask(status, &[]), (Answer::Later { until }, None));
    }
}

#[test]
fn some_devices_talk_or_refuse_while_they_erase() {
    for (while_busy, answers) in [(WhileBusy::Answers, true), (WhileBusy::Refuses, false)] {
        let mut bench = Bench::new(Manners {
            while_busy,
            ..Manners::rom_h7()
        });
        bench.command(0x41, 0x0800_0000);
        bench.now += 899 * MS;
        let (answer, _) = bench.ask(Setup::class_in(request::GETSTATUS, 0, 0, 6), &[]);
        assert_eq!(answer != Answer::Stall, answers);
        assert_eq!(bench.download(2, &[1]), Answer::Stall);
        bench.now += MS;
        assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    }
}

#[test]
fn a_failure_is_reported_by_the_rom_and_hangs_the_arduino() {
    let mut bench = Bench::new(Manners::rom());
    bench.camera.memory_mut().fails = true;
    bench.download(2, &[1; 4]);
    bench.told();
    assert_eq!(bench.told(), (Status::PROGRAM, State::Error));

    let mut bench = Bench::new(Manners::arduino());
    bench.camera.memory_mut().fails = true;
    bench.download(2, &[1; 4096]);
    for _ in 0..100 {
        bench.now += 1000 * MS;
        assert_eq!(bench.told(), (Status::OK, State::DownloadBusy));
    }
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.out(request::CLRSTATUS), Answer::OK);
    assert_eq!(bench.told(), (Status::OK, State::Idle));
}

#[test]
fn arduino_takes_any_address_and_any_command() {
    let mut bench = Bench::new(Manners::arduino());
    bench.done(0x21, 0xDEAD_0000);
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.upload(2, 8), Answer::Data(vec![0; 8]));
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.download(0, &[0x41]), Answer::OK);
    assert_eq!(bench.told(), (Status::OK, State::DownloadBusy));
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
    assert_eq!(bench.camera.memory().bytes[0], 0);
    assert_eq!(bench.upload(2, 0), Answer::Stall);
    assert_eq!(bench.out(request::ABORT), Answer::OK);
    assert_eq!(bench.upload(2, 0), Answer::OK);
}

#[test]
fn what_is_no_command_is_an_error_and_block_one_is_no_data() {
    for (block, data) in [
        (0, &[0x33, 0, 0, 0, 8][..]),
        (0, &[0x21, 0, 0, 0][..]),
        (0, &[0x92, 0][..]),
        (1, &[0x41][..]),
    ] {
        let mut bench = Bench::new(Manners::rom());
        bench.download(block, data);
        bench.told();
        assert_eq!(bench.told(), (Status::STALLED, State::Error));
        assert!(bench.camera.memory().bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_bus_reset_ends_an_erase_that_never_ends() {
    let mut bench = Bench::new(Manners::rom_h7_revision_v());
    bench.command(0x41, BANK_2);
    bench.now += 1000 * MS;
    bench.camera.bus_reset();
    assert_eq!(bench.told(), (Status::OK, State::Idle));
    bench.download(2, &[1]);
    assert_eq!(bench.told(), (Status::OK, State::DownloadBusy));
    assert_eq!(bench.told(), (Status::OK, State::DownloadIdle));
}
