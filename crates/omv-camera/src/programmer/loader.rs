//! Commands to a bootloader that speaks mboot: straight lines over one link.

use std::ops::Range;
use std::time::Duration;

use omv_boards::{Mboot, Region, State};
use omv_link::{Device, Function, Link, drive};
use omv_wire::mboot::{Command, Data, Exchange, Failure, Reply, Setup, Wire, property, status};

use super::Programmer;
use crate::{Error, Found};

/// How long one command may take to go on. An erase of a chunk takes 0.7 s, or some seconds on
/// a worn chip.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the first word may take to be answered.
const GREETING: Duration = Duration::from_secs(2);

/// A bootloader, opened and held.
pub struct Loader {
    link: Box<dyn Link>,
    setup: Setup,
    memory: u32,
    // Dropped last: it is what holds the camera for this process.
    _device: Box<dyn Device>,
}

impl Loader {
    /// Opens a bootloader and says the first word, which makes it stay. Tells which loader it
    /// is: the resident one or the one in RAM have the same USB identity.
    ///
    /// # Errors
    /// [`Error::ForeignLoader`] for another product's, [`Error::Gone`] if its window closed.
    pub fn open(found: &Found, facts: &Mboot) -> Result<(Self, State), Error> {
        let mut device = found.bus.open(&found.seen)?;
        let link = device.link(Function::Hid)?;
        let setup = Setup {
            patience: GREETING,
            ..Setup::new(Wire::Hid)
        };
        let mut loader = Self {
            link,
            setup,
            memory: 0,
            _device: device,
        };
        let version = loader.property(property::CURRENT_VERSION)?;
        let place = found.seen.place.to_string();
        if version != facts.version_property {
            let (property, value) = (property::CURRENT_VERSION, version);
            return Err(Error::ForeignLoader {
                place,
                property,
                value,
            });
        }
        let peripherals = loader.property(property::AVAILABLE_PERIPHERALS)?;
        let state = if peripherals == facts.resident_peripherals {
            State::Sbl
        } else if peripherals == facts.flashloader_peripherals {
            State::Flashloader
        } else {
            let (property, value) = (property::AVAILABLE_PERIPHERALS, peripherals);
            return Err(Error::ForeignLoader {
                place,
                property,
                value,
            });
        };
        loader.setup.packet = loader.property(property::MAX_PACKET_SIZE)? as usize;
        loader.setup.patience = PATIENCE;
        Ok((loader, state))
    }

    /// Erases whole sectors, a chunk at a time.
    pub(crate) fn erase_range(&mut self, range: Range<u32>) -> Result<(), Error> {
        let size = range.end - range.start;
        let command = Command::flash_erase_region(range.start, size, self.memory);
        self.command(command, Data::None, "erase flash").map(drop)
    }

    /// Writes bytes to erased flash, or to RAM.
    pub(crate) fn write_at(&mut self, start: u32, bytes: &[u8]) -> Result<(), Error> {
        let command = Command::write_memory(start, bytes.len() as u32, self.memory);
        self.command(command, Data::Out(bytes.into()), "write flash")
            .map(drop)
    }

    /// Reads bytes.
    pub(crate) fn read_at(&mut self, start: u32, size: u32) -> Result<Vec<u8>, Error> {
        let command = Command::read_memory(start, size, self.memory);
        let reply = self.command(command, Data::In(size), "read flash")?;
        // A camera that announces less than was asked for would leave bytes uncompared.
        if reply.data.len() != size as usize {
            return Err(Error::Protocol {
                doing: "reading flash".into(),
                what: format!("it sent {} of {size} bytes", reply.data.len()),
            });
        }
        Ok(reply.data)
    }

    /// Puts an option word into RAM and has the loader act on it.
    pub(crate) fn configure(&mut self, facts: &Mboot, option: u32) -> Result<(), Error> {
        let fill = Command::fill_memory(facts.scratch, 4, option);
        self.command(fill, Data::None, "take an option word")?;
        let configure = Command::configure_memory(facts.memory_id, facts.scratch);
        self.command(configure, Data::None, "set up the flash")
            .map(drop)
    }

    /// Reads a fuse word.
    pub(crate) fn fuse(&mut self, word: u32) -> Result<u32, Error> {
        let command = Command::efuse_read_once(word, 4);
        let reply = self.command(command, Data::None, "read a fuse")?;
        // The words of this reply are the byte count, then the fuse.
        let short = || Error::Protocol {
            doing: "reading a fuse".into(),
            what: "the reply has no value".into(),
        };
        reply.words.get(1).copied().ok_or_else(short)
    }

    /// Burns bits of a fuse word. For ever.
    pub(crate) fn burn(&mut self, word: u32, bits: u32) -> Result<(), Error> {
        let command = Command::efuse_program_once(word, bits);
        self.command(command, Data::None, "burn a fuse").map(drop)
    }

    fn property(&mut self, tag: u32) -> Result<u32, Error> {
        let reply = self.command(Command::get_property(tag, 0), Data::None, "say who it is")?;
        reply.words.first().copied().ok_or_else(|| Error::Protocol {
            doing: "asking who it is".into(),
            what: "the reply has no value".into(),
        })
    }

    fn command(&mut self, command: Command, data: Data<'_>, doing: &str) -> Result<Reply, Error> {
        let mut exchange = Exchange::new(self.setup, command, data);
        match drive(&mut exchange, &mut *self.link)? {
            Ok(reply) if reply.status == status::SUCCESS => Ok(reply),
            Ok(reply) => Err(Error::Status {
                doing: doing.to_owned(),
                status: reply.status,
            }),
            Err(Failure::Gone) => Err(Error::Gone {
                doing: format!("asked to {doing}"),
            }),
            Err(failure) => Err(Error::Protocol {
                doing: format!("asked to {doing}"),
                what: failure.to_string(),
            }),
        }
    }
}

impl Programmer for Loader {
    fn read(&mut self, _region: &Region, range: Range<u32>) -> Result<Vec<u8>, Error> {
        self.read_at(range.start, range.end - range.start)
    }

    fn erase(&mut self, _region: &Region, range: Range<u32>) -> Result<(), Error> {
        self.erase_range(range)
    }

    fn write(&mut self, _region: &Region, start: u32, bytes: &[u8]) -> Result<(), Error> {
        self.write_at(start, bytes)
    }

    fn leave(mut self: Box<Self>) -> Result<(), Error> {
        self.setup.patience = GREETING;
        self.command(Command::reset(), Data::None, "reset")
            .map(drop)
    }

    fn as_loader(&mut self) -> Option<&mut Loader> {
        Some(self)
    }
}
