//! The test itself: what is written, in which order it is read, and what follows.
//!
//! ```text
//!  full      write all upward -> settle -> read upward -> read downward -> suspects alone, each
//!            twice behind different neighbours -> those that are lost: written once more
//!  capacity  markers every sqrt(n) blocks, and sqrt(n) blocks at the end: any disk that begins
//!            again puts one of these on one of those
//! ```
//!
//! Two reading orders, because a camera that hides errors sends what it sent before: what comes
//! back then depends on what was read before, and a wrong address does not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pattern::{Claim, Pattern, scramble};
use super::report::{Defect, Mode, Report, Speed, Times};
use super::runs::{Findings, Outcome, Runs, Segment, common_divisor, meaning, segments};
use super::{BlockError, Blocks};

/// Bytes moved at a time.
const PIECE: usize = 64 << 10;
/// Suspects that are looked at alone.
const SUSPECTS: u64 = 4096;
/// Lost runs that are written once more.
const RETRIED: usize = 64;
/// Times kept for the percentiles.
const SAMPLES: usize = 1 << 14;
/// Pieces a quick test reads twice.
const QUICK_PIECES: u64 = 1024;
/// A write that takes longer stalls a recording: the longest an SD card may be busy.
const STALL: Duration = Duration::from_millis(250);
/// Bytes per second that a recording of VGA pictures needs.
const NEEDED_RATE: u64 = 1_000_000;

/// How far a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does now.
    pub doing: &'static str,
    /// Blocks done.
    pub done: u64,
    /// Blocks to do.
    pub total: u64,
}

/// Tests a disk. `key` must be new for each run: that is how leftovers of an earlier one are known.
///
/// # Errors
/// [`BlockError::Gone`]. Everything else that goes wrong is in the report.
pub fn test(
    blocks: &mut dyn Blocks,
    mode: Mode,
    key: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, BlockError> {
    let mut bench = Bench::new(blocks, key, progress);
    let restored = match mode {
        Mode::Full => bench.full()?,
        Mode::Capacity => bench.capacity()?,
        Mode::Quick => {
            let restored = bench.capacity()?;
            bench.samples()?;
            restored
        }
    };
    Ok(bench.report(mode, restored))
}

pub(super) struct Bench<'a> {
    pub(super) blocks: &'a mut dyn Blocks,
    progress: &'a mut dyn FnMut(Progress),
    pattern: Pattern,
    key: u64,
    pub(super) size: usize,
    pub(super) claimed: u64,
    pub(super) true_size: Option<u64>,
    pub(super) looked_at: u64,
    pub(super) findings: Findings,
    reads: Vec<(usize, Duration)>,
    writes: Vec<(usize, Duration)>,
}

impl<'a> Bench<'a> {
    fn new(blocks: &'a mut dyn Blocks, key: u64, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            pattern: Pattern::new(key),
            key,
            size: blocks.block_size().max(1) as usize,
            claimed: blocks.blocks(),
            blocks,
            progress,
            true_size: None,
            looked_at: 0,
            findings: Findings::default(),
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    fn report(mut self, mode: Mode, restored: bool) -> Report {
        let speed = Speed {
            read: times(&mut self.reads),
            write: times(&mut self.writes),
        };
        let stalls = |write: Times| write.p99 > STALL || write.rate < NEEDED_RATE;
        if speed.write.is_some_and(stalls) {
            self.findings.add(Defect::Slow, 0, self.claimed);
        }
        Report {
            mode,
            block_size: self.size as u32,
            claimed: self.claimed,
            size: self.true_size.unwrap_or(self.claimed),
            looked_at: self.looked_at,
            findings: self.findings.finish(),
            speed,
            restored,
        }
    }

    pub(super) fn tell(&mut self, doing: &'static str, done: u64, total: u64) {
        (self.progress)(Progress { doing, done, total });
    }

    /// Reads; `false` when the disk says that it cannot.
    pub(super) fn read(&mut self, first: u64, into: &mut [u8]) -> Result<bool, BlockError> {
        let begun = self.blocks.now();
        let result = self.blocks.read(first, into);
        let took = self.blocks.now().saturating_sub(begun);
        if self.reads.len() < SAMPLES && into.len() > self.size {
            self.reads.push((into.len(), took));
        }
        match result {
            Ok(()) => Ok(true),
            Err(BlockError::Gone) => Err(BlockError::Gone),
            Err(_) => Ok(false),
        }
    }

    /// Writes; the disk's refusal is a finding and not an error.
    pub(super) fn write(&mut self, first: u64, from: &[u8]) -> Result<bool, BlockError> {
        let begun = self.blocks.now();
        let result = self.blocks.write(first, from);
        let took = self.blocks.now().saturating_sub(begun);
        if self.writes.len() < SAMPLES && from.len() > self.size {
            self.writes.push((from.len(), took));
        }
        match result {
            Ok(()) => Ok(true),
            Err(BlockError::Gone) => Err(BlockError::Gone),
            Err(BlockError::Protected) => {
                if !self.findings.has(Defect::Protected) {
                    self.findings.add(Defect::Protected, 0, self.claimed);
                }
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }

    pub(super) fn write_marker(&mut self, block: u64) -> Result<bool, BlockError> {
        let mut bytes = vec![0; self.size];
        self.pattern.fill(block, self.size, &mut bytes);
        self.write(block, &bytes)
    }

    fn outcome(&self, block: u64, bytes: &[u8]) -> Outcome {
        match self.pattern.judge(block, bytes) {
            Claim::Itself => Outcome::Good,
            Claim::Near => Outcome::Near,
            Claim::Foreign => Outcome::Foreign,
            Claim::Other(other) => Outcome::Other(other.wrapping_sub(block) as i64),
        }
    }

    pub(super) fn look(&mut self, block: u64) -> Result<Outcome, BlockError> {
        let mut bytes = vec![0; self.size];
        Ok(match self.read(block, &mut bytes)? {
            true => self.outcome(block, &bytes),
            false => Outcome::Error,
        })
    }

    fn per_piece(&self) -> u64 {
        (PIECE / self.size).max(1) as u64
    }

    fn full(&mut self) -> Result<bool, BlockError> {
        let (total, step) = (self.claimed, self.per_piece());
        let mut bytes = vec![0; step as usize * self.size];
        let mut first = 0;
        while first < total {
            let count = step.min(total - first);
            let piece = &mut bytes[..count as usize * self.size];
            self.pattern.fill(first, self.size, piece);
            if !self.write(first, piece)? {
                if self.findings.has(Defect::Protected) {
                    return Ok(false);
                }
                for block in first..first + count {
                    if !self.write_marker(block)? {
                        self.findings.add(Defect::WriteErrors, block, 1);
                    }
                }
            }
            first += count;
            self.tell("writing", first, total);
        }
        self.blocks.settle()?;
        let pieces: Vec<u64> = (0..total).step_by(step as usize).collect();
        let upward = self.pass("reading", pieces.iter().copied(), &mut bytes)?;
        let downward = self.pass("reading again", pieces.iter().rev().copied(), &mut bytes)?;
        self.looked_at = total;
        self.judge(&upward, &downward)?;
        Ok(false)
    }

    /// Reads pieces in some order.
    fn pass(
        &mut self,
        doing: &'static str,
        pieces: impl Iterator<Item = u64>,
        bytes: &mut [u8],
    ) -> Result<Runs, BlockError> {
        let mut runs = Runs::default();
        let (step, mut done) = (self.per_piece(), 0);
        for first in pieces {
            let count = step.min(self.claimed - first);
            let piece = &mut bytes[..count as usize * self.size];
            let whole = self.read(first, piece)?;
            for (block, one) in (first..).zip(piece.chunks(self.size)) {
                let outcome = match whole {
                    true => self.outcome(block, one),
                    false => self.look(block)?,
                };
                runs.note(block, outcome);
            }
            done += count;
            self.tell(doing, done, self.claimed);
        }
        Ok(runs)
    }

    /// Looks at suspects alone, behind two different neighbours: in a piece, blocks behind a bad
    /// one can look bad too.
    fn alone(&mut self, segment: Segment, good: [u64; 2]) -> Result<Vec<Segment>, BlockError> {
        let mut each = Vec::new();
        for block in segment.first..segment.first + segment.count {
            let mut seen = [Outcome::Good; 2];
            for (outcome, neighbour) in seen.iter_mut().zip(good) {
                self.look(neighbour)?;
                *outcome = self.look(block)?;
            }
            let mut seen = (seen[0], seen[1]);
            if seen == (Outcome::Good, Outcome::Good) {
                // It was another one's fault, unless the disk is in doubt about its own bits.
                let doubt = |outcome| matches!(outcome, Outcome::Near | Outcome::Error);
                let unsteady = segment.seen.0 != segment.seen.1;
                let foreign =
                    segment.seen.0 == Outcome::Foreign || segment.seen.1 == Outcome::Foreign;
                if doubt(segment.seen.0) || doubt(segment.seen.1) || (foreign && unsteady) {
                    seen = segment.seen;
                } else {
                    continue;
                }
            }
            each.push(Segment {
                first: block,
                count: 1,
                seen,
            });
        }
        Ok(each)
    }

    /// Two blocks that came back well both times, not next to each other.
    fn two_good(&self, bad: &[Segment]) -> [u64; 2] {
        let is_bad = |block: u64| {
            let behind = bad.partition_point(|segment| segment.first <= block);
            let before = behind.checked_sub(1).and_then(|at| bad.get(at));
            before.is_some_and(|segment| block < segment.first + segment.count)
        };
        let mut good = (0..self.claimed).rev().filter(|block| !is_bad(*block));
        let one = good.next().unwrap_or(0);
        let two = good.find(|block| block + 1 < one).unwrap_or(one);
        [one, two]
    }

    /// What two passes over all that was written mean.
    fn judge(&mut self, one: &Runs, two: &Runs) -> Result<(), BlockError> {
        let seen = segments(one, two);
        let good = self.two_good(&seen);
        let mut budget = SUSPECTS;
        let mut sure = Vec::new();
        for segment in seen {
            if segment.count <= budget {
                budget -= segment.count;
                sure.extend(self.alone(segment, good)?);
            } else {
                sure.push(segment);
            }
        }
        let mut moved: Vec<(Segment, i64)> = Vec::new();
        let mut lost: Vec<Segment> = Vec::new();
        for segment in sure {
            match (meaning(segment.seen), segment.seen.0) {
                (Some(defect), _) => self.findings.add(defect, segment.first, segment.count),
                (None, Outcome::Other(by)) => moved.push((segment, by)),
                (None, Outcome::Foreign) => match lost.last_mut() {
                    Some(last) if last.first + last.count == segment.first => {
                        last.count += segment.count;
                    }
                    _ => lost.push(segment),
                },
                (None, _) => {}
            }
        }
        self.judge_moved(&moved);
        self.judge_lost(&lost, good)
    }

    /// Blocks that came back in the place of others: all by multiples of one number, and only
    /// upward, is a disk that begins again there.
    fn judge_moved(&mut self, moved: &[(Segment, i64)]) {
        let period = moved.iter().fold(0, |period, (_, by)| {
            common_divisor(by.unsigned_abs(), period)
        });
        let upward = moved.iter().all(|(_, by)| *by > 0);
        // What is at the end was written last and is itself.
        let end_is_good = moved
            .iter()
            .all(|(segment, _)| segment.first + segment.count + period <= self.claimed);
        let covers: u64 = moved.iter().map(|(segment, _)| segment.count).sum();
        let wraps = upward && end_is_good && period > 0 && covers + period >= self.claimed;
        if wraps {
            self.true_size = Some(period);
            self.findings
                .add(Defect::Wraps, period, self.claimed - period);
        } else {
            for (segment, _) in moved {
                self.findings
                    .add(Defect::Swaps, segment.first, segment.count);
            }
        }
    }

    /// Blocks of which nothing came back: written once more, to see what the disk does with them.
    fn judge_lost(&mut self, lost: &[Segment], good: [u64; 2]) -> Result<(), BlockError> {
        for (number, segment) in lost.iter().enumerate() {
            let mut defect = Defect::Stuck;
            if number < RETRIED && self.forgets(segment.first, good)? {
                defect = Defect::Forgets;
            } else if segment.first + segment.count == self.claimed {
                defect = Defect::Drops;
                self.true_size = Some(segment.first);
            }
            self.findings.add(defect, segment.first, segment.count);
        }
        Ok(())
    }

    /// Whether a block is itself right after it was written: then it was lost later.
    fn forgets(&mut self, block: u64, good: [u64; 2]) -> Result<bool, BlockError> {
        if !self.write_marker(block)? {
            return Ok(false);
        }
        self.look(good[0])?;
        Ok(self.look(block)? == Outcome::Good)
    }

    /// Pieces all over the disk, read twice in different orders.
    fn samples(&mut self) -> Result<(), BlockError> {
        let step = self.per_piece();
        let pieces = self.claimed.div_ceil(step);
        let every = pieces.div_ceil(QUICK_PIECES).max(1);
        let offset = scramble(self.key) % every;
        let chosen: Vec<u64> = (0..pieces)
            .skip(offset as usize)
            .step_by(every as usize)
            .map(|piece| piece * step)
            .collect();
        let mut sums: BTreeMap<u64, Option<u64>> = BTreeMap::new();
        let mut before = Vec::new();
        for (done, first) in chosen.iter().chain(chosen.iter().rev()).enumerate() {
            let count = step.min(self.claimed - first);
            let mut bytes = vec![0; count as usize * self.size];
            let sum = self.read(*first, &mut bytes)?.then(|| sum(&bytes));
            // A camera that hides errors sends the block before once more.
            let same = bytes == before && bytes.iter().any(|byte| *byte != bytes[0]);
            match sums.get(first) {
                _ if sum.is_none() => self.findings.add(Defect::ReadErrors, *first, count),
                _ if same && *first != self.last_of(&chosen) => {
                    self.findings.add(Defect::Silent, *first, count);
                }
                Some(earlier) if *earlier != sum => {
                    self.findings.add(Defect::Flaky, *first, count);
                }
                _ => {}
            }
            sums.insert(*first, sum);
            before = bytes;
            self.tell("reading twice", done as u64 + 1, 2 * chosen.len() as u64);
        }
        self.looked_at += chosen.len() as u64 * step;
        Ok(())
    }

    /// The piece that is read twice in a row where the order turns.
    fn last_of(&self, chosen: &[u64]) -> u64 {
        chosen.last().copied().unwrap_or(0)
    }
}

/// A number that two different pieces have in common once in a lifetime (FNV-1a over words).
fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xCBF2_9CE4_8422_2325, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        scramble(sum ^ u64::from_le_bytes(word))
    })
}

fn times(samples: &mut [(usize, Duration)]) -> Option<Times> {
    let bytes: usize = samples.iter().map(|(bytes, _)| bytes).sum();
    let all: Duration = samples.iter().map(|(_, took)| *took).sum();
    samples.sort_by_key(|(_, took)| *took);
    let at = |part: usize| samples.get((samples.len() - 1) * part / 100);
    if samples.is_empty() || all.is_zero() {
        return None;
    }
    Some(Times {
        median: at(50)?.1,
        p99: at(99)?.1,
        worst: samples.last()?.1,
        rate: (bytes as f64 / all.as_secs_f64()) as u64,
    })
}
