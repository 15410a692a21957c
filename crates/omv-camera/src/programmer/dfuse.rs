//! Devices that are written by address: the ROM of STM32 chips, and Arduino's bootloader.

use std::ops::Range;

use omv_boards::{Board, Region, State};
use omv_link::{Device, Function, Link};
use omv_wire::dfu::dfuse::{Access, Erased, Host, Kick, Layout, Page};
use omv_wire::dfu::{self, Dialect, describe};

use super::Programmer;
use super::dfu::talk;
use crate::{Error, Found};

/// Serial numbers of STM32H74x ROMs begin with the chip's revision: V never reports the end of
/// an erase in the second bank, Y does. Source: ST's DBGMCU_IDCODE, in the ROM's serial number.
const REVISION_Y: &str = "1003";
/// Bytes looked at on either end of a page that should be blank.
const PROOF: u32 = 1024;

/// A device that is held; none of these leaves by itself.
pub(super) struct DfuSe {
    link: Box<dyn Link>,
    host: Host,
    /// Alternate and map of each memory.
    layouts: Vec<(u8, Layout)>,
    /// Where the board's data say that each memory is.
    alternates: Vec<(omv_boards::MemoryKind, u8)>,
    selected: Option<u8>,
    may_hang: bool,
    _device: Box<dyn Device>,
}

impl DfuSe {
    /// Looks which memories the device has, and whether it is this board's chip.
    pub(super) fn open(
        found: &Found,
        board: &Board,
        state: State,
        needs: &[&Region],
    ) -> Result<Self, Error> {
        let mut device = found.bus.open(&found.seen)?;
        let mut link = device.link(Function::Control)?;
        let described = talk(&mut *link, describe(Default::default()), "describe itself")?;
        let interface = described.interface;
        if interface.dialect() != Dialect::DfuSe {
            return Err(Error::Protocol {
                doing: "opening its bootloader".into(),
                what: "it has no map of its memories".into(),
            });
        }
        let first = interface.alternates.first().map(|one| one.name.clone());
        let first = first.unwrap_or_default();
        let rom = board.st_rom.as_ref().filter(|_| state == State::StRom);
        if rom.is_some() && !fits(board, &first) {
            return Err(Error::OtherChip {
                board: board.title.clone(),
                says: first,
            });
        }
        let plain = dfu::Host::of(interface.number, &interface.functional);
        let layouts = interface.alternates.iter().filter_map(|one| {
            let layout = Layout::parse(&one.name).ok()?;
            Some((one.number, layout))
        });
        let alternates = board.memories.iter().filter_map(|memory| {
            let alternate = memory.dfuse_alternate;
            let alternate = alternate.or((rom.is_some() && is_internal(memory.kind)).then_some(0));
            Some((memory.kind, alternate?))
        });
        let is_y = |serial: &String| serial.starts_with(REVISION_Y);
        let mut dfuse = Self {
            link,
            host: Host::new(plain),
            layouts: layouts.collect(),
            alternates: alternates.collect(),
            selected: None,
            may_hang: rom.is_some() && !found.seen.serial.as_ref().is_some_and(is_y),
            _device: device,
        };
        for region in needs {
            let layout = dfuse.layout(region)?.1;
            if !layout.allows(region.start, region.size, Access::READ) {
                return Err(Error::NoPartition {
                    region: region.name.clone(),
                });
            }
        }
        talk(&mut *dfuse.link, dfuse.host.plain().to_idle(), "be idle")?;
        Ok(dfuse)
    }

    fn layout(&self, region: &Region) -> Result<(u8, Layout), Error> {
        let of_memory = |(kind, _): &&(omv_boards::MemoryKind, u8)| *kind == region.memory;
        let alternate = self.alternates.iter().find(of_memory).map(|(_, at)| *at);
        let mut layouts = self.layouts.iter();
        let found = layouts.find(|(number, _)| Some(*number) == alternate);
        found.cloned().ok_or_else(|| Error::NoPartition {
            region: region.name.clone(),
        })
    }

    fn select(&mut self, region: &Region) -> Result<Layout, Error> {
        let (alternate, layout) = self.layout(region)?;
        if self.selected != Some(alternate) {
            let plain = *self.host.plain();
            talk(&mut *self.link, plain.select(alternate), "change memory")?;
            talk(&mut *self.link, plain.to_idle(), "be idle")?;
            self.selected = Some(alternate);
        }
        Ok(layout)
    }

    fn erase_page(&mut self, layout: &Layout, page: Page) -> Result<(), Error> {
        let kick = Kick::for_page(layout, &page).filter(|_| self.may_hang);
        // A kick that came too early cut the erase short: the second one is given its time.
        for _ in 0..2 {
            let erased = talk(&mut *self.link, self.host.erase(page, kick), "erase flash")?;
            if erased != Erased::Kicked || self.is_blank(layout, &page)? {
                return Ok(());
            }
        }
        Err(Error::Protocol {
            doing: "erasing flash".into(),
            what: format!("the page at {:#010x} is not blank", page.start),
        })
    }

    fn is_blank(&mut self, layout: &Layout, page: &Page) -> Result<bool, Error> {
        let length = PROOF.min(page.size);
        for start in [page.start, page.start + (page.size - length)] {
            let read = self.host.read(layout, start, length);
            let bytes = talk(&mut *self.link, read, "read flash")?;
            if bytes.iter().any(|byte| *byte != 0xFF) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The map of a device's first memory, which tells the family of a chip in its ROM; empty for a
/// device that is not written by address.
pub(crate) fn map(found: &Found) -> Result<String, Error> {
    let mut device = found.bus.open(&found.seen)?;
    let mut link = device.link(Function::Control)?;
    let described = talk(&mut *link, describe(Default::default()), "describe itself")?;
    let interface = described.interface;
    Ok(match (interface.dialect(), interface.alternates.first()) {
        (Dialect::DfuSe, Some(first)) => first.name.clone(),
        _ => String::new(),
    })
}

/// Whether a board's chip shows this map in its ROM. One whose ROM is not known to show any fits
/// when there is none.
pub(crate) fn fits(board: &Board, map: &str) -> bool {
    match &board.st_rom {
        Some(rom) => rom.layouts.iter().any(|known| same(known, map)),
        None => map.is_empty(),
    }
}

fn is_internal(kind: omv_boards::MemoryKind) -> bool {
    kind == omv_boards::MemoryKind::Internal
}

/// Maps are padded with blanks, in ways that differ from ROM to ROM.
fn same(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
    };
    bare(one) == bare(other)
}

impl Programmer for DfuSe {
    fn read(&mut self, region: &Region, range: Range<u32>) -> Result<Vec<u8>, Error> {
        let layout = self.select(region)?;
        let read = self
            .host
            .read(&layout, range.start, range.end - range.start);
        talk(&mut *self.link, read, "read flash")
    }

    fn erase(&mut self, region: &Region, range: Range<u32>) -> Result<(), Error> {
        let layout = self.select(region)?;
        let pages = layout.pages(range.start, range.end - range.start);
        let pages: Result<Vec<Page>, u64> = pages.collect();
        let pages = pages.map_err(|address| Error::Protocol {
            doing: "erasing flash".into(),
            what: format!("its map ends before {address:#010x}"),
        })?;
        for page in pages {
            self.erase_page(&layout, page)?;
        }
        Ok(())
    }

    fn write(&mut self, region: &Region, start: u32, bytes: &[u8]) -> Result<(), Error> {
        let layout = self.select(region)?;
        let write = self.host.write(&layout, start, bytes.into());
        talk(&mut *self.link, write, "write flash")
    }

    fn finish(&mut self) -> Result<(), Error> {
        let idle = self.host.plain().to_idle();
        talk(&mut *self.link, idle, "be idle")
    }

    fn leave(mut self: Box<Self>) -> Result<(), Error> {
        // As in the other dialect: nothing is left to do for the system when it gets the device back.
        if self.selected.is_some_and(|alternate| alternate != 0) {
            let plain = *self.host.plain();
            let _ = talk(&mut *self.link, plain.select(0), "change memory");
            talk(&mut *self.link, plain.to_idle(), "be idle")?;
        }
        talk(&mut *self.link, self.host.leave(None), "leave").map(drop)
    }
}
