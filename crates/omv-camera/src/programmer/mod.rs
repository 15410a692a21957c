//! What reads and writes a camera's flash: one implementation for each bootloader there is.

pub(crate) mod dfu;
pub(crate) mod dfuse;
mod legacy;
mod loader;

use std::ops::Range;

use omv_boards::{Board, Region, State};

pub use loader::Loader;

use crate::{Error, Found};

/// Bytes moved by one command: small enough that progress moves and that stopping is quick,
/// large enough that its replies cost nothing.
pub(crate) const CHUNK: u32 = 0x1_0000;

/// A bootloader, opened and held.
///
/// Addresses are those of the board's memory map. What was opened is given back by
/// [`leave`](Programmer::leave), or kept waiting by dropping it.
pub(crate) trait Programmer: Send {
    /// Reads bytes of a region.
    fn read(&mut self, region: &Region, range: Range<u32>) -> Result<Vec<u8>, Error>;

    /// Erases whole units of a region.
    fn erase(&mut self, region: &Region, range: Range<u32>) -> Result<(), Error>;

    /// Writes bytes, a unit from its beginning to its end. Where there is no step that erases,
    /// the bootloader does so by itself.
    fn write(&mut self, region: &Region, start: u32, bytes: &[u8]) -> Result<(), Error>;

    /// Ends the writing of a part.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes a range blank and tells what every byte of it is then.
    fn blank(&mut self, region: &Region, range: Range<u32>) -> Result<u8, Error> {
        self.erase(region, range)?;
        Ok(0xFF)
    }

    /// Whether what was written can be read back.
    fn reads(&self) -> bool {
        true
    }

    /// Has the camera start its firmware. That it does not answer any more is no failure.
    fn leave(self: Box<Self>) -> Result<(), Error>;

    /// The one with commands of its own, if it is that.
    fn as_loader(&mut self) -> Option<&mut Loader> {
        None
    }
}

/// Opens whatever bootloader a camera is in, and says the word that makes it stay. Tells which
/// it is. `needs` are the regions that will be worked on: a bootloader without one is refused
/// before anything is written. `careful` keeps to a pace that every old camera can follow.
pub(crate) fn open(
    found: &Found,
    board: &'static Board,
    state: State,
    needs: &[&Region],
    careful: bool,
) -> Result<(Box<dyn Programmer>, State), Error> {
    let wrong = || Error::Refused(omv_plan::Refusal::WrongState { state });
    match state {
        State::Sbl | State::Flashloader => {
            let facts = board.mboot.as_ref().ok_or_else(wrong)?;
            let (loader, state) = Loader::open(found, facts)?;
            Ok((Box::new(loader), state))
        }
        State::LegacyBl => Ok((
            Box::new(legacy::Legacy::open(found, board, careful)?),
            state,
        )),
        State::Dfu => Ok((Box::new(dfu::Dfu::open(found, board, needs)?), state)),
        State::StRom | State::ArduinoDfu => {
            let dfuse = dfuse::DfuSe::open(found, board, state, needs)?;
            Ok((Box::new(dfuse), state))
        }
        _ => Err(wrong()),
    }
}
