//! The USB face of the chip's mask ROM: one HID interface that speaks SDP.
//!
//! The ROM was never executed for this. Its report descriptor is the one U-Boot's gadget says
//! mirrors it; whether reports go out over the control endpoint or an interrupt endpoint is
//! uncertain, so both can be had.

use std::time::Duration;

use omv_wire::sdp::{self, HAB_FAILURE, HAB_SUCCESS, Leave};
use omv_wire::usb::{
    ConfigurationBuilder, DeviceDescriptor, HidDescriptor, Setup, Speed, Transfer, kind, request,
};

use super::Quirks;
use super::firmware::board;
use super::memory::is_ivt;
use super::sample::LOADER_SEAL;
use crate::Face;
use crate::seal::{self, Seal};
use crate::talker::Talker;

/// Longest report, id included.
const REPORT: u16 = 1025;
/// High speed, `bInterval` 3.
const INTERVAL: Duration = Duration::from_micros(500);
/// What the ROM answers when it will not start an image: HAB's failure, invalid vector table,
/// while authenticating an image.
const BAD_IMAGE: u32 = 0x3305_0A00;
/// What it answers to a write outside memory: HAB's failure, invalid address.
const BAD_ADDRESS: u32 = 0x3322_0000;
/// RAM a program can be put into: DTCM, OCRAM.
const RAMS: [(u32, usize); 2] = [(0x2000_0000, 0x2_0000), (0x2020_0000, 0xC_0000)];

/// The ROM on USB.
pub struct RomFace {
    talk: Talker<sdp::Camera<Ram>>,
    out_endpoint: bool,
}

impl RomFace {
    /// A ROM that just started, and that stays on the bus for `goodbye` after its last report.
    pub fn new(quirks: Quirks, goodbye: Duration) -> Self {
        let talk = Talker::new(rom(quirks, false)).lingering(goodbye);
        Self {
            talk,
            out_endpoint: quirks.rom_out_endpoint,
        }
    }

    /// Whether it jumps, and whether what it jumps to works.
    pub fn leaves(&mut self, now: Duration) -> Option<bool> {
        let Leave::Jump { address } = self.talk.left(now)?;
        Some(self.talk.machine().target().works(address))
    }
}

/// A ROM that just started, on HID or on its serial line.
pub(super) fn rom(quirks: Quirks, uart: bool) -> sdp::Camera<Ram> {
    let options = sdp::Options {
        uart,
        locked: quirks.locked,
        error_status: if quirks.blank_part {
            HAB_FAILURE
        } else {
            HAB_SUCCESS
        },
        ..sdp::Options::default()
    };
    let ram = Ram {
        banks: RAMS.map(|(_, size)| vec![0; size]),
    };
    sdp::Camera::new(options, ram)
}

/// RAM as the ROM fills it.
pub(super) struct Ram {
    banks: [Vec<u8>; 2],
}

impl Ram {
    fn slice(&self, address: u32, size: usize) -> Option<&[u8]> {
        let (bank, at) = place(address)?;
        self.banks[bank].get(at..at.checked_add(size)?)
    }

    fn word(&self, address: u32) -> Option<u32> {
        Some(u32::from_le_bytes(self.slice(address, 4)?.try_into().ok()?))
    }

    /// Whether the program at an address is the flashloader, whole.
    fn works(&self, address: u32) -> bool {
        let known = &board().loaders;
        let Some(known) = known.iter().find(|loader| loader.jump == Some(address)) else {
            return false;
        };
        let size = known.bytes as usize;
        let read = |at: usize, n: usize| {
            self.slice(address + at as u32, n)
                .map(<[u8]>::to_vec)
                .unwrap_or_default()
        };
        match seal::check(LOADER_SEAL, size, read) {
            Seal::Whole => true,
            Seal::Broken => false,
            Seal::Absent => self
                .slice(address, size)
                .is_some_and(|b| crate::sha256(b) == known.sha256),
        }
    }
}

impl sdp::Target for Ram {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), u32> {
        let (bank, at) = place(address).ok_or(BAD_ADDRESS)?;
        let end = at.checked_add(bytes.len()).ok_or(BAD_ADDRESS)?;
        self.banks[bank]
            .get_mut(at..end)
            .ok_or(BAD_ADDRESS)?
            .copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, address: u32, _format: u8, size: u32) -> Vec<u8> {
        let size = size as usize;
        self.slice(address, size)
            .map_or_else(|| vec![0; size], <[u8]>::to_vec)
    }

    fn write_register(&mut self, _address: u32, _format: u8, _value: u32) -> Result<(), u32> {
        Ok(())
    }

    fn run_dcd(&mut self, _address: u32, _size: u32) -> Result<(), u32> {
        Ok(())
    }

    fn jump(&mut self, address: u32) -> Result<(), u32> {
        let entry = self.word(address.wrapping_add(4)).unwrap_or(0);
        let starts = self.word(address).is_some_and(is_ivt) && place(entry & !1).is_some();
        starts.then_some(()).ok_or(BAD_IMAGE)
    }
}

fn place(address: u32) -> Option<(usize, usize)> {
    let bank = RAMS
        .iter()
        .position(|(base, size)| address >= *base && ((address - base) as usize) < *size)?;
    Some((bank, (address - RAMS[bank].0) as usize))
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
        let report_length = REPORT_DESCRIPTOR.len() as u16;
        let hid = HidDescriptor {
            version: 0x0110,
            country: 0,
            report_length,
        };
        let mut builder = ConfigurationBuilder::new(1)
            .self_powered()
            .interface(0, 0, [3, 0, 0], 0)
            .hid(hid)
            .endpoint(0x81, Transfer::Interrupt, 64, 3);
        if self.out_endpoint {
            builder = builder.endpoint(0x01, Transfer::Interrupt, REPORT - 1, 3);
        }
        builder.finish().unwrap_or_default()
    }

    fn string(&self, index: u8) -> Option<String> {
        match index {
            1 => Some("NXP SEMICONDUCTORS".into()),
            2 => Some("SE Blank RT Family".into()),
            _ => None,
        }
    }

    fn control(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x81, request::GET_DESCRIPTOR) if setup.value_high() == kind::REPORT => {
                Some(REPORT_DESCRIPTOR.to_vec())
            }
            (0x21, request::SET_IDLE) => Some(Vec::new()),
            (0x21, request::SET_REPORT) if !self.out_endpoint => {
                self.talk.feed(now, data);
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn accepts(&self, _now: Duration, _endpoint: u8) -> bool {
        self.talk.is_on()
    }

    fn out(&mut self, now: Duration, _endpoint: u8, data: &[u8]) {
        if self.out_endpoint {
            self.talk.feed(now, data);
        }
    }

    fn take(&mut self, now: Duration, endpoint: u8, limit: usize) -> Option<Vec<u8>> {
        if endpoint != 1 {
            return None;
        }
        let mut report = self.talk.take(now)?;
        report.truncate(limit);
        Some(report)
    }

    fn transfer_time(&self, _endpoint: u8, _bytes: usize) -> Duration {
        INTERVAL
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        self.talk.next(now)
    }
}

/// Reports 1 and 2 out (16 and 1024 bytes after the id), 3 and 4 in (4 and 64).
///
/// Source: U-Boot `drivers/usb/gadget/f_sdp.c`.
const REPORT_DESCRIPTOR: [u8; 76] = [
    0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, //
    0x85, 1, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 8, 0x95, 16, 0x91,
    2, //
    0x85, 2, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 128, 0x95, 64, 0x91,
    2, //
    0x85, 3, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 8, 0x95, 4, 0x81,
    2, //
    0x85, 4, 0x19, 0x01, 0x29, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 8, 0x95, 64, 0x81,
    2, //
    0xC0,
];
