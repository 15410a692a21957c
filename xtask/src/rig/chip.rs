//! What a virtual camera holds, read from the file it is kept in by a reader of its own.
//!
//! Layout: 16 MiB of flash, then 4096 bytes of text; in its lines `sectors NUMBER BITS` each byte
//! of BITS stands for eight sectors from NUMBER on, lowest bit first. A sector whose bit is not
//! set is blank. Source: omv-sim, the module `state`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Where the chip lies in the processor's memory.
const BASE: usize = 0x6000_0000;
const SIZE: usize = 16 << 20;
const SECTOR: usize = 4096;

/// A chip and the fuses beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    flash: Vec<u8>,
    fuses: Vec<String>,
}

impl Chip {
    /// Reads a camera's file.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = fs::read(path).with_context(|| format!("no {name}"))?;
        Self::parse(&bytes).with_context(|| format!("{name} is no camera"))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let (cells, text) = bytes.split_at_checked(SIZE).context("too short")?;
        let text = std::str::from_utf8(text)?;
        ensure!(text.starts_with("omv-sim rt1062 state 1\n"), "another head");
        let mut flash = vec![0xFF; SIZE];
        let mut fuses = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["sectors", first, bits] => {
                    let first = usize::from_str_radix(first, 16)?;
                    for (at, pair) in bits.as_bytes().chunks(2).enumerate() {
                        let byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
                        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                            let start = (first + 8 * at + bit) * SECTOR;
                            let range = start..start + SECTOR;
                            let from = cells.get(range.clone()).context("no such sector")?;
                            flash[range].copy_from_slice(from);
                        }
                    }
                }
                ["fuse", ..] => fuses.push(line.to_owned()),
                _ => {}
            }
        }
        Ok(Self { flash, fuses })
    }

    /// Erases whole sectors, as a loader does: the start rounded down, the end up.
    pub fn erase(&mut self, address: usize, size: usize) {
        let start = (address - BASE) / SECTOR * SECTOR;
        let end = (address - BASE + size).next_multiple_of(SECTOR);
        self.flash[start..end].fill(0xFF);
    }

    /// Writes what must be blank there.
    pub fn write(&mut self, address: usize, bytes: &[u8]) {
        self.flash[address - BASE..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Demands that another holds the same.
    ///
    /// # Errors
    /// With the first address at which it does not.
    pub fn agrees(&self, other: &Self) -> Result<()> {
        // The running firmware formats its disk when it starts: what is there is the firmware's.
        let disk = 0x6040_0000 - BASE..0x6080_0000 - BASE;
        let pairs = self.flash.iter().zip(&other.flash).enumerate();
        let mut differs = pairs.filter(|(at, (one, other))| one != other && !disk.contains(at));
        if let Some((at, _)) = differs.next() {
            let (wanted, found) = (self.flash[at], other.flash[at]);
            anyhow::bail!(
                "the flash has {found:02x} at {:#x}, not {wanted:02x}",
                BASE + at
            );
        }
        ensure!(
            self.fuses == other.fuses,
            "the fuses are {:?}, not {:?}",
            other.fuses,
            self.fuses
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sectors: &str, cells: u8) -> Vec<u8> {
        let mut bytes = vec![cells; SIZE];
        let text = format!(
            "omv-sim rt1062 state 1\njumper off\nfuse 06 00000010\nsectors 0008 {sectors}\n"
        );
        bytes.extend(text.bytes().chain(std::iter::repeat(b'\n')).take(4096));
        bytes
    }

    #[test]
    fn only_the_sectors_that_are_named_are_read() {
        let chip = Chip::parse(&file("0100", 7)).unwrap();
        assert!(chip.flash[8 * SECTOR..9 * SECTOR].iter().all(|b| *b == 7));
        assert_eq!(chip.flash[8 * SECTOR - 1], 0xFF);
        assert_eq!(chip.flash[9 * SECTOR], 0xFF);
        assert_eq!(chip.fuses, ["fuse 06 00000010"]);
        assert!(Chip::parse(&vec![0; SIZE + 4096]).is_err());
    }

    #[test]
    fn one_other_byte_is_told_by_its_address() {
        let chip = Chip::parse(&file("0100", 7)).unwrap();
        let mut other = Chip::parse(&file("0100", 7)).unwrap();
        chip.agrees(&other).unwrap();
        other.erase(BASE + 8 * SECTOR + 5, 1);
        other.write(BASE + 8 * SECTOR, &[7; SECTOR - 1]);
        let error = chip.agrees(&other).unwrap_err().to_string();
        assert_eq!(error, "the flash has ff at 0x60008fff, not 07");
    }
}
