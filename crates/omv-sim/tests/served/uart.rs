//! The flashloader's serial line on a pseudo terminal.
#![cfg(unix)]

use crate::common;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use omv_link::{Heard, Link, LinkError, drive};
use omv_sim::nor::{SECTOR, Speed};
use omv_sim::rt1062::chip::Chip;
use omv_sim::serve::uart::Pty;
use omv_wire::mboot::{Command, Data, Exchange, Leave, Ping, Reply, Setup, Wire, property};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The tool's end of the line.
struct Terminal {
    file: File,
    start: Instant,
}

impl Terminal {
    fn open(pty: &Pty) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(pty.path());
        Self {
            file: file.unwrap(),
            start: Instant::now(),
        }
    }
}

impl Link for Terminal {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.file.write_all(frame).map_err(|_| LinkError::Gone)
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        let left = until.saturating_sub(self.now()).min(common::LIMIT);
        let left = Timespec::try_from(left).unwrap();
        let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
        if poll(&mut ready, Some(&left)).unwrap() == 0 {
            return Ok(None);
        }
        let mut buffer = [0; 100];
        match self.file.read(&mut buffer) {
            Ok(count) if count > 0 => Ok(Some(Heard::Bytes(buffer[..count].to_vec()))),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            _ => Ok(Some(Heard::Gone)),
        }
    }
}

fn chip() -> Chip {
    Chip::new([1, 2], Speed::default())
}

fn greet(line: &mut Terminal) {
    drive(&mut Ping::new(), line).unwrap().unwrap();
}

fn ask(line: &mut Terminal, command: Command, data: Data<'_>) -> Reply {
    let exchange = &mut Exchange::new(Setup::new(Wire::Uart), command, data);
    drive(exchange, line).unwrap().unwrap()
}

#[test]
fn the_flashloader_flashes_over_its_serial_line() {
    let chip = chip();
    let pty = Pty::open(&chip).unwrap();
    let mut line = Terminal::open(&pty);
    greet(&mut line);
    let version = Command::get_property(property::CURRENT_VERSION, 0);
    assert_eq!(ask(&mut line, version, Data::None).words, [0x4B02_0800]);
    // The flash has to be set up from an option block in RAM first.
    let options = 0xC000_0007_u32.to_le_bytes().to_vec();
    let write = Command::write_memory(0x2000, 4, 0);
    assert_eq!(ask(&mut line, write, Data::Out(options.into())).status, 0);
    assert_eq!(
        ask(&mut line, Command::configure_memory(9, 0x2000), Data::None).status,
        0
    );
    let start = Instant::now();
    let erase = Command::flash_erase_region(0x6000_0000, 3 * SECTOR as u32, 0);
    assert_eq!(ask(&mut line, erase, Data::None).status, 0);
    assert!(
        start.elapsed() >= Duration::from_millis(3 * 45),
        "erasing takes its time"
    );
    let bytes: Vec<u8> = (0..5000_u32).map(|n| (n >> 2) as u8).collect();
    let write = Command::write_memory(0x6000_0000, 5000, 0);
    assert_eq!(
        ask(&mut line, write, Data::Out(bytes.clone().into())).status,
        0
    );
    let read = Command::read_memory(0x6000_0000, 5000, 0);
    assert_eq!(ask(&mut line, read, Data::In(5000)).data, bytes);
    assert_eq!(chip.lock().nor.read(0, 5000), bytes);
}

#[test]
fn a_frame_that_stops_short_is_forgotten() {
    let pty = Pty::open(&chip()).unwrap();
    let mut line = Terminal::open(&pty);
    greet(&mut line);
    // The start of a command of 256 bytes, and then silence.
    line.send(&[0x5A, 0xA4, 0x00, 0x01, 0x11]).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    let version = Command::get_property(property::CURRENT_VERSION, 0);
    assert_eq!(ask(&mut line, version, Data::None).status, 0);
}

#[test]
fn two_users_one_after_the_other_find_the_same_loader() {
    let pty = Pty::open(&chip()).unwrap();
    for _ in 0..3 {
        greet(&mut Terminal::open(&pty));
    }
    assert_eq!(pty.left(), None);
}

#[test]
fn a_reset_is_answered_before_the_line_falls_silent() {
    let pty = Pty::open(&chip()).unwrap();
    let mut line = Terminal::open(&pty);
    greet(&mut line);
    assert_eq!(ask(&mut line, Command::reset(), Data::None).status, 0);
    let end = Instant::now() + common::LIMIT;
    while pty.left() != Some(Leave::Reset) {
        assert!(Instant::now() < end, "it never leaves");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn closing_the_line_does_not_wait_for_its_user() {
    let pty = Pty::open(&chip()).unwrap();
    let mut line = Terminal::open(&pty);
    line.send(&[0x5A, 0xA6]).unwrap();
    let start = Instant::now();
    drop(pty);
    assert!(start.elapsed() < Duration::from_secs(1));
}
