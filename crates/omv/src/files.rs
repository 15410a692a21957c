//! Images and loader programs from what a person names: a file, a folder, an archive.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use omv_boards::{Board, LoaderRole, Role};
use omv_plan::{Bytes, Image, Refusal, Source, ZipSource, choose, inspect, loader};
use omv_sim::rt1062::sample;

use crate::fail::Fail;

/// Larger files than any release are not read.
const LARGEST: u64 = 512 * 1024 * 1024;
/// How deep a folder is searched: release, board, file.
const DEPTH: usize = 3;
/// More files than any release folder has.
const MOST_FILES: usize = 10_000;

/// Opens whatever a path names.
pub fn open(path: &Path) -> Result<Box<dyn Source>, Fail> {
    let title = path.display().to_string();
    if path.is_dir() {
        return Ok(Box::new(FolderSource::new(path)?));
    }
    let bytes = read(path)?;
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Box::new(ZipSource::new(&title, bytes)?));
    }
    let name = path
        .file_name()
        .map_or_else(|| title.clone(), |n| n.to_string_lossy().into());
    if is_archive(&name) {
        let why = "it is not a zip archive, or not all of it is there".to_owned();
        return Err(Refusal::BadArchive {
            source_name: title,
            why,
        }
        .into());
    }
    Ok(Box::new(Bytes::new(&title, &name, bytes)))
}

fn is_archive(name: &str) -> bool {
    [".zip", ".whl"]
        .iter()
        .any(|end| name.to_ascii_lowercase().ends_with(end))
}

/// One file, whole.
pub fn read(path: &Path) -> Result<Vec<u8>, Fail> {
    let file = fs::File::open(path).map_err(|error| Fail::file(path, "reading", error))?;
    let mut bytes = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| Fail::file(path, "reading", error))?;
    Ok(bytes)
}

/// The images for a board out of what was named: from an archive or folder its firmware and,
/// if there is one, its ROM file system; a single file is one or the other by its content.
pub fn images(board: &Board, image: &Path, romfs: Option<&Path>) -> Result<Vec<Image>, Fail> {
    let mut images = Vec::new();
    let is_file = image.is_file() && !is_archive(&image.to_string_lossy());
    if is_file {
        let bytes = read(image)?;
        let packed = bytes.starts_with(b"PK\x03\x04");
        if !packed {
            images.push(single(board, image, bytes)?);
        }
    }
    if images.is_empty() {
        let mut source = open(image)?;
        for role in [
            Role::Firmware,
            Role::SecondFirmware,
            Role::Romfs,
            Role::SecondRomfs,
        ] {
            if let Some(region) = board.role(role) {
                images.extend(choose(&mut *source, board, &region.name)?);
            }
        }
        if images.is_empty() {
            return Err(not_inside(&*source, board).into());
        }
    }
    if let Some(path) = romfs {
        let region = region(board, "romfs")?;
        images.retain(|image| image.region != region.name);
        images.push(named(board, path, read(path)?, "romfs")?);
    }
    Ok(images)
}

/// What only a recovery writes, out of what was named: a board's bootloader and boot table. A
/// firmware file given by itself brings those that lie beside it; a virtual camera has a sample.
pub fn bootloader(
    board: &Board,
    image: Option<&Path>,
    simulated: bool,
) -> Result<Vec<Image>, Fail> {
    if board.dfu.is_none() {
        return Ok(Vec::new());
    }
    let Some(image) = image else {
        let sample = simulated.then(|| sample_bootloader(board));
        return Ok(sample.unwrap_or_default());
    };
    let is_single = image.is_file() && !is_archive(&image.to_string_lossy());
    let beside = match image.parent() {
        Some(folder) if is_single && folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) if is_single => folder,
        _ => image,
    };
    let mut source = open(beside)?;
    let mut images = Vec::new();
    for role in [Role::Bootloader, Role::BootTable] {
        if let Some(region) = board.role(role) {
            images.extend(choose(&mut *source, board, &region.name)?);
        }
    }
    Ok(images)
}

/// A file given by itself: what it is shows in its first bytes, not in its name.
fn single(board: &Board, path: &Path, bytes: Vec<u8>) -> Result<Image, Fail> {
    let kind = inspect(&bytes).kind;
    let rule = kind.as_deref().and_then(|kind| board.image(kind));
    let is_romfs = rule
        .and_then(|rule| board.region(&rule.region))
        .is_some_and(|region| region.role == Role::Romfs);
    named(
        board,
        path,
        bytes,
        if is_romfs { "romfs" } else { "firmware" },
    )
}

/// A file for a region that the person names.
pub fn named(board: &Board, path: &Path, bytes: Vec<u8>, name: &str) -> Result<Image, Fail> {
    let region = region(board, name)?;
    Ok(Image {
        file: path.display().to_string(),
        region: region.name.clone(),
        start: region.start,
        bytes: bytes.into(),
    })
}

fn region<'b>(board: &'b Board, name: &str) -> Result<&'b omv_boards::Region, Fail> {
    let missing = || Refusal::NoRegion {
        board: board.title.clone(),
        region: name.to_owned(),
        why: None,
    };
    Ok(board.region(name).ok_or_else(missing)?)
}

fn not_inside(source: &dyn Source, board: &Board) -> Refusal {
    Refusal::NotInside {
        source_name: source.title().to_owned(),
        file: "firmware.bin".into(),
        board: board.title.clone(),
        has: Vec::new(),
    }
}

/// The made-up firmware for a virtual camera.
pub fn sample_images(board: &Board) -> Vec<Image> {
    if board.mboot.is_some() {
        let firmware = sample::firmware(sample::NEWEST, 0x18_0000);
        return made(board, Role::Firmware, "sample-firmware.bin", firmware);
    }
    let wanted = [Role::Firmware, Role::SecondFirmware];
    from_release(board, &wanted)
}

/// The made-up bootloader for a virtual camera, where recovering it needs one.
pub fn sample_bootloader(board: &Board) -> Vec<Image> {
    match board.dfu {
        Some(_) => from_release(board, &[Role::Bootloader, Role::BootTable]),
        None => Vec::new(),
    }
}

fn from_release(board: &Board, roles: &[Role]) -> Vec<Image> {
    let files = omv_sim::dfu::sample::release(board, sample::NEWEST);
    let images = roles.iter().flat_map(|role| {
        let region = board.role(*role);
        let own = files.iter().filter(move |(name, _)| {
            region.is_some_and(|region| region.files.first() == Some(name))
        });
        own.flat_map(|(name, bytes)| made(board, *role, &format!("sample-{name}"), bytes.clone()))
    });
    images.collect()
}

fn made(board: &Board, role: Role, file: &str, bytes: Vec<u8>) -> Vec<Image> {
    let image = |region: &omv_boards::Region| Image {
        file: file.to_owned(),
        region: region.name.clone(),
        start: region.start,
        bytes: bytes.clone().into(),
    };
    board.role(role).map(image).into_iter().collect()
}

/// The loader programs of a board, if its recovery needs any: from the place named, from an installed OpenMV IDE, or, for
/// a virtual camera, made up.
pub fn loaders(
    board: &Board,
    named: Option<&Path>,
    force: bool,
    simulated: bool,
) -> Result<Vec<Image>, Fail> {
    if board.loaders.is_empty() {
        return Ok(Vec::new());
    }
    let all = |source: &mut dyn Source| {
        let roles = board.loaders.iter().map(|loader| loader.role);
        roles
            .map(|role| loader(source, board, role, force))
            .collect::<Result<Vec<_>, _>>()
    };
    if let Some(path) = named {
        return Ok(all(&mut *open(path)?)?);
    }
    if let Some(folder) = ide_folders()
        .into_iter()
        .map(|f| f.join(&board.name))
        .find(|f| f.is_dir())
    {
        return Ok(all(&mut *open(&folder)?)?);
    }
    if simulated {
        return Ok(sample_loaders(board));
    }
    let file = board
        .loaders
        .first()
        .map_or_else(String::new, |loader| loader.file.clone());
    Err(Refusal::NoLoader { file }.into())
}

fn sample_loaders(board: &Board) -> Vec<Image> {
    let image = |loader: &omv_boards::Loader| {
        let (bytes, region) = match loader.role {
            LoaderRole::Flashloader => (sample::flashloader(), "ram".to_owned()),
            LoaderRole::Sbl => {
                let region = board
                    .role(Role::Bootloader)
                    .map(|region| region.name.clone());
                (sample::sbl(), region.unwrap_or_default())
            }
            // Nothing inside a virtual camera runs them.
            other => (vec![0x5A; loader.bytes as usize], other.name().to_owned()),
        };
        Image {
            file: loader.file.clone(),
            region,
            start: loader.load,
            bytes: bytes.into(),
        }
    };
    board.loaders.iter().map(image).collect()
}

/// Where OpenMV IDE keeps its firmware folders, one per board, when it is installed.
fn ide_folders() -> Vec<PathBuf> {
    let mut roots = vec![
        PathBuf::from("/opt/openmvide"),
        PathBuf::from("/opt/openmv-ide"),
        PathBuf::from("/Applications/OpenMV IDE.app/Contents/Resources"),
        PathBuf::from(r"C:\Program Files (x86)\OpenMV IDE"),
        PathBuf::from(r"C:\Program Files\OpenMV IDE"),
    ];
    if let Some(home) = std::env::home_dir() {
        roots.push(home.join("openmvide"));
        roots.push(home.join("openmv-ide"));
    }
    let inside = ["share/qtcreator/firmware", "firmware"];
    roots
        .iter()
        .flat_map(|root| inside.map(|path| root.join(path)))
        .collect()
}

/// The firmware folder of a board in an installed OpenMV IDE.
pub fn installed(board: &Board) -> Option<PathBuf> {
    let folders = ide_folders().into_iter();
    let mut folders = folders.map(|folder| folder.join(&board.name));
    folders.find(|folder| images(board, folder, None).is_ok())
}

/// A folder on the disk: files up to three levels deep.
struct FolderSource {
    root: PathBuf,
    title: String,
    names: Vec<String>,
}

impl FolderSource {
    fn new(root: &Path) -> Result<Self, Fail> {
        let mut names = Vec::new();
        let mut waiting = vec![(root.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = waiting.pop() {
            let entries =
                fs::read_dir(&folder).map_err(|error| Fail::file(&folder, "reading", error))?;
            for entry in entries.flatten() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() && depth + 1 < DEPTH {
                    waiting.push((entry.path(), format!("{name}/"), depth + 1));
                } else if !kind.is_dir() && names.len() < MOST_FILES {
                    names.push(name);
                }
            }
        }
        names.sort();
        Ok(Self {
            root: root.to_owned(),
            title: root.display().to_string(),
            names,
        })
    }
}

impl Source for FolderSource {
    fn title(&self) -> &str {
        &self.title
    }

    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        let bad = |error: std::io::Error| Refusal::BadArchive {
            source_name: self.title.clone(),
            why: format!("{name}: {error}"),
        };
        let file = fs::File::open(self.root.join(name)).map_err(bad)?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(bad)?;
        Ok(bytes)
    }
}
