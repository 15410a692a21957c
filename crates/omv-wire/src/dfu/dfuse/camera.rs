//! Their side of DfuSe: the ROM of an STM32, or Arduino's bootloader.
//!
//! ```text
//!           DNLOAD                        GETSTATUS (answers dfuDNBUSY, then works)
//!  IDLE ---------------> DNLOAD-SYNC* --------------------> DNBUSY --work done--> DNLOAD-SYNC
//!  DNLOAD-IDLE                                                |                       | GETSTATUS
//!     ^ | DNLOAD, empty                                       +--failed--> ERROR      v
//!     | +----------> MANIFEST-SYNC --GETSTATUS--> MANIFEST, gone          ^      DNLOAD-IDLE
//!     |                                                                   |
//!     +--- UPLOAD ---> UPLOAD-IDLE               CLRSTATUS from all others: errUNKNOWN
//!
//!  ABORT: to IDLE, but not from DNBUSY, MANIFEST and ERROR.  CLRSTATUS: from ERROR to IDLE.
//! ```
//!
//! Source: AN3156; the DFU class of STMicroelectronics/stm32-mw-usb-device, which Arduino's
//! bootloader uses.

use std::time::Duration;

use super::{Access, Departure, Elsewhere, FIRST_BLOCK, Layout, Manners, Page, WhileBusy, command};
use crate::dfu::{Answer, Outcome, Report, State, Status, request};
use crate::usb::{self, Direction, Recipient, RequestKind, Setup};

/// What the device stands on. It is asked for nothing outside its layouts.
pub trait Memory {
    /// The memories in the order of their alternates; they do not change. Any of them may be
    /// addressed whichever alternate is chosen.
    fn layouts(&self) -> &[Layout];

    /// Whether the read protection is on: then nothing is read, written or erased.
    fn is_protected(&self) -> bool {
        false
    }

    /// Reads bytes that lie within the layouts.
    ///
    /// # Errors
    /// What GETSTATUS is to say where failures are reported.
    fn read(&mut self, now: Duration, address: u32, size: u16) -> Result<Vec<u8>, Status>;

    /// Writes bytes that lie within the layouts; they are on their way from `now` on. Whether the
    /// page may be written is this memory's affair.
    fn write(&mut self, now: Duration, address: u32, bytes: &[u8]) -> Outcome;

    /// Erases one page, from `now` on.
    fn erase(&mut self, now: Duration, page: Page) -> Outcome;

    /// Erases all that one alternate shows, from `now` on.
    fn erase_all(&mut self, now: Duration, alternate: u8) -> Outcome;

    /// The host broke off the erase that is under way.
    fn cut_short(&mut self, _now: Duration) {}
}

/// What a request meant for the life of the device. After each of these it answers no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It starts the program whose vector table is at `address`.
    Start {
        /// The address pointer.
        address: u32,
    },
    /// It leaves the bus and does nothing more.
    Hang,
    /// It resets after this time.
    Reset {
        /// From now on.
        after: Duration,
    },
    /// It leaves the bus, erases itself, lifts its protection and resets.
    Unprotect,
}

/// A DfuSe device that serves one host.
#[derive(Clone, Debug)]
pub struct Camera<M> {
    manners: Manners,
    memory: M,
    alternate: u8,
    state: State,
    status: Status,
    pending: Option<(u16, Vec<u8>)>,
    pointer: u32,
    busy: Duration,
    poll: Duration,
    /// How the work under way will have ended.
    result: Status,
    /// The work under way will never be said to be over.
    stuck: bool,
    left: bool,
}

impl<M: Memory> Camera<M> {
    /// A device that was just configured. Its address pointer is at the start of its first memory.
    pub fn new(manners: Manners, memory: M) -> Self {
        let first = memory.layouts().first();
        let pointer = first.and_then(|layout| layout.regions.first());
        Self {
            pointer: pointer.map_or(0, |region| region.address),
            manners,
            memory,
            alternate: 0,
            state: State::Idle,
            status: Status::OK,
            pending: None,
            busy: Duration::ZERO,
            poll: Duration::ZERO,
            result: Status::OK,
            stuck: false,
            left: false,
        }
    }

    /// What the device stands on.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// What the device stands on, to be changed behind its back.
    pub fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    /// Gives back what the device stood on.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// In what it differs from others.
    pub fn manners(&self) -> &Manners {
        &self.manners
    }

    /// The stored state, what GETSTATE would tell.
    pub fn state(&self) -> State {
        self.state
    }

    /// Until when the control endpoint answers NAK, to standard requests too.
    pub fn busy_until(&self) -> Duration {
        if self.left {
            return Duration::MAX;
        }
        match self.manners.while_busy {
            WhileBusy::Waits if !self.stuck => self.busy,
            _ => Duration::ZERO,
        }
    }

    /// The bus was reset.
    pub fn bus_reset(&mut self) {
        self.alternate = 0;
        self.stuck = false;
        self.reset();
    }

    fn reset(&mut self) {
        self.state = State::Idle;
        self.status = Status::OK;
        self.pending = None;
    }

    fn fail(&mut self, status: Status) {
        self.state = State::Error;
        self.status = status;
    }

    /// Serves a request to interface 0: those of the class, GET_INTERFACE and SET_INTERFACE. All
    /// others are refused; descriptors are the caller's business. `data` is that of an OUT.
    pub fn request(
        &mut self,
        now: Duration,
        setup: &Setup,
        data: &[u8],
    ) -> (Answer, Option<Event>) {
        let until = self.busy_until();
        if now < until {
            return (Answer::Later { until }, None);
        }
        if setup.recipient() != Recipient::Interface || setup.index_low() != 0 {
            return (Answer::Stall, None);
        }
        let inward = setup.direction() == Direction::In;
        let busy = self.settle(now);
        let (answer, event) = match (setup.kind(), setup.request, inward) {
            (RequestKind::Class, request::GETSTATUS, true) if busy => (self.get_busy(), None),
            (RequestKind::Class, request::CLRSTATUS, false) => (self.clear(now), None),
            _ if busy && !self.stuck => (Answer::Stall, None),
            (RequestKind::Standard, usb::request::SET_INTERFACE, false) => {
                self.alternate = setup.value_low();
                (Answer::OK, None)
            }
            (RequestKind::Standard, usb::request::GET_INTERFACE, true) => {
                (Answer::Data(vec![self.alternate]), None)
            }
            (RequestKind::Class, request::DNLOAD, false) => (self.download(setup, data), None),
            (RequestKind::Class, request::UPLOAD, true) => (self.upload(now, setup), None),
            (RequestKind::Class, request::GETSTATUS, true) => self.get_status(now),
            (RequestKind::Class, request::ABORT | request::DETACH, false) => {
                self.abort();
                (Answer::OK, None)
            }
            (RequestKind::Class, request::GETSTATE, true) => {
                (Answer::Data(vec![self.state.code()]), None)
            }
            _ => (Answer::Stall, None),
        };
        (answer.cut(setup.length), event)
    }

    /// Ends work whose time is over; says whether there is some left.
    fn settle(&mut self, now: Duration) -> bool {
        if self.state != State::DownloadBusy {
            return false;
        }
        if self.stuck || now < self.busy {
            return true;
        }
        match self.result {
            Status::OK => self.state = State::DownloadSync,
            failed => self.fail(failed),
        }
        false
    }

    fn get_busy(&self) -> Answer {
        if self.manners.while_busy == WhileBusy::Refuses && !self.stuck {
            return Answer::Stall;
        }
        let report = Report::new(Status::OK, self.poll, State::DownloadBusy);
        Answer::Data(report.encode().to_vec())
    }

    fn clear(&mut self, now: Duration) -> Answer {
        match (self.state, self.manners.clear_elsewhere) {
            (State::Error, _) => self.reset(),
            (_, Elsewhere::Refused) => return Answer::Stall,
            (state, elsewhere) => {
                if state == State::DownloadBusy && now < self.busy {
                    self.memory.cut_short(now);
                }
                self.busy = Duration::ZERO;
                self.stuck = false;
                match elsewhere {
                    Elsewhere::Clears => self.reset(),
                    _ => self.fail(Status::UNKNOWN),
                }
            }
        }
        Answer::OK
    }

    fn abort(&mut self) {
        if !matches!(
            self.state,
            State::Error | State::DownloadBusy | State::Manifest
        ) {
            self.reset();
        }
    }

    fn download(&mut self, setup: &Setup, data: &[u8]) -> Answer {
        let ready = matches!(self.state, State::Idle | State::DownloadIdle);
        let size = usize::from(setup.length);
        if !ready || setup.length > self.manners.functional.transfer_size || data.len() != size {
            return Answer::Stall;
        }
        if data.is_empty() {
            self.state = State::ManifestSync;
        } else {
            self.pending = Some((setup.value, data.to_vec()));
            self.state = State::DownloadSync;
        }
        Answer::OK
    }

    fn upload(&mut self, now: Duration, setup: &Setup) -> Answer {
        let ready = matches!(self.state, State::Idle | State::UploadIdle);
        if !ready || setup.length > self.manners.functional.transfer_size {
            return Answer::Stall;
        }
        if setup.length == 0 {
            self.state = State::Idle;
            return Answer::OK;
        }
        let bytes = match setup.value {
            0 => Ok(self.manners.commands.clone()),
            1 => return Answer::Stall,
            block => self.read(now, block, setup.length),
        };
        match bytes {
            Ok(bytes) => {
                self.state = if bytes.len() < setup.length.into() {
                    State::Idle
                } else {
                    State::UploadIdle
                };
                Answer::Data(bytes)
            }
            Err(status) => {
                self.fail(status);
                Answer::Stall
            }
        }
    }

    fn read(&mut self, now: Duration, block: u16, size: u16) -> Result<Vec<u8>, Status> {
        if self.memory.is_protected() {
            return Err(Status::VENDOR);
        }
        match self.place(block, size) {
            Some(address) => self.memory.read(now, address, size),
            None if self.manners.checks_addresses => Err(Status::TARGET),
            None => Ok(vec![0; size.into()]),
        }
    }

    /// Where a data block lies, if all of it lies somewhere.
    fn place(&self, block: u16, size: u16) -> Option<u32> {
        let block = u32::from(block.checked_sub(FIRST_BLOCK)?);
        let offset = block * u32::from(self.manners.functional.transfer_size);
        let address = self.pointer.checked_add(offset)?;
        let covered = |layout: &Layout| layout.allows(address, size.into(), Access::NONE);
        let found = self.memory.layouts().iter().any(covered);
        found.then_some(address)
    }

    fn get_status(&mut self, now: Duration) -> (Answer, Option<Event>) {
        let mut poll = Duration::ZERO;
        let mut event = None;
        match (self.state, self.pending.take()) {
            (State::DownloadSync, Some((block, data))) => {
                self.state = State::DownloadBusy;
                let (asks, outcome) = self.work(now, block, &data, &mut event);
                poll = asks;
                self.poll = asks;
                self.result = outcome.status;
                self.busy = now.saturating_add(outcome.takes);
                self.stuck |= outcome.status != Status::OK && !self.manners.reports_failures;
            }
            (State::DownloadSync, None) => self.state = State::DownloadIdle,
            (State::ManifestSync, _) => {
                self.state = State::Manifest;
                poll = self.manners.polls.manifest;
                event = Some(match self.manners.departure {
                    Departure::Starts | Departure::Vanishes => Event::Start {
                        address: self.pointer,
                    },
                    Departure::Hangs => Event::Hang,
                    Departure::Resets(after) => Event::Reset { after },
                });
            }
            (_, pending) => self.pending = pending,
        }
        self.left = event.is_some();
        if self.state == State::Manifest && self.manners.departure == Departure::Vanishes {
            let until = Duration::MAX;
            return (Answer::Later { until }, event);
        }
        let report = Report::new(self.status, poll, self.state);
        (Answer::Data(report.encode().to_vec()), event)
    }

    /// Does what a block asks for: the time to ask the host for, and how it ends.
    fn work(
        &mut self,
        now: Duration,
        block: u16,
        data: &[u8],
        event: &mut Option<Event>,
    ) -> (Duration, Outcome) {
        let polls = self.manners.polls;
        let size = u16::try_from(data.len()).unwrap_or(u16::MAX);
        let protected = self.memory.is_protected();
        if block > 1 {
            let outcome = match self.place(block, size) {
                _ if protected => Outcome::refused(Status::VENDOR),
                None => Outcome::refused(Status::TARGET),
                Some(address) => self.memory.write(now, address, data),
            };
            return (polls.write, outcome);
        }
        match data {
            [first, ..] if block == 1 || !self.manners.commands.contains(first) => {}
            &[command::GET_COMMANDS] => return (Duration::ZERO, Outcome::DONE),
            &[command::SET_ADDRESS, a0, a1, a2, a3] => {
                let address = u32::from_le_bytes([a0, a1, a2, a3]);
                if self.manners.checks_addresses && self.page(address).is_none() {
                    return (polls.set_address, Outcome::refused(Status::TARGET));
                }
                self.pointer = address;
                return (polls.set_address, Outcome::DONE);
            }
            &[command::ERASE, a0, a1, a2, a3] => {
                let address = u32::from_le_bytes([a0, a1, a2, a3]);
                let outcome = match self.page(address) {
                    _ if protected => Outcome::refused(Status::VENDOR),
                    None => Outcome::refused(Status::TARGET),
                    Some(page) => self.erase(now, page, address),
                };
                return (polls.erase, outcome);
            }
            &[command::ERASE] if self.manners.erases_all => {
                let outcome = if protected {
                    Outcome::refused(Status::VENDOR)
                } else {
                    self.memory.erase_all(now, self.alternate)
                };
                return (polls.erase_all, outcome);
            }
            &[command::READ_UNPROTECT] => {
                *event = Some(Event::Unprotect);
                return (polls.erase_all, Outcome::DONE);
            }
            _ => {}
        }
        let outcome = if self.manners.refuses_unknown {
            Outcome::refused(Status::STALLED)
        } else {
            Outcome::DONE
        };
        (Duration::ZERO, outcome)
    }

    /// The address of an erase becomes the pointer too: a host that relies on its own is wrong.
    fn erase(&mut self, now: Duration, page: Page, address: u32) -> Outcome {
        self.pointer = address;
        let outcome = self.memory.erase(now, page);
        let from = self.manners.stuck_from;
        self.stuck = outcome.status == Status::OK && from.is_some_and(|from| page.start >= from);
        outcome
    }

    fn page(&self, address: u32) -> Option<Page> {
        let mut layouts = self.memory.layouts().iter();
        layouts.find_map(|layout| layout.page(address))
    }
}
