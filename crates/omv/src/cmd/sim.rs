//! `omv sim`: a virtual camera served on this machine, and hands for it.

use std::time::Duration;

use omv_link::Bus;
use omv_link::usbip::UsbIpBus;
use omv_sim::Hand;
use omv_sim::medium::Trouble;
use omv_sim::serve::{Options, Request, Server, control, find_servers, runtime_folder};
use omv_sim::state::Kept;
use omv_sim::{dfu, rt1062};
use serde_json::{Value, json};

use crate::cli::{self, Common, Sim, SimAction, Switch};
use crate::fail::Fail;
use crate::output::Output;
use crate::signals::stop_on_interrupt;
use crate::virtual_camera::{Made, Spec, models};

/// How often a running simulator looks whether it should stop.
const EVERY: Duration = Duration::from_millis(100);

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
        for (name, what) in rt1062::Quirks::NAMES {
            output.line(&format!("{name:<18}{what}"))?;
        }
        output.line("All boards but the RT1062:")?;
        for (name, what) in dfu::Quirks::NAMES {
            output.line(&format!("{name:<18}{what}"))?;
        }
        return Ok(());
    }
    if args.sd_fault.as_deref() == Some("help") {
        for (form, what) in Trouble::FORMS {
            output.line(&format!("{form:<18}{what}"))?;
        }
        let range = "A RANGE is 400-450, or one block; RANGES are joined by +: 150+400-450";
        return output.line(range);
    }
    let Some(model) = args.model.as_deref() else {
        return Err(Fail::Usage {
            what: "which board should the virtual camera be?".into(),
            help: format!("One of: {}", models().join(", ")),
        });
    };
    serve(model, args, output)
}

fn serve(model: &str, args: &Sim, output: &Output) -> Result<(), Fail> {
    let mut spec = Spec::parse(model)?;
    spec.firmware = args.firmware.clone().or(spec.firmware);
    spec.scene = args.scene.clone().or(spec.scene);
    spec.fps = args.fps.filter(|fps| *fps > 0.0).or(spec.fps);
    spec.sd = args.sd.clone().or(spec.sd);
    spec.sd_fault = args.sd_fault.clone().or(spec.sd_fault);
    spec.file = args.state.clone().or(spec.file);
    spec.quirks.extend(args.quirk.iter().cloned());
    let Made { mut camera, .. } = spec.make()?;
    let model = spec.model.as_str();
    let folder = runtime_folder().map_err(simulator)?;
    let name = args.name.as_deref().unwrap_or(model);
    let mut options = Options::new(name, &folder);
    options.speed = args.speed;
    options.state_file = spec.file.clone();
    let stop = stop_on_interrupt();
    let uart = args.uart.then(|| uart(&mut camera)).transpose()?;
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
fn uart(camera: &mut Box<dyn Kept>) -> Result<Uart, Fail> {
    match camera.as_any().downcast_ref::<rt1062::Rt1062>() {
        Some(camera) => Uart::open(camera.chip()).map_err(simulator),
        None => Err(Fail::Usage {
            what: "only the RT1062 has a flashloader with a serial line".into(),
            help: "Leave --uart out.".into(),
        }),
    }
}

/// Stands where a system has no pseudo terminals; there is never one.
#[cfg(not(unix))]
struct Uart;

#[cfg(not(unix))]
impl Uart {
    fn path(&self) -> &std::path::Path {
        std::path::Path::new("")
    }
}

#[cfg(not(unix))]
fn uart(_camera: &mut Box<dyn Kept>) -> Result<Uart, Fail> {
    Err(simulator("this system has no pseudo terminals"))
}

fn be_hands(name: &str, hand: cli::Hand, output: &Output) -> Result<(), Fail> {
    let request = match hand {
        cli::Hand::Unplug => Request::Hand(Hand::Unplug),
        cli::Hand::Plug => Request::Hand(Hand::Plug),
        cli::Hand::Jumper { to } => Request::Hand(Hand::Jumper(to == Switch::On)),
        cli::Hand::P11 { to } => Request::Hand(Hand::PinLow(to == Switch::On)),
        cli::Hand::Reset => Request::Hand(Hand::Reset),
        cli::Hand::DoubleTap => Request::Hand(Hand::DoubleTap),
        cli::Hand::Driver { to } => Request::Hand(Hand::Driver(to == Switch::On)),
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
