//! Control transfers to the default endpoint.
//!
//! [`send`](Link::send) starts a transfer and [`wait`](Link::wait) waits for its end, in as many
//! pieces as the caller likes: OpenMV's bootloader answers NAK for as long as it erases. A reply
//! to an OUT is empty. A transfer that nobody waits for any more is cancelled by the next one.

use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use nusb::MaybeFuture;
use nusb::transfer::{ControlIn, ControlOut, ControlType, Recipient, TransferError};

use crate::{Heard, Link, LinkError};

/// No transfer lives longer, whatever the caller does.
const LIMIT: Duration = Duration::from_secs(600);

/// `bmRequestType` and `bRequest` of SET_INTERFACE. Source: USB 2.0, table 9-3.
const SET_INTERFACE: [u8; 2] = [0x01, 0x0B];

type Transfer = Pin<Box<dyn Future<Output = Result<Vec<u8>, TransferError>> + Send>>;

/// The control endpoint of an open device.
pub(super) struct Control<P> {
    device: nusb::Device,
    /// Interfaces claimed so far, by number: Linux refuses requests to an unclaimed one.
    interfaces: Vec<(u8, nusb::Interface)>,
    transfer: Option<Transfer>,
    /// What the next waits hear before they look at the device.
    ahead: Option<Heard>,
    started: Instant,
    /// Tells whether the device has left: a transfer cut short by that is a mere fault at first.
    has_left: P,
}

impl<P: Fn() -> bool> Control<P> {
    pub(super) fn new(device: nusb::Device, started: Instant, has_left: P) -> Self {
        Self {
            device,
            interfaces: Vec::new(),
            transfer: None,
            ahead: None,
            started,
            has_left,
        }
    }

    fn interface(&mut self, number: u8) -> Result<nusb::Interface, LinkError> {
        if let Some((_, interface)) = self.interfaces.iter().find(|(n, _)| *n == number) {
            return Ok(interface.clone());
        }
        let interface = self
            .device
            .claim_interface(number)
            .wait()
            .map_err(|error| usb_error(&format!("claiming interface {number}"), error))?;
        self.interfaces.push((number, interface.clone()));
        Ok(interface)
    }

    /// Starts the transfer a frame describes.
    fn start(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let request = Request::decode(frame)?;
        let [number, _] = request.index.to_le_bytes();
        if [request.request_type, request.request] == SET_INTERFACE {
            // The system must know about this one: it is the one that keeps track of endpoints.
            let interface = self.interface(number)?;
            let [alternate, _] = request.value.to_le_bytes();
            interface
                .set_alt_setting(alternate)
                .wait()
                .map_err(|error| usb_error("choosing an alternate setting", error))?;
            self.ahead = Some(Heard::Bytes(Vec::new()));
            return Ok(());
        }
        self.transfer = Some(match request.recipient {
            Recipient::Interface => request.over_interface(&self.interface(number)?),
            // Windows knows control transfers of interfaces only.
            #[cfg(windows)]
            _ => request.over_interface(&self.interface(0)?),
            #[cfg(not(windows))]
            _ => request.over_device(&self.device),
        });
        Ok(())
    }
}

impl<P: Fn() -> bool + Send> Link for Control<P> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.ahead == Some(Heard::Gone) {
            return Err(LinkError::Gone);
        }
        self.ahead = None;
        self.transfer = None;
        match self.start(frame) {
            Err(LinkError::Gone) => {
                self.ahead = Some(Heard::Gone);
                Err(LinkError::Gone)
            }
            other => other,
        }
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        match &self.ahead {
            Some(Heard::Gone) => return Ok(Some(Heard::Gone)),
            Some(_) => return Ok(self.ahead.take()),
            None => {}
        }
        let end = self.started.checked_add(until);
        let Some(transfer) = &mut self.transfer else {
            // Nothing can come: the default endpoint only answers.
            thread::sleep(until.saturating_sub(self.now()));
            return Ok(None);
        };
        let Some(result) = finish(transfer, end) else {
            return Ok(None);
        };
        self.transfer = None;
        match result {
            Ok(reply) => Ok(Some(Heard::Bytes(reply))),
            Err(TransferError::Stall) => Ok(Some(Heard::Stall)),
            Err(TransferError::Cancelled) => Ok(None),
            Err(error) => {
                if error == TransferError::Disconnected || (self.has_left)() {
                    self.ahead = Some(Heard::Gone);
                    return Ok(Some(Heard::Gone));
                }
                Err(LinkError::Io {
                    doing: "a control transfer".to_owned(),
                    source: error.into(),
                })
            }
        }
    }
}

/// The fields of a setup packet, and the data of an OUT.
#[derive(Debug)]
struct Request<'a> {
    request_type: u8,
    control_type: ControlType,
    recipient: Recipient,
    request: u8,
    value: u16,
    index: u16,
    /// `wLength` of an IN; `None` for an OUT.
    length: Option<u16>,
    data: &'a [u8],
}

impl<'a> Request<'a> {
    /// Eight bytes: `bmRequestType u8, bRequest u8, wValue u16 LE, wIndex u16 LE, wLength u16 LE`,
    /// then for an OUT exactly `wLength` bytes of data.
    ///
    /// Source: USB 2.0, section 9.3.
    fn decode(frame: &'a [u8]) -> Result<Self, LinkError> {
        let invalid = |what: &str| LinkError::Io {
            doing: "a control transfer".to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, what.to_owned()),
        };
        let Some(([kind, request, v0, v1, i0, i1, l0, l1], data)) = frame.split_first_chunk::<8>()
        else {
            return Err(invalid("a setup packet has 8 bytes"));
        };
        let length = u16::from_le_bytes([*l0, *l1]);
        let is_in = kind & 0x80 != 0;
        if data.len() != if is_in { 0 } else { usize::from(length) } {
            return Err(invalid("wLength does not fit the data"));
        }
        Ok(Self {
            request_type: *kind,
            control_type: match kind >> 5 & 3 {
                0 => ControlType::Standard,
                1 => ControlType::Class,
                2 => ControlType::Vendor,
                _ => return Err(invalid("bmRequestType has the reserved type")),
            },
            recipient: match kind & 0x1F {
                0 => Recipient::Device,
                1 => Recipient::Interface,
                2 => Recipient::Endpoint,
                3 => Recipient::Other,
                _ => return Err(invalid("bmRequestType has a reserved recipient")),
            },
            request: *request,
            value: u16::from_le_bytes([*v0, *v1]),
            index: u16::from_le_bytes([*i0, *i1]),
            length: is_in.then_some(length),
            data,
        })
    }

    fn as_in(&self, length: u16) -> ControlIn {
        ControlIn {
            control_type: self.control_type,
            recipient: self.recipient,
            request: self.request,
            value: self.value,
            index: self.index,
            length,
        }
    }

    fn as_out(&self) -> ControlOut<'a> {
        ControlOut {
            control_type: self.control_type,
            recipient: self.recipient,
            request: self.request,
            value: self.value,
            index: self.index,
            data: self.data,
        }
    }

    fn over_interface(&self, interface: &nusb::Interface) -> Transfer {
        match self.length {
            Some(length) => Box::pin(
                interface
                    .control_in(self.as_in(length), LIMIT)
                    .into_future(),
            ),
            None => no_data(interface.control_out(self.as_out(), LIMIT).into_future()),
        }
    }

    #[cfg(not(windows))]
    fn over_device(&self, device: &nusb::Device) -> Transfer {
        match self.length {
            Some(length) => Box::pin(device.control_in(self.as_in(length), LIMIT).into_future()),
            None => no_data(device.control_out(self.as_out(), LIMIT).into_future()),
        }
    }
}

/// An OUT answers with an empty reply.
fn no_data(transfer: impl Future<Output = Result<(), TransferError>> + Send + 'static) -> Transfer {
    Box::pin(async { transfer.await.map(|()| Vec::new()) })
}

/// Wakes the waiting thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a transfer at most until `end`; it goes on after that.
fn finish<T>(
    transfer: &mut Pin<Box<dyn Future<Output = T> + Send>>,
    end: Option<Instant>,
) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = transfer.as_mut().poll(&mut context) {
            return Some(result);
        }
        let left = end.map_or(LIMIT, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// The library's errors in our words.
pub(super) fn usb_error(doing: &str, error: nusb::Error) -> LinkError {
    match error.kind() {
        nusb::ErrorKind::Disconnected => LinkError::Gone,
        nusb::ErrorKind::Busy => LinkError::Busy { holder: None },
        _ => LinkError::Io {
            doing: doing.to_owned(),
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dfu_download_block_is_an_out_to_its_interface() {
        // DFU_DNLOAD of block 2 to interface 0, four bytes. Source: USB DFU 1.1, section 6.1.1.
        let frame = [0x21, 1, 2, 0, 0, 0, 4, 0, 0xAA, 0xBB, 0xCC, 0xDD];
        let request = Request::decode(&frame).unwrap();
        assert_eq!(request.control_type, ControlType::Class);
        assert_eq!(request.recipient, Recipient::Interface);
        assert_eq!((request.request, request.value, request.index), (1, 2, 0));
        assert_eq!(request.length, None);
        assert_eq!(request.data, [0xAA, 0xBB, 0xCC, 0xDD]);
    }

    #[test]
    fn a_descriptor_read_is_an_in_of_the_asked_length() {
        let request = Request::decode(&[0x80, 6, 0, 1, 0, 0, 18, 0]).unwrap();
        assert_eq!(request.control_type, ControlType::Standard);
        assert_eq!(request.recipient, Recipient::Device);
        assert_eq!((request.value, request.length), (0x0100, Some(18)));
    }

    #[test]
    fn a_frame_that_is_no_request_is_refused() {
        let frames: [&[u8]; 6] = [
            &[],
            &[0x80, 6, 0, 1, 0, 0, 18],
            &[0x21, 1, 2, 0, 0, 0, 4, 0, 0xAA],
            &[0x80, 6, 0, 1, 0, 0, 18, 0, 0],
            &[0x60, 1, 0, 0, 0, 0, 0, 0],
            &[0x04, 1, 0, 0, 0, 0, 0, 0],
        ];
        for frame in frames {
            assert!(
                matches!(Request::decode(frame), Err(LinkError::Io { .. })),
                "{frame:02x?}"
            );
        }
    }

    #[test]
    fn a_transfer_outlives_a_wait_that_was_too_short() {
        let ready = Instant::now() + Duration::from_millis(60);
        let mut transfer: Pin<Box<dyn Future<Output = u8> + Send>> =
            Box::pin(std::future::poll_fn(move |context| {
                if Instant::now() >= ready {
                    return Poll::Ready(7);
                }
                let waker = context.waker().clone();
                thread::spawn(move || {
                    thread::sleep(ready.saturating_duration_since(Instant::now()));
                    waker.wake();
                });
                Poll::Pending
            }));
        assert_eq!(finish(&mut transfer, Some(Instant::now())), None);
        let end = Instant::now() + Duration::from_secs(10);
        assert_eq!(finish(&mut transfer, Some(end)), Some(7));
        assert!(Instant::now() < end);
    }
}
