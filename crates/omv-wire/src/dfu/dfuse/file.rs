//! DfuSe files: pieces of memory with their addresses, for one or more alternates.
//!
//! ```text
//!   "DfuSe" | 1 | size u32 | targets u8                                       11 bytes
//!     "Target" | alternate u8 | named u32 | name[255] | size u32 | elements u32   274 bytes
//!       address u32 | size u32 | data
//!   suffix                                                                    16 bytes
//! ```
//!
//! All numbers are little-endian. A target's size counts its elements with their heads. The size
//! in front counts everything but the suffix; dfuse-pack of dfu-util 0.10 and newer counts that
//! too.
//!
//! Source: STMicroelectronics UM0391; dfu-util dfuse-pack.py.

use crate::Malformed;
use crate::dfu::Suffix;

const PREFIX: usize = 11;
const TARGET: usize = 274;
const ELEMENT: usize = 8;
const NAME: usize = 255;

/// Data for one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Where they go.
    pub address: u32,
    /// What goes there.
    pub data: &'a [u8],
}

/// Everything for one alternate setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `bAlternateSetting`.
    pub alternate: u8,
    /// A name for people, at most 255 bytes; it comes from the file.
    pub name: Option<String>,
    /// What is to be written, in order.
    pub elements: Vec<Element<'a>>,
}

/// A whole file. The data stay where the file was read to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// What it is for.
    pub suffix: Suffix,
    /// What it holds.
    pub targets: Vec<Target<'a>>,
    /// Whether the size in front counts the suffix, as dfuse-pack has it and ST has not.
    pub counts_suffix: bool,
}

impl<'a> File<'a> {
    /// Whether a file claims to be one.
    #[must_use]
    pub fn is_one(file: &[u8]) -> bool {
        file.starts_with(b"DfuSe")
    }

    /// Reads a file, strictly: all counts must be right, and nothing may be left over.
    ///
    /// # Errors
    /// [`Malformed::Short`] when something is missing, [`Malformed::Checksum`] when it was
    /// damaged, [`Malformed::Field`] for everything else, a missing suffix included.
    pub fn read(file: &'a [u8]) -> Result<Self, Malformed> {
        let (content, suffix) = Suffix::split(file)?;
        let mut rest = content;
        let prefix = take::<PREFIX>(&mut rest)?;
        let [
            b'D',
            b'f',
            b'u',
            b'S',
            b'e',
            version,
            s0,
            s1,
            s2,
            s3,
            targets,
        ] = prefix
        else {
            return Err(wrong("DfuSe signature", 0u8));
        };
        if *version != 1 {
            return Err(wrong("DfuSe version", *version));
        }
        let suffix = suffix.ok_or(wrong("DFU suffix", 0u8))?;
        let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]);
        let is = |bytes: &[u8]| u32::try_from(bytes.len()) == Ok(size);
        if !is(content) && !is(file) {
            return Err(wrong("DfuSe size", size));
        }
        let mut found = Self {
            suffix,
            targets: Vec::new(),
            counts_suffix: !is(content),
        };
        for _ in 0..*targets {
            found.targets.push(target(&mut rest)?);
        }
        if !rest.is_empty() {
            return Err(wrong("DfuSe targets", *targets));
        }
        Ok(found)
    }

    /// Writes the file. Its suffix gets the version of DfuSe files.
    ///
    /// # Errors
    /// [`Malformed::Field`] for more than 255 targets, a name longer than 255 bytes or with a
    /// zero in it, or more bytes than 32 bits count.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let count = |size: usize| u32::try_from(size).map_err(|_| wrong("size", size as u64));
        let mut body = Vec::new();
        for target in &self.targets {
            let sizes = target.elements.iter().map(|one| ELEMENT + one.data.len());
            let size = count(sizes.sum())?;
            let mut name = target.name.clone().unwrap_or_default().into_bytes();
            if name.len() > NAME || name.contains(&0) {
                return Err(wrong("szTargetName", name.len() as u64));
            }
            name.resize(NAME, 0);
            body.extend(*b"Target");
            body.push(target.alternate);
            body.extend(u32::from(target.name.is_some()).to_le_bytes());
            body.extend(name);
            body.extend(size.to_le_bytes());
            body.extend(count(target.elements.len())?.to_le_bytes());
            for element in &target.elements {
                body.extend(element.address.to_le_bytes());
                body.extend(count(element.data.len())?.to_le_bytes());
                body.extend(element.data);
            }
        }
        let more = if self.counts_suffix { Suffix::LEN } else { 0 };
        let size = count(PREFIX + body.len() + more)?;
        let targets = u8::try_from(self.targets.len())
            .map_err(|_| wrong("DfuSe targets", self.targets.len() as u64))?;
        let mut file = b"DfuSe\x01".to_vec();
        file.extend(size.to_le_bytes());
        file.push(targets);
        file.extend(body);
        let suffix = Suffix {
            version: Suffix::DFUSE,
            ..self.suffix
        };
        suffix.append(&mut file);
        Ok(file)
    }
}

fn wrong(field: &'static str, value: impl Into<u64>) -> Malformed {
    let value = value.into();
    Malformed::Field { field, value }
}

/// Takes the next `N` bytes.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Malformed> {
    let Some((taken, left)) = rest.split_first_chunk() else {
        let got = rest.len();
        return Err(Malformed::Short { need: N, got });
    };
    *rest = left;
    Ok(taken)
}

/// Takes as many bytes as a field says.
fn take_counted<'a>(rest: &mut &'a [u8], size: u32) -> Result<&'a [u8], Malformed> {
    let need = usize::try_from(size).unwrap_or(usize::MAX);
    let got = rest.len();
    let (taken, left) = rest
        .split_at_checked(need)
        .ok_or(Malformed::Short { need, got })?;
    *rest = left;
    Ok(taken)
}

fn number(rest: &mut &[u8]) -> Result<u32, Malformed> {
    take(rest).map(|bytes| u32::from_le_bytes(*bytes))
}

fn target<'a>(rest: &mut &'a [u8]) -> Result<Target<'a>, Malformed> {
    let mut head: &[u8] = take::<TARGET>(rest)?;
    if take(&mut head)? != b"Target" {
        return Err(wrong("target signature", 0u8));
    }
    let [alternate] = *take(&mut head)?;
    let named = number(&mut head)?;
    let name: &[u8; NAME] = take(&mut head)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let size = number(&mut head)?;
    let count = number(&mut head)?;
    let mut body = take_counted(rest, size)?;
    let mut elements = Vec::new();
    // Each takes eight bytes at least, so the count cannot make this list longer than the file.
    for _ in 0..count {
        let address = number(&mut body)?;
        let size = number(&mut body)?;
        if u64::from(address) + u64::from(size) > 1 << 32 {
            return Err(wrong("dwElementSize", size));
        }
        let data = take_counted(&mut body, size)?;
        elements.push(Element { address, data });
    }
    if !body.is_empty() {
        return Err(wrong("dwNbElements", count));
    }
    Ok(Target {
        alternate,
        name: (named != 0).then(|| String::from_utf8_lossy(name).into_owned()),
        elements,
    })
}
