//! The serial bootloader of firmware up to 4.5.9: erases and writes, and reads nothing back.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use omv_boards::{Board, LegacyBootloader, MemoryKind, Region, Span};
use omv_link::{Device, Function, Link, drive};
use omv_wire::legacy::{Failure, Greet, Greeting, Job, Pace, Update, Version};

use super::Programmer;
use crate::{Error, Found};

/// The line rate OpenMV IDE uses; the bootloader does not care.
const RATE: u32 = 921_600;
/// How long START is said: a little longer than the window is open.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A bootloader that was told to stay.
pub(super) struct Legacy {
    link: Box<dyn Link>,
    board: &'static Board,
    facts: LegacyBootloader,
    pace: Pace,
    sectors: Option<RangeInclusive<u32>>,
    blocks: Option<RangeInclusive<u32>>,
    firmware: Vec<u8>,
    left: bool,
    _device: Box<dyn Device>,
}

impl Legacy {
    /// Says START until it answers. `careful` keeps to the pace that every camera can follow.
    pub(super) fn open(found: &Found, board: &'static Board, careful: bool) -> Result<Self, Error> {
        let wrong = || {
            Error::Refused(omv_plan::Refusal::WrongState {
                state: omv_boards::State::LegacyBl,
            })
        };
        let facts = board.legacy.ok_or_else(wrong)?;
        let mut device = found.bus.open(&found.seen)?;
        let mut link = device.link(Function::Console { baud: RATE })?;
        let greeting = drive(&mut Greet::new(PATIENCE), &mut *link)?.map_err(told)?;
        if let Some(other) = other_board(&greeting, &facts) {
            return Err(Error::OtherChip {
                board: board.title.clone(),
                says: other,
            });
        }
        let quick = greeting.version != Version::One && !careful;
        Ok(Self {
            link,
            board,
            facts,
            pace: if quick { Pace::Quick } else { Pace::Careful },
            sectors: None,
            blocks: None,
            firmware: Vec::new(),
            left: false,
            _device: device,
        })
    }

    /// Everything that was asked for, in one go: the last command starts the firmware.
    fn update(&mut self) -> Result<(), Error> {
        let job = Job {
            sectors: self.sectors.take(),
            blocks: self.blocks.take(),
            firmware: std::mem::take(&mut self.firmware),
            packet: self.facts.packet as usize,
            pace: self.pace,
        };
        self.left = true;
        let done = drive(&mut Update::new(&job), &mut *self.link)?;
        done.map_err(|failure| match (failure, self.pace) {
            (Failure::Stopped { written }, Pace::Quick) => Error::TooFast { written },
            (failure, _) => told(failure),
        })
    }
}

/// Other sectors than the board has mean another board; every one of these has the same id.
fn other_board(greeting: &Greeting, facts: &LegacyBootloader) -> Option<String> {
    let layout = greeting.layout?;
    let says = [layout.first_all, layout.first_firmware, layout.last];
    let known = [facts.first_all, facts.first_firmware, facts.last];
    (says != known).then(|| format!("firmware in sectors {} to {}", says[1], says[2]))
}

fn told(failure: Failure) -> Error {
    match failure {
        Failure::Gone => Error::Gone {
            doing: "talking to its serial bootloader".into(),
        },
        failure => Error::Protocol {
            doing: "talking to its serial bootloader".into(),
            what: failure.to_string(),
        },
    }
}

impl Programmer for Legacy {
    fn read(&mut self, region: &Region, _range: Range<u32>) -> Result<Vec<u8>, Error> {
        Err(Error::NoPartition {
            region: region.name.clone(),
        })
    }

    fn erase(&mut self, region: &Region, range: Range<u32>) -> Result<(), Error> {
        let missing = || Error::NoPartition {
            region: region.name.clone(),
        };
        if region.memory != MemoryKind::Internal {
            let size = self.facts.qspi.ok_or_else(missing)?.size;
            let (first, last) = (range.start / size, (range.end - 1) / size);
            self.blocks = Some(joined(self.blocks.take(), first, last));
            return Ok(());
        }
        let memory = self
            .board
            .memory(MemoryKind::Internal)
            .ok_or_else(missing)?;
        let meets = |sector: &Span| sector.start < range.end && range.start < sector.end;
        let mut hit = memory
            .sectors()
            .zip(0_u32..)
            .filter(|(sector, _)| meets(sector));
        let first = hit.next().ok_or_else(missing)?.1;
        let last = hit.last().map_or(first, |(_, number)| number);
        self.sectors = Some(joined(self.sectors.take(), first, last));
        Ok(())
    }

    fn write(&mut self, _region: &Region, start: u32, bytes: &[u8]) -> Result<(), Error> {
        // It has no addresses: everything goes in order from where firmware begins.
        let expected = self.facts.base as usize + self.firmware.len();
        if start as usize != expected {
            return Err(Error::Protocol {
                doing: "writing flash".into(),
                what: format!("{start:#010x} does not follow {expected:#010x}"),
            });
        }
        self.firmware.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.update()
    }

    fn blank(&mut self, region: &Region, range: Range<u32>) -> Result<u8, Error> {
        self.erase(region, range)?;
        self.update()?;
        Ok(0xFF)
    }

    fn reads(&self) -> bool {
        false
    }

    fn leave(mut self: Box<Self>) -> Result<(), Error> {
        if self.left {
            return Ok(());
        }
        self.update()
    }
}

fn joined(before: Option<RangeInclusive<u32>>, first: u32, last: u32) -> RangeInclusive<u32> {
    match before {
        Some(before) => first.min(*before.start())..=last.max(*before.end()),
        None => first..=last,
    }
}
