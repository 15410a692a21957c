//! Command blocks and answer words, the same for HID and UART.
//!
//! ```text
//!   type u16 | address u32 | format u8 | count u32 | data u32 | 0        16 bytes, big-endian
//! ```
//!
//! Source: SPSDK 3.12.0, spsdk/sdp/commands.py and error_codes.py; U-Boot
//! drivers/usb/gadget/f_sdp.c.

use crate::Malformed;

/// Bytes of a command block.
pub const BLOCK: usize = 16;

/// Types of commands.
pub mod kind {
    /// Read memory or registers.
    pub const READ_REGISTER: u16 = 0x0101;
    /// Write one register.
    pub const WRITE_REGISTER: u16 = 0x0202;
    /// Write a file to RAM; data follow.
    pub const WRITE_FILE: u16 = 0x0404;
    /// Ask how the boot went so far.
    pub const ERROR_STATUS: u16 = 0x0505;
    /// Write a command sequence file; data follow.
    pub const WRITE_CSF: u16 = 0x0606;
    /// Run device configuration data; they follow.
    pub const DCD_WRITE: u16 = 0x0A0A;
    /// Start an image.
    pub const JUMP_ADDRESS: u16 = 0x0B0B;
    /// Leave out the image's device configuration data.
    pub const SKIP_DCD_HEADER: u16 = 0x0C0C;
    /// UART: change the baud rate.
    pub const SET_BAUDRATE: u16 = 0x0D0D;
}

/// HAB word: the chip runs anything.
pub const HAB_OPEN: u32 = 0x5678_7856;
/// HAB word: the chip runs signed images only.
pub const HAB_CLOSED: u32 = 0x1234_3412;
/// Status: register or device configuration data written.
pub const WRITTEN: u32 = 0x128A_8A12;
/// Status: file written.
pub const FILE_WRITTEN: u32 = 0x8888_8888;
/// Status: done, of skip-dcd and set-baudrate. Hosts disagree on its byte order: SPSDK reads it
/// big-endian, U-Boot sends it little-endian.
pub const DONE: u32 = 0x900D_D009;
/// Error status: success.
pub const HAB_SUCCESS: u32 = 0xF0F0_F0F0;
/// Error status: failure. A blank chip says so although all works.
pub const HAB_FAILURE: u32 = 0x3333_3333;
/// Error status: warning.
pub const HAB_WARNING: u32 = 0x6969_6969;

/// Size of the units a register is accessed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 8 bits, sent as 08.
    Byte,
    /// 16 bits, sent as 10.
    Half,
    /// 32 bits, sent as 20.
    Word,
}

impl Format {
    /// The byte on the wire: bits in a unit.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::Byte => 0x08,
            Self::Half => 0x10,
            Self::Word => 0x20,
        }
    }

    /// Bytes in a unit.
    #[must_use]
    pub fn size(self) -> u32 {
        u32::from(self.bits() / 8)
    }
}

/// One command block. All values can be represented, also ones no ROM knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// What to do; see [`kind`].
    pub kind: u16,
    /// Where; the baud rate for [`kind::SET_BAUDRATE`].
    pub address: u32,
    /// Bits in a unit; 0 when unused.
    pub format: u8,
    /// Bytes of data.
    pub count: u32,
    /// The value of a register.
    pub data: u32,
}

impl Command {
    /// Asks how the boot went so far.
    #[must_use]
    pub fn error_status() -> Self {
        Self::of(kind::ERROR_STATUS, 0, 0)
    }

    /// Reads `count` bytes from `address`.
    #[must_use]
    pub fn read_register(address: u32, format: Format, count: u32) -> Self {
        Self {
            format: format.bits(),
            ..Self::of(kind::READ_REGISTER, address, count)
        }
    }

    /// Writes `value` to the register at `address`.
    #[must_use]
    pub fn write_register(address: u32, format: Format, value: u32) -> Self {
        Self {
            format: format.bits(),
            data: value,
            ..Self::of(kind::WRITE_REGISTER, address, format.size())
        }
    }

    /// Writes `count` bytes, sent as data, to `address`.
    #[must_use]
    pub fn write_file(address: u32, count: u32) -> Self {
        Self::of(kind::WRITE_FILE, address, count)
    }

    /// Writes a command sequence file of `count` bytes, sent as data, to `address`.
    #[must_use]
    pub fn write_csf(address: u32, count: u32) -> Self {
        Self::of(kind::WRITE_CSF, address, count)
    }

    /// Runs `count` bytes of device configuration data, put at `address` for that.
    #[must_use]
    pub fn dcd_write(address: u32, count: u32) -> Self {
        Self::of(kind::DCD_WRITE, address, count)
    }

    /// Starts the image whose vector table (IVT) is at `address`.
    #[must_use]
    pub fn jump_address(address: u32) -> Self {
        Self::of(kind::JUMP_ADDRESS, address, 0)
    }

    /// Leaves out the image's device configuration data.
    #[must_use]
    pub fn skip_dcd() -> Self {
        Self::of(kind::SKIP_DCD_HEADER, 0, 0)
    }

    /// Changes the baud rate of the UART.
    #[must_use]
    pub fn set_baudrate(baud: u32) -> Self {
        Self::of(kind::SET_BAUDRATE, baud, 0)
    }

    fn of(kind: u16, address: u32, count: u32) -> Self {
        Self {
            kind,
            address,
            count,
            ..Self::default()
        }
    }

    /// Whether data follow the block.
    #[must_use]
    pub fn sends_data(&self) -> bool {
        matches!(
            self.kind,
            kind::WRITE_FILE | kind::WRITE_CSF | kind::DCD_WRITE
        )
    }

    /// Whether a status word says that the command was carried out. Error-status only reports:
    /// whatever it says is an answer.
    #[must_use]
    pub fn is_done_by(&self, status: u32) -> bool {
        match self.kind {
            kind::WRITE_FILE => status == FILE_WRITTEN,
            kind::WRITE_REGISTER | kind::WRITE_CSF | kind::DCD_WRITE => status == WRITTEN,
            kind::SKIP_DCD_HEADER | kind::SET_BAUDRATE => {
                status == DONE || status == DONE.swap_bytes()
            }
            // Success is silence.
            kind::JUMP_ADDRESS => false,
            _ => true,
        }
    }

    /// The 16 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK] {
        let [k0, k1] = self.kind.to_be_bytes();
        let [a0, a1, a2, a3] = self.address.to_be_bytes();
        let [c0, c1, c2, c3] = self.count.to_be_bytes();
        let [d0, d1, d2, d3] = self.data.to_be_bytes();
        let format = self.format;
        [
            k0, k1, a0, a1, a2, a3, format, c0, c1, c2, c3, d0, d1, d2, d3, 0,
        ]
    }

    /// Reads the first 16 bytes; what follows is padding.
    ///
    /// # Errors
    /// [`Malformed::Short`] for fewer bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some(block) = bytes.first_chunk::<BLOCK>() else {
            return Err(Malformed::Short {
                need: BLOCK,
                got: bytes.len(),
            });
        };
        let [
            k0,
            k1,
            a0,
            a1,
            a2,
            a3,
            format,
            c0,
            c1,
            c2,
            c3,
            d0,
            d1,
            d2,
            d3,
            _,
        ] = *block;
        Ok(Self {
            kind: u16::from_be_bytes([k0, k1]),
            address: u32::from_be_bytes([a0, a1, a2, a3]),
            format,
            count: u32::from_be_bytes([c0, c1, c2, c3]),
            data: u32::from_be_bytes([d0, d1, d2, d3]),
        })
    }
}
