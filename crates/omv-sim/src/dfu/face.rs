//! The USB faces of the devices that speak DFU: OpenMV's bootloader, ST's ROM, Arduino's MCUboot.

use std::time::Duration;

use omv_wire::dfu::{Answer, Camera, Event, Functional, alternates, dfuse};
use omv_wire::usb::{
    Association, CdcFunctional, ConfigurationBuilder, DeviceDescriptor, LineCoding, Setup, Speed,
    Transfer, request,
};

use super::addresses::Addresses;
use super::partitions::Bootloader;
use crate::Face;

/// What a DFU device says of itself; the first string of its alternates is number 4.
#[derive(Clone, Debug)]
pub struct Card {
    /// Bus speed.
    pub speed: Speed,
    /// Vendor and product id.
    pub usb: (u16, u16),
    /// `bcdDevice`.
    pub release: u16,
    /// Manufacturer, product, serial number.
    pub strings: [String; 3],
    /// Names of the alternates.
    pub names: Vec<String>,
    /// The functional descriptor.
    pub functional: Functional,
    /// Has a supply of its own.
    pub self_powered: bool,
    /// Has a serial console beside the DFU interface, as Arduino's bootloader.
    pub console: bool,
}

impl Card {
    fn device(&self) -> DeviceDescriptor {
        let class = if self.console { [0xEF, 2, 1] } else { [0; 3] };
        DeviceDescriptor {
            usb_version: 0x0200,
            class: class[0],
            subclass: class[1],
            protocol: class[2],
            max_packet_0: 64,
            vendor: self.usb.0,
            product: self.usb.1,
            version: self.release,
            manufacturer_string: 1,
            product_string: 2,
            serial_string: if self.strings[2].is_empty() { 0 } else { 3 },
            configurations: 1,
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let mut builder = ConfigurationBuilder::new(1).max_power(250);
        if self.self_powered {
            builder = builder.self_powered();
        }
        builder = alternates(builder, 0, self.names.len() as u8, 4, self.functional);
        if self.console {
            builder = console(builder, self.speed);
        }
        builder.finish().unwrap_or_default()
    }

    fn string(&self, index: u8) -> Option<String> {
        let text = match index {
            1..=3 => self.strings.get(usize::from(index) - 1)?,
            _ => self.names.get(usize::from(index).checked_sub(4)?)?,
        };
        Some(text.clone())
    }
}

/// Interfaces 1 and 2: a console on which Arduino's bootloader says nothing.
fn console(builder: ConfigurationBuilder, speed: Speed) -> ConfigurationBuilder {
    let packet = if speed == Speed::High { 512 } else { 64 };
    let functional = CdcFunctional {
        version: 0x0110,
        control: 1,
        data: 2,
        call_management: 0,
        capabilities: 2,
    };
    let association = Association {
        first: 1,
        count: 2,
        class: 2,
        subclass: 2,
        protocol: 0,
        string: 0,
    };
    builder
        .association(association)
        .interface(1, 0, [2, 2, 1], 0)
        .cdc(functional)
        .endpoint(0x83, Transfer::Interrupt, 8, 16)
        .interface(2, 0, [10, 0, 0], 0)
        .endpoint(0x02, Transfer::Bulk, packet, 0)
        .endpoint(0x82, Transfer::Bulk, packet, 0)
}

/// One of the two dialects.
enum Talk {
    Plain(Camera<Bootloader>),
    Se(dfuse::Camera<Addresses>),
    /// A ROM that answers and does nothing: it loads signed images in phases nobody here has.
    Mute,
}

/// What became of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// DETACH was asked for.
    Detach,
    /// A DfuSe device leaves in one of its ways.
    Se(dfuse::Event),
}

/// A DFU device on USB.
pub struct DfuFace {
    card: Card,
    talk: Talk,
    configured: Option<Duration>,
    unconfigured: bool,
    claimed: bool,
    leaves: Option<Leaves>,
}

impl DfuFace {
    /// OpenMV's bootloader.
    pub fn plain(card: Card, partitions: Bootloader) -> Self {
        Self::new(card, Talk::Plain(Camera::new(partitions)))
    }

    /// A DfuSe device.
    pub fn se(card: Card, manners: dfuse::Manners, addresses: Addresses) -> Self {
        Self::new(card, Talk::Se(dfuse::Camera::new(manners, addresses)))
    }

    /// The ROM of the N6.
    pub fn mute(card: Card) -> Self {
        Self::new(card, Talk::Mute)
    }

    fn new(card: Card, talk: Talk) -> Self {
        Self {
            card,
            talk,
            configured: None,
            unconfigured: false,
            claimed: false,
            leaves: None,
        }
    }

    /// The serial number it shows.
    pub fn serial(&self) -> &str {
        &self.card.strings[2]
    }

    /// When the host configured it.
    pub fn configured_at(&self) -> Option<Duration> {
        self.configured
    }

    /// Whether the host took the configuration back.
    pub fn is_unconfigured(&self) -> bool {
        self.unconfigured
    }

    /// Whether something stopped the clock of the window since it was last asked.
    pub fn take_claim(&mut self) -> bool {
        std::mem::take(&mut self.claimed)
    }

    /// How it wants to leave, once.
    pub fn take_leave(&mut self) -> Option<Leaves> {
        self.leaves.take()
    }

    fn busy_until(&self) -> Duration {
        match &self.talk {
            Talk::Plain(camera) => camera.busy_until(),
            Talk::Se(camera) => camera.busy_until(),
            Talk::Mute => Duration::ZERO,
        }
    }
}

/// A device that is idle and knows no request but the two that ask for its state.
fn mute(setup: &Setup) -> Answer {
    match (setup.request_type, setup.request) {
        (0xA1, 3) => Answer::Data(vec![0, 0, 0, 0, 2, 0]),
        (0xA1, 5) => Answer::Data(vec![2]),
        (0x01, request::SET_INTERFACE) => Answer::OK,
        _ => Answer::Stall,
    }
}

impl Face for DfuFace {
    fn speed(&self) -> Speed {
        self.card.speed
    }

    fn device(&self) -> DeviceDescriptor {
        self.card.device()
    }

    fn configuration(&self) -> Vec<u8> {
        self.card.configuration()
    }

    fn string(&self, index: u8) -> Option<String> {
        self.card.string(index)
    }

    fn needs_driver(&self) -> bool {
        true
    }

    fn configured(&mut self, now: Duration) {
        self.configured.get_or_insert(now);
    }

    fn unconfigured(&mut self, _now: Duration) {
        self.unconfigured = true;
    }

    fn control_ready(&self, now: Duration) -> bool {
        self.busy_until() <= now
    }

    fn control(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
        if self.card.console && setup.index_low() == 1 {
            let coding = LineCoding {
                rate: 115_200,
                stop_bits: 0,
                parity: 0,
                data_bits: 8,
            };
            return match (setup.request_type, setup.request) {
                (0x21, request::SET_LINE_CODING | request::SET_CONTROL_LINE_STATE) => {
                    Some(Vec::new())
                }
                (0xA1, request::GET_LINE_CODING) => Some(coding.encode().to_vec()),
                _ => None,
            };
        }
        let (answer, leaves) = match &mut self.talk {
            Talk::Plain(camera) => {
                let (answer, event) = camera.request(now, setup, data);
                self.claimed |= event == Some(Event::Claimed);
                let detach = (event == Some(Event::Detach)).then_some(Leaves::Detach);
                (answer, detach)
            }
            Talk::Se(camera) => {
                let (answer, event) = camera.request(now, setup, data);
                (answer, event.map(Leaves::Se))
            }
            Talk::Mute => (mute(setup), None),
        };
        self.leaves = leaves.or(self.leaves.take());
        match answer {
            Answer::Data(bytes) => Some(bytes),
            // The port asks `control_ready` before it delivers a request.
            Answer::Stall | Answer::Later { .. } => None,
        }
    }

    fn out(&mut self, _now: Duration, _endpoint: u8, _data: &[u8]) {}

    fn take(&mut self, _now: Duration, _endpoint: u8, _limit: usize) -> Option<Vec<u8>> {
        None
    }

    fn transfer_time(&self, _endpoint: u8, bytes: usize) -> Duration {
        wire(self.card.speed, bytes)
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        Some(self.busy_until()).filter(|at| *at > now && *at < Duration::MAX)
    }
}

/// How long a control transfer takes. At full speed it carries 832 bytes in a frame of a millisecond,
/// and takes at least one.
pub(super) fn wire(speed: Speed, bytes: usize) -> Duration {
    match speed {
        Speed::High => Duration::from_micros(250 + bytes as u64 / 20),
        _ => Duration::from_micros(1000 + bytes as u64 * 1000 / 832),
    }
}
