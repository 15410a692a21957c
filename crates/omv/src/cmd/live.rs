//! What the commands for a running camera share: the open camera, its text on the terminal, and
//! pictures from a camera that takes none by itself.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use omv_camera::session::{MAX_SCRIPT, Notice, Options, Preview, Session};
use serde_json::json;

use crate::bench::Bench;
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// A script that does nothing but take pictures, for a camera that is idle.
pub const PICTURES: &[u8] = include_bytes!("pictures.py");
/// How long a camera may take to show its first picture.
pub const FIRST: Duration = Duration::from_secs(10);
/// How long to wait for a picture before a camera without a script is given one.
const IDLE: Duration = Duration::from_millis(700);
/// How much longer where one runs.
const BUSY: Duration = Duration::from_secs(4);

/// A camera that runs and is held open.
pub struct Live {
    /// The buses; kept because it owns a camera inside this process.
    pub bench: Bench,
    /// The camera.
    pub session: Session,
    /// Whether the script that runs is the one from here.
    ours: bool,
}

impl Live {
    /// Opens the one camera that is meant.
    ///
    /// # Errors
    /// Those of finding and opening it.
    pub fn open(common: &Common, who: &str, options: Options) -> Result<Self, Fail> {
        let bench = Bench::new(common, who, stop_on_interrupt())?;
        let looked = bench.running(None, true)?;
        let session = Session::open(&looked, options)?;
        Ok(Self {
            bench,
            session,
            ours: false,
        })
    }

    /// Opens it to see pictures. A camera on which no script runs gets one that takes pictures, and
    /// so does one whose script takes none: as a new one's, which only blinks.
    ///
    /// # Errors
    /// Those of finding and opening it.
    pub fn seeing(
        common: &Common,
        who: &str,
        script: Option<&[u8]>,
        output: &Output,
    ) -> Result<Self, Fail> {
        let mut live = Self::open(common, who, Options::default().preview(Preview::Jpeg))?;
        if let Some(script) = script {
            live.session.run(script)?;
            live.ours = true;
        } else if !live.shows_pictures() {
            if live.session.is_running() && !live.bench.is_inside() {
                let text = "the camera's script showed no picture and was stopped; `omv reset` starts it again";
                match output.json {
                    true => output.object(&json!({ "event": "replaced" }))?,
                    false => remark(output, text),
                }
            }
            live.session.run(PICTURES)?;
            live.ours = true;
        }
        Ok(live)
    }

    /// Whether pictures come by themselves. What runs is given more time for its first one.
    fn shows_pictures(&self) -> bool {
        let comes = |limit| self.session.frame(limit).is_ok();
        comes(IDLE) || self.session.is_running() && comes(BUSY)
    }

    /// Leaves the camera as it was found: a script that was started to see something is stopped.
    ///
    /// # Errors
    /// Those of talking to the camera, and of keeping what should be kept.
    pub fn close(self) -> Result<(), Fail> {
        let stopped = match self.ours && self.session.is_running() {
            true => self.session.stop(),
            false => Ok(()),
        };
        self.session.close();
        self.bench.keep()?;
        Ok(stopped?)
    }
}

/// Reads a script file; whether it is one is the session's question.
///
/// # Errors
/// Those of reading.
pub fn read_script(path: &Path) -> Result<Vec<u8>, Fail> {
    // One byte more than may be, so that more is seen.
    let limit = MAX_SCRIPT as u64 + 1;
    let mut bytes = Vec::new();
    let done = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    done.map_err(|error| Fail::file(path, "reading", error))?;
    Ok(bytes)
}

/// Writes text to stdout at once.
///
/// # Errors
/// When nobody reads it any more.
pub fn print(text: &str) -> Result<(), Fail> {
    let mut out = io::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
        _ => Fail::file(Path::new("standard output"), "writing", error),
    })
}

/// A remark beside the text of a script.
pub fn remark(output: &Output, text: &str) {
    eprintln!("{}", output.paint("2", &format!("[{text}]")));
}

/// Tells about what happens beside text and pictures.
///
/// # Errors
/// When nobody reads it any more.
pub fn aside(output: &Output, notice: &Notice) -> Result<(), Fail> {
    let (name, text) = match notice {
        Notice::Lost => ("lost", "the camera left; waiting for it".to_owned()),
        Notice::Connected => ("connected", "the camera is back".to_owned()),
        Notice::FrameTooLarge => (
            "frame-too-large",
            "a picture was too large for the camera's buffer".to_owned(),
        ),
        Notice::Dropped(dropped) if dropped.text_bytes > 0 => {
            let bytes = dropped.text_bytes;
            if output.json {
                return output.object(&json!({ "event": "dropped", "text_bytes": bytes }));
            }
            (
                "dropped",
                format!("{bytes} bytes of text came faster than they could be shown"),
            )
        }
        _ => return Ok(()),
    };
    if output.json {
        return output.object(&json!({ "event": name }));
    }
    remark(output, &text);
    Ok(())
}
