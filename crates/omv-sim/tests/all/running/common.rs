//! A host as small as it can be: it asks, and collects what it is told.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use omv_link::{Bus, Function, Heard, Link};
use omv_sim::disk::{Disks, Rules};
use omv_sim::engine::micropython::Interpreter;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Setup, VirtualBus};
use omv_wire::v2::codec::Opcode;
use omv_wire::v2::parser::Event;
use omv_wire::v2::records::Caps;
use omv_wire::v2::session::{Answer, Request, Session, Step};

pub const STDIN: u8 = 1;
pub const STDOUT: u8 = 2;
pub const STREAM: u8 = 3;

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The interpreter, one of the judges.
pub fn interpreter() -> Interpreter {
    static LOADED: OnceLock<Interpreter> = OnceLock::new();
    let load = || {
        let help =
            "`cargo xtask test judges` fetches it, then OMV_JUDGES names the folder target/judges";
        let folder = std::env::var_os("OMV_JUDGES").expect(help);
        Interpreter::load(&Path::new(&folder).join("micropython.wasm")).expect(help)
    };
    LOADED.get_or_init(load).clone()
}

/// A camera that executes scripts.
pub fn python() -> Setup {
    Setup {
        engine: Some(interpreter().engine()),
        ..Setup::default()
    }
}

/// A bus with one RT1062 on which this firmware came up.
pub fn bus(version: &str, setup: Setup) -> VirtualBus {
    let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
    camera.set_up(Setup {
        formats: true,
        ..setup
    });
    started(camera)
}

fn started(camera: Rt1062) -> VirtualBus {
    let bus = VirtualBus::new("test", vec![Box::new(camera)]);
    bus.pass(Duration::from_secs(5));
    bus
}

/// The same with files on its internal disk, and an image in the flash of its ROM file system.
pub fn bus_with(version: &str, setup: Setup, files: &[(&str, &[u8])], rom: &[u8]) -> VirtualBus {
    /// From the beginning of the flash.
    const ROM: usize = 0x80_0000;
    let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
    camera.set_up(Setup {
        formats: true,
        ..setup
    });
    let disks = Disks::boot(camera.disk(), None, Rules::Both);
    for (name, bytes) in files {
        disks.write(&format!("/flash/{name}"), bytes).unwrap();
    }
    camera.chip().lock().nor.place(ROM, rom);
    started(camera)
}

pub fn console(bus: &VirtualBus) -> Box<dyn Link> {
    let seen = bus.list().unwrap().remove(0);
    let mut device = bus.open(&seen).unwrap();
    device.link(Function::Console { baud: 921_600 }).unwrap()
}

/// A host that speaks v2.
pub struct Host {
    link: Box<dyn Link>,
    session: Session,
    pub text: String,
    pub events: Vec<Event>,
}

impl Host {
    pub fn new(bus: &VirtualBus) -> Self {
        let mut host = Self {
            link: console(bus),
            session: Session::default(),
            text: String::new(),
            events: Vec::new(),
        };
        host.sync();
        host
    }

    pub fn now(&self) -> Duration {
        self.link.now()
    }

    pub fn sync(&mut self) {
        let now = self.link.now();
        self.session.sync(now, millis(500));
        assert_eq!(self.settle(), Answer::Accepted);
        let caps = Caps {
            crc: true,
            seq: true,
            ack: false,
            events: true,
            max_payload: 4082,
        };
        let mut request = Request::new(Opcode::SET_CAPS);
        request.payload = caps.encode();
        assert_eq!(self.request(request), Answer::Accepted);
        self.session.adopt(caps);
    }

    fn settle(&mut self) -> Answer {
        loop {
            let now = self.link.now();
            match self.session.turn(now) {
                Step::Send(bytes) => self.link.send(&bytes).unwrap(),
                Step::Answer(answer) => {
                    while let Some(event) = self.session.event() {
                        self.events.push(event);
                    }
                    return answer;
                }
                Step::Wait(until) => self.hear(until),
                Step::Idle => panic!("nothing was asked"),
            }
        }
    }

    fn hear(&mut self, until: Duration) {
        if let Some(Heard::Bytes(bytes)) = self.link.wait(until).unwrap() {
            self.session.hear(&bytes);
        }
    }

    pub fn request(&mut self, request: Request) -> Answer {
        self.session.ask(self.link.now(), request);
        self.settle()
    }

    pub fn ask(&mut self, channel: u8, opcode: Opcode, payload: &[u8]) -> Answer {
        let mut request = Request::new(opcode);
        request.channel = channel;
        request.payload = payload.to_vec();
        request.limit = 1 << 24;
        self.request(request)
    }

    fn data(&mut self, channel: u8, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        for _ in 0..3 {
            match self.ask(channel, opcode, payload) {
                Answer::Data(bytes) => return bytes,
                Answer::Rebooted => {
                    self.events.push(Event::SOFT_REBOOT);
                    self.sync();
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("it begins anew all the time");
    }

    pub fn ioctl(&mut self, channel: u8, request: u32, arguments: &[u32]) -> Answer {
        let words = [request].into_iter().chain(arguments.iter().copied());
        let payload: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        self.ask(channel, Opcode::CHANNEL_IOCTL, &payload)
    }

    /// Sends a script and starts it.
    pub fn start(&mut self, script: &str) {
        self.ioctl(STDIN, 3, &[]);
        for (index, chunk) in script.as_bytes().chunks(4000).enumerate() {
            let lead = [index as u32, chunk.len() as u32];
            let mut payload: Vec<u8> = lead.into_iter().flat_map(u32::to_le_bytes).collect();
            payload.extend(chunk);
            assert_eq!(
                self.ask(STDIN, Opcode::CHANNEL_WRITE, &payload),
                Answer::Accepted
            );
        }
        assert_eq!(self.ioctl(STDIN, 2, &[]), Answer::Accepted);
    }

    pub fn stop(&mut self) {
        assert_eq!(self.ioctl(STDIN, 1, &[]), Answer::Accepted);
    }

    pub fn poll(&mut self) -> u32 {
        let bytes = self.data(0, Opcode::CHANNEL_POLL, &[]);
        u32::from_le_bytes(bytes.try_into().unwrap())
    }

    /// Reads what text there is.
    pub fn read_text(&mut self) {
        let size = self.data(STDOUT, Opcode::CHANNEL_SIZE, &[]);
        let size: [u8; 4] = size.try_into().unwrap();
        if size != [0; 4] {
            let payload = [[0; 4], size].concat();
            let bytes = self.data(STDOUT, Opcode::CHANNEL_READ, &payload);
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Lets time pass, and reads text meanwhile; whether the script is over before that.
    pub fn watch(&mut self, bus: &VirtualBus, time: Duration) -> bool {
        let end = self.link.now() + time;
        while self.link.now() < end {
            bus.pass(millis(5));
            if self.rebooted() {
                self.sync();
                self.read_text();
                return true;
            }
            self.read_text();
        }
        false
    }

    /// Whether the interpreter began anew since that was last asked.
    fn rebooted(&mut self) -> bool {
        // Whatever was told meanwhile is heard without waiting.
        let now = self.link.now();
        self.hear(now);
        while let Some(event) = self.session.event() {
            self.events.push(event);
        }
        let before = self.events.len();
        self.events.retain(|event| *event != Event::SOFT_REBOOT);
        before > self.events.len()
    }

    /// Runs a script to its end, at most this long; its text.
    pub fn run(&mut self, bus: &VirtualBus, script: &str, most: Duration) -> String {
        self.read_text();
        self.text.clear();
        self.start(script);
        assert!(
            self.watch(bus, most),
            "it still runs; it said {:?}",
            self.text
        );
        self.text.clone()
    }

    /// Waits for a frame and takes it: header and bytes.
    pub fn frame(&mut self, bus: &VirtualBus) -> (Vec<u32>, Vec<u8>) {
        for _ in 0..2000 {
            if self.poll() >> STREAM & 1 == 1
                && self.ask(STREAM, Opcode::CHANNEL_LOCK, &[]) == Answer::Accepted
            {
                let size = self.data(STREAM, Opcode::CHANNEL_SIZE, &[]);
                let payload = [[0; 4].to_vec(), size].concat();
                let bytes = self.data(STREAM, Opcode::CHANNEL_READ, &payload);
                self.ask(STREAM, Opcode::CHANNEL_UNLOCK, &[]);
                let word = |chunk: &[u8]| u32::from_le_bytes(chunk.try_into().unwrap());
                return (
                    bytes[..32].chunks(4).map(word).collect(),
                    bytes[32..].to_vec(),
                );
            }
            bus.pass(millis(2));
        }
        panic!("no frame came");
    }
}

/// A host that speaks v1.
pub struct Old {
    link: Box<dyn Link>,
}

impl Old {
    pub fn new(bus: &VirtualBus) -> Self {
        Self { link: console(bus) }
    }

    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut header = vec![0x30, opcode];
        header.extend((payload.len() as u32).to_le_bytes());
        self.link.send(&header).unwrap();
        if !payload.is_empty() {
            self.link.send(payload).unwrap();
        }
    }

    pub fn now(&self) -> Duration {
        self.link.now()
    }

    /// These bytes, whatever they are.
    pub fn say(&mut self, bytes: &[u8]) {
        self.link.send(bytes).unwrap();
    }

    /// Everything that comes until then.
    pub fn hear_until(&mut self, until: Duration) -> Vec<u8> {
        let mut heard = Vec::new();
        while let Some(Heard::Bytes(bytes)) = self.link.wait(until).unwrap() {
            heard.extend(bytes);
        }
        heard
    }

    pub fn ask(&mut self, opcode: u8, length: u32) -> Vec<u8> {
        let mut header = vec![0x30, opcode];
        header.extend(length.to_le_bytes());
        self.link.send(&header).unwrap();
        let mut bytes = Vec::new();
        let until = self.link.now() + Duration::from_secs(1);
        while bytes.len() < length as usize {
            match self.link.wait(until).unwrap() {
                Some(Heard::Bytes(more)) => bytes.extend(more),
                other => panic!("{other:?} after {bytes:?}"),
            }
        }
        bytes
    }

    pub fn word(&mut self, opcode: u8) -> u32 {
        u32::from_le_bytes(self.ask(opcode, 4).try_into().unwrap())
    }

    pub fn text(&mut self) -> String {
        let size = self.word(0x8E);
        if size == 0 {
            return String::new();
        }
        String::from_utf8(self.ask(0x8F, size)).unwrap()
    }

    /// What a script says, without the end of the interpreter.
    pub fn says(version: &str, setup: Setup, script: &str) -> String {
        Self::says_on(&bus(version, setup), script)
    }

    pub fn says_on(bus: &VirtualBus, script: &str) -> String {
        let mut old = Self::new(bus);
        old.send(0x06, &[]);
        bus.pass(millis(500));
        old.word(0x87);
        old.text();
        old.send(0x05, script.as_bytes());
        let mut said = String::new();
        for _ in 0..2000 {
            bus.pass(millis(10));
            said.push_str(&old.text());
            if let Some((said, _)) = said.split_once("MPY: soft reboot") {
                return said.to_owned();
            }
        }
        panic!("it does not end: {said}");
    }
}
