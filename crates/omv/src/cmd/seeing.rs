//! A camera that is opened to see pictures: one that shows none is given a script that does.
//!
//! ```text
//!   --script     listen --> run it --> its pictures | it ended, raised, or was silent: what it said
//!   none         does it show pictures? --> theirs | run `pictures.py` --> its pictures
//! ```

use std::path::Path;
use std::time::Duration;

use omv_camera::Error;
use omv_camera::session::{Appetite, Ended, Notice, Options, Preview, Watch};
use serde_json::json;

use super::live::{Live, read_script, remark};
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::Output;
use crate::text::Cleaner;

/// A script that does nothing but take pictures, for a camera that is idle.
pub const PICTURES: &[u8] = include_bytes!("pictures.py");
/// How long a camera may take to show its first picture.
pub const FIRST: Duration = Duration::from_secs(10);
/// How long to wait for a picture before a camera without a script is given one.
const IDLE: Duration = Duration::from_millis(700);
/// How much longer where one runs.
const BUSY: Duration = Duration::from_secs(4);
/// How long the last picture of a script that ended may be on its way.
const LATE: Duration = Duration::from_millis(500);
/// The most of a script's text that is kept for telling why there is no picture.
const SAID: usize = 1 << 16;

/// A script from here.
pub struct Script {
    /// Its name in tracebacks.
    name: String,
    /// Its text.
    pub bytes: Vec<u8>,
}

impl Script {
    /// Reads the file of one, if there is one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(path: Option<&Path>) -> Result<Option<Self>, Fail> {
        let read = |path: &Path| {
            Ok(Self {
                name: path.display().to_string(),
                bytes: read_script(path)?,
            })
        };
        path.map(read).transpose()
    }
}

/// A camera that is looked at.
pub struct Seeing {
    /// The camera.
    pub live: Live,
    watch: Watch,
    /// Whether the script that runs is from here.
    ours: bool,
    /// The person's script, as long as it has shown nothing.
    unseen: Option<Unseen>,
    /// A notice that comes behind the one that was given.
    behind: Option<Notice>,
    /// What is to be said of the script at the end.
    tell: Option<String>,
}

/// A script that has shown nothing so far.
struct Unseen {
    started: bool,
    cleaner: Cleaner,
    said: String,
}

impl Unseen {
    /// Why it shows nothing is at the end of what it says.
    fn hear(&mut self, bytes: &[u8]) {
        self.said.push_str(&self.cleaner.push(bytes));
        let over = self.said.len().saturating_sub(SAID);
        let cut = (over..).find(|at| self.said.is_char_boundary(*at));
        self.said.drain(..cut.unwrap_or_default());
    }
}

impl Seeing {
    /// Opens the one camera that is meant, and runs the script, if there is one. A camera on which no
    /// script runs gets one that takes pictures, and so does one whose script takes none: as a new
    /// one's, which only blinks.
    ///
    /// # Errors
    /// Those of finding and opening it, and of running the script.
    pub fn open(
        common: &Common,
        who: &str,
        script: Option<&Script>,
        appetite: Appetite,
        output: &Output,
    ) -> Result<Self, Fail> {
        let mut seeing = Self::of(Live::open(common, who, options())?, appetite);
        if let Some(script) = script {
            seeing.ours = true;
            seeing.unseen = Some(Unseen {
                started: false,
                cleaner: Cleaner::of_script(&script.name, 0),
                said: String::new(),
            });
            seeing.live.session.run(&script.bytes)?;
        } else if !seeing.shows_pictures(output) {
            if seeing.live.bench.stop.asked() {
                return Err(seeing.nothing());
            }
            let live = &seeing.live;
            if live.session.is_running() && !live.bench.is_inside() {
                let text = "the camera's script showed no picture and was stopped; `omv reset` starts it again";
                match output.json {
                    true => output.object(&json!({ "event": "replaced" }))?,
                    false => remark(output, text),
                }
            }
            seeing.ours = true;
            seeing.live.session.run(PICTURES)?;
        }
        Ok(seeing)
    }

    /// Opens it to see what runs there, whatever it shows.
    ///
    /// # Errors
    /// Those of finding and opening it.
    pub fn as_it_is(common: &Common, who: &str, appetite: Appetite) -> Result<Self, Fail> {
        Ok(Self::of(Live::open(common, who, options())?, appetite))
    }

    /// Listens before anything runs: a script may be over after one picture.
    fn of(live: Live, appetite: Appetite) -> Self {
        Self {
            watch: live.session.watch_with(appetite),
            live,
            ours: false,
            unseen: None,
            behind: None,
            tell: None,
        }
    }

    /// Whether pictures come by themselves. What runs is given more time for its first one.
    fn shows_pictures(&self, output: &Output) -> bool {
        let session = &self.live.session;
        let comes = |limit| session.frame(limit).is_ok();
        if comes(IDLE) {
            return true;
        }
        if session.is_running() && output.is_live() && !self.live.bench.is_inside() {
            remark(output, "a script runs; waiting for its first picture");
        }
        session.is_running() && comes(BUSY)
    }

    /// The next notice of this script, if one comes within `limit`.
    ///
    /// # Errors
    /// When the person's script is over before its first picture.
    pub fn next(&mut self, limit: Duration) -> Result<Option<Notice>, Fail> {
        if let Some(notice) = self.behind.take() {
            return Ok(Some(notice));
        }
        let notice = self.watch.next(limit);
        let Some(unseen) = &mut self.unseen else {
            return Ok(notice);
        };
        match &notice {
            Some(Notice::Started) => unseen.started = true,
            // Of what ran before.
            Some(Notice::Frame(_) | Notice::Text(_) | Notice::Ended(_)) if !unseen.started => {
                return Ok(None);
            }
            Some(Notice::Frame(_)) => self.unseen = None,
            Some(Notice::Text(bytes)) => unseen.hear(bytes),
            Some(Notice::Ended(ended)) if *ended != Ended::Lost => {
                let ended = ended.clone();
                let Some(frame) = self.late_frame() else {
                    return Err(self.ended(ended));
                };
                self.behind = notice;
                return Ok(Some(frame));
            }
            _ => {}
        }
        Ok(notice)
    }

    fn late_frame(&mut self) -> Option<Notice> {
        // Whatever else the camera goes on to say does not make it longer.
        let until = self.live.session.now() + LATE;
        while let Some(notice) = self
            .watch
            .next(until.saturating_sub(self.live.session.now()))
        {
            if matches!(notice, Notice::Frame(_)) {
                self.unseen = None;
                return Some(notice);
            }
        }
        None
    }

    /// Everything this consumer did not get because it was too slow.
    pub fn dropped(&self) -> u64 {
        self.watch.dropped().frames
    }

    fn ended(&mut self, ended: Ended) -> Fail {
        self.tell_what_it_said();
        match ended {
            Ended::Raised(traceback) => Fail::raised(&traceback),
            _ => Fail::Unseen { seconds: None },
        }
    }

    /// What it is that no picture came within [`FIRST`], or until somebody had enough of waiting.
    pub fn nothing(&mut self) -> Fail {
        if self.live.bench.stop.asked() {
            return Fail::Camera(Error::Stopped {
                doing: "waiting for a picture".into(),
                state: "nothing was written".into(),
            });
        }
        let seconds = FIRST.as_secs_f32();
        if self.unseen.is_none() {
            return Fail::Camera(Error::NoFrame { seconds });
        }
        self.tell_what_it_said();
        Fail::Unseen {
            seconds: Some(seconds),
        }
    }

    fn tell_what_it_said(&mut self) {
        self.tell = self.unseen.take().map(|mut unseen| {
            unseen.said.push_str(&unseen.cleaner.finish());
            if !unseen.said.is_empty() && !unseen.said.ends_with('\n') {
                unseen.said.push('\n');
            }
            unseen.said
        });
    }

    /// Leaves the camera as it was found: a script that was started to see something is stopped. Tells
    /// what a script said that showed nothing.
    ///
    /// # Errors
    /// Those of talking to the camera, and of keeping what should be kept.
    pub fn close(self, output: &Output) -> Result<(), Fail> {
        let session = &self.live.session;
        let stopped = match self.ours && session.is_running() {
            true => session.stop(),
            false => Ok(()),
        };
        self.live.close()?;
        if let Some(said) = self.tell.filter(|said| !said.is_empty()) {
            match output.json {
                true => output.object(&json!({ "event": "text", "text": said }))?,
                false => eprint!("{said}"),
            }
        }
        Ok(stopped?)
    }
}

fn options() -> Options {
    Options::default().preview(Preview::Jpeg)
}
