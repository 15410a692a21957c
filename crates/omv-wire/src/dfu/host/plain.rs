//! Operations of plain DFU, and those every dialect has.

use std::sync::Arc;
use std::time::Duration;

use super::{Conversation, Failure, Limits, Next, One, Reach, Step, Steps, Told, Work};
use crate::dfu::{Functional, Report, State, Status, request};
use crate::usb::Setup;

/// Questions on the way to `dfuIDLE` before a device is given up.
const ROUNDS: u32 = 16;

/// Bytes of the longest control transfer that Linux and Windows carry.
const LONGEST: u16 = 4096;

/// Our side of one DFU interface.
///
/// # Example
/// ```no_run
/// # use omv_wire::dfu::{BLOCK, Host};
/// # fn drive<T>(conversation: omv_wire::dfu::Conversation<T>) -> T { loop {} }
/// # let image: std::sync::Arc<[u8]> = vec![0; 10].into();
/// let host = Host::new(0, BLOCK);
/// drive(host.claim(0, 1)); // OpenMV's window stays open
/// drive(host.select(2));
/// drive(host.to_idle());
/// drive(host.write(0, image.clone()));
/// drive(host.manifest());
/// let back: Vec<u8> = drive(host.read(0, image.len() as u32));
/// drive(host.detach(1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    interface: u8,
    transfer_size: u16,
    /// The device's blocks are longer than ours, and so their numbers mean other places.
    cut: bool,
    limits: Limits,
}

/// What became of the device after the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifested {
    /// It is idle; more may follow.
    Idle,
    /// It wants a bus reset.
    WaitsForReset,
    /// It left without another word.
    Left,
}

impl Host {
    /// The host of an interface whose blocks have at most this many bytes. More than 4096 are not
    /// used: Linux and Windows carry no longer control transfers.
    #[must_use]
    pub fn new(interface: u8, transfer_size: u16) -> Self {
        Self {
            interface,
            transfer_size: transfer_size.clamp(1, LONGEST),
            cut: transfer_size > LONGEST,
            limits: Limits::default(),
        }
    }

    /// The host of an interface as it describes itself.
    #[must_use]
    pub fn of(interface: u8, functional: &Functional) -> Self {
        Self::new(interface, functional.transfer_size)
    }

    /// Other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Bytes of a block.
    #[must_use]
    pub fn transfer_size(&self) -> u16 {
        self.transfer_size
    }

    /// Whether a block number means the same place to both sides.
    pub(in crate::dfu) fn counts_alike(&self) -> bool {
        !self.cut
    }

    pub(in crate::dfu) fn reach(&self) -> Reach {
        Reach {
            interface: self.interface,
            limits: self.limits,
        }
    }

    fn one<T: 'static>(
        &self,
        setup: Setup,
        what: &'static str,
        read: fn(&[u8]) -> Result<T, Failure>,
    ) -> Conversation<T> {
        Conversation::new(One {
            setup,
            patience: self.limits.transfer,
            what,
            read,
            parting: None,
        })
    }

    fn class_out(&self, request: u8, value: u16) -> Setup {
        Setup::class_out(request, value, self.interface, 0)
    }

    /// Chooses an alternate setting. OpenMV's bootloader forgets a block that waits.
    #[must_use]
    pub fn select(&self, alternate: u8) -> Conversation<()> {
        let setup = Setup::set_interface(self.interface, alternate);
        self.one(setup, "SET_INTERFACE", |_| Ok(()))
    }

    /// Asks where the device stands.
    #[must_use]
    pub fn get_status(&self) -> Conversation<Report> {
        let setup = Setup::class_in(request::GETSTATUS, 0, self.interface, Report::LEN as u16);
        self.one(setup, "GETSTATUS", |reply| Ok(Report::decode(reply)?))
    }

    /// Clears an error. Where there is none, devices of ST make one of it.
    #[must_use]
    pub fn clear_status(&self) -> Conversation<()> {
        self.one(self.class_out(request::CLRSTATUS, 0), "CLRSTATUS", |_| {
            Ok(())
        })
    }

    /// Gives up what was begun.
    #[must_use]
    pub fn abort(&self) -> Conversation<()> {
        self.one(self.class_out(request::ABORT, 0), "ABORT", |_| Ok(()))
    }

    /// Tells the device to leave. That it is gone, or says nothing, is a success too.
    #[must_use]
    pub fn detach(&self, millis: u16) -> Conversation<()> {
        Conversation::new(One {
            setup: self.class_out(request::DETACH, millis),
            patience: self.limits.transfer,
            what: "DETACH",
            read: |_| Ok(()),
            parting: Some(|| ()),
        })
    }

    /// Brings the device to `dfuIDLE`, whatever it was about.
    #[must_use]
    pub fn to_idle(&self) -> Conversation<()> {
        Conversation::new(ToIdle {
            reach: self.reach(),
            rounds: 0,
            asks: true,
        })
    }

    /// Reads one block, which may come short.
    #[must_use]
    pub fn upload(&self, block: u16, length: u16) -> Conversation<Vec<u8>> {
        let setup = Setup::class_in(request::UPLOAD, block, self.interface, length);
        self.one(setup, "UPLOAD", |reply| Ok(reply.to_vec()))
    }

    /// Stops the clock of OpenMV's start-up window: chooses an alternate and reads one block,
    /// nothing else. Block 1 of the bootloader's own partition has its version.
    ///
    /// Source: openmv/openmv boot/src/common/dfu.c.
    #[must_use]
    pub fn claim(&self, alternate: u8, block: u16) -> Conversation<Vec<u8>> {
        Conversation::new(Claim {
            select: Setup::set_interface(self.interface, alternate),
            upload: Setup::class_in(request::UPLOAD, block, self.interface, self.transfer_size),
            patience: self.limits.transfer,
            selected: false,
        })
    }

    /// Says that all blocks came, as block `block`, and waits for nothing: who asks for the status
    /// himself has more to tell than [`manifest`](Self::manifest).
    #[must_use]
    pub fn end(&self, block: u16) -> Conversation<()> {
        self.one(
            self.class_out(request::DNLOAD, block),
            "the empty DNLOAD",
            |_| Ok(()),
        )
    }

    /// Writes one block and waits until it is written.
    #[must_use]
    pub fn download(&self, block: u16, data: Vec<u8>) -> Conversation<()> {
        self.write_blocks(block, data.into())
    }

    /// Writes `data` from block `first` on; all blocks but the last are whole. It must start
    /// where an erase unit does and reach to the end of one, or of the partition. Afterwards
    /// comes [`manifest`](Self::manifest) or [`abort`](Self::abort), before anything is read.
    #[must_use]
    pub fn write(&self, first: u16, data: Arc<[u8]>) -> Conversation<()> {
        self.write_blocks(first, data)
    }

    fn write_blocks(&self, first: u16, data: Arc<[u8]>) -> Conversation<()> {
        Conversation::new(Write {
            reach: self.reach(),
            size: self.transfer_size,
            first,
            data,
            done: 0,
            work: None,
        })
    }

    /// Says that all blocks came, and waits until the device has made use of them.
    #[must_use]
    pub fn manifest(&self) -> Conversation<Manifested> {
        Conversation::new(Manifest {
            reach: self.reach(),
            started: Duration::ZERO,
            sent: false,
            pausing: false,
        })
    }

    /// Reads `size` bytes from block `first` on. The size must be known: devices that are read
    /// over the end of a partition invent bytes.
    #[must_use]
    pub fn read(&self, first: u16, size: u32) -> Conversation<Vec<u8>> {
        Conversation::new(Read::new(self.reach(), self.transfer_size, first, size))
    }
}

/// GETSTATUS, and what it calls for, until the device is idle.
struct ToIdle {
    reach: Reach,
    rounds: u32,
    /// GETSTATUS comes next, whatever was said.
    asks: bool,
}

impl Steps<()> for ToIdle {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<()> {
        if told == Told::Gone {
            return Err(Failure::Gone);
        }
        self.rounds += 1;
        let again = self.rounds < ROUNDS;
        let asks = std::mem::take(&mut self.asks);
        if asks && told == Told::Silence {
            return Err(Failure::Timeout { what: "ABORT" });
        }
        if asks {
            return Ok(self.reach.get_status());
        }
        self.asks = true;
        if told == Told::Stall && again {
            return Ok(self.reach.out(request::CLRSTATUS, 0, Vec::new()));
        }
        let report = Report::decode(told.reply("GETSTATUS")?)?;
        match report.state {
            State::Idle if report.status == Status::OK => Ok(Next::Done(())),
            state if !again => Err(Failure::State {
                state,
                what: "ABORT",
            }),
            State::DownloadBusy | State::Manifest => {
                let poll = self.reach.poll(&report)?;
                Ok(Next::Pause(now.saturating_add(poll)))
            }
            State::Error | State::Idle => Ok(self.reach.out(request::CLRSTATUS, 0, Vec::new())),
            _ => Ok(self.reach.out(request::ABORT, 0, Vec::new())),
        }
    }
}

/// SET_INTERFACE, then one UPLOAD.
struct Claim {
    select: Setup,
    upload: Setup,
    patience: Duration,
    selected: bool,
}

impl Steps<Vec<u8>> for Claim {
    fn next(&mut self, _now: Duration, told: Told<'_>) -> Step<Vec<u8>> {
        if told == Told::Start {
            return Ok(Next::Ask(self.select, Vec::new(), self.patience));
        }
        if !self.selected {
            told.reply("SET_INTERFACE")?;
            self.selected = true;
            return Ok(Next::Ask(self.upload, Vec::new(), self.patience));
        }
        Ok(Next::Done(told.reply("UPLOAD")?.to_vec()))
    }
}

/// Blocks on their way into the device, one after another.
struct Write {
    reach: Reach,
    size: u16,
    first: u16,
    data: Arc<[u8]>,
    done: usize,
    work: Option<(Work, usize)>,
}

impl Steps<()> for Write {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<()> {
        let mut told = told;
        if let Some((work, size)) = &mut self.work {
            if let Ok(next) = work.next(now, told)?.carry() {
                return Ok(next);
            }
            self.done += *size;
            told = Told::Start;
        } else {
            check_blocks(self.first, self.data.len() as u64, self.size)?;
        }
        let number = self.done / usize::from(self.size);
        let rest = self.data.get(self.done..).unwrap_or_default();
        let piece = rest.get(..self.size.into()).unwrap_or(rest);
        if piece.is_empty() {
            return Ok(Next::Done(()));
        }
        let block = self
            .first
            .saturating_add(u16::try_from(number).unwrap_or(u16::MAX));
        let mut work = Work::new(self.reach, block, piece.to_vec(), "DNLOAD");
        let next = work.next(now, told)?;
        self.work = Some((work, piece.len()));
        Ok(next.carry().unwrap_or(Next::Pause(now)))
    }

    fn progress(&self) -> (u64, u64) {
        (self.done as u64, self.data.len() as u64)
    }
}

/// Whether there are numbers for all blocks.
fn check_blocks(first: u16, size: u64, block: u16) -> Result<(), Failure> {
    let last = u64::from(first) + size.div_ceil(block.into());
    if size == 0 || last > 1 << 16 {
        return Err(Failure::Size { size, block });
    }
    Ok(())
}

/// The empty DNLOAD and what follows it.
struct Manifest {
    reach: Reach,
    started: Duration,
    sent: bool,
    pausing: bool,
}

impl Steps<Manifested> for Manifest {
    fn next(&mut self, now: Duration, told: Told<'_>) -> Step<Manifested> {
        let what = "the empty DNLOAD";
        if told == Told::Start {
            self.started = now;
            return Ok(self.reach.out(request::DNLOAD, 0, Vec::new()));
        }
        if !std::mem::replace(&mut self.sent, true) {
            told.reply(what)?;
            return Ok(self.reach.get_status());
        }
        if told == Told::Gone {
            return Ok(Next::Done(Manifested::Left));
        }
        if std::mem::take(&mut self.pausing) {
            return Ok(self.reach.get_status());
        }
        let report = Report::decode(told.reply("GETSTATUS")?)?;
        match (report.state, report.status) {
            (State::Idle, Status::OK) => Ok(Next::Done(Manifested::Idle)),
            (State::ManifestWaitReset, Status::OK) => Ok(Next::Done(Manifested::WaitsForReset)),
            (State::Manifest | State::ManifestSync, Status::OK) => {
                let end = self.started.saturating_add(self.reach.limits.work);
                if end <= now {
                    return Err(Failure::Timeout { what });
                }
                self.pausing = true;
                let until = now.saturating_add(self.reach.poll(&report)?);
                Ok(Next::Pause(until.min(end)))
            }
            (_, status) if status != Status::OK => Err(Failure::Status { status, what }),
            (state, _) => Err(Failure::State { state, what }),
        }
    }
}

/// Blocks on their way out of the device.
pub(in crate::dfu) struct Read {
    reach: Reach,
    size: u16,
    first: u16,
    wanted: u32,
    bytes: Vec<u8>,
}

impl Read {
    pub fn new(reach: Reach, size: u16, first: u16, wanted: u32) -> Self {
        Self {
            reach,
            size,
            first,
            wanted,
            bytes: Vec::new(),
        }
    }

    fn left(&self) -> u32 {
        let got = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.wanted.saturating_sub(got)
    }

    fn length(&self) -> u16 {
        u16::try_from(self.left()).map_or(self.size, |left| left.min(self.size))
    }
}

impl Steps<Vec<u8>> for Read {
    fn next(&mut self, _now: Duration, told: Told<'_>) -> Step<Vec<u8>> {
        if told == Told::Start {
            check_blocks(self.first, self.wanted.into(), self.size)?;
        } else {
            let (need, reply) = (self.length().into(), told.reply("UPLOAD")?);
            if reply.len() != need {
                let got = reply.len();
                return Err(Failure::Short { need, got });
            }
            self.bytes.extend(reply);
        }
        if self.left() == 0 {
            return Ok(Next::Done(std::mem::take(&mut self.bytes)));
        }
        let number = self.bytes.len() / usize::from(self.size);
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let block = self.first.saturating_add(number);
        Ok(self.reach.read(request::UPLOAD, block, self.length()))
    }

    fn progress(&self) -> (u64, u64) {
        (self.bytes.len() as u64, self.wanted.into())
    }
}
