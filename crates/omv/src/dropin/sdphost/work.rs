//! What each command of `sdphost` does.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/sdphost.py, spsdk/sdp/sdp.py.

use std::fs;
use std::path;
use std::sync::Arc;

use omv_wire::sdp::{
    Answer, Exchange, Failure, Format, HAB_CLOSED, HAB_OPEN, Request, Setup, Wire,
};
use serde_json::{Value, json};

use super::lines;
use crate::dropin::blhost::{pretty, word as number};
use crate::dropin::door::Door;
use crate::dropin::grammar::{Given, words_of};
use crate::dropin::print::{self, Level, Log, Progress};
use crate::dropin::python::repr;
use crate::dropin::stop::Stop;

type Done = Result<(), Stop>;

/// A run with an opened device.
pub struct Session {
    /// The device.
    pub door: Door,
    /// Results as JSON.
    pub json: bool,
    /// Who is told more than results.
    pub log: Log,
    /// Exit with 0 although the device reports a failure.
    pub lenient: bool,
}

/// What a ROM said, be it open or locked.
struct Heard {
    hab: u32,
    status: Option<u32>,
    data: Vec<u8>,
    done: bool,
}

impl Session {
    fn ask(&mut self, request: Request) -> Result<Heard, Stop> {
        let setup = Setup {
            wire: if self.door.serial {
                Wire::Uart
            } else {
                Wire::HID
            },
            patience: self.door.patience,
        };
        let still = self.json || self.log.tells(Level::Info);
        let mut progress = Progress::new("Writing file", still);
        let writes = matches!(request, Request::WriteFile { .. });
        let asked = request.command();
        let (kind, address, count) = (asked.kind, asked.address, asked.count);
        let text = format!("command {kind:04x} at {address:#x}, {count} bytes");
        self.log.more(Level::Info, &text);
        let mut exchange = Exchange::new(setup, request);
        let outcome = self.door.drive(&mut exchange, &mut |exchange| {
            let (done, total) = exchange.progress();
            if writes {
                progress.at(done, total);
            }
        });
        progress.end(matches!(&outcome, Ok(Ok(answer)) if answer.done));
        if let Ok(Ok(answer)) = &outcome {
            let (hab, status) = (answer.hab, answer.status.unwrap_or_default());
            let text = format!("HAB {hab:#x}, status {status:#x}");
            self.log.more(Level::Info, &text);
        }
        match outcome {
            Ok(Ok(Answer {
                hab,
                status,
                data,
                done,
            })) => Ok(Heard {
                hab,
                status,
                data,
                done,
            }),
            Ok(Err(Failure::Locked { status })) => Ok(Heard {
                hab: HAB_CLOSED,
                status,
                data: status.map(u32::to_be_bytes).unwrap_or_default().to_vec(),
                done: false,
            }),
            Ok(Err(Failure::Timeout { .. })) => Err(connection("Timeout Error")),
            Ok(Err(failure)) => Err(connection(&failure.to_string())),
            Err(error) => Err(connection(&error.to_string())),
        }
    }

    /// Shows a result; `response` and `extra` as the tool gives them.
    fn show(
        &self,
        command: &str,
        heard: &Heard,
        response: Vec<Value>,
        extra: Option<&str>,
    ) -> Done {
        if self.json {
            print::line(&pretty(&lines::object(command, heard.hab, response))?)?;
            return self.judge(heard);
        }
        self.show_plain(heard, extra)
    }

    /// Shows a result of a command that knows no JSON.
    fn show_plain(&self, heard: &Heard, extra: Option<&str>) -> Done {
        print::line(&lines::hab(heard.hab))?;
        if let Some(extra) = extra {
            print::line(extra)?;
        }
        self.judge(heard)
    }

    /// A failure the device reported is one of the run. The tool stood in for exits with 0, and
    /// callers that only look at that go on after a failed upload.
    fn judge(&self, heard: &Heard) -> Done {
        if heard.done || self.lenient {
            return Ok(());
        }
        Err(Stop::Code(1))
    }
}

fn connection(why: &str) -> Stop {
    let text = format!("SDP: Connection issue -> {why}");
    Stop::error("SdpConnectionError", text)
}

/// A number as it goes over the wire. One that does not fit is an error of the connection; the
/// tool takes it for silence where it sends nothing but the command.
fn word(number_given: i128) -> Result<u32, Stop> {
    number(number_given).map_err(|_| connection("Timeout Error"))
}

pub fn error_status(session: &mut Session, _given: &Given) -> Done {
    let heard = session.ask(Request::ErrorStatus)?;
    let extra = lines::response(heard.status);
    session.show(
        "error-status",
        &heard,
        vec![json!(heard.status)],
        Some(&extra),
    )
}

pub fn jump_address(session: &mut Session, given: &Given) -> Done {
    let address = word(given.number("ADDRESS"))?;
    let heard = session.ask(Request::JumpAddress { address })?;
    session.show_plain(&heard, None)
}

pub fn write_file(session: &mut Session, given: &Given) -> Done {
    let address = match number(given.number("ADDRESS")) {
        Err(Stop::General { text, .. }) => return Err(connection(&text)),
        other => other?,
    };
    let data = given.bytes("FILE");
    let count = given.maybe_number("[COUNT]");
    let count = count.and_then(|count| usize::try_from(count).ok());
    let data = data.get(..count.unwrap_or(data.len())).unwrap_or(data);
    let data = Arc::from(data);
    let heard = after_data(session.ask(Request::WriteFile { address, data })?);
    let extra = lines::response(heard.status);
    session.show_plain(&heard, Some(&extra))
}

/// After data the tool shows a code of its own for a locked chip.
fn after_data(heard: Heard) -> Heard {
    let hab = match heard.hab {
        HAB_OPEN => HAB_OPEN,
        _ => lines::LOCKED,
    };
    Heard { hab, ..heard }
}

fn aligned(address: i128, bits: i128) -> Result<(u32, Format), Stop> {
    let format = match bits {
        8 => Format::Byte,
        16 => Format::Half,
        32 => Format::Word,
        _ => {
            let text = format!("SDP: Invalid data format '{bits}'. Valid options are 8, 16, 32");
            return Err(Stop::error("SdpError", text));
        }
    };
    if address.rem_euclid(bits / 8) > 0 {
        let text = format!("SDP: Address 0x{address:08X} not aligned to {bits} bits");
        return Err(Stop::error("SdpError", text));
    }
    Ok((word(address)?, format))
}

pub fn read_register(session: &mut Session, given: &Given) -> Done {
    let (address, bits) = (given.number("ADDRESS"), given.number("[FORMAT]"));
    let (start, format) = aligned(address, bits)?;
    let count = given.maybe_number("[COUNT]").filter(|count| *count != 0);
    let count = word(count.unwrap_or(bits / 8))?;
    let mut heard = session.ask(Request::ReadRegister {
        address: start,
        format,
        count,
    })?;
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    // A locked ROM sends a status instead of the data.
    if heard.data.len() < wanted {
        return Err(connection("Timeout Error"));
    }
    heard.data.truncate(wanted);
    match given.text("output") {
        Some(file) => {
            fs::write(file, &heard.data).map_err(|error| {
                let number = error.raw_os_error().unwrap_or_default();
                let text = format!("[Errno {number}] {}: {}", words_of(&error), repr(file));
                Stop::general("FileNotFoundError", text)
            })?;
            let full = path::absolute(file).unwrap_or_else(|_| file.into());
            let text = format!("{wanted} bytes written to {}", full.display());
            if session.json {
                eprintln!("{text}");
            } else {
                print::line(&text)?;
            }
        }
        // Standard output is for the object alone.
        None if session.json => eprintln!("{}", print::data(&heard.data, given.has("use-hexdump"))),
        None => print::line(&print::data(&heard.data, given.has("use-hexdump")))?,
    }
    session.show("read-register", &heard, Vec::new(), None)
}

pub fn set_baudrate(session: &mut Session, given: &Given) -> Done {
    let baud = word(given.number("BAUDRATE"))?;
    let heard = session.ask(Request::SetBaudrate { baud })?;
    // The tool looks no further than the first word.
    let extra = lines::truth(true);
    session.show("set-baudrate", &heard, vec![json!(true)], Some(&extra))
}

pub fn write_register(session: &mut Session, given: &Given) -> Done {
    let (address, format) = aligned(given.number("ADDRESS"), given.number("FORMAT"))?;
    let value = word(given.number("VALUE"))?;
    let heard = session.ask(Request::WriteRegister {
        address,
        format,
        value,
    })?;
    let extra = lines::response(heard.status);
    session.show(
        "write-register",
        &heard,
        vec![json!(heard.status)],
        Some(&extra),
    )
}

pub fn dcd_write(session: &mut Session, given: &Given) -> Done {
    let address = word(given.number("[ADDRESS]"))?;
    let data = Arc::from(given.bytes("FILE"));
    let heard = after_data(session.ask(Request::DcdWrite { address, data })?);
    let extra = lines::response(heard.status);
    session.show("dcd-write", &heard, vec![json!(heard.status)], Some(&extra))
}

pub fn skip_dcd_header(session: &mut Session, _given: &Given) -> Done {
    let heard = session.ask(Request::SkipDcd)?;
    let extra = lines::response(heard.status);
    session.show(
        "skip-dcd-header",
        &heard,
        vec![json!(heard.status)],
        Some(&extra),
    )
}
