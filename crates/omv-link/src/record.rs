//! Writes down all that passes over a bus, as text a person can read and [`replay`](crate::replay)
//! can play back.
//!
//! ```text
//!   # omv record 1
//!   # 0.000913 seen usb 1-4.2 visit 14 37C5:1060 release 0102 serial "0E4F1E2A" product "OpenMV Cam"
//!   0.514077 1 console:921600 > 00000303
//!   0.516230 1 console:921600 < 3e3e3e20
//!   2.830112 2 hid > 01000c00 +1012 crc32 8c1f0a77
//!   2.930119 2 hid ! stall
//!   3.001530 2 hid ! gone
//!   # 3.101201 2 hid the device accepts no data
//! ```
//!
//! One line is one frame, its fields parted by single spaces:
//!
//! | field | meaning |
//! |---|---|
//! | time | seconds on the link's clock, six decimals |
//! | link | a number, counting up with each opening of a function |
//! | function | `console:BAUD`, `hid` or `control` |
//! | direction | `>` to the device, `<` from it, `!` for what happened to it: `stall` or `gone` |
//! | bytes | hexadecimal, `-` for none; a long frame may be cut to its start, `+N` more bytes and the CRC-32 of the whole frame |
//!
//! Lines that start with `#` are notes. The first one names the format. The file holds no
//! passage of time: a wait in which nothing came leaves no line.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Bus, Device, Function, Heard, Link, LinkError, Seen};

/// The first line of every record.
pub(crate) const HEADER: &str = "# omv record 1";
/// Frames up to this many bytes are written whole even where hashes are wanted: requests and
/// replies of all protocols, but no page of firmware.
const SHORT: usize = 64;
/// So many bytes of a longer one are shown: its header.
const SHOWN: usize = 8;
/// What stands where a serial number stood.
const BLANK: u8 = b'0';
/// A serial number shorter than this is not blanked: it would hit too much else.
const SHORTEST_SECRET: usize = 4;

/// What a record leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Long frames as their start, length and CRC-32: no firmware and no pictures in the file.
    /// A record with received frames cut short cannot be played back.
    pub hashes: bool,
    /// Serial numbers as zeros, in notes and in frames alike. Where a number is split over two
    /// frames it stays, and check sums in the frames no longer fit.
    pub blank_serials: bool,
}

/// Where records go. Clones write to the same place.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
    options: Options,
}

struct Shared {
    out: Box<dyn Write + Send>,
    links: u32,
    /// Byte strings to blank, all forms of all serial numbers known.
    secrets: Vec<Vec<u8>>,
    /// Devices noted so far.
    seen: Vec<Seen>,
    /// The first write that failed: a full disk must not stop a flash job, and must be told.
    trouble: Option<std::io::Error>,
}

impl Recorder {
    /// Starts a record.
    pub fn new(out: impl Write + Send + 'static, options: Options) -> Self {
        let recorder = Self {
            shared: Arc::new(Mutex::new(Shared {
                out: Box::new(out),
                links: 0,
                secrets: Vec::new(),
                seen: Vec::new(),
                trouble: None,
            })),
            options,
        };
        recorder.line(HEADER);
        recorder
    }

    /// Names one more serial number to leave out, as text; the hexadecimal ones also in binary.
    /// Those that the bus tells are known by themselves.
    pub fn hide(&self, serial: &str) {
        // Of zeros alone, nothing would remain to blank, and every empty buffer would match.
        if !self.options.blank_serials
            || serial.len() < SHORTEST_SECRET
            || serial.bytes().all(|byte| byte == b'0')
        {
            return;
        }
        let mut shared = self.lock();
        for form in forms(serial) {
            if !shared.secrets.contains(&form) {
                shared.secrets.push(form);
            }
        }
        // The longest first: the text of a number may start with a shorter one.
        shared
            .secrets
            .sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Writes what is still held back and tells the first write that failed.
    ///
    /// # Errors
    /// What the place the record goes to said. What followed is missing in the record.
    pub fn finish(&self) -> std::io::Result<()> {
        let mut shared = self.lock();
        match shared.trouble.take() {
            Some(error) => Err(error),
            None => shared.out.flush(),
        }
    }

    /// Records a link that hangs on no recorded bus.
    pub fn link(&self, inner: Box<dyn Link>, function: Function) -> RecordedLink {
        let mut shared = self.lock();
        shared.links += 1;
        RecordedLink {
            inner,
            label: format!("{} {}", shared.links, name(function)),
            recorder: self.clone(),
        }
    }

    /// Records a bus: what it shows, and every link of every device opened on it.
    pub fn bus(&self, inner: Box<dyn Bus>) -> RecordedBus {
        RecordedBus {
            inner,
            recorder: self.clone(),
        }
    }

    fn note_seen(&self, now: Duration, seen: &Seen) {
        if self.lock().seen.contains(seen) {
            return;
        }
        self.lock().seen.push(seen.clone());
        if let Some(serial) = &seen.serial {
            self.hide(serial);
        }
        // Text of a device is untrusted: quotes, escapes and line ends must not make lines.
        let shown = |text: &Option<String>| match text {
            Some(text) => {
                let blanked = self.blanked(text.as_bytes());
                format!("{:?}", String::from_utf8_lossy(&blanked))
            }
            None => "-".to_owned(),
        };
        let serial = match &seen.serial {
            Some(serial) if self.options.blank_serials => "0".repeat(serial.chars().count()),
            serial => shown(serial),
        };
        self.line(&format!(
            "# {} seen {} visit {} {:04X}:{:04X} release {:04x} serial {} product {}",
            seconds(now),
            seen.place,
            seen.visit,
            seen.vid,
            seen.pid,
            seen.release,
            serial,
            shown(&seen.product),
        ));
    }

    fn frame(&self, now: Duration, label: &str, direction: char, frame: &[u8]) {
        let frame = self.blanked(frame);
        let mut line = format!("{} {label} {direction} ", seconds(now));
        if frame.is_empty() {
            line.push('-');
        } else if self.options.hashes && frame.len() > SHORT {
            let (shown, rest) = frame.split_at(SHOWN);
            push_hexadecimal(&mut line, shown);
            let _ = write!(line, " +{} crc32 {:08x}", rest.len(), crc32(&frame));
        } else {
            push_hexadecimal(&mut line, &frame);
        }
        self.line(&line);
    }

    fn event(&self, now: Duration, label: &str, what: &str) {
        self.line(&format!("{} {label} ! {what}", seconds(now)));
    }

    fn note(&self, now: Duration, label: &str, error: &LinkError) {
        let text = error.to_string();
        let text = self.blanked(text.as_bytes());
        let text: String = String::from_utf8_lossy(&text)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        self.line(&format!("# {} {label} {text}", seconds(now)));
    }

    fn line(&self, line: &str) {
        let mut shared = self.lock();
        if shared.trouble.is_some() {
            return;
        }
        // Flushed line by line: the lines before a crash are the ones that matter.
        let result = writeln!(shared.out, "{line}").and_then(|()| shared.out.flush());
        shared.trouble = result.err();
    }

    fn blanked(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for secret in &self.lock().secrets {
            let mut at = 0;
            while let Some(window) = bytes.get_mut(at..at + secret.len()) {
                if window == secret.as_slice() {
                    blank(window);
                    at += secret.len();
                } else {
                    at += 1;
                }
            }
        }
        bytes
    }

    /// Nothing under this lock can leave the record half changed, so poison does not matter.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Zeros for the characters of text of one or two bytes each, and for binary.
fn blank(window: &mut [u8]) {
    let wide = window.len() > 1 && window.iter().skip(1).step_by(2).all(|byte| *byte == 0);
    for (index, byte) in window.iter_mut().enumerate() {
        *byte = if wide && index % 2 == 1 { 0 } else { BLANK };
    }
}

/// How a serial number may stand in a frame: as text in either case, as the UTF-16 of a USB
/// string, and the hexadecimal ones in binary in either order.
fn forms(serial: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for text in [
        serial.to_owned(),
        serial.to_ascii_lowercase(),
        serial.to_ascii_uppercase(),
    ] {
        forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(text.into_bytes());
    }
    if let Some(mut binary) = from_hexadecimal(serial).filter(|b| b.len() >= SHORTEST_SECRET) {
        forms.push(binary.clone());
        binary.reverse();
        forms.push(binary);
    }
    forms.dedup();
    forms
}

/// A bus whose traffic is written down.
pub struct RecordedBus {
    inner: Box<dyn Bus>,
    recorder: Recorder,
}

impl Bus for RecordedBus {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let list = self.inner.list()?;
        for seen in &list {
            self.recorder.note_seen(self.now(), seen);
        }
        Ok(list)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn is_virtual_time(&self) -> bool {
        self.inner.is_virtual_time()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        self.inner.wait(until)
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        self.recorder.note_seen(self.now(), seen);
        Ok(Box::new(RecordedDevice {
            inner: self.inner.open(seen)?,
            recorder: self.recorder.clone(),
        }))
    }
}

/// An opened device of a recorded bus.
struct RecordedDevice {
    inner: Box<dyn Device>,
    recorder: Recorder,
}

impl Device for RecordedDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        let inner = self.inner.link(function)?;
        Ok(Box::new(self.recorder.link(inner, function)))
    }
}

/// A link whose frames are written down.
pub struct RecordedLink {
    inner: Box<dyn Link>,
    /// Number and function, as they stand in each line.
    label: String,
    recorder: Recorder,
}

impl Link for RecordedLink {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let result = self.inner.send(frame);
        let (now, recorder) = (self.inner.now(), &self.recorder);
        match &result {
            Ok(()) => recorder.frame(now, &self.label, '>', frame),
            Err(LinkError::Gone) => recorder.event(now, &self.label, "gone"),
            Err(error) => recorder.note(now, &self.label, error),
        }
        result
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        let result = self.inner.wait(until);
        let (now, recorder) = (self.inner.now(), &self.recorder);
        match &result {
            Ok(None) => {}
            Ok(Some(Heard::Bytes(bytes))) => recorder.frame(now, &self.label, '<', bytes),
            Ok(Some(Heard::Stall)) => recorder.event(now, &self.label, "stall"),
            Ok(Some(Heard::Gone)) => recorder.event(now, &self.label, "gone"),
            Err(error) => recorder.note(now, &self.label, error),
        }
        result
    }
}

fn name(function: Function) -> String {
    match function {
        Function::Console { baud } => format!("console:{baud}"),
        Function::Hid => "hid".to_owned(),
        Function::Control => "control".to_owned(),
        Function::Disk => "disk".to_owned(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

fn push_hexadecimal(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(line, "{byte:02x}");
    }
}

/// Pairs of digits only.
pub(crate) fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}

/// CRC-32 as in zip and Ethernet: reflected polynomial EDB88320, starts and ends inverted.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32_is_right() {
        // Source: the catalogue of parametrised CRC algorithms, CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn only_pairs_of_digits_are_bytes() {
        assert_eq!(from_hexadecimal("00ffA5"), Some(vec![0, 0xFF, 0xA5]));
        assert_eq!(from_hexadecimal(""), Some(Vec::new()));
        for text in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hexadecimal(text), None, "{text}");
        }
    }
}
