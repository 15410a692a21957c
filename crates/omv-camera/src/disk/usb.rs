//! A camera's disk over a link: mass storage with no driver of the system in between.

use std::time::Duration;

use omv_link::{Link, LinkError, drive};
use omv_wire::msc::{Capacity, Command, Exchange, Failure, Sense};

use super::{BlockError, Blocks};

/// Bytes moved by one command.
const MOST: usize = 32 << 10;

/// The disk a running camera shows over USB.
pub struct UsbDisk {
    link: Box<dyn Link>,
    capacity: Capacity,
    tag: u32,
}

impl UsbDisk {
    /// Asks the disk behind a link of [`Function::Disk`](omv_link::Function::Disk) how large it
    /// is, after it is ready.
    ///
    /// # Errors
    /// [`BlockError`]. One that was ejected is loaded again.
    pub fn open(link: Box<dyn Link>) -> Result<Self, BlockError> {
        let capacity = Capacity {
            blocks: 0,
            block_size: 512,
        };
        let mut disk = Self {
            link,
            capacity,
            tag: 0,
        };
        let ready = disk.outward(Command::TestUnitReady, Vec::new());
        if ready.is_err_and(|error| error != BlockError::Gone) {
            // Somebody ejected it; the camera keeps it from computers until it is loaded again.
            disk.eject(false)?;
            disk.outward(Command::TestUnitReady, Vec::new())?;
        }
        let answer = disk.inward(Command::ReadCapacity, Capacity::LEN as u32)?;
        disk.capacity =
            Capacity::decode(&answer).map_err(|error| BlockError::Failed(error.to_string()))?;
        Ok(disk)
    }

    /// Ejects the medium: the computer lets go, the camera goes on using it.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn eject(&mut self, eject: bool) -> Result<(), BlockError> {
        let start = !eject;
        self.outward(Command::StartStop { start, eject: true }, Vec::new())
    }

    fn inward(&mut self, command: Command, length: u32) -> Result<Vec<u8>, BlockError> {
        self.tag = self.tag.wrapping_add(1) & 0x7FFF_FFFF;
        self.run(Exchange::inward(self.tag, command, length))
    }

    fn outward(&mut self, command: Command, data: Vec<u8>) -> Result<(), BlockError> {
        self.tag = self.tag.wrapping_add(1) & 0x7FFF_FFFF;
        self.run(Exchange::outward(self.tag, command, data))
            .map(|_| ())
    }

    fn run(&mut self, mut exchange: Exchange) -> Result<Vec<u8>, BlockError> {
        match drive(&mut exchange, &mut *self.link) {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(Failure::Gone)) | Err(LinkError::Gone) => Err(BlockError::Gone),
            Ok(Err(Failure::Refused(Sense::PROTECTED))) => Err(BlockError::Protected),
            Ok(Err(failure)) => Err(BlockError::Failed(failure.to_string())),
            Err(error) => Err(BlockError::Failed(error.to_string())),
        }
    }

    fn number(first: u64) -> Result<u32, BlockError> {
        u32::try_from(first).map_err(|_| BlockError::Failed("there is no such block".into()))
    }
}

impl Blocks for UsbDisk {
    fn block_size(&self) -> u32 {
        self.capacity.block_size
    }

    fn blocks(&self) -> u64 {
        self.capacity.blocks
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
        let size = self.capacity.block_size as usize;
        let mut block = Self::number(first)?;
        for piece in into.chunks_mut(MOST) {
            let count = (piece.len() / size) as u16;
            let read = Command::Read { block, count };
            let bytes = self.inward(read, piece.len() as u32)?;
            piece.copy_from_slice(&bytes);
            block = block.wrapping_add(count.into());
        }
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
        let size = self.capacity.block_size as usize;
        let mut block = Self::number(first)?;
        for piece in from.chunks(MOST) {
            let count = (piece.len() / size) as u16;
            self.outward(Command::Write { block, count }, piece.to_vec())?;
            block = block.wrapping_add(count.into());
        }
        Ok(())
    }

    /// Lets go of the medium, upon which STM32 boards write what they hold back. Silence
    /// meanwhile is waited out.
    fn settle(&mut self) -> Result<(), BlockError> {
        self.outward(Command::PreventRemoval(false), Vec::new())
    }

    fn let_go(&mut self, go: bool) -> Result<(), BlockError> {
        self.eject(go)
    }

    fn now(&self) -> Duration {
        self.link.now()
    }
}
