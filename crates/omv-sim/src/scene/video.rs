//! Films as scenes: pictures in JPEG one after the other, in an AVI file as cameras and `omv record`
//! write it, or without anything around them (`ffmpeg -i FILM -q:v 3 film.mjpeg`).
//!
//! ```text
//!   RIFF size AVI  LIST size movi  00dc size JPEG  00dc size JPEG ...  idx1 ...  RIFF size AVIX ...
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Photo;

/// Largest film, bytes: all of it is held in memory.
const LARGEST: u64 = 512 << 20;
/// End of one picture, and beginning of the next.
const BETWEEN: [u8; 4] = [0xFF, 0xD9, 0xFF, 0xD8];

/// The pictures of a film.
pub fn read(path: &Path) -> io::Result<Vec<Photo>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    let no = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if bytes.len() as u64 > LARGEST {
        return no("it is larger than 512 MiB");
    }
    let photos = match bytes.get(..2) {
        Some(b"RI") => avi(&bytes),
        Some([0xFF, 0xD8]) => bare(&bytes),
        _ => Vec::new(),
    };
    match photos.is_empty() {
        true => no("it is no film of JPEG pictures, as .avi and .mjpeg files may be"),
        false => Ok(photos),
    }
}

/// Those of an AVI file. One that was cut off has those that are whole.
fn avi(bytes: &[u8]) -> Vec<Photo> {
    let mut photos = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 8) {
        let (name, size) = head.split_at(4);
        let size = size
            .iter()
            .rev()
            .fold(0, |size, byte| size << 8 | usize::from(*byte));
        let inside = at + 8;
        at = match name {
            // What lies inside of these is read like what lies beside them.
            b"RIFF" | b"LIST" => inside + 4,
            _ => {
                let data = bytes.get(inside..inside.saturating_add(size));
                photos.extend(data.and_then(|data| Photo::of(data.to_vec())));
                // Chunks begin at even places.
                inside.saturating_add(size).saturating_add(size & 1)
            }
        };
    }
    photos
}

/// Those of a file that has nothing else.
fn bare(bytes: &[u8]) -> Vec<Photo> {
    let ends = bytes.windows(4).enumerate();
    let ends = ends
        .filter(|(_, four)| *four == BETWEEN)
        .map(|(at, _)| at + 2);
    let mut start = 0;
    let pieces = ends.chain([bytes.len()]).map(|end| {
        let piece = &bytes[start..end];
        start = end;
        piece.to_vec()
    });
    pieces.filter_map(Photo::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Format, Picture};

    fn jpeg(width: usize) -> Vec<u8> {
        let picture = Picture::black(width, 16, Format::Grayscale);
        picture.to_jpeg(50).unwrap()
    }

    fn widths(bytes: &[u8]) -> Vec<usize> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let photos = read(file.path()).unwrap_or_default();
        photos.iter().map(|photo| photo.width).collect()
    }

    fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
        let size = (data.len() as u32).to_le_bytes();
        let mut chunk = [name, &size, data].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    }

    #[test]
    fn a_film_has_its_pictures_in_their_order_and_one_that_was_cut_those_that_are_whole() {
        let frames: Vec<u8> = [32, 48, 64]
            .iter()
            .flat_map(|width| [chunk(b"00dc", &jpeg(*width)), chunk(b"01wb", b"odd")].concat())
            .collect();
        let head = chunk(b"LIST", &[b"hdrl", &chunk(b"avih", &[0; 56])[..]].concat());
        let movie = chunk(b"LIST", &[b"movi", &frames[..]].concat());
        let film = chunk(
            b"RIFF",
            &[b"AVI ", &head[..], &movie[..], &chunk(b"idx1", &[1; 48])].concat(),
        );
        assert_eq!(widths(&film), [32, 48, 64]);
        let end = film.len() - 200;
        assert_eq!(widths(&film[..end]), [32, 48]);

        let bare = [jpeg(32), jpeg(48)].concat();
        assert_eq!(widths(&bare), [32, 48]);
    }

    #[test]
    fn what_is_no_film_of_jpeg_pictures_is_none() {
        for bytes in [
            &b""[..],
            b"RIFF",
            b"RIFF\xFF\xFF\xFF\xFFAVI ",
            b"text",
            b"\xFF\xD8\xFF",
        ] {
            assert!(widths(bytes).is_empty(), "{bytes:02x?}");
        }
        let lie = [b"RIFF\0\0\0\0AVI 00dc\xFF\xFF\xFF\xFF".to_vec(), jpeg(32)].concat();
        assert!(widths(&lie).is_empty());
    }
}
