//! The two kinds of heads USB/IP knows, 8 bytes for operations and 48 for transfers, and its
//! numbers for how things ended.

use crate::Malformed;
use crate::usb::{Direction, Setup, Speed, UrbStatus};

/// Protocol 1.1.1. Both sides refuse any other value.
pub const VERSION: u16 = 0x0111;
/// Most devices accepted in a list.
pub const MAX_DEVICES: u32 = 256;
/// Most bytes of one transfer. Linux asks for 120 KiB at most by itself; programs may ask more.
pub const MAX_TRANSFER: u32 = 4 << 20;
/// Most packets of an isochronous transfer (Linux drivers/usb/usbip/usbip_common.h,
/// `USBIP_MAX_ISO_PACKETS`).
pub const MAX_ISO_PACKETS: u32 = 1024;

/// Codes of operations; the reply's code is the request's without bit 15.
pub mod op {
    /// Asks for the list of devices.
    pub const REQ_DEVLIST: u16 = 0x8005;
    /// The list of devices.
    pub const REP_DEVLIST: u16 = 0x0005;
    /// Asks for a device by its bus id.
    pub const REQ_IMPORT: u16 = 0x8003;
    /// The device asked for, or a refusal.
    pub const REP_IMPORT: u16 = 0x0003;
}

/// Bits of `transfer_flags` (Linux include/uapi/linux/usbip.h). Bits 16 and up are the client's
/// own.
pub mod flag {
    /// A short read is an error to the caller.
    pub const SHORT_NOT_OK: u32 = 0x0001;
    /// End a bulk OUT transfer of whole packets with an empty one.
    pub const ZERO_PACKET: u32 = 0x0040;
    /// The transfer goes to the host.
    pub const DIR_IN: u32 = 0x0200;
}

/// Linux errno values a transfer's status carries, on every platform.
pub mod errno {
    /// `ENOENT`: taken back.
    pub const ENOENT: i32 = -2;
    /// `ENODEV`: the device is gone.
    pub const ENODEV: i32 = -19;
    /// `EINVAL`: refused without a try.
    pub const EINVAL: i32 = -22;
    /// `EPIPE`: stall.
    pub const EPIPE: i32 = -32;
    /// `EPROTO`: bit errors, or no answer.
    pub const EPROTO: i32 = -71;
    /// `EOVERFLOW`: the device sent more than was asked for.
    pub const EOVERFLOW: i32 = -75;
    /// `ECONNRESET`: taken back.
    pub const ECONNRESET: i32 = -104;
    /// `ESHUTDOWN`: the device is gone.
    pub const ESHUTDOWN: i32 = -108;
}

/// The number a status travels as. An error never travels as a success.
///
/// Source: Linux Documentation/driver-api/usb/error-codes.rst.
pub const fn errno_of(status: UrbStatus) -> i32 {
    match status {
        UrbStatus::Ok => 0,
        UrbStatus::Stall => errno::EPIPE,
        UrbStatus::Gone => errno::ENODEV,
        UrbStatus::Unlinked => errno::ECONNRESET,
        UrbStatus::Error(number) if number < 0 => number,
        UrbStatus::Error(_) => errno::EPROTO,
    }
}

/// The status a number stands for.
pub const fn status_of(number: i32) -> UrbStatus {
    match number {
        0 => UrbStatus::Ok,
        errno::EPIPE => UrbStatus::Stall,
        errno::ENODEV | errno::ESHUTDOWN => UrbStatus::Gone,
        errno::ECONNRESET | errno::ENOENT => UrbStatus::Unlinked,
        other => UrbStatus::Error(other),
    }
}

/// The number a speed travels as, and Linux's `vhci_hcd` wants in its `attach` file.
pub const fn speed_code(speed: Speed) -> u32 {
    match speed {
        Speed::Low => 1,
        Speed::Full => 2,
        Speed::High => 3,
        Speed::Super => 5,
        Speed::SuperPlus => 6,
    }
}

/// The speed a number stands for. Unknown (0) and wireless (4) are none of ours.
pub const fn speed_of(code: u32) -> Option<Speed> {
    match code {
        1 => Some(Speed::Low),
        2 => Some(Speed::Full),
        3 => Some(Speed::High),
        5 => Some(Speed::Super),
        6 => Some(Speed::SuperPlus),
        _ => None,
    }
}

/// How a server answers an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpStatus {
    /// Done.
    Ok,
    /// The device cannot be had.
    NotAvailable,
    /// Someone else uses the device.
    Busy,
    /// The device is in a state of error.
    DeviceError,
    /// There is no such device.
    NoDevice,
    /// Something else went wrong.
    Error,
    /// A number the protocol does not define.
    Other(u32),
}

impl OpStatus {
    /// The number it travels as.
    pub const fn code(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::NotAvailable => 1,
            Self::Busy => 2,
            Self::DeviceError => 3,
            Self::NoDevice => 4,
            Self::Error => 5,
            Self::Other(code) => code,
        }
    }

    /// The status a number stands for.
    ///
    /// Source: Linux tools/usb/usbip/libsrc/usbip_common.h, `ST_OK` and following.
    pub const fn of(code: u32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::NotAvailable,
            2 => Self::Busy,
            3 => Self::DeviceError,
            4 => Self::NoDevice,
            5 => Self::Error,
            other => Self::Other(other),
        }
    }

    /// What it means, in words for a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::NotAvailable => "the device is not available",
            Self::Busy => "the device is in use by someone else",
            Self::DeviceError => "the device is in an error state",
            Self::NoDevice => "the server has no such device",
            Self::Error | Self::Other(_) => "the server could not do it",
        }
    }
}

/// The head of an operation: `version u16 | code u16 | status u32`, big endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpHead {
    /// One of [`op`].
    pub code: u16,
    /// 0 in requests.
    pub status: OpStatus,
}

impl OpHead {
    /// Bytes of the head.
    pub const LEN: usize = 8;

    /// Reads the eight bytes.
    ///
    /// # Errors
    /// [`Malformed::Field`] for another version than [`VERSION`].
    pub const fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Malformed> {
        let &[v0, v1, c0, c1, s0, s1, s2, s3] = bytes;
        let version = u16::from_be_bytes([v0, v1]);
        if version != VERSION {
            return Err(Malformed::Field {
                field: "version",
                value: version as u64,
            });
        }
        Ok(Self {
            code: u16::from_be_bytes([c0, c1]),
            status: OpStatus::of(u32::from_be_bytes([s0, s1, s2, s3])),
        })
    }

    /// Writes the eight bytes.
    pub const fn encode(self) -> [u8; Self::LEN] {
        let [v0, v1] = VERSION.to_be_bytes();
        let [c0, c1] = self.code.to_be_bytes();
        let [s0, s1, s2, s3] = self.status.code().to_be_bytes();
        [v0, v1, c0, c1, s0, s1, s2, s3]
    }
}

/// A transfer's head, asked for by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CmdSubmit {
    /// Names the transfer on this connection; neither dense nor starting at 1.
    pub seqnum: u32,
    /// `busnum << 16 | devnum`.
    pub devid: u32,
    /// Which way the data goes.
    pub direction: Direction,
    /// Endpoint number, 0 to 15.
    pub endpoint: u8,
    /// Bits of [`flag`].
    pub flags: u32,
    /// `transfer_buffer_length`, bytes; that many follow when the data goes out.
    pub length: u32,
    /// Isochronous only; Linux sends 0xFFFFFFFF with interrupt transfers.
    pub start_frame: u32,
    /// Isochronous packets; 0 or 0xFFFFFFFF for all other transfers.
    pub packets: u32,
    /// Frames or microframes between polls.
    pub interval: u32,
    /// Endpoint 0's setup packet. Elsewhere it means nothing and may hold leftovers.
    pub setup: [u8; Setup::LEN],
}

impl CmdSubmit {
    /// How many 16-byte descriptors of isochronous packets follow head and data.
    pub const fn iso_packets(&self) -> u32 {
        match self.packets {
            u32::MAX => 0,
            count => count,
        }
    }
}

/// The end of a transfer, told by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetSubmit {
    /// Which transfer.
    pub seqnum: u32,
    /// 0, or one of [`errno`].
    pub status: i32,
    /// `actual_length`, bytes; that many follow when the data comes in.
    pub actual: u32,
    /// Isochronous only.
    pub start_frame: u32,
    /// Isochronous packets; 0 or 0xFFFFFFFF for all other transfers.
    pub packets: u32,
    /// Isochronous only.
    pub errors: u32,
}

/// The four heads of the transfer phase, 48 bytes each: twelve big-endian words, of which the
/// last two are setup bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// Asks for a transfer.
    CmdSubmit(CmdSubmit),
    /// Takes a transfer back.
    CmdUnlink {
        /// Names this request, from the same numbers as transfers.
        seqnum: u32,
        /// `busnum << 16 | devnum`.
        devid: u32,
        /// The transfer to take back.
        target: u32,
    },
    /// A transfer ended.
    RetSubmit(RetSubmit),
    /// A transfer was taken back, or had ended before.
    RetUnlink {
        /// The request this answers, not the transfer.
        seqnum: u32,
        /// -104 when the transfer was still waiting, 0 when it had ended before.
        status: i32,
    },
}

impl Pdu {
    /// Bytes of a head.
    pub const LEN: usize = 48;

    /// Reads a head. Device, direction and endpoint of replies are ignored, as Linux does.
    ///
    /// # Errors
    /// [`Malformed::Field`] for an unknown command, direction or endpoint, for a length over
    /// [`MAX_TRANSFER`] (negative ones are that) and more than [`MAX_ISO_PACKETS`].
    ///
    /// Source: Linux Documentation/usb/usbip_protocol.rst.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Malformed> {
        let mut words = [0_u32; 12];
        for (word, four) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*four);
        }
        let [
            command,
            seqnum,
            devid,
            direction,
            endpoint,
            w5,
            w6,
            w7,
            w8,
            w9,
            s0,
            s1,
        ] = words;
        match command {
            1 => Ok(Self::CmdSubmit(CmdSubmit {
                seqnum,
                devid,
                direction: match direction {
                    0 => Direction::Out,
                    1 => Direction::In,
                    _ => return Err(wrong("direction", direction)),
                },
                endpoint: match u8::try_from(endpoint) {
                    Ok(number @ 0..=15) => number,
                    _ => return Err(wrong("ep", endpoint)),
                },
                flags: w5,
                length: at_most(MAX_TRANSFER, "transfer_buffer_length", w6)?,
                start_frame: w7,
                packets: match w8 {
                    u32::MAX => w8,
                    _ => at_most(MAX_ISO_PACKETS, "number_of_packets", w8)?,
                },
                interval: w9,
                setup: (u64::from(s0) << 32 | u64::from(s1)).to_be_bytes(),
            })),
            2 => Ok(Self::CmdUnlink {
                seqnum,
                devid,
                target: w5,
            }),
            3 => Ok(Self::RetSubmit(RetSubmit {
                seqnum,
                status: w5.cast_signed(),
                actual: at_most(MAX_TRANSFER, "actual_length", w6)?,
                start_frame: w7,
                packets: w8,
                errors: w9,
            })),
            4 => Ok(Self::RetUnlink {
                seqnum,
                status: w5.cast_signed(),
            }),
            _ => Err(wrong("command", command)),
        }
    }

    /// Writes the 48 bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let words = match *self {
            Self::CmdSubmit(c) => {
                let setup = u64::from_be_bytes(c.setup);
                [
                    1,
                    c.seqnum,
                    c.devid,
                    u32::from(c.direction == Direction::In),
                    c.endpoint.into(),
                    c.flags,
                    c.length,
                    c.start_frame,
                    c.packets,
                    c.interval,
                    (setup >> 32) as u32,
                    setup as u32,
                ]
            }
            Self::CmdUnlink {
                seqnum,
                devid,
                target,
            } => [2, seqnum, devid, 0, 0, target, 0, 0, 0, 0, 0, 0],
            Self::RetSubmit(r) => [
                3,
                r.seqnum,
                0,
                0,
                0,
                r.status.cast_unsigned(),
                r.actual,
                r.start_frame,
                r.packets,
                r.errors,
                0,
                0,
            ],
            Self::RetUnlink { seqnum, status } => {
                [4, seqnum, 0, 0, 0, status.cast_unsigned(), 0, 0, 0, 0, 0, 0]
            }
        };
        let mut bytes = [0; Self::LEN];
        for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *four = word.to_be_bytes();
        }
        bytes
    }
}

fn wrong(field: &'static str, value: u32) -> Malformed {
    Malformed::Field {
        field,
        value: value.into(),
    }
}

fn at_most(limit: u32, field: &'static str, value: u32) -> Result<u32, Malformed> {
    if value > limit {
        return Err(wrong(field, value));
    }
    Ok(value)
}
