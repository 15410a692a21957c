//! Getting hold of a camera: the first time, and again after it left.

use std::sync::Arc;
use std::time::Duration;

use omv_boards::State;
use omv_link::{Bus, Device, Function, Link, Place, drive};
use omv_wire::identify::{Failure, Generation, Identify, Who};
use omv_wire::v2::host::{Connect, Connected, Wish};
use omv_wire::v2::records::Caps;
use omv_wire::{v1, v2};

use super::options::Reliability;
use crate::look::{PROTOCOL_RATE, only_v1};
use crate::{Error, Found, find};

/// How often the bus is looked at while a camera is awaited.
const EVERY: Duration = Duration::from_millis(20);
/// Payload on a line that damages bytes: the smaller a packet, the likelier it arrives.
const SMALL_PAYLOAD: u16 = 50;

/// For an opening on such a line.
const BAD_LINE: Duration = Duration::from_secs(60);

/// A camera that answered.
pub(super) struct Held {
    pub(super) device: Box<dyn Device>,
    pub(super) link: Box<dyn Link>,
    pub(super) who: Who,
    /// The open session, in protocol v2.
    pub(super) connected: Option<Connected>,
}

/// What to agree on.
fn wish(reliability: Reliability) -> Wish {
    match reliability {
        Reliability::Usb => Wish::USB,
        Reliability::Lossy => Wish(Caps {
            max_payload: SMALL_PAYLOAD,
            ..Wish::SERIAL_LINE.0
        }),
    }
}

/// Opens the protocol, or starts it over.
pub(super) fn opening(reliability: Reliability) -> Connect {
    let machine = Connect::new(wish(reliability));
    match reliability {
        Reliability::Usb => machine,
        Reliability::Lossy => machine.within(BAD_LINE),
    }
}

/// Opens the console and asks who is there. `known` is the protocol, if this very firmware was
/// asked before; where it is not known, it is found out in a way that no firmware hangs on.
pub(super) fn hold(
    found: &Found,
    known: Option<Generation>,
    reliability: Reliability,
) -> Result<Held, Error> {
    let mut device = found.bus.open(&found.seen)?;
    let baud = PROTOCOL_RATE;
    let mut link = device.link(Function::Console { baud })?;
    let known = known.or(only_v1(found).then_some(Generation::V1));
    let who = match known {
        Some(Generation::V1) => drive(&mut v1::host::Identify::new(), &mut *link)?
            .map(Who::from)
            .map_err(Failure::from)
            .map_err(|failure| trouble(&failure, failure == Failure::Gone))?,
        Some(Generation::V2) => return with_v2(device, link, reliability),
        None => drive(&mut Identify::new(), &mut *link)?
            .map_err(|failure| trouble(&failure, failure == Failure::Gone))?,
    };
    match who.generation {
        Generation::V1 => Ok(Held {
            device,
            link,
            who,
            connected: None,
        }),
        Generation::V2 => with_v2(device, link, reliability),
    }
}

fn with_v2(
    device: Box<dyn Device>,
    mut link: Box<dyn Link>,
    reliability: Reliability,
) -> Result<Held, Error> {
    let connected = drive(&mut opening(reliability), &mut *link)?
        .map_err(|failure| trouble(&failure, failure == v2::host::Failure::Gone))?;
    let who = Who::from(connected.identity.clone());
    let connected = Some(connected);
    Ok(Held {
        device,
        link,
        who,
        connected,
    })
}

pub(super) fn trouble(failure: &dyn std::error::Error, gone: bool) -> Error {
    let doing = "asked who it is".to_owned();
    match gone {
        true => Error::Gone { doing },
        false => Error::Protocol {
            doing,
            what: failure.to_string(),
        },
    }
}

/// What sits at the place now, if it may be running firmware.
pub(super) fn at(bus: &Arc<dyn Bus>, place: &Place) -> Option<Found> {
    let all = find(std::slice::from_ref(bus)).ok()?;
    all.into_iter()
        .find(|found| found.seen.place == *place && found.states().contains(&State::Run))
}

/// Lets a moment pass on the bus. One that fails to wait must not make a busy loop.
pub(super) fn pause(bus: &Arc<dyn Bus>, time: Duration) {
    let until = bus.now() + time;
    while bus.now() < until {
        if bus.wait(until.min(bus.now() + EVERY)).is_err() {
            std::thread::sleep(EVERY);
            return;
        }
    }
}
