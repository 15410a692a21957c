//! Mass storage (bulk-only transport) over URBs: one frame a bulk transfer.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::msc;
use omv_wire::usb::{Direction, InterfaceSetting, Setup, Transfer, Urb, UrbStatus, request};

use super::pipes::Outward;
use super::{Carrier, Ticket, control, endpoint, failed};
use crate::{Function, Heard, Link, LinkError};

/// Most bytes of one IN transfer.
const LARGEST: u32 = 64 << 10;
/// `bmRequestType` of a standard request to an endpoint.
const TO_ENDPOINT: u8 = 0x02;

/// Commands, data and statuses of one disk. An IN endpoint that stalls is told as
/// [`Heard::Stall`] after its halt was cleared; an empty frame is the reset of the transport.
pub struct DiskLink {
    carrier: Arc<dyn Carrier>,
    interface: u8,
    out: u8,
    source: u8,
    outward: Outward,
    /// The transfer that waits for data. One at a time, as all disk drivers do it: a stall ends
    /// one and not those behind it.
    posted: Option<Ticket>,
}

impl DiskLink {
    /// A link to the disk of this interface.
    pub fn open(
        carrier: Arc<dyn Carrier>,
        interface: &InterfaceSetting,
    ) -> Result<Self, LinkError> {
        let missing = LinkError::NoFunction {
            function: Function::Disk,
        };
        let ends = |direction| endpoint(interface, Transfer::Bulk, direction);
        let (Some((source, _)), Some((out, _))) = (ends(Direction::In), ends(Direction::Out))
        else {
            return Err(missing);
        };
        Ok(Self {
            outward: Outward::new(Arc::clone(&carrier)),
            carrier,
            interface: interface.number,
            out,
            source,
            posted: None,
        })
    }

    fn clear_halt(&self, address: u8) -> Result<(), LinkError> {
        let setup = Setup {
            request_type: TO_ENDPOINT,
            request: request::CLEAR_FEATURE,
            value: 0,
            index: address.into(),
            length: 0,
        };
        control(&*self.carrier, setup).map(|_| ())
    }

    /// Source: Bulk-Only Transport 1.0, section 5.3.4.
    fn reset(&mut self) -> Result<(), LinkError> {
        if let Some(ticket) = self.posted.take() {
            self.carrier.unlink(ticket);
        }
        let interface = self.interface;
        let setup = Setup::class_out(request::MASS_STORAGE_RESET, 0, interface, 0);
        control(&*self.carrier, setup)?;
        self.clear_halt(0x80 | self.source)?;
        self.clear_halt(self.out)
    }
}

impl Link for DiskLink {
    fn now(&self) -> Duration {
        self.carrier.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if frame == msc::RESET {
            return self.reset();
        }
        self.outward.send(Urb::write(self.out, frame.to_vec()))
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        loop {
            let ticket = match self.posted {
                Some(ticket) => ticket,
                None => match self.carrier.submit(Urb::read(self.source, LARGEST)) {
                    Ok(ticket) => *self.posted.insert(ticket),
                    Err(LinkError::Gone) => return Ok(Some(Heard::Gone)),
                    Err(other) => return Err(other),
                },
            };
            let ended = match self.carrier.reap(&[ticket], until) {
                Err(LinkError::Gone) => return Ok(Some(Heard::Gone)),
                other => other?,
            };
            let Some((_, completion)) = ended else {
                return Ok(None);
            };
            self.posted = None;
            match completion.status {
                UrbStatus::Ok if completion.data.is_empty() => {}
                UrbStatus::Ok => return Ok(Some(Heard::Bytes(completion.data))),
                UrbStatus::Gone => return Ok(Some(Heard::Gone)),
                UrbStatus::Stall => {
                    self.clear_halt(0x80 | self.source)?;
                    return Ok(Some(Heard::Stall));
                }
                other => return Err(failed(other)),
            }
        }
    }
}

impl Drop for DiskLink {
    fn drop(&mut self) {
        if let Some(ticket) = self.posted.take() {
            self.carrier.unlink(ticket);
        }
    }
}
