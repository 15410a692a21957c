//! `omv sim`: a virtual camera served on this machine, and hands for it.

use std::path::Path;
use std::time::Duration;

use omv_link::Bus;
use omv_link::usbip::UsbIpBus;
use omv_sim::Hand;
use omv_sim::rt1062::{Quirks, sample};
use omv_sim::serve::{Options, Request, Server, control, find_servers, runtime_folder};
use serde_json::{Value, json};

use crate::bench::camera;
use crate::cli::{self, Common, Sim, SimAction, Switch};
use crate::fail::Fail;
use crate::files;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// How often a running simulator looks whether it should stop.
const EVERY: Duration = Duration::from_millis(100);
/// Size of the sample firmware a virtual camera is made with, bytes.
const FIRMWARE_SIZE: usize = 0x18_0000;

/// The buses of all virtual cameras that run on this machine.
pub fn running(who: &str) -> Vec<Box<dyn Bus>> {
    let Ok(folder) = runtime_folder() else {
        return Vec::new();
    };
    find_servers(&folder)
        .into_iter()
        .map(|server| Box::new(UsbIpBus::new(&server.endpoint, &server.name, who)) as Box<dyn Bus>)
        .collect()
}

/// Runs the command.
pub fn run(_common: &Common, args: &Sim, output: &Output) -> Result<(), Fail> {
    if let Some(SimAction::Ctl { name, hand }) = &args.action {
        return be_hands(name, *hand, output);
    }
    if args.quirk.iter().any(|quirk| quirk == "help") {
        for (name, what) in Quirks::NAMES {
            output.line(&format!("{name:<18}{what}"))?;
        }
        return Ok(());
    }
    let Some(model) = args.model.as_deref() else {
        return Err(Fail::Usage {
            what: "which board should the virtual camera be?".into(),
            help: "For example: omv sim rt1062".into(),
        });
    };
    serve(model, args, output)
}

fn serve(model: &str, args: &Sim, output: &Output) -> Result<(), Fail> {
    let camera = camera(model, firmware(args)?, args.state.as_deref(), quirks(args)?)?;
    let folder = runtime_folder().map_err(simulator)?;
    let name = args.name.as_deref().unwrap_or(model);
    let mut options = Options::new(name, &folder);
    options.speed = args.speed;
    options.state_file = args.state.clone();
    let stop = stop_on_interrupt();
    let uart = args.uart.then(|| uart(&camera)).transpose()?;
    let server = Server::start(camera, options).map_err(simulator)?;
    let address = server.address().to_string();
    if output.json {
        let uart = uart.as_ref().map(Uart::path);
        let told = json!({ "event": "serving", "name": name, "address": address, "uart": uart });
        output.object(&told)?;
    } else {
        output.line(&format!(
            "A virtual {model} named `{name}` is plugged in (USB/IP on {address})."
        ))?;
        if let Some(uart) = &uart {
            output.line(&format!(
                "Its flashloader listens on {}.",
                uart.path().display()
            ))?;
        }
        output.line(&format!(
            "Try `omv list`, or `omv sim ctl {name} status`. Ctrl-C ends it."
        ))?;
    }
    while !stop.asked() {
        std::thread::sleep(EVERY);
    }
    server.stop().map_err(simulator)
}

#[cfg(unix)]
use omv_sim::serve::uart::Pty as Uart;

/// The serial line of a flashloader on this camera's flash, for tools such as `blhost -p`.
#[cfg(unix)]
fn uart(camera: &omv_sim::rt1062::Rt1062) -> Result<Uart, Fail> {
    Uart::open(camera.chip()).map_err(simulator)
}

/// Stands where a system has no pseudo terminals; there is never one.
#[cfg(not(unix))]
struct Uart;

#[cfg(not(unix))]
impl Uart {
    fn path(&self) -> &Path {
        Path::new("")
    }
}

#[cfg(not(unix))]
fn uart(_camera: &omv_sim::rt1062::Rt1062) -> Result<Uart, Fail> {
    Err(simulator("this system has no pseudo terminals"))
}

/// A firmware file, or the version of a sample one.
fn firmware(args: &Sim) -> Result<Option<Vec<u8>>, Fail> {
    match args.firmware.as_deref() {
        None => Ok(None),
        Some(name) if name.parse::<omv_boards::Version>().is_ok() => {
            Ok(Some(sample::firmware(name, FIRMWARE_SIZE)))
        }
        Some(path) => files::read(Path::new(path)).map(Some),
    }
}

fn quirks(args: &Sim) -> Result<Quirks, Fail> {
    let mut quirks = Quirks::default();
    for name in &args.quirk {
        if !quirks.set(name) {
            let what = format!("there is no quirk `{name}`");
            return Err(Fail::Usage {
                what,
                help: "List them with: omv sim --quirk help".into(),
            });
        }
    }
    Ok(quirks)
}

fn be_hands(name: &str, hand: cli::Hand, output: &Output) -> Result<(), Fail> {
    let request = match hand {
        cli::Hand::Unplug => Request::Hand(Hand::Unplug),
        cli::Hand::Plug => Request::Hand(Hand::Plug),
        cli::Hand::Jumper { to } => Request::Hand(Hand::Jumper(to == Switch::On)),
        cli::Hand::P11 { to } => Request::Hand(Hand::PinLow(to == Switch::On)),
        cli::Hand::PowerCut { after_bytes: None } => Request::Hand(Hand::PowerCut),
        cli::Hand::PowerCut {
            after_bytes: Some(bytes),
        } => Request::Hand(Hand::PowerCutAfter(bytes)),
        cli::Hand::Status => Request::Status,
    };
    let folder = runtime_folder().map_err(simulator)?;
    let status = control(&folder, name, &request).map_err(simulator)?;
    if output.json {
        return output.result(status);
    }
    output.line(&sentence(name, &status))
}

/// What a virtual camera is doing, for people.
fn sentence(name: &str, status: &Value) -> String {
    let text = |field: &str| {
        status
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or("unknown")
    };
    let is = |field: &str| status.get(field).and_then(Value::as_bool) == Some(true);
    let cable = if is("plugged") {
        "plugged in"
    } else {
        "unplugged"
    };
    let wire = if is("jumper") { ", wire set" } else { "" };
    let firmware = match status.get("firmware").and_then(Value::as_str) {
        Some(version) => format!(", firmware {version}"),
        None => ", no whole firmware".to_owned(),
    };
    format!(
        "{name}: {} ({cable}{wire}{firmware}): {}",
        text("state"),
        text("doing")
    )
}

fn simulator(error: impl std::fmt::Display) -> Fail {
    Fail::Simulator {
        what: error.to_string(),
    }
}
