//! What goes over the wire: requests, states, status codes, and the functional descriptor.

use std::time::Duration;

use crate::Malformed;
use crate::usb::kind;

/// Values of `bRequest`. Source: USB DFU 1.1, table 3.2.
pub mod request {
    /// OUT, `wValue` is a time in ms: leave.
    pub const DETACH: u8 = 0;
    /// OUT, `wValue` is the block number: a block to write; without data, the end of them.
    pub const DNLOAD: u8 = 1;
    /// IN, `wValue` is the block number: a block to read.
    pub const UPLOAD: u8 = 2;
    /// IN, six bytes, see [`Report`](super::Report).
    pub const GETSTATUS: u8 = 3;
    /// OUT: forget an error.
    pub const CLRSTATUS: u8 = 4;
    /// IN, one byte, see [`State`](super::State).
    pub const GETSTATE: u8 = 5;
    /// OUT: forget what was begun.
    pub const ABORT: u8 = 6;
}

/// `bInterfaceClass`, `bInterfaceSubClass`, `bInterfaceProtocol` of an interface in DFU mode.
/// Source: USB DFU 1.1, table 4.4.
pub const CLASS: [u8; 3] = [0xFE, 0x01, 0x02];

/// Where a device stands. Source: USB DFU 1.1, section 6.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The application runs.
    AppIdle,
    /// The application was told to leave.
    AppDetach,
    /// Nothing is under way.
    Idle,
    /// A block came and waits for GETSTATUS.
    DownloadSync,
    /// A block is being written.
    DownloadBusy,
    /// A block was written; the next one may come.
    DownloadIdle,
    /// The last block came.
    ManifestSync,
    /// The device makes use of what came.
    Manifest,
    /// It did, and wants a reset.
    ManifestWaitReset,
    /// A block was read; the next one may be asked for.
    UploadIdle,
    /// Something failed; the status says what.
    Error,
}

impl State {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 11] = [
        Self::AppIdle,
        Self::AppDetach,
        Self::Idle,
        Self::DownloadSync,
        Self::DownloadBusy,
        Self::DownloadIdle,
        Self::ManifestSync,
        Self::Manifest,
        Self::ManifestWaitReset,
        Self::UploadIdle,
        Self::Error,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The state a number means.
    #[must_use]
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The standard's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppIdle => "appIDLE",
            Self::AppDetach => "appDETACH",
            Self::Idle => "dfuIDLE",
            Self::DownloadSync => "dfuDNLOAD-SYNC",
            Self::DownloadBusy => "dfuDNBUSY",
            Self::DownloadIdle => "dfuDNLOAD-IDLE",
            Self::ManifestSync => "dfuMANIFEST-SYNC",
            Self::Manifest => "dfuMANIFEST",
            Self::ManifestWaitReset => "dfuMANIFEST-WAIT-RESET",
            Self::UploadIdle => "dfuUPLOAD-IDLE",
            Self::Error => "dfuERROR",
        }
    }
}

/// Why an operation failed, or [`OK`](Self::OK). Any byte is one: unknown numbers are kept.
///
/// Source: USB DFU 1.1, section 6.1.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// No error.
    pub const OK: Self = Self(0x00);
    /// The file is not for this device; ST uses it for an address outside every memory.
    pub const TARGET: Self = Self(0x01);
    /// The file fails a check.
    pub const FILE: Self = Self(0x02);
    /// The memory could not be written.
    pub const WRITE: Self = Self(0x03);
    /// The memory could not be erased.
    pub const ERASE: Self = Self(0x04);
    /// The memory is not erased after an erase.
    pub const CHECK_ERASED: Self = Self(0x05);
    /// Programming failed.
    pub const PROGRAM: Self = Self(0x06);
    /// What was programmed reads back differently.
    pub const VERIFY: Self = Self(0x07);
    /// The address is out of range.
    pub const ADDRESS: Self = Self(0x08);
    /// The end was announced too early.
    pub const NOT_DONE: Self = Self(0x09);
    /// The firmware is damaged; the device cannot return to it.
    pub const FIRMWARE: Self = Self(0x0A);
    /// A reason of the maker's own; ST uses it for protected memory.
    pub const VENDOR: Self = Self(0x0B);
    /// A bus reset nobody expected.
    pub const USB_RESET: Self = Self(0x0C);
    /// A power-on reset nobody expected.
    pub const POWER_ON: Self = Self(0x0D);
    /// Something else.
    pub const UNKNOWN: Self = Self(0x0E);
    /// A request that did not fit was refused.
    pub const STALLED: Self = Self(0x0F);

    /// The standard's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OK => "OK",
            Self::TARGET => "errTARGET",
            Self::FILE => "errFILE",
            Self::WRITE => "errWRITE",
            Self::ERASE => "errERASE",
            Self::CHECK_ERASED => "errCHECK_ERASED",
            Self::PROGRAM => "errPROG",
            Self::VERIFY => "errVERIFY",
            Self::ADDRESS => "errADDRESS",
            Self::NOT_DONE => "errNOTDONE",
            Self::FIRMWARE => "errFIRMWARE",
            Self::VENDOR => "errVENDOR",
            Self::USB_RESET => "errUSBR",
            Self::POWER_ON => "errPOR",
            Self::UNKNOWN => "errUNKNOWN",
            Self::STALLED => "errSTALLEDPKT",
            Self(_) => "a status the standard does not know",
        }
    }
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:#04x})", self.name(), self.0)
    }
}

/// The answer to GETSTATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What went wrong, if anything.
    pub status: Status,
    /// How long the device asks the host to keep silent: whole milliseconds, less than 2^24.
    pub poll: Duration,
    /// The state the device is in once this answer was sent.
    pub state: State,
    /// `iString`: a string descriptor with the reason, 0 for none.
    pub string: u8,
}

impl Report {
    /// Bytes of the answer.
    pub const LEN: usize = 6;

    /// A report without a string.
    #[must_use]
    pub const fn new(status: Status, poll: Duration, state: State) -> Self {
        Self {
            status,
            poll,
            state,
            string: 0,
        }
    }

    /// Reads `bStatus u8 | bwPollTimeout u24 LE, ms | bState u8 | iString u8`.
    ///
    /// # Errors
    /// [`Malformed::Short`] unless exactly six bytes came, [`Malformed::Field`] for a state the
    /// standard does not know.
    ///
    /// Source: USB DFU 1.1, section 6.1.2.
    pub fn decode(reply: &[u8]) -> Result<Self, Malformed> {
        let [status, p0, p1, p2, state, string] =
            reply.try_into().map_err(|_| Malformed::Short {
                need: Self::LEN,
                got: reply.len(),
            })?;
        Ok(Self {
            status: Status(status),
            poll: Duration::from_millis(u32::from_le_bytes([p0, p1, p2, 0]).into()),
            state: State::of(state).ok_or(Malformed::Field {
                field: "bState",
                value: state.into(),
            })?,
            string,
        })
    }

    /// Writes the six bytes. A longer poll time than 24 bits hold becomes the longest they hold.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let millis = u32::try_from(self.poll.as_millis()).unwrap_or(u32::MAX);
        let [p0, p1, p2, _] = millis.min(0x00FF_FFFF).to_le_bytes();
        [self.status.0, p0, p1, p2, self.state.code(), self.string]
    }
}

/// The DFU functional descriptor:
/// `bLength | 0x21 | bmAttributes | wDetachTimeOut u16 | wTransferSize u16 | bcdDFUVersion u16`.
///
/// Source: USB DFU 1.1, section 4.2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Functional {
    /// `bmAttributes`, see the constants.
    pub attributes: u8,
    /// `wDetachTimeOut`, ms.
    pub detach_timeout: u16,
    /// `wTransferSize`: most bytes of one block.
    pub transfer_size: u16,
    /// `bcdDFUVersion`: 0x0100, 0x0101 or 0x0110 for plain DFU, 0x011A for DfuSe.
    pub version: u16,
}

impl Functional {
    /// Bytes of the descriptor since DFU 1.0a.
    pub const LEN: usize = 9;
    /// Attribute: the device takes blocks.
    pub const CAN_DOWNLOAD: u8 = 0x01;
    /// Attribute: the device gives blocks.
    pub const CAN_UPLOAD: u8 = 0x02;
    /// Attribute: the device can go on talking after manifestation.
    pub const MANIFESTATION_TOLERANT: u8 = 0x04;
    /// Attribute: the device leaves the bus by itself on DETACH.
    pub const WILL_DETACH: u8 = 0x08;
    /// `bcdDFUVersion` of DfuSe.
    pub const DFUSE: u16 = 0x011A;

    /// Reads a functional descriptor. Devices of DFU 1.0 leave out the version: it is 0x0100.
    ///
    /// # Errors
    /// [`Malformed`] for another type, fewer than seven bytes, or a transfer size of 0.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let &[length, found, attributes, d0, d1, t0, t1, ref rest @ ..] = bytes else {
            return Err(Malformed::Short {
                need: 7,
                got: bytes.len(),
            });
        };
        let refuse = |field, value| Err(Malformed::Field { field, value });
        if found != kind::DFU_FUNCTIONAL {
            return refuse("bDescriptorType", found.into());
        }
        if length < 7 {
            return refuse("bLength", length.into());
        }
        let transfer_size = u16::from_le_bytes([t0, t1]);
        if transfer_size == 0 {
            return refuse("wTransferSize", 0);
        }
        Ok(Self {
            attributes,
            detach_timeout: u16::from_le_bytes([d0, d1]),
            transfer_size,
            version: match rest {
                &[v0, v1, ..] if length >= 9 => u16::from_le_bytes([v0, v1]),
                _ => 0x0100,
            },
        })
    }

    /// Writes the nine bytes.
    #[must_use]
    pub const fn encode(&self) -> [u8; Self::LEN] {
        let [d0, d1] = self.detach_timeout.to_le_bytes();
        let [t0, t1] = self.transfer_size.to_le_bytes();
        let [v0, v1] = self.version.to_le_bytes();
        let kind = kind::DFU_FUNCTIONAL;
        [9, kind, self.attributes, d0, d1, t0, t1, v0, v1]
    }
}
