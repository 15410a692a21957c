//! Mass storage: a host before a disk that says anything, and a disk before a host that does.

use std::time::Duration;

use omv_wire::msc::{
    Camera, Capacity, Command, Exchange, Identity, Personality, Stack, Storage, StorageError, Take,
};

use crate::script::{Limits, Script, Stage};

const LIMITS: Limits = Limits {
    frames: 64,
    frame: 64 << 10,
};
/// Most turns of a conversation with a disk.
const TURNS: usize = 256;
/// Most bytes of one IN transfer.
const TRANSFER: usize = 16 << 10;

/// One command: which, then a [`script`](crate::script).
pub fn host(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let exchange = match choice % 4 {
        0 => Exchange::inward(1, Command::Read { block: 0, count: 2 }, 1024),
        1 => Exchange::outward(1, Command::Write { block: 0, count: 1 }, vec![7; 512]),
        2 => Exchange::inward(1, Command::ReadCapacity, Capacity::LEN as u32),
        _ => Exchange::outward(1, Command::TestUnitReady, Vec::new()),
    };
    let mut stage = Stage::new(exchange, LIMITS);
    stage.play(Script::new(script));
    stage.must_end();
}

/// 32 blocks, some of which fail.
struct Small(Vec<u8>);

impl Storage for Small {
    fn capacity(&self) -> Option<Capacity> {
        Some(Capacity {
            blocks: 32,
            block_size: 512,
        })
    }

    fn read(&mut self, _: Duration, block: u32, into: &mut [u8]) -> Result<(), StorageError> {
        let at = self.at(block)?;
        into.copy_from_slice(&self.0[at]);
        Ok(())
    }

    fn write(&mut self, _: Duration, block: u32, from: &[u8]) -> Result<(), StorageError> {
        let at = self.at(block)?;
        self.0[at].copy_from_slice(from);
        Ok(())
    }

    fn flush(&mut self, _: Duration) {}
}

impl Small {
    fn at(&self, block: u32) -> Result<std::ops::Range<usize>, StorageError> {
        match block {
            5 => Err(StorageError::Failed),
            0..32 => Ok(block as usize * 512..block as usize * 512 + 512),
            _ => Err(StorageError::OutOfRange),
        }
    }
}

/// A disk: which one, then `(what u8, length u8, bytes)*`. Whole wrappers are among the seeds.
pub fn camera(bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut camera = Camera::new(Personality {
        identity: Identity {
            removable: true,
            vendor: *b"fuzzing ",
            product: *b"a disk          ",
            revision: *b"1.00",
        },
        stack: if choice & 1 == 0 {
            Stack::Tiny
        } else {
            Stack::St
        },
        hides_errors: choice & 2 != 0,
    });
    let mut storage = Small(vec![0; 32 * 512]);
    let now = Duration::ZERO;
    for _ in 0..TURNS {
        let [what, length, tail @ ..] = rest else {
            return;
        };
        let (piece, after) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = after;
        match what % 4 {
            0 => camera.out(now, &mut storage, piece),
            1 => {
                let limit = (usize::from(*length) * 64 + 1).min(TRANSFER);
                if let Take::Data(bytes) = camera.take(now, &mut storage, limit) {
                    assert!(bytes.len() <= limit, "more than was asked for");
                }
                // The length was of what is taken.
                rest = tail;
            }
            2 => camera.clear_halt(),
            _ => camera.reset(),
        }
    }
}
