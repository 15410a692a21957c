//! The USB face of the two loaders: one HID interface that speaks mboot.
//!
//! Descriptors as read from both loaders shipped on every RT1062; they have no serial number, so
//! two cameras differ by socket only.

use std::time::Duration;

use omv_wire::mboot::{self, Leave, Wire};
use omv_wire::usb::{
    ConfigurationBuilder, DeviceDescriptor, HidDescriptor, Setup, Speed, Transfer, kind, request,
};

use super::memory::Memory;
use crate::Face;
use crate::talker::Talker;

/// Bytes of a report, id included.
const REPORT: usize = 1016;
/// IN endpoint, and OUT endpoint: another number.
const ENDPOINTS: (u8, u8) = (1, 2);
/// High speed, `bInterval` 3: one report in four microframes.
const INTERVAL: Duration = Duration::from_micros(500);
/// A loader on USB.
pub struct LoaderFace {
    talk: Talker<mboot::Camera<Memory>>,
    configured: bool,
    /// A transfer of nothing came: it was taken, and no other one is ever asked for.
    deaf: bool,
    held_since: Option<Duration>,
}

impl LoaderFace {
    /// A loader that just started, and that stays on the bus for `goodbye` after its last report.
    pub fn new(memory: Memory, goodbye: Duration) -> Self {
        let talk = Talker::new(mboot::Camera::new(Wire::Hid, memory)).lingering(goodbye);
        Self {
            talk,
            configured: false,
            deaf: false,
            held_since: None,
        }
    }

    /// The memory it works on.
    pub fn memory(&self) -> &Memory {
        self.talk.machine().target()
    }

    /// When the first report came after the host had configured the device.
    pub fn held_since(&self) -> Option<Duration> {
        self.held_since
    }

    /// How it wants to leave the bus, once its last report was taken.
    pub fn leaves(&mut self, now: Duration) -> Option<Leave> {
        self.talk.left(now)
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
        let hid = HidDescriptor {
            version: 0x0100,
            country: 0,
            report_length,
        };
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

    fn configured(&mut self, _now: Duration) {
        self.configured = true;
        self.deaf = false;
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
        !self.deaf && self.talk.machine().busy_until() <= now && self.talk.is_on()
    }

    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]) {
        if endpoint != ENDPOINTS.1 {
            return;
        }
        if data.is_empty() {
            self.deaf = true;
            return;
        }
        if self.configured {
            self.held_since.get_or_insert(now);
        }
        self.talk.feed(now, data);
    }

    fn take(&mut self, now: Duration, endpoint: u8, limit: usize) -> Option<Vec<u8>> {
        if endpoint != ENDPOINTS.0 {
            return None;
        }
        let mut report = self.talk.take(now)?;
        report.truncate(limit);
        Some(report)
    }

    fn transfer_time(&self, endpoint: u8, _bytes: usize) -> Duration {
        if endpoint == 0 {
            Duration::from_micros(125)
        } else {
            INTERVAL
        }
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        let busy = Some(self.talk.machine().busy_until()).filter(|at| *at > now);
        busy.into_iter().chain(self.talk.next(now)).min()
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
            0x85, id, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x28, 0x95, 0xCB,
            main, 0x02,
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
        let face = LoaderFace::new(Memory::new(chip, Loader::Sbl), Duration::ZERO);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
        assert_eq!(
            hex(&face.device().encode()),
            "1201000200000040A215730002000102\
                                                  0001"
        );
        assert_eq!(
            hex(&face.configuration()),
            "0902290001010 0C032090400000203000003092100010001224C000705810 3F803030705 0203F80303"
                .replace(' ', "")
        );
        assert_eq!(hid::HEADER + hid::PACKET, REPORT);
        assert_eq!(
            hex(&REPORT_DESCRIPTOR[7..24]),
            "850119012901150026FF00752895CB9102"
        );
        assert_eq!(REPORT_DESCRIPTOR[75], 0xC0);
    }
}
