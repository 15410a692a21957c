//! The channels of the camera that acts, and the script behind them.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::v2::channels::{Channels, Reading, flag};
use omv_wire::v2::codec::Status;
use omv_wire::v2::parser::Event;
use omv_wire::v2::records::Channel;
use omv_wire::v2::stream::{Format, FrameHeader};

const MS: Duration = Duration::from_millis(1);
/// Bytes of text the ring holds.
const RING: usize = 1023;
const STDIN: u8 = 1;
const STDOUT: u8 = 2;
const STREAM: u8 = 3;
const CUSTOM: u8 = 4;

#[derive(Default)]
pub struct Stage {
    script: Vec<u8>,
    acts: VecDeque<String>,
    running: bool,
    /// Whether what runs was sent by a host.
    sent: bool,
    stop: bool,
    due: Duration,
    pub ring: VecDeque<u8>,
    /// Bytes the ring threw away.
    pub thrown: usize,
    pub printed: Vec<u8>,
    pub streaming: bool,
    pub raw: bool,
    frame: Option<Vec<u8>>,
    locked: bool,
    /// Number of the last picture made.
    pub made: u32,
    left: u32,
    endless: Option<(u32, u32)>,
    /// What an endless script shows instead of numbered pictures.
    file: Vec<u8>,
    custom: Option<(Channel, Vec<u8>)>,
    pub events: Vec<Event>,
    pub execs: u32,
}

impl Stage {
    /// `main.py` runs, for ever.
    pub fn start_main(&mut self) {
        self.running = true;
        self.acts = VecDeque::from(["spin".to_owned()]);
    }

    pub fn print(&mut self, text: &[u8]) {
        self.printed.extend_from_slice(text);
        if self.ring.len() + text.len() > RING {
            self.thrown += self.ring.len();
            self.ring.clear();
        }
        let fits = &text[text.len().saturating_sub(RING)..];
        self.thrown += text.len() - fits.len();
        self.ring.extend(fits);
    }

    fn is_lockable(&self) -> bool {
        let channel = self.custom.as_ref().map(|custom| custom.0);
        channel.is_some_and(|channel| channel.flags & flag::LOCK != 0)
    }

    pub fn is_running(&self) -> bool {
        self.running
    }

    pub fn text_waits(&self) -> bool {
        !self.ring.is_empty()
    }

    pub fn rebooted(&mut self) {
        self.raw = false;
        self.custom = None;
    }

    pub fn wakes(&self) -> Option<Duration> {
        let waits = self.endless.is_some() && (self.frame.is_some() || !self.streaming);
        (self.running && !waits).then_some(self.due)
    }

    pub fn act(&mut self, now: Duration) {
        let mut steps = 0;
        while self.running && self.due <= now && steps < 1000 {
            steps += 1;
            if std::mem::take(&mut self.stop) {
                self.print(b"Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\nKeyboardInterrupt: \r\n");
                self.end();
                return;
            }
            self.due = self.due.max(now) + MS;
            if let Some((width, height)) = self.endless {
                self.due = now;
                if self.frame.is_none() && self.streaming {
                    match self.file.len() {
                        0 => self.store(width, height),
                        size => {
                            let file = self.file.clone();
                            self.put(header(width, height, Format::JPEG, size as u32), file);
                        }
                    }
                }
                return;
            }
            let Some(act) = self.acts.pop_front() else {
                self.end();
                return;
            };
            self.one(&act, now);
        }
    }

    fn one(&mut self, act: &str, now: Duration) {
        let (verb, rest) = act.split_once(' ').unwrap_or((act, ""));
        let numbers: Vec<u32> = rest.split(' ').filter_map(|n| n.parse().ok()).collect();
        match (verb, &numbers[..]) {
            ("print", _) => self.print(format!("{rest}\r\n").as_bytes()),
            ("sleep", [ms]) => self.due = now + *ms * MS,
            ("busy", [lines]) => {
                for line in (0..*lines).rev() {
                    self.acts.push_front("sleep 200".into());
                    self.acts.push_front("frames 3 16 16".into());
                    self.acts.push_front(format!("print line {line}"));
                }
            }
            ("spin", _) => {
                self.acts.push_front("spin".into());
                self.due = now + 5 * MS;
            }
            ("flood", _) => {
                self.print(format!("line {} of very much text\r\n", self.printed.len()).as_bytes());
                self.acts.push_front("flood".into());
            }
            ("raise", _) => {
                let (kind, words) = rest.split_once(' ').unwrap_or((rest, ""));
                self.print(format!("Traceback (most recent call last):\r\n  File \"<stdin>\", line 7, in <module>\r\n{kind}: {words}\r\n").as_bytes());
                self.end();
            }
            ("frames", [count, width, height]) => {
                self.store(*width, *height);
                if *count > 1 {
                    self.acts
                        .push_front(format!("frames {} {width} {height}", count - 1));
                }
                self.due = now + 20 * MS;
            }
            ("stream", [width, height]) => self.endless = Some((*width, *height)),
            ("jpeg", [count, size]) => {
                let mut file = vec![0x55; *size as usize];
                file[..4].copy_from_slice(&[0xFF, 0xD8, 0xFF, 0xE0]);
                let end = file.len() - 2;
                file[end..].copy_from_slice(&[0xFF, 0xD9]);
                self.made += 1;
                self.put(header(640, 480, Format::JPEG, *size), file);
                if *count > 1 {
                    self.acts.push_front(format!("jpeg {} {size}", count - 1));
                }
                self.due = now + 20 * MS;
            }
            ("file", _) => {
                self.file = std::fs::read(rest).unwrap();
                self.endless = Some((640, 480));
            }
            ("lie", _) => self.put(header(640, 480, Format::GRAYSCALE, 1), vec![1; 100]),
            ("channel", _) => {
                let flags = flag::READ | flag::WRITE | flag::DYNAMIC;
                self.custom = Some((Channel::new(CUSTOM, rest, flags), Vec::new()));
                self.events.push(Event {
                    channel: 0,
                    code: Some(0),
                });
            }
            ("profile", _) => {
                let channel = Channel::new(CUSTOM, "profile", flag::READ | flag::LOCK);
                self.custom = Some((channel, profile()));
                self.events.push(Event {
                    channel: 0,
                    code: Some(0),
                });
            }
            ("event", [code]) => self.events.push(Event {
                channel: CUSTOM,
                code: Some(*code as u16),
            }),
            _ => self.print(format!("SyntaxError: {act}\r\n").as_bytes()),
        }
    }

    fn store(&mut self, width: u32, height: u32) {
        self.made += 1;
        if !self.has_room() {
            return;
        }
        let mut frame = header(width, height, Format::GRAYSCALE, 1).encode();
        let head = frame.len();
        frame.resize(head + (width * height / 4 * 4) as usize, 0);
        let (words, _) = frame[head..].as_chunks_mut::<4>();
        for (word, at) in words.iter_mut().zip(0_u32..) {
            *word = (self.made ^ at.rotate_left(16)).to_le_bytes();
        }
        self.show(frame);
    }

    /// As the firmware does: no second picture before the host has had the first.
    fn has_room(&self) -> bool {
        self.streaming && self.frame.is_none()
    }

    fn put(&mut self, header: FrameHeader, data: Vec<u8>) {
        if self.has_room() {
            let mut frame = header.encode();
            frame.extend(data);
            self.show(frame);
        }
    }

    fn show(&mut self, frame: Vec<u8>) {
        self.frame = Some(frame);
        self.events.push(Event {
            channel: STREAM,
            code: None,
        });
    }

    fn end(&mut self) {
        self.running = false;
        self.endless = None;
        self.acts.clear();
        self.events.push(Event {
            channel: STDIN,
            code: Some(0),
        });
        if std::mem::take(&mut self.sent) {
            self.script.clear();
            self.events.push(Event::SOFT_REBOOT);
        }
    }
}

/// The number in a picture of [`Stage`], if every pixel agrees about it.
pub fn frame_number(pixels: &[u8]) -> Option<u32> {
    let (words, rest) = pixels.as_chunks::<4>();
    let number = u32::from_le_bytes(*words.first()?);
    let same = words
        .iter()
        .zip(0_u32..)
        .all(|(word, at)| u32::from_le_bytes(*word) ^ at.rotate_left(16) == number);
    (same && rest.is_empty()).then_some(number)
}

/// Packed records of the profiler with one counter: two functions.
fn profile() -> Vec<u8> {
    let record = |function: u32, calls: u32| {
        let words = [function, 0x0800_0001, calls, 3, 9].map(u32::to_le_bytes);
        let longs = [u64::from(calls) * 5, 7 << 33, 11].map(u64::to_le_bytes);
        [words.concat(), longs.concat(), vec![0xEE; 4]].concat()
    };
    [record(0x0802_0001, 10), record(0x0803_0001, 400)].concat()
}

fn header(width: u32, height: u32, format: Format, size: u32) -> FrameHeader {
    FrameHeader {
        width,
        height,
        format,
        size,
        offset: 32,
        fps: 50.0,
    }
}

impl Channels for Stage {
    fn list(&self) -> Vec<Channel> {
        let mut list = vec![
            Channel::new(0, "usb", flag::PHYSICAL),
            Channel::new(STDIN, "stdin", flag::WRITE | flag::EXEC),
            Channel::new(STDOUT, "stdout", flag::READ),
            Channel::new(STREAM, "stream", flag::READ | flag::LOCK | flag::STREAM),
        ];
        list.extend(self.custom.iter().map(|(channel, _)| *channel));
        list
    }

    fn poll(&mut self, _now: Duration) -> u32 {
        u32::from(self.running) << STDIN
            | u32::from(self.text_waits()) << STDOUT
            | u32::from(self.frame.is_some()) << STREAM
    }

    fn lock(&mut self, id: u8) -> Result<(), Status> {
        if id == CUSTOM && self.is_lockable() {
            return Ok(());
        }
        if id != STREAM || self.locked || self.frame.is_none() {
            return Err(Status::BUSY);
        }
        self.locked = true;
        Ok(())
    }

    fn unlock(&mut self, id: u8) -> Result<(), Status> {
        if id == CUSTOM && self.is_lockable() {
            return Ok(());
        }
        if id != STREAM {
            return Err(Status::BUSY);
        }
        if std::mem::take(&mut self.locked) {
            self.frame = None;
        }
        Ok(())
    }

    fn size(&mut self, id: u8) -> Result<u32, Status> {
        match (id, &self.custom) {
            (STDOUT, _) => Ok(self.ring.len() as u32),
            (STREAM, _) => Ok(self.frame.as_ref().map_or(0, Vec::len) as u32),
            (CUSTOM, Some((_, data))) => Ok(data.len() as u32),
            _ => Err(Status::INVALID),
        }
    }

    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status> {
        match &self.custom {
            Some((_, data)) if id == CUSTOM && self.is_lockable() => {
                Ok(vec![2, data.len() as u32 / 2])
            }
            _ => Err(Status::INVALID),
        }
    }

    fn reading(&self, id: u8) -> Option<Reading> {
        match (id, &self.custom) {
            (STDOUT, _) | (CUSTOM, Some(_)) => Some(Reading::Copy),
            (STREAM, _) => Some(Reading::Pointer),
            _ => None,
        }
    }

    fn read(&mut self, id: u8, offset: u32, length: u32) -> Result<Vec<u8>, Status> {
        let range = offset as usize..offset as usize + length as usize;
        match (id, &self.custom) {
            (STDOUT, _) => {
                let count = self.ring.len().min(length as usize);
                Ok(self.ring.drain(..count).collect())
            }
            (STREAM, _) => {
                let data = self.frame.as_ref().and_then(|frame| frame.get(range));
                data.map(<[u8]>::to_vec).ok_or(Status::FAILED)
            }
            (CUSTOM, Some((_, data))) => Ok(data.get(range).unwrap_or_default().to_vec()),
            _ => Err(Status::FAILED),
        }
    }

    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status> {
        match (id, &mut self.custom) {
            (STDIN, _) => {
                if offset == 0 {
                    self.script.clear();
                }
                self.script.extend_from_slice(bytes);
                Ok(())
            }
            (CUSTOM, Some((_, data))) => {
                // Written twice is written once.
                data.truncate(offset as usize);
                data.extend_from_slice(bytes);
                Ok(())
            }
            _ => Err(Status::INVALID),
        }
    }

    fn ioctl(&mut self, id: u8, request: u32, arguments: &[u8]) -> Result<(), Status> {
        let word = arguments
            .first_chunk()
            .copied()
            .map_or(0, u32::from_le_bytes);
        match (id, request, arguments.len()) {
            (STDIN, 1, 0) => self.stop = self.running,
            (STDIN, 2, 0) if self.script.is_empty() => return Err(Status::FAILED),
            // Accepted, and the script is lost: the firmware's trap.
            (STDIN, 2, 0) if self.running && self.sent => self.stop = true,
            (STDIN, 2, 0) => {
                self.execs += 1;
                let text = String::from_utf8_lossy(&self.script).into_owned();
                self.acts = text
                    .lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect();
                self.running = true;
                self.sent = true;
                self.stop = false;
                self.events.push(Event {
                    channel: STDIN,
                    code: Some(1),
                });
            }
            (STDIN, 3, 0) => self.script.clear(),
            (STREAM, 0, 4) => {
                self.streaming = word != 0;
                self.locked = false;
                self.frame = None;
            }
            (STREAM, 1, 4) => self.raw = word != 0,
            (STREAM, 2, 8) | (STREAM, 3, 4) => {}
            _ => return Err(Status::INVALID),
        }
        Ok(())
    }
}
