//! The HID framing: a report id, then the content at once.
//!
//! ```text
//!   1 out  command block, padded    3 in  HAB word, 4 bytes
//!   2 out  up to 1024 data bytes    4 in  status or register data, 64 bytes
//! ```
//!
//! Source: SPSDK 3.12.0, spsdk/sdp/protocol/bulk_protocol.py; U-Boot
//! drivers/usb/gadget/f_sdp.c.

use crate::Malformed;

/// Host to camera: a command block.
pub const COMMAND_OUT: u8 = 1;
/// Host to camera: data.
pub const DATA_OUT: u8 = 2;
/// Camera to host: the HAB word.
pub const HAB_IN: u8 = 3;
/// Camera to host: a status word or register data.
pub const STATUS_IN: u8 = 4;

/// Data bytes in a full report 2.
pub const PACKET: usize = 1024;
/// Bytes of a report 3 after its id.
pub const HAB_SIZE: usize = 4;
/// Bytes of a report 4 after its id.
pub const STATUS_SIZE: usize = 64;

/// A report padded with zeros to `size` bytes after the id.
#[must_use]
pub fn encode(id: u8, content: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + size.max(content.len()));
    bytes.push(id);
    bytes.extend(content);
    if bytes.len() <= size {
        bytes.resize(1 + size, 0);
    }
    bytes
}

/// A report of the camera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// Report 3.
    Hab([u8; HAB_SIZE]),
    /// Report 4.
    Status(&'a [u8; STATUS_SIZE]),
}

impl<'a> Report<'a> {
    /// Reads a report of the camera's. Report 3 may be padded to the size of the longest one, as
    /// Windows passes it on; otherwise the sizes are strict.
    ///
    /// # Errors
    /// [`Malformed`] for other sizes and ids.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let short = |need| Malformed::Short {
            need,
            got: bytes.len(),
        };
        let long = Malformed::Field {
            field: "report size",
            value: bytes.len() as u64,
        };
        let Some((id, content)) = bytes.split_first() else {
            return Err(short(1));
        };
        if content.len() > STATUS_SIZE {
            return Err(long);
        }
        match *id {
            HAB_IN => match content.first_chunk() {
                Some(word) if matches!(content.len(), HAB_SIZE | STATUS_SIZE) => {
                    Ok(Self::Hab(*word))
                }
                Some(_) => Err(long),
                None => Err(short(1 + HAB_SIZE)),
            },
            STATUS_IN => match content.first_chunk() {
                Some(content) => Ok(Self::Status(content)),
                None => Err(short(1 + STATUS_SIZE)),
            },
            id => Err(Malformed::Field {
                field: "report id",
                value: id.into(),
            }),
        }
    }
}
