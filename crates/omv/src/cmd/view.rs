//! `omv view`: the picture in the terminal.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use omv_camera::session::{Appetite, Notice};

use super::seeing::{Script, Seeing};
use crate::cli::{Common, View};
use crate::fail::Fail;
use crate::output::{Output, size};
use crate::picture::{Keys, Terminal, draw};
use crate::shot::Shot;

const LOOK: Duration = Duration::from_millis(50);
/// Over how long frames a second are counted.
const SPAN: Duration = Duration::from_secs(1);
/// Keys that leave: q, escape, Ctrl-C, Ctrl-D.
const LEAVE: [u8; 4] = [b'q', 0x1B, 3, 4];

/// What the last second was like.
struct Pace {
    since: Instant,
    shown: u32,
    arrived: u64,
    first: u64,
    line: String,
}

/// Runs the command.
pub fn run(common: &Common, args: &View, output: &Output) -> Result<(), Fail> {
    let none = || Fail::Usage {
        what: "`omv view` draws into a terminal, and this is none".into(),
        help: "Use `omv snap`, `omv record` or `omv serve`.".into(),
    };
    // Before the camera is touched.
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return Err(none());
    }
    let script = Script::read(args.script.as_deref())?;
    let appetite = Appetite::default();
    let mut seeing = Seeing::open(common, "omv view", script.as_ref(), appetite, output)?;
    let opened = Terminal::open(args.way).map_err(|_| none());
    let shown = opened.and_then(|(terminal, keys)| {
        let done = show(&mut seeing, &terminal, &keys);
        drop(terminal);
        done
    });
    let closed = seeing.close(output);
    let dropped = shown?;
    closed?;
    if dropped > 0 && !output.json {
        eprintln!("{dropped} pictures came faster than the terminal draws.");
    }
    Ok(())
}

fn show(seeing: &mut Seeing, terminal: &Terminal, keys: &Keys) -> Result<u64, Fail> {
    let mut pace = Pace {
        since: Instant::now(),
        shown: 0,
        arrived: 0,
        first: 0,
        line: String::new(),
    };
    let mut out = io::stdout();
    let mut state = "waiting for a picture; `q` leaves".to_owned();
    let clock = seeing.live.bench.pace();
    loop {
        clock.keep();
        if seeing.live.bench.stop.asked() || keys.pressed().is_some_and(|key| LEAVE.contains(&key))
        {
            return Ok(seeing.dropped());
        }
        let done = match seeing.next(LOOK)? {
            Some(Notice::Frame(frame)) => {
                let bytes = frame.data.len();
                let shot = Shot::new(frame);
                let Some(rgb) = shot.rgb() else { continue };
                pace.count(shot.number);
                state.clear();
                let (width, height) = (shot.width, shot.height);
                let status = format!(
                    " {width} x {height}  {}  {}  {} dropped  q leaves",
                    size(bytes as u64),
                    pace.line,
                    seeing.dropped()
                );
                draw(&mut out, terminal, rgb, (width, height), &status)
            }
            Some(Notice::Lost) => {
                state = "the camera left; waiting for it".into();
                draw(&mut out, terminal, &[], (0, 0), &state)
            }
            Some(Notice::Closed) => return Ok(seeing.dropped()),
            None if !state.is_empty() => draw(&mut out, terminal, &[], (0, 0), &state),
            _ => Ok(()),
        };
        done.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
            _ => Fail::file("the terminal".as_ref(), "writing", error),
        })?;
    }
}

impl Pace {
    fn count(&mut self, number: u64) {
        if self.first == 0 {
            self.first = number;
        }
        self.shown += 1;
        self.arrived = number.saturating_sub(self.first);
        let span = self.since.elapsed();
        if span >= SPAN {
            let camera = self.arrived as f64 / span.as_secs_f64();
            let screen = f64::from(self.shown) / span.as_secs_f64();
            self.line = format!("{camera:.1} fps, {screen:.1} shown");
            *self = Self {
                since: Instant::now(),
                shown: 0,
                arrived: 0,
                first: number,
                line: std::mem::take(&mut self.line),
            };
        }
    }
}
