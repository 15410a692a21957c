//! `omv console` and `omv stop`: what the camera says by itself, and an end to it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use omv_camera::session::{Appetite, Frames, Notice, Options};
use serde_json::{Value, json};

use super::live::{Live, aside, print};
use crate::cli::{Common, Console};
use crate::fail::Fail;
use crate::output::Output;
use crate::serve::ended_fields;
use crate::text::Cleaner;

const LOOK: Duration = Duration::from_millis(100);
/// Bytes of text that may wait for a slow terminal.
const WAITING: usize = 1 << 20;

/// Runs `omv console`.
pub fn run(common: &Common, args: &Console, output: &Output) -> Result<(), Fail> {
    let live = Live::open(common, "omv console", Options::default())?;
    let watch = live.session.watch_with(Appetite {
        frames: Frames::None,
        text: WAITING,
    });
    let mut log = args.log.as_deref().map(Log::open).transpose()?;
    let mut cleaner = Cleaner::new();
    let pace = live.bench.pace();
    while !live.bench.stop.asked() {
        pace.keep();
        match watch.next(LOOK) {
            Some(Notice::Text(bytes)) => {
                let text = cleaner.push(&bytes);
                if let Some(log) = &mut log {
                    log.add(&text)?;
                }
                match output.json {
                    true if text.is_empty() => {}
                    true => output.object(&json!({ "event": "text", "text": text }))?,
                    false => print(&text)?,
                }
            }
            Some(Notice::Started) if output.json => {
                output.object(&json!({ "event": "started" }))?
            }
            Some(Notice::Ended(ended)) if output.json => {
                let fields = ended_fields(&ended);
                let event =
                    json!({ "event": "ended", "how": fields["how"], "raised": fields["raised"] });
                output.object(&event)?;
            }
            Some(Notice::Closed) => break,
            Some(other) => aside(output, &other)?,
            None => {}
        }
    }
    live.close()?;
    match output.json {
        true => output.result(Value::Null),
        false => Ok(()),
    }
}

/// Runs `omv stop`.
pub fn stop(common: &Common, output: &Output) -> Result<(), Fail> {
    let live = Live::open(common, "omv stop", Options::default())?;
    let ran = live.session.is_running();
    live.session.stop()?;
    live.close()?;
    match (output.json, ran) {
        (true, _) => output.result(json!({ "ran": ran })),
        (false, true) => output.line("Stopped."),
        (false, false) => output.line("No script ran."),
    }
}

/// A file that keeps what was said, each line with the time of day at which it began.
struct Log {
    path: std::path::PathBuf,
    file: File,
    /// Whether the next character begins a line.
    fresh: bool,
}

impl Log {
    /// Opens it, to write behind what is there.
    fn open(path: &Path) -> Result<Self, Fail> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| Fail::file(path, "writing", error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            fresh: true,
        })
    }

    fn add(&mut self, text: &str) -> Result<(), Fail> {
        let stamped = stamped(text, &mut self.fresh, SystemTime::now());
        let done = self.file.write_all(stamped.as_bytes());
        done.map_err(|error| Fail::file(&self.path, "writing", error))
    }
}

fn stamped(text: &str, fresh: &mut bool, now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(day as i64);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let stamp =
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z ");
    let mut out = String::with_capacity(text.len() + stamp.len());
    for line in text.split_inclusive('\n') {
        if std::mem::replace(fresh, line.ends_with('\n')) {
            out.push_str(&stamp);
        }
        out.push_str(line);
    }
    out
}

/// Year, month and day, of days since 1970. Howard Hinnant's `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_time_at_which_it_began() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
        let mut fresh = true;
        let first = stamped("a\nb", &mut fresh, now);
        assert_eq!(
            first,
            "2024-02-29T12:34:56.789Z a\n2024-02-29T12:34:56.789Z b"
        );
        assert_eq!(stamped("c\n", &mut fresh, now), "c\n");
        assert!(fresh);
    }
}
