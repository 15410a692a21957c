//! The USB face of the chip's mask ROM.

use std::time::Duration;

use omv_wire::usb::{DeviceDescriptor, Setup, Speed};

use super::Quirks;
use crate::Face;

/// The ROM on USB.
pub struct RomFace {}

impl RomFace {
    /// A ROM that just started.
    pub fn new(_quirks: Quirks) -> Self {
        Self {}
    }

    /// Whether it jumps, and whether what it jumps to works.
    pub fn leaves(&mut self, _now: Duration) -> Option<bool> {
        None
    }
}

impl Face for RomFace {
    fn speed(&self) -> Speed {
        Speed::High
    }
    fn device(&self) -> DeviceDescriptor {
        DeviceDescriptor {
            usb_version: 0x0200,
            class: 0,
            subclass: 0,
            protocol: 0,
            max_packet_0: 64,
            vendor: 0x1FC9,
            product: 0x0135,
            version: 0x0101,
            manufacturer_string: 1,
            product_string: 2,
            serial_string: 0,
            configurations: 1,
        }
    }
    fn configuration(&self) -> Vec<u8> {
        Vec::new()
    }
    fn string(&self, _index: u8) -> Option<String> {
        None
    }
    fn control(&mut self, _now: Duration, _setup: &Setup, _data: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn out(&mut self, _now: Duration, _endpoint: u8, _data: &[u8]) {}
    fn take(&mut self, _now: Duration, _endpoint: u8, _limit: usize) -> Option<Vec<u8>> {
        None
    }
    fn transfer_time(&self, _endpoint: u8, _bytes: usize) -> Duration {
        Duration::from_micros(500)
    }
    fn next(&self, _now: Duration) -> Option<Duration> {
        None
    }
}
