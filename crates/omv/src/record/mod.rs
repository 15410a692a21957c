//! Films: what `omv record` writes, by the end of the name.
//!
//! ```text
//!   out.avi    the camera's JPEGs as they are       out.avi.csv   when each was taken
//!   out.gif    256 colours                          out.gif.csv
//!   out.mp4    through ffmpeg                       out.mp4.csv
//!   out/       a file a picture                     out/frames.csv
//! ```

mod avi;
mod ffmpeg;
mod gif;
mod times;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fail::Fail;
use crate::shot::Shot;
use avi::Avi;
use ffmpeg::Ffmpeg;
use gif::Gif;
use times::Times;

/// What kind of film a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Motion JPEG.
    Avi,
    /// Animated GIF.
    Gif,
    /// H.264 through `ffmpeg`.
    Mp4,
    /// One file a picture.
    Folder,
}

impl Kind {
    /// Reads the end of a name.
    ///
    /// # Errors
    /// For an end that means nothing here, and for `.mp4` without `ffmpeg`.
    pub fn of(path: &Path) -> Result<Self, Fail> {
        let slash = path.as_os_str().to_string_lossy().ends_with(['/', '\\']);
        let end = path
            .extension()
            .map(|end| end.to_string_lossy().to_lowercase());
        match end.as_deref() {
            _ if slash || path.is_dir() => Ok(Self::Folder),
            Some("avi") => Ok(Self::Avi),
            Some("gif") => Ok(Self::Gif),
            Some("mp4") if !Ffmpeg::installed() => Err(Fail::Usage {
                what: "an .mp4 needs the program `ffmpeg`, which is not installed".into(),
                help: "Install ffmpeg, or record to .avi, which keeps every picture as it was."
                    .into(),
            }),
            Some("mp4") => Ok(Self::Mp4),
            _ => Err(Fail::Usage {
                what: format!("{} does not say what to record", path.display()),
                help: "Use a name that ends in .avi, .gif or .mp4, or in / for a folder.".into(),
            }),
        }
    }
}

/// A film that is being written.
pub struct Film {
    kind: Kind,
    path: PathBuf,
    reel: Option<Reel>,
    times: Times,
    /// When the first picture was taken.
    since: Option<Duration>,
    last: Duration,
    /// Pictures of this reel, and of all.
    frames: u64,
    bytes: u64,
    /// Pictures that were broken.
    broken: u64,
    /// Files written.
    files: Vec<PathBuf>,
}

/// One file of a film, or its folder.
enum Reel {
    Avi(Avi<File>),
    Gif(Gif),
    Mp4(Ffmpeg),
    Folder(PathBuf),
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Pictures in the film.
    pub frames: u64,
    /// From the first picture to the last.
    pub span: Duration,
    /// Bytes of pictures, as the camera sent them.
    pub bytes: u64,
    /// Bytes of the film's files.
    pub written: u64,
    /// Pictures left out because they were not whole.
    pub broken: u64,
    /// The files.
    pub files: Vec<PathBuf>,
}

impl Film {
    /// Starts a film. Its file begins with the first picture, whose size it has.
    ///
    /// # Errors
    /// For a name that means nothing, and when the place cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Fail> {
        let kind = Kind::of(path)?;
        let times = match kind {
            Kind::Folder => {
                fs::create_dir_all(path).map_err(|error| Fail::file(path, "writing", error))?;
                path.join("frames.csv")
            }
            _ => beside(path, ".csv"),
        };
        let table = Times::create(&times).map_err(|error| Fail::file(&times, "writing", error))?;
        Ok(Self {
            kind,
            path: path.to_owned(),
            reel: None,
            times: table,
            since: None,
            last: Duration::ZERO,
            frames: 0,
            bytes: 0,
            broken: 0,
            files: vec![times],
        })
    }

    /// Adds a picture taken `at`. One that is not whole is counted and left out.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, shot: &Shot, at: Duration) -> Result<(), Fail> {
        let jpeg = shot.jpeg();
        let whole = match self.kind {
            Kind::Gif => shot.rgb().is_some(),
            _ => jpeg.is_some(),
        };
        let (Some(jpeg), true) = (jpeg, whole) else {
            self.broken += 1;
            return Ok(());
        };
        let done = self.write(shot, jpeg, at);
        done.map_err(|error| Fail::file(&self.path, "writing", error))
    }

    fn write(&mut self, shot: &Shot, jpeg: &[u8], at: Duration) -> io::Result<()> {
        let since = *self.since.get_or_insert(at);
        let span = at.saturating_sub(since);
        let fits = match &self.reel {
            Some(Reel::Avi(avi)) => avi.takes(shot.width, shot.height),
            Some(Reel::Gif(gif)) => gif.takes(shot.width, shot.height),
            Some(Reel::Mp4(_) | Reel::Folder(_)) => true,
            None => false,
        };
        if !fits {
            self.close()?;
            let reel = self.open(shot)?;
            self.reel = Some(reel);
        }
        match &mut self.reel {
            Some(Reel::Avi(avi)) => avi.add(jpeg, span)?,
            Some(Reel::Gif(gif)) => gif.add(shot.rgb().unwrap_or_default(), span)?,
            Some(Reel::Mp4(ffmpeg)) => ffmpeg.add(jpeg)?,
            Some(Reel::Folder(folder)) => {
                fs::write(folder.join(format!("{:06}.jpg", self.frames + 1)), jpeg)?;
            }
            None => {}
        }
        self.frames += 1;
        self.bytes += jpeg.len() as u64;
        self.last = span;
        self.times
            .add(self.frames, span.as_secs_f64(), shot, jpeg.len())
    }

    /// Begins a file. A film whose pictures change their size goes on in another one.
    fn open(&mut self, shot: &Shot) -> io::Result<Reel> {
        let path = match self.files.len() {
            1 => self.path.clone(),
            more => numbered(&self.path, more),
        };
        self.files.push(path.clone());
        Ok(match self.kind {
            Kind::Avi => Reel::Avi(Avi::new(File::create(&path)?, shot.width, shot.height)?),
            Kind::Gif => Reel::Gif(Gif::create(&path, shot.width, shot.height)?),
            Kind::Mp4 => Reel::Mp4(Ffmpeg::start(&path)?),
            Kind::Folder => Reel::Folder(path),
        })
    }

    fn close(&mut self) -> io::Result<()> {
        match self.reel.take() {
            Some(Reel::Avi(avi)) => avi.finish().map(drop),
            Some(Reel::Gif(gif)) => gif.finish(),
            Some(Reel::Mp4(ffmpeg)) => ffmpeg.finish(),
            Some(Reel::Folder(_)) | None => Ok(()),
        }
    }

    /// Pictures so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// From the first picture to the last.
    pub fn span(&self) -> Duration {
        self.last
    }

    /// Ends the film. One without pictures leaves nothing behind.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> Result<Recorded, Fail> {
        self.close()
            .map_err(|error| Fail::file(&self.path, "writing", error))?;
        let mut files = self.files;
        files.rotate_left(1);
        self.times.finish();
        if self.frames == 0 {
            files.clear();
            if self.kind == Kind::Folder {
                // Not if there is something else in it.
                let _ = fs::remove_dir(&self.path);
            }
        }
        let films = files.iter().take(files.len().saturating_sub(1));
        let length = |film: &PathBuf| fs::metadata(film).map_or(0, |about| about.len());
        Ok(Recorded {
            frames: self.frames,
            span: self.last,
            bytes: self.bytes,
            written: match self.kind {
                Kind::Folder => self.bytes,
                _ => films.map(length).sum(),
            },
            broken: self.broken,
            files,
        })
    }
}

/// The name with something after it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// `out.avi`, `out-2.avi`, ...
fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shot::tests::grey;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn film(path: &Path, sizes: &[(u32, u32)]) -> Recorded {
        let mut film = Film::create(path).unwrap();
        for (number, (width, height)) in sizes.iter().enumerate() {
            let shot = grey(10 + number as u64, *width, *height, number as u8 * 20);
            film.add(&shot, Duration::from_millis(1000 + 40 * number as u64))
                .unwrap();
        }
        film.finish().unwrap()
    }

    #[test]
    fn the_times_of_the_pictures_stand_beside_the_film() {
        let folder = folder();
        let path = folder.path().join("out.avi");
        let recorded = film(&path, &[(16, 8); 3]);
        assert_eq!(
            (recorded.frames, recorded.span),
            (3, Duration::from_millis(80))
        );
        let table = fs::read_to_string(folder.path().join("out.avi.csv")).unwrap();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "frame,seconds,camera_frame,width,height,bytes");
        assert!(lines[2].starts_with("2,0.040000,11,16,8,"), "{table}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_film_says_how_long_its_file_is_and_one_without_pictures_leaves_none() {
        let folder = folder();
        for name in ["out.avi", "out.gif"] {
            let path = folder.path().join(name);
            let recorded = film(&path, &[(16, 8); 3]);
            assert_eq!(recorded.written, fs::metadata(path).unwrap().len());
        }
        let all = fs::read_dir(folder.path()).unwrap().count();
        for name in ["none.avi", "none/"] {
            assert!(film(&folder.path().join(name), &[]).files.is_empty());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), all);
        // What is there already stays, the table of an older film too.
        let table = folder.path().join("out.avi.csv");
        let before = fs::read(&table).unwrap();
        film(&folder.path().join("out.avi"), &[]);
        assert_eq!(fs::read(&table).unwrap(), before);
        film(&folder.path().join("out.avi"), &[(16, 8)]);
        assert!(fs::read(&table).unwrap().len() < before.len());
        fs::create_dir(folder.path().join("mine")).unwrap();
        fs::write(folder.path().join("mine/notes"), "").unwrap();
        film(&folder.path().join("mine/"), &[]);
        assert!(folder.path().join("mine/notes").exists());
    }

    #[test]
    fn a_film_whose_pictures_change_their_size_goes_on_in_a_second_file() {
        let folder = folder();
        let path = folder.path().join("out.avi");
        let recorded = film(&path, &[(16, 8), (16, 8), (32, 8)]);
        let names: Vec<_> = recorded
            .files
            .iter()
            .filter_map(|path| path.file_name())
            .collect();
        assert_eq!(names, ["out.avi", "out-2.avi", "out.avi.csv"]);
    }

    #[test]
    fn a_folder_gets_a_file_a_picture() {
        let folder = folder();
        let path = folder.path().join("shots/");
        assert_eq!(film(&path, &[(16, 8); 2]).frames, 2);
        assert!(
            fs::read(path.join("000002.jpg"))
                .unwrap()
                .starts_with(&[0xFF, 0xD8])
        );
    }

    #[test]
    fn a_gif_shows_each_picture_as_long_as_it_lasted() {
        let folder = folder();
        let path = folder.path().join("out.gif");
        film(&path, &[(16, 8); 4]);
        let mut options = ::gif::DecodeOptions::new();
        options.set_color_output(::gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(File::open(&path).unwrap()).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            seen.push((frame.delay, frame.buffer[0]));
        }
        assert_eq!(seen, [(4, 0), (4, 20), (4, 40), (10, 60)]);
    }

    #[test]
    fn a_name_that_says_nothing_is_refused_before_anything_is_written() {
        for name in ["film", "film.mkv"] {
            let fail = Film::create(Path::new(name)).err().unwrap();
            assert_eq!(fail.code(), "usage", "{name}");
            assert!(!Path::new(name).exists());
        }
    }
}
