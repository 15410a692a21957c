//! Pictures for training, kept when the page or another program asks for one.
//!
//! ```text
//!   POST /api/capture, a label --> the camera's next picture --> FOLDER/00001.LABEL.class/00007.jpg
//! ```
//!
//! The folder was named on the command line; whoever asks gives a label and nothing else, and that is
//! held to what `omv capture` takes. Folders, names and look-alikes are that command's.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omv_camera::Error;
use omv_camera::session::Session;
use serde_json::{Value, json};

use crate::cmd::seeing::PICTURES;
use crate::dataset::{ALIKE, Added, Class, check_label, classes};
use crate::fail::Fail;
use crate::shot::Shot;

/// How long the next picture is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pictures that arrive broken, in a row, before that is said.
const BROKEN: usize = 3;

/// A set of pictures that the page adds to.
pub struct Capture {
    folder: PathBuf,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// The class of the last picture: its look-alikes are found without reading them all again.
    class: Option<Class>,
    /// What the camera was last sent from here.
    script: Option<Vec<u8>>,
}

impl Capture {
    /// In a folder, which is made with the first picture.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            open: Mutex::default(),
        }
    }

    /// Remembers what the camera runs: a set keeps the script it was begun with.
    pub fn runs(&self, script: &[u8]) {
        self.open().script = Some(script.to_vec());
    }

    /// Where pictures go, and which classes there are.
    pub fn about(&self) -> Value {
        let there = classes(&self.folder).unwrap_or_default();
        let labels: Vec<&str> = there.iter().map(|(_, label, _)| &**label).collect();
        json!({ "folder": self.folder.display().to_string(), "labels": labels })
    }

    /// Keeps the camera's next picture.
    ///
    /// # Errors
    /// For what cannot be a label, before anything is waited for; when no picture comes; those of
    /// writing.
    pub fn keep(&self, session: &Session, label: &str) -> Result<Value, Fail> {
        let label = label.trim();
        check_label(label)?;
        let camera = session.info().serial.unwrap_or_default();
        for _ in 0..BROKEN {
            let frame = session.frame(PATIENCE)?;
            let time = frame.time;
            if let Some(added) = self.add(&Shot::new(frame), time, &camera, label)? {
                let (kept, like) = match added {
                    Added::Kept(path) => (Some(path), None),
                    Added::LikeOne(path) => (None, Some(path)),
                };
                return Ok(json!({ "label": label, "kept": kept, "like": like }));
            }
        }
        let seconds = PATIENCE.as_secs_f32();
        Err(Fail::Camera(Error::NoFrame { seconds }))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(
        &self,
        shot: &Shot,
        time: SystemTime,
        camera: &str,
        label: &str,
    ) -> Result<Option<Added>, Fail> {
        let mut open = self.open();
        // Taken out: after an error the folder is looked at anew.
        let class = open.class.take().filter(|class| class.label() == label);
        let mut class = match class {
            Some(class) => class,
            None => {
                let script = open.script.as_deref().unwrap_or(PICTURES);
                Class::open(&self.folder, label, Some(ALIKE), script)?
            }
        };
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let added = class.add(shot, time.as_secs(), camera, Vec::new())?;
        open.class = Some(class);
        Ok(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::tests::spot;

    fn add(capture: &Capture, at: u32, label: &str) -> Result<Option<Added>, Fail> {
        capture.add(&spot(at), UNIX_EPOCH, "camera", label)
    }

    #[test]
    fn pictures_go_where_omv_capture_puts_them_and_look_alikes_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::new(&folder.path().join("set"));
        assert_eq!(capture.about()["labels"], json!([]));
        capture.runs(b"# mine\n");
        let first = Added::Kept("00001.ball.class/00001.jpg".into());
        assert_eq!(add(&capture, 4, "ball").unwrap(), Some(first));
        let like = Added::LikeOne("00001.ball.class/00001.jpg".into());
        assert_eq!(add(&capture, 4, "ball").unwrap(), Some(like));
        let other = Added::Kept("00002.figure.class/00001.jpg".into());
        assert_eq!(add(&capture, 4, "figure").unwrap(), Some(other));
        let second = Added::Kept("00001.ball.class/00002.jpg".into());
        assert_eq!(add(&capture, 44, "ball").unwrap(), Some(second));
        assert_eq!(capture.about()["labels"], json!(["ball", "figure"]));
        let script = folder.path().join("set/dataset_capture_script.py");
        assert_eq!(std::fs::read(script).unwrap(), b"# mine\n");
    }

    #[test]
    fn a_picture_that_somebody_else_put_there_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::new(folder.path());
        add(&capture, 4, "ball").unwrap();
        let theirs = folder.path().join("00001.ball.class/00002.jpg");
        std::fs::write(&theirs, b"theirs").unwrap();
        assert_eq!(add(&capture, 44, "ball").unwrap_err().code(), "file");
        let next = Added::Kept("00001.ball.class/00003.jpg".into());
        assert_eq!(add(&capture, 44, "ball").unwrap(), Some(next));
        assert_eq!(std::fs::read(theirs).unwrap(), b"theirs");
    }

    #[test]
    fn a_label_is_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        let capture = Capture::new(&root);
        for label in [
            "",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc",
            "a.b",
            "a b",
            "a\n",
            "\u{1b}[31m",
            &"x".repeat(65),
        ] {
            assert_eq!(
                add(&capture, 4, label).unwrap_err().code(),
                "usage",
                "{label:?}"
            );
        }
        assert!(!root.exists());
    }
}
