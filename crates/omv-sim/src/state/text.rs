//! The text at the end of a state file: what a camera is, and which sectors the file holds.

use omv_boards::Board;

use super::{RT1062, TEXT_SIZE};
use crate::dfu::chip::{self as boards, Revision};
use crate::nor::SECTOR;
use crate::rt1062::chip::{FLASH_SIZE, FUSE_WORDS};

/// Sectors that one line speaks of.
const LINE_SECTORS: usize = 256;

/// Which camera a file is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Rt1062,
    Board(&'static Board),
}

impl Kind {
    /// Reads the first line.
    fn of(line: &str) -> Option<Self> {
        let name = line.strip_prefix("omv-sim ")?.strip_suffix(" state 1")?;
        if name == RT1062 {
            return Some(Self::Rt1062);
        }
        let board = omv_boards::by_name(name).filter(|board| board.name == name)?;
        let exists = board.dfu.is_some() || board.mcuboot.is_some();
        exists.then_some(Self::Board(board))
    }

    /// Bytes of flash.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Rt1062 => FLASH_SIZE as usize,
            Self::Board(board) => boards::flash_size(board),
        }
    }

    pub(super) fn sectors(self) -> usize {
        self.size() / SECTOR
    }
}

/// The text of a state file, read.
pub(super) struct Text {
    pub(super) kind: Kind,
    pub(super) fuses: [u32; FUSE_WORDS],
    pub(super) uid: [u8; 12],
    pub(super) revision: Revision,
    pub(super) jumper: bool,
    pub(super) kept: Vec<bool>,
}

/// Reads the text.
pub(super) fn parse(text: &str) -> Result<Text, String> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let kind = lines.next().and_then(Kind::of);
    let kind = kind.ok_or("its text does not begin as it should")?;
    let mut read = Text {
        kind,
        fuses: [0; FUSE_WORDS],
        uid: [0; 12],
        revision: Revision::default(),
        jumper: false,
        kept: vec![false; kind.sectors()],
    };
    let mut jumper = None;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let understood = match (words.as_slice(), kind) {
            (["jumper", "on"], _) => jumper.replace(true).is_none(),
            (["jumper", "off"], _) => jumper.replace(false).is_none(),
            (["fuse", index, word], Kind::Rt1062) => {
                set_fuse(&mut read.fuses, index, word).is_some()
            }
            (["uid", uid], Kind::Board(_)) => set_uid(&mut read.uid, uid).is_some(),
            (["revision", "y"], Kind::Board(_)) => {
                read.revision = Revision::Y;
                true
            }
            (["sectors", first, bits], _) => set_kept(&mut read.kept, first, bits).is_some(),
            _ => false,
        };
        if !understood {
            return Err(format!("its text has the line {line:?}"));
        }
    }
    read.jumper = jumper.ok_or("its text is cut off")?;
    Ok(read)
}

fn set_uid(uid: &mut [u8; 12], hex: &str) -> Option<()> {
    if hex.len() != 24 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in uid.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(())
}

fn set_fuse(fuses: &mut [u32; FUSE_WORDS], index: &str, word: &str) -> Option<()> {
    let index = usize::from_str_radix(index, 16).ok()?;
    *fuses.get_mut(index)? = u32::from_str_radix(word, 16).ok()?;
    Some(())
}

fn set_kept(kept: &mut [bool], first: &str, bits: &str) -> Option<()> {
    let first = usize::from_str_radix(first, 16).ok()?;
    if bits.len() != LINE_SECTORS / 4 || !bits.is_ascii() || first >= kept.len() {
        return None;
    }
    for at in 0..LINE_SECTORS / 8 {
        let byte = u8::from_str_radix(&bits[2 * at..2 * at + 2], 16).ok()?;
        for bit in (0..8).filter(|bit| byte >> bit & 1 != 0) {
            *kept.get_mut(first + 8 * at + bit)? = true;
        }
    }
    Some(())
}

/// Writes the text.
pub(super) fn text(name: &str, lines: &str, jumper: bool, kept: &[bool]) -> Vec<u8> {
    let jumper = if jumper { "on" } else { "off" };
    let mut text = format!("omv-sim {name} state 1\njumper {jumper}\n{lines}");
    for (number, line) in kept.chunks(LINE_SECTORS).enumerate() {
        if line.contains(&true) {
            text += &format!("sectors {:04x} ", number * LINE_SECTORS);
            for at in 0..LINE_SECTORS / 8 {
                let eight = line.iter().skip(8 * at).take(8).enumerate();
                let byte = eight.fold(0_u8, |byte, (bit, kept)| byte | u8::from(*kept) << bit);
                text += &format!("{byte:02x}");
            }
            text.push('\n');
        }
    }
    let mut bytes = text.into_bytes();
    bytes.resize(TEXT_SIZE, b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most any camera of these kinds can have in its text.
    fn longest(kind: Kind) -> (String, String) {
        match kind {
            Kind::Rt1062 => {
                let fuse = |index| format!("fuse {index:02x} ffffffff\n");
                (RT1062.to_owned(), (0..FUSE_WORDS).map(fuse).collect())
            }
            Kind::Board(board) => {
                let lines = format!("uid {}\nrevision y\n", "ab".repeat(12));
                (board.name.clone(), lines)
            }
        }
    }

    #[test]
    fn the_longest_text_fits_and_comes_back() {
        let boards = omv_boards::all().iter();
        let boards = boards.filter(|board| board.dfu.is_some() || board.mcuboot.is_some());
        for kind in boards.map(Kind::Board).chain([Kind::Rt1062]) {
            let mut kept = vec![true; kind.sectors()];
            kept[9] = false;
            let (name, lines) = longest(kind);
            let bytes = text(&name, &lines, true, &kept);
            assert_eq!(bytes.len(), TEXT_SIZE);
            assert_eq!(bytes.last(), Some(&b'\n'), "nothing was cut off of {name}");
            let read = parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
            assert!(read.jumper && read.kept == kept, "{name}");
            match read.kind {
                Kind::Rt1062 => assert_eq!(read.fuses, [u32::MAX; FUSE_WORDS]),
                Kind::Board(_) => assert_eq!((read.uid, read.revision), ([0xAB; 12], Revision::Y)),
            }
        }
    }

    #[test]
    fn text_that_is_not_ours_is_refused() {
        const HEAD: &str = "omv-sim rt1062 state 1";
        let good = format!("{HEAD}\njumper off\n");
        assert!(parse(&good).is_ok());
        for line in [
            "fuse 40 1",
            "fuse 0 zz",
            "uid 000000000000000000000000",
            "sectors 1000 00",
            "sectors ffffffffffffffff 00",
            "jumper on",
            "colour red",
        ] {
            assert!(parse(&format!("{good}{line}\n")).is_err(), "{line}");
        }
        for head in [HEAD, "", "omv-sim RPI_PICO state 1", "omv-sim h7 state 1"] {
            assert!(parse(head).is_err(), "{head}");
        }
        assert!(parse("omv-sim OPENMV4 state 1\njumper off\nuid 00\n").is_err());
    }
}
