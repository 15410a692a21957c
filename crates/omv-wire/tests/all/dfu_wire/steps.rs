//! The host's decisions, answer by answer.

use std::time::Duration;

use omv_wire::dfu::dfuse::{self, Layout};
use omv_wire::dfu::{Answer, Failure, Host, Limits, Manifested, Report, State, Status};
use omv_wire::usb::Setup;
use omv_wire::{Input, Machine, Turn};

use super::chip::MS;
use super::pair::{Device, Heard, Wire};

/// Answers in a fixed order; there must be as many as there are questions.
struct Script(Vec<Answer>);

impl Device for Script {
    fn ask(&mut self, _now: Duration, _setup: &Setup, _data: &[u8]) -> Heard {
        Heard::Answer(self.0.remove(0))
    }
}

fn says(poll: Duration, state: State) -> Answer {
    Answer::Data(Report::new(Status::OK, poll, state).encode().to_vec())
}

fn wire(answers: Vec<Answer>) -> Wire<Script> {
    Wire::new(Script(answers))
}

const BUSY: State = State::DownloadBusy;
const IDLE: State = State::DownloadIdle;
const ZERO: Duration = Duration::ZERO;

#[test]
fn three_refusals_in_a_row_are_forgiven_and_four_are_not() {
    let write = Host::new(0, 64).download(0, vec![1]);
    let mut answers = vec![Answer::OK, says(ZERO, BUSY)];
    answers.extend(vec![Answer::Stall; 3]);
    answers.push(says(ZERO, BUSY));
    answers.extend(vec![Answer::Stall; 3]);
    answers.push(says(ZERO, IDLE));
    assert_eq!(wire(answers).drive(write), Ok(()));

    let write = Host::new(0, 64).download(0, vec![1]);
    let mut answers = vec![Answer::OK, says(ZERO, BUSY)];
    answers.extend(vec![Answer::Stall; 4]);
    let what = "GETSTATUS";
    let failed = wire(answers).drive(write);
    assert_eq!(failed, Err(Failure::Refused { what }));
}

#[test]
fn a_command_that_was_not_taken_up_was_not_understood() {
    let host = dfuse::Host::new(Host::new(0, 64));
    let answers = || vec![Answer::OK, says(ZERO, IDLE)];
    let what = "setting the address";
    let failed = wire(answers()).drive(host.set_address(0));
    assert_eq!(failed, Err(Failure::State { state: IDLE, what }));
    // A block of data may be written at once.
    let write = Host::new(0, 64).download(0, vec![1]);
    assert_eq!(wire(answers()).drive(write), Ok(()));
}

#[test]
fn the_longest_silence_allowed_is_kept_and_a_longer_one_is_refused() {
    let limits = Limits {
        poll: 100 * MS,
        ..Limits::default()
    };
    let host = Host::new(0, 64).with_limits(limits);
    let answers = |asked| vec![Answer::OK, says(asked, BUSY), says(ZERO, IDLE)];
    let mut kept = wire(answers(100 * MS));
    assert_eq!(kept.drive(host.download(0, vec![1])), Ok(()));
    assert_eq!(kept.now, 100 * MS);
    let failed = wire(answers(101 * MS)).drive(host.download(0, vec![1]));
    let (asked, limit) = (101 * MS, 100 * MS);
    assert_eq!(failed, Err(Failure::PollTooLong { asked, limit }));
}

#[test]
fn manifestation_that_does_not_end_is_given_up_at_its_limit() {
    let limits = Limits {
        work: 250 * MS,
        ..Limits::default()
    };
    let host = Host::new(0, 64).with_limits(limits);
    let mut answers = vec![Answer::OK];
    answers.extend(vec![says(100 * MS, State::Manifest); 4]);
    let mut wire = wire(answers);
    let what = "the empty DNLOAD";
    assert_eq!(wire.drive(host.manifest()), Err(Failure::Timeout { what }));
    assert_eq!(wire.now, 250 * MS);
}

#[test]
fn each_end_of_manifestation_is_told_apart() {
    for (state, end) in [
        (State::Idle, Manifested::Idle),
        (State::ManifestWaitReset, Manifested::WaitsForReset),
    ] {
        let answers = vec![
            Answer::OK,
            says(ZERO, State::ManifestSync),
            says(ZERO, State::Manifest),
            says(ZERO, state),
        ];
        let ended = wire(answers).drive(Host::new(0, 64).manifest());
        assert_eq!(ended, Ok(end));
    }
    let answers = vec![Answer::OK, says(ZERO, IDLE)];
    let failed = wire(answers).drive(Host::new(0, 64).manifest());
    let what = "the empty DNLOAD";
    assert_eq!(failed, Err(Failure::State { state: IDLE, what }));
}

#[test]
fn a_read_tells_how_far_it_is() {
    let layout = Layout::parse("@F/0x0/1*64Kg").unwrap();
    let host = dfuse::Host::new(Host::new(0, 64));
    let mut read = host.read(&layout, 0, 150);
    assert_eq!(read.progress(), (0, 150));
    let mut told = Vec::new();
    let busy = Report::new(Status::OK, ZERO, BUSY).encode();
    let idle = Report::new(Status::OK, ZERO, IDLE).encode();
    let replies: [&[u8]; 7] = [&[], &busy, &idle, &[], &[1; 64], &[2; 64], &[3; 22]];
    let mut now = ZERO;
    for reply in replies {
        while !matches!(read.poll(now), Turn::Send(_)) {
            now += MS;
        }
        let _ = read.poll(now);
        read.feed(now, Input::Bytes(reply));
        told.push(read.progress());
    }
    let moved: Vec<_> = told.iter().map(|(done, _)| *done).collect();
    assert_eq!(moved, [0, 0, 0, 0, 64, 128, 150]);
    assert!(told.iter().all(|(_, total)| *total == 150));
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let mut claim = Host::new(0, 64).claim(0, 1);
    assert!(matches!(claim.poll(ZERO), Turn::Send(_)));
    claim.feed(ZERO, Input::Bytes(&[]));
    claim.feed(ZERO, Input::Bytes(&[]));
    assert!(matches!(claim.poll(ZERO), Turn::Send(_)));
    let until = 10_000 * MS;
    assert_eq!(claim.poll(ZERO), Turn::Wait { until });
}
