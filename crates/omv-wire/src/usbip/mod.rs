//! USB/IP 1.1.1: a USB device over a byte stream, both ends.
//!
//! ```text
//!   host (Host)                                      camera (Camera, UrbQueue)
//!    |  OP_REQ_IMPORT "1-1"                            |   one connection, one device
//!    | ----------------------------------------------> |
//!    |  OP_REP_IMPORT, status 0, device record         |
//!    | <---------------------------------------------- |
//!    |  CMD_SUBMIT 1  ep 0 IN, GET_DESCRIPTOR, 64      |
//!    | ----------------------------------------------> |
//!    |  RET_SUBMIT 1  status 0, 18 bytes               |
//!    | <---------------------------------------------- |
//!    |  CMD_SUBMIT 2  ep 1 IN, 1016 wanted             |   no data: no reply, it waits
//!    | ----------------------------------------------> |
//!    |  CMD_SUBMIT 3  ep 2 OUT, 36 bytes               |
//!    | ----------------------------------------------> |
//!    |  RET_SUBMIT 3  status 0, 36 taken               |   other endpoints go on meanwhile
//!    | <---------------------------------------------- |
//!    |  CMD_UNLINK 4  of 2                             |
//!    | ----------------------------------------------> |
//!    |  RET_UNLINK 4  status -104                      |   and never a RET_SUBMIT 2
//!    | <---------------------------------------------- |
//!    |  close, by either side                          |   the cable is pulled
//! ```
//!
//! The host may instead send OP_REQ_DEVLIST and gets the list of devices; that connection ends
//! there. Headers are big endian; what they carry is USB's own and stays little endian.
//! Isochronous transfers are understood well enough to be refused.
//!
//! A stream may be cut anywhere: [`Host`] and [`Camera`] take bytes as they come and give whole
//! messages. Both stop for good at the first impossible byte; close the connection then.
//!
//! Sources: Linux Documentation/usb/usbip_protocol.rst, drivers/usb/usbip/ (usbip_common.c,
//! vhci_rx.c, stub_rx.c, stub_tx.c), tools/usb/usbip/ (src/usbip_network.c).

pub mod codec;

mod camera;
mod host;
mod queue;
mod record;
mod stream;

pub use camera::{Camera, Request, Submit};
pub use codec::OpStatus;
pub use host::{Event, Host, Unsendable};
pub use queue::{Ended, Offer, UrbQueue, packets};
pub use record::{BusId, DeviceRecord};

/// The TCP port servers listen on unless told otherwise.
pub const PORT: u16 = 3240;
