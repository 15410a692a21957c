//! OpenMV's DFU bootloader: partitions by name, blocks of 4096 bytes, erasing as it goes.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Board, Region};
use omv_link::{Device, Function, Heard, Link, drive};
use omv_wire::Machine;
use omv_wire::dfu::{Alternate, BLOCK, Dialect, Failure, Host, describe};
use omv_wire::usb::Setup;

use super::Programmer;
use crate::{Error, Found};

/// Bootloaders from this `bcdDevice` on leave when they are told to.
const LEAVES: u16 = 0x0102;
/// What the bootloaders of 4.6.0 to 4.8.0 say, whatever their own version.
const UNKNOWN: u16 = 0x0200;
/// How long the answer to an unconfiguring is waited for, which usually never comes.
const GOODBYE: Duration = Duration::from_millis(500);

/// A bootloader that is held.
pub(super) struct Dfu {
    link: Box<dyn Link>,
    host: Host,
    alternates: Vec<Alternate>,
    selected: Option<u8>,
    release: u16,
    // Dropped last: it is what holds the camera for this process.
    _device: Box<dyn Device>,
}

impl Dfu {
    /// Stops the clock of the start-up window, then looks which partitions there are. A
    /// bootloader that lacks one is sent back to the firmware it came from.
    pub(super) fn open(found: &Found, board: &Board, needs: &[&Region]) -> Result<Self, Error> {
        // Before anything that takes time: the window closes 1.5 s after it opened.
        let (device, mut link) = claim(found, board)?;
        let described = talk(&mut *link, describe(Default::default()), "describe itself")?;
        let interface = described.interface;
        if interface.dialect() != Dialect::Plain {
            return Err(Error::Protocol {
                doing: "opening its bootloader".into(),
                what: "it wants addresses instead of partitions".into(),
            });
        }
        let mut dfu = Self {
            link,
            host: Host::of(interface.number, &interface.functional),
            alternates: interface.alternates,
            selected: None,
            release: found.seen.release,
            _device: device,
        };
        let lacks = needs.iter().find(|region| dfu.alternate(region).is_err());
        if let Some(region) = lacks {
            let region = region.name.clone();
            Box::new(dfu).leave()?;
            return Err(Error::NoPartition { region });
        }
        // What was begun by another program is forgotten.
        dfu.selected = None;
        Ok(dfu)
    }

    fn alternate(&self, region: &Region) -> Result<u8, Error> {
        let missing = || Error::NoPartition {
            region: region.name.clone(),
        };
        let named = region.alternate.as_ref().ok_or_else(missing)?;
        let mut same = self.alternates.iter().filter(|one| one.name == named.name);
        match (same.next(), same.next()) {
            (Some(one), None) => Ok(one.number),
            _ => Err(missing()),
        }
    }

    /// Chooses a region's partition and tells the number of the block at an address.
    fn select(&mut self, region: &Region, address: u32) -> Result<u16, Error> {
        let alternate = self.alternate(region)?;
        if self.selected != Some(alternate) {
            let select = self.host.select(alternate);
            talk(&mut *self.link, select, "change to another partition")?;
            self.selected = Some(alternate);
        }
        let block = (address - region.start) / u32::from(BLOCK);
        u16::try_from(block).map_err(|_| Error::Protocol {
            doing: "counting blocks".into(),
            what: format!("{address:#010x} is beyond the last number"),
        })
    }
}

impl Programmer for Dfu {
    fn read(&mut self, region: &Region, range: Range<u32>) -> Result<Vec<u8>, Error> {
        let first = self.select(region, range.start)?;
        let read = self.host.read(first, range.end - range.start);
        talk(&mut *self.link, read, "read flash")
    }

    fn erase(&mut self, region: &Region, range: Range<u32>) -> Result<(), Error> {
        self.blank(region, range).map(drop)
    }

    fn write(&mut self, region: &Region, start: u32, bytes: &[u8]) -> Result<(), Error> {
        let first = self.select(region, start)?;
        let write = self.host.write(first, bytes.into());
        talk(&mut *self.link, write, "write flash")
    }

    fn finish(&mut self) -> Result<(), Error> {
        let manifest = self.host.manifest();
        talk(&mut *self.link, manifest, "finish a partition").map(drop)
    }

    /// There is no erasing without writing: zeros are no file system either.
    fn blank(&mut self, region: &Region, range: Range<u32>) -> Result<u8, Error> {
        let zeros = vec![0; (range.end - range.start) as usize];
        self.write(region, range.start, &zeros)?;
        self.finish()?;
        Ok(0)
    }

    fn leave(mut self: Box<Self>) -> Result<(), Error> {
        // Linux puts an interface it is given back to its first alternate. A device on its way out does
        // not answer that, and where nothing tells the system that it left (over USB/IP) the socket is
        // blocked for the five seconds that Linux waits. One that refuses is told to leave all the same.
        if self.selected.is_some_and(|alternate| alternate != 0) {
            let _ = talk(&mut *self.link, self.host.select(0), "change back");
        }
        talk(&mut *self.link, self.host.detach(1000), "leave")?;
        // Older ones only leave when they lose their configuration (openmv 2948).
        if self.release < LEAVES || self.release == UNKNOWN {
            let unconfigure = Setup::set_configuration(0).encode();
            let told = self.link.send(&unconfigure);
            let until = self.link.now() + GOODBYE;
            // Whatever comes of it, the bus shows what the camera is next.
            if told.is_ok() {
                let _: Result<Option<Heard>, _> = self.link.wait(until);
            }
        }
        Ok(())
    }
}

/// Has a bootloader stay for as long as it has power, whoever goes on with it.
pub(crate) fn stay(found: &Found, board: &Board) -> Result<(), Error> {
    claim(found, board).map(drop)
}

/// A bootloader that stays, and the way to it.
type Held = (Box<dyn Device>, Box<dyn Link>);

fn claim(found: &Found, board: &Board) -> Result<Held, Error> {
    let mut device = found.bus.open(&found.seen)?;
    let mut link = device.link(Function::Control)?;
    let header = board.dfu.map_or(0, |facts| facts.header_block);
    talk(&mut *link, Host::new(0, BLOCK).claim(0, header), "stay")?;
    Ok((device, link))
}

/// One operation over the control endpoint.
pub(super) fn talk<T, M>(link: &mut dyn Link, mut operation: M, doing: &str) -> Result<T, Error>
where
    M: Machine<Output = Result<T, Failure>>,
{
    drive(&mut operation, link)?.map_err(|failure| match failure {
        Failure::Gone => Error::Gone {
            doing: format!("asked to {doing}"),
        },
        Failure::Status { status, .. } => Error::Dfu {
            doing: doing.to_owned(),
            why: status.name(),
        },
        failure => Error::Protocol {
            doing: format!("asked to {doing}"),
            what: failure.to_string(),
        },
    })
}
