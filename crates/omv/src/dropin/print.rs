//! What the tools print: results, data, progress, log lines.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/utils/utils.py `format_raw_data`; the package hexdump 3.3;
//! the progress lines off a terminal are those of NXP's older tools in C++, which OpenMV IDE
//! reads.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use super::grammar::Given;
use super::stop::Stop;

/// Prints a line on standard output.
pub fn line(text: &str) -> Result<(), Stop> {
    bytes(format!("{text}\n").as_bytes())
}

/// Puts bytes on standard output as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Stop::output(&error))
}

/// Data for people: 16 bytes a line in lower case, or with addresses and characters.
pub fn data(bytes: &[u8], hexdump: bool) -> String {
    let lines = bytes.chunks(16).enumerate();
    let text = lines.map(|(at, chunk)| {
        if hexdump {
            dump_line(at * 16, chunk)
        } else {
            join(chunk, |byte| format!("{byte:02x}"))
        }
    });
    text.collect::<Vec<_>>().join("\n")
}

fn join(chunk: &[u8], text: impl Fn(&u8) -> String) -> String {
    chunk.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// `00000010: 00 01 ..  08 09 ..  ........`
fn dump_line(address: usize, chunk: &[u8]) -> String {
    let (left, right) = chunk.split_at(chunk.len().min(8));
    let upper = |byte: &u8| format!("{byte:02X}");
    let hex = format!("{:<23}  {}", join(left, upper), join(right, upper));
    let shown = |byte: &u8| match byte {
        0x20..=0x7E => char::from(*byte),
        _ => '.',
    };
    let characters: String = chunk.iter().map(shown).collect();
    format!("{address:08X}: {hex:<48}  {characters}")
}

/// How far a transfer is.
pub struct Progress {
    label: &'static str,
    terminal: bool,
    quiet: bool,
    shown: Option<u64>,
}

impl Progress {
    /// A transfer that has not begun. `quiet` shows nothing of it.
    pub fn new(label: &'static str, quiet: bool) -> Self {
        Self {
            label,
            terminal: io::stdout().is_terminal(),
            quiet,
            shown: None,
        }
    }

    /// Shows how many of `total` bytes are through, if that is another percentage than before.
    pub fn at(&mut self, done: u64, total: u64) {
        if self.quiet || total == 0 || done == 0 {
            return;
        }
        let percent = done.saturating_mul(100) / total;
        if self.shown == Some(percent) {
            return;
        }
        let begins = self.shown.is_none();
        self.shown = Some(percent);
        let text = if self.terminal {
            let filled = usize::try_from(percent / 10).unwrap_or(10).min(10);
            let bar = "#".repeat(filled) + &"-".repeat(10 - filled);
            let hide = if begins { "\x1b[?25l" } else { "" };
            format!("{hide}\r\x1b[?25l{percent:>3}% [{bar}] {}\r", self.label)
        } else {
            format!("\r(1/1){percent}%")
        };
        // Who closed the pipe will hear of it with the result.
        let _ = bytes(text.as_bytes());
    }

    /// Ends the line that was begun. `whole` says that all of it went through.
    pub fn end(&mut self, whole: bool) {
        if self.quiet || self.shown.take().is_none() {
            return;
        }
        let text = match (self.terminal, whole) {
            (true, _) => "\x1b[J\x1b[?25h\n",
            (false, true) => " Completed!\n",
            (false, false) => "\n",
        };
        let _ = bytes(text.as_bytes());
    }
}

/// Prints warnings and errors the way the tools log them, on standard error; and what else is asked
/// for.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    started: Instant,
    level: Level,
}

/// What is told beyond warnings and errors. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Warning,
    /// Each command to the device, and how it ended: `-v`.
    Info,
    /// What was opened, and how: `-vv`.
    Debug,
    /// All bytes: `-vvv`.
    Trace,
}

impl Log {
    /// A log that counts from now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            level: Level::Warning,
        }
    }

    /// Tells as much as the options ask for.
    pub fn ask(&mut self, given: &Given) {
        let asked = [
            ("verbose", Level::Info),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
        ];
        let asked = asked.iter().filter(|(key, _)| given.has(key));
        self.level = asked.fold(self.level, |level, (_, more)| level.max(*more));
    }

    /// Whether this much is told.
    pub fn tells(&self, level: Level) -> bool {
        self.level >= level
    }

    /// One line for those who asked for this much.
    pub fn more(&self, level: Level, text: &str) {
        let name = match level {
            Level::Warning => "WARNING",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        };
        if self.tells(level) {
            eprintln!("{name}:omv:{text}");
        }
    }

    /// One line with bytes that went out, or came in.
    pub fn bytes(&self, direction: &str, bytes: &[u8]) {
        if self.tells(Level::Trace) {
            let hex = join(bytes, |byte| format!("{byte:02x}"));
            self.more(Level::Trace, &format!("{direction} {hex}"));
        }
    }

    /// One line. `origin` is the place in the tools' source that the line names.
    pub fn tell(&self, level: &str, name: &str, text: &str, origin: &str) {
        let millis = self.started.elapsed().as_millis();
        let line = format!("{level}:{name}:{text} ({millis}ms since start, {origin})");
        let colour = match level {
            "ERROR" => "\x1b[31m",
            _ => "\x1b[33m",
        };
        if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            eprintln!("{colour}{line}\x1b[39m");
        } else {
            eprintln!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_shown_in_lines_of_sixteen() {
        let bytes: Vec<u8> = (0x1A..0x2D).collect();
        let plain = "1a 1b 1c 1d 1e 1f 20 21 22 23 24 25 26 27 28 29\n2a 2b 2c";
        assert_eq!(data(&bytes, false), plain);
        let dump = "00000000: 1A 1B 1C 1D 1E 1F 20 21  22 23 24 25 26 27 28 29  ...... !\"#$%&'()\n\
                    00000010: 2A 2B 2C                                          *+,";
        assert_eq!(data(&bytes, true), dump);
    }
}
