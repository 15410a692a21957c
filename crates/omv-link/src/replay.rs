//! Plays a record back: a link that insists on what was sent then and answers what was answered.
//!
//! Time is virtual and is the record's own: a wait jumps to the recorded answer, or to its own end
//! if nothing was heard before that, so an erase of two minutes replays in microseconds. Format
//! and meaning of the lines: [`record`](crate::record).

use std::io;
use std::time::Duration;

use crate::record::{HEADER, crc32, from_hexadecimal};
use crate::{Function, Heard, Link, LinkError};

/// An answer this much after the end of a wait still belongs to it. The clock of the record also
/// ran while the host computed, the replayed one does not.
const SLACK: Duration = Duration::from_millis(20);

/// A recorded link, played back.
#[derive(Debug)]
pub struct Replay {
    entries: Vec<Entry>,
    next: usize,
    now: Duration,
    gone: bool,
}

/// One line of the record.
#[derive(Debug)]
struct Entry {
    /// Counted from one, for messages.
    line: usize,
    at: Duration,
    what: What,
}

#[derive(Debug)]
enum What {
    Sent(Frame),
    Heard(Heard),
}

/// A frame as far as the record tells it.
#[derive(Debug)]
enum Frame {
    Whole(Vec<u8>),
    Cut {
        start: Vec<u8>,
        size: usize,
        crc: u32,
    },
}

impl Frame {
    fn is(&self, frame: &[u8]) -> bool {
        match self {
            Self::Whole(bytes) => bytes == frame,
            Self::Cut { start, size, crc } => {
                frame.len() == *size && frame.starts_with(start) && crc32(frame) == *crc
            }
        }
    }
}

impl Replay {
    /// Prepares the link with this number in the text of a record.
    ///
    /// # Errors
    /// [`LinkError::Io`] of the kind `InvalidData` that names the line: no record, a line out of
    /// shape, or a received frame of which the record holds a hash only.
    pub fn parse(text: &str, link: u32) -> Result<Self, LinkError> {
        let mut entries = Vec::new();
        for (number, _, entry) in lines(text)? {
            if number != link {
                continue;
            }
            entries.push(entry?);
        }
        Ok(Self {
            now: entries.first().map_or(Duration::ZERO, |entry| entry.at),
            entries,
            next: 0,
            gone: false,
        })
    }

    /// The links in a record: number and function, in order of their first frames.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), but for the frames themselves.
    pub fn links(text: &str) -> Result<Vec<(u32, Function)>, LinkError> {
        let mut links = Vec::new();
        for (number, function, _) in lines(text)? {
            if !links.contains(&(number, function)) {
                links.push((number, function));
            }
        }
        Ok(links)
    }

    /// Whether all of the record was played.
    pub fn is_finished(&self) -> bool {
        self.next >= self.entries.len()
    }
}

impl Link for Replay {
    fn now(&self) -> Duration {
        self.now
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let Some(entry) = self.entries.get(self.next) else {
            if self.gone {
                return Err(LinkError::Gone);
            }
            return Err(differs(None, "the record ends here, but more is sent"));
        };
        match &entry.what {
            What::Sent(expected) if expected.is(frame) => {
                self.now = self.now.max(entry.at);
                self.next += 1;
                Ok(())
            }
            What::Sent(_) => Err(differs(Some(entry.line), "another frame was sent then")),
            What::Heard(Heard::Gone) => {
                self.now = self.now.max(entry.at);
                self.next += 1;
                self.gone = true;
                Err(LinkError::Gone)
            }
            What::Heard(_) => Err(differs(
                Some(entry.line),
                "something was heard then, but something is sent now",
            )),
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        let end = until.max(self.now);
        match self.entries.get(self.next) {
            Some(Entry {
                at,
                what: What::Heard(heard),
                ..
            }) if *at <= end.saturating_add(SLACK) => {
                self.now = self.now.max(*at);
                self.next += 1;
                self.gone |= *heard == Heard::Gone;
                Ok(Some(heard.clone()))
            }
            None if self.gone => Ok(Some(Heard::Gone)),
            _ => {
                self.now = end;
                Ok(None)
            }
        }
    }
}

fn differs(line: Option<usize>, what: &str) -> LinkError {
    LinkError::Io {
        doing: match line {
            Some(line) => format!("replaying line {line} of a record"),
            None => "replaying a record".to_owned(),
        },
        source: io::Error::new(io::ErrorKind::InvalidData, what.to_owned()),
    }
}

fn malformed(line: usize, what: &str) -> LinkError {
    LinkError::Io {
        doing: format!("reading line {line} of a record"),
        source: io::Error::new(io::ErrorKind::InvalidData, what.to_owned()),
    }
}

type Parsed = (u32, Function, Result<Entry, LinkError>);

/// The frames of all links, in order. A frame that cannot be played is an error of its own link.
fn lines(text: &str) -> Result<Vec<Parsed>, LinkError> {
    let mut lines = text.lines().zip(1..);
    if lines.next().map(|(line, _)| line.trim_end()) != Some(HEADER) {
        return Err(malformed(1, "the header of a record is missing"));
    }
    lines
        .map(|(line, number)| (line.trim_end(), number))
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| {
            let mut fields = line.splitn(5, ' ');
            let mut field = || fields.next().ok_or(malformed(number, "a field is missing"));
            let at = parse_time(field()?).ok_or(malformed(number, "the time is no time"))?;
            let link = field()?
                .parse()
                .map_err(|_| malformed(number, "the link is no number"))?;
            let function =
                parse_function(field()?).ok_or(malformed(number, "the function is unknown"))?;
            let what = parse_what(number, field()?, field()?);
            let entry = what.map(|what| Entry {
                line: number,
                at,
                what,
            });
            Ok((link, function, entry))
        })
        .collect()
}

fn parse_what(line: usize, direction: &str, rest: &str) -> Result<What, LinkError> {
    let frame = || parse_frame(rest).ok_or(malformed(line, "the bytes are no bytes"));
    match (direction, rest) {
        ("!", "stall") => Ok(What::Heard(Heard::Stall)),
        ("!", "gone") => Ok(What::Heard(Heard::Gone)),
        (">", _) => Ok(What::Sent(frame()?)),
        ("<", _) => match frame()? {
            Frame::Whole(bytes) => Ok(What::Heard(Heard::Bytes(bytes))),
            Frame::Cut { .. } => Err(malformed(
                line,
                "the record holds only a hash of what was heard, so it cannot be played back",
            )),
        },
        _ => Err(malformed(line, "the direction is unknown")),
    }
}

/// Seconds with six decimals.
fn parse_time(text: &str) -> Option<Duration> {
    let (seconds, micros) = text.split_once('.')?;
    if micros.len() != 6 || !micros.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time = Duration::from_secs(seconds.parse().ok()?);
    time.checked_add(Duration::from_micros(micros.parse().ok()?))
}

fn parse_function(text: &str) -> Option<Function> {
    match text {
        "hid" => Some(Function::Hid),
        "disk" => Some(Function::Disk),
        "control" => Some(Function::Control),
        _ => Some(Function::Console {
            baud: text.strip_prefix("console:")?.parse().ok()?,
        }),
    }
}

/// `-`, `0102ff`, or `01000c00 +1012 crc32 8c1f0a77`.
fn parse_frame(text: &str) -> Option<Frame> {
    if text == "-" {
        return Some(Frame::Whole(Vec::new()));
    }
    let mut fields = text.split(' ');
    let start = from_hexadecimal(fields.next()?)?;
    let Some(rest) = fields.next() else {
        return Some(Frame::Whole(start));
    };
    let rest: usize = rest.strip_prefix('+')?.parse().ok()?;
    if fields.next()? != "crc32" {
        return None;
    }
    let crc = u32::from_str_radix(fields.next()?, 16).ok()?;
    if fields.next().is_some() {
        return None;
    }
    Some(Frame::Cut {
        size: start.len().checked_add(rest)?,
        start,
        crc,
    })
}
