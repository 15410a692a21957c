//! What a device says about its DFU interface: block size, dialect, names of its memories.

use std::time::Duration;

use super::{Failure, Next, Step, Steps, Told};
use crate::dfu::{CLASS, Conversation, Functional, Limits};
use crate::usb::{Configuration, Setup, decode_string, descriptors, kind};

/// US English, the only language these devices have.
const LANGUAGE: u16 = 0x0409;

/// One memory of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternate {
    /// `bAlternateSetting`.
    pub number: u8,
    /// `iInterface`: the string that has its name, 0 for none.
    pub string: u8,
    /// Its name; empty until it was read, or when the device has none. It comes from the device.
    pub name: String,
}

/// How a device wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Blocks of partitions that are chosen by name.
    Plain,
    /// Addresses, as [`dfuse`](crate::dfu::dfuse) describes.
    DfuSe,
}

/// An interface in DFU mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// What it can do.
    pub functional: Functional,
    /// Its memories, in the order sent.
    pub alternates: Vec<Alternate>,
}

impl Interface {
    /// Finds the first interface in DFU mode. Its functional descriptor is looked for behind all
    /// its alternates, then in the whole configuration: devices put it where they like.
    ///
    /// # Errors
    /// [`Failure::NoInterface`], or [`Failure::Malformed`] for a functional descriptor that makes
    /// no sense.
    pub fn find(configuration: &Configuration) -> Result<Self, Failure> {
        let is_dfu = |class: u8, subclass: u8, protocol: u8| [class, subclass, protocol] == CLASS;
        let mut settings = configuration
            .interfaces
            .iter()
            .filter(|i| is_dfu(i.class, i.subclass, i.protocol))
            .peekable();
        let number = settings.peek().ok_or(Failure::NoInterface)?.number;
        let alternates = settings
            .filter(|setting| setting.number == number)
            .map(|setting| Alternate {
                number: setting.alternate,
                string: setting.string,
                name: String::new(),
            })
            .collect();
        let functional = configuration
            .class_specific(number, kind::DFU_FUNCTIONAL)
            .or_else(|| stray(configuration))
            .ok_or(Failure::NoInterface)?;
        Ok(Self {
            number,
            functional: Functional::decode(functional)?,
            alternates,
        })
    }

    /// DfuSe needs both: the version, and a first memory whose name is a map.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let is_map = |one: &Alternate| one.name.starts_with('@');
        if self.functional.version == Functional::DFUSE
            && self.alternates.first().is_some_and(is_map)
        {
            Dialect::DfuSe
        } else {
            Dialect::Plain
        }
    }

    /// The one memory of this name; `None` as well when several have it.
    #[must_use]
    pub fn alternate(&self, name: &str) -> Option<&Alternate> {
        let mut found = self.alternates.iter().filter(|one| one.name == name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

/// A functional descriptor outside the interface it is about. That of a HID interface has the
/// same number.
fn stray(configuration: &Configuration) -> Option<&[u8]> {
    const HID: u8 = 3;
    let others = configuration.interfaces.iter().filter(|i| i.class != HID);
    let after = others.flat_map(|i| {
        let endpoints = i.endpoints.iter().map(|e| e.extra.as_slice());
        std::iter::once(i.extra.as_slice()).chain(endpoints)
    });
    std::iter::once(configuration.extra.as_slice())
        .chain(after)
        .flat_map(|extra| descriptors(extra).flatten())
        .find(|one| one.get(1) == Some(&kind::DFU_FUNCTIONAL))
}

/// A configuration and the DFU interface in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// All of it.
    pub configuration: Configuration,
    /// The interface, its alternates with names.
    pub interface: Interface,
}

/// Reads the first configuration of a device and the names of its memories: three requests, and
/// one for each memory.
#[must_use]
pub fn describe(limits: Limits) -> Conversation<Described> {
    Conversation::new(Describe {
        patience: limits.transfer,
        stage: Stage::Head,
    })
}

struct Describe {
    patience: Duration,
    stage: Stage,
}

enum Stage {
    Head,
    Whole,
    Names {
        described: Box<Described>,
        at: usize,
    },
}

impl Describe {
    fn ask<T>(&self, kind: u8, index: u8, language: u16, length: u16) -> Next<T> {
        let setup = Setup::get_descriptor(kind, index, language, length);
        Next::Ask(setup, Vec::new(), self.patience)
    }

    /// Asks for the next name there is, or is done.
    fn name(&mut self, described: Box<Described>, from: usize) -> Next<Described> {
        let mut alternates = described.interface.alternates.iter().enumerate().skip(from);
        match alternates.find(|(_, one)| one.string != 0) {
            Some((at, one)) => {
                let index = one.string;
                self.stage = Stage::Names { described, at };
                self.ask(kind::STRING, index, LANGUAGE, 255)
            }
            None => Next::Done(*described),
        }
    }
}

impl Steps<Described> for Describe {
    fn next(&mut self, _now: Duration, told: Told<'_>) -> Step<Described> {
        let what = "GET_DESCRIPTOR";
        if told == Told::Start {
            return Ok(self.ask(kind::CONFIGURATION, 0, 0, Configuration::HEAD_LEN as u16));
        }
        match std::mem::replace(&mut self.stage, Stage::Head) {
            Stage::Head => {
                let total = Configuration::total_length(told.reply(what)?)?;
                self.stage = Stage::Whole;
                Ok(self.ask(kind::CONFIGURATION, 0, 0, total))
            }
            Stage::Whole => {
                let configuration = Configuration::decode(told.reply(what)?)?;
                let interface = Interface::find(&configuration)?;
                let described = Box::new(Described {
                    configuration,
                    interface,
                });
                Ok(self.name(described, 0))
            }
            Stage::Names { mut described, at } => {
                // A memory whose name cannot be read has none.
                let name = match told {
                    Told::Stall => None,
                    told => decode_string(told.reply(what)?).ok(),
                };
                if let Some(one) = described.interface.alternates.get_mut(at) {
                    one.name = name.unwrap_or_default();
                }
                Ok(self.name(described, at + 1))
            }
        }
    }
}
