//! When each picture was taken, as a table beside a film: `out.avi.csv`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::shot::Shot;

/// Writes the table, a line a picture, each at once.
pub struct Times {
    file: File,
}

impl Times {
    /// Starts a table.
    ///
    /// # Errors
    /// Those of creating the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(b"frame,seconds,camera_frame,width,height,bytes\n")?;
        Ok(Self { file })
    }

    /// Adds the picture that is number `frame` of the film, taken so long after the first.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, frame: u64, seconds: f64, shot: &Shot, bytes: usize) -> io::Result<()> {
        let (number, width, height) = (shot.number, shot.width, shot.height);
        let line = format!("{frame},{seconds:.6},{number},{width},{height},{bytes}\n");
        self.file.write_all(line.as_bytes())
    }
}
