//! What a camera itself needs for a flash: the measure for hosts.

use std::time::Duration;

use omv_boards::{Board, MemoryKind, Role, Span};
use omv_wire::dfu::{BLOCK, Report};
use omv_wire::usb::Speed;

use super::chip::{Parts, Revision};
use super::face::wire;

/// Least time for firmware of some size through OpenMV's bootloader, by the model of flash and wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Erasing the sectors.
    pub erase: Duration,
    /// Programming the blocks.
    pub program: Duration,
    /// The blocks on the wire, each with the one question of which the camera is not busy meanwhile.
    pub write: Duration,
    /// The blocks on the wire again, back to the host.
    pub read: Duration,
}

impl Needs {
    /// Those of a board with its firmware inside, at full speed; none for another.
    pub fn of(board: &'static Board, size: u32) -> Option<Self> {
        let region = board.role(Role::Firmware)?;
        let mut parts = Parts::blank(board, [0; 12], Revision::V);
        let end = region.start.checked_add(size)?;
        let mut needs = Self::default();
        let (kind, start) = (MemoryKind::Internal, region.start);
        for sector in board.sectors(kind, Span { start, end }) {
            let began = parts.now;
            parts.now = parts.erase(kind, sector)?;
            needs.erase += parts.now - began;
            parts.nor.settle(parts.now);
        }
        let status = wire(Speed::Full, Report::LEN);
        for address in (start..end).step_by(BLOCK.into()) {
            let bytes = vec![0; (end - address).min(BLOCK.into()) as usize];
            let began = parts.now;
            parts.now = parts.write((kind, address), &bytes, 0, false).ok()?;
            needs.program += parts.now - began;
            needs.write += wire(Speed::Full, bytes.len()) + status;
            needs.read += wire(Speed::Full, bytes.len());
        }
        Some(needs)
    }

    /// All of it together.
    pub fn all(&self) -> Duration {
        self.erase + self.program + self.write + self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_h7_needs_thirteen_erases_and_each_block_twice_on_the_wire() {
        let board = omv_boards::by_name("h7").unwrap();
        let needs = Needs::of(board, 1_703_936).unwrap();
        let millis = |part: Duration| part.as_millis();
        // 13 sectors of 128 KiB in 1.088 s; 53,248 words of 32 bytes in 128 us.
        assert_eq!(millis(needs.erase), 14_144);
        assert_eq!(millis(needs.program), 6815);
        // 416 blocks, 832 bytes in a frame of a millisecond and one frame for the setup.
        assert_eq!(millis(needs.read), 2463);
        assert_eq!(millis(needs.write), 2463 + 419);
        assert_eq!(Needs::of(board, u32::MAX), None);
    }
}
