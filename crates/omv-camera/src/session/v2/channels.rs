//! Reading, writing and asking channels.

use std::time::Duration;

use omv_wire::v2::channels::flag;
use omv_wire::v2::codec::{Opcode, Status};
use omv_wire::v2::session::{Answer, Request};

use super::super::info::Profile;
use super::{Line, PATIENCE, no_answer, refused};
use crate::Error;

/// Slowest line a patience allows for: full speed USB with much else going on.
const BYTES_PER_MILLISECOND: u64 = 250;
/// Times a lock that is not to be had is tried, a few milliseconds apart.
const LOCKS: u32 = 20;
/// Bytes read of a channel that does not tell its size.
const UNSIZED: u32 = 4096;
/// Bytes of offset and length before the data of a write.
const WRITE_HEAD: usize = 8;

impl Line {
    /// A request about a channel.
    pub(super) fn about(id: u8, opcode: Opcode) -> Request {
        Request {
            channel: id,
            patience: PATIENCE,
            ..Request::new(opcode)
        }
    }

    pub(super) fn read_request(&self, id: u8, length: u32) -> Request {
        self.read_from(id, 0, length)
    }

    pub(super) fn read_from(&self, id: u8, offset: u32, length: u32) -> Request {
        let mut payload = offset.to_le_bytes().to_vec();
        payload.extend(length.to_le_bytes());
        Request {
            payload,
            limit: length as usize,
            patience: PATIENCE + Duration::from_millis(u64::from(length) / BYTES_PER_MILLISECOND),
            ..Self::about(id, Opcode::CHANNEL_READ)
        }
    }

    pub(super) fn size(&mut self, id: u8) -> Result<u32, Error> {
        let data = self.data(&Self::about(id, Opcode::CHANNEL_SIZE))?;
        let size = data.first_chunk().copied().map(u32::from_le_bytes);
        size.ok_or_else(|| no_answer(Opcode::CHANNEL_SIZE))
    }

    /// Whether the channel could be locked.
    pub(super) fn lock(&mut self, id: u8) -> Result<bool, Error> {
        match self.request(&Self::about(id, Opcode::CHANNEL_LOCK), false)? {
            Answer::Accepted => Ok(true),
            Answer::Refused {
                status: Status::BUSY,
                ..
            } => Ok(false),
            Answer::Refused { status, .. } => Err(refused(Opcode::CHANNEL_LOCK, status)),
            _ => Err(no_answer(Opcode::CHANNEL_LOCK)),
        }
    }

    /// Gives a channel back; one that was not locked does not mind.
    pub(super) fn unlock(&mut self, id: u8) -> Result<(), Error> {
        self.request(&Self::about(id, Opcode::CHANNEL_UNLOCK), true)
            .map(drop)
    }

    pub(super) fn ioctl(
        &mut self,
        id: u8,
        number: u32,
        args: &[u8],
        twice: bool,
    ) -> Result<(), Error> {
        let mut payload = number.to_le_bytes().to_vec();
        payload.extend_from_slice(args);
        let request = Request {
            payload,
            ..Self::about(id, Opcode::CHANNEL_IOCTL)
        };
        match self.request(&request, twice)? {
            Answer::Accepted => Ok(()),
            Answer::Refused { status, .. } => Err(refused(Opcode::CHANNEL_IOCTL, status)),
            _ => Err(no_answer(Opcode::CHANNEL_IOCTL)),
        }
    }

    pub(super) fn write(&mut self, id: u8, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut payload = word(offset).to_vec();
        payload.extend(word(bytes.len()));
        payload.extend_from_slice(bytes);
        let request = Request {
            payload,
            ..Self::about(id, Opcode::CHANNEL_WRITE)
        };
        match self.request(&request, false)? {
            Answer::Accepted => Ok(()),
            Answer::Refused { status, .. } => Err(refused(Opcode::CHANNEL_WRITE, status)),
            _ => Err(no_answer(Opcode::CHANNEL_WRITE)),
        }
    }

    /// Bytes of data one write takes.
    pub(super) fn write_size(&self) -> usize {
        usize::from(self.session.caps().max_payload)
            .saturating_sub(WRITE_HEAD)
            .max(1)
    }

    pub(super) fn write_channel(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let id = self.channel(name)?.id;
        let size = self.write_size();
        for (index, piece) in bytes.chunks(size).enumerate() {
            self.write(id, index * size, piece)?;
        }
        Ok(())
    }

    pub(super) fn read_channel(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let channel = self.channel(name)?;
        if channel.flags & flag::LOCK == 0 {
            return self.read_open(channel.id, limit);
        }
        self.lock_patiently(channel.id)?;
        let read = self.read_open(channel.id, limit);
        self.unlock(channel.id)?;
        read
    }

    fn lock_patiently(&mut self, id: u8) -> Result<(), Error> {
        for _ in 0..LOCKS {
            if self.lock(id)? {
                return Ok(());
            }
            let until = self.link.now() + Duration::from_millis(3);
            while self.link.now() < until && self.listen(until)? {}
        }
        Err(refused(Opcode::CHANNEL_LOCK, Status::BUSY))
    }

    fn read_open(&mut self, id: u8, limit: usize) -> Result<Vec<u8>, Error> {
        let size = match self.size(id) {
            Ok(size) => size,
            Err(Error::RequestRefused { .. }) => UNSIZED,
            Err(error) => return Err(error),
        };
        let length = size.min(u32::try_from(limit).unwrap_or(u32::MAX));
        if length == 0 {
            return Ok(Vec::new());
        }
        let request = self.read_request(id, length);
        match self.request(&request, false)? {
            Answer::Data(data) => Ok(data),
            // A channel that runs dry says so behind what it had.
            Answer::Refused { data, .. } if !data.is_empty() => Ok(data),
            Answer::Refused {
                status: Status::FAILED,
                ..
            } if size == UNSIZED => Ok(Vec::new()),
            Answer::Refused { status, .. } => Err(refused(Opcode::CHANNEL_READ, status)),
            _ => Err(no_answer(Opcode::CHANNEL_READ)),
        }
    }

    fn profiler(&self) -> Result<u8, Error> {
        let found = self.channel("profile");
        let missing = |_| Error::NotInFirmware { what: "a profiler" };
        found.map(|channel| channel.id).map_err(missing)
    }

    pub(super) fn profile_ioctl(&mut self, number: u32, args: &[u8]) -> Result<(), Error> {
        let id = self.profiler()?;
        self.ioctl(id, number, args, true)
    }

    pub(super) fn read_profile(&mut self) -> Result<Profile, Error> {
        let id = self.profiler()?;
        self.lock_patiently(id)?;
        let read = self.profile_of(id);
        self.unlock(id)?;
        read
    }

    fn profile_of(&mut self, id: u8) -> Result<Profile, Error> {
        let shape = self.data(&Self::about(id, Opcode::CHANNEL_SHAPE))?;
        let (words, _) = shape.as_chunks::<4>();
        let size = words.get(1).map_or(0, |word| u32::from_le_bytes(*word));
        let bytes = self.read_open(id, 1 << 20)?;
        Ok(Profile::decode(&bytes, size as usize))
    }
}
