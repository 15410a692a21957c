//! Transfers kept under way on one endpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use omv_wire::usb::{Urb, UrbStatus};

use super::{Carrier, OUT_LIMIT, Ticket, failed};
use crate::{Heard, LinkError};

/// IN transfers waiting for data, so that none is missed between two looks.
pub struct Inward {
    carrier: Arc<dyn Carrier>,
    endpoint: u8,
    /// Bytes asked for at a time.
    length: u32,
    posted: VecDeque<Ticket>,
}

/// How many are kept posted.
const DEPTH: usize = 4;

impl Inward {
    /// A pipe that asks for `length` bytes at a time. Nothing is posted yet.
    pub fn new(carrier: Arc<dyn Carrier>, endpoint: u8, length: u32) -> Self {
        Self {
            carrier,
            endpoint,
            length,
            posted: VecDeque::new(),
        }
    }

    /// Posts what is missing. Done before anything is sent that might be answered.
    pub fn post(&mut self) -> Result<(), LinkError> {
        while self.posted.len() < DEPTH {
            let urb = Urb::read(self.endpoint, self.length);
            self.posted.push_back(self.carrier.submit(urb)?);
        }
        Ok(())
    }

    /// Waits for the next data. Empty transfers are passed over.
    pub fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        loop {
            match self.post() {
                Err(LinkError::Gone) => return Ok(Some(Heard::Gone)),
                other => other?,
            }
            // One endpoint completes in order: the first is the next.
            let first: Vec<Ticket> = self.posted.iter().take(1).copied().collect();
            let ended = match self.carrier.reap(&first, until) {
                Err(LinkError::Gone) => return Ok(Some(Heard::Gone)),
                other => other?,
            };
            let Some((_, completion)) = ended else {
                return Ok(None);
            };
            self.posted.pop_front();
            match completion.status {
                UrbStatus::Ok if completion.data.is_empty() => {}
                UrbStatus::Ok => return Ok(Some(Heard::Bytes(completion.data))),
                UrbStatus::Stall => return Ok(Some(Heard::Stall)),
                UrbStatus::Gone => return Ok(Some(Heard::Gone)),
                other => return Err(failed(other)),
            }
        }
    }
}

impl Drop for Inward {
    fn drop(&mut self) {
        for ticket in self.posted.drain(..) {
            self.carrier.unlink(ticket);
        }
    }
}

/// OUT transfers under way: a few at a time, so that the wire never idles between two reports.
pub struct Outward {
    carrier: Arc<dyn Carrier>,
    flying: VecDeque<Ticket>,
}

impl Outward {
    /// A pipe with nothing under way.
    pub fn new(carrier: Arc<dyn Carrier>) -> Self {
        Self {
            carrier,
            flying: VecDeque::new(),
        }
    }

    /// Starts one more transfer, after waiting for room.
    pub fn send(&mut self, urb: Urb) -> Result<(), LinkError> {
        while self.flying.len() >= DEPTH {
            self.finish_one(self.carrier.now() + OUT_LIMIT)?;
        }
        self.flying.push_back(self.carrier.submit(urb)?);
        Ok(())
    }

    fn finish_one(&mut self, until: Duration) -> Result<(), LinkError> {
        let first: Vec<Ticket> = self.flying.iter().take(1).copied().collect();
        let Some((_, completion)) = self.carrier.reap(&first, until)? else {
            return Err(LinkError::Stuck);
        };
        self.flying.pop_front();
        match completion.status {
            UrbStatus::Ok => Ok(()),
            status => Err(failed(status)),
        }
    }
}

impl Drop for Outward {
    fn drop(&mut self) {
        // What was accepted by `send` has been promised to the device: let it arrive.
        let until = self.carrier.now() + OUT_LIMIT;
        while !self.flying.is_empty() {
            if self.finish_one(until).is_err() {
                break;
            }
        }
        for ticket in self.flying.drain(..) {
            self.carrier.unlink(ticket);
        }
    }
}
