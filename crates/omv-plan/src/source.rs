//! Where images come from: a file, a folder, a release zip, a wheel.

use std::io::{Cursor, Read};

use omv_boards::{Board, Loader, LoaderRole};

use crate::dfu_file;
use crate::image::sha256;
use crate::{Image, Refusal};

/// Something with named files in it. Names use `/`, whatever the system.
pub trait Source {
    /// What to call it in messages.
    fn title(&self) -> &str;

    /// The names of its files.
    fn names(&self) -> Vec<String>;

    /// One file, at most `limit` bytes.
    ///
    /// # Errors
    /// [`Refusal::BadArchive`] if it cannot be read whole, [`Refusal::TooLarge`] beyond the limit.
    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Refusal>;
}

/// A single file's bytes as a source.
pub struct Bytes {
    title: String,
    name: String,
    bytes: Vec<u8>,
}

impl Bytes {
    /// Wraps one file; `name` decides what it is taken for.
    pub fn new(title: &str, name: &str, bytes: Vec<u8>) -> Self {
        Self {
            title: title.to_owned(),
            name: name.to_owned(),
            bytes,
        }
    }
}

impl Source for Bytes {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn read(&mut self, _name: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        within(&self.title, self.bytes.len() as u64, limit)?;
        Ok(self.bytes.clone())
    }
}

/// A zip archive in memory: a release, or a Python wheel.
///
/// Only the files asked for are unpacked, never to disk, and never more than was asked for: a
/// zip bomb costs nothing. An archive with a path that leaves its own folder is refused whole,
/// because whoever made it did not mean well.
pub struct ZipSource {
    title: String,
    archive: zip::ZipArchive<Cursor<Vec<u8>>>,
    names: Vec<String>,
}

/// More entries than any release has.
const MOST_ENTRIES: usize = 10_000;

impl ZipSource {
    /// Opens an archive.
    ///
    /// # Errors
    /// [`Refusal::BadArchive`].
    pub fn new(title: &str, bytes: Vec<u8>) -> Result<Self, Refusal> {
        let archive = zip::ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| bad(title, error.to_string()))?;
        if archive.len() > MOST_ENTRIES {
            return Err(bad(title, format!("it has {} entries", archive.len())));
        }
        let mut names = Vec::new();
        for name in archive.file_names() {
            let path = name.replace('\\', "/");
            let leaves = path.starts_with('/')
                || path.contains(':')
                || path.split('/').any(|part| part == "..");
            if leaves {
                let shown: String = name.escape_default().take(80).collect();
                return Err(bad(title, format!("the path `{shown}` leaves the archive")));
            }
            names.push(name.to_owned());
        }
        Ok(Self {
            title: title.to_owned(),
            archive,
            names,
        })
    }
}

impl Source for ZipSource {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        let title = self.title.clone();
        let entry = self
            .archive
            .by_name(name)
            .map_err(|error| bad(&title, format!("{name}: {error}")))?;
        within(name, entry.size(), limit)?;
        let mut bytes = Vec::new();
        // The size in the directory may lie; the limit does not.
        entry
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| bad(&title, format!("{name}: {error}")))?;
        within(name, bytes.len() as u64, limit)?;
        Ok(bytes)
    }
}

/// Takes the file for one region of one board out of a source: from the board's own folder, or
/// the only one there is. `None` when the source has no such file at all.
///
/// # Errors
/// [`Refusal::NotInside`] when it has the file, but only for other boards; those of reading.
pub fn choose(
    source: &mut dyn Source,
    board: &Board,
    region: &str,
) -> Result<Option<Image>, Refusal> {
    let Some(place) = board.region(region) else {
        let (board, region) = (board.title.clone(), region.to_owned());
        return Err(Refusal::NoRegion {
            board,
            region,
            why: None,
        });
    };
    for file in &place.files {
        let names = source.names();
        let Some(name) = best(&names, board, file, source.title())? else {
            continue;
        };
        // One byte over the room is enough to know that it is too large.
        let limit = u64::from(place.size) + 1 + dfu_file::AROUND;
        let bytes = source.read(&name, limit).map_err(|refusal| match refusal {
            Refusal::TooLarge {
                file, size, region, ..
            } => Refusal::TooLarge {
                file,
                size,
                region,
                room: place.size.into(),
            },
            other => other,
        })?;
        let file = file_label(source.title(), &name);
        let bytes = dfu_file::content(&file, board, place, bytes)?;
        return Ok(Some(Image {
            file,
            region: place.name.clone(),
            start: place.start,
            bytes: bytes.into(),
        }));
    }
    Ok(None)
}

/// Finds a loader program in a source and checks that it is the known one.
///
/// # Errors
/// [`Refusal::UnknownLoader`] for other bytes, unless `force`; [`Refusal::NoLoader`].
pub fn loader(
    source: &mut dyn Source,
    board: &Board,
    role: LoaderRole,
    force: bool,
) -> Result<Image, Refusal> {
    let known = board.loaders.iter().find(|loader| loader.role == role);
    let Some(known) = known else {
        let why = "it has no loader programs".to_owned();
        return Err(Refusal::Unsupported {
            board: board.title.clone(),
            why,
        });
    };
    let names = source.names();
    let name = names
        .iter()
        .filter(|name| base(name) == known.file)
        .max_by_key(|name| in_folder(name, &board.name));
    let Some(name) = name.cloned() else {
        return Err(Refusal::NoLoader {
            file: known.file.clone(),
        });
    };
    let bytes = source.read(&name, 1 << 20)?;
    let found = sha256(&bytes);
    if found != known.sha256 && !force {
        return Err(Refusal::UnknownLoader { file: name, found });
    }
    Ok(as_loader_image(
        board,
        known,
        file_label(source.title(), &name),
        bytes,
    ))
}

/// The image of a loader: the flashloader goes to RAM, the other one to its region.
pub(crate) fn as_loader_image(
    board: &Board,
    known: &Loader,
    file: String,
    bytes: Vec<u8>,
) -> Image {
    let region = match known.role {
        LoaderRole::Flashloader => "ram",
        LoaderRole::Sbl => board
            .region("bootloader")
            .map_or("bootloader", |r| r.name.as_str()),
        other => other.name(),
    };
    Image {
        file,
        region: region.to_owned(),
        start: known.load,
        bytes: bytes.into(),
    }
}

/// The file of this name that belongs to the board: in a folder named after it, or, if no folder
/// is named after any board, the shortest path.
fn best(
    names: &[String],
    board: &Board,
    file: &str,
    title: &str,
) -> Result<Option<String>, Refusal> {
    let mut same: Vec<&String> = names.iter().filter(|name| base(name) == file).collect();
    if same.is_empty() {
        return Ok(None);
    }
    if let Some(own) = same.iter().find(|name| in_folder(name, &board.name)) {
        return Ok(Some((*own).clone()));
    }
    let mut has = Vec::new();
    same.retain(|name| {
        let other = omv_boards::all()
            .iter()
            .find(|other| in_folder(name, &other.name));
        has.extend(other.map(|other| other.name.clone()));
        other.is_none()
    });
    same.sort_by_key(|name| name.len());
    match same.first() {
        Some(name) => Ok(Some((*name).clone())),
        None => {
            let source_name = title.to_owned();
            let (file, board) = (file.to_owned(), board.title.clone());
            Err(Refusal::NotInside {
                source_name,
                file,
                board,
                has,
            })
        }
    }
}

fn base(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn in_folder(name: &str, folder: &str) -> bool {
    name.split(['/', '\\'])
        .any(|part| part.eq_ignore_ascii_case(folder))
}

fn file_label(title: &str, name: &str) -> String {
    if base(title) == base(name) {
        title.to_owned()
    } else {
        format!("{title}:{name}")
    }
}

fn bad(title: &str, why: String) -> Refusal {
    Refusal::BadArchive {
        source_name: title.to_owned(),
        why,
    }
}

fn within(file: &str, size: u64, limit: u64) -> Result<(), Refusal> {
    if size <= limit {
        return Ok(());
    }
    let (file, region) = (file.to_owned(), "its region".to_owned());
    Err(Refusal::TooLarge {
        file,
        size,
        region,
        room: limit.saturating_sub(1),
    })
}
