//! `dfu-util`: DFU and DfuSe devices from the command line.
//!
//! ```text
//!   options   the command line        lines   what scripts read: state lines, bars, warnings
//!   file      the suffix              probe   which alternate settings are meant
//!   plain     partitions              dfuse   memories by address, `.dfu` files
//! ```
//!
//! Options, lines and exit codes are those of dfu-util 0.11, judged by running both side by side.
//! Differences, all meant: every wait has an end, `-w` included, and it is said when one was cut
//! short; an erase that revision V of the STM32H74x never reports the end of is ended and proven;
//! a file whose suffix is damaged or names another device is refused; a prefix of TI's or NXP's is
//! data like any other; and only devices are opened that may be cameras, or that `-d` names.
//!
//! Source: dfu-util 0.11, src/main.c.

mod dfuse;
mod file;
mod lines;
mod options;
mod plain;
mod probe;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use omv_link::{Bus, Link, LinkError, drive};
use omv_wire::dfu::{Conversation, Failure, Functional, Host, Report, State, Status};
use omv_wire::usb::Setup;

use super::stop::Stop;
use file::Content;
use lines::Say;
use options::{Given, Mode};
use probe::Found;

const TOOL: &str = "dfu-util";

/// Exit codes. Source: sysexits.h, as dfu-util uses it.
mod code {
    /// The command line, or what it asks for, makes no sense.
    pub const USAGE: u8 = 64;
    /// The file is damaged.
    pub const DATA: u8 = 65;
    /// The file cannot be read.
    pub const NO_INPUT: u8 = 66;
    /// A file cannot be made.
    pub const CANNOT_CREATE: u8 = 73;
    /// No device, several devices, any trouble on the bus.
    pub const IO: u8 = 74;
    /// The device does not keep to the protocol.
    pub const PROTOCOL: u8 = 76;
    /// `-R`, and the device was gone before it could be reset: dfu-util ends with the -5 of its
    /// USB library, which a shell sees as this. All was written.
    pub const GONE_AT_RESET: u8 = 251;
}

/// Longest wait of `-w`.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How often the buses are looked at meanwhile.
const EVERY: Duration = Duration::from_millis(20);
/// Most bytes of one control transfer on Linux.
const MOST: u16 = 4096;
/// Least transfer size: bytes of a packet on the control endpoint of all these devices.
const LEAST: u16 = 64;
/// Questions for the status before a device that is never idle is given up.
const ROUNDS: usize = 16;
/// How long a device may take to go when it lost its configuration.
const GOODBYE: Duration = Duration::from_millis(500);

/// Runs the tool with this command line.
pub fn run(line: &[String]) -> Result<(), Stop> {
    let buses = crate::bench::buses(TOOL).into_iter().map(Arc::from);
    let (mut out, mut err) = (io::stdout(), io::stderr());
    run_on(line, &buses.collect::<Vec<_>>(), &mut out, &mut err)
}

/// Runs it with these buses.
fn run_on(
    line: &[String],
    buses: &[Arc<dyn Bus>],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Stop> {
    let mut say = Say::new(out, err);
    let Some(mut given) = options::read(line, &mut say)? else {
        return Ok(());
    };
    say.verbose = given.verbose;
    say.line(lines::VERSION);
    if given.mode == Some(Mode::Version) {
        return Ok(());
    }
    if given.verbose > 0 {
        say.line(&format!("omv version {}", env!("CARGO_PKG_VERSION")));
    }
    let mode = match (given.mode.clone(), &given.dfuse) {
        (Some(mode), _) => mode,
        (None, Some(_)) => Mode::Command,
        (None, None) => {
            say.complain("You need to specify one of -D or -U");
            say.complain(lines::HELP);
            return Err(Stop::Code(code::USAGE));
        }
    };
    let content = match mode {
        Mode::Download => Some(file::load(&given, &mut say)?),
        _ => None,
    };
    if let Some(content) = &content {
        content.match_ids(&mut given, &mut say);
    }
    let mut found = wait_for(&given, mode == Mode::List, buses, &mut say)?;
    if mode == Mode::List {
        for one in &found {
            say.line(&one.line());
        }
        return Ok(());
    }
    choose(&mut found, content.as_ref(), &mut say)?;
    let mut session = Session::open(found, &given, say)?;
    session.work(mode, &given, content.as_ref())?;
    if given.reset {
        session.reset()?;
    }
    Ok(())
}

/// Looks for the devices that are meant; with `-w` until there is one.
fn wait_for(
    given: &Given,
    lists: bool,
    buses: &[Arc<dyn Bus>],
    say: &mut Say<'_>,
) -> Result<Vec<Found>, Stop> {
    if given.wait {
        say.line("Waiting for device, exit with ctrl-C");
    }
    let now = || buses.first().map_or(Duration::ZERO, |bus| bus.now());
    let end = now() + LONGEST_WAIT;
    loop {
        let found = probe::probe(given, buses, say);
        if !found.is_empty() || lists {
            return Ok(found);
        }
        let Some(bus) = buses.first().filter(|_| given.wait && now() < end) else {
            if given.wait {
                let seconds = LONGEST_WAIT.as_secs();
                say.warn(&format!("Gave up waiting after {seconds} seconds"));
            }
            return Err(say.stop(code::IO, "No DFU capable USB device available"));
        };
        let soon = now() + EVERY;
        while now() < soon {
            if bus.wait(soon).is_err() {
                break;
            }
        }
    }
}

/// Insists on one device, and on one alternate unless the file says itself which are meant.
fn choose(found: &mut [Found], content: Option<&Content>, say: &mut Say<'_>) -> Result<(), Stop> {
    let [first, more @ ..] = found else {
        return Ok(());
    };
    let same = more.iter().all(|one| one.shares_device(first));
    if content.is_some_and(Content::is_dfuse) && same {
        say.line("Multiple alternate interfaces for DfuSe file");
        return Ok(());
    }
    if more.is_empty() {
        return Ok(());
    }
    let text = "More than one DFU capable USB device found! Try `--list' and specify the serial number or disconnect all but one device\n";
    Err(say.stop(code::IO, text))
}

/// One opened device and the memories that are meant.
struct Session<'a> {
    say: Say<'a>,
    /// The first one is worked with; all are of the same device.
    found: Vec<Found>,
    host: Host,
    functional: Functional,
    size: u16,
}

impl<'a> Session<'a> {
    /// Chooses the memory and brings the device to where work can begin.
    fn open(found: Vec<Found>, given: &Given, mut say: Say<'a>) -> Result<Self, Stop> {
        let Some(first) = found.first() else {
            return Err(say.stop(code::IO, "No DFU capable USB device available"));
        };
        let functional = first.functional;
        say.line("Opening DFU capable USB device...");
        say.line(&format!("Device ID {:04x}:{:04x}", first.vid, first.pid));
        let kind = match first.interface {
            0 => "Device",
            _ => "Run-Time device",
        };
        let version = functional.version;
        say.line(&format!("{kind} DFU version {version:04x}"));
        if say.verbose > 0 {
            lines::attributes(&functional, &mut say);
        }
        say.line("Claiming USB DFU Interface...");
        let host = Host::of(first.interface, &functional);
        let (alternate, size) = (first.alternate, functional.transfer_size);
        let mut session = Self {
            say,
            found,
            host,
            functional,
            size,
        };
        session.select(alternate)?;
        session.settle()?;
        let say = &mut session.say;
        say.line(&format!("DFU mode device DFU version {version:04x}"));
        if given.dfuse.is_some() && !session.is_dfuse() {
            let say = &mut session.say;
            say.line("Warning: DfuSe option used on non-DfuSe device");
        }
        session.take_size(given.size);
        Ok(session)
    }

    fn is_dfuse(&self) -> bool {
        self.functional.version == Functional::DFUSE
    }

    fn select(&mut self, alternate: u8) -> Result<(), Stop> {
        let text = format!("Setting Alternate Interface #{alternate} ...");
        self.say.line(&text);
        match self.talk(self.host.select(alternate)) {
            Ok(()) => Ok(()),
            Err(trouble) => {
                let text = format!("Cannot set alternate interface: {}", trouble.name());
                Err(self.say.stop(code::IO, &text))
            }
        }
    }

    /// Asks for the status until the device is ready for work.
    fn settle(&mut self) -> Result<(), Stop> {
        for _ in 0..ROUNDS {
            self.say.line("Determining device status...");
            let report = match self.talk(self.host.get_status()) {
                Ok(report) => report,
                Err(trouble) => {
                    let text = format!("error get_status: {}", trouble.name());
                    return Err(self.say.stop(code::IO, &text));
                }
            };
            self.say.state(&report, false);
            self.pause(&report)?;
            let step = match report.state {
                State::AppIdle | State::AppDetach => {
                    let text = "Device still in Run-Time Mode!";
                    return Err(self.say.stop(code::PROTOCOL, text));
                }
                State::Error => {
                    self.say.line("Clearing status");
                    self.host.clear_status()
                }
                State::DownloadIdle | State::UploadIdle => {
                    self.say.line("Aborting previous incomplete transfer");
                    self.host.abort()
                }
                _ if report.status != Status::OK => {
                    let text = lines::status(report.status);
                    self.say.line(&format!("WARNING: DFU Status: '{text}'"));
                    self.host.clear_status()
                }
                _ => return Ok(()),
            };
            if self.talk(step).is_err() {
                return Err(self.say.stop(code::IO, "USB communication error"));
            }
        }
        Err(self.say.stop(code::PROTOCOL, "The device is never ready"))
    }

    /// Settles on a transfer size.
    fn take_size(&mut self, asked: Option<u16>) {
        let own = self.functional.transfer_size;
        let say = &mut self.say;
        say.line(&format!("Device returned transfer size {own}"));
        if asked.is_some() {
            say.line("Warning: Overriding device-reported transfer size");
        }
        let mut size = asked.unwrap_or(own);
        if size > MOST {
            size = MOST;
            say.line(&format!("Limited transfer size to {size}"));
        }
        if size < LEAST {
            size = LEAST;
            say.line(&format!("Adjusted transfer size to {size}"));
        }
        self.size = size;
        let interface = self.found.first().map_or(0, |one| one.interface);
        self.host = Host::new(interface, size);
    }

    fn work(&mut self, mode: Mode, given: &Given, content: Option<&Content>) -> Result<(), Stop> {
        match (mode, content) {
            (Mode::Upload(path), _) => {
                let options = fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(&path);
                let mut into = match options {
                    Ok(file) => file,
                    Err(error) => {
                        let why = super::grammar::words_of(&error);
                        let text = format!("Cannot open file {path} for writing: {why}");
                        return Err(self.say.stop(code::CANNOT_CREATE, &text));
                    }
                };
                if self.is_dfuse() || given.dfuse.is_some() {
                    return self.dfuse_upload(given, &mut into);
                }
                self.plain_upload(given.expected, &mut into)
            }
            (Mode::Download, Some(content)) => {
                let first = self.found.first();
                let (vid, pid) = first.map_or((0, 0), |one| (one.vid, one.pid));
                content.must_fit(given, (vid, pid), &mut self.say)?;
                if self.is_dfuse() || given.dfuse.is_some() || content.is_dfuse() {
                    return self.dfuse_download(given, Some(content));
                }
                self.plain_download(&content.data)
            }
            (Mode::Detach, _) => {
                if self.talk(self.host.detach(1000)).is_err() {
                    self.say.warn("can't detach");
                }
                Ok(())
            }
            _ => self.dfuse_download(given, None),
        }
    }

    /// DETACH, then what a bus reset does to a device: it loses its configuration.
    fn reset(&mut self) -> Result<(), Stop> {
        if self.talk(self.host.detach(1000)).is_err() {
            self.say.warn("can't detach");
        }
        self.say
            .line("Resetting USB to switch back to Run-Time mode");
        let gone = self.with_link(|link| {
            let heard = link
                .send(&Setup::set_configuration(0).encode())
                .and_then(|()| link.wait(link.now() + GOODBYE));
            matches!(
                heard,
                Ok(Some(omv_link::Heard::Gone)) | Err(LinkError::Gone)
            )
        });
        match gone {
            Some(true) => Err(Stop::Code(code::GONE_AT_RESET)),
            _ => Ok(()),
        }
    }

    fn with_link<T>(&self, act: impl FnOnce(&mut dyn Link) -> T) -> Option<T> {
        let first = self.found.first()?;
        let mut opened = first.opened.borrow_mut();
        Some(act(&mut *opened.link))
    }

    /// One operation.
    fn talk<T>(&self, mut operation: Conversation<T>) -> Result<T, Trouble> {
        let done = self.with_link(|link| drive(&mut operation, link));
        match done {
            Some(done) => Ok(done??),
            None => Err(Trouble::Failure(Failure::Gone)),
        }
    }

    /// Keeps silent for as long as the device asks, within reason.
    fn pause(&mut self, report: &Report) -> Result<(), Stop> {
        let limit = omv_wire::dfu::Limits::default().poll;
        if report.poll > limit {
            let asked = report.poll.as_millis();
            let text = format!(
                "The device asks for {asked} ms of silence; this program waits for at most {} ms",
                limit.as_millis()
            );
            return Err(self.say.stop(code::IO, &text));
        }
        self.with_link(|link| {
            let until = link.now() + report.poll;
            while link.now() < until {
                if !matches!(link.wait(until), Ok(None)) {
                    break;
                }
            }
        });
        Ok(())
    }
}

/// Why an operation failed.
#[derive(Debug)]
enum Trouble {
    /// The system.
    Link(LinkError),
    /// The device, or the protocol.
    Failure(Failure),
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Trouble {
    /// The name libusb has for it, which scripts look for.
    fn name(&self) -> &'static str {
        match self {
            Self::Link(error) => link_name(error),
            Self::Failure(Failure::Gone) => "LIBUSB_ERROR_NO_DEVICE",
            Self::Failure(Failure::Refused { .. }) => "LIBUSB_ERROR_PIPE",
            Self::Failure(Failure::Timeout { .. }) => "LIBUSB_ERROR_TIMEOUT",
            Self::Failure(_) => "LIBUSB_ERROR_IO",
        }
    }

    /// What this program knows beyond that name, if the name hides it.
    fn more(&self) -> Option<String> {
        match self {
            Self::Failure(
                failure @ (Failure::Timeout { .. }
                | Failure::PollTooLong { .. }
                | Failure::Malformed(_)),
            ) => Some(failure.to_string()),
            _ => None,
        }
    }
}

/// The name libusb has for what the system says.
fn link_name(error: &LinkError) -> &'static str {
    match error {
        LinkError::NoAccess { .. } => "LIBUSB_ERROR_ACCESS",
        LinkError::Busy { .. } => "LIBUSB_ERROR_BUSY",
        LinkError::Gone => "LIBUSB_ERROR_NO_DEVICE",
        LinkError::Stuck => "LIBUSB_ERROR_TIMEOUT",
        LinkError::NoFunction { .. } => "LIBUSB_ERROR_NOT_SUPPORTED",
        _ => "LIBUSB_ERROR_IO",
    }
}
