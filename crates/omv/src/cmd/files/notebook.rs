//! Where the plan of a save is kept: a file that is there only while a save lasts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use omv_camera::files::{Kept, Notebook};
use omv_fat::Change;

/// Longest note that is read.
const LONGEST: u64 = 1 << 30;

/// A note in a file.
pub struct FileNotebook(PathBuf);

impl FileNotebook {
    /// The note of a disk that is a file or device of this computer: beside an image, in this
    /// user's folder for a device.
    pub fn of_path(path: &Path) -> Self {
        match path.is_file() {
            true => {
                let mut name = path.file_name().unwrap_or_default().to_owned();
                name.push(".omv-save");
                Self(path.with_file_name(name))
            }
            false => Self::of_key(&path.to_string_lossy()),
        }
    }

    /// The note of a camera's disk, by what is known of the camera.
    pub fn of_key(key: &str) -> Self {
        let safe = |letter: char| match letter.is_ascii_alphanumeric() {
            true => letter,
            false => '_',
        };
        let name: String = key.chars().map(safe).take(100).collect();
        Self(folder().join(format!("{name}.omv-save")))
    }
}

/// This user's folder for what programs remember. Source: XDG Base Directory Specification 0.8.
fn folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let local = || variable("LOCALAPPDATA");
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    let base = state.or_else(local).or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("omv/saves")
}

impl Notebook for FileNotebook {
    fn keep(&mut self, change: &Change) -> io::Result<()> {
        let folder = match self.0.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let fresh = self.0.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(&change.encode())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    }

    fn kept(&mut self) -> Kept {
        let length = fs::metadata(&self.0).ok()?.len();
        let bytes = (length <= LONGEST).then(|| fs::read(&self.0))?.ok()?;
        Change::decode(&bytes)
    }

    fn forget(&mut self) {
        // A note of a change that is done is recognised as such: nothing is lost if it stays.
        let _ = fs::remove_file(&self.0);
    }
}
