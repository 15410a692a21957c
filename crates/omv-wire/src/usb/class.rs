//! Descriptors and data of the classes a camera shows: CDC-ACM and HID.

use super::descriptor::{descriptors, fixed, kind};
use crate::Malformed;

/// Subtypes of CDC functional descriptors. Source: CDC 1.2 table 13.
mod subtype {
    pub const HEADER: u8 = 0x00;
    pub const CALL_MANAGEMENT: u8 = 0x01;
    pub const ABSTRACT_CONTROL: u8 = 0x02;
    pub const UNION: u8 = 0x06;
}

/// The four functional descriptors of a CDC-ACM control interface. Without the union a host falls
/// back to call management, and without both Linux ignores the interface.
///
/// Sources: CDC 1.2 section 5.2.3; PSTN 1.2 section 5.3; Linux drivers/usb/class/cdc-acm.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdcFunctional {
    /// `bcdCDC`, 0x0110 or 0x0120.
    pub version: u16,
    /// Number of the control interface.
    pub control: u8,
    /// Number of the data interface.
    pub data: u8,
    /// `bmCapabilities` of call management, usually 0.
    pub call_management: u8,
    /// `bmCapabilities` of the abstract control model; 2 announces line coding and line state.
    pub capabilities: u8,
}

impl CdcFunctional {
    /// Writes header, call management, abstract control model and union, 19 bytes.
    pub const fn encode(&self) -> [u8; 19] {
        let [v0, v1] = self.version.to_le_bytes();
        const CS: u8 = kind::CLASS_INTERFACE;
        let (calls, data) = (self.call_management, self.data);
        let (acm, control) = (self.capabilities, self.control);
        [
            // header
            5,
            CS,
            subtype::HEADER,
            v0,
            v1,
            // call management
            5,
            CS,
            subtype::CALL_MANAGEMENT,
            calls,
            data,
            // abstract control model
            4,
            CS,
            subtype::ABSTRACT_CONTROL,
            acm,
            // union
            5,
            CS,
            subtype::UNION,
            control,
            data,
        ]
    }
}

/// The data interface that belongs to a CDC control interface, from that interface's
/// class-specific bytes: the first of the union, else the one call management names.
pub fn cdc_data_interface(extra: &[u8]) -> Option<u8> {
    let find = |wanted: u8| {
        descriptors(extra).flatten().find_map(move |one| match one {
            &[_, kind::CLASS_INTERFACE, found, _, data, ..] if found == wanted => Some(data),
            _ => None,
        })
    };
    find(subtype::UNION).or_else(|| find(subtype::CALL_MANAGEMENT))
}

/// What a serial port is set to: `rate u32 LE, baud | stop bits u8 | parity u8 | data bits u8`.
/// Cameras that watch for a magic rate read it from here.
///
/// Source: CDC PSTN 1.2 table 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCoding {
    /// Bits a second.
    pub rate: u32,
    /// 0 one stop bit, 1 one and a half, 2 two.
    pub stop_bits: u8,
    /// 0 none, 1 odd, 2 even, 3 mark, 4 space.
    pub parity: u8,
    /// 5, 6, 7, 8 or 16.
    pub data_bits: u8,
}

impl LineCoding {
    /// Bytes of a line coding.
    pub const LEN: usize = 7;
    /// The rate that sends a board to its bootloader: a host opens the port at it and closes it
    /// again, no data is sent. Arduino's convention, which MicroPython's boards follow.
    pub const TOUCH_RATE: u32 = 1200;

    /// Reads a line coding.
    ///
    /// # Errors
    /// [`Malformed::Short`] unless exactly seven bytes came.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [r0, r1, r2, r3, stop_bits, parity, data_bits] =
            bytes.try_into().map_err(|_| Malformed::Short {
                need: Self::LEN,
                got: bytes.len(),
            })?;
        Ok(Self {
            rate: u32::from_le_bytes([r0, r1, r2, r3]),
            stop_bits,
            parity,
            data_bits,
        })
    }

    /// Writes the seven bytes.
    pub const fn encode(self) -> [u8; Self::LEN] {
        let [r0, r1, r2, r3] = self.rate.to_le_bytes();
        let (stop, parity, bits) = (self.stop_bits, self.parity, self.data_bits);
        [r0, r1, r2, r3, stop, parity, bits]
    }
}

/// The HID descriptor, which stands between a HID interface and its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HidDescriptor {
    /// `bcdHID`, usually 0x0100 or 0x0111.
    pub version: u16,
    /// `bCountryCode`, 0 for none.
    pub country: u8,
    /// Bytes of the report descriptor.
    pub report_length: u16,
}

impl HidDescriptor {
    /// Bytes of a HID descriptor that names a report descriptor and nothing else.
    pub const LEN: usize = 9;

    /// Reads the nine bytes up to the first class descriptor, which must be the report's.
    ///
    /// # Errors
    /// [`Malformed`] when they are no HID descriptor.
    ///
    /// Source: HID 1.11 section 6.2.1.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [_, _, v0, v1, country, count, first, l0, l1] =
            fixed::<{ Self::LEN }>(bytes, kind::HID)?;
        if count == 0 || first != kind::REPORT {
            return Err(Malformed::Field {
                field: "bDescriptorType",
                value: first.into(),
            });
        }
        Ok(Self {
            version: u16::from_le_bytes([v0, v1]),
            country,
            report_length: u16::from_le_bytes([l0, l1]),
        })
    }

    /// Writes the nine bytes.
    pub const fn encode(&self) -> [u8; Self::LEN] {
        let [v0, v1] = self.version.to_le_bytes();
        let [l0, l1] = self.report_length.to_le_bytes();
        let (length, country) = (Self::LEN as u8, self.country);
        [length, kind::HID, v0, v1, country, 1, kind::REPORT, l0, l1]
    }
}
