//! Our side of DfuSe: addresses, pages, and a way out of an erase that never ends.
//!
//! Source: AN3156; dfu-util src/dfuse.c; dfu-util ticket 88; betaflight/betaflight-configurator
//! pull requests 1861 and 5348.

use std::sync::Arc;
use std::time::Duration;

use super::{Access, FIRST_BLOCK, Layout, Page, command};
use crate::dfu::host::{Next, Reach, Read, Step, Steps, Told, Work};
use crate::dfu::{self, Conversation, Failure, Report, State, Status, request};

pub use crate::dfu::host::Done as Erased;

/// Data blocks that one address pointer reaches: numbers 2 to 65535.
const BLOCKS: u32 = (u16::MAX - FIRST_BLOCK) as u32 + 1;

/// Permission to end an erase of the STM32H74x that never ends by itself.
///
/// Revision V of these chips erases a page of the second bank and goes on saying `dfuDNBUSY`.
/// CLRSTATUS, where there is no error, makes one, and a second one clears it; then the page
/// counts as erased and is to be proven so: read its first and its last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kick {
    after: Duration,
}

impl Kick {
    /// Twice the longest erase of the chip, and a little.
    pub const CAUTIOUS: Duration = Duration::from_millis(4500);

    /// A permission for a page for which it is known to help: one of the second megabyte of a
    /// chip that shows sixteen pages of 128 KB.
    #[must_use]
    pub fn for_page(layout: &Layout, page: &Page) -> Option<Self> {
        let [region] = layout.regions.as_slice() else {
            return None;
        };
        let [segment] = region.segments.as_slice() else {
            return None;
        };
        let is_h74x = (region.address, segment.count, segment.size) == (0x0800_0000, 16, 0x2_0000);
        (is_h74x && page.start >= 0x0810_0000).then_some(Self {
            after: Self::CAUTIOUS,
        })
    }

    /// Waits this long instead, but never less than twice what the device asks for.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after }
    }
}

/// What the device said to being started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// `dfuMANIFEST`: it is on its way.
    Said,
    /// Nothing, or it was gone. After a good write this is as good.
    Silent,
}

/// Our side of one DfuSe interface. What the dialects share, [`plain`](Self::plain) has; it must
/// not be used to write or read data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    plain: dfu::Host,
}

impl Host {
    /// The DfuSe host of an interface.
    #[must_use]
    pub fn new(plain: dfu::Host) -> Self {
        Self { plain }
    }

    /// Status, abort, alternates: what DfuSe has in common with plain DFU.
    #[must_use]
    pub fn plain(&self) -> &dfu::Host {
        &self.plain
    }

    /// Data blocks that one address pointer reaches. Where the device's blocks are longer than
    /// ours, only the first one lies where we think.
    fn blocks(&self) -> u32 {
        if self.plain.counts_alike() { BLOCKS } else { 1 }
    }

    fn command(&self, command: u8, address: u32, what: &'static str) -> Work {
        let [a0, a1, a2, a3] = address.to_le_bytes();
        let data = vec![command, a0, a1, a2, a3];
        Work::new(self.plain.reach(), 0, data, what).strict()
    }

    fn set_address_work(&self, address: u32) -> Work {
        self.command(command::SET_ADDRESS, address, "setting the address")
    }

    /// The commands the device has, one byte each. The device must be idle.
    #[must_use]
    pub fn commands(&self) -> Conversation<Vec<u8>> {
        self.plain.upload(0, 64)
    }

    /// Sets the address pointer.
    #[must_use]
    pub fn set_address(&self, address: u32) -> Conversation<()> {
        Conversation::new(Command(self.set_address_work(address)))
    }

    /// Erases a page. A device that is kicked has erased it, most likely: see [`Kick`].
    ///
    /// Fails with [`Failure::NotAllowed`] before anything is sent when the device's own map does
    /// not let the page be erased.
    #[must_use]
    pub fn erase(&self, page: Page, kick: Option<Kick>) -> Conversation<Erased> {
        let allowed = page.access.allows(Access::ERASE);
        let work = self
            .command(command::ERASE, page.start, "erasing a page")
            .kick_after(kick.map(|kick| kick.after));
        Conversation::new(Guarded {
            steps: work,
            refused: (!allowed).then_some(page.start),
        })
    }

    /// Erases everything. Devices of ST are silent meanwhile, for up to half a minute; Arduino's
    /// says that it is done and has done nothing.
    #[must_use]
    pub fn erase_all(&self) -> Conversation<()> {
        let reach = self.plain.reach();
        let data = vec![command::ERASE];
        let work = Work::new(reach, 0, data, "erasing everything");
        Conversation::new(Command(work.strict().patient()))
    }

    /// Lifts the read protection: the device erases itself and resets. That it is gone without an
    /// answer is a success.
    #[must_use]
    pub fn read_unprotect(&self) -> Conversation<()> {
        Conversation::new(Unprotect {
            reach: self.plain.reach(),
            sent: false,
        })
    }

    /// Writes `data` to `address` and on, in memory that was erased.
    ///
    /// Fails with [`Failure::NotAllowed`] before anything is sent when the device's own map does
    /// not let all of it be written.
    #[must_use]
    pub fn write(&self, layout: &Layout, address: u32, data: Arc<[u8]>) -> Conversation<()> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let allowed = layout.allows(address, size, Access::WRITE);
        Conversation::new(Guarded {
            steps: Write {
                host: *self,
                address,
                data,
                done: 0,
                work: None,
            },
            refused: (!allowed).then_some(address),
        })
    }

    /// Reads `size` bytes from `address` on, and leaves the device idle.
    ///
    /// Fails with [`Failure::NotAllowed`] before anything is sent when the device's own map does
    /// not let all of it be read.
    #[must_use]
    pub fn read(&self, layout: &Layout, address: u32, size: u32) -> Conversation<Vec<u8>> {
        let allowed = layout.allows(address, size, Access::READ);
        Conversation::new(Guarded {
            steps: ReadFrom {
                host: *self,
                address,
                size,
                bytes: Vec::new(),
                stage: Stage::Address(self.set_address_work(address)),
            },
            refused: (!allowed).then_some(address),
        })
    }

    /// Starts the program whose vector table is at `address`, or where the pointer is. Whether
    /// the device really does is another matter: look which device appears.
    #[must_use]
    pub fn leave(&self, address: Option<u32>) -> Conversation<Left> {
        Conversation::new(Leave {
            reach: self.plain.reach(),
            pointer: address.map(|address| self.set_address_work(address)),
            sent: false,
        })
    }
}

/// Steps that are not taken at all where the device's map forbids it.
struct Guarded<S> {
    steps: S,
    refused: Option<u32>,
}

impl<T, S: Steps<T>> Steps<T> for Guarded<S> {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<T> {
        match self.refused {
            Some(address) => Err(Failure::NotAllowed { address }),
            None => self.steps.next(now, told),
        }
    }

    fn progress(&self) -> (u64, u64) {
        self.steps.progress()
    }
}

/// One command, whose end is all that matters.
struct Command(Work);

impl Steps<()> for Command {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<()> {
        Ok(self.0.next(now, told)?.carry().unwrap_or(Next::Done(())))
    }
}

/// Data blocks, with a pointer set before the first and wherever the numbers run out.
struct Write {
    host: Host,
    address: u32,
    data: Arc<[u8]>,
    done: usize,
    /// What is under way, and the bytes it moves: none for setting the pointer.
    work: Option<(Work, usize)>,
}

impl Write {
    /// What comes next. A pointer was just set unless data were `written`.
    fn following(&self, written: bool) -> Option<(Work, usize)> {
        let size = self.host.plain.transfer_size();
        let rest = self.data.get(self.done..).filter(|rest| !rest.is_empty())?;
        let number = u32::try_from(self.done / usize::from(size)).ok()?;
        let blocks = self.host.blocks();
        if number.is_multiple_of(blocks) && written {
            let address = self.address.wrapping_add(number * u32::from(size));
            return Some((self.host.set_address_work(address), 0));
        }
        let piece = rest.get(..size.into()).unwrap_or(rest);
        let block = u16::try_from(number % blocks).ok()? + FIRST_BLOCK;
        let reach = self.host.plain.reach();
        let work = Work::new(reach, block, piece.to_vec(), "DNLOAD");
        Some((work, piece.len()))
    }
}

impl Steps<()> for Write {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<()> {
        let mut told = told;
        let mut written = true;
        if let Some((work, size)) = &mut self.work {
            if let Ok(next) = work.next(now, told)?.carry() {
                return Ok(next);
            }
            self.done += *size;
            written = *size > 0;
            told = Told::Start;
        }
        let Some((mut work, size)) = self.following(written) else {
            return Ok(Next::Done(()));
        };
        let next = work.next(now, told)?;
        self.work = Some((work, size));
        Ok(next.carry().unwrap_or(Next::Pause(now)))
    }

    fn progress(&self) -> (u64, u64) {
        (self.done as u64, self.data.len() as u64)
    }
}

enum Stage {
    /// Setting the pointer.
    Address(Work),
    /// ABORT, which makes the device ready to be read.
    Ready,
    /// Blocks come.
    Blocks(Read),
    /// ABORT, which makes it idle.
    Over,
}

/// A pointer, an ABORT, data blocks, an ABORT.
struct ReadFrom {
    host: Host,
    address: u32,
    size: u32,
    bytes: Vec<u8>,
    stage: Stage,
}

impl ReadFrom {
    /// The part that one pointer reaches.
    fn blocks(&self) -> Read {
        let size = self.host.plain.transfer_size();
        let most = self.host.blocks().saturating_mul(size.into());
        let wanted = self.left().min(most);
        Read::new(self.host.plain.reach(), size, FIRST_BLOCK, wanted)
    }

    fn got(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn left(&self) -> u32 {
        self.size.saturating_sub(self.got())
    }
}

impl Steps<Vec<u8>> for ReadFrom {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<Vec<u8>> {
        let reach = self.host.plain.reach();
        match &mut self.stage {
            Stage::Address(work) => {
                if let Ok(next) = work.next(now, told)?.carry() {
                    return Ok(next);
                }
                self.stage = Stage::Ready;
                Ok(reach.out(request::ABORT, 0, Vec::new()))
            }
            Stage::Ready => {
                told.reply("ABORT")?;
                let mut blocks = self.blocks();
                let next = blocks.next(now, Told::Start)?;
                self.stage = Stage::Blocks(blocks);
                Ok(next)
            }
            Stage::Blocks(blocks) => {
                let bytes = match blocks.next(now, told)?.carry() {
                    Ok(next) => return Ok(next),
                    Err(bytes) => bytes,
                };
                self.bytes.extend(bytes);
                self.stage = Stage::Over;
                Ok(reach.out(request::ABORT, 0, Vec::new()))
            }
            Stage::Over => {
                told.reply("ABORT")?;
                if self.left() == 0 {
                    return Ok(Next::Done(std::mem::take(&mut self.bytes)));
                }
                let address = self.address.wrapping_add(self.got());
                let mut work = self.host.set_address_work(address);
                let next = work.next(now, Told::Start)?;
                self.stage = Stage::Address(work);
                Ok(next.carry().unwrap_or(Next::Pause(now)))
            }
        }
    }

    fn progress(&self) -> (u64, u64) {
        let more = match &self.stage {
            Stage::Blocks(blocks) => blocks.progress().0,
            _ => 0,
        };
        (self.bytes.len() as u64 + more, self.size.into())
    }
}

/// The command after which a device is gone.
struct Unprotect {
    reach: Reach,
    sent: bool,
}

impl Steps<()> for Unprotect {
    fn next(&mut self, _now: Duration, told: Told<'_>) -> Step<()> {
        let what = "lifting the read protection";
        if told == Told::Start {
            let data = vec![command::READ_UNPROTECT];
            return Ok(self.reach.out(request::DNLOAD, 0, data));
        }
        if !std::mem::replace(&mut self.sent, true) {
            told.reply(what)?;
            return Ok(self.reach.get_status());
        }
        if matches!(told, Told::Gone | Told::Silence) {
            return Ok(Next::Done(()));
        }
        let report = Report::decode(told.reply(what)?)?;
        match (report.state, report.status) {
            (State::DownloadBusy, Status::OK) => Ok(Next::Done(())),
            (_, status) if status != Status::OK => Err(Failure::Status { status, what }),
            (state, _) => Err(Failure::State { state, what }),
        }
    }
}

/// A pointer perhaps, the empty DNLOAD, GETSTATUS.
struct Leave {
    reach: Reach,
    pointer: Option<Work>,
    sent: bool,
}

impl Steps<Left> for Leave {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<Left> {
        let what = "leaving";
        let mut told = told;
        if let Some(work) = &mut self.pointer {
            if let Ok(next) = work.next(now, told)?.carry() {
                return Ok(next);
            }
            self.pointer = None;
            told = Told::Start;
        }
        match told {
            Told::Start => Ok(self.reach.out(request::DNLOAD, FIRST_BLOCK, Vec::new())),
            Told::Gone | Told::Silence => Ok(Next::Done(Left::Silent)),
            told if !std::mem::replace(&mut self.sent, true) => {
                told.reply(what)?;
                Ok(self.reach.get_status())
            }
            Told::Stall => Ok(Next::Done(Left::Silent)),
            told => {
                let report = Report::decode(told.reply(what)?)?;
                match (report.state, report.status) {
                    (
                        State::ManifestSync
                        | State::Manifest
                        | State::ManifestWaitReset
                        | State::Idle,
                        Status::OK,
                    ) => Ok(Next::Done(Left::Said)),
                    (_, status) if status != Status::OK => Err(Failure::Status { status, what }),
                    (state, _) => Err(Failure::State { state, what }),
                }
            }
        }
    }
}
