//! Serial NOR flash: erases whole sectors to FF, programming can only clear bits, power may fail
//! in the middle of either. Flash inside a microcontroller is the same with larger sectors and a
//! word that is written as one; magnetic memory is stored to in place.
//!
//! Operations are scheduled, not done at once: each has a start and an end, and what a power cut
//! finds in the cells depends on when it comes. Time must be passed on with [`Nor::settle`].

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Smallest erasable unit, bytes.
pub const SECTOR: usize = 4096;
/// Largest unit that one program operation writes, bytes.
pub const PAGE: usize = 256;

/// How long the chip takes.
///
/// The defaults are the typical figures that datasheets of 128 Mbit quad-SPI NOR chips give
/// (sector erase 45 ms, page program 0.4 ms); the chip on the camera was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// One sector erase.
    pub erase: Duration,
    /// One whole page; shorter writes take their share.
    pub program: Duration,
}

impl Default for Speed {
    fn default() -> Self {
        Self {
            erase: Duration::from_millis(45),
            program: Duration::from_micros(400),
        }
    }
}

/// What an interrupted operation leaves in the cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Torn {
    /// The operation happened or it did not; bytes already programmed stay.
    #[default]
    Never,
    /// The cells under the operation are somewhere in between, each for itself.
    Always,
}

/// What is wrong with some bits of a byte that has been erased too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worn {
    /// They stay 0: an erase of their sector does not succeed.
    Stuck,
    /// They lose what is programmed and read 1 again.
    Leaky,
}

#[derive(Clone, Debug)]
enum Operation {
    Erase {
        sectors: Range<usize>,
    },
    Program {
        offset: usize,
        bytes: Vec<u8>,
        /// Bytes that are written as one: a power cut never leaves part of them.
        unit: usize,
    },
    Store {
        offset: usize,
        bytes: Vec<u8>,
        unit: usize,
    },
}

#[derive(Clone, Debug)]
struct Scheduled {
    start: Duration,
    end: Duration,
    operation: Operation,
}

/// How much the chip has been used, for tests and receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Sectors erased.
    pub erased_sectors: u64,
    /// Bytes programmed.
    pub programmed_bytes: u64,
}

/// The chip. Cloning is cheap: sectors are shared until written.
#[derive(Clone, Debug)]
pub struct Nor {
    sectors: Vec<Option<Arc<[u8; SECTOR]>>>,
    dirty: Vec<bool>,
    pending: VecDeque<Scheduled>,
    /// Bytes that may still be changed before the power fails.
    allowance: Option<u64>,
    speed: Speed,
    torn: Torn,
    wear: Wear,
    /// By offset: what is wrong with which bits.
    worn: BTreeMap<usize, (Worn, u8)>,
}

impl Nor {
    /// A blank chip of `size` bytes, a multiple of the sector size.
    pub fn blank(size: usize, speed: Speed) -> Self {
        Self {
            sectors: vec![None; size / SECTOR],
            dirty: vec![false; size / SECTOR],
            pending: VecDeque::new(),
            allowance: None,
            speed,
            torn: Torn::Never,
            wear: Wear::default(),
            worn: BTreeMap::new(),
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.sectors.len() * SECTOR
    }

    /// What a power cut leaves from now on.
    pub fn set_torn(&mut self, torn: Torn) {
        self.torn = torn;
    }

    /// Lets the power fail once `bytes` more bytes were changed; an erase changes all bytes of
    /// its sector. `None` takes the limit back.
    pub fn set_allowance(&mut self, bytes: Option<u64>) {
        self.allowance = bytes;
    }

    /// How much it was used so far.
    pub fn wear(&self) -> Wear {
        self.wear
    }

    /// Breaks bits of one byte, for good.
    pub fn wear_out(&mut self, offset: usize, worn: Worn, bits: u8) {
        self.worn.insert(offset, (worn, bits));
        self.decay(offset..offset + 1);
    }

    /// Whether all cells of a sector can be erased.
    pub fn can_erase(&self, sector: usize) -> bool {
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        !self
            .worn
            .range(range)
            .any(|(_, (worn, _))| *worn == Worn::Stuck)
    }

    /// Numbers of the sectors that hold other bytes than those of another chip of this size.
    pub fn changed_since(&self, other: &Self) -> Vec<usize> {
        let same = |number: &usize| {
            let pair = (&self.sectors[*number], &other.sectors[*number]);
            match pair {
                (None, None) => true,
                (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs) || ours == theirs,
                (Some(cells), None) | (None, Some(cells)) => cells.iter().all(|byte| *byte == 0xFF),
            }
        };
        (0..self.sectors.len().min(other.sectors.len()))
            .filter(|number| !same(number))
            .collect()
    }

    /// Reads bytes; beyond the end of the chip they are FF.
    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset + bytes.len();
            let take = (SECTOR - at % SECTOR).min(length - bytes.len());
            match self.sectors.get(at / SECTOR) {
                Some(Some(cells)) => bytes.extend_from_slice(&cells[at % SECTOR..][..take]),
                _ => bytes.resize(bytes.len() + take, 0xFF),
            }
        }
        bytes
    }

    /// One little-endian word.
    pub fn word(&self, offset: usize) -> u32 {
        let bytes = self.read(offset, 4);
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// Whether all bytes of a range are FF.
    pub fn is_blank(&self, range: Range<usize>) -> bool {
        self.read(range.start, range.len())
            .iter()
            .all(|byte| *byte == 0xFF)
    }

    /// Puts bytes there as a factory would, with no erase, no time and no wear.
    pub fn place(&mut self, offset: usize, bytes: &[u8]) {
        for (sector, within, run) in runs(offset, bytes) {
            self.cells(sector)[within..][..run.len()].copy_from_slice(run);
        }
    }

    /// Starts erasing one sector at `now` or when the chip is done with what it does; tells when
    /// it will be finished.
    pub fn erase(&mut self, now: Duration, sector: usize) -> Duration {
        let takes = self.speed.erase;
        self.erase_block(now, sector..sector + 1, takes)
    }

    /// Starts erasing sectors that the memory erases as one, as [`erase`](Nor::erase).
    pub fn erase_block(
        &mut self,
        now: Duration,
        sectors: Range<usize>,
        takes: Duration,
    ) -> Duration {
        self.schedule(now, takes, Operation::Erase { sectors })
    }

    /// Starts programming bytes in units that are written as one, each of which takes this time,
    /// as [`erase`](Nor::erase).
    pub fn program_units(
        &mut self,
        now: Duration,
        offset: usize,
        bytes: &[u8],
        (unit, takes): (usize, Duration),
    ) -> Duration {
        let takes = takes * bytes.len().div_ceil(unit) as u32;
        let bytes = bytes.to_vec();
        let operation = Operation::Program {
            offset,
            bytes,
            unit,
        };
        self.schedule(now, takes, operation)
    }

    /// Starts storing bytes over whatever is there, as magnetic memory does; else as
    /// [`program_units`](Nor::program_units).
    pub fn store_units(
        &mut self,
        now: Duration,
        offset: usize,
        bytes: &[u8],
        (unit, takes): (usize, Duration),
    ) -> Duration {
        let takes = takes * bytes.len().div_ceil(unit) as u32;
        let bytes = bytes.to_vec();
        let operation = Operation::Store {
            offset,
            bytes,
            unit,
        };
        self.schedule(now, takes, operation)
    }

    /// Starts programming bytes within one page, as [`erase`](Nor::erase).
    pub fn program(&mut self, now: Duration, offset: usize, bytes: &[u8]) -> Duration {
        let share = bytes.len().max(1) as u32;
        let takes = self.speed.program * share / PAGE as u32;
        let bytes = bytes.to_vec();
        let operation = Operation::Program {
            offset,
            bytes,
            unit: 1,
        };
        self.schedule(now, takes, operation)
    }

    /// Completes everything that ends by `now`. False when the power failed meanwhile because
    /// the allowance of changed bytes is used up.
    pub fn settle(&mut self, now: Duration) -> bool {
        while self.pending.front().is_some_and(|next| next.end <= now) {
            let Some(next) = self.pending.pop_front() else {
                break;
            };
            let wants = next.operation.bytes();
            match self.allowance {
                Some(left) if left < wants => {
                    self.allowance = None;
                    self.interrupt(&next.operation, left as f64 / wants as f64);
                    self.pending.clear();
                    return false;
                }
                Some(left) => self.allowance = Some(left - wants),
                None => {}
            }
            self.complete(next.operation);
        }
        true
    }

    /// The power fails at `now`: the operation under way is left where it is, later ones never
    /// happen.
    pub fn cut(&mut self, now: Duration) {
        self.settle(now);
        if let Some(current) = self.pending.pop_front()
            && current.start < now
        {
            let done = (now - current.start).as_secs_f64();
            let all = (current.end - current.start).as_secs_f64();
            self.interrupt(&current.operation, done / all);
        }
        self.pending.clear();
        self.allowance = None;
    }

    /// Sectors changed since the last call, with their contents, for whoever keeps the chip in a
    /// file.
    pub fn take_dirty(&mut self) -> Vec<(usize, Vec<u8>)> {
        let changed: Vec<usize> = (0..self.dirty.len()).filter(|n| self.dirty[*n]).collect();
        self.dirty.fill(false);
        changed
            .into_iter()
            .map(|sector| (sector, self.read(sector * SECTOR, SECTOR)))
            .collect()
    }

    fn schedule(&mut self, now: Duration, takes: Duration, operation: Operation) -> Duration {
        let start = self.pending.back().map_or(now, |last| last.end.max(now));
        let end = start + takes;
        self.pending.push_back(Scheduled {
            start,
            end,
            operation,
        });
        end
    }

    fn complete(&mut self, operation: Operation) {
        match operation {
            Operation::Erase { sectors } => {
                for sector in sectors.clone() {
                    self.cells(sector).fill(0xFF);
                }
                self.wear.erased_sectors += sectors.len() as u64;
                self.decay(sectors.start * SECTOR..sectors.end * SECTOR);
            }
            Operation::Program { offset, bytes, .. } => {
                self.wear.programmed_bytes += bytes.len() as u64;
                self.clear_bits(offset, &bytes);
                self.decay(offset..offset + bytes.len());
            }
            Operation::Store { offset, bytes, .. } => {
                self.wear.programmed_bytes += bytes.len() as u64;
                self.place(offset, &bytes);
            }
        }
    }

    /// Makes worn bits of a range what they always become.
    fn decay(&mut self, range: Range<usize>) {
        let worn: Vec<(usize, (Worn, u8))> = self
            .worn
            .range(range)
            .map(|(offset, worn)| (*offset, *worn))
            .collect();
        for (offset, (worn, bits)) in worn {
            let cell = &mut self.cells(offset / SECTOR)[offset % SECTOR];
            match worn {
                Worn::Stuck => *cell &= !bits,
                Worn::Leaky => *cell |= bits,
            }
        }
    }

    /// Leaves an operation `share` of the way done.
    fn interrupt(&mut self, operation: &Operation, share: f64) {
        match (operation, self.torn) {
            (Operation::Erase { .. }, Torn::Never) => {}
            (Operation::Erase { sectors }, Torn::Always) => {
                let limit = (share * 256.0) as u32;
                for sector in sectors.clone() {
                    let mut noise = Noise::new(sector as u64);
                    for byte in self.cells(sector).iter_mut() {
                        // Each cell drifts to 1 at its own pace: the further the erase got, the
                        // more.
                        for bit in 0..8 {
                            if noise.next() % 256 < limit {
                                *byte |= 1 << bit;
                            }
                        }
                    }
                }
            }
            (
                Operation::Store {
                    offset,
                    bytes,
                    unit,
                },
                _,
            ) => {
                let whole = whole_units(bytes.len(), *unit, share);
                self.wear.programmed_bytes += whole as u64;
                self.place(*offset, &bytes[..whole]);
            }
            (
                Operation::Program {
                    offset,
                    bytes,
                    unit,
                },
                torn,
            ) => {
                let whole = whole_units(bytes.len(), *unit, share);
                self.wear.programmed_bytes += whole as u64;
                self.clear_bits(*offset, &bytes[..whole]);
                if torn == Torn::Always && whole < bytes.len() {
                    let mut noise = Noise::new(*offset as u64);
                    let weak = bytes[whole] | noise.next() as u8;
                    self.clear_bits(offset + whole, &[weak]);
                }
            }
        }
    }

    fn clear_bits(&mut self, offset: usize, bytes: &[u8]) {
        for (sector, within, run) in runs(offset, bytes) {
            let cells = &mut self.cells(sector)[within..];
            for (cell, byte) in cells.iter_mut().zip(run) {
                *cell &= byte;
            }
        }
    }

    fn cells(&mut self, sector: usize) -> &mut [u8; SECTOR] {
        self.dirty[sector] = true;
        let cells = self.sectors[sector].get_or_insert_with(|| Arc::new([0xFF; SECTOR]));
        Arc::make_mut(cells)
    }
}

/// Bytes from an offset on, a part for each sector they lie in: its number, the offset within it, the bytes.
fn runs(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, usize, &[u8])> {
    let (mut at, mut rest) = (offset, bytes);
    std::iter::from_fn(move || {
        let (run, later) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
        let place = (at / SECTOR, at % SECTOR, run);
        (at, rest) = (at + run.len(), later);
        (!run.is_empty()).then_some(place)
    })
}

/// Bytes of whole units in this share of `length`.
fn whole_units(length: usize, unit: usize, share: f64) -> usize {
    let whole = ((length as f64) * share) as usize;
    whole.min(length) / unit * unit
}

impl Operation {
    fn bytes(&self) -> u64 {
        match self {
            Self::Erase { sectors } => (sectors.len() * SECTOR) as u64,
            Self::Program { bytes, .. } | Self::Store { bytes, .. } => bytes.len() as u64,
        }
    }
}

/// Repeatable noise (a xorshift generator): the same cut always leaves the same cells.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn chip() -> Nor {
        Nor::blank(4 * SECTOR, Speed::default())
    }

    #[test]
    fn what_crosses_sectors_is_written_whole() {
        let bytes: Vec<u8> = (0..2 * SECTOR + 8).map(|at| at as u8 | 1).collect();
        let mut placed = Nor::blank(4 * SECTOR, Speed::default());
        placed.place(SECTOR - 3, &bytes);
        let mut programmed = Nor::blank(4 * SECTOR, Speed::default());
        programmed.program_units(Duration::ZERO, SECTOR - 3, &bytes, (32, Duration::ZERO));
        programmed.settle(Duration::ZERO);
        for nor in [placed, programmed] {
            assert!(nor.read(SECTOR - 3, bytes.len()) == bytes);
            assert_eq!(nor.read(SECTOR - 4, 1), [0xFF]);
        }
    }

    #[test]
    fn programming_only_clears_bits() {
        let mut nor = chip();
        nor.place(0, &[0x0F]);
        nor.program(Duration::ZERO, 0, &[0xF3]);
        nor.settle(Duration::from_secs(1));
        assert_eq!(nor.read(0, 2), [0x03, 0xFF]);
    }

    #[test]
    fn nothing_changes_before_the_operation_ends() {
        let mut nor = chip();
        nor.place(SECTOR, &[0; 8]);
        let end = nor.erase(Duration::ZERO, 1);
        nor.settle(end - MS);
        assert_eq!(nor.read(SECTOR, 1), [0]);
        nor.settle(end);
        assert!(nor.is_blank(SECTOR..2 * SECTOR));
        assert_eq!(nor.wear().erased_sectors, 1);
    }

    #[test]
    fn a_cut_in_an_erase_leaves_the_sector_or_a_mixture() {
        for (torn, same) in [(Torn::Never, true), (Torn::Always, false)] {
            let mut nor = chip();
            nor.place(0, &[0; SECTOR]);
            nor.set_torn(torn);
            nor.erase(Duration::ZERO, 0);
            nor.cut(20 * MS);
            let after = nor.read(0, SECTOR);
            assert_eq!(after == vec![0; SECTOR], same);
            assert!(after != vec![0xFF; SECTOR]);
        }
    }

    #[test]
    fn a_cut_in_a_program_keeps_the_bytes_already_written() {
        let mut nor = chip();
        nor.program(Duration::ZERO, 0, &[0; PAGE]);
        nor.cut(Duration::from_micros(200));
        assert_eq!(nor.read(127, 2), [0, 0xFF]);
        nor.settle(Duration::from_secs(1));
        assert_eq!(nor.read(128, 1), [0xFF], "the rest never happens");
    }

    #[test]
    fn the_allowance_counts_changed_bytes_across_operations() {
        let mut nor = chip();
        nor.place(0, &[0; SECTOR]);
        nor.set_allowance(Some(SECTOR as u64 + 10));
        nor.erase(Duration::ZERO, 0);
        let end = nor.program(Duration::ZERO, 0, &[0x11; PAGE]);
        assert!(!nor.settle(end), "the power failed");
        assert_eq!(nor.read(9, 2), [0x11, 0xFF]);
    }

    #[test]
    fn worn_bits_stay_low_or_come_back() {
        let mut nor = chip();
        nor.wear_out(7, Worn::Stuck, 0x01);
        nor.wear_out(SECTOR, Worn::Leaky, 0x80);
        let end = nor.erase(Duration::ZERO, 0);
        nor.program(end, SECTOR, &[0; 2]);
        nor.settle(Duration::from_secs(1));
        assert_eq!(nor.read(6, 3), [0xFF, 0xFE, 0xFF]);
        assert_eq!(nor.read(SECTOR, 2), [0x80, 0x00]);
        assert_eq!((nor.can_erase(0), nor.can_erase(1)), (false, true));
    }

    #[test]
    fn two_chips_differ_in_the_sectors_whose_bytes_differ() {
        let mut nor = chip();
        nor.place(5, &[1]);
        let copy = nor.clone();
        nor.place(5, &[1]);
        nor.place(SECTOR, &[0xFF]);
        assert_eq!(
            nor.changed_since(&copy),
            [0; 0],
            "equal bytes, other memory"
        );
        nor.place(3 * SECTOR, &[0]);
        assert_eq!(nor.changed_since(&copy), [3]);
        assert_eq!(copy.changed_since(&nor), [3]);
    }

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut nor = chip();
        nor.place(5, &[1]);
        let copy = nor.clone();
        nor.place(5, &[2]);
        assert_eq!((copy.read(5, 1), nor.read(5, 1)), (vec![1], vec![2]));
    }
}
