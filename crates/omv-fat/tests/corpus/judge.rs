//! What others say about a disk: `fsck.fat`, `fsck.exfat`, and mtools for what is in the files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::healthy::{folder, run};
use crate::image::{Files, Form, Image};

/// What a checker says, without what it says about every healthy disk of the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said(pub BTreeSet<String>);

/// Writes a file without its zeros, which most of a disk is.
fn write(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    for (at, piece) in bytes.chunks(1 << 16).enumerate() {
        if piece.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((at << 16) as u64)).unwrap();
            file.write_all(piece).unwrap();
        }
    }
    file.set_len(bytes.len() as u64).unwrap();
}

/// Asks the checker for this file system about the volume.
pub fn fsck(image: &Image, name: &str) -> Said {
    let path = folder().join(format!("{name}.volume"));
    write(&path, image.volume());
    let file = path.to_str().unwrap();
    let tool = if image.form == Form::Exfat {
        "fsck.exfat"
    } else {
        "fsck.fat"
    };
    let (good, text) = run(tool, &["-n", file]);
    let _ = fs::remove_file(&path);
    let about = |line: &&str| {
        let version = line.starts_with("fsck.fat ") || line.starts_with("exfatprogs version");
        let tally =
            line.contains(" files, ") && line.contains("clusters") || line.contains(": clean.");
        let empty = line.trim().is_empty() || line.contains("Leaving filesystem unchanged");
        !version && !tally && !empty
    };
    let mut said: BTreeSet<String> = text
        .lines()
        .filter(about)
        .map(|line| line.trim().to_owned())
        .collect();
    if !good && said.is_empty() {
        said.insert("not clean".to_owned());
    }
    Said(said)
}

impl Said {
    /// What is not said about the healthy disk.
    pub fn beyond(&self, healthy: &Said) -> Vec<String> {
        self.0.difference(&healthy.0).cloned().collect()
    }
}

fn read_all(at: &Path, below: &str, files: &mut Files) {
    for entry in fs::read_dir(at).unwrap().flatten() {
        let path = format!("{below}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            read_all(&entry.path(), &path, files);
        } else {
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

/// All files, read by mtools. Names are compared without regard to case: mtools shows short ones
/// in its own way.
pub fn mtools(image: &Image, name: &str) -> Option<Files> {
    if image.form == Form::Exfat {
        return None;
    }
    let path = folder().join(format!("{name}.mtools"));
    let out = folder().join(format!("{name}.out"));
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).unwrap();
    write(&path, image.volume());
    let (file, to) = (path.to_str().unwrap(), out.to_str().unwrap());
    let (good, text) = run("mcopy", &["-s", "-n", "-Q", "-i", file, "::/*", to]);
    assert!(good, "{name}: mcopy: {text}");
    let mut files = Files::new();
    read_all(&out, "", &mut files);
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir_all(&out);
    Some(
        files
            .into_iter()
            .map(|(path, bytes)| (path.to_lowercase(), bytes))
            .collect(),
    )
}
