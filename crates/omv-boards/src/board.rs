//! A board and what is known of it as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Bossa, Dfu, LegacyBootloader, Loader, LoaderRole, Mboot, McuBoot, StRom};
use crate::{
    Identity, ImageRule, Layout, Memory, MemoryKind, Region, Role, SerialFormula, Span, State,
    Version,
};

/// Everything known about one board. One TOML file each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Build name in the firmware tree, and the folder of a release; stable, used in scripts.
    pub name: String,
    /// What a person reads.
    pub title: String,
    /// Short names for the command line.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The microcontroller.
    pub mcu: String,
    /// Whether firmware is still made for it.
    pub life: Life,
    /// Where the facts come from.
    pub source: String,
    /// USB speed of the running firmware; none for emulators.
    pub speed: Option<Speed>,
    /// Every way it shows itself on USB, the current one of a state first.
    #[serde(default)]
    pub seen: Vec<Identity>,
    /// Architecture strings of its firmware, the current one first; none before they existed.
    #[serde(default)]
    pub arch: Vec<Arch>,
    /// Where the chip keeps its unique id.
    pub uid: Option<Uid>,
    /// How the USB serial number of a state follows from the unique id.
    #[serde(default)]
    pub serials: BTreeMap<State, SerialFormula>,
    /// Memories.
    #[serde(default, rename = "memory")]
    pub memories: Vec<Memory>,
    /// Flash maps, the current generation first; none for emulators.
    #[serde(default, rename = "layout")]
    pub layouts: Vec<Layout>,
    /// Tests for the files of a release.
    #[serde(default, rename = "image")]
    pub images: Vec<ImageRule>,
    /// Programs that recovery loads.
    #[serde(default, rename = "loader")]
    pub loaders: Vec<Loader>,
    /// Alignment, in bytes, that models need inside a ROMFS image; none: no ROMFS.
    pub romfs_alignment: Option<u32>,
    /// First release with a ROMFS; before it, its place in flash was something else's.
    pub romfs_since: Option<Version>,
    /// Facts of OpenMV's DFU bootloader on this board.
    pub dfu: Option<Dfu>,
    /// Facts of the STM32 ROM.
    pub st_rom: Option<StRom>,
    /// Facts of NXP's bootloader.
    pub mboot: Option<Mboot>,
    /// Facts of OpenMV's old serial bootloader.
    pub legacy: Option<LegacyBootloader>,
    /// Facts of Arduino's MCUboot.
    pub mcuboot: Option<McuBoot>,
    /// Facts of Arduino's SAM-BA bootloader.
    pub bossa: Option<Bossa>,
    /// Memory for neural networks, oldest release first; none: it runs no networks.
    #[serde(default)]
    pub ml: Vec<crate::Ml>,
    /// Protocol 2 as this board's firmware is built; none: not a target of it.
    pub v2: Option<V2>,
    /// How long to wait before calling it a failure.
    pub limits: Limits,
    /// What the lights mean.
    #[serde(default, rename = "led")]
    pub leds: Vec<Led>,
    /// What to tell a person in a state that is no identity (silent, cycling) or is confusing.
    #[serde(default)]
    pub advice: Vec<Advice>,
}

/// Whether firmware is still made for a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Life {
    /// Yes.
    Current,
    /// Not any more, or nothing that works.
    Retired {
        /// A sentence for the person who owns one.
        why: String,
    },
    /// Not a thing one can plug in.
    Emulator {
        /// How its firmware is reached.
        how: String,
    },
}

/// USB speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// 12 Mbit/s.
    Full,
    /// 480 Mbit/s.
    High,
}

/// An architecture string: `<ARCH> [<TYPE>:<24 hex UID>]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// The ARCH part; at most 33 characters, compared with case.
    pub text: String,
    /// The TYPE parts it appears with, the current one first.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// First release that says so.
    pub since: Option<Version>,
    /// Last release that says so; none: still does.
    pub until: Option<Version>,
    /// Set for hardware that was never sold widely.
    #[serde(default)]
    pub prototype: bool,
}

/// Where the chip keeps its unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uid {
    /// Address of the first word.
    pub address: u32,
    /// Bytes from one word to the next; 4 where they are adjacent.
    pub stride: u32,
    /// Number of 32-bit words.
    pub words: u32,
}

/// Protocol 2 as a board's firmware is built.
///
/// Source: openmv/openmv `boards/*/board_config.h` and `protocol/`, v5.0.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V2 {
    /// Packet buffer, in bytes.
    pub buffer: u32,
    /// Console ring, in bytes.
    pub stdout_ring: u32,
    /// Frame buffer of the preview stream, in KiB.
    pub stream_kib: u32,
    /// Word 0 of the hardware capabilities in the system information.
    pub hw_caps: u32,
    /// JPEG quality of the preview.
    pub jpeg: JpegQuality,
}

/// The two JPEG qualities the preview chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JpegQuality {
    /// For large frames.
    pub low: u8,
    /// For small frames.
    pub high: u8,
}

impl V2 {
    /// Bytes of payload a packet can carry: the buffer less a header of 10 and a CRC of 4.
    #[must_use]
    pub fn max_payload(&self) -> u32 {
        self.buffer.saturating_sub(14)
    }
}

/// How long to wait before calling it a failure. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// From plugging in to anything on the bus; longer means silent.
    pub appear: u32,
    /// From a reset command to the bootloader on the bus.
    pub enter: u32,
    /// From leaving the bootloader to the running firmware.
    pub run: u32,
    /// For one erase that blocks the device.
    pub erase: u32,
    /// For writing the firmware.
    pub firmware: u32,
    /// For writing the ROMFS.
    pub romfs: u32,
}

/// The colour of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// No light.
    Off,
    /// Red.
    Red,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Red, green and blue together.
    White,
    /// Not known for this board.
    Unknown,
}

/// What a light does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Not known for this light: anything may be meant.
    #[default]
    Unknown,
    /// Dark all the time.
    Off,
    /// Lit all the time.
    Steady,
    /// Goes on and off.
    Blinking,
    /// Gets brighter and darker by and by.
    Fading,
}

/// What a light means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Led {
    /// The state in which it is seen.
    pub state: State,
    /// Its colour.
    pub colour: Colour,
    /// What it does.
    #[serde(default)]
    pub motion: Motion,
    /// Milliseconds between changes, where it toggles evenly.
    pub toggles_every: Option<u32>,
    /// What it does, in words a person can compare with what is seen.
    pub looks: String,
    /// What that means.
    pub means: String,
}

/// What to tell a person about a state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// The state.
    pub state: State,
    /// Plain sentences, to be shown nearly as they are.
    pub say: String,
}

impl Board {
    /// Whether this is the board's name or one of its aliases, upper and lower case alike.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// The current flash map; none for emulators.
    #[must_use]
    pub fn layout(&self) -> Option<&Layout> {
        self.layouts.first()
    }

    /// The flash map of this name: `current`, `dfu-4.6` or `legacy`.
    #[must_use]
    pub fn layout_named(&self, name: &str) -> Option<&Layout> {
        self.layouts.iter().find(|layout| layout.name == name)
    }

    /// The flash map whose DFU alternates have exactly these names, in the order of their
    /// numbers; none: a generation this program does not know.
    #[must_use]
    pub fn layout_with_alternates(&self, names: &[&str]) -> Option<&Layout> {
        self.layouts.iter().find(|layout| {
            let alternates = || {
                layout
                    .regions
                    .iter()
                    .filter_map(|region| region.alternate.as_ref())
            };
            let named = |(number, name): (usize, &&str)| {
                alternates()
                    .any(|known| usize::from(known.number) == number && known.name == **name)
            };
            alternates().count() == names.len() && names.iter().enumerate().all(named)
        })
    }

    /// The region of this name (upper and lower case alike), else the first of this role, in the
    /// current flash map.
    #[must_use]
    pub fn region(&self, name_or_role: &str) -> Option<&Region> {
        self.layout()?.region(name_or_role)
    }

    /// The first region of this role in the current flash map.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<&Region> {
        self.layout()?.role(role)
    }

    /// The region an address lies in; of overlapping ones the smallest. An external memory's
    /// offsets and the internal flash's addresses never meet on one board.
    #[must_use]
    pub fn region_at(&self, address: u32) -> Option<&Region> {
        let hit = |region: &&Region| {
            region.memory != MemoryKind::Command && region.span().contains(address)
        };
        self.layout()?
            .regions
            .iter()
            .filter(hit)
            .min_by_key(|region| region.size)
    }

    /// Why these bytes must never be erased or written, if they touch a forbidden region.
    #[must_use]
    pub fn forbidden(&self, memory: MemoryKind, range: Span) -> Option<&str> {
        let touches = |region: &&Region| {
            region.memory == memory && region.start < range.end && range.start < region.end()
        };
        let mut regions = self
            .layouts
            .iter()
            .flat_map(|layout| &layout.regions)
            .filter(touches);
        regions.find_map(|region| region.forbidden.as_deref())
    }

    /// The memory of this kind.
    #[must_use]
    pub fn memory(&self, kind: MemoryKind) -> Option<&Memory> {
        self.memories.iter().find(|memory| memory.kind == kind)
    }

    /// Where the processor sees a region's first byte, which is where an image in it is linked.
    #[must_use]
    pub fn mapped(&self, region: &Region) -> u32 {
        let memory = self.memory(region.memory);
        let shift = memory.and_then(|memory| Some(memory.mapped?.wrapping_sub(memory.start)));
        region.start.wrapping_add(shift.unwrap_or(0))
    }

    /// The erase sectors that `range` touches, whole and in order.
    pub fn sectors(&self, kind: MemoryKind, range: Span) -> impl Iterator<Item = Span> + '_ {
        let all = self.memory(kind).into_iter().flat_map(Memory::sectors);
        all.skip_while(move |sector| sector.end <= range.start)
            .take_while(move |sector| sector.start < range.end)
    }

    /// The identities of one state.
    pub fn identities(&self, state: State) -> impl Iterator<Item = &Identity> {
        self.seen
            .iter()
            .filter(move |identity| identity.state == state)
    }

    /// The identity of a state in firmware of this release, or the current one.
    #[must_use]
    pub fn identity(&self, state: State, version: Option<Version>) -> Option<&Identity> {
        self.identities(state)
            .find(|identity| version.is_none_or(|version| identity.covers(version)))
    }

    /// The test for a file of this name.
    #[must_use]
    pub fn image(&self, file: &str) -> Option<&ImageRule> {
        self.images.iter().find(|rule| rule.file == file)
    }

    /// The program recovery needs for this purpose.
    #[must_use]
    pub fn loader(&self, role: LoaderRole) -> Option<&Loader> {
        self.loaders.iter().find(|loader| loader.role == role)
    }

    /// What the lights mean in a state.
    pub fn leds(&self, state: State) -> impl Iterator<Item = &Led> {
        self.leds.iter().filter(move |led| led.state == state)
    }

    /// What to tell a person in a state.
    pub fn advice(&self, state: State) -> impl Iterator<Item = &str> {
        let here = move |advice: &&Advice| advice.state == state;
        self.advice.iter().filter(here).map(|advice| &*advice.say)
    }
}
