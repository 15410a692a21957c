//! The USB face of running firmware: a serial console that speaks OpenMV's protocol, and the disk
//! that the firmware shows.

use std::collections::VecDeque;
use std::time::Duration;

use omv_boards::{Board, State, UsbId, Version};
use omv_wire::msc::Take;
use omv_wire::usb::{
    Association, CdcFunctional, ConfigurationBuilder, DeviceDescriptor, LineCoding, Setup, Speed,
    Transfer, request,
};
use omv_wire::v2::Leave;
use omv_wire::v2::parser::Event;
use omv_wire::v2::records::SysInfo;
use omv_wire::{Input, Machine, Turn, v1, v2};

use crate::Face;
use crate::Setup as Surroundings;
use crate::mass::{Mass, Places};
use crate::medium;
use crate::running::{Facts, Happened, Leaving, Running, STDIN, STDOUT, STREAM, Shared};

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
    V1(Box<v1::camera::Camera<Shared>>),
    V2(Box<v2::camera::Camera<Shared>>),
}

/// How running firmware leaves the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// The chip resets.
    Reset,
    /// It goes into its bootloader.
    Bootloader,
    /// It sleeps, for this long, and then resets.
    Sleep(Option<Duration>),
}

/// Bytes for the host that wait in the camera; more than this and it stops talking until some are
/// taken, as its USB endpoint does.
const AHEAD: usize = 1 << 16;

/// Running firmware on USB.
pub struct RunFace {
    firmware: Firmware,
    body: Body,
    running: Running,
    talk: Talk,
    mass: Mass,
    mass_halted: bool,
    places: Places,
    coding: LineCoding,
    dtr: bool,
    ready: VecDeque<u8>,
    wake: Duration,
    left: Option<Goodbye>,
}

impl RunFace {
    /// Firmware that just came up on a camera, with its internal disk and where the volume on that
    /// begins.
    pub fn new(
        firmware: Firmware,
        body: Body,
        setup: Surroundings,
        flash: Option<(medium::Shared, u64)>,
    ) -> Self {
        let facts = Facts::of(&firmware, &body);
        let running = Running::new(facts, setup, flash);
        let works = running.works().clone();
        let shown = works.inside().disks.shown().cloned();
        let st = body.packets && !body.board.mcu.starts_with("STM32N6");
        let mass = Mass::new(body.board, st, shown);
        let Version {
            major,
            minor,
            patch,
        } = firmware.version;
        let version = [major as u8, minor as u8, patch as u8];
        let talk = if firmware.version.major >= 5 {
            Talk::V2(Box::new(v2_camera(&firmware, version, &body, works)))
        } else {
            Talk::V1(Box::new(v1_camera(&firmware, version, &body, works)))
        };
        Self {
            firmware,
            body,
            running,
            talk,
            mass,
            mass_halted: false,
            places: Places::of(st),
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

    /// Its insides, for tests and for whoever shows its disk.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// How it wants to leave the bus.
    pub fn leaves(&mut self, now: Duration) -> Option<Goodbye> {
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
        self.mass.step(now);
        while self.left.is_none() {
            self.running.step(now);
            self.tell_all();
            self.talk_on(now);
            let wishes = self.running.works().inside().wish.is_some();
            let leaving = self.running.leaving().map(|leaving| match leaving {
                Leaving::Reset => Goodbye::Reset,
                Leaving::Bootloader => Goodbye::Bootloader,
                Leaving::Sleep(time) => Goodbye::Sleep(time),
            });
            self.left = self.left.or(leaving);
            if !wishes && self.running.next() > now {
                return;
            }
        }
    }

    /// The host closed the port: whatever is under way is given up.
    fn hang_up(&mut self, now: Duration) {
        self.ready.clear();
        if let Talk::V2(camera) = &mut self.talk {
            camera.feed(now, Input::Gone);
        }
    }

    /// Tells the host what happened, if it listens and its protocol has words for it.
    fn tell_all(&mut self) {
        let listens = self.listens();
        let happened = std::mem::take(&mut self.running.works().inside().happened);
        let Talk::V2(camera) = &mut self.talk else {
            return;
        };
        for happened in happened {
            let (channel, code) = match happened {
                Happened::Script(on) => (STDIN, Some(u16::from(on))),
                Happened::Text => (STDOUT, None),
                Happened::Frame => (STREAM, None),
                Happened::Channel(id, code) => (id, Some(code)),
                Happened::Registered => (0, Some(0)),
                Happened::SoftReboot => {
                    camera.soft_reboot();
                    continue;
                }
            };
            if listens {
                camera.tell(Event { channel, code });
            }
        }
    }

    /// Lets the protocol say what it has to say, as far as the host takes it.
    fn talk_on(&mut self, now: Duration) {
        while self.ready.len() < AHEAD {
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
                Turn::Done(Leave::Reset) => self.left = Some(Goodbye::Reset),
                Turn::Done(_) => self.left = Some(Goodbye::Bootloader),
            }
            if self.left.is_some() {
                return;
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

fn v1_camera(
    firmware: &Firmware,
    version: [u8; 3],
    body: &Body,
    works: Shared,
) -> v1::camera::Camera<Shared> {
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
    v1::camera::Camera::with(personality, works)
}

fn v2_camera(
    firmware: &Firmware,
    version: [u8; 3],
    body: &Body,
    works: Shared,
) -> v2::camera::Camera<Shared> {
    let facts = body.board.v2;
    let sensor = works.inside().facts.sensor;
    let info = SysInfo {
        cpu_id: body.cpu_id,
        uid: body.uid,
        usb: (firmware.usb.vid, firmware.usb.pid),
        sensors: [sensor, 0, 0],
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
    v2::camera::Camera::new(personality, works)
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
        let places = self.places;
        let functional = CdcFunctional {
            version: 0x0120,
            control: places.console,
            data: places.console + 1,
            call_management: 0,
            capabilities: 2,
        };
        let association = Association {
            first: places.console,
            count: 2,
            class: 2,
            subclass: 2,
            protocol: 0,
            string: 0,
        };
        let packet = packet(self.body.board) as u16;
        let console = |built: ConfigurationBuilder| {
            built
                .association(association)
                .interface(places.console, 0, [2, 2, 0], 4)
                .cdc(functional)
                .endpoint(0x80 | places.notify, Transfer::Interrupt, 8, 16)
                .interface(places.console + 1, 0, [10, 0, 0], 0)
                .endpoint(places.data, Transfer::Bulk, packet, 0)
                .endpoint(0x80 | places.data, Transfer::Bulk, packet, 0)
        };
        let disk = |built: ConfigurationBuilder| {
            built
                .interface(places.disk, 0, omv_wire::msc::INTERFACE, 0)
                .endpoint(places.blocks, Transfer::Bulk, packet, 0)
                .endpoint(0x80 | places.blocks, Transfer::Bulk, packet, 0)
        };
        let built = ConfigurationBuilder::new(1).max_power(250);
        let built = match places.disk < places.console {
            true => console(disk(built)),
            false => disk(console(built)),
        };
        let built = built.finish();
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
        if let Some(answer) = self.mass.control(setup) {
            return answer;
        }
        match (setup.request_type, setup.request) {
            (0x21, request::SET_LINE_CODING) => {
                self.coding = LineCoding::decode(data).ok()?;
                self.ready.clear();
                if self.coding.rate == LineCoding::TOUCH_RATE {
                    self.left = Some(Goodbye::Bootloader);
                }
            }
            (0xA1, request::GET_LINE_CODING) => return Some(self.coding.encode().to_vec()),
            (0x21, request::SET_CONTROL_LINE_STATE) => {
                let listened = self.listens();
                self.dtr = setup.value & 1 != 0;
                if listened && !self.dtr {
                    self.hang_up(now);
                }
            }
            (0x21, request::SEND_BREAK) => {}
            _ => return None,
        }
        self.work(now);
        Some(Vec::new())
    }

    fn is_halted(&self, endpoint: u8) -> bool {
        endpoint == self.places.blocks && self.mass_halted
    }

    fn clear_halt(&mut self, address: u8) {
        if address == 0x80 | self.places.blocks {
            self.mass.clear_halt();
        }
    }

    fn accepts(&self, now: Duration, endpoint: u8) -> bool {
        endpoint != self.places.blocks || self.mass.accepts(now)
    }

    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]) {
        if endpoint == self.places.blocks {
            self.mass.step(now);
            self.mass.out(now, data);
            return;
        }
        if endpoint != self.places.data || !self.listens() {
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
        if endpoint == self.places.blocks {
            self.mass.step(now);
            let taken = self.mass.take(now, limit);
            self.mass_halted = taken == Take::Stall;
            return match taken {
                Take::Data(bytes) => Some(bytes),
                Take::Nothing | Take::Stall => None,
            };
        }
        if endpoint != self.places.data {
            return None;
        }
        self.work(now);
        let count = self.ready.len().min(limit);
        let bytes = (count > 0).then(|| self.ready.drain(..count).collect());
        self.talk_on(now);
        bytes
    }

    fn transfer_time(&self, _endpoint: u8, bytes: usize) -> Duration {
        bulk_time(self.speed(), bytes)
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        let next = self.wake.min(self.running.next()).min(self.mass.next());
        Some(next).filter(|at| *at > now && *at < Duration::MAX)
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
