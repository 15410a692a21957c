//! The USB face of OpenMV's serial bootloader.
//!
//! Source: openmv/openmv src/omv/ports/stm32/boot/src (usbd_desc.c, usbd_cdc.c) at v4.5.9.

use std::collections::VecDeque;
use std::time::Duration;

use omv_boards::{MemoryKind, Span, State};
use omv_wire::legacy::{Blocks, Camera, Flash, Layout, Personality, Version};
use omv_wire::usb::{
    CdcFunctional, ConfigurationBuilder, DeviceDescriptor, LineCoding, Setup, Speed, Transfer,
    request,
};
use omv_wire::{Input, Machine, Turn};

use super::cards;
use super::chip::{Chip, Parts};
use crate::Face;
use crate::run::bulk_time;

/// Notification endpoint, data OUT, data IN.
const ENDPOINTS: (u8, u8, u8) = (2, 1, 1);

/// How a packet of firmware begins.
const WRITE: [u8; 4] = 0xABCD_0008_u32.to_le_bytes();

/// The flash as the bootloader numbers it.
struct Sectors {
    chip: Chip,
    base: u32,
    block: u32,
}

impl Sectors {
    fn erase_in(&self, now: Duration, kind: MemoryKind, number: u32) -> Option<Duration> {
        let mut parts = self.chip.lock();
        parts.now = parts.now.max(now);
        let memory = parts.board.memory(kind)?;
        let sector: Span = memory.sectors().nth(number as usize)?;
        Some(parts.erase(kind, sector)?.saturating_sub(now))
    }

    fn write_to(&self, now: Duration, place: (MemoryKind, u32), bytes: &[u8]) -> Option<Duration> {
        let mut parts = self.chip.lock();
        parts.now = parts.now.max(now);
        let end = parts.write(place, bytes, 0xFF, false).ok()?;
        Some(end.saturating_sub(now))
    }
}

impl Flash for Sectors {
    fn erase(&mut self, now: Duration, sector: u32) -> Option<Duration> {
        self.erase_in(now, MemoryKind::Internal, sector)
    }

    fn write(&mut self, now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration> {
        let address = self.base.checked_add(offset)?;
        self.write_to(now, (MemoryKind::Internal, address), bytes)
    }

    fn erase_block(&mut self, now: Duration, block: u32) -> Option<Duration> {
        // The bootloader multiplies and hopes.
        let number = u64::from(block) * u64::from(self.block) / 0x1_0000;
        self.erase_in(now, MemoryKind::Qspi, u32::try_from(number).ok()?)
    }

    fn write_external(&mut self, now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration> {
        self.write_to(now, (MemoryKind::Qspi, offset), bytes)
    }
}

/// The serial bootloader on USB.
pub struct LegacyFace {
    usb: (u16, u16),
    serial: String,
    product: String,
    camera: Camera<Sectors>,
    packet: usize,
    coding: LineCoding,
    configured: Option<Duration>,
    unconfigured: bool,
    ready: VecDeque<u8>,
    left: bool,
    /// For one that cannot take full packets: whether one came.
    choked: Option<bool>,
}

impl LegacyFace {
    /// One of this protocol version, 1 to 3; none on a board that never had it.
    pub fn new(chip: &Chip, version: u8) -> Option<Self> {
        let parts: std::sync::MutexGuard<'_, Parts> = chip.lock();
        let board = parts.board;
        let facts = board.legacy?;
        let identity = board.identity(State::LegacyBl, None)?;
        let version = match version {
            ..=1 => Version::One,
            2 => Version::Two,
            _ => Version::Three,
        };
        let personality = Personality {
            version,
            packet: facts.packet as usize,
            layout: Layout {
                first_all: facts.first_all,
                first_firmware: facts.first_firmware,
                last: facts.last,
            },
            blocks: facts.qspi.map(|blocks| Blocks {
                first: blocks.first,
                last: blocks.last,
                size: blocks.size,
            }),
        };
        let sectors = Sectors {
            chip: chip.clone(),
            base: facts.base,
            block: facts.qspi.map_or(0, |blocks| blocks.size),
        };
        Some(Self {
            usb: (identity.usb.vid, identity.usb.pid),
            serial: cards::serial(&parts, State::LegacyBl),
            product: identity.product.clone().unwrap_or_default(),
            camera: Camera::new(personality, sectors),
            packet: facts.packet as usize,
            coding: LineCoding {
                rate: 115_200,
                stop_bits: 0,
                parity: 0,
                data_bits: 8,
            },
            configured: None,
            unconfigured: false,
            ready: VecDeque::new(),
            left: false,
            choked: None,
        })
    }

    /// The same, able to take packets that fill its endpoint, or not.
    #[must_use]
    pub fn short_packets(self, short: bool) -> Self {
        Self {
            choked: short.then_some(false),
            ..self
        }
    }

    /// The serial number it shows, which is no camera's own.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// When the host configured it.
    pub fn configured_at(&self) -> Option<Duration> {
        self.configured
    }

    /// Whether START came.
    pub fn is_held(&self) -> bool {
        self.camera.has_started()
    }

    /// Whether it leaves for the application.
    pub fn leaves(&mut self, now: Duration) -> bool {
        self.work(now);
        self.left || (self.unconfigured && !self.camera.has_started())
    }

    fn work(&mut self, now: Duration) {
        while !self.left {
            match self.camera.poll(now) {
                Turn::Send(bytes) => self.ready.extend(bytes),
                Turn::Wait { .. } => return,
                Turn::Done(()) => self.left = true,
            }
        }
    }
}

impl Face for LegacyFace {
    fn speed(&self) -> Speed {
        Speed::Full
    }

    fn device(&self) -> DeviceDescriptor {
        DeviceDescriptor {
            usb_version: 0x0200,
            class: 2,
            subclass: 0,
            protocol: 0,
            max_packet_0: 64,
            vendor: self.usb.0,
            product: self.usb.1,
            version: 0x0200,
            manufacturer_string: 1,
            product_string: 2,
            serial_string: 3,
            configurations: 1,
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let functional = CdcFunctional {
            version: 0x0110,
            control: 0,
            data: 1,
            call_management: 0,
            capabilities: 2,
        };
        let packet = self.packet as u16;
        let built = ConfigurationBuilder::new(1)
            .self_powered()
            .max_power(50)
            .interface(0, 0, [2, 2, 1], 0)
            .cdc(functional)
            .endpoint(0x80 | ENDPOINTS.0, Transfer::Interrupt, 8, 16)
            .interface(1, 0, [10, 0, 0], 0)
            .endpoint(ENDPOINTS.1, Transfer::Bulk, packet, 0)
            .endpoint(0x80 | ENDPOINTS.2, Transfer::Bulk, packet, 0)
            .finish();
        built.unwrap_or_default()
    }

    fn string(&self, index: u8) -> Option<String> {
        match index {
            1 => Some("OpenMV".into()),
            2 => Some(self.product.clone()),
            3 => Some(self.serial.clone()),
            _ => None,
        }
    }

    fn configured(&mut self, now: Duration) {
        self.configured.get_or_insert(now);
    }

    fn unconfigured(&mut self, _now: Duration) {
        self.unconfigured = true;
    }

    fn control(&mut self, _now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x21, request::SET_LINE_CODING) => {
                self.coding = LineCoding::decode(data).ok()?;
                Some(Vec::new())
            }
            (0xA1, request::GET_LINE_CODING) => Some(self.coding.encode().to_vec()),
            (0x21, request::SET_CONTROL_LINE_STATE | request::SEND_BREAK) => Some(Vec::new()),
            _ => None,
        }
    }

    /// It works inside its USB interrupt, so nothing is served meanwhile, not even requests.
    fn control_ready(&self, now: Duration) -> bool {
        self.camera.busy_until() <= now
    }

    fn accepts(&self, now: Duration, _endpoint: u8) -> bool {
        self.camera.busy_until() <= now && !self.left
    }

    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]) {
        if endpoint != ENDPOINTS.1 {
            return;
        }
        if let Some(choked) = &mut self.choked {
            *choked |= data.len() >= self.packet && data.starts_with(&WRITE);
            if *choked {
                return;
            }
        }
        for packet in data.chunks(self.packet) {
            self.camera.feed(now, Input::Bytes(packet));
        }
        self.work(now);
    }

    fn take(&mut self, now: Duration, endpoint: u8, limit: usize) -> Option<Vec<u8>> {
        if endpoint != ENDPOINTS.2 {
            return None;
        }
        self.work(now);
        let count = self.ready.len().min(limit);
        (count > 0).then(|| self.ready.drain(..count).collect())
    }

    fn transfer_time(&self, _endpoint: u8, bytes: usize) -> Duration {
        bulk_time(Speed::Full, bytes)
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        Some(self.camera.busy_until()).filter(|at| *at > now && *at < Duration::MAX)
    }
}
