//! The USB face of the two loaders: one HID interface that speaks mboot.
//!
//! Descriptors as read from both loaders shipped on every RT1062; they have no serial number, so
//! two cameras differ by socket only.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::mboot::{self, Leave, Wire};
use omv_wire::usb::{
    ConfigurationBuilder, DeviceDescriptor, HidDescriptor, Setup, Speed, Transfer, kind, request,
};
use omv_wire::{Input, Machine, Turn};

use super::memory::Memory;
use crate::Face;

/// Bytes of a report, id included.
const REPORT: usize = 1016;
/// IN endpoint, and OUT endpoint: another number.
const ENDPOINTS: (u8, u8) = (1, 2);
/// High speed, `bInterval` 3: one report in four microframes.
const INTERVAL: Duration = Duration::from_micros(500);
/// Reports kept ready for the host; more are made when these are taken.
const AHEAD: usize = 2;

/// A loader on USB.
pub struct LoaderFace {
    camera: mboot::Camera<Memory>,
    ready: VecDeque<Vec<u8>>,
    wake: Duration,
    left: Option<Leave>,
    configured: Option<Duration>,
    first_report: Option<Duration>,
}

impl LoaderFace {
    /// A loader that just started.
    pub fn new(memory: Memory) -> Self {
        Self {
            camera: mboot::Camera::new(Wire::Hid, memory),
            ready: VecDeque::new(),
            wake: Duration::MAX,
            left: None,
            configured: None,
            first_report: None,
        }
    }

    /// The memory it works on.
    pub fn memory(&self) -> &Memory {
        self.camera.target()
    }

    /// When the first report came after the host had configured the device.
    pub fn held_since(&self) -> Option<Duration> {
        self.first_report
    }

    /// How it wants to leave the bus, once its last report was taken.
    pub fn leaves(&mut self, now: Duration) -> Option<Leave> {
        self.work(now);
        self.left.filter(|_| self.ready.is_empty())
    }

    fn work(&mut self, now: Duration) {
        while self.left.is_none() && self.ready.len() < AHEAD {
            match self.camera.poll(now) {
                Turn::Send(report) => self.ready.push_back(report),
                Turn::Wait { until } => {
                    self.wake = until;
                    return;
                }
                Turn::Done(leave) => self.left = Some(leave),
            }
        }
    }
}

impl Face for LoaderFace {
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
            vendor: 0x15A2,
            product: 0x0073,
            version: 0x0002,
            manufacturer_string: 1,
            product_string: 2,
            serial_string: 0,
            configurations: 1,
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let report_length = REPORT_DESCRIPTOR.len() as u16;
        let hid = HidDescriptor { version: 0x0100, country: 0, report_length };
        let built = ConfigurationBuilder::new(1)
            .self_powered()
            .max_power(50)
            .interface(0, 0, [3, 0, 0], 3)
            .hid(hid)
            .endpoint(0x80 | ENDPOINTS.0, Transfer::Interrupt, REPORT as u16, 3)
            .endpoint(ENDPOINTS.1, Transfer::Interrupt, REPORT as u16, 3)
            .finish();
        built.unwrap_or_default()
    }

    fn string(&self, index: u8) -> Option<String> {
        let text = match index {
            1 => "FREESCALE SEMICONDUCTOR INC.",
            2 => "USB COMPOSITE DEVICE",
            3 => "MCU HID GENERIC DEVICE",
            _ => "BAD STRING",
        };
        Some(text.to_owned())
    }

    fn configured(&mut self, now: Duration) {
        self.configured.get_or_insert(now);
    }

    fn control(&mut self, _now: Duration, setup: &Setup, _data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x81, request::GET_DESCRIPTOR) if setup.value_high() == kind::REPORT => {
                Some(REPORT_DESCRIPTOR.to_vec())
            }
            (0x21, request::SET_IDLE) => Some(Vec::new()),
            _ => None,
        }
    }

    fn accepts(&self, now: Duration, _endpoint: u8) -> bool {
        self.camera.busy_until() <= now && self.left.is_none()
    }

    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]) {
        if endpoint != ENDPOINTS.1 || data.is_empty() {
            return;
        }
        if self.configured.is_some() {
            self.first_report.get_or_insert(now);
        }
        self.camera.feed(now, Input::Bytes(data));
        self.work(now);
    }

    fn take(&mut self, now: Duration, endpoint: u8, limit: usize) -> Option<Vec<u8>> {
        if endpoint != ENDPOINTS.0 {
            return None;
        }
        self.work(now);
        let mut report = self.ready.pop_front()?;
        report.truncate(limit);
        self.work(now);
        Some(report)
    }

    fn transfer_time(&self, endpoint: u8, _bytes: usize) -> Duration {
        if endpoint == 0 { Duration::from_micros(125) } else { INTERVAL }
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        let due = [self.camera.busy_until(), self.wake];
        due.into_iter().filter(|at| *at > now && *at < Duration::MAX).min()
    }
}

/// Four reports of 1015 bytes after the id, as 203 fields of 40 bits: a count is one byte.
const REPORT_DESCRIPTOR: [u8; 76] = {
    let mut bytes = [0; 76];
    let head = [0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01];
    let mut at = 0;
    while at < head.len() {
        bytes[at] = head[at];
        at += 1;
    }
    let mut id = 1;
    while id <= 4 {
        let main = if id <= 2 { 0x91 } else { 0x81 };
        let item = [
            0x85, id, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x28, 0x95,
            0xCB, main, 0x02,
        ];
        let mut i = 0;
        while i < item.len() {
            bytes[at] = item[i];
            at += 1;
            i += 1;
        }
        id += 1;
    }
    bytes[at] = 0xC0;
    bytes
};

#[cfg(test)]
mod tests {
    use super::*;
    use omv_wire::mboot::hid;

    use crate::nor::Speed as NorSpeed;
    use crate::rt1062::chip::Chip;
    use crate::rt1062::memory::Loader;

    #[test]
    fn the_descriptors_are_those_of_the_shipped_loaders() {
        let chip = Chip::new([0; 2], NorSpeed::default());
        let face = LoaderFace::new(Memory::new(chip, Loader::Sbl));
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
        assert_eq!(hex(&face.device().encode()), "1201000200000040A215730002000102\
                                                  0001");
        assert_eq!(
            hex(&face.configuration()),
            "0902290001010 0C032090400000203000003092100010001224C000705810 3F803030705 0203F80303"
                .replace(' ', "")
        );
        assert_eq!(hid::HEADER + hid::PACKET, REPORT);
        assert_eq!(hex(&REPORT_DESCRIPTOR[7..24]), "850119012901150026FF00752895CB9102");
        assert_eq!(REPORT_DESCRIPTOR[75], 0xC0);
    }
}
