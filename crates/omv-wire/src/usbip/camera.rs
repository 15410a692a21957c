//! The server's side: bytes in, requests out; answers become bytes.

use super::codec::{CmdSubmit, OpHead, OpStatus, Pdu, errno, errno_of, op};
use super::queue::Ended;
use super::record::{BusId, DeviceRecord, encode_devlist};
use super::stream::Inbox;
use crate::Malformed;
use crate::usb::{Completion, Direction, Setup, Urb, UrbStatus};

/// Bytes of the description of one isochronous packet.
const ISO_PACKET_LEN: usize = 16;

/// A transfer a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Names the transfer; an opaque number.
    pub seqnum: u32,
    /// Bits of [`flag`](super::codec::flag).
    pub flags: u32,
    /// Frames or microframes between polls.
    pub interval: u32,
    /// The transfer.
    pub urb: Urb,
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The list of devices; answer with [`Camera::list`].
    DevList,
    /// A device; answer with [`Camera::accept`] or [`Camera::refuse`].
    Import(BusId),
    /// A transfer; it goes into a [`UrbQueue`](super::UrbQueue).
    Submit(Submit),
    /// A transfer taken back; answer at once with [`Camera::unlinked`], for the client's process
    /// cannot be ended before.
    Unlink {
        /// Names this request.
        seqnum: u32,
        /// The transfer to take back.
        target: u32,
    },
    /// An isochronous transfer; answer with [`Camera::refuse_isochronous`].
    Isochronous {
        /// Names the transfer.
        seqnum: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the one operation of this connection.
    Operation,
    /// Waits for our own answer to it.
    Answering,
    /// A device is imported.
    Transfers,
    /// The exchange is over, whatever still comes.
    Over,
}

/// A server's end of one connection.
///
/// ```text
///   Operation --DevList, Import--> Answering --accept--> Transfers
///                                      |--list, refuse--> Over
/// ```
///
/// Feed what was received, then ask for requests until there are none.
#[derive(Debug)]
pub struct Camera {
    inbox: Inbox,
    phase: Phase,
    broken: Option<Malformed>,
}

impl Default for Camera {
    fn default() -> Self {
        Self::new()
    }
}

impl Camera {
    /// A fresh connection.
    pub fn new() -> Self {
        Self::starting(Phase::Operation)
    }

    /// A connection whose device is imported already, as on a socket pair handed to the kernel.
    pub fn attached() -> Self {
        Self::starting(Phase::Transfers)
    }

    fn starting(phase: Phase) -> Self {
        Self {
            inbox: Inbox::default(),
            phase,
            broken: None,
        }
    }

    /// Takes in received bytes, any slice of the stream up to 4 MiB.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Over
            && self.broken.is_none()
            && let Err(error) = self.inbox.push(bytes)
        {
            self.broken = Some(error);
        }
    }

    /// Whether the exchange is over and the connection can be closed.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The next whole request, if one is here.
    ///
    /// # Errors
    /// [`Malformed`] when the client broke the protocol, and from then on always: close.
    pub fn next_request(&mut self) -> Result<Option<Request>, Malformed> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let next = match self.phase {
            Phase::Operation => self.operation(),
            Phase::Transfers => self.transfer(),
            Phase::Answering | Phase::Over => Ok(None),
        };
        if let Err(error) = &next {
            self.broken = Some(*error);
            self.inbox.clear();
        }
        next
    }

    fn operation(&mut self) -> Result<Option<Request>, Malformed> {
        let Some(bytes) = self.inbox.peek::<{ OpHead::LEN }>(0) else {
            return Ok(None);
        };
        let head = OpHead::decode(&bytes)?;
        let request = match head.code {
            op::REQ_DEVLIST => {
                self.inbox.take::<{ OpHead::LEN }>();
                Request::DevList
            }
            op::REQ_IMPORT => {
                let Some(busid) = self.inbox.peek::<{ BusId::LEN }>(OpHead::LEN) else {
                    return Ok(None);
                };
                self.inbox.take::<{ OpHead::LEN + BusId::LEN }>();
                Request::Import(BusId::decode(&busid)?)
            }
            other => {
                return Err(Malformed::Field {
                    field: "code",
                    value: other.into(),
                });
            }
        };
        self.phase = Phase::Answering;
        Ok(Some(request))
    }

    fn transfer(&mut self) -> Result<Option<Request>, Malformed> {
        let Some(bytes) = self.inbox.peek::<{ Pdu::LEN }>(0) else {
            return Ok(None);
        };
        let head = match Pdu::decode(&bytes)? {
            Pdu::CmdSubmit(head) => head,
            Pdu::CmdUnlink { seqnum, target, .. } => {
                self.inbox.take::<{ Pdu::LEN }>();
                return Ok(Some(Request::Unlink { seqnum, target }));
            }
            Pdu::RetSubmit(_) | Pdu::RetUnlink { .. } => {
                let [_, _, _, command, ..] = bytes;
                return Err(Malformed::Field {
                    field: "command",
                    value: command.into(),
                });
            }
        };
        let data = match head.direction {
            Direction::Out => head.length as usize,
            Direction::In => 0,
        };
        let iso = head.iso_packets() as usize * ISO_PACKET_LEN;
        let Some(mut payload) = self.inbox.take_after(Pdu::LEN, data + iso) else {
            return Ok(None);
        };
        if iso > 0 {
            let seqnum = head.seqnum;
            return Ok(Some(Request::Isochronous { seqnum }));
        }
        payload.truncate(data);
        Ok(Some(Request::Submit(submit(&head, payload))))
    }

    /// Answers [`Request::DevList`] with at most 256 devices and ends the exchange.
    pub fn list(&mut self, devices: &[DeviceRecord]) -> Vec<u8> {
        self.end();
        encode_devlist(devices)
    }

    /// Answers [`Request::Import`] with the device; `record` must bear the bus id asked for, or
    /// the client leaves. Transfers follow.
    pub fn accept(&mut self, record: &DeviceRecord) -> Vec<u8> {
        self.phase = Phase::Transfers;
        let head = OpHead {
            code: op::REP_IMPORT,
            status: OpStatus::Ok,
        };
        let mut bytes = head.encode().to_vec();
        bytes.extend(record.encode());
        bytes
    }

    /// Answers [`Request::Import`] with a refusal and ends the exchange.
    pub fn refuse(&mut self, why: OpStatus) -> Vec<u8> {
        self.end();
        let status = match why {
            OpStatus::Ok | OpStatus::Other(0) => OpStatus::Error,
            other => other,
        };
        let code = op::REP_IMPORT;
        OpHead { code, status }.encode().to_vec()
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.inbox.clear();
    }

    /// Answers [`Request::Unlink`]; `seqnum` is that request's, `status` what
    /// [`UrbQueue::unlink`](super::UrbQueue::unlink) said of its target.
    pub fn unlinked(seqnum: u32, status: UrbStatus) -> Vec<u8> {
        let status = errno_of(status);
        Pdu::RetUnlink { seqnum, status }.encode().to_vec()
    }

    /// Answers [`Request::Isochronous`]: refused with `EINVAL`, nothing moved.
    pub fn refuse_isochronous(seqnum: u32) -> Vec<u8> {
        let completion = Completion::failed(UrbStatus::Error(errno::EINVAL));
        Ended { seqnum, completion }.encode()
    }
}

fn submit(head: &CmdSubmit, data: Vec<u8>) -> Submit {
    let comes_in = head.direction == Direction::In;
    Submit {
        seqnum: head.seqnum,
        flags: head.flags,
        interval: head.interval,
        urb: Urb {
            endpoint: head.endpoint,
            direction: head.direction,
            setup: (head.endpoint == 0).then(|| Setup::from_bytes(head.setup)),
            data,
            length: if comes_in { head.length } else { 0 },
        },
    }
}
