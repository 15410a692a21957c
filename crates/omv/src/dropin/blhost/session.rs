//! One run of `blhost`: the opened device, how results are shown, and the rules by which a
//! failure on the wire becomes a status or an error.
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/mcuboot.py, spsdk/apps/blhost_helper.py.

use omv_link::LinkError;
use omv_wire::mboot::{
    Command, Data, Exchange, Failure, Ping, Reply, Setup, Wire, property, status,
};
use serde::Serialize;

use super::lines::{self, Word};
use super::property as properties;
use crate::dropin::door::{Door, Wanted};
use crate::dropin::print::{self, Level, Log, Progress};
use crate::dropin::stop::Stop;

const LOG: &str = "spsdk.mboot.mcuboot";
/// Bytes per data packet of a device that does not tell.
const LEAST_PACKET: usize = 32;

/// How results are shown.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// As JSON.
    pub json: bool,
    /// Not at all.
    pub silent: bool,
    /// Without progress.
    pub still: bool,
}

/// A run with an opened device.
pub struct Session {
    door: Door,
    packet: Option<usize>,
    /// How results are shown.
    pub manner: Manner,
    /// Where warnings go.
    pub log: Log,
}

impl Session {
    /// Greets a device that was opened.
    pub fn new(mut door: Door, wanted: &Wanted, manner: Manner, log: Log) -> Result<Self, Stop> {
        if door.serial {
            let greeted = door.drive(&mut Ping::new(), &mut |_| {});
            if !matches!(greeted, Ok(Ok(_))) {
                return Err(no_answer(wanted));
            }
        }
        Ok(Self {
            door,
            packet: None,
            manner,
            log,
        })
    }

    fn wire(&self) -> Wire {
        if self.door.serial {
            Wire::Uart
        } else {
            Wire::Hid
        }
    }

    /// Runs one command. What the device refuses is in the reply; so is silence, as a status the
    /// tool makes up.
    fn exchange(
        &mut self,
        command: Command,
        data: Data<'_>,
        label: Option<&'static str>,
    ) -> Result<Reply, Stop> {
        let setup = Setup {
            patience: self.door.patience,
            packet: self.packet.unwrap_or(LEAST_PACKET),
            wire: self.wire(),
        };
        let (sends, reads) = match &data {
            Data::None => (false, false),
            Data::Out(_) => (true, false),
            Data::In(_) => (false, true),
        };
        let words = command.words().iter().map(|word| format!("{word:#x}"));
        let words: Vec<String> = words.collect();
        let name = properties::command(command.tag());
        let text = format!("command {name}({})", words.join(", "));
        self.log.more(Level::Info, &text);
        let mut exchange = Exchange::new(setup, command, data);
        let quiet = self.manner.still || label.is_none();
        let mut progress = Progress::new(label.unwrap_or_default(), quiet);
        let outcome = self.door.drive(&mut exchange, &mut |exchange| {
            let (done, total) = exchange.progress();
            progress.at(done, total);
        });
        let whole = matches!(&outcome, Ok(Ok(reply)) if reply.status == status::SUCCESS);
        progress.end(whole);
        if let Ok(Ok(reply)) = &outcome {
            let text = format!("status {}", lines::status(reply.status));
            self.log.more(Level::Info, &text);
        }
        match outcome {
            Ok(Ok(reply)) => {
                if reply.stopped {
                    let origin = if sends {
                        "mcuboot.py:306"
                    } else {
                        "mcuboot.py:225"
                    };
                    self.log.tell("ERROR", LOG, lines::ABORTED, origin);
                }
                Ok(reply)
            }
            Ok(Err(Failure::Timeout {
                what: "the response",
            })) => Ok(silence()),
            Ok(Err(Failure::Timeout { .. })) if reads => {
                self.log.tell("ERROR", LOG, lines::SILENT, "mcuboot.py:230");
                Ok(silence())
            }
            Ok(Err(Failure::Timeout { .. })) => {
                self.log.tell("ERROR", LOG, lines::SILENT, "mcuboot.py:303");
                Err(connection("No Response from Device"))
            }
            Ok(Err(failure)) => Err(connection(&failure.to_string())),
            Err(error) => Err(link_error(&error)),
        }
    }

    /// A command without data.
    pub fn simple(&mut self, command: Command) -> Result<Reply, Stop> {
        self.exchange(command, Data::None, None)
    }

    /// A command that fetches data.
    pub fn fetch(
        &mut self,
        command: Command,
        most: u32,
        label: Option<&'static str>,
    ) -> Result<Reply, Stop> {
        self.exchange(command, Data::In(most), label)
    }

    /// A command that sends data, in packets as large as the device takes them.
    pub fn send(
        &mut self,
        command: Command,
        data: &[u8],
        label: Option<&'static str>,
    ) -> Result<Reply, Stop> {
        self.find_packet_size()?;
        self.exchange(command, Data::Out(data.into()), label)
    }

    /// Asks the device for its packet size, once.
    pub fn find_packet_size(&mut self) -> Result<(), Stop> {
        if self.packet.is_some() {
            return Ok(());
        }
        let reply = self.simple(Command::get_property(property::MAX_PACKET_SIZE, 0))?;
        let told = reply
            .words
            .first()
            .filter(|_| reply.status == status::SUCCESS);
        let told = told.and_then(|size| usize::try_from(*size).ok());
        if told.is_none() {
            self.warn(lines::NO_PACKET_SIZE, "mcuboot.py:352");
        }
        self.packet = told.filter(|size| *size > 0).or(Some(LEAST_PACKET));
        Ok(())
    }

    /// A warning of the tool's protocol layer.
    pub fn warn(&self, text: &str, origin: &str) {
        self.log.tell("WARNING", LOG, text, origin);
    }

    /// Shows a result, and makes a status other than 0 the end of the run.
    pub fn show(
        &self,
        command: &str,
        code: u32,
        words: &[Word],
        extra: Option<&str>,
    ) -> Result<(), Stop> {
        let text = match self.manner {
            Manner { silent: true, .. } => None,
            Manner { json: true, .. } => Some(pretty(&lines::object(command, code, words))?),
            Manner { .. } => Some(lines::plain(code, words, extra)),
        };
        if let Some(text) = text {
            print::line(&text)?;
        }
        match code {
            status::SUCCESS => Ok(()),
            code => Err(Stop::Refused(lines::status(code))),
        }
    }
}

/// Three spaces a level, as the tools print it.
pub fn pretty(object: &serde_json::Value) -> Result<String, Stop> {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"   ");
    let mut printer = serde_json::Serializer::with_formatter(&mut bytes, format);
    object
        .serialize(&mut printer)
        .map_err(|error| Stop::general("TypeError", error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn silence() -> Reply {
    Reply {
        status: status::NO_RESPONSE,
        ..Reply::default()
    }
}

fn connection(why: &str) -> Stop {
    let text = format!("MBoot: Connection issue -> {why}");
    Stop::error("McuBootConnectionError", text)
}

fn link_error(error: &LinkError) -> Stop {
    Stop::error("SPSDKConnectionError", format!("SPSDK: {error}"))
}

/// The error of a port at which nobody answers.
fn no_answer(wanted: &Wanted) -> Stop {
    let (port, baud) = (&wanted.device, wanted.baud.unwrap_or(super::BAUD));
    let timeout = match wanted.timeout {
        0 => "None".to_owned(),
        timeout => timeout.to_string(),
    };
    let hint = if baud == 115_200 {
        String::new()
    } else {
        format!(
            " If the device uses a different baud rate, specify it explicitly (e.g., '{port},{}' or '{port},115200').",
            u64::from(baud) * 2
        )
    };
    let text = format!(
        "Interface 'uart' with parameters 'port={port}, baudrate={baud}, timeout={timeout}': \
         Device found on port(s) {port} but did not respond to PING at {baud} baud. \
         Ensure the device is in bootloader mode.{hint}"
    );
    Stop::error("SpsdkNoDeviceFoundError", text)
}
