//! The AE3 with its recovery switch on: the camera is off the bus and a serial bridge is on it,
//! behind which the Secure Enclave waits. Nothing answers here: its protocol is not spoken.

use std::time::Duration;

use omv_boards::UsbId;
use omv_wire::usb::{ConfigurationBuilder, DeviceDescriptor, Setup, Speed, Transfer};

use crate::Face;
use crate::run::bulk_time;

/// A USB serial bridge with its own vendor's protocol.
pub struct BridgeFace {
    usb: UsbId,
}

impl BridgeFace {
    /// The bridge with this id.
    pub fn new(usb: UsbId) -> Self {
        Self { usb }
    }
}

impl Face for BridgeFace {
    fn speed(&self) -> Speed {
        Speed::Full
    }

    fn device(&self) -> DeviceDescriptor {
        DeviceDescriptor {
            usb_version: 0x0200,
            class: 0,
            subclass: 0,
            protocol: 0,
            max_packet_0: 8,
            vendor: self.usb.vid,
            product: self.usb.pid,
            version: 0x1000,
            manufacturer_string: 0,
            product_string: 2,
            serial_string: 0,
            configurations: 1,
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let built = ConfigurationBuilder::new(1)
            .max_power(45)
            .interface(0, 0, [0xFF, 0xFF, 0xFF], 2)
            .endpoint(0x81, Transfer::Bulk, 64, 0)
            .endpoint(0x02, Transfer::Bulk, 64, 0)
            .finish();
        built.unwrap_or_default()
    }

    fn string(&self, index: u8) -> Option<String> {
        (index == 2).then(|| "USB UART".to_owned())
    }

    fn control(&mut self, _now: Duration, setup: &Setup, _data: &[u8]) -> Option<Vec<u8>> {
        // Baud rate and the like.
        (setup.request_type == 0x40).then(Vec::new)
    }

    fn out(&mut self, _now: Duration, _endpoint: u8, _data: &[u8]) {}

    fn take(&mut self, _now: Duration, _endpoint: u8, _limit: usize) -> Option<Vec<u8>> {
        None
    }

    fn transfer_time(&self, _endpoint: u8, bytes: usize) -> Duration {
        bulk_time(self.speed(), bytes)
    }

    fn next(&self, _now: Duration) -> Option<Duration> {
        None
    }
}
