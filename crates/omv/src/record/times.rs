//! When each picture was taken, as a table beside a film: `out.avi.csv`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::shot::Shot;

/// What the columns are.
const HEAD: &[u8] = b"frame,seconds,camera_frame,width,height,bytes\n";

/// Writes the table, a line a picture, each at once. An older one stays until the first.
pub struct Times {
    file: File,
    path: PathBuf,
    /// Whether there was none.
    new: bool,
    begun: bool,
}

impl Times {
    /// Opens a table.
    ///
    /// # Errors
    /// Those of creating the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let new = !path.exists();
        let mut options = File::options();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            new,
            begun: false,
        })
    }

    /// Takes an empty table away.
    pub fn finish(self) {
        if self.new && !self.begun {
            let _ = fs::remove_file(self.path);
        }
    }

    /// Adds the picture that is number `frame` of the film, taken so long after the first.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, frame: u64, seconds: f64, shot: &Shot, bytes: usize) -> io::Result<()> {
        let (number, width, height) = (shot.number, shot.width, shot.height);
        if !self.begun {
            self.file.set_len(0)?;
            self.file.write_all(HEAD)?;
            self.begun = true;
        }
        let line = format!("{frame},{seconds:.6},{number},{width},{height},{bytes}\n");
        self.file.write_all(line.as_bytes())
    }
}
