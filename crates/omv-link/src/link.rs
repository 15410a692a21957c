//! A pipe to one function of a device, and the one loop where protocol and I/O meet.

use std::time::Duration;

use omv_wire::{Input, Machine, Turn};

use crate::LinkError;

/// What came in over a link: [`Input`], owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One HID report, one control reply, or whatever a stream had.
    Bytes(Vec<u8>),
    /// The endpoint refused.
    Stall,
    /// The device left the bus.
    Gone,
}

impl Heard {
    /// Lends it to a machine.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Self::Bytes(bytes) => Input::Bytes(bytes),
            Self::Stall => Input::Stall,
            Self::Gone => Input::Gone,
        }
    }
}

/// A pipe to one function of a device. It owns bytes and time, so a test owns both.
///
/// One frame is: on a console, whatever came; on HID, one report with its id first; on the
/// control endpoint, the 8-byte setup packet and then its data.
pub trait Link: Send {
    /// Time on this link's clock, the same as its bus's.
    fn now(&self) -> Duration;

    /// Sends one frame.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if the device left, [`LinkError::Stuck`] if it took nothing for
    /// seconds.
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError>;

    /// Waits for one input, at most until `until` on this link's clock; `None` when that passed.
    /// An `until` that is not in the future looks without waiting.
    ///
    /// # Errors
    /// What the system says that is neither a stall nor a departure.
    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError>;
}

/// Runs one conversation over a link until the machine is done.
///
/// A device that leaves while being written to is told to the machine as [`Input::Gone`]: only
/// the machine knows whether that was a failure or the expected goodbye.
///
/// # Errors
/// Those of the link. Every machine ends by itself when nothing comes, so this does too.
pub fn drive<M: Machine>(machine: &mut M, link: &mut dyn Link) -> Result<M::Output, LinkError> {
    loop {
        match machine.poll(link.now()) {
            Turn::Send(frame) => match link.send(&frame) {
                Ok(()) => {}
                Err(LinkError::Gone) => machine.feed(link.now(), Input::Gone),
                Err(other) => return Err(other),
            },
            Turn::Wait { until } => {
                if let Some(heard) = link.wait(until)? {
                    machine.feed(link.now(), heard.as_input());
                }
            }
            Turn::Done(output) => return Ok(output),
        }
    }
}
