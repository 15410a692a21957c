//! Both ends of a USB/IP connection, and the queue behind the camera's.
//!
//! ```text
//!   host    first byte & 1: list, or import of 1-1; then
//!   byte & 3   0  N  bytes    N bytes come
//!              1  E  N        a transfer is asked for: endpoint & 15, in if bit 7, N * 16 bytes
//!              2  N           the transfer N is taken back
//!              3  N N bytes   as many bytes as the little-endian number says come
//! ```

use omv_wire::usb::{Completion, Direction, Setup, Speed, Urb, UrbStatus};
use omv_wire::usbip::codec::{OpHead, Pdu};
use omv_wire::usbip::{
    BusId, Camera, DeviceRecord, Event, Host, Offer, OpStatus, Request, UrbQueue,
};

use crate::script::take;

/// Lines that are played at most.
const LINES: usize = 512;
/// Transfers asked for at most; the smallest head of an answer is larger than this asks to have.
const MOST_EVENTS: usize = 0x1_0000;

fn byte(bytes: &mut &[u8]) -> u8 {
    take(bytes, 1).first().copied().unwrap_or(0)
}

fn heads(bytes: &[u8]) {
    if let Some(head) = bytes.first_chunk()
        && let Ok(pdu) = Pdu::decode(head)
    {
        assert_eq!(Pdu::decode(&pdu.encode()), Ok(pdu));
    }
    if let Some(head) = bytes.first_chunk()
        && let Ok(op) = OpHead::decode(head)
    {
        assert_eq!(OpHead::decode(&op.encode()), Ok(op));
    }
    if let Some(record) = bytes.first_chunk()
        && let Ok(record) = DeviceRecord::decode(record)
    {
        let again = record.encode();
        let again = again.first_chunk().expect("a record has its full length");
        assert!(DeviceRecord::decode(again).is_ok());
    }
}

/// A server that says anything.
pub fn host(bytes: &[u8]) {
    heads(bytes);
    let mut rest = bytes;
    let busid = BusId::new("1-1").expect("a bus id");
    let (mut host, _) = match byte(&mut rest) & 1 {
        0 => Host::list(),
        _ => Host::import(busid),
    };
    for _ in 0..LINES {
        if rest.is_empty() {
            break;
        }
        match byte(&mut rest) & 3 {
            0 => {
                let count = byte(&mut rest).into();
                host.feed(take(&mut rest, count));
            }
            1 => {
                let (endpoint, size) = (byte(&mut rest), byte(&mut rest));
                let _ = host.submit(&transfer(endpoint, u32::from(size) * 16));
            }
            2 => {
                let _ = host.unlink(byte(&mut rest).into());
            }
            _ => {
                let count = u16::from_le_bytes([byte(&mut rest), byte(&mut rest)]);
                host.feed(take(&mut rest, count.into()));
            }
        }
        events(&mut host);
    }
    assert!(host.waiting().count() <= LINES);
}

fn transfer(endpoint: u8, size: u32) -> Urb {
    match (endpoint & 15, Direction::of(endpoint)) {
        (0, _) => Urb::control(Setup::get_descriptor(1, 0, 0, size as u16), Vec::new()),
        (number, Direction::In) => Urb::read(number, size),
        (number, Direction::Out) => Urb::write(number, vec![0; size as usize]),
    }
}

fn events(host: &mut Host) {
    for _ in 0..MOST_EVENTS {
        match host.next_event() {
            Ok(Some(Event::Returned { completion, .. })) => {
                assert!(completion.data.len() <= 0x1_0000, "more than was asked for");
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(first) => {
                // Broken is broken, whatever follows.
                host.feed(&[0; 64]);
                assert_eq!(host.next_event(), Err(first));
                return;
            }
        }
    }
    panic!("events without end");
}

/// A client that says anything, towards a device with an endpoint that always has data and one
/// that never has. First byte & 1: a fresh connection, or one on which a device is imported.
pub fn camera(bytes: &[u8]) {
    let mut rest = bytes;
    let mut camera = match byte(&mut rest) & 1 {
        0 => Camera::new(),
        _ => Camera::attached(),
    };
    let mut queue = UrbQueue::new();
    for _ in 0..LINES {
        if rest.is_empty() {
            break;
        }
        let count = u16::from_le_bytes([byte(&mut rest), byte(&mut rest)]);
        camera.feed(take(&mut rest, count.into()));
        if requests(&mut camera, &mut queue).is_none() {
            break;
        }
    }
    let waiting = queue.len();
    assert_eq!(queue.fail_all(UrbStatus::Gone).len(), waiting);
    assert!(queue.is_empty());
}

/// Serves what was asked; `None` when the connection must be closed.
fn requests(camera: &mut Camera, queue: &mut UrbQueue) -> Option<()> {
    for _ in 0..MOST_EVENTS {
        match camera.next_request().ok()? {
            None => return Some(()),
            Some(Request::DevList) => {
                let answer = camera.list(&[record()]);
                assert!(answer.len() < 1024 && camera.is_over());
            }
            Some(Request::Import(busid)) if busid.as_str() == "1-1" => {
                assert!(camera.accept(&record()).len() < 1024);
            }
            Some(Request::Import(_)) => {
                let _ = camera.refuse(OpStatus::NoDevice);
            }
            Some(Request::Submit(submit)) => {
                let size = submit.urb.size();
                queue.push(submit.seqnum, submit.urb).ok()?;
                serve(queue, size);
            }
            Some(Request::Unlink { seqnum, target }) => {
                let status = queue.unlink(target);
                assert_eq!(Camera::unlinked(seqnum, status).len(), Pdu::LEN);
            }
            Some(Request::Isochronous { seqnum }) => {
                let _ = Camera::refuse_isochronous(seqnum);
            }
        }
    }
    panic!("requests without end");
}

fn serve(queue: &mut UrbQueue, size: usize) {
    if let Offer::Ended(ended) = queue.offer(1, 64, &[0x5A; 64]) {
        assert!(ended.encode().len() <= Pdu::LEN + size.max(0x1_0000) + 64);
    }
    let _ = queue.offer(3, 512, &[0x5A; 700]);
    if let Some(ended) = queue.finish(0, Direction::Out, Completion::received(vec![0; 18])) {
        assert!(ended.encode().len() <= Pdu::LEN + 18);
    }
    let _ = queue.finish(2, Direction::Out, Completion::sent(u32::MAX));
}

/// What the camera exports: the RT1062's resident bootloader.
fn record() -> DeviceRecord {
    DeviceRecord {
        path: String::new(),
        busid: BusId::new("1-1").expect("a bus id"),
        busnum: 1,
        devnum: 1,
        speed: Some(Speed::High),
        vendor: 0x15A2,
        product: 0x0073,
        version: 2,
        class: [0; 3],
        configuration: 1,
        configurations: 1,
        interface_count: 1,
        interfaces: vec![[3, 0, 0]],
    }
}
