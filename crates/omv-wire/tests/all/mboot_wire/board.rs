//! A small RT1062 under a loader: RAM, a 16 MiB NOR flash, fuses, and the loaders' rules.
//!
//! Source: answers observed by executing both loaders shipped on every RT1062.

use std::collections::BTreeMap;
use std::time::Duration;

use omv_wire::mboot::{Outcome, Target, property, status};

const FLASH: u32 = 0x6000_0000;
const FLASH_SIZE: u32 = 0x0100_0000;
const PAGE: u32 = 256;
const SECTOR: u32 = 4096;

/// Which of the two loaders runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    Sbl,
    Flashloader,
}

pub struct Board {
    loader: Loader,
    configured: bool,
    pub fuse: u32,
    /// Pages that are not all zeros (RAM) or not blank (flash).
    pages: BTreeMap<u32, [u8; PAGE as usize]>,
    /// Bytes of a page not yet whole, and where they belong.
    page: Vec<u8>,
    end: u32,
    pub erase_takes: Duration,
}

impl Board {
    pub fn new(loader: Loader) -> Self {
        Self {
            loader,
            configured: loader == Loader::Sbl,
            fuse: 0x10,
            pages: BTreeMap::new(),
            page: Vec::new(),
            end: 0,
            erase_takes: Duration::ZERO,
        }
    }

    fn reserved(&self) -> [u32; 4] {
        match self.loader {
            Loader::Sbl => [0x6000_0000, 0x2000_8FFF, 0x2020_8000, 0x2020_D1FF],
            Loader::Flashloader => [0x2000_2000, 0x2001_734C, 0x2020_8000, 0x2021_63FF],
        }
    }

    fn is_ram(start: u32, size: u32) -> bool {
        let end = u64::from(start) + u64::from(size);
        [
            (0, 0x2_0000),
            (0x2000_0000, 0x2_0000),
            (0x2020_0000, 0xC_0000),
        ]
        .iter()
        .any(|(from, length)| u64::from(start) >= *from && end <= from + length)
    }

    fn is_flash(start: u32, size: u32) -> bool {
        start >= FLASH && u64::from(start) + u64::from(size) <= u64::from(FLASH + FLASH_SIZE)
    }

    /// Whether the range is memory that may be reached now.
    fn check(&self, start: u32, size: u32) -> Result<(), u32> {
        if Self::is_ram(start, size) {
            Ok(())
        } else if Self::is_flash(start, size) {
            let ready = self.configured.then_some(());
            ready.ok_or(status::MEMORY_NOT_CONFIGURED)
        } else {
            Err(status::MEMORY_RANGE_INVALID)
        }
    }

    pub fn peek(&self, start: u32, size: u32) -> Vec<u8> {
        let blank = if start < FLASH { 0 } else { 0xFF };
        let byte = |at: u32| {
            let page = self.pages.get(&(at / PAGE));
            page.map_or(blank, |page| page[(at % PAGE) as usize])
        };
        (start..start + size).map(byte).collect()
    }

    fn poke(&mut self, start: u32, bytes: &[u8]) {
        let blank = if start < FLASH { 0 } else { 0xFF };
        for (at, byte) in (start..).zip(bytes) {
            let page = self.pages.entry(at / PAGE);
            page.or_insert([blank; PAGE as usize])[(at % PAGE) as usize] = *byte;
        }
    }

    fn program(&mut self, page: u32, bytes: &[u8]) -> u32 {
        if !page.is_multiple_of(PAGE) {
            return status::FLEXSPI_NOR_ALIGNMENT;
        }
        if self.pages.contains_key(&(page / PAGE)) {
            return status::MEMORY_CUMULATIVE_WRITE;
        }
        self.poke(page, bytes);
        status::SUCCESS
    }

    /// Takes bytes of a write; whole pages of flash are programmed, the rest waits.
    fn take(&mut self, start: u32, bytes: &[u8]) -> u32 {
        if Self::is_ram(start, bytes.len() as u32) {
            self.poke(start, bytes);
            return status::SUCCESS;
        }
        if !self.configured {
            return status::MEMORY_NOT_CONFIGURED;
        }
        let mut at = start - self.page.len() as u32;
        let waiting = [std::mem::take(&mut self.page).as_slice(), bytes].concat();
        let pages = waiting.chunks_exact(PAGE as usize);
        self.page = pages.remainder().to_vec();
        for page in pages {
            let status = self.program(at, page);
            if status != status::SUCCESS {
                return status;
            }
            at += PAGE;
        }
        // The driver looks at the rest of the page when its first bytes come.
        if self.page.is_empty() {
            return status::SUCCESS;
        }
        let rest = std::mem::take(&mut self.page);
        if !at.is_multiple_of(PAGE) {
            return status::FLEXSPI_NOR_ALIGNMENT;
        }
        if self.pages.contains_key(&(at / PAGE)) {
            return status::MEMORY_CUMULATIVE_WRITE;
        }
        self.page = rest;
        self.end = at;
        status::SUCCESS
    }
}

impl Target for Board {
    fn get_property(&mut self, property: u32, index: u32) -> Result<Vec<u32>, u32> {
        let third = usize::try_from(index).unwrap();
        Ok(match property {
            property::CURRENT_VERSION => vec![0x4B02_0800],
            property::AVAILABLE_PERIPHERALS => match self.loader {
                Loader::Sbl => vec![0x10],
                Loader::Flashloader => vec![0x11],
            },
            property::AVAILABLE_COMMANDS => vec![0x0005_6FDF],
            property::VERIFY_WRITES => vec![1],
            property::RESERVED_REGIONS => self.reserved().to_vec(),
            property::RAM_START_ADDRESS => {
                vec![*[0, 0x2000_0000, 0x2020_0000].get(third).unwrap_or(&0)]
            }
            property::RAM_SIZE => vec![*[0x2_0000, 0x2_0000, 0xC_0000].get(third).unwrap_or(&0)],
            property::SYSTEM_DEVICE_ID => vec![0x1060],
            property::SECURITY_STATE => vec![0],
            property::TARGET_VERSION => vec![0x5401_0000],
            property::EXTERNAL_MEMORY_ATTRIBUTES => match index {
                9 if self.configured => vec![0x1F, FLASH, 0x4000, 0x100, 0x1000, 0x1_0000],
                8 | 9 | 0x100 | 0x101 | 0x110 | 0x120 | 0x121
                    if self.loader == Loader::Flashloader =>
                {
                    return Err(status::MEMORY_NOT_CONFIGURED);
                }
                _ => return Err(status::INVALID_ARGUMENT),
            },
            _ => return Err(status::UNKNOWN_PROPERTY),
        })
    }

    fn set_property(&mut self, property: u32, _value: u32) -> u32 {
        match self.get_property(property, 0) {
            Err(status::UNKNOWN_PROPERTY) => status::UNKNOWN_PROPERTY,
            _ => status::READ_ONLY_PROPERTY,
        }
    }

    fn erase(&mut self, start: u32, size: u32, _memory: u32) -> Outcome {
        if let Err(status) = self.check(start, size) {
            return Outcome::now(status);
        }
        if Self::is_ram(start, size) {
            return Outcome::now(status::MEMORY_NO_ERASE);
        }
        let first = start / SECTOR * SECTOR;
        let last = (start + size).div_ceil(SECTOR) * SECTOR;
        self.pages
            .retain(|page, _| !(first..last).contains(&(page * PAGE)));
        Outcome {
            status: status::SUCCESS,
            takes: self.erase_takes,
        }
    }

    fn erase_all(&mut self, memory: u32) -> Outcome {
        Outcome::now(if memory == 9 && self.configured {
            self.pages.retain(|page, _| page * PAGE < FLASH);
            status::SUCCESS
        } else {
            status::INVALID_ARGUMENT
        })
    }

    fn begin_write(&mut self, start: u32, size: u32, _memory: u32) -> Result<(), u32> {
        self.page.clear();
        let [_, _, from, to] = self.reserved();
        if (from..=to).contains(&start) {
            return Err(status::MEMORY_RANGE_INVALID);
        }
        match self.check(start, size) {
            // Unready flash is noticed when data come.
            Err(status::MEMORY_NOT_CONFIGURED) => Ok(()),
            other => other,
        }
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> Outcome {
        Outcome::now(self.take(start, bytes))
    }

    fn end_write(&mut self) -> Outcome {
        let rest = std::mem::take(&mut self.page);
        if !rest.is_empty() {
            self.poke(self.end, &rest);
        }
        Outcome::now(status::SUCCESS)
    }

    fn begin_read(&mut self, start: u32, size: u32, _memory: u32) -> Result<(), u32> {
        self.check(start, size)
    }

    fn read(&mut self, start: u32, size: u32) -> Result<Vec<u8>, u32> {
        Ok(self.peek(start, size))
    }

    fn fill(&mut self, start: u32, size: u32, pattern: u32) -> Outcome {
        if let Err(status) = self.begin_write(start, size, 0) {
            return Outcome::now(status);
        }
        let bytes = pattern.to_le_bytes().into_iter().cycle();
        let bytes: Vec<u8> = bytes.take(size as usize).collect();
        let status = self.take(start, &bytes);
        self.end_write();
        Outcome::now(status)
    }

    fn configure(&mut self, memory: u32, address: u32) -> Outcome {
        if memory != 9 || address == 0 || !Self::is_ram(address, 512) {
            return Outcome::now(status::INVALID_ARGUMENT);
        }
        let word = self.peek(address, 4);
        let word = u32::from_le_bytes(word.try_into().unwrap());
        Outcome::now(match word {
            0xF000_000F if self.configured => {
                if self.pages.contains_key(&(FLASH / PAGE)) {
                    status::MEMORY_CUMULATIVE_WRITE
                } else {
                    self.poke(FLASH, b"FCFB");
                    status::SUCCESS
                }
            }
            word if word >> 28 == 0xC => {
                self.configured = true;
                status::SUCCESS
            }
            _ => status::INVALID_ARGUMENT,
        })
    }

    fn read_fuse(&mut self, index: u32, count: u32) -> Result<Vec<u32>, u32> {
        if index > 0x3F || count != 4 {
            return Err(status::INVALID_ARGUMENT);
        }
        Ok(vec![if index == 6 { self.fuse } else { 0 }])
    }

    fn program_fuse(&mut self, index: u32, count: u32, words: &[u32]) -> Outcome {
        if index > 0x3F || count != 4 {
            return Outcome::now(status::INVALID_ARGUMENT);
        }
        // The stubbed fuse block takes nothing: bits that were clear stay clear.
        let wanted = words.first().copied().unwrap_or(0);
        let has = self.read_fuse(index, 4).unwrap()[0];
        Outcome::now(if wanted & !has == 0 {
            status::SUCCESS
        } else {
            status::OTP_PROGRAM_FAILURE
        })
    }

    fn execute(&mut self, address: u32, _argument: u32, _stack: u32) -> u32 {
        if address != 0 && self.check(address, 4).is_ok() {
            status::SUCCESS
        } else {
            status::INVALID_ARGUMENT
        }
    }

    fn call(&mut self, address: u32, argument: u32) -> Outcome {
        Outcome::now(self.execute(address, argument, 0))
    }
}
