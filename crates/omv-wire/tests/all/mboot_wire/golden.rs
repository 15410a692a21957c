//! Exchanges observed on the two real loaders, replayed against both ends.

use std::time::Duration;

use omv_wire::mboot::hid::{self, Report};
use omv_wire::mboot::{
    Camera, Command, Data, Exchange, Failure, Reply, Response, Setup, Wire, tag,
};
use omv_wire::{Input, Machine, Turn};

use super::board::{Board, Loader};

const ZERO: Duration = Duration::ZERO;

#[derive(Default)]
struct Case {
    name: String,
    binding: bool,
    out: Vec<Out>,
    sbl: Vec<Expected>,
    flashloader: Vec<Expected>,
}

enum Out {
    Report(u8, Vec<u8>),
    Raw(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Expected {
    id: u8,
    shown: Vec<u8>,
    length: usize,
}

impl Expected {
    fn matches(&self, report: &Report<'_>) -> bool {
        report.id == self.id
            && report.payload.len() == self.length
            && report.payload.starts_with(&self.shown)
    }

    /// A payload of the right length; what is not shown repeats its last byte.
    fn payload(&self) -> Vec<u8> {
        let mut payload = self.shown.clone();
        payload.resize(self.length, self.shown.last().copied().unwrap_or(0));
        payload
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The bytes shown, and how many there are in all.
fn payload(text: &str) -> (Vec<u8>, usize) {
    match text.split_once("..(") {
        Some((shown, size)) => (hex(shown), size.trim_end_matches(')').parse().unwrap()),
        None if text == "-" => (vec![], 0),
        None => (hex(text), text.len() / 2),
    }
}

fn outgoing(text: &str) -> Vec<u8> {
    let (shown, size) = payload(text);
    match shown.as_slice() {
        [0, 1, ..] if size > shown.len() => (0..size).map(|at| at as u8).collect(),
        shown => {
            let mut bytes = shown.to_vec();
            bytes.resize(size, 0);
            bytes
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![];
    for line in include_str!("../../vectors/mboot_hid.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let report = |id: &str, text: &str| {
            let (shown, length) = payload(text);
            let id = id.parse().unwrap();
            Expected { id, shown, length }
        };
        match words.as_slice() {
            ["#", ..] | [""] => {}
            [kind @ ("case" | "free"), name @ ..] => cases.push(Case {
                name: name.join(" "),
                binding: *kind == "case",
                ..Case::default()
            }),
            [">", "raw", bytes] => cases.last_mut().unwrap().out.push(Out::Raw(hex(bytes))),
            [">", id, bytes] => {
                let out = Out::Report(id.parse().unwrap(), outgoing(bytes));
                cases.last_mut().unwrap().out.push(out);
            }
            ["<", id, text] => {
                let case = cases.last_mut().unwrap();
                case.sbl.push(report(id, text));
                case.flashloader.push(report(id, text));
            }
            ["sbl", "<", id, text] => cases.last_mut().unwrap().sbl.push(report(id, text)),
            ["flashloader", "<", id, text] => {
                let case = cases.last_mut().unwrap();
                case.flashloader.push(report(id, text));
            }
            other => panic!("not a vector: {other:?}"),
        }
    }
    assert_eq!(cases.len(), 52);
    cases
}

impl Case {
    fn expected(&self, loader: Loader) -> &[Expected] {
        match loader {
            Loader::Sbl => &self.sbl,
            Loader::Flashloader => &self.flashloader,
        }
    }
}

fn camera_answers_as(loader: Loader) {
    let mut camera = Camera::new(Wire::Hid, Board::new(loader));
    for case in cases() {
        let mut heard = vec![];
        let mut listen = |camera: &mut Camera<Board>| {
            while let Turn::Send(report) = camera.poll(ZERO) {
                heard.push(report);
            }
        };
        for out in &case.out {
            let frame = match out {
                Out::Report(id, payload) => hid::encode(*id, payload),
                Out::Raw(bytes) => bytes.clone(),
            };
            camera.feed(ZERO, Input::Bytes(&frame));
            listen(&mut camera);
        }
        if !case.binding {
            continue;
        }
        let expected = case.expected(loader);
        assert_eq!(heard.len(), expected.len(), "{loader:?}: {}", case.name);
        for (report, expected) in heard.iter().zip(expected) {
            assert_eq!(report.len(), 1016, "{loader:?}: {}", case.name);
            let report = Report::decode(report).unwrap();
            assert!(
                expected.matches(&report),
                "{loader:?}: {}: {expected:02x?} expected, {report:02x?} came",
                case.name
            );
        }
    }
}

#[test]
fn the_camera_answers_byte_for_byte_as_the_resident_bootloader() {
    camera_answers_as(Loader::Sbl);
}

#[test]
fn the_camera_answers_byte_for_byte_as_the_flashloader() {
    camera_answers_as(Loader::Flashloader);
}

/// Plays the answers of one case to an exchange and returns what it sent.
fn play(
    exchange: &mut Exchange<'_>,
    expected: &[Expected],
    packets: usize,
    gives_up: bool,
) -> (Vec<Vec<u8>>, Result<Reply, Failure>) {
    let mut answers = expected.iter().peekable();
    let stopped = expected.iter().any(|e| e.id == 3 && e.length == 0);
    let mut sent: Vec<Vec<u8>> = vec![];
    for _ in 0..10_000 {
        match exchange.poll(ZERO) {
            Turn::Done(result) => return (sent, result),
            Turn::Send(frame) => sent.push(frame),
            Turn::Wait { .. } if sent.is_empty() => {}
            Turn::Wait { .. } => {
                if gives_up && sent.len() == 2 {
                    exchange.abort();
                }
                // The first answer follows the command; later ones all data, or the first of
                // them when the camera stops the host.
                let told = expected.len() - answers.len();
                let moved = sent.len() - 1;
                let due = told == 0 || packets == 0 || moved == packets || (stopped && moved > 0);
                if due && let Some(answer) = answers.next() {
                    let report = hid::encode_padded(answer.id, &answer.payload(), 1016);
                    exchange.feed(ZERO, Input::Bytes(&report));
                }
            }
        }
    }
    panic!("no end: sent {sent:02x?}, answers {expected:02x?}");
}

#[test]
fn the_host_says_the_same_and_understands_the_answers() {
    for loader in [Loader::Sbl, Loader::Flashloader] {
        for case in cases() {
            let expected = case.expected(loader);
            let Some(Out::Report(hid::COMMAND_OUT, command)) = case.out.first() else {
                continue;
            };
            if case.name.contains("command instead of data") {
                // No host of ours does that.
                continue;
            }
            let command = Command::decode(command).unwrap();
            let mut data: Vec<&Vec<u8>> = vec![];
            for out in &case.out[1..] {
                match out {
                    Out::Report(hid::DATA_OUT, payload) => data.push(payload),
                    _ => panic!("{}", case.name),
                }
            }
            let gives_up = data.last().is_some_and(|last| last.is_empty());
            let phase = match command.tag() {
                tag::WRITE_MEMORY if gives_up => Data::Out(vec![0; 100].into()),
                tag::WRITE_MEMORY => Data::Out(data.iter().copied().flatten().copied().collect()),
                tag::READ_MEMORY => Data::In(command.words()[1]),
                _ => Data::None,
            };
            let mut setup = Setup::new(Wire::Hid);
            if gives_up {
                setup.packet = 50;
            }
            let mut exchange = Exchange::new(setup, command.clone(), phase);
            let (sent, result) = play(&mut exchange, expected, data.len(), gives_up);

            let wanted = case.out.iter().map(|out| match out {
                Out::Report(id, payload) => hid::encode(*id, payload),
                Out::Raw(_) => panic!("{}", case.name),
            });
            let wanted: Vec<_> = wanted.collect();
            let stopped = expected.iter().any(|e| e.id == 3 && e.length == 0);
            if stopped {
                assert!(wanted.starts_with(&sent), "{}", case.name);
            } else {
                assert_eq!(sent, wanted, "{}", case.name);
            }
            let reply = result.unwrap_or_else(|failure| panic!("{}: {failure}", case.name));
            let last = Response::decode(&expected.last().unwrap().payload()).unwrap();
            assert_eq!(reply.status, last.words()[0], "{}", case.name);
            let read = expected.iter().filter(|e| e.id == 4);
            let read: Vec<u8> = read.flat_map(Expected::payload).collect();
            assert_eq!(reply.data, read, "{}", case.name);
            if expected.len() == 1 {
                assert_eq!(reply.words, last.words()[1..], "{}", case.name);
            }
        }
    }
}
