//! The engine without an interpreter: it does what comments of the script tell it, and says so.
//!
//! ```text
//!   # omv-sim: print TEXT               a line on stdout
//!   # omv-sim: write TEXT               the same without the line's end
//!   # omv-sim: wait MILLIS              camera time passes
//!   # omv-sim: frame [W H [FORMAT]]     the sensor's next frame (320 240 RGB565), shown to the host
//!   # omv-sim: loop                     from here ...
//!   # omv-sim: repeat [COUNT]           ... to here, so often in all; without a number for ever
//!   # omv-sim: raise TYPE TEXT          an exception, with a traceback to this line
//!   # omv-sim: deaf MILLIS              a stop is heard only this long after it was asked for
//!   # omv-sim: reset | bootloader | sleep MILLIS
//! ```
//!
//! It is deterministic and needs nothing, so tests of protocols use it. One script it knows without
//! comments: the one that measures a camera ([`measuring`]).

use std::time::Duration;

use super::{Engine, Outcome, Ran, Script};
use crate::infer::measuring;
use crate::picture::Format;
use crate::running::Shared;

/// What stands in front of a directive.
const LEAD: &str = "# omv-sim:";
/// What a script that has none is answered.
const NOTE: &str = "This virtual camera has no Python interpreter (the variable OMV_INTERPRETER names one): \
the script was taken and nothing of it was executed.\n";
/// Steps done in one call.
const AT_ONCE: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Print(Vec<u8>),
    Wait(Duration),
    Frame((usize, usize), Format),
    Loop,
    Repeat(Option<u32>),
    Raise(usize, String),
    Deaf(Duration),
    End(Outcome),
    /// For ever, as the script that a camera comes with.
    Idle,
}

/// The engine.
pub struct Plain {
    works: Shared,
    script: String,
    steps: Vec<Step>,
    at: usize,
    /// Begin of the loop, and passes so far.
    turns: (usize, u32),
    until: Duration,
    deaf: Duration,
    stop: Option<Duration>,
}

impl Plain {
    /// One that has nothing to do.
    pub fn new(works: Shared) -> Self {
        Self {
            works,
            script: String::new(),
            steps: Vec::new(),
            at: 0,
            turns: (0, 0),
            until: Duration::ZERO,
            deaf: Duration::ZERO,
            stop: None,
        }
    }

    /// Line of the step that is next, for a traceback.
    fn interrupted(&self) -> String {
        let name = &self.script;
        format!(
            "Traceback (most recent call last):\n  File \"{name}\", line 1, in <module>\nKeyboardInterrupt: \n"
        )
    }

    /// What the one script that is known here would say.
    fn measured(&self, script: &str) -> Option<Vec<(Duration, String)>> {
        let works = self.works.inside();
        let scene = measuring::Scene {
            board: omv_boards::by_name(&works.facts.board)?,
            version: works.facts.version,
            read: &|path| works.disks.read(path).ok(),
            seed: 1,
        };
        measuring::answer(script, &scene)
    }

    fn raise(&mut self, text: String) -> Ran {
        self.works.inside().print(text.as_bytes());
        Ran::Ended(Outcome::Raised(text))
    }

    fn step(&mut self, now: Duration) -> Option<Ran> {
        let Some(step) = self.steps.get(self.at).cloned() else {
            return Some(Ran::Ended(Outcome::Done));
        };
        self.at += 1;
        match step {
            Step::Print(text) => self.works.inside().print(&text),
            Step::Wait(time) => self.until += time,
            Step::Deaf(time) => self.deaf = time,
            Step::Frame(size, format) => {
                let mut works = self.works.inside();
                let picture = works.capture(now, size, format);
                works.show(&picture);
                self.until += works.period(size);
            }
            Step::Loop => self.turns = (self.at, 0),
            Step::Repeat(count) => {
                self.turns.1 += 1;
                if count.is_none_or(|count| self.turns.1 < count) {
                    self.at = self.turns.0;
                    // A loop around nothing takes time, too.
                    self.until += Duration::from_micros(10);
                }
            }
            Step::Raise(line, text) => {
                let name = &self.script;
                let text = format!(
                    "Traceback (most recent call last):\n  File \"{name}\", line {line}, in <module>\n{text}\n"
                );
                return Some(self.raise(text));
            }
            Step::End(outcome) => return Some(Ran::Ended(outcome)),
            Step::Idle => {
                self.at -= 1;
                self.until = Duration::MAX;
            }
        }
        None
    }
}

impl Engine for Plain {
    fn start(&mut self, now: Duration, script: Script) {
        let text = String::from_utf8_lossy(&script.source);
        let lines = text.lines().enumerate();
        let mut steps: Vec<_> = lines
            .filter_map(|(line, text)| step(line + 1, text.trim().strip_prefix(LEAD)?.trim_start()))
            .collect();
        if let Some(lines) = self.measured(&text) {
            let lines = lines.into_iter();
            let said = |line: String| Step::Print(format!("{line}\n").into_bytes());
            steps = lines
                .flat_map(|(time, line)| [Step::Wait(time), said(line)])
                .collect();
        }
        if steps.is_empty() {
            steps = match script.name.as_str() {
                "main.py" => vec![Step::Idle],
                "boot.py" => Vec::new(),
                _ => vec![Step::Print(NOTE.into())],
            };
        }
        *self = Self {
            script: script.name,
            steps,
            until: now,
            ..Self::new(self.works.clone())
        };
    }

    fn run(&mut self, now: Duration) -> Ran {
        if self.stop == Some(Duration::MAX) {
            self.stop = Some(now + self.deaf);
        }
        if self.stop.is_some_and(|at| at <= now) {
            let text = self.interrupted();
            return self.raise(text);
        }
        for _ in 0..AT_ONCE {
            if self.until > now {
                break;
            }
            if let Some(ended) = self.step(now) {
                return ended;
            }
        }
        // Whatever is left to do at this moment is done in the next.
        let next = self.until.max(now + Duration::from_micros(1));
        Ran::Until(self.stop.map_or(next, |stop| next.min(stop)))
    }

    fn interrupt(&mut self) {
        self.stop.get_or_insert(Duration::MAX);
    }

    fn input(&mut self, _bytes: &[u8]) {}

    fn describe(&self) -> String {
        "no interpreter: only `# omv-sim:` comments of a script are carried out".to_owned()
    }
}

/// Reads one directive; one that makes no sense is an exception of the script.
fn step(line: usize, text: &str) -> Option<Step> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut words = rest.split_whitespace();
    let millis = || rest.trim().parse().ok().map(Duration::from_millis);
    let read = match verb {
        "print" => Some(Step::Print(format!("{rest}\n").into_bytes())),
        "write" => Some(Step::Print(unescaped(rest))),
        "wait" => millis().map(Step::Wait),
        "deaf" => millis().map(Step::Deaf),
        "loop" => Some(Step::Loop),
        "repeat" if rest.is_empty() => Some(Step::Repeat(None)),
        "repeat" => rest
            .trim()
            .parse()
            .ok()
            .map(|count| Step::Repeat(Some(count))),
        "raise" => Some(Step::Raise(line, rest.replacen(' ', ": ", 1))),
        "reset" => Some(Step::End(Outcome::Reset)),
        "bootloader" => Some(Step::End(Outcome::Bootloader)),
        "sleep" => Some(Step::End(Outcome::Sleep(millis()))),
        "frame" => {
            let mut number = |usual: usize| match words.next() {
                None => Some(usual),
                Some(word) => word.parse().ok().filter(|size| (16..=4096).contains(size)),
            };
            let size = number(320).zip(number(240));
            let format = words.next().unwrap_or("RGB565");
            let format = Format::NAMES.iter().find(|(name, _)| *name == format);
            size.zip(format)
                .map(|(size, (_, format))| Step::Frame(size, *format))
        }
        _ => None,
    };
    let wrong = || Step::Raise(line, format!("ValueError: no such directive: {text}"));
    Some(read.unwrap_or_else(wrong))
}

/// `\n`, `\r` and `\e` stand for what they mean.
fn unescaped(text: &str) -> Vec<u8> {
    let text = text.replace("\\n", "\n").replace("\\r", "\r");
    text.replace("\\e", "\x1b").into_bytes()
}
