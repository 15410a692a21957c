//! The client's side: transfers become bytes; bytes in, events out.

use std::collections::BTreeMap;

use super::codec::{CmdSubmit, MAX_DEVICES, MAX_TRANSFER, OpHead, OpStatus, Pdu, RetSubmit};
use super::codec::{flag, op, status_of};
use super::queue::MAX_WAITING;
use super::record::{BusId, DeviceRecord};
use super::stream::Inbox;
use crate::Malformed;
use crate::usb::{Completion, Direction, Setup, Urb, UrbStatus};

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its devices. The exchange is over.
    DevList(Vec<DeviceRecord>),
    /// The device asked for is ours.
    Imported(DeviceRecord),
    /// It will not. The exchange is over.
    Refused {
        /// Why.
        status: OpStatus,
    },
    /// A transfer ended.
    Returned {
        /// What [`Host::submit`] called it.
        seqnum: u32,
        /// How it ended.
        completion: Completion,
    },
    /// A transfer was taken back. If it has not been returned before, it never will be.
    Unlinked {
        /// What [`Host::unlink`] called the request.
        seqnum: u32,
        /// What [`Host::submit`] called the transfer.
        target: u32,
        /// [`UrbStatus::Unlinked`], or [`UrbStatus::Ok`] when it had ended before.
        status: UrbStatus,
    },
}

/// Why a request cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// Transfers follow an import.
    #[error("no device is imported on this connection")]
    NotImported,
    /// Larger than any server should take in one piece.
    #[error("a transfer of {size} bytes is too large, {MAX_TRANSFER} are allowed")]
    TooLarge {
        /// Bytes of the transfer.
        size: usize,
    },
    /// So many transfers wait already that another would not help.
    #[error("{MAX_WAITING} transfers are waiting already")]
    TooMany,
    /// Endpoint 0 needs a setup packet, others are 1 to 15 and have none.
    #[error("endpoint {endpoint} cannot be asked for such a transfer")]
    Endpoint {
        /// The number given.
        endpoint: u8,
    },
    /// The transfer is not waiting, or is being taken back already.
    #[error("transfer {seqnum} is not waiting")]
    NotWaiting {
        /// The number given.
        seqnum: u32,
    },
}

#[derive(Debug)]
enum Phase {
    /// Waits for the head of OP_REP_DEVLIST.
    ListHead,
    /// Reads devices, `left` of them still to come.
    List {
        left: u32,
        devices: Vec<DeviceRecord>,
    },
    /// Waits for OP_REP_IMPORT.
    Import(BusId),
    /// The device with this `devid` is ours.
    Transfers(u32),
    /// The exchange is over, whatever still comes.
    Over,
}

/// A transfer that was asked for: all that is needed to read its end.
#[derive(Clone, Copy, Debug)]
struct Asked {
    direction: Direction,
    size: u32,
    unlinking: bool,
}

/// A client's end of one connection, for one list or one device.
///
/// Send the bytes each call gives, feed what was received, then ask for events until there are
/// none. When the connection closes, whatever is [`waiting`](Self::waiting) is gone.
#[derive(Debug)]
pub struct Host {
    inbox: Inbox,
    phase: Phase,
    broken: Option<Malformed>,
    asked: BTreeMap<u32, Asked>,
    /// Unlink requests under way, and the transfers they take back.
    unlinks: BTreeMap<u32, u32>,
    last: u32,
}

impl Host {
    /// Asks for the list of devices. Gives the bytes to send.
    pub fn list() -> (Self, Vec<u8>) {
        let head = OpHead {
            code: op::REQ_DEVLIST,
            status: OpStatus::Ok,
        };
        (Self::starting(Phase::ListHead), head.encode().to_vec())
    }

    /// Asks for a device. Gives the bytes to send.
    pub fn import(busid: BusId) -> (Self, Vec<u8>) {
        let head = OpHead {
            code: op::REQ_IMPORT,
            status: OpStatus::Ok,
        };
        let mut bytes = head.encode().to_vec();
        bytes.extend(busid.encode());
        (Self::starting(Phase::Import(busid)), bytes)
    }

    fn starting(phase: Phase) -> Self {
        Self {
            inbox: Inbox::default(),
            phase,
            broken: None,
            asked: BTreeMap::new(),
            unlinks: BTreeMap::new(),
            last: 0,
        }
    }

    /// Asks for a transfer. Gives its number and the bytes to send.
    ///
    /// # Errors
    /// [`Unsendable`]; nothing changed then.
    pub fn submit(&mut self, urb: &Urb) -> Result<(u32, Vec<u8>), Unsendable> {
        let Phase::Transfers(devid) = self.phase else {
            return Err(Unsendable::NotImported);
        };
        let endpoint = urb.endpoint;
        if endpoint > 15 || (endpoint == 0) != urb.setup.is_some() {
            return Err(Unsendable::Endpoint { endpoint });
        }
        let size = urb.size();
        let length = u32::try_from(size).unwrap_or(u32::MAX);
        if length > MAX_TRANSFER {
            return Err(Unsendable::TooLarge { size });
        }
        if self.asked.len() + self.unlinks.len() >= MAX_WAITING {
            return Err(Unsendable::TooMany);
        }
        let seqnum = self.next_seqnum();
        let comes_in = urb.direction == Direction::In;
        let head = Pdu::CmdSubmit(CmdSubmit {
            seqnum,
            devid,
            direction: urb.direction,
            endpoint,
            flags: if comes_in { flag::DIR_IN } else { 0 },
            length,
            start_frame: 0,
            packets: 0,
            interval: 0,
            setup: urb.setup.map_or([0; Setup::LEN], Setup::encode),
        });
        let mut bytes = head.encode().to_vec();
        if !comes_in {
            bytes.extend_from_slice(&urb.data);
        }
        let asked = Asked {
            direction: urb.direction,
            size: length,
            unlinking: false,
        };
        self.asked.insert(seqnum, asked);
        Ok((seqnum, bytes))
    }

    /// Takes a transfer back. Gives the request's own number and the bytes to send. The transfer
    /// may still be returned before [`Event::Unlinked`] comes.
    ///
    /// # Errors
    /// [`Unsendable::NotWaiting`] when it has ended, or is being taken back already.
    pub fn unlink(&mut self, target: u32) -> Result<(u32, Vec<u8>), Unsendable> {
        let Phase::Transfers(devid) = self.phase else {
            return Err(Unsendable::NotImported);
        };
        let waiting = self.asked.get_mut(&target).filter(|a| !a.unlinking);
        let asked = waiting.ok_or(Unsendable::NotWaiting { seqnum: target })?;
        asked.unlinking = true;
        let seqnum = self.next_seqnum();
        self.unlinks.insert(seqnum, target);
        let head = Pdu::CmdUnlink {
            seqnum,
            devid,
            target,
        };
        Ok((seqnum, head.encode().to_vec()))
    }

    /// Counts on, over the numbers in use; ends because fewer are in use than there are.
    fn next_seqnum(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            let used = self.asked.contains_key(&self.last) || self.unlinks.contains_key(&self.last);
            if self.last != 0 && !used {
                return self.last;
            }
        }
    }

    /// The transfers that have not ended, in the order of their numbers.
    pub fn waiting(&self) -> impl Iterator<Item = u32> {
        self.asked.keys().copied()
    }

    /// Whether the exchange is over and the connection can be closed.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Takes in received bytes, any slice of the stream up to 4 MiB.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.is_over()
            && self.broken.is_none()
            && let Err(error) = self.inbox.push(bytes)
        {
            self.broken = Some(error);
        }
    }

    /// The next whole event, if one is here.
    ///
    /// # Errors
    /// [`Malformed`] when the server broke the protocol, and from then on always: close.
    pub fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let next = match self.phase {
            Phase::ListHead | Phase::List { .. } => self.list_event(),
            Phase::Import(_) => self.import_event(),
            Phase::Transfers(_) => self.transfer_event(),
            Phase::Over => Ok(None),
        };
        if let Err(error) = &next {
            self.broken = Some(*error);
            self.inbox.clear();
        }
        next
    }

    /// Takes the head of a reply whose status is 0, or says who refused.
    fn reply_head(&mut self, code: u16) -> Result<Option<OpStatus>, Malformed> {
        let Some(bytes) = self.inbox.take::<{ OpHead::LEN }>() else {
            return Ok(None);
        };
        let head = OpHead::decode(&bytes)?;
        if head.code != code {
            return Err(wrong("code", head.code.into()));
        }
        Ok(Some(head.status))
    }

    fn refused(&mut self, status: OpStatus) -> Event {
        self.phase = Phase::Over;
        self.inbox.clear();
        Event::Refused { status }
    }

    fn list_event(&mut self) -> Result<Option<Event>, Malformed> {
        if let Phase::ListHead = self.phase {
            // A refusal ends with the head; only a list has the count that follows.
            let Some(head) = self.inbox.peek::<{ OpHead::LEN }>(0) else {
                return Ok(None);
            };
            let refuses = OpHead::decode(&head)?.status != OpStatus::Ok;
            let count = self.inbox.peek::<4>(OpHead::LEN);
            if !refuses && count.is_none() {
                return Ok(None);
            }
            if let Some(status) = self.reply_head(op::REP_DEVLIST)?
                && status != OpStatus::Ok
            {
                return Ok(Some(self.refused(status)));
            }
            let left = self.inbox.take::<4>().map_or(0, u32::from_be_bytes);
            if left > MAX_DEVICES {
                return Err(wrong("ndev", left));
            }
            let devices = Vec::new();
            self.phase = Phase::List { left, devices };
        }
        let Phase::List { left, devices } = &mut self.phase else {
            return Ok(None);
        };
        while *left > 0 {
            let Some(bytes) = self.inbox.peek::<{ DeviceRecord::LEN }>(0) else {
                return Ok(None);
            };
            let mut device = DeviceRecord::decode(&bytes)?;
            let more = usize::from(device.interface_count) * DeviceRecord::INTERFACE_LEN;
            let Some(rest) = self.inbox.take_after(DeviceRecord::LEN, more) else {
                return Ok(None);
            };
            let (interfaces, _) = rest.as_chunks();
            device.interfaces = interfaces
                .iter()
                .map(DeviceRecord::decode_interface)
                .collect();
            devices.push(device);
            *left -= 1;
        }
        let devices = std::mem::take(devices);
        self.phase = Phase::Over;
        self.inbox.clear();
        Ok(Some(Event::DevList(devices)))
    }

    fn import_event(&mut self) -> Result<Option<Event>, Malformed> {
        let Some(head) = self.inbox.peek::<{ OpHead::LEN }>(0) else {
            return Ok(None);
        };
        let record = self.inbox.peek::<{ DeviceRecord::LEN }>(OpHead::LEN);
        if OpHead::decode(&head)?.status == OpStatus::Ok && record.is_none() {
            return Ok(None);
        }
        let Some(status) = self.reply_head(op::REP_IMPORT)? else {
            return Ok(None);
        };
        let record = match record {
            Some(record) if status == OpStatus::Ok => DeviceRecord::decode(&record)?,
            _ => return Ok(Some(self.refused(status))),
        };
        self.inbox.take::<{ DeviceRecord::LEN }>();
        if let Phase::Import(wanted) = &self.phase
            && *wanted != record.busid
        {
            return Err(wrong("busid", record.devid()));
        }
        self.phase = Phase::Transfers(record.devid());
        Ok(Some(Event::Imported(record)))
    }

    fn transfer_event(&mut self) -> Result<Option<Event>, Malformed> {
        let Some(bytes) = self.inbox.peek::<{ Pdu::LEN }>(0) else {
            return Ok(None);
        };
        match Pdu::decode(&bytes)? {
            Pdu::RetSubmit(head) => self.returned(&head),
            Pdu::RetUnlink { seqnum, status } => {
                let target = self.unlinks.remove(&seqnum);
                let target = target.ok_or(wrong("seqnum", seqnum))?;
                self.inbox.take::<{ Pdu::LEN }>();
                self.asked.remove(&target);
                Ok(Some(Event::Unlinked {
                    seqnum,
                    target,
                    status: status_of(status),
                }))
            }
            Pdu::CmdSubmit(_) => Err(wrong("command", 1)),
            Pdu::CmdUnlink { .. } => Err(wrong("command", 2)),
        }
    }

    fn returned(&mut self, head: &RetSubmit) -> Result<Option<Event>, Malformed> {
        let seqnum = head.seqnum;
        let asked = self.asked.get(&seqnum).ok_or(wrong("seqnum", seqnum))?;
        if head.actual > asked.size {
            return Err(wrong("actual_length", head.actual));
        }
        if !matches!(head.packets, 0 | u32::MAX) {
            return Err(wrong("number_of_packets", head.packets));
        }
        let follows = match asked.direction {
            Direction::Out => 0,
            Direction::In => head.actual as usize,
        };
        let Some(data) = self.inbox.take_after(Pdu::LEN, follows) else {
            return Ok(None);
        };
        self.asked.remove(&seqnum);
        let completion = Completion {
            status: status_of(head.status),
            data,
            actual: head.actual,
        };
        Ok(Some(Event::Returned { seqnum, completion }))
    }
}

fn wrong(field: &'static str, value: u32) -> Malformed {
    Malformed::Field {
        field,
        value: value.into(),
    }
}
