//! The reader. Nothing in an image is believed: every length is held against the record around it,
//! and depth and number of entries have a limit.

use std::ops::Range;

use super::{DEEPEST, Fault, HEADER, MOST_ENTRIES, kind};

/// An image that was read; what is in it still lies in the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// What stands at the top.
    pub entries: Vec<Entry<'a>>,
    /// Bytes of the image; what follows is not part of it.
    pub length: usize,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name, as it stands there.
    pub name: &'a [u8],
    /// What it is.
    pub node: Node<'a>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<'a> {
    /// A directory and what is in it.
    Directory(Vec<Entry<'a>>),
    /// A file; without content the camera does not find it.
    File(Option<Content<'a>>),
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where they begin, from the start of the image. Images begin at an erase unit of the flash, so
    /// this is also how they are aligned for the camera.
    pub offset: usize,
}

/// Reads an image. Bytes behind it, as a whole region of flash has them, are left alone.
///
/// # Errors
/// A [`Fault`] with its place, for anything the camera would stumble over, and for more depth or
/// entries than any honest image has.
pub fn read(bytes: &[u8]) -> Result<Image<'_>, Fault> {
    if bytes.get(..HEADER.len()) != Some(&HEADER[..]) {
        let what = "this is no ROM file system: it does not begin with D2 CD 31";
        return Err(Fault { at: 0, what });
    }
    let mut reader = Reader {
        bytes,
        payload: 0..0,
        entries: 0,
    };
    let mut at = HEADER.len();
    let length = reader.number(&mut at, bytes.len())?;
    let end = at.checked_add(length).filter(|end| *end <= bytes.len());
    let Some(end) = end else {
        let what = "the image is longer than the file: it was cut short";
        return Err(Fault {
            at: HEADER.len(),
            what,
        });
    };
    reader.payload = at..end;
    let entries = reader.directory(at..end, 0)?;
    let length = end;
    Ok(Image { entries, length })
}

struct Reader<'a> {
    bytes: &'a [u8],
    payload: Range<usize>,
    entries: usize,
}

/// One record: its kind, and where its payload lies.
struct Record {
    at: usize,
    kind: u32,
    payload: Range<usize>,
}

impl<'a> Reader<'a> {
    fn number(&self, at: &mut usize, end: usize) -> Result<usize, Fault> {
        let begin = *at;
        let mut value: u32 = 0;
        loop {
            let byte = match self.bytes.get(*at) {
                Some(byte) if *at < end => *byte,
                _ => {
                    let what = "a number goes on behind the end of its record";
                    return Err(Fault { at: begin, what });
                }
            };
            *at += 1;
            if value >> 25 != 0 {
                let what = "a number is larger than the camera can hold";
                return Err(Fault { at: begin, what });
            }
            value = value << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(value as usize);
            }
        }
    }

    fn record(&self, at: &mut usize, end: usize) -> Result<Record, Fault> {
        let begin = *at;
        let kind = self.number(at, end)?;
        if kind == 0 {
            let what = "a record of kind 0: the camera stops reading here";
            return Err(Fault { at: begin, what });
        }
        let length = self.number(at, end)?;
        let payload = *at..at.saturating_add(length);
        if payload.end > end {
            let what = "a record is longer than what holds it";
            return Err(Fault { at: begin, what });
        }
        *at = payload.end;
        Ok(Record {
            at: begin,
            kind: u32::try_from(kind).unwrap_or(u32::MAX),
            payload,
        })
    }

    fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn directory(&mut self, range: Range<usize>, depth: usize) -> Result<Vec<Entry<'a>>, Fault> {
        let mut entries = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let record = self.record(&mut at, range.end)?;
            if !matches!(record.kind, kind::DIRECTORY | kind::FILE) {
                continue;
            }
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                let what = "there are more files than this program reads";
                return Err(Fault {
                    at: record.at,
                    what,
                });
            }
            let mut inside = record.payload.start;
            let length = self.number(&mut inside, record.payload.end)?;
            let name = inside..inside.saturating_add(length);
            if name.end > record.payload.end {
                let what = "a name is longer than its record";
                return Err(Fault {
                    at: record.at,
                    what,
                });
            }
            let rest = name.end..record.payload.end;
            let node = if record.kind == kind::FILE {
                Node::File(self.file(rest)?)
            } else if depth < DEEPEST {
                Node::Directory(self.directory(rest, depth + 1)?)
            } else {
                let what = "directories are nested deeper than this program follows";
                return Err(Fault {
                    at: record.at,
                    what,
                });
            };
            let name = self.slice(name);
            entries.push(Entry { name, node });
        }
        Ok(entries)
    }

    /// The first content counts; a writer that fills up behind it with zeros is known.
    fn file(&self, range: Range<usize>) -> Result<Option<Content<'a>>, Fault> {
        let mut at = range.start;
        while at < range.end {
            let record = self.record(&mut at, range.end)?;
            let place = match record.kind {
                kind::DATA => record.payload,
                kind::POINTER => self.pointer(&record)?,
                _ => continue,
            };
            let offset = place.start;
            let bytes = self.slice(place);
            return Ok(Some(Content { bytes, offset }));
        }
        Ok(None)
    }

    fn pointer(&self, record: &Record) -> Result<Range<usize>, Fault> {
        let mut at = record.payload.start;
        let size = self.number(&mut at, record.payload.end)?;
        let offset = self.number(&mut at, record.payload.end)?;
        let start = self.payload.start.saturating_add(offset);
        let place = start..start.saturating_add(size);
        if place.end > self.payload.end {
            let what = "a file's content lies outside of the image";
            return Err(Fault {
                at: record.at,
                what,
            });
        }
        Ok(place)
    }
}
