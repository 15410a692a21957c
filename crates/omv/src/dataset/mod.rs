//! Pictures for training, in folders as OpenMV IDE's dataset editor has them.
//!
//! ```text
//!   DIR/labels.txt                   one class a line, in the order of the folders
//!   DIR/dataset_capture_script.py    what the camera ran
//!   DIR/00001.ball.class/00001.jpg   pictures of a class
//!   DIR/captures.jsonl               ours: picture, time, camera and boxes, a line each
//! ```
//!
//! Source of the layout: openmv/qt-creator `src/plugins/openmv/openmvdataseteditor.cpp`.

pub mod export;
mod likeness;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omv_camera::{Frame, PixelFormat};
use serde::{Deserialize, Serialize};

use crate::fail::Fail;
use crate::shot::Shot;
pub use likeness::Likeness;

/// What a folder of a class ends with.
const CLASS: &str = ".class";
const LABELS: &str = "labels.txt";
const SCRIPT: &str = "dataset_capture_script.py";
const NOTES: &str = "captures.jsonl";
/// More pictures of a class than anybody takes.
const MOST: u32 = 99_999;
/// Features, of 256, that may differ in pictures that look alike, unless told otherwise.
pub const ALIKE: u32 = 3;

/// A thing in a picture, in pixels from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What is noted of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its path in the set, with `/`.
    pub picture: String,
    pub label: String,
    pub width: u32,
    pub height: u32,
    /// Seconds since 1970.
    pub time: u64,
    pub camera: String,
    /// None: the label is that of the whole picture.
    #[serde(default)]
    pub boxes: Vec<Area>,
}

/// A class of a set, open for more pictures.
pub struct Class {
    root: PathBuf,
    folder: String,
    label: String,
    next: u32,
    seen: Vec<(Likeness, String)>,
    /// Bits in which two pictures may differ and still be the same; none keeps every picture.
    alike: Option<u32>,
}

/// What came of a picture.
#[derive(Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there, under this path.
    Kept(String),
    /// It looks like this one.
    LikeOne(String),
}

/// The label in a folder's name: `00002.ball.class`.
fn label_of(folder: &str) -> Option<(u32, &str)> {
    let (number, label) = folder.strip_suffix(CLASS)?.split_once('.')?;
    Some((number.parse().ok()?, label))
}

/// Classes of a set in their order: number, label, folder.
pub fn classes(root: &Path) -> Result<Vec<(u32, String, String)>, Fail> {
    let entries = fs::read_dir(root).map_err(|error| Fail::file(root, "reading", error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<_> = names
        .filter_map(|name| {
            let (number, label) = label_of(&name)?;
            Some((number, label.to_owned(), name.clone()))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Pictures in the folder of a class, by name.
pub fn pictures(root: &Path, folder: &str) -> Result<Vec<String>, Fail> {
    let path = root.join(folder);
    let entries = fs::read_dir(&path).map_err(|error| Fail::file(&path, "reading", error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names
        .filter(|name| name.to_ascii_lowercase().ends_with(".jpg"))
        .collect();
    found.sort();
    Ok(found)
}

/// What is noted of the pictures of a set; lines that cannot be read are passed over.
pub fn notes(root: &Path) -> Vec<Note> {
    let text = fs::read_to_string(root.join(NOTES)).unwrap_or_default();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// A JPEG file as a picture.
pub fn load(path: &Path) -> Option<Shot> {
    let bytes = fs::read(path).ok()?;
    let (width, height) = omv_sim::scene::Photo::of(bytes.clone()).map(|p| (p.width, p.height))?;
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let frame = Frame::new(0, width, height, PixelFormat::Jpeg, bytes);
    Some(Shot::new(Arc::new(frame)))
}

/// Refuses what cannot be a label.
pub fn check_label(label: &str) -> Result<(), Fail> {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if (1..=64).contains(&label.len()) && label.chars().all(plain) {
        return Ok(());
    }
    Err(Fail::Usage {
        what: format!("`{label}` cannot be a label"),
        help: "Use letters, digits and _, at most 64 bytes: it becomes the name of a folder."
            .into(),
    })
}

impl Class {
    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Opens a class, and makes the set and the class if they are not there.
    pub fn open(root: &Path, label: &str, alike: Option<u32>, script: &[u8]) -> Result<Self, Fail> {
        check_label(label)?;
        let writing = |path: &Path| {
            let path = path.to_owned();
            move |error| Fail::file(&path, "writing", error)
        };
        fs::create_dir_all(root).map_err(writing(root))?;
        let there = classes(root)?;
        let own = there.iter().find(|(_, name, _)| name == label);
        let folder = match own {
            Some((_, _, folder)) => folder.clone(),
            None => {
                let number = there.last().map_or(0, |(number, ..)| *number) + 1;
                let folder = format!("{number:05}.{label}{CLASS}");
                let path = root.join(&folder);
                fs::create_dir(&path).map_err(writing(&path))?;
                let mut labels: Vec<&str> = there.iter().map(|(_, label, _)| &**label).collect();
                labels.push(label);
                let path = root.join(LABELS);
                fs::write(&path, format!("{}\n", labels.join("\n"))).map_err(writing(&path))?;
                folder
            }
        };
        let path = root.join(SCRIPT);
        if !path.exists() {
            fs::write(&path, script).map_err(writing(&path))?;
        }
        let mut class = Self {
            root: root.to_owned(),
            label: label.to_owned(),
            next: 1,
            seen: Vec::new(),
            alike,
            folder,
        };
        for name in pictures(root, &class.folder)? {
            let number: Option<u32> = name.split('.').next().and_then(|stem| stem.parse().ok());
            class.next = class.next.max(number.unwrap_or(0) + 1);
            let shot = load(&root.join(&class.folder).join(&name));
            if let Some(likeness) = shot
                .as_ref()
                .and_then(Likeness::of)
                .filter(|_| alike.is_some())
            {
                class
                    .seen
                    .push((likeness, format!("{}/{name}", class.folder)));
            }
        }
        Ok(class)
    }

    /// Adds a picture, unless one that looks like it is there. A picture that does not decode is
    /// none.
    pub fn add(
        &mut self,
        shot: &Shot,
        time: u64,
        camera: &str,
        boxes: Vec<Area>,
    ) -> Result<Option<Added>, Fail> {
        let (Some(jpeg), Some(likeness)) = (shot.jpeg(), Likeness::of(shot)) else {
            return Ok(None);
        };
        if let Some(alike) = self.alike {
            let like = self.seen.iter();
            let same = like.filter(|(other, _)| likeness.distance(other) <= alike);
            if let Some((_, path)) = same.min_by_key(|(other, _)| likeness.distance(other)) {
                return Ok(Some(Added::LikeOne(path.clone())));
            }
        }
        if self.next > MOST {
            return Err(Fail::Usage {
                what: format!("{} is full", self.folder),
                help: "Begin another set.".into(),
            });
        }
        let picture = format!("{}/{:05}.jpg", self.folder, self.next);
        let path = self.root.join(&picture);
        let failed = |error| Fail::file(&path, "writing", error);
        // A file that appeared meanwhile is never overwritten.
        let mut file = fs::File::create_new(&path).map_err(failed)?;
        file.write_all(jpeg).map_err(failed)?;
        let note = Note {
            picture: picture.clone(),
            label: self.label.clone(),
            width: shot.width,
            height: shot.height,
            time,
            camera: camera.to_owned(),
            boxes,
        };
        let line = serde_json::to_string(&note).unwrap_or_default();
        let path = self.root.join(NOTES);
        let failed = |error| Fail::file(&path, "writing", error);
        let mut notes = fs::OpenOptions::new();
        let mut notes = notes
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        writeln!(notes, "{line}").map_err(failed)?;
        self.next += 1;
        self.seen.push((likeness, picture.clone()));
        Ok(Some(Added::Kept(picture)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A picture with one bright spot.
    pub fn spot(at: u32) -> Shot {
        let (width, height) = (64, 48);
        let mut data = vec![40; (width * height) as usize];
        for y in 8..24 {
            for x in at..at + 12 {
                data[(y * width + x) as usize] = 220;
            }
        }
        let frame = Frame::new(1, width, height, PixelFormat::Grayscale, data);
        Shot::new(Arc::new(frame))
    }

    fn kept(class: &mut Class, shot: &Shot) -> Added {
        class
            .add(shot, 0, "camera", Vec::new())
            .unwrap()
            .expect("a picture")
    }

    #[test]
    fn pictures_lie_where_the_ide_looks_for_them_and_are_counted_on() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        let mut ball = Class::open(&root, "ball", Some(3), b"# script\n").unwrap();
        assert_eq!(
            kept(&mut ball, &spot(4)),
            Added::Kept("00001.ball.class/00001.jpg".into())
        );
        let mut figure = Class::open(&root, "figure", Some(3), b"").unwrap();
        kept(&mut figure, &spot(4));
        let mut again = Class::open(&root, "ball", Some(3), b"# other\n").unwrap();
        assert_eq!(
            kept(&mut again, &spot(44)),
            Added::Kept("00001.ball.class/00002.jpg".into())
        );
        assert_eq!(
            fs::read_to_string(root.join(LABELS)).unwrap(),
            "ball\nfigure\n"
        );
        assert_eq!(fs::read_to_string(root.join(SCRIPT)).unwrap(), "# script\n");
        assert_eq!(notes(&root).len(), 3);
        for label in ["", "a b", "../x", "a.b"] {
            assert!(Class::open(&root, label, None, b"").is_err(), "{label}");
        }
    }

    #[test]
    fn a_picture_that_looks_like_another_of_its_class_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut class = Class::open(folder.path(), "ball", Some(3), b"").unwrap();
        kept(&mut class, &spot(4));
        let first = Added::LikeOne("00001.ball.class/00001.jpg".into());
        assert_eq!(kept(&mut class, &spot(4)), first);
        assert!(matches!(kept(&mut class, &spot(40)), Added::Kept(_)));
        // Also in another run, out of the files themselves.
        let mut again = Class::open(folder.path(), "ball", Some(3), b"").unwrap();
        assert_eq!(kept(&mut again, &spot(4)), first);
        let mut all = Class::open(folder.path(), "ball", None, b"").unwrap();
        assert!(matches!(kept(&mut all, &spot(4)), Added::Kept(_)));
    }
}
