//! How a device is reached: `-p` a serial port or pseudo terminal, `-u` a USB device on any bus,
//! virtual cameras included.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use omv_link::{Bus, Function, Link, LinkError, Seen, drive};
use omv_wire::{Input, Machine, Turn};

use super::grammar::Given;
use super::print::{Level, Log};
use super::python::{int, repr};
use super::stop::Stop;
use super::{devices, usb};

/// An opened device.
pub struct Door {
    /// The pipe to it.
    pub link: Box<dyn Link>,
    /// Whether it is a serial line, and not HID.
    pub serial: bool,
    /// How long it may take to go on, at every step.
    pub patience: Duration,
    /// Who is told what is opened, and of all bytes.
    pub log: Log,
}

/// What was asked for, in the words of the error lines.
pub struct Wanted {
    /// `uart` or `usb`.
    pub interface: &'static str,
    /// Port or USB device.
    pub device: String,
    /// Rate of a port, if one was given.
    pub baud: Option<u32>,
    /// Milliseconds.
    pub timeout: i128,
    /// The chips whose names stand for a USB device.
    chips: &'static [devices::Row],
}

impl Wanted {
    /// Reads `-p` and `-u`; `others` are interfaces there are in the tool and not here, `chips`
    /// the names it knows.
    pub fn read(
        given: &Given,
        others: &[&'static str],
        timeout: i128,
        chips: &'static [devices::Row],
    ) -> Result<Self, Stop> {
        let known = ["port", "usb"].iter().chain(others);
        let named: Vec<&str> = known
            .copied()
            .filter(|key| given.text(key).is_some_and(|text| !text.is_empty()))
            .collect();
        let names = || {
            let mut all = vec!["port", "usb"];
            all.extend(others.iter().filter(|one| **one != "buspal"));
            let all: Vec<String> = all.iter().map(|one| format!("'--{one}'")).collect();
            all.join(",")
        };
        match named.as_slice() {
            [] | ["buspal"] => Err(Stop::Refused(format!(
                "One of {} must be specified.",
                names()
            ))),
            ["usb"] => Ok(Self {
                interface: "usb",
                device: given.text("usb").unwrap_or_default().replace(',', ":"),
                baud: None,
                timeout,
                chips,
            }),
            ["port"] => {
                let mut parts = given.text("port").unwrap_or_default().split(',');
                let device = parts.next().unwrap_or_default().to_owned();
                let baud = match parts.next_back() {
                    None => None,
                    Some(text) => Some(int(text, 0).ok_or_else(|| {
                        let text = repr(text);
                        let text = format!("invalid literal for int() with base 0: {text}");
                        Stop::general("ValueError", text)
                    })?),
                };
                Ok(Self {
                    interface: "uart",
                    device,
                    baud: baud.map(|baud| u32::try_from(baud).unwrap_or(u32::MAX)),
                    timeout,
                    chips,
                })
            }
            [one] | ["port", one @ "buspal"] => Err(Stop::error(
                "SPSDKError",
                format!("SPSDK: The interface --{one} is not part of this program."),
            )),
            _ => Err(Stop::Refused(format!(
                "Only one of {} must be specified.",
                names()
            ))),
        }
    }

    /// The parameters as the error lines give them.
    fn parameters(&self) -> String {
        let baud = self.baud.map(|baud| format!("baudrate={baud}, "));
        let timeout = match (self.interface, self.timeout) {
            ("uart", 0) => String::new(),
            (_, timeout) => format!("timeout={timeout}"),
        };
        let text = match self.interface {
            "usb" => format!("device_id={}, {timeout}", self.device),
            _ => format!(
                "port={}, {}{timeout}",
                self.device,
                baud.unwrap_or_default()
            ),
        };
        text.trim_end_matches(", ").to_owned()
    }

    /// The error of a device that is not there.
    pub fn nobody(&self) -> Stop {
        let (interface, parameters) = (self.interface, self.parameters());
        Stop::error(
            "SpsdkNoDeviceFoundError",
            format!(
                "No devices for given interface '{interface}' and parameters '{parameters}' was found."
            ),
        )
    }

    fn patience(&self, default: u64) -> Duration {
        match u64::try_from(self.timeout) {
            Ok(0) | Err(_) => Duration::from_millis(default),
            Ok(millis) => Duration::from_millis(millis.min(24 * 60 * 60 * 1000)),
        }
    }

    /// Opens what was asked for.
    ///
    /// `rate` is the default rate of a port, `who` is told to others who find the device taken.
    pub fn open(&self, rate: u32, who: &str, log: Log) -> Result<Door, Stop> {
        let patience = self.patience(if self.interface == "usb" { 2000 } else { 5000 });
        if self.interface == "uart" {
            if cfg!(unix) && !Path::new(&self.device).exists() {
                return Err(self.nobody());
            }
            let rate = self.baud.unwrap_or(rate);
            let link = omv_link::native::open_path(&self.device, rate);
            let link = link.map_err(|_| self.nobody())?;
            let text = format!(
                "opened {} at {rate} baud, patience {patience:?}",
                self.device
            );
            log.more(Level::Debug, &text);
            return Ok(Door {
                link,
                serial: true,
                patience,
                log,
            });
        }
        let buses = crate::bench::buses(who).into_iter().map(Arc::from);
        let (bus, seen) = self.find(&buses.collect::<Vec<_>>())?;
        let unable = |error: LinkError| {
            let text = format!("SPSDK: Unable to open device '{}': {error}", title(&seen));
            Stop::error("SPSDKConnectionError", text)
        };
        let link = bus
            .open(&seen)
            .and_then(|mut device| device.link(Function::Hid))
            .map_err(unable)?;
        let text = format!("opened {}, patience {patience:?}", title(&seen));
        log.more(Level::Debug, &text);
        Ok(Door {
            link,
            serial: false,
            patience,
            log,
        })
    }

    fn find(&self, buses: &[Arc<dyn Bus>]) -> Result<(Arc<dyn Bus>, Seen), Stop> {
        let mut found = Vec::new();
        for bus in buses {
            // A simulator that just went away must not hide the others.
            let seen = bus.list().unwrap_or_default();
            let fits = |seen: &Seen| usb::fits(&self.device, self.chips, seen);
            let fitting = seen.into_iter().filter(fits);
            found.extend(fitting.map(|seen| (Arc::clone(bus), seen)));
        }
        match found.len() {
            1 => Ok(found.swap_remove(0)),
            0 => Err(self.nobody()),
            _ => {
                let (interface, parameters) = (self.interface, self.parameters());
                let mut text = format!(
                    "Multiple devices for given interface '{interface}' and parameters '{parameters}' were found."
                );
                for (at, (_, seen)) in found.iter().enumerate() {
                    text.push_str(&format!("\n Device #{at}: {}", title(seen)));
                }
                Err(Stop::error("SpsdkMultipleDevicesFoundError", text))
            }
        }
    }
}

/// A device in the words of the error lines. What it says of itself is not trusted.
fn title(seen: &Seen) -> String {
    let product = seen.product.as_deref().unwrap_or_default();
    let product: String = product.chars().filter(|c| !c.is_control()).collect();
    let path = seen.node.as_deref().unwrap_or(seen.place.as_str());
    format!(
        "{product} (0x{:04X}, 0x{:04X})path=b{} sn=''",
        seen.vid,
        seen.pid,
        repr(path)
    )
}

impl Door {
    /// Runs one conversation, and tells how far it is before each of its turns.
    pub fn drive<M: Machine>(
        &mut self,
        machine: &mut M,
        tell: &mut dyn FnMut(&M),
    ) -> Result<M::Output, LinkError> {
        let log = self.log;
        let mut told = Told { machine, tell, log };
        drive(&mut told, self.link.as_mut())
    }
}

/// A machine that is watched.
struct Told<'a, M> {
    machine: &'a mut M,
    tell: &'a mut dyn FnMut(&M),
    log: Log,
}

impl<M: Machine> Machine for Told<'_, M> {
    type Output = M::Output;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        if let Input::Bytes(bytes) = &input {
            self.log.bytes("in", bytes);
        }
        self.machine.feed(now, input);
    }

    fn poll(&mut self, now: Duration) -> Turn<M::Output> {
        let turn = self.machine.poll(now);
        if let Turn::Send(bytes) = &turn {
            self.log.bytes("out", bytes);
        }
        (self.tell)(self.machine);
        turn
    }
}
