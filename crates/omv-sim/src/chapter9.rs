//! Standard requests, answered the same for every personality.
//!
//! Source: USB 2.0, chapter 9.

use std::time::Duration;

use omv_wire::usb::{
    Recipient, RequestKind, Setup, encode_languages, encode_string, feature, kind, request,
};

use crate::Face;

/// English, United States.
const LANGUAGE: u16 = 0x0409;

/// Answers one control request; `None` is a STALL.
pub fn answer(face: &mut dyn Face, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
    if setup.kind() != RequestKind::Standard {
        return face.control(now, setup, data);
    }
    match (setup.request, setup.value_high(), setup.value_low()) {
        (request::GET_DESCRIPTOR, kind::DEVICE, 0) => Some(face.device().encode().to_vec()),
        (request::GET_DESCRIPTOR, kind::CONFIGURATION, 0) => Some(face.configuration()),
        (request::GET_DESCRIPTOR, kind::STRING, 0) => encode_languages(&[LANGUAGE]).ok(),
        (request::GET_DESCRIPTOR, kind::STRING, index) => encode_string(&face.string(index)?).ok(),
        (request::SET_CONFIGURATION, _, 0) => {
            face.unconfigured(now);
            Some(Vec::new())
        }
        (request::SET_CONFIGURATION, _, _) => {
            face.configured(now);
            Some(Vec::new())
        }
        (request::GET_CONFIGURATION, _, _) => Some(vec![1]),
        (request::GET_STATUS, _, _) => Some(vec![0, 0]),
        (request::GET_INTERFACE, _, _) => face.control(now, setup, data).or(Some(vec![0])),
        (request::SET_INTERFACE, _, _) => face.control(now, setup, data).or(Some(Vec::new())),
        (request::CLEAR_FEATURE, _, _) => {
            if setup.recipient() == Recipient::Endpoint && setup.value == feature::ENDPOINT_HALT {
                face.clear_halt(setup.index as u8);
            }
            Some(Vec::new())
        }
        (request::SET_FEATURE, _, _) => Some(Vec::new()),
        _ => face.control(now, setup, data),
    }
}
