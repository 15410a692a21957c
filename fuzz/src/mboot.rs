//! The NXP bootloader protocol: codec, our side, and the camera's side over a small memory.
//!
//! The first byte sets the stage: bit 0 is the wire (clear: HID, set: UART), the others choose
//! the command of the host, or the quirks of the camera. A [`script`](crate::script) follows.

use omv_wire::mboot::hid::{self, Report};
use omv_wire::mboot::uart::{Frame, Heard, Scanner};
use omv_wire::mboot::{
    Camera, Command, Data, Exchange, Outcome, Ping, Quirks, Response, Setup, Target, Wire, status,
};

use crate::script::{Limits, Script, Stage};

const LIMITS: Limits = Limits {
    frames: 256,
    frame: 1100,
};
const START: u32 = 0x2000_0000;
const SIZE: u32 = 0x4000;

fn wire(choice: u8) -> Wire {
    if choice & 1 == 0 {
        Wire::Hid
    } else {
        Wire::Uart
    }
}

/// Packets and frames, and their round trips.
pub fn codec(bytes: &[u8]) {
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    if let Ok(response) = Response::decode(bytes) {
        assert_eq!(Response::decode(&response.encode()).as_ref(), Ok(&response));
        let _ = response.status();
    }
    if let Ok(report) = Report::decode(bytes) {
        let again = hid::encode(report.id, report.payload);
        let again = Report::decode(&again).expect("a report we wrote");
        assert_eq!((again.id, again.payload), (report.id, report.payload));
    }
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(
        whole,
        frames(bytes, 1),
        "how a stream is cut changes its frames"
    );
    for frame in &whole {
        let written = frame.encode();
        assert_eq!(frames(&written, written.len()), [frame.clone()]);
    }
}

/// The frames in a stream that comes in pieces of `size` bytes.
fn frames(bytes: &[u8], size: usize) -> Vec<Frame> {
    let mut scanner = Scanner::new(0x1_0000);
    let mut found = Vec::new();
    for mut piece in bytes.chunks(size) {
        while let Some(heard) = scanner.next(&mut piece) {
            if let Heard::Frame(frame) = heard {
                found.push(frame);
            }
        }
    }
    found
}

/// One exchange, or a ping, with a camera that says anything.
pub fn host(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let wire = wire(choice);
    let (command, data) = match choice >> 1 & 7 {
        0 => (Command::get_property(1, 0), Data::None),
        1 => (
            Command::write_memory(START, 3000, 0),
            Data::Out(vec![0xC3; 3000].into()),
        ),
        2 => (Command::read_memory(START, 3000, 0), Data::In(3000)),
        3 => (Command::flash_erase_region(START, SIZE, 9), Data::None),
        4 => (Command::reset(), Data::None),
        5 => (Command::efuse_read_once(6, 4), Data::None),
        6 => (Command::execute(START, 0, 0), Data::None),
        _ => {
            let mut stage = Stage::new(Ping::new(), LIMITS);
            stage.play(Script::new(script));
            return stage.must_end();
        }
    };
    let mut stage = Stage::new(Exchange::new(Setup::new(wire), command, data), LIMITS);
    stage.play(Script::new(script));
    stage.must_end();
}

/// A camera to which a host says anything.
pub fn camera(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let wire = wire(choice);
    let quirks = Quirks {
        acknowledges_at_once: choice & 2 != 0,
        stops_at_once: choice & 4 != 0,
        answers_reset: choice & 8 == 0,
        ..Quirks::default()
    };
    let memory = Memory(vec![0; SIZE as usize]);
    let camera = Camera::with_quirks(wire, wire.packet(), quirks, memory);
    Stage::new(camera, LIMITS).play(Script::new(script));
}

/// 16 KiB that can be read and written, and a fuse.
struct Memory(Vec<u8>);

impl Memory {
    fn range(&mut self, start: u32, size: u32) -> Option<&mut [u8]> {
        let from = start.checked_sub(START)?;
        let to = from.checked_add(size)?;
        self.0.get_mut(from as usize..to as usize)
    }

    fn check(&mut self, start: u32, size: u32) -> Result<(), u32> {
        let found = self.range(start, size).map(|_| ());
        found.ok_or(status::MEMORY_RANGE_INVALID)
    }

    fn set(&mut self, start: u32, size: u32, to: u8) -> Outcome {
        Outcome::now(match self.range(start, size) {
            Some(bytes) => {
                bytes.fill(to);
                status::SUCCESS
            }
            None => status::MEMORY_RANGE_INVALID,
        })
    }
}

impl Target for Memory {
    fn get_property(&mut self, property: u32, index: u32) -> Result<Vec<u32>, u32> {
        match property {
            1 => Ok(vec![0x4B02_0800]),
            12 => Ok(vec![index; 7]),
            _ => Err(status::UNKNOWN_PROPERTY),
        }
    }

    fn set_property(&mut self, _property: u32, _value: u32) -> u32 {
        status::SUCCESS
    }

    fn erase(&mut self, start: u32, size: u32, _memory: u32) -> Outcome {
        let takes = std::time::Duration::from_millis(40);
        let outcome = self.set(start, size, 0xFF);
        Outcome { takes, ..outcome }
    }

    fn erase_all(&mut self, _memory: u32) -> Outcome {
        self.set(START, SIZE, 0xFF)
    }

    fn begin_write(&mut self, start: u32, size: u32, _memory: u32) -> Result<(), u32> {
        self.check(start, size)
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> Outcome {
        let size = u32::try_from(bytes.len()).expect("a packet");
        let place = self.range(start, size);
        place
            .expect("a write that was allowed")
            .copy_from_slice(bytes);
        Outcome::now(status::SUCCESS)
    }

    fn end_write(&mut self) -> Outcome {
        Outcome::now(status::SUCCESS)
    }

    fn begin_read(&mut self, start: u32, size: u32, _memory: u32) -> Result<(), u32> {
        self.check(start, size)
    }

    fn read(&mut self, start: u32, size: u32) -> Result<Vec<u8>, u32> {
        let place = self.range(start, size);
        Ok(place.expect("a read that was allowed").to_vec())
    }

    fn fill(&mut self, start: u32, size: u32, pattern: u32) -> Outcome {
        self.set(start, size, pattern.to_le_bytes()[0])
    }

    fn configure(&mut self, _memory: u32, _address: u32) -> Outcome {
        Outcome::now(status::SUCCESS)
    }

    fn read_fuse(&mut self, index: u32, _count: u32) -> Result<Vec<u32>, u32> {
        Ok(vec![index])
    }

    fn program_fuse(&mut self, _index: u32, _count: u32, _words: &[u32]) -> Outcome {
        Outcome::now(status::SUCCESS)
    }

    fn execute(&mut self, _address: u32, _argument: u32, _stack: u32) -> u32 {
        status::SUCCESS
    }

    fn call(&mut self, _address: u32, _argument: u32) -> Outcome {
        Outcome::now(status::SUCCESS)
    }
}
