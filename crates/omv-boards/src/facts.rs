//! Facts of single bootloaders, as plans and virtual cameras need them.

use serde::{Deserialize, Serialize};

/// OpenMV's DFU bootloader on one board. Blocks are 4096 bytes on all of them.
///
/// Source: openmv/openmv `boards/*/boot_config.h`, `boot/src/common/main.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dfu {
    /// Bytes per block; block `n` goes to the partition's start plus `n` times this.
    pub block: u32,
    /// RAM word in which the firmware leaves B00710AD to force the bootloader.
    pub force_word: u32,
    /// Block of alternate 0 that holds the version header.
    pub header_block: u16,
    /// Offset of the header in that block, in bytes.
    pub header_offset: u32,
}

/// The ROM of an STM32.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StRom {
    /// The strings alternate 0 may carry, without their padding blanks before the first slash;
    /// empty where the ROM is no flash programmer.
    pub layouts: Vec<String>,
    /// Usual `wTransferSize`, in bytes; the descriptor decides.
    pub transfer: u32,
    /// Erases at or above this address may never report their end on chips of revision V.
    pub erase_hangs_from: Option<u32>,
    /// Whether the ROM may write the whole firmware, not only the bootloader.
    pub whole_firmware: bool,
    /// The alternates' names as the ROM pads them, of the part that is usual on this board.
    #[serde(default)]
    pub alternates: Vec<String>,
    /// `bcdDevice`.
    pub release: Option<u16>,
    /// Product name, blanks included.
    pub product: Option<String>,
}

/// Arduino's MCUboot in its DFU mode.
///
/// Source: arduino/mcuboot-arduino-stm32h7 `app/dfu`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McuBoot {
    /// The alternates' names as the bootloader pads them.
    pub alternates: Vec<String>,
    /// Product name.
    pub product: String,
}

/// NXP's bootloader, resident and in RAM, and the ROM before it.
///
/// Sources: openmv/openmv-ota `src/openmv_ota/data/boards.json`; SPSDK `spsdk/mboot`; property
/// values, park record and times observed by executing the loader shipped on every RT1062.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mboot {
    /// RAM address for option blocks.
    pub scratch: u32,
    /// Memory id of the FlexSPI NOR.
    pub memory_id: u32,
    /// Option word that configures the NOR.
    pub nor_option: u32,
    /// Option word that writes the flash configuration block.
    pub fcb_option: u32,
    /// First bytes of a flash configuration block.
    pub fcb_tag: [u8; 4],
    /// Bytes of the flash configuration block worth reading back.
    pub fcb_read: u32,
    /// Property 1, the bootloader's version: anything else is another product.
    pub version_property: u32,
    /// Property 2, available peripherals, of the resident bootloader.
    pub resident_peripherals: u32,
    /// Property 2 of the one in RAM.
    pub flashloader_peripherals: u32,
    /// The SDP host-abort-block word of an open chip.
    pub hab_open: u32,
    /// The SDP status after a complete download.
    pub download_done: u32,
    /// Silence to keep after the jump into RAM, in milliseconds.
    pub settle: u32,
    /// The fuse that makes the chip boot from flash.
    pub boot_fuse: Fuse,
    /// The record that keeps the resident bootloader waiting.
    pub park: Park,
}

/// A one-time programmable bit. Programming it cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fuse {
    /// OCOTP word index.
    pub word: u32,
    /// Bit number.
    pub bit: u32,
}

impl Fuse {
    /// The bit as a mask, which is also the value to program.
    #[must_use]
    pub fn mask(&self) -> u32 {
        1_u32.checked_shl(self.bit).unwrap_or(0)
    }
}

/// The configuration record inside the vector sector. With a wait of 0 and a reset vector that
/// passes, the resident bootloader waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Park {
    /// Address of the record.
    pub record: u32,
    /// Bytes of the record; everything not named below is FF.
    pub size: u32,
    /// Address of the flash page that holds it, the smallest unit a write may begin with.
    pub page: u32,
    /// Bytes of that page.
    pub page_size: u32,
    /// First bytes.
    pub tag: [u8; 4],
    /// Offset of the byte of enabled peripherals; bit 4 is HID.
    pub peripherals_at: u32,
    /// That byte.
    pub peripherals: u8,
    /// Offset of the wait, u16 little endian, in milliseconds.
    pub wait_at: u32,
    /// Offset of the flags; bit 0 clear starts the firmware at once.
    pub flags_at: u32,
}

/// OpenMV's serial bootloader. Sector numbers are its own, block numbers those of the QSPI chip.
///
/// Source: openmv/openmv `src/bootloader/src/main.c`, tags v1.4 to v4.5.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyBootloader {
    /// First sector when everything is erased, disk included.
    pub first_all: u32,
    /// First sector of the firmware.
    pub first_firmware: u32,
    /// Last sector.
    pub last: u32,
    /// Where the first written byte goes.
    pub base: u32,
    /// Endpoint size, in bytes: the most a command and its argument may fill.
    pub packet: u32,
    /// External blocks, where the disk is there.
    pub qspi: Option<QspiBlocks>,
}

/// The answer to the serial bootloader's external layout query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QspiBlocks {
    /// First block.
    pub first: u32,
    /// Last block.
    pub last: u32,
    /// Bytes per block.
    pub size: u32,
}

/// Arduino's SAM-BA bootloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bossa {
    /// Offset the firmware is written at, counted from the start of the application area.
    pub offset: u32,
    /// Absolute address of that offset.
    pub address: u32,
}

/// What a loader is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoaderRole {
    /// Runs in RAM, during recovery.
    Flashloader,
    /// The resident bootloader, written to flash.
    Sbl,
    /// What an STM32N6's ROM loads first: ST's own bootloader, in RAM.
    StLoader,
    /// What that one needs to reach the external flash.
    StFlash,
}

impl LoaderRole {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flashloader => "flashloader",
            Self::Sbl => "sbl",
            Self::StLoader => "st-loader",
            Self::StFlash => "st-flash",
        }
    }
}

/// A program of the chip's maker that recovery loads or writes. Never shipped with this crate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// What it is for.
    pub role: LoaderRole,
    /// File name.
    pub file: String,
    /// Size.
    pub bytes: u32,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Address of its first byte; zero where the maker's program knows it.
    #[serde(default)]
    pub load: u32,
    /// Address to give to the ROM's jump command (of the image's IVT); none: started by a reset.
    pub jump: Option<u32>,
    /// Its reset handler; zero where the maker's program knows it.
    #[serde(default)]
    pub entry: u32,
    /// Python package that carries it.
    pub package: String,
    /// Version of that package that was checked.
    pub package_version: String,
    /// Path in the package's wheel.
    pub path: String,
}
