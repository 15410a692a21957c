//! Commands and answers of protocol v1 to bytes and back. Integers are little-endian.
//!
//! Source: openmv/openmv `common/usbdbg.h`.

use super::printable;
use crate::Malformed;

/// First byte of every header.
pub const MARK: u8 = 0x30;
/// Bytes of a header.
pub const HEADER_SIZE: usize = 6;
/// Bytes of the answer to `FW_VERSION`.
pub const VERSION_SIZE: usize = 12;
/// Bytes of the answer to `ARCH_STR`.
pub const ARCH_SIZE: usize = 64;

/// What a command asks for. Bit 7: the camera sends the data phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

#[allow(missing_docs, reason = "the names are the protocol's own")]
impl Opcode {
    pub const FW_VERSION: Self = Self(0x80);
    pub const FRAME_SIZE: Self = Self(0x81);
    pub const FRAME_DUMP: Self = Self(0x82);
    pub const ARCH_STR: Self = Self(0x83);
    pub const SCRIPT_EXEC: Self = Self(0x05);
    pub const SCRIPT_STOP: Self = Self(0x06);
    pub const SCRIPT_SAVE: Self = Self(0x07);
    pub const SCRIPT_RUNNING: Self = Self(0x87);
    pub const TEMPLATE_SAVE: Self = Self(0x08);
    pub const DESCRIPTOR_SAVE: Self = Self(0x09);
    pub const ATTR_WRITE: Self = Self(0x0B);
    pub const SYS_RESET: Self = Self(0x0C);
    pub const FB_ENABLE: Self = Self(0x0D);
    pub const SYS_RESET_TO_BL: Self = Self(0x0E);
    pub const TX_BUF_LEN: Self = Self(0x8E);
    pub const TX_BUF: Self = Self(0x8F);
    pub const SENSOR_ID: Self = Self(0x90);
    pub const TX_INPUT: Self = Self(0x11);
    pub const SET_TIME: Self = Self(0x12);
    pub const GET_STATE: Self = Self(0x93);
    pub const PROFILE_SIZE: Self = Self(0x94);
    pub const PROFILE_DUMP: Self = Self(0x95);
    pub const PROFILE_MODE: Self = Self(0x16);
    pub const PROFILE_EVENT: Self = Self(0x17);
    pub const PROFILE_RESET: Self = Self(0x18);

    /// Whether the camera sends the data phase.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// A command: `30 | opcode | length u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// What.
    pub opcode: Opcode,
    /// Bytes of the data phase that follows.
    pub length: u32,
}

impl Command {
    /// The six bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; HEADER_SIZE] {
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        [MARK, self.opcode.0, l0, l1, l2, l3]
    }

    /// Reads six bytes.
    ///
    /// # Errors
    /// [`Malformed::Field`] if they do not begin with 0x30.
    pub const fn decode(bytes: [u8; HEADER_SIZE]) -> Result<Self, Malformed> {
        let [mark, opcode, l0, l1, l2, l3] = bytes;
        if mark != MARK {
            return Err(Malformed::Field {
                field: "mark",
                value: mark as u64,
            });
        }
        Ok(Self {
            opcode: Opcode(opcode),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
        })
    }
}

/// Reads the answer to `FW_VERSION`: major, minor and patch as three `u32`.
///
/// # Errors
/// [`Malformed::Field`] unless it looks like a version: major 1 to 100, the others one byte.
/// With no checksum anywhere this is all that tells an answer from noise.
pub fn decode_version(bytes: &[u8; VERSION_SIZE]) -> Result<[u8; 3], Malformed> {
    match *bytes {
        [major @ 1..=100, 0, 0, 0, minor, 0, 0, 0, patch, 0, 0, 0] => Ok([major, minor, patch]),
        [m0, m1, m2, m3, ..] => Err(Malformed::Field {
            field: "FW_VERSION",
            value: u32::from_le_bytes([m0, m1, m2, m3]).into(),
        }),
    }
}

/// The answer to `FW_VERSION`.
#[must_use]
pub const fn encode_version(version: [u8; 3]) -> [u8; VERSION_SIZE] {
    let [major, minor, patch] = version;
    [major, 0, 0, 0, minor, 0, 0, 0, patch, 0, 0, 0]
}

/// Finds a version in a stream that may begin with something else.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionScan {
    last: [u8; VERSION_SIZE],
}

impl VersionScan {
    /// Takes one byte; the version if the last twelve bytes are one.
    pub fn feed(&mut self, byte: u8) -> Option<[u8; 3]> {
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = byte;
        }
        decode_version(&self.last).ok()
    }
}

/// The answer to `ARCH_STR`, taken apart: `<arch> [<kind>:<24 hex digits>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arch {
    /// What names the board, such as `OMV4 H7 1024`; printable ASCII, at most 64 characters.
    pub arch: String,
    /// The family, such as `H7`.
    pub kind: Option<String>,
    /// Unique id of the chip, in the order it is printed. Chips with two words have 0 first.
    pub uid: Option<[u32; 3]>,
}

impl Arch {
    /// Reads 64 bytes. Text that has another shape is all `arch`; bytes behind the NUL are
    /// whatever was in the camera's memory.
    ///
    /// # Errors
    /// [`Malformed::Field`] if there is no text or something unprintable in it.
    pub fn decode(bytes: &[u8; ARCH_SIZE]) -> Result<Self, Malformed> {
        let text = printable(bytes);
        if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Malformed::Field {
                field: "ARCH_STR",
                value: bytes.first().copied().unwrap_or(0).into(),
            });
        }
        let parts = text.strip_suffix(']').and_then(|rest| {
            let (arch, rest) = rest.rsplit_once(" [")?;
            let (kind, uid) = rest.split_once(':')?;
            Some((arch, kind, parse_uid(uid)?))
        });
        Ok(match parts {
            Some((arch, kind, uid)) => Self {
                arch: arch.to_owned(),
                kind: Some(kind.to_owned()),
                uid: Some(uid),
            },
            None => Self {
                arch: text,
                kind: None,
                uid: None,
            },
        })
    }

    /// 64 bytes, zeros behind the text; a text too long loses its end, and the NUL stays.
    #[must_use]
    pub fn encode(&self) -> [u8; ARCH_SIZE] {
        let mut text = self.arch.clone();
        if let (Some(kind), Some([w0, w1, w2])) = (&self.kind, self.uid) {
            text = format!("{text} [{kind}:{w0:08X}{w1:08X}{w2:08X}]");
        }
        let mut bytes = [0; ARCH_SIZE];
        for (to, from) in bytes.iter_mut().take(ARCH_SIZE - 1).zip(text.bytes()) {
            *to = from;
        }
        bytes
    }
}

fn parse_uid(digits: &str) -> Option<[u32; 3]> {
    if digits.len() != 24 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let word = |start| u32::from_str_radix(digits.get(start..start + 8)?, 16).ok();
    Some([word(0)?, word(8)?, word(16)?])
}
