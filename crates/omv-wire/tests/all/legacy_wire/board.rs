//! Flash for the bootloader under test, and the wire between it and a host.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::legacy::{Blocks, Camera, Flash, Layout, Personality, Version};
use omv_wire::{Input, Machine, Turn};

pub const MS: Duration = Duration::from_millis(1);
/// How long a sector takes.
pub const ERASE: Duration = Duration::from_millis(1100);

/// Sectors of 1 KiB; words cannot be written twice.
#[derive(Clone, Debug)]
pub struct Chip {
    pub internal: Vec<u8>,
    pub external: Vec<u8>,
    pub erased: Vec<u32>,
    pub erased_blocks: Vec<u32>,
    /// Sizes of the writes, in order.
    pub writes: Vec<usize>,
}

impl Chip {
    pub fn new() -> Self {
        Self {
            internal: vec![0; 0x4000],
            external: vec![0; 0x1000],
            erased: Vec::new(),
            erased_blocks: Vec::new(),
            writes: Vec::new(),
        }
    }
}

fn put(memory: &mut [u8], offset: u32, bytes: &[u8]) -> Option<Duration> {
    let at = memory.get_mut(offset as usize..offset as usize + bytes.len())?;
    if at.iter().any(|byte| *byte != 0xFF) {
        return None;
    }
    at.copy_from_slice(bytes);
    Some(MS / 4)
}

impl Flash for Chip {
    fn erase(&mut self, _now: Duration, sector: u32) -> Option<Duration> {
        // Sector 2 is the first of the firmware.
        let at = (sector.checked_sub(2)? * 1024) as usize;
        self.internal.get_mut(at..at + 1024)?.fill(0xFF);
        self.erased.push(sector);
        Some(ERASE)
    }

    fn write(&mut self, _now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration> {
        self.writes.push(bytes.len());
        put(&mut self.internal, offset, bytes)
    }

    fn erase_block(&mut self, _now: Duration, block: u32) -> Option<Duration> {
        let at = block as usize * 1024;
        self.external.get_mut(at..at + 1024)?.fill(0xFF);
        self.erased_blocks.push(block);
        Some(MS * 150)
    }

    fn write_external(&mut self, _now: Duration, offset: u32, bytes: &[u8]) -> Option<Duration> {
        put(&mut self.external, offset, bytes)
    }
}

pub const LAYOUT: Layout = Layout {
    first_all: 1,
    first_firmware: 2,
    last: 9,
};

pub fn camera(version: Version) -> Camera<Chip> {
    let blocks = Blocks {
        first: 0,
        last: 3,
        size: 1024,
    };
    let personality = Personality {
        version,
        packet: 64,
        layout: LAYOUT,
        blocks: (version == Version::Three).then_some(blocks),
    };
    Camera::new(personality, Chip::new())
}

/// What the wire did wrong, or right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// The camera appears on the bus this late.
    Late(Duration),
    /// It stops taking packets after this many.
    Stops(usize),
    /// It leaves the bus after this many.
    Leaves(usize),
}

/// Two ends and a clock. A packet waits for as long as the camera is busy, as on USB.
pub struct Wire {
    pub now: Duration,
    pub camera: Camera<Chip>,
    pub fault: Fault,
    pub packets: Vec<Vec<u8>>,
    queue: VecDeque<Vec<u8>>,
    pub left: bool,
}

impl Wire {
    pub fn new(version: Version) -> Self {
        Self {
            now: Duration::ZERO,
            camera: camera(version),
            fault: Fault::None,
            packets: Vec::new(),
            queue: VecDeque::new(),
            left: false,
        }
    }

    fn takes(&self) -> bool {
        match self.fault {
            Fault::Late(late) if self.now < late => false,
            Fault::Stops(after) if self.packets.len() >= after => false,
            _ => self.camera.busy_until() <= self.now,
        }
    }

    /// Lets the camera do what it can now; its answers.
    fn serve(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        loop {
            match self.camera.poll(self.now) {
                Turn::Send(bytes) => answers.push(bytes),
                Turn::Done(()) => {
                    self.left = true;
                    return answers;
                }
                Turn::Wait { .. } => match self.queue.front() {
                    Some(_) if self.takes() => {
                        let packet = self.queue.pop_front().unwrap();
                        self.camera.feed(self.now, Input::Bytes(&packet));
                        self.packets.push(packet);
                    }
                    _ => return answers,
                },
            }
        }
    }

    /// Runs a host to its end.
    pub fn run<M: Machine>(&mut self, host: &mut M) -> M::Output {
        for _ in 0..1_000_000 {
            let answers = self.serve();
            for answer in answers {
                host.feed(self.now, Input::Bytes(&answer));
            }
            let gone = matches!(self.fault, Fault::Leaves(after) if self.packets.len() >= after);
            if self.left || gone {
                host.feed(self.now, Input::Gone);
            }
            match host.poll(self.now) {
                Turn::Send(frame) => self.queue.push_back(frame),
                Turn::Done(output) => return output,
                Turn::Wait { until } => {
                    let busy = self.camera.busy_until();
                    let camera = Some(busy).filter(|busy| *busy > self.now);
                    let late = match self.fault {
                        Fault::Late(late) if late > self.now => Some(late),
                        _ => None,
                    };
                    let next = camera.into_iter().chain(late).chain([until]).min().unwrap();
                    self.now = next.max(self.now);
                }
            }
        }
        panic!("it never ends");
    }
}
