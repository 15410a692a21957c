//! Commands to bytes and back, and the three answers there are.

use crate::Malformed;

/// The word of START, which version 1 also answers with.
pub const START_WORD: u32 = 0xABCD_0001;

const RESET: u32 = 0xABCD_0002;
const ERASE: u32 = 0xABCD_0004;
const WRITE: u32 = 0xABCD_0008;
const QUERY: u32 = 0xABCD_0010;
const BLOCK_ERASE: u32 = 0xABCD_1004;
const BLOCK_WRITE: u32 = 0xABCD_1008;
const BLOCK_QUERY: u32 = 0xABCD_1010;
const BLOCK_TEST: u32 = 0xABCD_1020;

/// What the host may ask for. Little-endian words, the command first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stay, and tell the version.
    Start,
    /// Write what is left in the buffer, then start the application.
    Reset,
    /// Erase one sector of internal flash.
    Erase(u32),
    /// The next bytes of the firmware.
    Write(Vec<u8>),
    /// Tell the layout; since version 2.
    Query,
    /// Erase one block of the external flash; since version 3.
    BlockErase(u32),
    /// The next bytes of the external flash, from its start on.
    BlockWrite(Vec<u8>),
    /// Tell the layout of the external flash.
    BlockQuery,
    /// Test the external flash, which destroys what is in it.
    BlockTest,
}

impl Command {
    /// Bytes before the data of a write.
    pub const HEAD: usize = 4;

    /// Writes the packet, not filled up.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (word, argument): (u32, &[u8]) = match self {
            Self::Start => (START_WORD, &[]),
            Self::Reset => (RESET, &[]),
            Self::Erase(sector) => (ERASE, &sector.to_le_bytes()),
            Self::Write(bytes) => (WRITE, bytes),
            Self::Query => (QUERY, &[]),
            Self::BlockErase(block) => (BLOCK_ERASE, &block.to_le_bytes()),
            Self::BlockWrite(bytes) => (BLOCK_WRITE, bytes),
            Self::BlockQuery => (BLOCK_QUERY, &[]),
            Self::BlockTest => (BLOCK_TEST, &[]),
        };
        let mut packet = word.to_le_bytes().to_vec();
        packet.extend_from_slice(argument);
        packet
    }

    /// Reads a packet as the bootloader does: it looks at the first word, and past the argument
    /// at nothing.
    ///
    /// # Errors
    /// [`Malformed`] for a word it does not know, which it ignores, and for a packet that ends
    /// before its argument.
    pub fn decode(packet: &[u8]) -> Result<Self, Malformed> {
        let (word, rest) = word(packet)?;
        Ok(match word {
            START_WORD => Self::Start,
            RESET => Self::Reset,
            ERASE => Self::Erase(self::word(rest)?.0),
            WRITE => Self::Write(rest.to_vec()),
            QUERY => Self::Query,
            BLOCK_ERASE => Self::BlockErase(self::word(rest)?.0),
            BLOCK_WRITE => Self::BlockWrite(rest.to_vec()),
            BLOCK_QUERY => Self::BlockQuery,
            BLOCK_TEST => Self::BlockTest,
            other => {
                return Err(Malformed::Field {
                    field: "command",
                    value: other.into(),
                });
            }
        })
    }
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Malformed::Short {
        need: 4,
        got: bytes.len(),
    })?;
    Ok((u32::from_le_bytes(*first), rest))
}

fn words(bytes: &[u8]) -> Result<[u32; 3], Malformed> {
    let (first, rest) = word(bytes)?;
    let (second, rest) = word(rest)?;
    let (third, _) = word(rest)?;
    Ok([first, second, third])
}

fn three(words: [u32; 3]) -> [u8; 12] {
    let mut bytes = [0; 12];
    for (to, from) in bytes.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    bytes
}

/// The version of the protocol, the answer to START.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Firmware up to 2.3: START is echoed, QUERY unknown.
    One,
    /// Since 2018: QUERY.
    Two,
    /// Since 3.6.0: external flash.
    Three,
}

impl Version {
    /// Reads the answer. One development build answered with garbage: what is unknown is version
    /// 1, with which every later one also works.
    #[must_use]
    pub fn of(word: u32) -> Self {
        match word {
            0xABCD_0003 => Self::Three,
            0xABCD_0002 => Self::Two,
            _ => Self::One,
        }
    }

    /// The word it answers with.
    #[must_use]
    pub const fn word(self) -> u32 {
        match self {
            Self::One => START_WORD,
            Self::Two => 0xABCD_0002,
            Self::Three => 0xABCD_0003,
        }
    }
}

/// The answer to QUERY: sector numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// First sector when the disk is to be erased too.
    pub first_all: u32,
    /// First sector of the firmware.
    pub first_firmware: u32,
    /// Last sector.
    pub last: u32,
}

impl Layout {
    /// Bytes of the answer.
    pub const LEN: usize = 12;

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Malformed`] when it is short, or its numbers are in no order.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [first_all, first_firmware, last] = words(bytes)?;
        // More sectors than any chip has would be an endless erase.
        if first_all > first_firmware || first_firmware > last || last > 0xFF {
            return Err(Malformed::Field {
                field: "last sector",
                value: last.into(),
            });
        }
        Ok(Self {
            first_all,
            first_firmware,
            last,
        })
    }

    /// Writes the answer.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        three([self.first_all, self.first_firmware, self.last])
    }
}

/// The answer to the layout question for the external flash: blocks of `size` bytes, none where
/// the board has no such flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// First block.
    pub first: u32,
    /// Last block.
    pub last: u32,
    /// Bytes per block; 0 where there are none.
    pub size: u32,
}

impl Blocks {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`Malformed`] when it is short, or its numbers are in no order.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [first, last, size] = words(bytes)?;
        if first > last || last > 0xFFFF {
            return Err(Malformed::Field {
                field: "last block",
                value: last.into(),
            });
        }
        Ok(Self { first, last, size })
    }

    /// Writes the answer.
    #[must_use]
    pub fn encode(&self) -> [u8; 12] {
        three([self.first, self.last, self.size])
    }
}
