//! Protocol v1: a host that asks who is there, and the camera on each of its three stacks.
//!
//! The first byte sets the stage; a [`script`](crate::script) follows.

use omv_wire::v1::camera::{Camera, Personality, Stack};
use omv_wire::v1::codec::{Arch, Command};
use omv_wire::v1::console::{Console, Piece};
use omv_wire::v1::host::{Identify, Reset};
use omv_wire::v2::Leave;

use crate::script::{Limits, Script, Stage};

const LIMITS: Limits = Limits {
    frames: 64,
    frame: 0x1_0000,
};

/// A camera is asked for pictures, as large as one can be and as often as bytes allow.
const CAMERA: Limits = Limits {
    frames: 0x4000,
    frame: 0x1_0000,
};

/// What a console carries: text, pictures, marks. Slices change nothing.
pub fn console(bytes: &[u8]) {
    let Some((&size, carried)) = bytes.split_first() else {
        return;
    };
    let whole = pieces(carried, carried.len().max(1));
    assert_eq!(whole, pieces(carried, usize::from(size).max(1)));
    let size = |piece: &Piece| match piece {
        Piece::Text(bytes) | Piece::Image(bytes) => bytes.len(),
        _ => 0,
    };
    assert!(whole.iter().map(size).sum::<usize>() <= carried.len());
}

/// What is in it, text joined.
fn pieces(carried: &[u8], size: usize) -> Vec<Piece> {
    let mut console = Console::default();
    let mut all: Vec<_> = carried
        .chunks(size)
        .flat_map(|slice| console.feed(slice))
        .collect();
    all.extend(console.flush());
    let mut joined: Vec<Piece> = Vec::new();
    for piece in all {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(more)) => before.extend(more),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

/// A host that identifies, or that resets, towards a camera that says anything.
pub fn host(bytes: &[u8]) {
    if let Some(arch) = bytes.first_chunk()
        && let Ok(arch) = Arch::decode(arch)
    {
        assert!(Arch::decode(&arch.encode()).is_ok());
    }
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let script = Script::new(script);
    match choice & 3 {
        0 => {
            let mut stage = Stage::new(Reset::new(Leave::Reset), LIMITS);
            stage.play(script);
            stage.must_end();
        }
        1 => {
            let mut stage = Stage::new(Reset::new(Leave::Bootloader), LIMITS);
            stage.play(script);
            stage.must_end();
        }
        _ => {
            let mut stage = Stage::new(Identify::new(), LIMITS);
            stage.play(script);
            stage.must_end();
        }
    }
}

/// A camera to which a host says anything.
pub fn camera(bytes: &[u8]) {
    if let Some(&header) = bytes.first_chunk()
        && let Ok(command) = Command::decode(header)
    {
        assert_eq!(command.encode(), header);
    }
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let stack = match choice & 3 {
        0 => Stack::Packets(64),
        1 => Stack::Packets(512),
        2 => Stack::StreamFatal,
        _ => Stack::StreamForgiving,
    };
    let personality = Personality {
        stack,
        firmware: if choice & 4 == 0 {
            [4, 5, 9]
        } else {
            [3, 5, 2]
        },
        arch: Arch {
            arch: "OMVRT1060 32768 SDRAM".to_owned(),
            kind: Some("IMXRT1060".to_owned()),
            uid: Some([1, 2, 3]),
        },
        sensor: (choice & 8 != 0).then_some(0x7750),
        running: choice & 16 != 0,
    };
    Stage::new(Camera::new(personality), CAMERA).play(Script::new(script));
}
