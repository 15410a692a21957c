//! The wrapper around a command and the one around its status, to bytes and back.

use crate::Malformed;

/// What every command travels in:
/// `"USBC" | tag u32 LE | length u32 LE | flags u8 | unit u8 | command length u8 | command [u8; 16]`.
///
/// Source: Bulk-Only Transport 1.0, table 5.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper {
    /// Comes back with the status.
    pub tag: u32,
    /// Bytes of data the host means to move.
    pub length: u32,
    /// Whether the data comes in. Without data it means nothing.
    pub inward: bool,
    /// Logical unit; cameras have one, 0.
    pub unit: u8,
    /// The command block, 1 to 16 bytes.
    pub command: Vec<u8>,
}

impl Wrapper {
    /// Bytes of a wrapper, always.
    pub const LEN: usize = 31;
    const SIGNATURE: [u8; 4] = *b"USBC";
    const LONGEST: usize = 16;

    /// Writes the 31 bytes. A command longer than 16 bytes is cut off; there is none.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = self.command.len().min(Self::LONGEST);
        let mut bytes = Self::SIGNATURE.to_vec();
        bytes.extend(self.tag.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.extend([u8::from(self.inward) << 7, self.unit & 0x0F, length as u8]);
        bytes.extend(self.command.iter().take(length));
        bytes.resize(Self::LEN, 0);
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Malformed`] unless it is "valid and meaningful" in the words of section 6.2: a device
    /// that gets another one stalls until it is reset.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| Malformed::Short {
            need: Self::LEN,
            got: bytes.len(),
        })?;
        let [
            s0,
            s1,
            s2,
            s3,
            t0,
            t1,
            t2,
            t3,
            l0,
            l1,
            l2,
            l3,
            flags,
            unit,
            length,
            command @ ..,
        ] = *bytes;
        let signature = [s0, s1, s2, s3];
        if signature != Self::SIGNATURE {
            return Err(Malformed::Field {
                field: "dCBWSignature",
                value: u32::from_le_bytes(signature).into(),
            });
        }
        let command = command.get(..usize::from(length)).unwrap_or_default();
        if command.is_empty() {
            return Err(Malformed::Field {
                field: "bCBWCBLength",
                value: length.into(),
            });
        }
        Ok(Self {
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            inward: flags & 0x80 != 0,
            unit: unit & 0x0F,
            command: command.to_vec(),
        })
    }
}

/// How a command went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Passed,
    /// It was not; REQUEST SENSE tells why.
    Failed,
    /// The two sides disagree about how much data there is; a reset is due.
    Phase,
}

/// What every command ends with: `"USBS" | tag u32 LE | residue u32 LE | status u8`.
///
/// Source: Bulk-Only Transport 1.0, table 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusWrapper {
    /// That of the command.
    pub tag: u32,
    /// Bytes of data asked for that were not moved.
    pub residue: u32,
    /// How it went.
    pub status: Status,
}

impl StatusWrapper {
    /// Bytes of a status, always.
    pub const LEN: usize = 13;
    const SIGNATURE: [u8; 4] = *b"USBS";

    /// Writes the 13 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::SIGNATURE.to_vec();
        bytes.extend(self.tag.to_le_bytes());
        bytes.extend(self.residue.to_le_bytes());
        bytes.push(match self.status {
            Status::Passed => 0,
            Status::Failed => 1,
            Status::Phase => 2,
        });
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Malformed`] for other than 13 bytes, another signature or a status there is not.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| Malformed::Short {
            need: Self::LEN,
            got: bytes.len(),
        })?;
        let [s0, s1, s2, s3, t0, t1, t2, t3, r0, r1, r2, r3, status] = *bytes;
        let signature = [s0, s1, s2, s3];
        if signature != Self::SIGNATURE {
            return Err(Malformed::Field {
                field: "dCSWSignature",
                value: u32::from_le_bytes(signature).into(),
            });
        }
        Ok(Self {
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
            residue: u32::from_le_bytes([r0, r1, r2, r3]),
            status: match status {
                0 => Status::Passed,
                1 => Status::Failed,
                2 => Status::Phase,
                other => {
                    return Err(Malformed::Field {
                        field: "bCSWStatus",
                        value: other.into(),
                    });
                }
            },
        })
    }
}
