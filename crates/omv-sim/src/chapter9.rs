//! Standard requests, answered the same for every personality.
//!
//! Source: USB 2.0, chapter 9.

use std::time::Duration;

use omv_wire::usb::{self, Setup};

use crate::Face;

/// English, United States.
const LANGUAGE: [u8; 4] = [4, 3, 0x09, 0x04];

/// Answers one control request; `None` is a STALL.
pub fn answer(face: &mut dyn Face, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
    let to_device = setup.request_type & 0x1F == 0;
    let standard = setup.request_type & 0x60 == 0;
    if !standard {
        return face.control(now, setup, data);
    }
    match setup.request {
        usb::GET_DESCRIPTOR if to_device => {
            let [index, kind] = setup.value.to_le_bytes();
            match kind {
                usb::DEVICE => Some(face.device()),
                usb::CONFIGURATION if index == 0 => Some(face.configuration()),
                usb::STRING if index == 0 => Some(LANGUAGE.to_vec()),
                usb::STRING => Some(usb::string_descriptor(&face.string(index)?)),
                _ => None,
            }
        }
        usb::SET_CONFIGURATION => {
            face.configured(now);
            Some(Vec::new())
        }
        usb::GET_CONFIGURATION => Some(vec![1]),
        usb::GET_STATUS => Some(vec![0, 0]),
        usb::GET_INTERFACE => Some(vec![0]),
        usb::SET_INTERFACE | usb::CLEAR_FEATURE | usb::SET_FEATURE => Some(Vec::new()),
        _ => face.control(now, setup, data),
    }
}
