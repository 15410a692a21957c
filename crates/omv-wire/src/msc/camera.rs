//! Their side: a disk over one medium, as the firmware's two USB stacks behave.
//!
//! Not a [`Machine`](crate::Machine): a disk answers transfers, and it must be able to stall.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{Status, StatusWrapper, Wrapper};
use super::scsi::{Capacity, Command, Identity, Sense};

/// Why a medium did not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// The block could not be read or written.
    Failed,
    /// There is no such block.
    OutOfRange,
    /// It is write-protected.
    Protected,
    /// There is no medium.
    Absent,
}

/// What a disk stands on. Blocks are counted from 0; buffers hold exactly one block.
pub trait Storage {
    /// Blocks and their size; none without a medium.
    fn capacity(&self) -> Option<Capacity>;

    /// Reads one block.
    ///
    /// # Errors
    /// [`StorageError`]; what was in the buffer may be changed or not.
    fn read(&mut self, now: Duration, block: u32, into: &mut [u8]) -> Result<(), StorageError>;

    /// Writes one block.
    ///
    /// # Errors
    /// [`StorageError`].
    fn write(&mut self, now: Duration, block: u32, from: &[u8]) -> Result<(), StorageError>;

    /// The host locked or let go of the medium: a cache is written now.
    fn flush(&mut self, now: Duration);

    /// Whether it can be written at all.
    fn is_protected(&self) -> bool {
        false
    }
}

/// Which USB stack answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// TinyUSB: RT1062 and AE3. Stalls when it has less than was asked for, leaves the residue 0,
    /// and gives "invalid command" as the reason for a block that failed.
    Tiny,
    /// ST's: all STM32 boards up to 5.x.
    St,
}

/// What differs from camera to camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personality {
    /// Who it says it is.
    pub identity: Identity,
    /// Whose USB stack it has.
    pub stack: Stack,
    /// Whether what the medium says is ignored, as the RT1062's firmware does: a read that
    /// failed delivers what was in the buffer before, a write that failed is dropped, and the
    /// host is told that all went well.
    pub hides_errors: bool,
}

/// What an IN endpoint has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing yet.
    Nothing,
    /// The endpoint is halted.
    Stall,
    /// One transfer's bytes.
    Data(Vec<u8>),
}

/// Bytes of the firmware's own transfer buffer: a read is done in pieces of this size.
const PIECE: usize = 4096;
/// What is no multiple of this ends in a short packet at any speed.
const PACKET: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for a wrapper.
    Command,
    /// Blocks go out as they are asked for.
    Sending { block: u32, left: u32 },
    /// Blocks come in.
    Taking { block: u32, left: u32 },
    /// Bytes nobody wants come in.
    Draining { left: u32 },
    /// Got what is no wrapper: halted until reset.
    Lost,
}

/// A disk. The caller owns the medium and lends it for each call.
#[derive(Clone, Debug)]
pub struct Camera {
    personality: Personality,
    stage: Stage,
    status: StatusWrapper,
    /// Answers ready to be taken, then the status.
    ready: VecDeque<Vec<u8>>,
    /// The IN endpoint is halted; the status waits behind.
    halted: bool,
    sense: Sense,
    ejected: bool,
    /// The transfer buffer, with what is left in it from the transfer before.
    buffer: Vec<u8>,
    partial: Vec<u8>,
}

impl Camera {
    /// A disk that was just enumerated.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        Self {
            personality,
            stage: Stage::Command,
            status: StatusWrapper {
                tag: 0,
                residue: 0,
                status: Status::Passed,
            },
            ready: VecDeque::new(),
            halted: false,
            sense: Sense::default(),
            ejected: false,
            buffer: vec![0; PIECE],
            partial: Vec::new(),
        }
    }

    /// Whether the host ejected the medium. Only a load command or a chip reset brings it back;
    /// the firmware's own use of it goes on.
    #[must_use]
    pub fn is_ejected(&self) -> bool {
        self.ejected
    }

    /// The bulk-only reset.
    pub fn reset(&mut self) {
        self.stage = Stage::Command;
        self.sense = Sense::default();
        self.ready.clear();
        self.partial.clear();
    }

    /// The host cleared the IN endpoint's halt.
    pub fn clear_halt(&mut self) {
        if self.stage != Stage::Lost {
            self.halted = false;
        }
    }

    /// One OUT transfer.
    pub fn out(&mut self, now: Duration, storage: &mut dyn Storage, bytes: &[u8]) {
        match self.stage {
            Stage::Lost => {}
            Stage::Taking { .. } => self.taking(now, storage, bytes),
            Stage::Draining { left } => {
                let left = left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                self.stage = Stage::Draining { left };
                if left == 0 {
                    self.finish();
                }
            }
            Stage::Command | Stage::Sending { .. } => match Wrapper::decode(bytes) {
                Ok(wrapper) => self.begin(now, storage, &wrapper),
                Err(_) => {
                    self.stage = Stage::Lost;
                    self.ready.clear();
                    self.halted = true;
                }
            },
        }
    }

    /// At most `limit` bytes for the host.
    pub fn take(&mut self, now: Duration, storage: &mut dyn Storage, limit: usize) -> Take {
        if self.halted {
            return Take::Stall;
        }
        if self.ready.is_empty() {
            self.read_piece(now, storage);
            if self.halted {
                return Take::Stall;
            }
        }
        let Some(mut bytes) = self.ready.pop_front() else {
            return Take::Nothing;
        };
        // A transfer goes on until a short packet.
        while bytes.len() < limit && bytes.len().is_multiple_of(PACKET) {
            if self.ready.is_empty() {
                self.read_piece(now, storage);
            }
            // The status behind a halt waits until that is cleared.
            if self.halted {
                break;
            }
            match self.ready.pop_front() {
                Some(more) => bytes.extend(more),
                None => break,
            }
        }
        if bytes.len() > limit {
            self.ready.push_front(bytes.split_off(limit));
        }
        Take::Data(bytes)
    }

    fn begin(&mut self, now: Duration, storage: &mut dyn Storage, wrapper: &Wrapper) {
        self.ready.clear();
        self.status = StatusWrapper {
            tag: wrapper.tag,
            residue: 0,
            status: Status::Passed,
        };
        let command = Command::decode(&wrapper.command);
        match command {
            Ok(Command::Read { block, count }) => {
                match self.blocks(storage, wrapper, count, true) {
                    Ok(0) => self.finish(),
                    Ok(left) => self.stage = Stage::Sending { block, left },
                    Err(sense) => self.fail(sense, wrapper),
                }
            }
            Ok(Command::Write { block, count }) => {
                match self.blocks(storage, wrapper, count, false) {
                    Ok(_) if storage.is_protected() => self.fail(Sense::PROTECTED, wrapper),
                    Ok(0) => self.finish(),
                    Ok(left) => {
                        self.partial.clear();
                        self.stage = Stage::Taking { block, left };
                    }
                    Err(sense) => self.fail(sense, wrapper),
                }
            }
            Ok(command) => match self.answer(now, storage, command) {
                Ok(answer) => self.deliver(answer, wrapper),
                Err(sense) => self.fail(sense, wrapper),
            },
            Err(_) => self.fail(Sense::INVALID_COMMAND, wrapper),
        }
    }

    /// How many blocks a transfer is good for.
    fn blocks(
        &self,
        storage: &dyn Storage,
        wrapper: &Wrapper,
        count: u16,
        inward: bool,
    ) -> Result<u32, Sense> {
        let capacity = storage.capacity().filter(|_| !self.ejected);
        let capacity = capacity.ok_or(Sense::NO_MEDIUM)?;
        let bytes = u64::from(count) * u64::from(capacity.block_size);
        if bytes != u64::from(wrapper.length) || (bytes > 0 && wrapper.inward != inward) {
            return Err(Sense::INVALID_FIELD);
        }
        Ok(count.into())
    }

    fn answer(
        &mut self,
        now: Duration,
        storage: &mut dyn Storage,
        command: Command,
    ) -> Result<Vec<u8>, Sense> {
        let capacity = storage.capacity().filter(|capacity| capacity.blocks > 0);
        let cut = |mut bytes: Vec<u8>, length: usize| {
            bytes.truncate(length);
            Ok(bytes)
        };
        match command {
            Command::TestUnitReady if self.ejected => Err(Sense::NO_MEDIUM),
            Command::TestUnitReady => capacity.map(|_| Vec::new()).ok_or(Sense::NO_MEDIUM),
            Command::RequestSense { length } => {
                let sense = std::mem::take(&mut self.sense);
                cut(sense.encode().to_vec(), length.into())
            }
            Command::Inquiry { page: None, length } => {
                cut(self.personality.identity.encode(), length.into())
            }
            Command::Inquiry { .. } if self.personality.stack == Stack::Tiny => {
                // It does not look at the page, and answers as if none were asked for.
                Ok(self.personality.identity.encode())
            }
            Command::Inquiry {
                page: Some(0),
                length,
            } => cut(vec![0, 0, 0, 2, 0, 0x83], length.into()),
            Command::Inquiry {
                page: Some(0x83),
                length,
            } => cut(vec![0, 0x83, 0, 0], length.into()),
            Command::Inquiry { .. } => Err(Sense::INVALID_FIELD),
            Command::ModeSense { length, .. } => {
                let protect = u8::from(storage.is_protected()) << 7;
                cut(vec![3, 0, protect, 0], length.into())
            }
            Command::StartStop { start, eject } => {
                if eject || self.personality.stack == Stack::St {
                    self.ejected = !start;
                }
                Ok(Vec::new())
            }
            Command::PreventRemoval(_) => {
                storage.flush(now);
                Ok(Vec::new())
            }
            Command::ReadFormatCapacities { length } => {
                let capacity = capacity.ok_or(Sense::NO_MEDIUM)?;
                let [b0, b1, b2, b3] = u32::try_from(capacity.blocks)
                    .unwrap_or(u32::MAX)
                    .to_be_bytes();
                let [_, s1, s2, s3] = capacity.block_size.to_be_bytes();
                cut(
                    vec![0, 0, 0, 8, b0, b1, b2, b3, 2, s1, s2, s3],
                    length.into(),
                )
            }
            Command::ReadCapacity => Ok(capacity.ok_or(Sense::NO_MEDIUM)?.encode().to_vec()),
            _ => Err(Sense::INVALID_COMMAND),
        }
    }

    /// Sends an answer that is not blocks.
    fn deliver(&mut self, mut answer: Vec<u8>, wrapper: &Wrapper) {
        let wanted = match wrapper.inward {
            true => wrapper.length as usize,
            false => 0,
        };
        answer.truncate(wanted);
        let rest = wrapper.length - answer.len() as u32;
        if self.personality.stack == Stack::St {
            self.status.residue = rest;
        }
        if !wrapper.inward && wrapper.length > 0 {
            self.stage = Stage::Draining {
                left: wrapper.length,
            };
            return;
        }
        if !answer.is_empty() {
            self.ready.push_back(answer);
        } else if wanted > 0 {
            self.halted = true;
        }
        self.finish();
    }

    /// Ends a command before its data.
    fn fail(&mut self, sense: Sense, wrapper: &Wrapper) {
        self.sense = sense;
        self.status.status = Status::Failed;
        self.status.residue = wrapper.length;
        if wrapper.length > 0 && !wrapper.inward {
            // A halted OUT endpoint is drained here: the host sees the status either way.
            self.stage = Stage::Draining {
                left: wrapper.length,
            };
        } else {
            self.halted = wrapper.length > 0;
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.stage = Stage::Command;
        self.ready.push_back(self.status.encode());
    }

    /// The reason that is given for a block.
    fn reason(&self, error: StorageError, reading: bool) -> Sense {
        match (self.personality.stack, error) {
            (_, StorageError::Protected) => Sense::PROTECTED,
            (_, StorageError::Absent) => Sense::NO_MEDIUM,
            (Stack::Tiny, _) => Sense::INVALID_COMMAND,
            (Stack::St, StorageError::OutOfRange) => Sense::OUT_OF_RANGE,
            (Stack::St, StorageError::Failed) if reading => Sense::READ_ERROR,
            (Stack::St, StorageError::Failed) => Sense::WRITE_FAULT,
        }
    }

    fn read_piece(&mut self, now: Duration, storage: &mut dyn Storage) {
        let Stage::Sending { block, left } = self.stage else {
            return;
        };
        let size = storage
            .capacity()
            .map_or(512, |capacity| capacity.block_size) as usize;
        let count = (PIECE / size).clamp(1, left as usize);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE.max(size), 0);
        let mut error = None;
        for (number, into) in (block..).zip(buffer.chunks_exact_mut(size).take(count)) {
            error = storage.read(now, number, into).err();
            if error.is_some() {
                break;
            }
        }
        let piece = buffer.get(..count * size).unwrap_or_default().to_vec();
        self.buffer = buffer;
        match error.filter(|_| !self.personality.hides_errors) {
            Some(error) => {
                self.sense = self.reason(error, true);
                self.status.status = Status::Failed;
                self.status.residue = left * size as u32;
                self.halted = true;
                self.finish();
            }
            None => {
                self.ready.push_back(piece);
                let left = left - count as u32;
                self.stage = Stage::Sending {
                    block: block.wrapping_add(count as u32),
                    left,
                };
                if left == 0 {
                    self.finish();
                }
            }
        }
    }

    fn taking(&mut self, now: Duration, storage: &mut dyn Storage, bytes: &[u8]) {
        let size = storage
            .capacity()
            .map_or(512, |capacity| capacity.block_size) as usize;
        self.partial.extend_from_slice(bytes);
        let partial = std::mem::take(&mut self.partial);
        let mut blocks = partial.chunks_exact(size);
        for data in &mut blocks {
            let Stage::Taking { block, left } = self.stage else {
                return;
            };
            let result = storage.write(now, block, data);
            if let Some(into) = self.buffer.get_mut(..size) {
                into.copy_from_slice(data);
            }
            let left = left - 1;
            if let Some(error) = result.err().filter(|_| !self.personality.hides_errors) {
                self.sense = self.reason(error, false);
                self.status.status = Status::Failed;
                self.status.residue = (left + 1) * size as u32;
                let here = (blocks.len() * size + blocks.remainder().len()) as u32;
                let drain = (left * size as u32).saturating_sub(here);
                self.stage = Stage::Draining { left: drain };
                if drain == 0 {
                    self.finish();
                }
                return;
            }
            self.stage = Stage::Taking {
                block: block.wrapping_add(1),
                left,
            };
            if left == 0 {
                self.finish();
                return;
            }
        }
        self.partial = blocks.remainder().to_vec();
    }
}
