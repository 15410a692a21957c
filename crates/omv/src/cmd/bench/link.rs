//! `omv bench link`: what the way between camera and computer carries, whatever the camera computes.
//!
//! Three things are timed by the link's own clock: a small question and its answer, text that a
//! script prints as fast as it can, and pictures. Text that overran the camera's ring is counted as
//! lost, not as carried.

use std::time::Duration;

use omv_bench::Summary;
use omv_camera::Error;
use omv_camera::session::{Appetite, Ended, Frames, Limits, Notice, Options, Preview, Session};
use serde_json::{Value, json};

use crate::bench::Bench as Buses;
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// Questions that are asked.
const QUESTIONS: usize = 50;
/// How long pictures are watched.
const WATCHED: Duration = Duration::from_secs(3);
/// Lines of 64 bytes that are printed.
const LINES: usize = 1024;
const TEXT: &str = "\
# omv-sim: loop
# omv-sim: print 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd
# omv-sim: repeat 1024
line = '0123456789abcdef' * 3 + '0123456789abcd'
for n in range(1024):
    print(line)
";
const PICTURES: &str = "\
# omv-sim: loop
# omv-sim: frame 320 240 RGB565
# omv-sim: repeat
try:
    import csi
except ImportError:
    csi = None
if hasattr(csi, 'CSI'):
    camera = csi.CSI()
    camera.reset()
    camera.pixformat(csi.RGB565)
    camera.framesize(csi.QVGA)
else:
    import sensor as camera
    camera.reset()
    camera.set_pixformat(camera.RGB565)
    camera.set_framesize(camera.QVGA)
while True:
    camera.snapshot()
";

/// What was carried in a time.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    count: u64,
    bytes: u64,
    seconds: f64,
    lost: u64,
}

impl Carried {
    fn rate(self) -> f64 {
        self.bytes as f64 / self.seconds.max(1e-6)
    }

    fn json(self, what: &str) -> Value {
        json!({
            "what": what, "count": self.count, "bytes": self.bytes, "seconds": self.seconds,
            "lost": self.lost, "bytes_per_second": self.rate(),
        })
    }
}

/// Runs the command.
pub fn run(common: &Common, output: &Output) -> Result<(), Fail> {
    let buses = Buses::new(common, "omv bench link", stop_on_interrupt())?;
    let looked = buses.camera(None, Duration::ZERO, &mut |_| {})?;
    let simulated = looked.found.seen.simulated;
    let session = Session::open(&looked, Options::default())?;
    let asked = questions(&session)?;
    let mut carried = vec![("text", text(&session)?)];
    for (what, preview) in [
        ("jpeg", Preview::Jpeg),
        (
            "raw",
            Preview::Raw {
                width: 320,
                height: 240,
            },
        ),
    ] {
        carried.extend(pictures(&session, preview)?.map(|carried| (what, carried)));
    }
    let firmware = session.info().firmware();
    session.close();
    buses.keep()?;
    if output.json {
        let asked = asked.map(|s| json!({ "count": s.count, "min_us": s.min, "p50_us": s.p50, "p95_us": s.p95, "max_us": s.max }));
        let carried: Vec<Value> = carried.iter().map(|(what, c)| c.json(what)).collect();
        return output.result(json!({
            "simulated": simulated, "camera": looked.found.label(), "firmware": firmware,
            "question": asked, "carried": carried,
        }));
    }
    let mark = if simulated { "  (simulated)" } else { "" };
    output.line(&clean(&format!(
        "{} with firmware {firmware}{mark}",
        looked.board.title
    )))?;
    if let Some(s) = asked {
        output.line(&format!(
            "question   {:.3} ms, 95 of 100 within {:.3} ms",
            s.p50 / 1e3,
            s.p95 / 1e3
        ))?;
    }
    for (what, c) in carried {
        let mut line = format!(
            "{what:<10} {:.1} KiB/s: {} in {:.2} s",
            c.rate() / 1024.0,
            c.count,
            c.seconds
        );
        if c.lost > 0 {
            line.push_str(&format!("; {} bytes lost on the way", c.lost));
        }
        output.line(&line)?;
    }
    Ok(())
}

/// Times of a small question; none where the protocol has no small one.
fn questions(session: &Session) -> Result<Option<Summary>, Fail> {
    let mut times = Vec::new();
    for _ in 0..QUESTIONS {
        let before = session.now();
        match session.memory() {
            Ok(_) => {}
            Err(Error::NotInFirmware { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        times.push(session.now().saturating_sub(before).as_secs_f64() * 1e6);
    }
    // On a virtual link they take no time, which is no number to show.
    Ok(Summary::of(&times).filter(|summary| summary.max > 0.0))
}

fn text(session: &Session) -> Result<Carried, Fail> {
    let before = session.now();
    let limits = Limits::default().text(4 << 20);
    let said = session.execute(TEXT.as_bytes(), &limits)?;
    if let Ended::Raised(traceback) = &said.ended {
        let what = format!("{}: {}", traceback.kind, traceback.message);
        return Err(Fail::Raised { what });
    }
    let seconds = session.now().saturating_sub(before).as_secs_f64();
    let whole = said.text_lossy();
    let lines = whole.lines().filter(|line| line.len() == 62).count();
    // A line and its two ends.
    let sent = LINES * 64;
    Ok(Carried {
        count: lines as u64,
        bytes: said.text.len() as u64,
        seconds,
        lost: sent.saturating_sub(said.text.len()) as u64,
    })
}

/// Pictures in one form; none where the firmware cannot send it.
fn pictures(session: &Session, preview: Preview) -> Result<Option<Carried>, Fail> {
    match session.preview(preview) {
        Err(Error::NotInFirmware { .. }) => return Ok(None),
        other => other?,
    }
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 64 << 20 },
        text: 0,
    });
    session.run(PICTURES.as_bytes())?;
    let mut carried = Carried::default();
    let mut begun: Option<Duration> = None;
    let mut patience = session.now() + Duration::from_secs(10);
    while session.now() < patience {
        let left = patience.saturating_sub(session.now());
        match watch.next(left) {
            Some(Notice::Frame(frame)) => match begun {
                // The first only starts the clock.
                None => {
                    begun = Some(frame.at);
                    patience = frame.at + WATCHED;
                }
                Some(start) => {
                    carried.count += 1;
                    carried.bytes += frame.data.len() as u64;
                    carried.seconds = frame.at.saturating_sub(start).as_secs_f64();
                }
            },
            Some(Notice::Ended(_) | Notice::Closed | Notice::Lost) | None => break,
            Some(_) => {}
        }
    }
    session.stop()?;
    session.preview(Preview::Off)?;
    Ok((carried.count > 0).then_some(carried))
}
