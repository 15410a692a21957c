//! What the two loaders of an RT1062 do with memory, fuses and properties.
//!
//! Answers as observed by executing the resident bootloader ("SBL") and the flashloader that are
//! shipped on every RT1062; the differences between them are in [`Loader`].

use std::time::Duration;

use omv_wire::mboot::{Outcome, Target, property, status};

use super::chip::{Chip, FLASH, FLASH_SIZE};
use super::sample::{IVT_WORD, flash_configuration};
use crate::nor::{PAGE, SECTOR};

/// Which loader runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// The resident one, in flash: the ROM has set the flash up for it.
    Sbl,
    /// The one the ROM put into RAM: it must be told what flash there is.
    Flashloader,
}

/// First address and size of each RAM: ITCM, DTCM, OCRAM.
const RAMS: [(u32, u32); 3] = [
    (0, 0x2_0000),
    (0x2000_0000, 0x2_0000),
    (0x2020_0000, 0xC_0000),
];
/// Ids and sizes in bytes of memories that the flashloader has drivers for and a camera has not.
/// Cards have no size before they are found.
const EXTERNAL: [(u32, u32); 5] = [
    (0x100, 0x800_0000),
    (0x101, 0x800_0000),
    (0x110, 0x100_0000),
    (0x120, 0),
    (0x121, 0),
];
/// Bytes of a block of a file of commands.
const SB_BLOCK: usize = 16;
/// Where an image without a second stage of its own would be started.
const OWN_ENTRY: u32 = 0x2000_2401;
/// Memory id of the FlexSPI NOR.
const NOR_ID: u32 = 9;
/// End of the address window of FlexSPI, in which ranges are accepted before set-up.
const WINDOW_END: u32 = 0x7000_0000;
/// Status of the driver of another memory when it sees an option word that is not its own.
const SEMC_INVALID_TAG: u32 = 21116;
/// Status for the erase command no host may send to the SBL.
const ERASE_FAILED: u32 = 20101;
/// How long burning one fuse word takes.
const FUSE_TIME: Duration = Duration::from_millis(2);

/// The memory of one run of a loader.
pub struct Memory {
    chip: Chip,
    loader: Loader,
    configured: bool,
    rams: [Vec<u8>; 3],
    /// Flash bytes that do not fill a page yet, and where that page starts.
    page: Vec<u8>,
    page_start: u32,
    /// The memory id of the read or write under way.
    memory: u32,
    /// The block of a file of commands that is being filled, and how many were before it.
    sb_block: Vec<u8>,
    sb_blocks: u32,
    /// When the flash will have done everything asked for.
    busy: Duration,
}

impl Memory {
    /// Memory of a loader that just started.
    pub fn new(chip: Chip, loader: Loader) -> Self {
        let rams = RAMS.map(|(_, size)| vec![0; size as usize]);
        let configured = loader == Loader::Sbl;
        let (page, busy) = (Vec::new(), Duration::ZERO);
        Self {
            chip,
            loader,
            configured,
            rams,
            page,
            page_start: 0,
            memory: 0,
            sb_block: Vec::new(),
            sb_blocks: 0,
            busy,
        }
    }

    /// Which loader this is.
    pub fn loader(&self) -> Loader {
        self.loader
    }

    /// First and last addresses of what the loader says it keeps for itself. The resident one
    /// says where it lies in flash and means where it runs, so its first pair is the wrong way
    /// round and protects nothing.
    fn reserved(&self) -> [u32; 4] {
        match self.loader {
            Loader::Sbl => [0x6000_0000, 0x2000_8FFF, 0x2020_8000, 0x2020_D1FF],
            Loader::Flashloader => [0x2000_2000, 0x2001_734C, 0x2020_8000, 0x2021_63FF],
        }
    }

    /// Whether a write would touch what the loader keeps for itself.
    fn is_reserved(&self, start: u32, size: u32) -> bool {
        let last = start.wrapping_add(size).wrapping_sub(1);
        let [low, low_end, high, high_end] = self.reserved();
        start <= low_end && low <= last || start <= high_end && high <= last
    }

    /// The RAM that holds a whole range, and the offset in it.
    fn ram(&self, start: u32, size: u32) -> Option<(usize, usize)> {
        let at = RAMS
            .iter()
            .position(|(base, length)| within(start, size, *base, base + length - 1))?;
        Some((at, (start - RAMS[at].0) as usize))
    }

    /// Whether a range lies in the flash, as far as the loader knows it.
    fn in_flash(&self, start: u32, size: u32) -> bool {
        let end = if self.configured {
            FLASH + FLASH_SIZE
        } else {
            WINDOW_END
        };
        within(start, size, FLASH, end - 1)
    }

    /// Whether something can be done to a range of a memory.
    fn check(&self, start: u32, size: u32, memory: u32) -> Result<(), u32> {
        let external = |(id, _): &&(u32, u32)| self.loader == Loader::Flashloader && *id == memory;
        // No other bits of an id are looked at before it is searched for.
        match (memory >> 8) & 0xF {
            0 if self.ram(start, size).is_some() => Ok(()),
            0 if self.in_flash(start, size) => self
                .configured
                .then_some(())
                .ok_or(status::MEMORY_NOT_CONFIGURED),
            1 => match EXTERNAL.iter().find(external) {
                Some((_, bytes)) if start.wrapping_add(size) <= *bytes => {
                    Err(status::MEMORY_NOT_CONFIGURED)
                }
                _ => Err(status::MEMORY_RANGE_INVALID),
            },
            _ => Err(status::MEMORY_RANGE_INVALID),
        }
    }

    /// The outcome of flash work that will end at `end`.
    fn until(&mut self, end: Duration) -> Outcome {
        let now = self.chip.lock().now;
        let from = self.busy.max(now);
        self.busy = end.max(from);
        Outcome {
            status: status::SUCCESS,
            takes: self.busy - from,
        }
    }

    /// Programs the page that was collected; the rest of it is FF.
    fn program_page(&mut self) -> Outcome {
        let bytes = std::mem::take(&mut self.page);
        let offset = (self.page_start - FLASH) as usize;
        self.page_start += PAGE as u32;
        let end = {
            let mut parts = self.chip.lock();
            if !parts.nor.is_blank(offset..offset + PAGE) {
                return Outcome::now(status::MEMORY_CUMULATIVE_WRITE);
            }
            let now = parts.now;
            parts.nor.program(now, offset, &bytes)
        };
        self.until(end)
    }

    fn erase_sectors(&mut self, first: usize, count: usize) -> Outcome {
        let end = {
            let mut parts = self.chip.lock();
            let now = parts.now;
            let mut end = now;
            for sector in first..first + count {
                end = parts.nor.erase(now, sector);
            }
            end
        };
        let outcome = self.until(end);
        let parts = self.chip.lock();
        // The loaders look whether what they erased is blank.
        let blank = (first..first + count).all(|sector| parts.nor.can_erase(sector));
        Outcome {
            status: if blank {
                outcome.status
            } else {
                status::FLEXSPI_NOR_COMMAND_FAILURE
            },
            ..outcome
        }
    }

    /// The first word of an option block, if it may lie there: where code may lie.
    fn option_word(&self, address: u32) -> Option<u32> {
        if address == 0 {
            return None;
        }
        if let Some((ram, at)) = self.ram(address, 0x200) {
            let word = self.rams[ram].get(at..at + 4)?;
            return Some(u32::from_le_bytes(word.try_into().ok()?));
        }
        let in_flash = self.configured && self.in_flash(address, 0x200);
        in_flash.then(|| self.chip.lock().nor.word((address - FLASH) as usize))
    }

    /// Writes the block that tells the ROM how to reach the flash.
    fn write_boot_block(&mut self) -> Outcome {
        let block = flash_configuration();
        let end = {
            let mut parts = self.chip.lock();
            if !parts.nor.is_blank(0..block.len()) {
                return Outcome::now(status::MEMORY_CUMULATIVE_WRITE);
            }
            let now = parts.now;
            let mut end = now;
            for (index, page) in block.chunks(PAGE).enumerate() {
                end = parts.nor.program(now, index * PAGE, page);
            }
            end
        };
        self.until(end)
    }

    /// Whether the loader goes there when it is told to.
    fn is_code(&self, address: u32) -> bool {
        let place = self.ram(address, 2).is_some() || self.configured && self.in_flash(address, 2);
        !matches!(address, 0 | u32::MAX | OWN_ENTRY) && place
    }

    fn attributes(&self, memory: u32) -> Result<Vec<u32>, u32> {
        match (memory, self.loader) {
            (NOR_ID, _) if self.configured => Ok(vec![
                0x1F,
                FLASH,
                FLASH_SIZE / 1024,
                PAGE as u32,
                SECTOR as u32,
                0x1_0000,
            ]),
            (NOR_ID, _) => Err(status::MEMORY_NOT_CONFIGURED),
            (8 | 0x100 | 0x101 | 0x110 | 0x120 | 0x121, Loader::Flashloader) => {
                Err(status::MEMORY_NOT_CONFIGURED)
            }
            _ => Err(status::INVALID_ARGUMENT),
        }
    }
}

impl Target for Memory {
    fn get_property(&mut self, tag: u32, index: u32) -> Result<Vec<u32>, u32> {
        let sbl = self.loader == Loader::Sbl;
        let ram = RAMS[if index < 3 { index as usize } else { 0 }];
        let fuses = self.chip.lock().fuses;
        Ok(match tag {
            property::CURRENT_VERSION => vec![0x4B02_0800],
            property::AVAILABLE_PERIPHERALS => vec![if sbl { 0x10 } else { 0x11 }],
            property::AVAILABLE_COMMANDS => vec![0x0005_6FDF],
            property::VERIFY_WRITES => vec![1],
            property::RESERVED_REGIONS => self.reserved().to_vec(),
            property::RAM_START_ADDRESS => vec![ram.0],
            property::RAM_SIZE => vec![ram.1],
            property::SYSTEM_DEVICE_ID => vec![0x1060],
            property::SECURITY_STATE => vec![(fuses[6] >> 1) & 1],
            property::UNIQUE_DEVICE_ID => vec![fuses[1], fuses[2]],
            property::TARGET_VERSION => vec![0x5401_0000],
            property::EXTERNAL_MEMORY_ATTRIBUTES => self.attributes(index)?,
            _ => return Err(status::UNKNOWN_PROPERTY),
        })
    }

    fn set_property(&mut self, tag: u32, _value: u32) -> u32 {
        // The security state is the one property that can be read and is not known here.
        let known = self.get_property(tag, 0) != Err(status::UNKNOWN_PROPERTY)
            && tag != property::SECURITY_STATE;
        if known || tag == property::MAX_PACKET_SIZE {
            status::READ_ONLY_PROPERTY
        } else {
            status::UNKNOWN_PROPERTY
        }
    }

    fn erase(&mut self, start: u32, size: u32, memory: u32) -> Outcome {
        if size == 0 && (memory >> 8) & 0xF <= 1 {
            return Outcome::now(status::SUCCESS);
        }
        if let Err(refused) = self.check(start, size, memory) {
            return Outcome::now(refused);
        }
        if self.ram(start, size).is_some() {
            return Outcome::now(status::MEMORY_NO_ERASE);
        }
        let first = (start - FLASH) as usize / SECTOR;
        // A size that goes around the address space can end before it starts.
        let end = start.wrapping_add(size).saturating_sub(FLASH);
        let end = (end as usize).div_ceil(SECTOR);
        self.erase_sectors(first, end.saturating_sub(first))
    }

    fn erase_all(&mut self, memory: u32) -> Outcome {
        match (self.loader, memory) {
            (Loader::Sbl, NOR_ID) => {
                self.chip.lock().misused = Some("flash-erase-all 9 was sent to the SBL");
                Outcome::now(ERASE_FAILED)
            }
            (Loader::Flashloader, NOR_ID) if self.configured => {
                self.erase_sectors(0, FLASH_SIZE as usize / SECTOR)
            }
            (Loader::Flashloader, 8 | NOR_ID) => Outcome::now(status::MEMORY_NOT_CONFIGURED),
            _ => Outcome::now(status::INVALID_ARGUMENT),
        }
    }

    fn begin_write(&mut self, start: u32, size: u32, memory: u32) -> Result<(), u32> {
        self.page.clear();
        self.page_start = start;
        self.memory = memory;
        if size == 0 {
            return Ok(());
        }
        if (memory >> 8) & 0xF == 0 && self.is_reserved(start, size) {
            return Err(status::MEMORY_RANGE_INVALID);
        }
        // A memory that is not set up is found out only when data come.
        match self.check(start, size, memory) {
            Err(status::MEMORY_NOT_CONFIGURED) => Ok(()),
            other => other,
        }
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> Outcome {
        if let Err(refused) = self.check(start, bytes.len() as u32, self.memory) {
            return Outcome::now(refused);
        }
        if let Some((ram, at)) = self.ram(start, bytes.len() as u32) {
            self.rams[ram][at..at + bytes.len()].copy_from_slice(bytes);
            return Outcome::now(status::SUCCESS);
        }
        if !self.page_start.is_multiple_of(PAGE as u32) {
            return Outcome::now(status::FLEXSPI_NOR_ALIGNMENT);
        }
        let mut total = Outcome::now(status::SUCCESS);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (fits, later) = rest.split_at((PAGE - self.page.len()).min(rest.len()));
            self.page.extend_from_slice(fits);
            rest = later;
            if self.page.len() == PAGE {
                let page = self.program_page();
                total.takes += page.takes;
                if page.status != status::SUCCESS {
                    total.status = page.status;
                    return total;
                }
            }
        }
        total
    }

    fn end_write(&mut self) -> Outcome {
        if self.page.is_empty() {
            Outcome::now(status::SUCCESS)
        } else {
            self.program_page()
        }
    }

    /// A block that was left half filled is filled on by the next file, as the real ones do it.
    fn begin_sb_file(&mut self) -> bool {
        self.page.clear();
        self.sb_blocks = 0;
        true
    }

    /// The second block of such a file has its signature. There is no key in a camera, so no file
    /// would be taken that has it.
    fn sb_file(&mut self, bytes: &[u8]) -> Outcome {
        for byte in bytes {
            self.sb_block.push(*byte);
            if self.sb_block.len() == SB_BLOCK {
                self.sb_block.clear();
                self.sb_blocks += 1;
                if self.sb_blocks == 2 {
                    return Outcome::now(status::SB_SIGNATURE);
                }
            }
        }
        Outcome::now(status::SUCCESS)
    }

    /// Nothing is looked at before there is something to read.
    fn begin_read(&mut self, _start: u32, _size: u32, memory: u32) -> Result<(), u32> {
        self.memory = memory;
        Ok(())
    }

    fn read(&mut self, start: u32, size: u32) -> Result<Vec<u8>, u32> {
        self.check(start, size, self.memory)?;
        if let Some((ram, at)) = self.ram(start, size) {
            return Ok(self.rams[ram][at..at + size as usize].to_vec());
        }
        Ok(self
            .chip
            .lock()
            .nor
            .read((start - FLASH) as usize, size as usize))
    }

    fn fill(&mut self, start: u32, size: u32, pattern: u32) -> Outcome {
        if size == 0 {
            return Outcome::now(status::SUCCESS);
        }
        let begun = self.begin_write(start, size, 0);
        if let Err(refused) = begun.and_then(|()| self.check(start, size, 0)) {
            return Outcome::now(refused);
        }
        let word = pattern.to_le_bytes();
        let bytes: Vec<u8> = word.into_iter().cycle().take(size as usize).collect();
        let mut outcome = self.write(start, &bytes);
        if outcome.status == status::SUCCESS {
            let end = self.end_write();
            outcome = Outcome {
                status: end.status,
                takes: outcome.takes + end.takes,
            };
        }
        outcome
    }

    fn configure(&mut self, memory: u32, address: u32) -> Outcome {
        if memory != NOR_ID {
            let other = match (self.loader, memory) {
                (Loader::Flashloader, 8 | 0x101) => SEMC_INVALID_TAG,
                _ => status::INVALID_ARGUMENT,
            };
            return Outcome::now(other);
        }
        match self.option_word(address) {
            Some(word) if word >> 28 == 0xC => {
                self.configured = true;
                Outcome::now(status::SUCCESS)
            }
            Some(0xF000_000F) if self.configured => self.write_boot_block(),
            Some(0x4246_4346) => {
                self.configured = true;
                Outcome::now(status::SUCCESS)
            }
            _ => Outcome::now(status::INVALID_ARGUMENT),
        }
    }

    fn read_fuse(&mut self, index: u32, count: u32) -> Result<Vec<u32>, u32> {
        let fuses = self.chip.lock().fuses;
        match fuses.get(index as usize) {
            // Of nothing, nothing is read, whatever the word.
            _ if count == 0 => Ok(Vec::new()),
            Some(word) if count == 4 => Ok(vec![*word]),
            _ => Err(status::INVALID_ARGUMENT),
        }
    }

    fn program_fuse(&mut self, index: u32, count: u32, words: &[u32]) -> Outcome {
        let mut parts = self.chip.lock();
        match (parts.fuses.get_mut(index as usize), words.first()) {
            // Nothing is burned, and the bits are looked for in nothing.
            (_, Some(0)) if count == 0 => Outcome::now(status::SUCCESS),
            _ if count == 0 => Outcome::now(status::OTP_PROGRAM_FAILURE),
            (Some(fuse), Some(bits)) if count == 4 => {
                *fuse |= bits;
                Outcome {
                    status: status::SUCCESS,
                    takes: FUSE_TIME,
                }
            }
            _ => Outcome::now(status::INVALID_ARGUMENT),
        }
    }

    fn execute(&mut self, address: u32, _argument: u32, stack: u32) -> u32 {
        // One address more than memory: a stack grows down from its end.
        let stacks = |(base, length): &(u32, u32)| (*base..=base + length).contains(&stack);
        if self.is_code(address) && (stack == 0 || RAMS.iter().any(stacks)) {
            status::SUCCESS
        } else {
            status::INVALID_ARGUMENT
        }
    }

    fn call(&mut self, address: u32, argument: u32) -> Outcome {
        Outcome::now(self.execute(address, argument, 0))
    }
}

/// Whether a range lies between two addresses, in the loaders' 32 bits: one so large that it goes
/// around the address space ends early.
fn within(start: u32, size: u32, first: u32, last: u32) -> bool {
    let end = start.wrapping_add(size).wrapping_sub(1);
    (first..=last).contains(&start) && end <= last
}

/// Whether `word` begins an image vector table of a version the ROM accepts.
pub fn is_ivt(word: u32) -> bool {
    word & !0x0300_0000 == IVT_WORD
}
