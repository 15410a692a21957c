//! Control transfers to the default endpoint, one frame a request: 8 setup bytes, then the data.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::usb::{Setup, Urb, UrbStatus};

use super::{Carrier, Ticket, failed};
use crate::{Heard, Link, LinkError};

/// One request at a time: each [`send`](Link::send) is answered by one [`wait`](Link::wait).
pub struct ControlLink {
    carrier: Arc<dyn Carrier>,
    flying: Option<Ticket>,
}

impl ControlLink {
    /// A link with no request under way.
    pub fn new(carrier: Arc<dyn Carrier>) -> Self {
        Self {
            carrier,
            flying: None,
        }
    }
}

impl Link for ControlLink {
    fn now(&self) -> Duration {
        self.carrier.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if let Some(ticket) = self.flying.take() {
            self.carrier.unlink(ticket);
        }
        let (setup, data) = frame.split_at(frame.len().min(Setup::LEN));
        let setup = Setup::decode(setup).map_err(super::invalid)?;
        self.flying = Some(self.carrier.submit(Urb::control(setup, data.to_vec()))?);
        Ok(())
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        let tickets: Vec<Ticket> = self.flying.into_iter().collect();
        let Some((_, completion)) = self.carrier.reap(&tickets, until)? else {
            return Ok(None);
        };
        self.flying = None;
        Ok(Some(match completion.status {
            UrbStatus::Ok => Heard::Bytes(completion.data),
            UrbStatus::Stall => Heard::Stall,
            UrbStatus::Gone => Heard::Gone,
            other => return Err(failed(other)),
        }))
    }
}

impl Drop for ControlLink {
    fn drop(&mut self) {
        if let Some(ticket) = self.flying.take() {
            self.carrier.unlink(ticket);
        }
    }
}
