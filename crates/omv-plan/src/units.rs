//! The smallest pieces of a region that can be rewritten without touching their neighbours.

use std::ops::Range;

use omv_boards::{Board, Memory, Region};

use crate::image::Part;
use crate::step::Plan;

/// Bootloaders take blocks of this size; smaller pieces are not worth telling apart.
const LEAST: u32 = 0x1000;

/// The erase units of a region, in order, from its first byte to its last.
///
/// A unit is a sector of the chip, or several where the region's bootloader erases more at once.
pub fn units(board: &Board, region: &Region) -> Vec<Range<u32>> {
    let memory = board.memory(region.memory);
    let mut all = Vec::new();
    let mut start = region.start;
    while start < region.end() {
        let end = memory.map_or(start + region.erase_unit.max(LEAST), |memory| {
            end_of_unit(memory, region.erase_unit.max(LEAST), start)
        });
        let end = end.min(region.end());
        all.push(start..end);
        start = end;
    }
    all
}

/// Where the unit ends that an address lies in.
fn end_of_unit(memory: &Memory, least: u32, address: u32) -> u32 {
    let mut start = memory.start;
    for run in &memory.sectors {
        let end = start.saturating_add(run.count.saturating_mul(run.size));
        if address < end {
            let size = run.size.max(least);
            return start + ((address - start) / size + 1) * size;
        }
        start = end;
    }
    address.saturating_add(least)
}

impl Plan {
    /// The units a part consists of.
    pub fn units(&self, part: &Part) -> Vec<Range<u32>> {
        let region = self.board.region(&self.images[part.image].region);
        let Some(region) = region else {
            return part.spans.clone();
        };
        let inside = |unit: &Range<u32>| {
            let meets = |span: &Range<u32>| unit.start < span.end && span.start < unit.end;
            part.spans.iter().any(meets)
        };
        units(self.board, region)
            .into_iter()
            .filter(inside)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(board: &str, region: &str) -> Vec<Range<u32>> {
        let board = omv_boards::by_name(board).unwrap();
        units(board, board.region(region).unwrap())
    }

    #[test]
    fn units_follow_the_sectors_of_the_chip() {
        let m4 = of("m4", "firmware");
        assert_eq!(m4[0], 0x0801_0000..0x0802_0000);
        assert_eq!(m4[1], 0x0802_0000..0x0804_0000);
        assert_eq!(m4.last().unwrap().end, 0x080E_0000);
        let h7 = of("h7", "firmware");
        assert_eq!((h7.len(), h7[0].clone()), (13, 0x0804_0000..0x0806_0000));
    }

    #[test]
    fn units_are_as_large_as_the_bootloader_erases_at_once() {
        assert_eq!(of("h7plus", "romfs")[1], 0x0181_0000..0x0182_0000);
        assert_eq!(of("rt1062", "firmware")[0], 0x6004_0000..0x6004_1000);
        // Memory without sectors is taken in blocks.
        let ae3 = of("ae3", "HE");
        assert_eq!(ae3[0], 0x8032_0000..0x8032_1000);
        assert_eq!(ae3.last().unwrap().end, 0x8047_E000);
    }

    #[test]
    fn units_cover_every_region_of_every_board_without_a_gap() {
        for board in omv_boards::all() {
            for region in board.layouts.first().iter().flat_map(|l| &l.regions) {
                let units = units(board, region);
                let ends = units.iter().map(|unit| unit.end);
                assert!(
                    ends.zip(units.iter().skip(1))
                        .all(|(end, next)| end == next.start)
                );
                assert_eq!(units.first().map(|u| u.start), Some(region.start));
                assert_eq!(
                    units.last().map(|u| u.end),
                    Some(region.end()),
                    "{}",
                    board.name
                );
            }
        }
    }
}
