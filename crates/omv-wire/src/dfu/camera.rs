//! Their side of plain DFU: the OpenMV bootloader, from its first setup packet to DETACH.
//!
//! ```text
//!          DNLOAD, data                  GETSTATUS (answers dfuDNBUSY, then writes)
//!  IDLE ----------------> DNLOAD-SYNC* ---------------------> DNLOAD-SYNC, or ERROR
//!  DNLOAD-IDLE                                                    | GETSTATUS
//!    ^  | DNLOAD, empty                                           v
//!    |  +---> MANIFEST-SYNC* --GETSTATUS--> MANIFEST-SYNC     DNLOAD-IDLE
//!    |                                          | GETSTATUS
//!    +------- IDLE <----------------------------+        (* = something is pending)
//!
//!  SET_INTERFACE, CLRSTATUS, ABORT: to IDLE from everywhere.  UPLOAD: everywhere, state stays.
//! ```
//!
//! Source: hathach/tinyusb src/class/dfu/dfu_device.c; openmv/openmv boot/src/common/dfu.c.

use std::time::Duration;

use super::{Answer, Outcome, Report, State, Status, request};
use crate::usb::{self, Direction, Recipient, RequestKind, Setup};

/// Bytes of a block. A block's place is its number times this, whatever the lengths were.
pub const BLOCK: u16 = 4096;

/// What an UPLOAD that reaches over the end answers with.
const END: [u8; 4] = [0; 4];

/// One partition, shown as one alternate setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The name of the alternate setting.
    pub name: String,
    /// Bytes.
    pub size: u32,
    /// Writes are refused with `errWRITE`.
    pub read_only: bool,
    /// `bwPollTimeout` while a block of it is written. Zero since firmware 4.7.0.
    pub poll: Duration,
}

/// What the bootloader stands on. It is asked for nothing outside its table.
pub trait Partitions {
    /// The partitions in the order of their alternates; it does not change.
    fn table(&self) -> &[Partition];

    /// Reads `size` bytes that lie within the partition; `None` is a read failure.
    fn read(&mut self, now: Duration, alternate: u8, offset: u32, size: u16) -> Option<Vec<u8>>;

    /// Writes bytes that lie within a writable partition, erasing first where this memory does
    /// so. The block is on its way into memory from `now` on for [`Outcome::takes`]; a failure
    /// is [`Status::WRITE`].
    fn write(&mut self, now: Duration, alternate: u8, offset: u32, bytes: &[u8]) -> Outcome;

    /// Block 0 of a writable partition is about to be written. On the AE3 this lifts the write
    /// protection of its MRAM.
    fn unlock(&mut self, _alternate: u8) {}

    /// The host said that all blocks came. On the AE3 this puts the protection back.
    fn manifest(&mut self, _now: Duration, _alternate: u8) -> Outcome {
        Outcome::DONE
    }
}

/// What a request meant for the life of the bootloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The clock of the start-up window is to stop: an UPLOAD was taken, or GETSTATUS after a
    /// DNLOAD. Told each time.
    Claimed,
    /// Leave the bus and start the application, now.
    Detach,
}

/// A bootloader that serves one host.
#[derive(Clone, Debug)]
pub struct Camera<P> {
    partitions: P,
    alternate: u8,
    state: State,
    status: Status,
    pending: bool,
    block: u16,
    length: u16,
    buffer: Vec<u8>,
    busy: Duration,
}

impl<P: Partitions> Camera<P> {
    /// A bootloader that was just configured.
    pub fn new(partitions: P) -> Self {
        Self {
            partitions,
            alternate: 0,
            state: State::Idle,
            status: Status::OK,
            pending: false,
            block: 0,
            length: 0,
            buffer: vec![0; BLOCK.into()],
            busy: Duration::ZERO,
        }
    }

    /// What the bootloader stands on.
    pub fn partitions(&self) -> &P {
        &self.partitions
    }

    /// What the bootloader stands on, to be changed behind its back.
    pub fn partitions_mut(&mut self) -> &mut P {
        &mut self.partitions
    }

    /// Gives back what the bootloader stood on.
    pub fn into_partitions(self) -> P {
        self.partitions
    }

    /// The stored state, what GETSTATE would tell.
    pub fn state(&self) -> State {
        self.state
    }

    /// The alternate setting chosen last; nobody checked that it exists.
    pub fn alternate(&self) -> u8 {
        self.alternate
    }

    /// Until when the control endpoint answers NAK, to standard requests too.
    pub fn busy_until(&self) -> Duration {
        self.busy
    }

    /// The bus was reset.
    pub fn bus_reset(&mut self) {
        self.alternate = 0;
        self.reset();
    }

    fn reset(&mut self) {
        self.state = State::Idle;
        self.status = Status::OK;
        self.pending = false;
        self.block = 0;
        self.length = 0;
    }

    /// Serves a request to interface 0: those of the class, GET_INTERFACE and SET_INTERFACE. All
    /// others are refused; descriptors are the caller's business. `data` is that of an OUT.
    pub fn request(
        &mut self,
        now: Duration,
        setup: &Setup,
        data: &[u8],
    ) -> (Answer, Option<Event>) {
        if now < self.busy {
            return (Answer::Later { until: self.busy }, None);
        }
        if setup.recipient() != Recipient::Interface || setup.index_low() != 0 {
            return (Answer::Stall, None);
        }
        let inward = setup.direction() == Direction::In;
        let (answer, event) = match (setup.kind(), setup.request, inward) {
            (RequestKind::Standard, usb::request::SET_INTERFACE, false) => {
                self.alternate = setup.value_low();
                self.reset();
                (Answer::OK, None)
            }
            (RequestKind::Standard, usb::request::GET_INTERFACE, true) => {
                (Answer::Data(vec![self.alternate]), None)
            }
            (RequestKind::Class, request::DETACH, false) => (Answer::OK, Some(Event::Detach)),
            (RequestKind::Class, request::DNLOAD, false) => (self.download(setup, data), None),
            (RequestKind::Class, request::UPLOAD, true) => self.upload(now, setup),
            (RequestKind::Class, request::GETSTATUS, true) => self.get_status(now),
            (RequestKind::Class, request::CLRSTATUS | request::ABORT, false) => {
                self.reset();
                (Answer::OK, None)
            }
            (RequestKind::Class, request::GETSTATE, true) => {
                (Answer::Data(vec![self.state.code()]), None)
            }
            _ => (Answer::Stall, None),
        };
        (answer.cut(setup.length), event)
    }

    fn download(&mut self, setup: &Setup, data: &[u8]) -> Answer {
        let ready = matches!(self.state, State::Idle | State::DownloadIdle);
        if !ready || setup.length > BLOCK {
            return Answer::Stall;
        }
        self.pending = true;
        self.block = setup.value;
        self.length = setup.length;
        for (to, from) in self.buffer.iter_mut().zip(data) {
            *to = *from;
        }
        self.state = if setup.length > 0 {
            State::DownloadSync
        } else {
            State::ManifestSync
        };
        Answer::OK
    }

    fn upload(&mut self, now: Duration, setup: &Setup) -> (Answer, Option<Event>) {
        if setup.length > BLOCK {
            return (Answer::Stall, None);
        }
        self.pending = false;
        let offset = u32::from(setup.value) * u32::from(BLOCK);
        let (at, size) = (self.alternate, setup.length);
        let bytes = if offset + u32::from(size) > self.partition().1 {
            Some(END.to_vec())
        } else if size == 0 {
            Some(Vec::new())
        } else {
            self.partitions.read(now, at, offset, size)
        };
        let bytes = bytes.unwrap_or_else(|| {
            self.state = State::Error;
            self.status = Status::FILE;
            Vec::new()
        });
        // One buffer serves both ways.
        for (to, from) in self.buffer.iter_mut().zip(&bytes) {
            *to = *from;
        }
        (Answer::Data(bytes), Some(Event::Claimed))
    }

    /// Whether the chosen partition is read-only, its size and its poll time. One that does not
    /// exist has no bytes.
    fn partition(&self) -> (bool, u32, Duration) {
        let found = self.partitions.table().get(usize::from(self.alternate));
        found.map_or((false, 0, Duration::ZERO), |partition| {
            (partition.read_only, partition.size, partition.poll)
        })
    }

    fn exists(&self) -> bool {
        usize::from(self.alternate) < self.partitions.table().len()
    }

    fn get_status(&mut self, now: Duration) -> (Answer, Option<Event>) {
        let pending = std::mem::take(&mut self.pending);
        let status = self.status;
        let (poll, told, event) = match (self.state, pending) {
            (State::DownloadSync, true) => {
                let poll = self.partition().2;
                let outcome = self.write(now);
                self.spend(now, outcome);
                (poll, State::DownloadBusy, Some(Event::Claimed))
            }
            (State::ManifestSync, true) => {
                if self.exists() {
                    let outcome = self.partitions.manifest(now, self.alternate);
                    self.spend(now, outcome);
                }
                (Duration::ZERO, State::Manifest, Some(Event::Claimed))
            }
            (State::DownloadSync, false) => {
                self.state = State::DownloadIdle;
                (Duration::ZERO, self.state, None)
            }
            (State::ManifestSync, false) => {
                self.state = State::Idle;
                (Duration::ZERO, self.state, None)
            }
            (state, pending) => {
                self.pending = pending;
                (Duration::ZERO, state, None)
            }
        };
        let report = Report::new(status, poll, told);
        (Answer::Data(report.encode().to_vec()), event)
    }

    /// The work begins when the answer is out, and nobody sees its result before it ends.
    fn spend(&mut self, now: Duration, outcome: Outcome) {
        self.busy = now.saturating_add(outcome.takes);
        if outcome.status != Status::OK {
            self.state = State::Error;
            self.status = outcome.status;
        }
    }

    fn write(&mut self, now: Duration) -> Outcome {
        let (read_only, size, _) = self.partition();
        if read_only {
            return Outcome::refused(Status::WRITE);
        }
        if self.block == 0 && self.exists() {
            self.partitions.unlock(self.alternate);
        }
        let offset = u32::from(self.block) * u32::from(BLOCK);
        if offset + u32::from(self.length) > size {
            return Outcome::refused(Status::ADDRESS);
        }
        let bytes = self.buffer.get(..self.length.into()).unwrap_or_default();
        self.partitions.write(now, self.alternate, offset, bytes)
    }
}
