//! What lies where in a board's memories.

use serde::{Deserialize, Serialize};

use crate::{State, Version};

/// A range of addresses or offsets, `start` inside, `end` outside unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Whether the address lies inside.
    #[must_use]
    pub fn contains(&self, address: u32) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}

/// The kind of a memory, which decides how it is erased and what can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryKind {
    /// Flash inside the microcontroller.
    Internal,
    /// Magnetic memory inside the microcontroller; written in place, never erased.
    Mram,
    /// External NOR on a quad SPI bus.
    Qspi,
    /// External NOR on an octal SPI bus.
    Ospi,
    /// External NOR on the STM32N6's XSPI bus.
    Xspi,
    /// External NOR on NXP's FlexSPI, mapped at its CPU address.
    Flexspi,
    /// No memory: a command in the shape of a partition.
    Command,
}

/// A run of equal sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectorRun {
    /// How many.
    pub count: u32,
    /// Bytes each.
    pub size: u32,
}

/// One memory chip, or the flash inside the microcontroller.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Its kind; one memory of a kind per board.
    pub kind: MemoryKind,
    /// Address of its first byte as the flashing protocols number it.
    pub start: u32,
    /// Bytes.
    pub size: u32,
    /// Address of its first byte as the processor sees it, where that is another number.
    pub mapped: Option<u32>,
    /// Erase sectors from the start to the end; runs of equal ones.
    pub sectors: Vec<SectorRun>,
    /// The DfuSe alternate that reaches this memory in Arduino's bootloader.
    pub dfuse_alternate: Option<u8>,
    /// The unit that is programmed at a time, in bytes; none: 1.
    pub program_unit: Option<u32>,
    /// Whether a unit can be programmed only once after an erase, because it carries a check
    /// code over all of it.
    #[serde(default)]
    pub program_once: bool,
}

/// What a region is for. Names differ between boards (`BOOTLOADER`, `BOOT`, `sbl`), roles do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Flash configuration block, read by NXP's ROM.
    FlashConfig,
    /// The bootloader.
    Bootloader,
    /// Firmware of the main core.
    Firmware,
    /// Firmware of the second core.
    SecondFirmware,
    /// The user's FAT disk.
    Disk,
    /// A small FAT area in internal flash of a board whose disk is elsewhere.
    InternalDisk,
    /// Read-only file system of the main core.
    Romfs,
    /// Read-only file system of the second core.
    SecondRomfs,
    /// The Secure Enclave's table of images.
    BootTable,
    /// Firmware of the Wi-Fi chip.
    WifiFirmware,
    /// Firmware of the Bluetooth chip.
    BluetoothFirmware,
    /// Exists, but holds nothing of use.
    Unused,
    /// A command in the shape of a partition.
    Command,
}

/// A DFU alternate. The name is the stable key; numbers move between boards and generations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternate {
    /// `bAlternateSetting`.
    pub number: u8,
    /// Interface string.
    pub name: String,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The name used on this board; the alternate's name where there is one.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The memory it lies in.
    pub memory: MemoryKind,
    /// First address, as the flashing protocol numbers it.
    pub start: u32,
    /// Bytes.
    pub size: u32,
    /// The unit the bootloader erases at a time, in bytes; the smallest one where a region spans
    /// sectors of several sizes ([`crate::Board::sectors`] has them all).
    pub erase_unit: u32,
    /// Its DFU alternate.
    pub alternate: Option<Alternate>,
    /// The states in which it can be written. A DFU bootloader refuses to overwrite itself while
    /// the ROM can do it, so one flag would not say enough.
    #[serde(default)]
    pub writable_in: Vec<State>,
    /// Why it must never be erased or written, on no wish.
    pub forbidden: Option<String>,
    /// What to tell a person before writing it.
    pub caution: Option<String>,
    /// Files of a release that belong here.
    #[serde(default)]
    pub files: Vec<String>,
    /// Bytes at its start whose erasure makes the firmware build the file system anew.
    pub quick_erase: Option<u32>,
    /// The sector that holds the vector table, where it must be written last.
    pub vector_sector: Option<u32>,
    /// Names of regions it may share bytes with.
    #[serde(default)]
    pub overlaps: Vec<String>,
    /// A surprise worth telling.
    pub note: Option<String>,
}

impl Region {
    /// One past the last address.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start.saturating_add(self.size)
    }

    /// The addresses it covers.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            start: self.start,
            end: self.end(),
        }
    }

    /// Whether a board in this state can write it. Never for a forbidden region.
    #[must_use]
    pub fn is_writable_in(&self, state: State) -> bool {
        self.forbidden.is_none() && self.writable_in.contains(&state)
    }

    /// Whether no state lets anybody write it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.forbidden.is_some() || self.writable_in.is_empty()
    }
}

/// One generation of a board's flash map. The first of a board is the current one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Short name: `current`, `dfu-4.6`, `legacy`.
    pub name: String,
    /// The first release that shipped a bootloader with this map.
    pub since: Option<Version>,
    /// The last release that did.
    pub until: Option<Version>,
    /// The partitions.
    #[serde(rename = "region")]
    pub regions: Vec<Region>,
}

impl Layout {
    /// The region of this name (upper and lower case alike), else the first of this role.
    #[must_use]
    pub fn region(&self, name_or_role: &str) -> Option<&Region> {
        let named = |region: &&Region| region.name.eq_ignore_ascii_case(name_or_role);
        let in_role = |region: &&Region| region.role.name() == name_or_role;
        self.regions
            .iter()
            .find(named)
            .or_else(|| self.regions.iter().find(in_role))
    }

    /// The first region of this role.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<&Region> {
        self.regions.iter().find(|region| region.role == role)
    }
}

impl Role {
    /// The stable name, as in the board files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FlashConfig => "flash-config",
            Self::Bootloader => "bootloader",
            Self::Firmware => "firmware",
            Self::SecondFirmware => "second-firmware",
            Self::Disk => "disk",
            Self::InternalDisk => "internal-disk",
            Self::Romfs => "romfs",
            Self::SecondRomfs => "second-romfs",
            Self::BootTable => "boot-table",
            Self::WifiFirmware => "wifi-firmware",
            Self::BluetoothFirmware => "bluetooth-firmware",
            Self::Unused => "unused",
            Self::Command => "command",
        }
    }
}

impl Memory {
    /// One past the last address.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start.saturating_add(self.size)
    }

    /// Every erase sector, in order.
    pub fn sectors(&self) -> impl Iterator<Item = Span> + '_ {
        let sizes = self
            .sectors
            .iter()
            .flat_map(|run| (0..run.count).map(|_| run.size));
        sizes.scan(self.start, |next, size| {
            let start = *next;
            *next = start.saturating_add(size);
            Some(Span { start, end: *next })
        })
    }
}
