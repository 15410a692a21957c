//! One transfer asked for, and how it ended.

use super::{Direction, Setup};

/// A transfer asked for on one endpoint ("USB request block").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urb {
    /// Endpoint number, 0 to 15, without the direction bit.
    pub endpoint: u8,
    /// Which way the data goes. A control request without data goes [`Direction::Out`].
    pub direction: Direction,
    /// The setup packet, on endpoint 0 only.
    pub setup: Option<Setup>,
    /// OUT: the bytes to send. IN: empty.
    pub data: Vec<u8>,
    /// IN: the most bytes wanted. OUT: not used, 0.
    pub length: u32,
}

impl Urb {
    /// A control transfer on endpoint 0. `data` is sent when the request goes out, and ignored
    /// when it comes in.
    pub fn control(setup: Setup, data: Vec<u8>) -> Self {
        let comes_in = setup.direction() == Direction::In && setup.length > 0;
        Self {
            endpoint: 0,
            direction: if comes_in {
                Direction::In
            } else {
                Direction::Out
            },
            setup: Some(setup),
            data: if comes_in { Vec::new() } else { data },
            length: if comes_in { setup.length.into() } else { 0 },
        }
    }

    /// Asks a bulk or interrupt IN endpoint for at most `length` bytes.
    pub fn read(endpoint: u8, length: u32) -> Self {
        Self {
            endpoint,
            direction: Direction::In,
            setup: None,
            data: Vec::new(),
            length,
        }
    }

    /// Sends `data` to a bulk or interrupt OUT endpoint; no bytes is a zero-length packet.
    pub fn write(endpoint: u8, data: Vec<u8>) -> Self {
        Self {
            endpoint,
            direction: Direction::Out,
            setup: None,
            data,
            length: 0,
        }
    }

    /// Bytes of the transfer buffer: those sent, or the most wanted.
    pub fn size(&self) -> usize {
        match self.direction {
            Direction::Out => self.data.len(),
            Direction::In => usize::try_from(self.length).unwrap_or(usize::MAX),
        }
    }
}

/// How a transfer ended. The numbers other systems use for this live in their codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrbStatus {
    /// All went well; an IN transfer may still be shorter than asked.
    Ok,
    /// The endpoint refused. On endpoint 0 the next setup clears it, elsewhere `CLEAR_FEATURE`.
    Stall,
    /// The device left the bus.
    Gone,
    /// The host took the transfer back.
    Unlinked,
    /// Any other fault, as the negative Linux errno a kernel would report.
    Error(i32),
}

impl UrbStatus {
    /// What it means, in words for a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Stall => "the endpoint refused the request (stall)",
            Self::Gone => "the device left the bus",
            Self::Unlinked => "the host took the transfer back",
            Self::Error(_) => "the transfer failed on the way",
        }
    }
}

/// The end of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub status: UrbStatus,
    /// IN: the bytes that came. OUT: empty.
    pub data: Vec<u8>,
    /// Bytes moved; for IN the length of `data`.
    pub actual: u32,
}

impl Completion {
    /// An OUT transfer of which `actual` bytes were taken. A device that takes a transfer takes
    /// all of it; hosts believe nothing was written when told 0.
    pub fn sent(actual: u32) -> Self {
        Self {
            status: UrbStatus::Ok,
            data: Vec::new(),
            actual,
        }
    }

    /// An IN transfer that brought `data`; no bytes is a zero-length packet.
    pub fn received(data: Vec<u8>) -> Self {
        let actual = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Self {
            status: UrbStatus::Ok,
            data,
            actual,
        }
    }

    /// A transfer that moved nothing and ended with `status`.
    pub fn failed(status: UrbStatus) -> Self {
        Self {
            status,
            data: Vec::new(),
            actual: 0,
        }
    }

    /// The endpoint refused.
    pub fn stall() -> Self {
        Self::failed(UrbStatus::Stall)
    }
}
