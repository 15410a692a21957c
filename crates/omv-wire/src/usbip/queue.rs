//! Transfers a device has been asked for and has not ended yet.

use std::collections::{BTreeMap, VecDeque};

use super::codec::{Pdu, RetSubmit, errno, errno_of};
use crate::Malformed;
use crate::usb::{Completion, Direction, Urb, UrbStatus};

/// Most transfers waiting at a time.
pub(super) const MAX_WAITING: usize = 1024;

/// Most bytes all waiting transfers together may carry or ask for.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// A transfer that is over, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which transfer.
    pub seqnum: u32,
    /// How it ended, within what was asked for.
    pub completion: Completion,
}

impl Ended {
    /// Ends `urb` with `completion`, held to the rules of the wire: endpoint 0 answers at most
    /// what was asked for, another endpoint that sends more has babbled, and OUT brings no bytes
    /// back and takes no more than it was given.
    pub fn new(seqnum: u32, urb: &Urb, mut completion: Completion) -> Self {
        match urb.direction {
            Direction::Out => {
                completion.data.clear();
                let size = u32::try_from(urb.data.len()).unwrap_or(u32::MAX);
                completion.actual = completion.actual.min(size);
            }
            Direction::In => {
                let asked = urb
                    .setup
                    .map_or(usize::MAX, |setup| setup.length.into())
                    .min(urb.size());
                if completion.data.len() > asked && urb.endpoint != 0 {
                    completion.status = UrbStatus::Error(errno::EOVERFLOW);
                }
                completion.data.truncate(asked);
                completion.actual = u32::try_from(completion.data.len()).unwrap_or(u32::MAX);
            }
        }
        Self { seqnum, completion }
    }

    /// Writes RET_SUBMIT, data included, to be sent in one piece.
    pub fn encode(&self) -> Vec<u8> {
        let head = Pdu::RetSubmit(RetSubmit {
            seqnum: self.seqnum,
            status: errno_of(self.completion.status),
            actual: self.completion.actual,
            start_frame: 0,
            packets: 0,
            errors: 0,
        });
        let mut bytes = head.encode().to_vec();
        bytes.extend_from_slice(&self.completion.data);
        bytes
    }
}

/// What became of a packet a device offered to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Nobody asked: the device keeps the packet and offers it again later (NAK).
    Nak,
    /// Taken; the transfer waits for more.
    Taken,
    /// Taken, and it ended the transfer.
    Ended(Ended),
}

/// Splits a message into the packets that carry it, at least one. With `zero_length_end`, a
/// message of whole packets is closed by an empty one; without, the host's transfer stays open.
pub fn packets(
    message: &[u8],
    packet_size: u16,
    zero_length_end: bool,
) -> impl Iterator<Item = &[u8]> {
    let size = usize::from(packet_size.max(1));
    let closed = message.is_empty() || (zero_length_end && message.len().is_multiple_of(size));
    let end: &[&[u8]] = if closed { &[&[]] } else { &[] };
    message.chunks(size).chain(end.iter().copied())
}

/// Transfers waiting at a device, first come first served on each endpoint. Endpoint 0 is one
/// queue for both directions; every other number has one for each.
///
/// A transfer without an answer stays here: that is how a device says "not yet". Whoever owns
/// the queue offers packets ([`offer`](Self::offer)), ends transfers ([`finish`](Self::finish))
/// and serves unlinks ([`unlink`](Self::unlink)) under one lock together with the socket, so
/// that no transfer ends twice.
#[derive(Debug, Default)]
pub struct UrbQueue {
    endpoints: BTreeMap<(u8, Direction), VecDeque<Waiting>>,
    count: usize,
    bytes: usize,
}

/// A transfer, and for IN the packets it got so far.
#[derive(Debug)]
struct Waiting {
    seqnum: u32,
    urb: Urb,
    got: Vec<u8>,
}

impl UrbQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a transfer at the end of its endpoint's queue.
    ///
    /// # Errors
    /// [`Malformed::Field`] when the number is in use already, or so much is waiting that the
    /// client means harm: close the connection.
    pub fn push(&mut self, seqnum: u32, urb: Urb) -> Result<(), Malformed> {
        let bytes = self.bytes.saturating_add(urb.size());
        let known = self.endpoints.values().flatten();
        let (field, value) = if self.count >= MAX_WAITING {
            ("transfers waiting", self.count as u64)
        } else if bytes > MAX_WAITING_BYTES {
            ("bytes waiting", bytes as u64)
        } else if known.into_iter().any(|w| w.seqnum == seqnum) {
            ("seqnum", seqnum.into())
        } else {
            let waiting = Waiting {
                seqnum,
                got: Vec::new(),
                urb,
            };
            let key = key(waiting.urb.endpoint, waiting.urb.direction);
            self.count += 1;
            self.bytes = bytes;
            self.endpoints.entry(key).or_default().push_back(waiting);
            return Ok(());
        };
        Err(Malformed::Field { field, value })
    }

    /// How many transfers wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The oldest transfer waiting on an endpoint; on endpoint 0 in whatever direction.
    pub fn front(&self, endpoint: u8, direction: Direction) -> Option<(u32, &Urb)> {
        let waiting = self.endpoints.get(&key(endpoint, direction))?.front()?;
        Some((waiting.seqnum, &waiting.urb))
    }

    /// Ends the oldest transfer waiting on an endpoint, keeping the packets an IN transfer
    /// already got in front of `completion`'s data. A halted endpoint ends all it has this way,
    /// until [`None`].
    pub fn finish(
        &mut self,
        endpoint: u8,
        direction: Direction,
        mut completion: Completion,
    ) -> Option<Ended> {
        let waiting = self.remove(key(endpoint, direction), 0)?;
        if !waiting.got.is_empty() {
            let mut data = waiting.got;
            data.append(&mut completion.data);
            completion.data = data;
        }
        Some(Ended::new(waiting.seqnum, &waiting.urb, completion))
    }

    /// Offers one packet of an IN endpoint (not 0) whose full packets have `packet_size` bytes.
    /// A transfer ends when it is full or the packet is short. A packet larger than
    /// `packet_size`, or than the room left, is babble and ends it with `EOVERFLOW`.
    pub fn offer(&mut self, endpoint: u8, packet_size: u16, packet: &[u8]) -> Offer {
        let front = self
            .endpoints
            .get_mut(&(endpoint, Direction::In))
            .and_then(VecDeque::front_mut);
        let Some(waiting) = front.filter(|_| endpoint != 0) else {
            return Offer::Nak;
        };
        let size = usize::from(packet_size);
        let room = waiting.urb.size().saturating_sub(waiting.got.len());
        let completion = if packet.len() > room.min(size) {
            Completion::failed(UrbStatus::Error(errno::EOVERFLOW))
        } else {
            waiting.got.extend_from_slice(packet);
            if packet.len() == size && size != 0 && size < room {
                return Offer::Taken;
            }
            Completion::received(Vec::new())
        };
        self.finish(endpoint, Direction::In, completion)
            .map_or(Offer::Nak, Offer::Ended)
    }

    /// Takes a transfer back. [`UrbStatus::Unlinked`] when it was waiting: it is gone, with any
    /// packets it already got, as on a real bus. [`UrbStatus::Ok`] when it had ended before.
    pub fn unlink(&mut self, target: u32) -> UrbStatus {
        let found = self.endpoints.iter().find_map(|(&key, queue)| {
            let at = queue.iter().position(|w| w.seqnum == target)?;
            Some((key, at))
        });
        match found.and_then(|(key, at)| self.remove(key, at)) {
            Some(_) => UrbStatus::Unlinked,
            None => UrbStatus::Ok,
        }
    }

    /// Ends everything with `status`: a device that leaves the bus of its own process. Over
    /// USB/IP the connection is closed instead.
    pub fn fail_all(&mut self, status: UrbStatus) -> Vec<Ended> {
        let all = std::mem::take(self).endpoints.into_values().flatten();
        all.map(|w| Ended::new(w.seqnum, &w.urb, Completion::failed(status)))
            .collect()
    }

    fn remove(&mut self, key: (u8, Direction), at: usize) -> Option<Waiting> {
        let queue = self.endpoints.get_mut(&key)?;
        let waiting = queue.remove(at)?;
        if queue.is_empty() {
            self.endpoints.remove(&key);
        }
        self.count -= 1;
        self.bytes -= waiting.urb.size();
        Some(waiting)
    }
}

/// Endpoint 0 carries one request at a time, whichever way its data goes.
fn key(endpoint: u8, direction: Direction) -> (u8, Direction) {
    match endpoint {
        0 => (0, Direction::Out),
        _ => (endpoint, direction),
    }
}
