//! Memories for the devices under test: small, and strict about what flash cannot do.

use std::time::Duration;

use omv_wire::dfu::dfuse::{Layout, Memory, Page};
use omv_wire::dfu::{Outcome, Partition, Partitions, Status};

pub const MS: Duration = Duration::from_millis(1);

/// Partitions whose sectors are erased when a block starts one, and refuse to be written twice.
#[derive(Clone, Debug)]
pub struct Bootloader {
    pub table: Vec<Partition>,
    pub bytes: Vec<Vec<u8>>,
    pub sector: u32,
    pub erase: Duration,
    pub unlocked: Vec<u8>,
    pub manifests: u32,
    pub unreadable: bool,
}

impl Bootloader {
    /// `BOOT` (read-only), `FIRMWARE` and `ROMFS0`, with sectors of two blocks.
    pub fn new() -> Self {
        let part = |name: &str, size: u32, read_only| Partition {
            name: name.to_owned(),
            size,
            read_only,
            poll: Duration::ZERO,
        };
        let table = vec![
            part("BOOT", 8192, true),
            part("FIRMWARE", 32_768, false),
            part("ROMFS0", 16_384, false),
        ];
        let bytes = table
            .iter()
            .enumerate()
            .map(|(i, p)| vec![0xA0 + i as u8; p.size as usize])
            .collect();
        Self {
            table,
            bytes,
            sector: 8192,
            erase: 900 * MS,
            unlocked: Vec::new(),
            manifests: 0,
            unreadable: false,
        }
    }
}

impl Partitions for Bootloader {
    fn table(&self) -> &[Partition] {
        &self.table
    }

    fn read(&mut self, _now: Duration, alternate: u8, offset: u32, size: u16) -> Option<Vec<u8>> {
        if self.unreadable {
            return None;
        }
        let (start, end) = (offset as usize, offset as usize + size as usize);
        Some(self.bytes[alternate as usize][start..end].to_vec())
    }

    fn write(&mut self, _now: Duration, alternate: u8, offset: u32, bytes: &[u8]) -> Outcome {
        let memory = &mut self.bytes[alternate as usize];
        let mut takes = MS;
        let start = offset as usize;
        if offset.is_multiple_of(self.sector) {
            let end = memory.len().min(start + self.sector as usize);
            memory[start..end].fill(0xFF);
            takes += self.erase;
        }
        for (to, from) in memory[start..start + bytes.len()].iter_mut().zip(bytes) {
            if *to != 0xFF && *from != *to {
                return Outcome::refused(Status::WRITE);
            }
            *to = *from;
        }
        Outcome::after(takes)
    }

    fn unlock(&mut self, alternate: u8) {
        assert!(usize::from(alternate) < self.table.len());
        self.unlocked.push(alternate);
    }

    fn manifest(&mut self, _now: Duration, alternate: u8) -> Outcome {
        assert!(usize::from(alternate) < self.table.len());
        self.manifests += 1;
        Outcome::DONE
    }
}

/// Addressed flash: writing clears bits only, erasing takes time.
#[derive(Clone, Debug)]
pub struct Chip {
    pub layouts: Vec<Layout>,
    pub start: u32,
    pub bytes: Vec<u8>,
    pub protected: bool,
    pub erase: Duration,
    pub erased: Vec<u32>,
    pub cut_short: u32,
    pub fails: bool,
}

impl Chip {
    /// Flash at 08000000 with this list of segments.
    pub fn new(segments: &str) -> Self {
        let text = format!("@Internal Flash   /0x08000000/{segments}");
        let layout = Layout::parse(&text).unwrap();
        let size: u64 = layout.regions[0].segments.iter().map(|s| s.bytes()).sum();
        Self {
            layouts: vec![layout],
            start: 0x0800_0000,
            bytes: vec![0x00; size as usize],
            protected: false,
            erase: 900 * MS,
            erased: Vec::new(),
            cut_short: 0,
            fails: false,
        }
    }

    fn at(&mut self, address: u32, size: usize) -> &mut [u8] {
        let start = (address - self.start) as usize;
        &mut self.bytes[start..start + size]
    }
}

impl Memory for Chip {
    fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    fn is_protected(&self) -> bool {
        self.protected
    }

    fn read(&mut self, _now: Duration, address: u32, size: u16) -> Result<Vec<u8>, Status> {
        Ok(self.at(address, size.into()).to_vec())
    }

    fn write(&mut self, _now: Duration, address: u32, bytes: &[u8]) -> Outcome {
        if self.fails {
            return Outcome::refused(Status::PROGRAM);
        }
        for (to, from) in self.at(address, bytes.len()).iter_mut().zip(bytes) {
            *to &= *from;
        }
        Outcome::after(MS)
    }

    fn erase(&mut self, _now: Duration, page: Page) -> Outcome {
        self.erased.push(page.start);
        self.at(page.start, page.size as usize).fill(0xFF);
        Outcome::after(self.erase)
    }

    fn erase_all(&mut self, _now: Duration, _alternate: u8) -> Outcome {
        self.bytes.fill(0xFF);
        Outcome::after(self.erase * 16)
    }

    fn cut_short(&mut self, _now: Duration) {
        self.cut_short += 1;
    }
}
