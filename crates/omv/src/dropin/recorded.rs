//! What NXP's own tools said in the rig, and whether ours say the same when they hear the same.
//!
//! The answers of the recording are played to our tools, each with the command line that was
//! typed, by the player of `--record` files; it insists on every byte that is sent. Three
//! differences are meant, and taken out of what is expected:
//!
//! * SPSDK fills its mboot reports up with zeros; ours end where their length says;
//! * it asks for the packet size before every transfer; ours once a run;
//! * it reads memory with one command for each packet, because its reports got lost in the HID
//!   library; ours with one for all.

#[path = "../../../omv-wire/tests/recorded/mod.rs"]
mod vectors;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use omv_link::replay::Replay;
use omv_link::{Heard, Link, LinkError};
use omv_sim::rt1062::sample;
use omv_wire::mboot::hid::{COMMAND_OUT, DATA_IN, HEADER, RESPONSE_IN};
use omv_wire::mboot::{property, tag};
use vectors::{Report, Session};

use super::door::Door;
use super::stop::Stop;
use super::{blhost, sdphost};

/// A player that the test can ask how far it is.
#[derive(Clone)]
struct Player(Arc<Mutex<Replay>>);

impl Link for Player {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.0.lock().unwrap().send(frame)
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        self.0.lock().unwrap().wait(until)
    }
}

/// Files of the size of those that were written, and for NXP's loaders others than those.
fn stand_in(name: &str) -> Vec<u8> {
    match name {
        "firmware.bin" => sample::firmware(sample::NEWEST, 0x1_0000),
        "romfs0.img" => sample::romfs(12_345),
        "sdphost_flash_loader.bin" => sample::flashloader(),
        "blhost_flash_loader.bin" => sample::sbl(),
        _ => panic!("no {name}"),
    }
}

/// Whether a word of a command line names a file.
fn is_file(word: &str) -> bool {
    let ends = [".bin", ".img", ".txt", ".back"];
    ends.iter().any(|end| word.ends_with(end))
}

/// A line with the files where the test has put them.
fn moved(line: &str, folder: &Path) -> Vec<String> {
    let word = |word: &str| {
        if is_file(word) {
            folder.join(word).to_string_lossy().into_owned()
        } else {
            word.to_owned()
        }
    };
    line.split(' ').map(word).collect()
}

/// A record of these reports as `--record` writes it, a millisecond each.
fn record(reports: &[Report]) -> String {
    let mut text = "# omv record 1\n".to_owned();
    for (number, Report { out, bytes }) in reports.iter().enumerate() {
        let way = if *out { '>' } else { '<' };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (seconds, millis) = (number / 1000, number % 1000);
        text += &format!("{seconds}.{millis:03}000 1 hid {way} {hex}\n");
    }
    text
}

/// A report to a bootloader without what it was filled up with.
fn unfilled(report: &Report) -> Report {
    let mut report = report.clone();
    if report.out {
        let length = u16::from_le_bytes([report.bytes[2], report.bytes[3]]);
        let rest = report.bytes.split_off(HEADER + usize::from(length));
        assert!(rest.iter().all(|byte| *byte == 0));
    }
    report
}

/// A word of a report's parameters, counted from 0.
fn parameter(report: &Report, number: usize) -> u32 {
    let at = HEADER + 4 + 4 * number;
    u32::from_le_bytes(report.bytes[at..at + 4].try_into().unwrap())
}

/// The exchanges of a bootloader as our tool has them: see the head of this file.
fn as_ours(reports: &[Report]) -> Vec<Report> {
    let reports: Vec<Report> = reports.iter().map(unfilled).collect();
    let begins = |_: &Report, next: &Report| !(next.out && next.bytes[0] == COMMAND_OUT);
    let mut ours: Vec<Vec<Report>> = Vec::new();
    let mut asked = false;
    for exchange in reports.chunk_by(begins) {
        let command = exchange[0].bytes[HEADER];
        if command == tag::GET_PROPERTY && parameter(&exchange[0], 0) == property::MAX_PACKET_SIZE {
            if !std::mem::replace(&mut asked, true) {
                ours.push(exchange.to_vec());
            }
            continue;
        }
        if command == tag::READ_MEMORY
            && let Some(before) = ours.last_mut()
            && before[0].bytes[HEADER] == tag::READ_MEMORY
            && parameter(&before[0], 0) + parameter(&before[0], 1) == parameter(&exchange[0], 0)
        {
            join(before, exchange);
            continue;
        }
        ours.push(exchange.to_vec());
    }
    ours.concat()
}

/// Makes one read of two that follow each other: command, response, data, status.
fn join(before: &mut Vec<Report>, next: &[Report]) {
    let size = parameter(&before[0], 1) + parameter(&next[0], 1);
    let place = HEADER + 8..HEADER + 12;
    before[0].bytes[place.clone()].copy_from_slice(&size.to_le_bytes());
    assert_eq!(before[1].bytes[0], RESPONSE_IN);
    before[1].bytes[place].copy_from_slice(&size.to_le_bytes());
    let data = next.iter().filter(|report| report.bytes[0] == DATA_IN);
    let end = before.len() - 1;
    before.splice(end..end, data.cloned());
}

/// Runs the tool of a session with its command line against what was answered.
fn replay(session: &Session, folder: &Path) {
    let line = &session.line;
    let mut words = moved(line, folder);
    let tool = words.remove(0);
    let batch: Vec<String> = session
        .batch
        .iter()
        .map(|l| moved(l, folder).join(" "))
        .collect();
    fs::write(folder.join("batch.txt"), batch.join("\n")).unwrap();
    let reports = match tool.as_str() {
        "blhost" => as_ours(&session.reports),
        _ => session.reports.clone(),
    };
    let player = Player(Arc::new(Mutex::new(
        Replay::parse(&record(&reports), 1).unwrap(),
    )));
    let door = |log| Door {
        link: Box::new(player.clone()),
        serial: false,
        patience: Duration::from_secs(120),
        log,
    };
    let done: Result<(), Stop> = match tool.as_str() {
        "blhost" => {
            words.insert(0, "--silent".to_owned());
            blhost::run_through(&words, |_, log| Ok(door(log)))
        }
        _ => {
            words.insert(0, "--verbose".to_owned());
            sdphost::run_through(&words, |_, log| Ok(door(log)))
        }
    };
    assert_eq!(done, Ok(()), "{line}");
    assert!(player.0.lock().unwrap().is_finished(), "{line}");
}

/// Replays all of a recording; the folder with the files.
fn replay_all(text: &str, sessions: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let recording = vectors::read(text, &stand_in);
    for (name, _) in &recording.files {
        fs::write(folder.path().join(name), stand_in(name)).unwrap();
    }
    assert_eq!(recording.sessions.len(), sessions);
    for session in &recording.sessions {
        replay(session, folder.path());
    }
    folder
}

#[test]
fn our_blhost_says_in_the_update_what_the_real_one_said() {
    replay_all(
        include_str!("../../../omv-wire/tests/vectors/spsdk-3.12.0-update.txt"),
        5,
    );
}

#[test]
fn our_tools_say_in_the_recovery_what_the_real_ones_said() {
    let folder = replay_all(
        include_str!("../../../omv-wire/tests/vectors/spsdk-3.12.0-recovery.txt"),
        3,
    );
    let back = fs::read(folder.path().join("sbl.back")).unwrap();
    assert!(back == sample::sbl());
}
