//! The USB face of running firmware: a serial console that speaks OpenMV's protocol.

use std::collections::VecDeque;
use std::time::Duration;

use omv_boards::{Board, State, UsbId, Version};
use omv_wire::usb::{
    Association, CdcFunctional, ConfigurationBuilder, DeviceDescriptor, LineCoding, Setup, Speed,
    Transfer, request,
};
use omv_wire::v2::Leave;
use omv_wire::v2::channels::Idle;
use omv_wire::v2::records::SysInfo;
use omv_wire::{Input, Machine, Turn, v1, v2};

use crate::Face;

/// Notification endpoint, data OUT, data IN.
const ENDPOINTS: (u8, u8, u8) = (1, 2, 2);
/// The line rate at which the firmware speaks its protocol instead of the prompt.
const PROTOCOL_RATE: u32 = 921_600;
/// Another one that firmware before 5.0.0 also takes.
const FAST_RATE: u32 = 12_000_000;

/// A firmware that runs, and what it answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Its version.
    pub version: Version,
    /// Architecture string.
    pub arch: String,
    /// The type that stands before the unique id.
    pub kind: String,
    /// USB id of that version.
    pub usb: UsbId,
}

/// The camera it runs on.
#[derive(Clone, Debug)]
pub struct Body {
    /// The board.
    pub board: &'static Board,
    /// USB serial number.
    pub serial: String,
    /// Unique id as the protocols tell it, last word first.
    pub uid: [u32; 3],
    /// What the core says of itself.
    pub cpu_id: u32,
    /// The bootloader's version, as the firmware finds or guesses it.
    pub bootloader: [u8; 3],
    /// Whether the USB stack is ST's, which wants a command alone in its packet.
    pub packets: bool,
}

/// One of the two protocols.
enum Talk {
    V1(Box<v1::camera::Camera>),
    V2(Box<v2::camera::Camera<Idle>>),
}

/// Running firmware on USB.
pub struct RunFace {
    firmware: Firmware,
    body: Body,
    talk: Talk,
    coding: LineCoding,
    dtr: bool,
    ready: VecDeque<u8>,
    wake: Duration,
    left: Option<Leave>,
}

impl RunFace {
    /// Firmware that just came up on a camera.
    pub fn new(firmware: Firmware, body: Body) -> Self {
        let Version {
            major,
            minor,
            patch,
        } = firmware.version;
        let version = [major as u8, minor as u8, patch as u8];
        let talk = if firmware.version.major >= 5 {
            Talk::V2(Box::new(v2_camera(&firmware, version, &body)))
        } else {
            Talk::V1(Box::new(v1_camera(&firmware, version, &body)))
        };
        Self {
            firmware,
            body,
            talk,
            coding: LineCoding {
                rate: 115_200,
                stop_bits: 0,
                parity: 0,
                data_bits: 8,
            },
            dtr: false,
            ready: VecDeque::new(),
            wake: Duration::MAX,
            left: None,
        }
    }

    /// The firmware.
    pub fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// The serial number it shows.
    pub fn serial(&self) -> &str {
        &self.body.serial
    }

    /// How it wants to leave the bus.
    pub fn leaves(&mut self, now: Duration) -> Option<Leave> {
        self.work(now);
        self.left
    }

    /// Whether the protocol owns the port; otherwise the MicroPython prompt does, which this
    /// camera does not have yet: it takes everything and says nothing.
    fn listens(&self) -> bool {
        let fast = matches!(self.talk, Talk::V1(_)) && self.coding.rate == FAST_RATE;
        self.dtr && (self.coding.rate == PROTOCOL_RATE || fast)
    }

    fn work(&mut self, now: Duration) {
        while self.left.is_none() {
            let turn = match &mut self.talk {
                Talk::V1(camera) => camera.poll(now),
                Talk::V2(camera) => camera.poll(now),
            };
            match turn {
                Turn::Send(bytes) if self.listens() => self.ready.extend(bytes),
                Turn::Send(_) => {}
                Turn::Wait { until } => {
                    self.wake = until;
                    return;
                }
                Turn::Done(leave) => self.left = Some(leave),
            }
        }
    }
}

/// Bytes of a bulk packet.
fn packet(board: &Board) -> usize {
    match board.speed {
        Some(omv_boards::Speed::Full) => 64,
        _ => 512,
    }
}

fn v1_camera(firmware: &Firmware, version: [u8; 3], body: &Body) -> v1::camera::Camera {
    let forgiving = Version {
        major: 4,
        minor: 8,
        patch: 0,
    };
    let stack = if body.packets {
        v1::camera::Stack::Packets(packet(body.board))
    } else if firmware.version < forgiving {
        v1::camera::Stack::StreamFatal
    } else {
        v1::camera::Stack::StreamForgiving
    };
    let arch = v1::codec::Arch {
        arch: firmware.arch.clone(),
        kind: Some(firmware.kind.clone()),
        uid: Some(body.uid),
    };
    let personality = v1::camera::Personality {
        stack,
        firmware: version,
        arch,
        sensor: None,
        running: false,
    };
    v1::camera::Camera::new(personality)
}

fn v2_camera(firmware: &Firmware, version: [u8; 3], body: &Body) -> v2::camera::Camera<Idle> {
    let facts = body.board.v2;
    let info = SysInfo {
        cpu_id: body.cpu_id,
        uid: body.uid,
        usb: (firmware.usb.vid, firmware.usb.pid),
        sensors: [0; 3],
        hw_caps: [facts.map_or(0, |facts| facts.hw_caps), 0],
        frame_buffer: 0,
        stream_buffer: facts.map_or(0, |facts| facts.stream_kib),
    };
    let personality = v2::camera::Personality {
        max_payload: facts.map_or(498, |facts| facts.max_payload()) as u16,
        version: v2::records::Version {
            protocol: [1, 0, 2],
            bootloader: body.bootloader,
            firmware: version,
        },
        info,
        memory: Vec::new(),
    };
    v2::camera::Camera::new(personality, Idle::new(true))
}

impl Face for RunFace {
    fn speed(&self) -> Speed {
        match self.body.board.speed {
            Some(omv_boards::Speed::Full) => Speed::Full,
            _ => Speed::High,
        }
    }

    fn device(&self) -> DeviceDescriptor {
        DeviceDescriptor {
            usb_version: 0x0200,
            class: 0xEF,
            subclass: 2,
            protocol: 1,
            max_packet_0: 64,
            vendor: self.firmware.usb.vid,
            product: self.firmware.usb.pid,
            version: 0x0100,
            manufacturer_string: 1,
            product_string: 2,
            serial_string: 3,
            configurations: 1,
        }
    }

    fn configuration(&self) -> Vec<u8> {
        let functional = CdcFunctional {
            version: 0x0120,
            control: 0,
            data: 1,
            call_management: 0,
            capabilities: 2,
        };
        let association = Association {
            first: 0,
            count: 2,
            class: 2,
            subclass: 2,
            protocol: 0,
            string: 0,
        };
        let packet = packet(self.body.board) as u16;
        let built = ConfigurationBuilder::new(1)
            .max_power(250)
            .association(association)
            .interface(0, 0, [2, 2, 0], 4)
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
            1 => Some(maker(self.firmware.usb).into()),
            2 => {
                let board = self.body.board;
                let identity = board.identity(State::Run, Some(self.firmware.version));
                identity.and_then(|identity| identity.product.clone())
            }
            3 => Some(self.body.serial.clone()),
            4 => Some("OpenMV CDC".into()),
            _ => None,
        }
    }

    fn control(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>> {
        match (setup.request_type, setup.request) {
            (0x21, request::SET_LINE_CODING) => {
                self.coding = LineCoding::decode(data).ok()?;
                self.ready.clear();
                if self.coding.rate == LineCoding::TOUCH_RATE {
                    self.left = Some(Leave::Bootloader);
                }
            }
            (0xA1, request::GET_LINE_CODING) => return Some(self.coding.encode().to_vec()),
            (0x21, request::SET_CONTROL_LINE_STATE) => self.dtr = setup.value & 1 != 0,
            (0x21, request::SEND_BREAK) => {}
            _ => return None,
        }
        self.work(now);
        Some(Vec::new())
    }

    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]) {
        if endpoint != ENDPOINTS.1 || !self.listens() {
            return;
        }
        for packet in data.chunks(packet(self.body.board)) {
            match &mut self.talk {
                Talk::V1(camera) => camera.feed(now, Input::Bytes(packet)),
                Talk::V2(camera) => camera.feed(now, Input::Bytes(packet)),
            }
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
        bulk_time(self.speed(), bytes)
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        Some(self.wake).filter(|at| *at > now && *at < Duration::MAX)
    }
}

/// Who a device with this id says made it.
pub fn maker(usb: UsbId) -> &'static str {
    const ARDUINO: u16 = 0x2341;
    match usb.vid {
        ARDUINO => "Arduino",
        _ => "OpenMV",
    }
}

/// Time on the wire of a transfer: about 30 bytes a microsecond at high speed, about one at full
/// speed, each after the wait for a frame to begin.
pub fn bulk_time(speed: Speed, bytes: usize) -> Duration {
    let (frame, rate) = match speed {
        Speed::High | Speed::Super => (125, 30),
        _ => (500, 1),
    };
    Duration::from_micros(frame + bytes as u64 / rate)
}
