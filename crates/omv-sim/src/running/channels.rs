//! The channels of protocol v2 over the insides of a camera.

use std::time::Duration;

use omv_wire::v2::channels::{Channels, Reading, flag};
use omv_wire::v2::codec::Status;
use omv_wire::v2::records::Channel;

use super::works::{Shared, Wish};

/// Ids of the channels every camera has.
pub const STDIN: u8 = 1;
/// The script's text.
pub const STDOUT: u8 = 2;
/// Frames.
pub const STREAM: u8 = 3;
/// The first channel a script makes.
pub const FIRST: u8 = 4;

impl Channels for Shared {
    fn list(&self) -> Vec<Channel> {
        let mut list = vec![
            Channel::new(0, "usb", flag::PHYSICAL),
            Channel::new(STDIN, "stdin", flag::WRITE | flag::EXEC),
            Channel::new(STDOUT, "stdout", flag::READ),
            Channel::new(STREAM, "stream", flag::READ | flag::LOCK | flag::STREAM),
        ];
        let works = self.inside();
        let own = (FIRST..).zip(&works.channels);
        list.extend(own.map(|(id, (name, flags))| Channel::new(id, name, flags | flag::DYNAMIC)));
        list
    }

    fn poll(&mut self, _now: Duration) -> u32 {
        let works = self.inside();
        u32::from(works.running) << STDIN
            | u32::from(works.text.len() > 0) << STDOUT
            | u32::from(works.preview.is_ready()) << STREAM
    }

    fn lock(&mut self, id: u8) -> Result<(), Status> {
        let taken = id == STREAM && self.inside().preview.lock();
        if taken { Ok(()) } else { Err(Status::BUSY) }
    }

    fn unlock(&mut self, id: u8) -> Result<(), Status> {
        if id != STREAM {
            return Err(Status::BUSY);
        }
        self.inside().preview.unlock();
        Ok(())
    }

    fn size(&mut self, id: u8) -> Result<u32, Status> {
        let works = self.inside();
        match id {
            STDOUT => Ok(works.text.len() as u32),
            STREAM => Ok(works.preview.size() as u32),
            _ => Err(Status::INVALID),
        }
    }

    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status> {
        match id {
            STREAM => Ok(self.inside().preview.shape()),
            _ => Err(Status::INVALID),
        }
    }

    fn reading(&self, id: u8) -> Option<Reading> {
        match id {
            STDOUT => Some(Reading::Copy),
            STREAM => Some(Reading::Pointer),
            _ => None,
        }
    }

    fn read(&mut self, id: u8, offset: u32, length: u32) -> Result<Vec<u8>, Status> {
        let mut works = self.inside();
        match id {
            STDOUT => Ok(works.text.take(length as usize)),
            STREAM => {
                let bytes = works.preview.read(offset as usize, length as usize);
                bytes.ok_or(Status::FAILED)
            }
            _ => Err(Status::FAILED),
        }
    }

    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status> {
        if id != STDIN {
            return Err(Status::INVALID);
        }
        let mut works = self.inside();
        if offset == 0 {
            works.script.clear();
        }
        // One that does not fit is acknowledged all the same.
        works.append(bytes);
        Ok(())
    }

    fn ioctl(&mut self, id: u8, request: u32, arguments: &[u8]) -> Result<(), Status> {
        let mut works = self.inside();
        let word = |at: usize| {
            let bytes = arguments.get(at..).and_then(|rest| rest.first_chunk());
            bytes.copied().map_or(0, u32::from_le_bytes)
        };
        match (id, request, arguments.len()) {
            (STDIN, 1, 0) => works.wish = Some(Wish::Stop),
            (STDIN, 2, 0) if works.script.is_empty() => return Err(Status::FAILED),
            (STDIN, 2, 0) => works.wish = Some(Wish::Run),
            (STDIN, 3, 0) => works.script.clear(),
            (STREAM, 0, 4) => works.preview.enable(word(0) != 0),
            (STREAM, 1, 4) => works.preview.set_raw(word(0) != 0),
            (STREAM, 2, 8) => works
                .preview
                .set_raw_box(word(0) & 0x7FFF, word(4) & 0x7FFF),
            (STREAM, 3, 4) => {}
            _ => return Err(Status::INVALID),
        }
        Ok(())
    }
}
