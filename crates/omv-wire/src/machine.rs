//! The shape all conversations share: fed with bytes and time, asked what to do next.

use std::time::Duration;

/// What the outside world told one side of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// One HID report (id first), one control reply, or any slice of a byte stream.
    Bytes(&'a [u8]),
    /// The endpoint refused (USB STALL).
    Stall,
    /// The device left the bus. After a reset or a jump, this is success.
    Gone,
}

/// What one side of a conversation wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// Put this frame on the link, then ask again.
    Send(Vec<u8>),
    /// Nothing to say before `until`, unless something is heard first. An `until` that is not
    /// in the future means: look whether something came, do not wait for it.
    Wait {
        /// Time since the start of the session.
        until: Duration,
    },
    /// The conversation is over. A camera's side never is.
    Done(T),
}

/// One side of a protocol. `now` counts from the start of the session and never goes back.
///
/// Whoever drives a machine calls [`poll`](Machine::poll) until it returns something other than
/// [`Turn::Send`], waits as told, feeds what was heard, and polls again. A machine owns no clock
/// and no link, so a test owns both.
pub trait Machine {
    /// What a finished conversation yields.
    type Output;

    /// Takes in one input. What follows from it is asked for with [`poll`](Machine::poll).
    fn feed(&mut self, now: Duration, input: Input<'_>);

    /// Says what to do next.
    fn poll(&mut self, now: Duration) -> Turn<Self::Output>;
}

/// Bytes that are not what the format says they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Fewer bytes than the format needs.
    #[error("{need} bytes needed, {got} came")]
    Short {
        /// Bytes needed.
        need: usize,
        /// Bytes there were.
        got: usize,
    },
    /// A field says more, or other, than its format allows.
    #[error("field `{field}` has the impossible value {value:#x}")]
    Field {
        /// Name of the field in the protocol's own words.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// A checksum that does not match.
    #[error("checksum says {said:#x}, the bytes give {found:#x}")]
    Checksum {
        /// What the sender wrote.
        said: u32,
        /// What the bytes give.
        found: u32,
    },
}
