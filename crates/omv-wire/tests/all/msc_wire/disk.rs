//! A disk in memory that fails where it is told, and both ends of the protocol around it.

use std::collections::BTreeSet;
use std::time::Duration;

use omv_wire::msc::{
    Camera, Capacity, Command, Exchange, Failure, Identity, Personality, Stack, Storage,
    StorageError, Take,
};
use omv_wire::{Input, Machine, Turn};

pub struct Memory {
    pub bytes: Vec<u8>,
    pub block_size: u32,
    pub bad: BTreeSet<u32>,
    pub protected: bool,
    pub flushes: u32,
}

impl Memory {
    pub fn new(blocks: usize, block_size: u32) -> Self {
        let bytes = (0..blocks * block_size as usize).map(|at| (at / 7) as u8);
        Self {
            bytes: bytes.collect(),
            block_size,
            bad: BTreeSet::new(),
            protected: false,
            flushes: 0,
        }
    }

    fn at(&self, block: u32) -> Result<std::ops::Range<usize>, StorageError> {
        let size = self.block_size as usize;
        let start = block as usize * size;
        if start + size > self.bytes.len() {
            return Err(StorageError::OutOfRange);
        }
        match self.bad.contains(&block) {
            true => Err(StorageError::Failed),
            false => Ok(start..start + size),
        }
    }
}

impl Storage for Memory {
    fn capacity(&self) -> Option<Capacity> {
        Some(Capacity {
            blocks: self.bytes.len() as u64 / u64::from(self.block_size),
            block_size: self.block_size,
        })
    }

    fn read(&mut self, _now: Duration, block: u32, into: &mut [u8]) -> Result<(), StorageError> {
        let at = self.at(block)?;
        into.copy_from_slice(&self.bytes[at]);
        Ok(())
    }

    fn write(&mut self, _now: Duration, block: u32, from: &[u8]) -> Result<(), StorageError> {
        let at = self.at(block)?;
        self.bytes[at].copy_from_slice(from);
        Ok(())
    }

    fn flush(&mut self, _now: Duration) {
        self.flushes += 1;
    }

    fn is_protected(&self) -> bool {
        self.protected
    }
}

pub const TINY: Personality = Personality {
    identity: Identity {
        removable: true,
        vendor: *b"Micropy\0",
        product: *b"Mass Storage\0\0\0\0",
        revision: *b"1.0\0",
    },
    stack: Stack::Tiny,
    hides_errors: false,
};

pub const ST: Personality = Personality {
    identity: Identity {
        removable: true,
        vendor: *b"MicroPy ",
        product: *b"pyboard Flash   ",
        revision: *b"1.00",
    },
    stack: Stack::St,
    hides_errors: false,
};

/// Both ends of one cable. IN transfers are asked for in sizes of the test's choice.
pub struct Pair {
    pub camera: Camera,
    pub storage: Memory,
    pub now: Duration,
    pub transfer: usize,
    /// Transfers still let through before the camera falls silent.
    pub lets: usize,
    pub resets: u32,
    tag: u32,
}

impl Pair {
    pub fn new(personality: Personality, storage: Memory) -> Self {
        Self {
            camera: Camera::new(personality),
            storage,
            now: Duration::ZERO,
            transfer: 65536,
            lets: usize::MAX,
            resets: 0,
            tag: 0,
        }
    }

    pub fn inward(&mut self, command: Command, length: u32) -> Result<Vec<u8>, Failure> {
        self.tag += 1;
        self.run(Exchange::inward(self.tag, command, length))
    }

    pub fn outward(&mut self, command: Command, data: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.tag += 1;
        self.run(Exchange::outward(self.tag, command, data))
    }

    pub fn read(&mut self, block: u32, count: u16) -> Result<Vec<u8>, Failure> {
        let length = u32::from(count) * self.storage.block_size;
        self.inward(Command::Read { block, count }, length)
    }

    pub fn write(&mut self, block: u32, data: Vec<u8>) -> Result<(), Failure> {
        let count = (data.len() / self.storage.block_size as usize) as u16;
        self.outward(Command::Write { block, count }, data)
            .map(|_| ())
    }

    pub fn run(&mut self, mut exchange: Exchange) -> Result<Vec<u8>, Failure> {
        loop {
            match exchange.poll(self.now) {
                Turn::Send(frame) if frame.is_empty() => {
                    self.resets += 1;
                    self.camera.reset();
                    self.camera.clear_halt();
                }
                Turn::Send(frame) => {
                    if self.lets > 0 {
                        self.lets -= 1;
                        self.camera.out(self.now, &mut self.storage, &frame);
                    }
                }
                Turn::Wait { until } => {
                    let mut taken = Take::Nothing;
                    if self.lets > 0 {
                        taken = self.camera.take(self.now, &mut self.storage, self.transfer);
                    }
                    match taken {
                        Take::Data(bytes) => {
                            self.lets -= 1;
                            exchange.feed(self.now, Input::Bytes(&bytes));
                        }
                        Take::Stall => {
                            self.camera.clear_halt();
                            exchange.feed(self.now, Input::Stall);
                        }
                        Take::Nothing => self.now = until,
                    }
                }
                Turn::Done(result) => return result,
            }
        }
    }
}
