//! Shared by the tests of the running camera's protocols: vectors, cameras, and a wire in
//! virtual time that can lose, flip and double bytes.

use std::time::Duration;

use omv_wire::v1::camera as v1;
use omv_wire::v1::codec::Arch;
use omv_wire::v2::camera::{Camera, Personality};
use omv_wire::v2::channels::Channels;
use omv_wire::v2::records::{Memory, SysInfo, Version};
use omv_wire::{Input, Machine, Turn};

pub const MILLISECOND: Duration = Duration::from_millis(1);

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|c| c.is_ascii_hexdigit()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// One line of a recording.
pub struct Chunk {
    pub at: Duration,
    pub from_host: bool,
    pub bytes: Vec<u8>,
}

/// Lines `seconds > hex` and `seconds < hex`.
pub fn recording(text: &str) -> Vec<Chunk> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.split(' ');
            let mut part = || parts.next().unwrap();
            Chunk {
                at: Duration::from_secs_f64(part().parse().unwrap()),
                from_host: part() == ">",
                bytes: hex(part()),
            }
        })
        .collect()
}

/// Pairs of what the host says and what the camera answers, lines `H> hex` and `D> hex`.
pub fn transcript(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        match line.split_once("> ") {
            Some(("H", bytes)) => pairs.push((hex(bytes), Vec::new())),
            Some(("D", "(nothing)")) => {}
            Some(("D", bytes)) => pairs.last_mut().unwrap().1.extend(hex(bytes)),
            _ => assert!(line.starts_with('#'), "{line}"),
        }
    }
    pairs
}

/// The board of the recordings and transcripts.
pub fn personality() -> Personality {
    let pool = |flags, total, persist| Memory {
        kind: 1,
        flags,
        total,
        used: 0,
        free: total,
        persist: 0,
        peak: persist,
    };
    Personality {
        max_payload: 4082,
        version: Version {
            protocol: [1, 0, 2],
            bootloader: [1, 0, 3],
            firmware: [5, 0, 0],
        },
        info: SysInfo {
            cpu_id: 0x411F_C272,
            uid: [1, 0x4F4D_5600, 0x5145_4D55],
            usb: (0x37C5, 0x1500),
            sensors: [0x50F7, 0, 0],
            hw_caps: [0x20, 0],
            frame_buffer: 0,
            stream_buffer: 512,
        },
        memory: vec![
            Memory {
                kind: 0,
                flags: 0,
                total: 0x000F_A200,
                used: 0x2BA0,
                free: 0x000F_7660,
                ..Memory::default()
            },
            pool(0, 0x007F_F384, 0),
            pool(5, 0x001F_F384, 0),
            pool(4, 0x0003_F384, 0),
            pool(2, 0x0001_F384, 0),
        ],
    }
}

/// Everything a machine wants to send now.
pub fn drain<M: Machine>(machine: &mut M, now: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Turn::Send(sent) = machine.poll(now) {
        bytes.extend(sent);
    }
    bytes
}

/// What a camera answers to these bytes at that time.
pub fn exchange<C: Channels>(camera: &mut Camera<C>, now: Duration, bytes: &[u8]) -> Vec<u8> {
    camera.feed(now, Input::Bytes(bytes));
    drain(camera, now)
}

pub fn arch() -> Arch {
    Arch {
        arch: "OMV4 H7 1024".into(),
        kind: Some("H7".into()),
        uid: Some([0x003B_0022, 0x3136_5019, 0x2039_3735]),
    }
}

pub fn v1_camera(stack: v1::Stack, firmware: [u8; 3]) -> v1::Camera {
    v1::Camera::new(v1::Personality {
        stack,
        firmware,
        arch: arch(),
        sensor: Some(0x7725),
        running: false,
    })
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    ToCamera,
    ToHost,
}

/// Joins a host to a camera in virtual time, a millisecond each way. `fault` may change what
/// passes; several vectors arrive as several chunks. The host's result and when it came, or
/// `None` if it is not over after `limit`.
pub fn converse<H: Machine, C: Machine>(
    host: &mut H,
    camera: &mut C,
    limit: Duration,
    mut fault: impl FnMut(Way, Vec<u8>) -> Vec<Vec<u8>>,
) -> Option<(H::Output, Duration)> {
    let mut now = Duration::ZERO;
    let mut gone = false;
    let mut quiet = 0;
    while now <= limit {
        let host_wakes = match host.poll(now) {
            Turn::Done(output) => return Some((output, now)),
            Turn::Send(bytes) => {
                now += MILLISECOND;
                if !gone {
                    for chunk in fault(Way::ToCamera, bytes) {
                        camera.feed(now, Input::Bytes(&chunk));
                    }
                }
                continue;
            }
            Turn::Wait { until } => until,
        };
        let camera_wakes = match camera.poll(now) {
            Turn::Send(bytes) => {
                now += MILLISECOND;
                for chunk in fault(Way::ToHost, bytes) {
                    host.feed(now, Input::Bytes(&chunk));
                }
                continue;
            }
            Turn::Done(_) if !gone => {
                gone = true;
                host.feed(now, Input::Gone);
                continue;
            }
            Turn::Done(_) => Duration::MAX,
            Turn::Wait { until } => until,
        };
        let next = host_wakes.min(camera_wakes);
        quiet = if next <= now { quiet + 1 } else { 0 };
        assert!(
            quiet < 10,
            "a machine asks to be woken in the past for ever"
        );
        now = next.max(now + Duration::from_micros(1));
    }
    None
}

/// Passes everything on.
pub fn intact(_: Way, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    vec![bytes]
}
