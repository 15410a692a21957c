//! The channels of protocol v2 over the insides of a camera.

use std::time::Duration;

use omv_wire::v2::channels::{Channels, Reading, flag};
use omv_wire::v2::codec::Status;
use omv_wire::v2::records::Channel;

use super::requests::{Call, Given, Own};
use super::works::{Shared, Wish, Works};

/// Ids of the channels every camera has.
pub const STDIN: u8 = 1;
/// The script's text.
pub const STDOUT: u8 = 2;
/// Frames.
pub const STREAM: u8 = 3;
/// The first channel a script makes.
pub const FIRST: u8 = 4;

impl Works {
    /// A channel of the script's.
    fn own(&self, id: u8) -> Option<&Own> {
        self.channels.get(usize::from(id.checked_sub(FIRST)?))
    }

    /// Whether it has a method.
    fn has(&self, id: u8, method: &str) -> bool {
        let own = self.own(id);
        own.is_some_and(|own| own.methods.iter().any(|has| has == method))
    }

    /// Has a method of the script's called; `missing` if there is none.
    fn call(
        &mut self,
        (id, method): (u8, &'static str),
        words: &[u32],
        data: Option<&[u8]>,
        missing: Status,
    ) -> Result<Given, Status> {
        if !self.has(id, method) {
            return Err(missing);
        }
        let call = Call {
            id,
            method,
            words: words.to_vec(),
            data: data.map(<[u8]>::to_vec),
        };
        self.requests.ask(self.now, call)
    }
}

impl Given {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Numbers(numbers) => numbers.first().copied(),
            _ => None,
        }
    }
}

/// Accepted, or refused with this.
fn settled(good: bool, status: Status) -> Result<(), Status> {
    if good { Ok(()) } else { Err(status) }
}

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
        list.extend(own.map(|(id, own)| Channel::new(id, &own.name, own.flags | flag::DYNAMIC)));
        list
    }

    fn poll(&mut self, _now: Duration) -> u32 {
        let mut works = self.inside();
        if works
            .channels
            .iter()
            .any(|own| own.methods.iter().any(|has| has == "poll"))
        {
            // What it says is told the next time.
            works.requests.wish(Call {
                id: 0,
                method: "poll",
                words: Vec::new(),
                data: None,
            });
        }
        let own = (FIRST..).zip(&works.channels);
        let own = own.fold(0, |bits, (id, own)| bits | u32::from(own.ready) << id);
        own | u32::from(works.running) << STDIN
            | u32::from(works.text.len() > 0) << STDOUT
            | u32::from(works.preview.is_ready()) << STREAM
    }

    fn lock(&mut self, id: u8) -> Result<(), Status> {
        if id != STREAM {
            let given = self.inside().call((id, "lock"), &[], None, Status::BUSY)?;
            return settled(given.number().unwrap_or(0) != 0, Status::BUSY);
        }
        settled(self.inside().preview.lock(), Status::BUSY)
    }

    fn unlock(&mut self, id: u8) -> Result<(), Status> {
        if id != STREAM {
            let given = self
                .inside()
                .call((id, "unlock"), &[], None, Status::BUSY)?;
            return settled(given.number().unwrap_or(0) != 0, Status::BUSY);
        }
        self.inside().preview.unlock();
        Ok(())
    }

    fn size(&mut self, id: u8) -> Result<u32, Status> {
        let mut works = self.inside();
        match id {
            STDOUT => Ok(works.text.len() as u32),
            STREAM => Ok(works.preview.size() as u32),
            _ => {
                let given = works.call((id, "size"), &[], None, Status::INVALID)?;
                Ok(given.number().unwrap_or(0) as u32)
            }
        }
    }

    fn shape(&mut self, id: u8) -> Result<Vec<u32>, Status> {
        let mut works = self.inside();
        if id == STREAM {
            return Ok(works.preview.shape());
        }
        Ok(
            match works.call((id, "shape"), &[], None, Status::INVALID)? {
                Given::Numbers(numbers) => numbers.iter().take(4).map(|n| *n as u32).collect(),
                _ => Vec::new(),
            },
        )
    }

    fn reading(&self, id: u8) -> Option<Reading> {
        let works = self.inside();
        match id {
            STDOUT => Some(Reading::Copy),
            STREAM => Some(Reading::Pointer),
            _ if works.has(id, "readp") => Some(Reading::Pointer),
            _ if works.has(id, "read") => Some(Reading::Copy),
            _ => None,
        }
    }

    fn read(&mut self, id: u8, offset: u32, length: u32) -> Result<Vec<u8>, Status> {
        let mut works = self.inside();
        match id {
            STDOUT => return Ok(works.text.take(length as usize)),
            STREAM => {
                let bytes = works.preview.read(offset as usize, length as usize);
                return bytes.ok_or(Status::FAILED);
            }
            _ => {}
        }
        let whole = works.has(id, "readp");
        let method = if whole { "readp" } else { "read" };
        let Given::Bytes(mut bytes) =
            works.call((id, method), &[offset, length], None, Status::INVALID)?
        else {
            return Err(Status::FAILED);
        };
        // The firmware would send whatever lies behind a buffer that is too short.
        if whole {
            bytes.resize(length as usize, 0);
        }
        bytes.truncate(length as usize);
        Ok(bytes)
    }

    fn write(&mut self, id: u8, offset: u32, bytes: &[u8]) -> Result<(), Status> {
        let mut works = self.inside();
        if id != STDIN {
            return match works.call((id, "write"), &[offset], Some(bytes), Status::INVALID)? {
                // Nothing written is refused; an exception counts as written, as in the firmware.
                Given::Numbers(numbers) => settled(numbers.first() != Some(&0), Status::FAILED),
                _ => Ok(()),
            };
        }
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
            (FIRST.., ..) => {
                let data = (!arguments.is_empty()).then_some(arguments);
                let words = [request, arguments.len() as u32];
                let given = works.call((id, "ioctl"), &words, data, Status::INVALID)?;
                return settled(given.number() == Some(0), Status::FAILED);
            }
            _ => return Err(Status::INVALID),
        }
        Ok(())
    }
}
