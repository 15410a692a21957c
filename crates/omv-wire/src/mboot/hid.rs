//! The HID framing: no checksum, no acknowledgement, four report ids.
//!
//! ```text
//!   id u8 | 0 | length u16 LE | payload | padding (camera to host always, host to camera may)
//! ```
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/protocol/bulk_protocol.py; answers observed by executing the
//! loaders shipped on every RT1062.

use crate::Malformed;

/// Host to camera: a command.
pub const COMMAND_OUT: u8 = 1;
/// Host to camera: data. Empty: the host gives the data phase up.
pub const DATA_OUT: u8 = 2;
/// Camera to host: a response. Empty: the camera wants no more data.
pub const RESPONSE_IN: u8 = 3;
/// Camera to host: data. Empty: the camera has no more data, for a reason that follows.
pub const DATA_IN: u8 = 4;

/// Bytes before the payload.
pub const HEADER: usize = 4;

/// Bytes a data report of the RT1062's loaders carries (their property 11).
pub const PACKET: usize = 1012;

/// One report, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Which kind.
    pub id: u8,
    /// What it carries, without the padding.
    pub payload: &'a [u8],
}

impl<'a> Report<'a> {
    /// Takes a report apart. The length field counts, not how much came.
    ///
    /// # Errors
    /// [`Malformed::Short`] when the report claims more than it carries.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let short = |need| Malformed::Short {
            need,
            got: bytes.len(),
        };
        let Some(([id, _, low, high], rest)) = bytes.split_first_chunk() else {
            return Err(short(HEADER));
        };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let payload = rest.get(..length).ok_or(short(HEADER + length))?;
        Ok(Self { id: *id, payload })
    }
}

/// A report that ends with its payload, as Linux sends it. At most 65535 bytes are carried.
#[must_use]
pub fn encode(id: u8, payload: &[u8]) -> Vec<u8> {
    encode_padded(id, payload, 0)
}

/// A report padded with zeros until header and payload have `size` bytes.
#[must_use]
pub fn encode_padded(id: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let payload = payload.get(..length.into()).unwrap_or(payload);
    let [low, high] = length.to_le_bytes();
    let mut bytes = Vec::with_capacity(size.max(HEADER + payload.len()));
    bytes.extend([id, 0, low, high]);
    bytes.extend(payload);
    if bytes.len() < size {
        bytes.resize(size, 0);
    }
    bytes
}
