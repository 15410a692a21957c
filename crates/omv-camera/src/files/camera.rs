//! A save by the camera itself: its own view of the disk is the one that will boot.
//!
//! ```text
//!   NAME.<hash>.omv  in pieces --> hash on the camera --> old NAME away --> rename --> hash again
//! ```
//!
//! FAT has no atomic replace. What a cut leaves is the old file, the new one, or the temporary one
//! with its hash in its name beside a name that is absent: [`finish`](super::finish) goes on from
//! there. The camera must not be mounted by the computer meanwhile.
//!
//! Scripts print lines that begin with [`MARK`]. A camera that prints none executes no scripts.

use std::fmt::Write;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

use super::SaveError;
use crate::Error;
use crate::session::{Limits, Session};

/// What begins each line that is meant for us.
const MARK: &str = "omv-save ";
/// Bytes of the file that one script carries: its text must fit a small camera's heap.
const PIECE: usize = 12 << 10;
/// Bytes that are compared at a time when a hash is not the right one.
const BLOCK: usize = 1 << 10;
/// Longest time of one script.
const LIMIT: Duration = Duration::from_secs(60);
/// What ends the name of a temporary file, and the digits of the hash before it.
pub(super) const ENDING: &str = ".omv";
pub(super) const DIGITS: usize = 16;

/// What all scripts begin with. Both names of a module are tried: firmware of before 4.5.6 has the
/// old ones.
const PRELUDE: &str = "import os
try:
 import hashlib
except ImportError:
 import uhashlib as hashlib
try:
 from binascii import a2b_base64 as d,hexlify as x
except ImportError:
 from ubinascii import a2b_base64 as d,hexlify as x
def say(*a):
 print('omv-save',*a)
def h(n):
 h=hashlib.sha256();b=bytearray(512);f=open(n,'rb')
 while True:
  c=f.readinto(b)
  if not c:
   break
  h.update(memoryview(b)[:c])
 f.close()
 return str(x(h.digest()),'ascii')
def s():
 if hasattr(os,'sync'):
  os.sync()
";

/// Where the file goes: the folder the camera starts from.
const HERE: &str = "b=os.getcwd().rstrip('/')+'/'\n";

/// Goes on where an earlier save was cut: the complete temporary file beside an absent name. One
/// beside a name that is there may share its clusters with it, and is left to [`finish`].
///
/// [`finish`]: super::finish
const UNFINISHED: &str = "l=os.listdir(b)
for n in l:
 p=n[:-21]
 if n.endswith('.omv') and len(n)>21 and n[-21]=='.' and p not in l and h(b+n)[:16]==n[-20:-4]:
  os.rename(b+n,b+p)
  s()
say('where',b)";

/// A file that the camera wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCamera {
    /// The folder the camera starts from: `/sdcard/`, `/flash/` or `/`.
    pub folder: String,
    /// It was there already, and nothing was written.
    pub unchanged: bool,
}

/// Lower-case hex SHA-256.
pub(super) fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The name of the temporary file.
pub(super) fn temporary(path: &str, hash: &str) -> String {
    let digits = hash.get(..DIGITS).unwrap_or(hash);
    format!("{path}.{digits}{ENDING}")
}

/// Lets the camera write a file into the folder it starts from; none if it executes no scripts.
///
/// # Errors
/// [`SaveError`], after which the old file is whole, and those of talking to the camera.
pub fn save_on_camera(
    session: &Session,
    path: &str,
    content: &[u8],
) -> Result<Option<OnCamera>, Error> {
    save_into(session, HERE.to_owned(), path, content)
}

/// The same into a folder of the camera's that is named: `/flash`, or nothing for the root.
///
/// # Errors
/// As [`save_on_camera`].
pub fn save_on_camera_in(
    session: &Session,
    folder: &str,
    path: &str,
    content: &[u8],
) -> Result<Option<OnCamera>, Error> {
    let folder = format!("{}/", folder.trim_end_matches('/'));
    save_into(session, format!("b={}\n", literal(&folder)), path, content)
}

fn save_into(
    session: &Session,
    place: String,
    path: &str,
    content: &[u8],
) -> Result<Option<OnCamera>, Error> {
    let wanted = hash(content);
    let job = Job {
        session,
        place,
        path,
        temporary: temporary(path, &wanted),
        wanted: &wanted,
        content,
    };
    let Some(found) = job.probe()? else {
        return Ok(None);
    };
    if found.unchanged {
        return Ok(Some(found));
    }
    if let Err(error) = job.fill() {
        // Best effort: what it leaves is known by its name, and removed later.
        let remove = format!("os.remove(b+{})", literal(&job.temporary));
        let _ = job.script(&remove);
        return Err(error);
    }
    // From here on the temporary file may be the only one: nothing removes it but a finished save.
    job.put_in_place()?;
    Ok(Some(found))
}

/// One save.
struct Job<'a> {
    session: &'a Session,
    /// The line of Python that says which folder.
    place: String,
    path: &'a str,
    temporary: String,
    wanted: &'a str,
    content: &'a [u8],
}

/// What a script said: its lines, without the mark.
type Said = Vec<String>;

impl Job<'_> {
    /// Runs lines of Python, which may raise `OSError`; what they say.
    fn script(&self, lines: &str) -> Result<Said, Error> {
        let mut script = format!("{PRELUDE}{}try:\n", self.place);
        for line in lines.lines() {
            let _ = writeln!(script, " {line}");
        }
        script.push_str("except OSError as e:\n say('failed',e.args[0])\nsay('end')\n");
        let limits = Limits::default().time(LIMIT);
        let output = self.session.execute(script.as_bytes(), &limits)?;
        let text = output.text_lossy();
        let lines = text.lines().filter_map(|line| {
            let at = line.find(MARK)?;
            line.get(at + MARK.len()..)
                .map(|rest| rest.trim().to_owned())
        });
        Ok(lines.collect())
    }

    fn failed(&self, errno: u32, offset: Option<u64>) -> SaveError {
        SaveError::OnCamera {
            file: self.path.to_owned(),
            errno,
            offset,
        }
    }

    /// The folder it starts from, and whether the file is there already.
    fn probe(&self) -> Result<Option<OnCamera>, Error> {
        let path = literal(self.path);
        let said = self.script(&format!("{UNFINISHED}\nsay('is',h(b+{path}))"))?;
        let folder = word(&said, "where").filter(|_| said.last().is_some_and(|line| line == "end"));
        Ok(folder.map(|folder| OnCamera {
            folder: folder.to_owned(),
            unchanged: word(&said, "is") == Some(self.wanted),
        }))
    }

    /// Writes the temporary file.
    fn fill(&self) -> Result<(), Error> {
        let name = literal(&self.temporary);
        let count = pieces(self.content).count();
        for (number, piece) in pieces(self.content).enumerate() {
            let mode = if number == 0 { "wb" } else { "ab" };
            let mut lines = format!("f=open(b+{name},'{mode}')\n");
            for part in piece.chunks(768) {
                let _ = writeln!(lines, "f.write(d(b'{}'))", BASE64.encode(part));
            }
            lines.push_str("f.flush()\nf.close()\ns()");
            if number + 1 == count {
                let _ = write!(lines, "\nsay('is',h(b+{name}))");
            }
            let said = self.script(&lines)?;
            let whole = number + 1 < count || word(&said, "is") == Some(self.wanted);
            self.well(&self.temporary, &said, whole)?;
        }
        Ok(())
    }

    /// Removes the old file, and gives the new one its name at once.
    fn put_in_place(&self) -> Result<(), Error> {
        let (name, path) = (literal(&self.temporary), literal(self.path));
        let said = self.script(&format!(
            "try:\n os.remove(b+{path})\nexcept OSError as e:\n if e.args[0]!=2:\n  raise\n\
             os.rename(b+{name},b+{path})\ns()\nsay('is',h(b+{path}))"
        ))?;
        self.well(self.path, &said, word(&said, "is") == Some(self.wanted))
    }

    /// Whether a script did what it should.
    fn well(&self, name: &str, said: &[String], whole: bool) -> Result<(), Error> {
        match failure(said) {
            // Nothing is to be learned from reading it back.
            Some(errno @ 28) => Err(self.failed(errno, None).into()),
            Some(errno) => Err(self.other(name, Some(errno))),
            None if said.last().is_none_or(|line| line != "end") => Err(Error::Gone {
                doing: "saving a file on the camera".into(),
            }),
            None if whole => Ok(()),
            None => Err(self.other(name, None)),
        }
    }

    /// Where what is there differs from what was written, as exactly as the camera can say.
    fn other(&self, name: &str, errno: Option<u32>) -> Error {
        let offset = self.differs(name).ok().flatten();
        match errno {
            Some(errno) => self.failed(errno, offset).into(),
            None => SaveError::Returned {
                file: self.path.to_owned(),
                offset: offset.unwrap_or(0),
            }
            .into(),
        }
    }

    /// The first byte that differs or cannot be read.
    fn differs(&self, name: &str) -> Result<Option<u64>, Error> {
        let name = literal(name);
        let said = self.script(&format!(
            "import time\nf=open(b+{name},'rb')\nwhile True:\n c=f.read({BLOCK})\n if not c:\n  break\n \
             say('block',str(x(hashlib.sha256(c).digest()),'ascii')[:8])\n time.sleep_ms(2)"
        ))?;
        let blocks = said.iter().filter_map(|line| line.strip_prefix("block "));
        let mut blocks = blocks.map(str::trim);
        for (number, mine) in self.content.chunks(BLOCK).enumerate() {
            let mine_hash = hash(mine);
            let at = (number * BLOCK) as u64;
            match blocks.next() {
                Some(block) if mine_hash.starts_with(block) && block.len() == 8 => {}
                Some(_) => return Ok(Some(at + self.inside(&name, at, mine)?)),
                None => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    /// The first byte that differs inside a block.
    fn inside(&self, name: &str, at: u64, mine: &[u8]) -> Result<u64, Error> {
        let said = self.script(&format!(
            "import time\nf=open(b+{name},'rb')\nf.seek({at})\nfor i in range({}):\n \
             say('bytes',str(x(f.read(64)),'ascii'))\n time.sleep_ms(2)",
            BLOCK / 64
        ))?;
        let there: String = said
            .iter()
            .filter_map(|line| line.strip_prefix("bytes "))
            .map(str::trim)
            .collect();
        let mine = HEXLOWER.encode(mine);
        let same = mine.bytes().zip(there.bytes()).take_while(|(a, b)| a == b);
        Ok(same.count() as u64 / 2)
    }
}

/// The file in pieces; an empty one is one empty piece.
fn pieces(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = content.is_empty().then_some(content);
    empty.into_iter().chain(content.chunks(PIECE))
}

fn word<'s>(said: &'s [String], first: &str) -> Option<&'s str> {
    said.iter().find_map(|line| {
        let (word, rest) = line.split_once(' ')?;
        (word == first).then_some(rest.trim())
    })
}

/// The number of the `OSError` that ended a script.
fn failure(said: &[String]) -> Option<u32> {
    let number = word(said, "failed")?;
    Some(number.parse().unwrap_or(0))
}

/// Text as Python writes it.
fn literal(text: &str) -> String {
    let mut out = String::from("'");
    for letter in text.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' | '/' => out.push(letter),
            other => {
                let _ = write!(out, "\\U{:08x}", u32::from(other));
            }
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(literal("lib/a'b\n.py"), "'lib/a\\U00000027b\\U0000000a.py'");
    }
}
