//! The SCSI commands hosts send to a camera, and the answers. Numbers are big-endian here.

use crate::Malformed;

/// Operation codes.
mod code {
    pub const TEST_UNIT_READY: u8 = 0x00;
    pub const REQUEST_SENSE: u8 = 0x03;
    pub const INQUIRY: u8 = 0x12;
    pub const MODE_SENSE_6: u8 = 0x1A;
    pub const START_STOP_UNIT: u8 = 0x1B;
    pub const PREVENT_ALLOW: u8 = 0x1E;
    pub const READ_FORMAT_CAPACITIES: u8 = 0x23;
    pub const READ_CAPACITY: u8 = 0x25;
    pub const READ_10: u8 = 0x28;
    pub const WRITE_10: u8 = 0x2A;
    pub const SYNCHRONIZE_CACHE: u8 = 0x35;
}

/// A command block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Is there a medium, and can it be used?
    TestUnitReady,
    /// Why did the last command fail?
    RequestSense {
        /// Most bytes wanted.
        length: u8,
    },
    /// Who are you?
    Inquiry {
        /// A page of vital product data instead of the standard answer.
        page: Option<u8>,
        /// Most bytes wanted.
        length: u16,
    },
    /// Among other things: is it write-protected?
    ModeSense {
        /// Page, 0x3F for all of them.
        page: u8,
        /// Most bytes wanted.
        length: u8,
    },
    /// Start or stop; with `eject`, load or eject the medium.
    StartStop {
        /// Start (load) or stop (eject).
        start: bool,
        /// Whether the medium is meant.
        eject: bool,
    },
    /// Whether the medium may be taken out. STM32 firmware writes its cache when told either.
    PreventRemoval(bool),
    /// Windows asks for the capacity this way.
    ReadFormatCapacities {
        /// Most bytes wanted.
        length: u16,
    },
    /// The number of the last block, and the size of one.
    ReadCapacity,
    /// Reads blocks.
    Read {
        /// First block.
        block: u32,
        /// How many.
        count: u16,
    },
    /// Writes blocks.
    Write {
        /// First block.
        block: u32,
        /// How many.
        count: u16,
    },
    /// Write the cache. No OpenMV firmware knows it.
    SynchronizeCache,
    /// Another one, by its operation code.
    Other(u8),
}

impl Command {
    /// Writes the block: 6 or 10 bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let ten = |code: u8, block: u32, count: u16| {
            let [b0, b1, b2, b3] = block.to_be_bytes();
            let [c0, c1] = count.to_be_bytes();
            vec![code, 0, b0, b1, b2, b3, 0, c0, c1, 0]
        };
        match self {
            Self::TestUnitReady => vec![code::TEST_UNIT_READY, 0, 0, 0, 0, 0],
            Self::RequestSense { length } => vec![code::REQUEST_SENSE, 0, 0, 0, length, 0],
            Self::Inquiry { page, length } => {
                let [high, low] = length.to_be_bytes();
                let vital = u8::from(page.is_some());
                vec![code::INQUIRY, vital, page.unwrap_or(0), high, low, 0]
            }
            Self::ModeSense { page, length } => vec![code::MODE_SENSE_6, 0, page, 0, length, 0],
            Self::StartStop { start, eject } => {
                let bits = u8::from(start) | u8::from(eject) << 1;
                vec![code::START_STOP_UNIT, 0, 0, 0, bits, 0]
            }
            Self::PreventRemoval(prevent) => {
                vec![code::PREVENT_ALLOW, 0, 0, 0, prevent.into(), 0]
            }
            Self::ReadFormatCapacities { length } => ten(code::READ_FORMAT_CAPACITIES, 0, length),
            Self::ReadCapacity => ten(code::READ_CAPACITY, 0, 0),
            Self::Read { block, count } => ten(code::READ_10, block, count),
            Self::Write { block, count } => ten(code::WRITE_10, block, count),
            Self::SynchronizeCache => ten(code::SYNCHRONIZE_CACHE, 0, 0),
            Self::Other(code) => vec![code, 0, 0, 0, 0, 0],
        }
    }

    /// Reads a block, looking only at the fields that matter here.
    ///
    /// # Errors
    /// [`Malformed::Short`] for one that ends before those.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let short = |need| Malformed::Short {
            need,
            got: bytes.len(),
        };
        let six = || -> Result<[u8; 6], Malformed> {
            bytes.first_chunk().copied().ok_or_else(|| short(6))
        };
        let ten = || -> Result<(u32, u16), Malformed> {
            let [_, _, b0, b1, b2, b3, _, c0, c1, _] =
                bytes.first_chunk::<10>().ok_or_else(|| short(10))?;
            let block = u32::from_be_bytes([*b0, *b1, *b2, *b3]);
            Ok((block, u16::from_be_bytes([*c0, *c1])))
        };
        let code = *bytes.first().ok_or_else(|| short(1))?;
        Ok(match code {
            code::TEST_UNIT_READY => Self::TestUnitReady,
            code::REQUEST_SENSE => Self::RequestSense { length: six()?[4] },
            code::INQUIRY => {
                let [_, vital, page, high, low, _] = six()?;
                Self::Inquiry {
                    page: (vital & 1 != 0).then_some(page),
                    length: u16::from_be_bytes([high, low]),
                }
            }
            code::MODE_SENSE_6 => {
                let [_, _, page, _, length, _] = six()?;
                Self::ModeSense {
                    page: page & 0x3F,
                    length,
                }
            }
            code::START_STOP_UNIT => {
                let bits = six()?[4];
                Self::StartStop {
                    start: bits & 1 != 0,
                    eject: bits & 2 != 0,
                }
            }
            code::PREVENT_ALLOW => Self::PreventRemoval(six()?[4] & 1 != 0),
            code::READ_FORMAT_CAPACITIES => Self::ReadFormatCapacities { length: ten()?.1 },
            code::READ_CAPACITY => Self::ReadCapacity,
            code::READ_10 => {
                let (block, count) = ten()?;
                Self::Read { block, count }
            }
            code::WRITE_10 => {
                let (block, count) = ten()?;
                Self::Write { block, count }
            }
            code::SYNCHRONIZE_CACHE => Self::SynchronizeCache,
            other => Self::Other(other),
        })
    }
}

/// Why a command failed: key, code, qualifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub code: u8,
    /// Its qualifier.
    pub qualifier: u8,
}

impl Sense {
    /// Bytes of the fixed format.
    pub const LEN: usize = 18;
    /// NOT READY, medium not present: ejected, or no card.
    pub const NO_MEDIUM: Self = Self::new(0x02, 0x3A);
    /// MEDIUM ERROR, unrecovered read error.
    pub const READ_ERROR: Self = Self::new(0x03, 0x11);
    /// MEDIUM ERROR, peripheral device write fault.
    pub const WRITE_FAULT: Self = Self::new(0x03, 0x03);
    /// ILLEGAL REQUEST, invalid command.
    pub const INVALID_COMMAND: Self = Self::new(0x05, 0x20);
    /// ILLEGAL REQUEST, block out of range.
    pub const OUT_OF_RANGE: Self = Self::new(0x05, 0x21);
    /// ILLEGAL REQUEST, invalid field in the command.
    pub const INVALID_FIELD: Self = Self::new(0x05, 0x24);
    /// DATA PROTECT, write protected.
    pub const PROTECTED: Self = Self::new(0x07, 0x27);

    const fn new(key: u8, code: u8) -> Self {
        Self {
            key,
            code,
            qualifier: 0,
        }
    }

    /// Writes the fixed format, for a current error.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        let Self {
            key,
            code,
            qualifier,
        } = self;
        let more = Self::LEN as u8 - 8;
        [
            0xF0, 0, key, 0, 0, 0, 0, more, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0,
        ]
    }

    /// Reads the fixed format.
    ///
    /// # Errors
    /// [`Malformed`] for less than 14 bytes, and for another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let head: &[u8; 14] = bytes.first_chunk().ok_or(Malformed::Short {
            need: 14,
            got: bytes.len(),
        })?;
        let [format, _, key, .., code, qualifier] = *head;
        if format & 0x7E != 0x70 {
            return Err(Malformed::Field {
                field: "response code",
                value: format.into(),
            });
        }
        Ok(Self {
            key: key & 0x0F,
            code,
            qualifier,
        })
    }

    /// What it means, in words for a person.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match (self.key, self.code) {
            (0x02, 0x3A) => "there is no medium, or it was ejected",
            (0x02, _) => "the disk is not ready",
            (0x03, 0x11) => "a block cannot be read",
            (0x03, 0x03 | 0x0C) => "a block cannot be written",
            (0x03, _) => "the medium has an error",
            (0x04, _) => "the disk has a hardware error",
            (0x05, 0x21) => "there is no such block",
            (0x05, _) => "the camera refuses the command",
            (0x06, _) => "the medium was changed",
            (0x07, _) => "the medium is write-protected",
            _ => "the camera says that it failed and not why",
        }
    }
}

/// The standard answer to INQUIRY, as far as it is looked at. The texts are the device's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whether the medium can be taken out.
    pub removable: bool,
    /// Maker.
    pub vendor: [u8; 8],
    /// Product.
    pub product: [u8; 16],
    /// Revision.
    pub revision: [u8; 4],
}

impl Identity {
    /// Bytes of the answer.
    pub const LEN: usize = 36;

    /// Writes the answer of a disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let more = Self::LEN as u8 - 5;
        let mut bytes = vec![0, u8::from(self.removable) << 7, 2, 2, more, 0, 0, 0];
        bytes.extend(self.vendor);
        bytes.extend(self.product);
        bytes.extend(self.revision);
        bytes
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Malformed`] when it is short, or is not of a disk.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let short = Malformed::Short {
            need: Self::LEN,
            got: bytes.len(),
        };
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or(short)?;
        let (vendor, rest) = rest.split_first_chunk().ok_or(short)?;
        let (product, rest) = rest.split_first_chunk().ok_or(short)?;
        let revision = rest.first_chunk().ok_or(short)?;
        let [kind, removable, ..] = *head;
        if kind != 0 {
            return Err(Malformed::Field {
                field: "peripheral device type",
                value: kind.into(),
            });
        }
        Ok(Self {
            removable: removable & 0x80 != 0,
            vendor: *vendor,
            product: *product,
            revision: *revision,
        })
    }

    /// Product as text: what is not printable ASCII becomes a space, and none are left around it.
    #[must_use]
    pub fn product(&self) -> String {
        let printable = |byte: &u8| match byte {
            0x21..=0x7E => char::from(*byte),
            _ => ' ',
        };
        let text: String = self.product.iter().map(printable).collect();
        text.trim().to_owned()
    }
}

/// The answer to READ CAPACITY: `last block u32 | bytes per block u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of one: 512, 1024, 2048 or 4096.
    pub block_size: u32,
}

impl Capacity {
    /// Bytes of the answer.
    pub const LEN: usize = 8;

    /// Writes the answer.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let last = u32::try_from(self.blocks.saturating_sub(1)).unwrap_or(u32::MAX);
        let [l0, l1, l2, l3] = last.to_be_bytes();
        let [s0, s1, s2, s3] = self.block_size.to_be_bytes();
        [l0, l1, l2, l3, s0, s1, s2, s3]
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Malformed`] when it is short or the block size is none that disks have.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [l0, l1, l2, l3, s0, s1, s2, s3] =
            *bytes.first_chunk::<8>().ok_or(Malformed::Short {
                need: Self::LEN,
                got: bytes.len(),
            })?;
        let block_size = u32::from_be_bytes([s0, s1, s2, s3]);
        if !matches!(block_size, 512 | 1024 | 2048 | 4096) {
            return Err(Malformed::Field {
                field: "block length",
                value: block_size.into(),
            });
        }
        Ok(Self {
            blocks: u64::from(u32::from_be_bytes([l0, l1, l2, l3])) + 1,
            block_size,
        })
    }
}
