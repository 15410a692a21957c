//! What the camera's end stands on.

use std::time::Duration;

use super::status;

/// How an operation on memory or fuses went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// 0 is success; see [`status`](super::status).
    pub status: u32,
    /// How long the device is busy with it; nothing is answered before.
    pub takes: Duration,
}

impl Outcome {
    /// An outcome that takes no time.
    #[must_use]
    pub fn now(status: u32) -> Self {
        Self {
            status,
            takes: Duration::ZERO,
        }
    }
}

/// The chip and its memories, as far as a bootloader touches them. Every status that is returned
/// goes to the host as it is. Property 11, the packet size, is answered by the
/// [`Camera`](super::Camera) itself.
pub trait Target {
    /// The values of a property, at most 7, or a status.
    fn get_property(&mut self, property: u32, index: u32) -> Result<Vec<u32>, u32>;

    /// Changes a property and returns a status.
    fn set_property(&mut self, property: u32, value: u32) -> u32;

    /// Erases `size` bytes from `start`.
    fn erase(&mut self, start: u32, size: u32, memory: u32) -> Outcome;

    /// Erases a whole memory.
    fn erase_all(&mut self, memory: u32) -> Outcome;

    /// Whether a write may begin; it replaces one that did not end. An error here, such as a
    /// range outside memory, stops the host before its first data.
    fn begin_write(&mut self, start: u32, size: u32, memory: u32) -> Result<(), u32>;

    /// Takes the next bytes of a write; they belong at `start`.
    fn write(&mut self, start: u32, bytes: &[u8]) -> Outcome;

    /// Ends a write, whether all of its bytes came and were taken or not.
    fn end_write(&mut self) -> Outcome;

    /// Whether a read may begin.
    fn begin_read(&mut self, start: u32, size: u32, memory: u32) -> Result<(), u32>;

    /// Exactly `size` bytes, at most one packet, of the read that began.
    fn read(&mut self, start: u32, size: u32) -> Result<Vec<u8>, u32>;

    /// Whether files of commands are taken at all. If so, one begins.
    fn begin_sb_file(&mut self) -> bool {
        false
    }

    /// Takes the next bytes of a file of commands, and refuses them where it can.
    fn sb_file(&mut self, _bytes: &[u8]) -> Outcome {
        Outcome::now(status::UNKNOWN_COMMAND)
    }

    /// Fills memory with a word, lowest byte first, the last one cut off where needed.
    fn fill(&mut self, start: u32, size: u32, pattern: u32) -> Outcome;

    /// Sets up external memory from the option block at `address`.
    fn configure(&mut self, memory: u32, address: u32) -> Outcome;

    /// Reads `count` bytes of fuses from word `index` on.
    fn read_fuse(&mut self, index: u32, count: u32) -> Result<Vec<u32>, u32>;

    /// Burns `count` bytes of fuses from word `index` on.
    fn program_fuse(&mut self, index: u32, count: u32, words: &[u32]) -> Outcome;

    /// Whether the code at `address` may be started, as a status; 0 and the camera leaves.
    fn execute(&mut self, address: u32, argument: u32, stack: u32) -> u32;

    /// Calls a function that returns.
    fn call(&mut self, address: u32, argument: u32) -> Outcome;

    /// Runs a command this trait has no function for; by default there are none.
    fn other(&mut self, tag: u8, words: &[u32]) -> Outcome {
        let _ = (tag, words);
        Outcome::now(status::UNKNOWN_COMMAND)
    }
}
