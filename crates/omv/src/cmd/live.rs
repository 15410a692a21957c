//! What the commands for a running camera share: the open camera, and its text on the terminal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use omv_camera::session::{MAX_SCRIPT, Notice, Options, Session};
use serde_json::json;

use crate::bench::Bench;
use crate::cli::Common;
use crate::fail::Fail;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// A camera that runs and is held open.
pub struct Live {
    /// The buses; kept because it owns a camera inside this process.
    pub bench: Bench,
    /// The camera.
    pub session: Session,
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
        Ok(Self { bench, session })
    }

    /// Ends the session.
    ///
    /// # Errors
    /// Those of keeping what should be kept.
    pub fn close(self) -> Result<(), Fail> {
        self.session.close();
        self.bench.keep()
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
