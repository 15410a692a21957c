//! The eight bytes that open every control transfer.

use super::{Direction, ReportKind};
use crate::Malformed;

/// Values of `bRequest`. Their meaning depends on [`RequestKind`] and, for class requests, on the
/// class of the interface addressed.
///
/// Sources: USB 2.0 table 9-4; HID 1.11 section 7.2; CDC PSTN 1.2 table 13; Mass Storage
/// Bulk-Only 1.0 section 3.
pub mod request {
    /// Standard: two bytes of self-powered, remote-wakeup or halt bits.
    pub const GET_STATUS: u8 = 0x00;
    /// Standard: clears a feature, above all an endpoint's halt.
    pub const CLEAR_FEATURE: u8 = 0x01;
    /// Standard: sets a feature.
    pub const SET_FEATURE: u8 = 0x03;
    /// Standard: the host controller's own; it never reaches a USB/IP server.
    pub const SET_ADDRESS: u8 = 0x05;
    /// Standard: type in the high byte of `wValue`, index in the low byte.
    pub const GET_DESCRIPTOR: u8 = 0x06;
    /// Standard, optional, and refused by every camera.
    pub const SET_DESCRIPTOR: u8 = 0x07;
    /// Standard: one byte, the active configuration's value.
    pub const GET_CONFIGURATION: u8 = 0x08;
    /// Standard: activates a configuration; 0 leaves the configured state.
    pub const SET_CONFIGURATION: u8 = 0x09;
    /// Standard: one byte, the active alternate setting.
    pub const GET_INTERFACE: u8 = 0x0A;
    /// Standard: selects an alternate setting.
    pub const SET_INTERFACE: u8 = 0x0B;

    /// HID: reads a report over the control endpoint.
    pub const GET_REPORT: u8 = 0x01;
    /// HID: reads the idle rate.
    pub const GET_IDLE: u8 = 0x02;
    /// HID: reads boot or report protocol.
    pub const GET_PROTOCOL: u8 = 0x03;
    /// HID: sends a report over the control endpoint.
    pub const SET_REPORT: u8 = 0x09;
    /// HID: sets the idle rate; a device may stall it.
    pub const SET_IDLE: u8 = 0x0A;
    /// HID: selects boot or report protocol.
    pub const SET_PROTOCOL: u8 = 0x0B;

    /// CDC: seven bytes, see [`LineCoding`](crate::usb::LineCoding).
    pub const SET_LINE_CODING: u8 = 0x20;
    /// CDC: reads the seven bytes back.
    pub const GET_LINE_CODING: u8 = 0x21;
    /// CDC: DTR in bit 0 of `wValue`, RTS in bit 1.
    pub const SET_CONTROL_LINE_STATE: u8 = 0x22;
    /// CDC: a break of `wValue` milliseconds.
    pub const SEND_BREAK: u8 = 0x23;

    /// Mass storage: one byte, the highest logical unit.
    pub const GET_MAX_LUN: u8 = 0xFE;
    /// Mass storage: the bulk-only reset.
    pub const MASS_STORAGE_RESET: u8 = 0xFF;
}

/// Feature selectors for `SET_FEATURE` and `CLEAR_FEATURE`. Source: USB 2.0 table 9-6.
pub mod feature {
    /// An endpoint's halt.
    pub const ENDPOINT_HALT: u16 = 0;
    /// The device may wake the host.
    pub const DEVICE_REMOTE_WAKEUP: u16 = 1;
}

/// Who defined a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// USB itself.
    Standard,
    /// The class of the interface.
    Class,
    /// The maker of the device.
    Vendor,
    /// Nobody yet.
    Reserved,
}

/// Whom a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The whole device.
    Device,
    /// The interface in the low byte of `wIndex`.
    Interface,
    /// The endpoint address in the low byte of `wIndex`.
    Endpoint,
    /// Something else, as the five bits say.
    Other(u8),
}

/// One control request:
/// `bmRequestType u8 | bRequest u8 | wValue u16 LE | wIndex u16 LE | wLength u16 LE`.
///
/// Source: USB 2.0 table 9-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// `bmRequestType`: direction, kind and recipient.
    pub request_type: u8,
    /// `bRequest`, see [`request`].
    pub request: u8,
    /// `wValue`.
    pub value: u16,
    /// `wIndex`: an interface number, an endpoint address or a language.
    pub index: u16,
    /// `wLength`, bytes of the data stage; for IN the most the host will take.
    pub length: u16,
}

impl Setup {
    /// Bytes of a setup packet.
    pub const LEN: usize = 8;

    /// Reads a setup packet. Any eight bytes are one.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [request_type, request, v0, v1, i0, i1, l0, l1] = bytes;
        Self {
            request_type,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        }
    }

    /// Reads a setup packet from a slice.
    ///
    /// # Errors
    /// [`Malformed::Short`] unless exactly eight bytes came.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes.try_into().map_err(|_| Malformed::Short {
            need: Self::LEN,
            got: bytes.len(),
        })?;
        Ok(Self::from_bytes(bytes))
    }

    /// Writes the eight bytes.
    pub const fn encode(self) -> [u8; Self::LEN] {
        let [v0, v1] = self.value.to_le_bytes();
        let [i0, i1] = self.index.to_le_bytes();
        let [l0, l1] = self.length.to_le_bytes();
        [self.request_type, self.request, v0, v1, i0, i1, l0, l1]
    }

    /// Which way the data stage goes. With `wLength` 0 there is none and the bit means nothing.
    pub const fn direction(self) -> Direction {
        Direction::of(self.request_type)
    }

    /// Who defined the request.
    pub const fn kind(self) -> RequestKind {
        match (self.request_type >> 5) & 3 {
            0 => RequestKind::Standard,
            1 => RequestKind::Class,
            2 => RequestKind::Vendor,
            _ => RequestKind::Reserved,
        }
    }

    /// Whom the request addresses.
    pub const fn recipient(self) -> Recipient {
        match self.request_type & 0x1F {
            0 => Recipient::Device,
            1 => Recipient::Interface,
            2 => Recipient::Endpoint,
            other => Recipient::Other(other),
        }
    }

    /// High byte of `wValue`: the descriptor type, or the kind of a HID report.
    pub const fn value_high(self) -> u8 {
        self.value.to_be_bytes()[0]
    }

    /// Low byte of `wValue`: the descriptor index, or the id of a HID report.
    pub const fn value_low(self) -> u8 {
        self.value.to_be_bytes()[1]
    }

    /// Low byte of `wIndex`: an interface number or an endpoint address.
    pub const fn index_low(self) -> u8 {
        self.index.to_be_bytes()[1]
    }

    /// `GET_DESCRIPTOR` of the device; `language` is 0 for all but strings.
    pub const fn get_descriptor(kind: u8, index: u8, language: u16, length: u16) -> Self {
        Self {
            request_type: 0x80,
            request: request::GET_DESCRIPTOR,
            value: u16::from_be_bytes([kind, index]),
            index: language,
            length,
        }
    }

    /// `GET_DESCRIPTOR` of an interface: how a HID report descriptor is read.
    pub const fn get_interface_descriptor(kind: u8, interface: u8, length: u16) -> Self {
        Self {
            request_type: 0x81,
            request: request::GET_DESCRIPTOR,
            value: u16::from_be_bytes([kind, 0]),
            index: interface as u16,
            length,
        }
    }

    /// `SET_CONFIGURATION`.
    pub const fn set_configuration(value: u8) -> Self {
        Self {
            request_type: 0x00,
            request: request::SET_CONFIGURATION,
            value: value as u16,
            index: 0,
            length: 0,
        }
    }

    /// `SET_INTERFACE`.
    pub const fn set_interface(interface: u8, alternate: u8) -> Self {
        Self {
            request_type: 0x01,
            request: request::SET_INTERFACE,
            value: alternate as u16,
            index: interface as u16,
            length: 0,
        }
    }

    /// `CLEAR_FEATURE(ENDPOINT_HALT)` for an endpoint address, direction bit included.
    pub const fn clear_halt(address: u8) -> Self {
        Self {
            request_type: 0x02,
            request: request::CLEAR_FEATURE,
            value: feature::ENDPOINT_HALT,
            index: address as u16,
            length: 0,
        }
    }

    /// A class request to an interface, data going out (`bmRequestType` 0x21).
    pub const fn class_out(request: u8, value: u16, interface: u8, length: u16) -> Self {
        Self {
            request_type: 0x21,
            request,
            value,
            index: interface as u16,
            length,
        }
    }

    /// A class request to an interface, data coming in (`bmRequestType` 0xA1).
    pub const fn class_in(request: u8, value: u16, interface: u8, length: u16) -> Self {
        Self {
            request_type: 0xA1,
            request,
            value,
            index: interface as u16,
            length,
        }
    }

    /// HID `SET_REPORT`; the data stage carries the report, its id first when ids are in use.
    pub const fn set_report(kind: ReportKind, id: u8, interface: u8, length: u16) -> Self {
        let value = u16::from_be_bytes([kind.code(), id]);
        Self::class_out(request::SET_REPORT, value, interface, length)
    }

    /// CDC `SET_CONTROL_LINE_STATE`: how a camera learns that a program opened its port.
    pub const fn set_control_line_state(interface: u8, dtr: bool, rts: bool) -> Self {
        let value = dtr as u16 | (rts as u16) << 1;
        Self::class_out(request::SET_CONTROL_LINE_STATE, value, interface, 0)
    }
}
