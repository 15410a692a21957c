//! How large a disk really is, found out without losing what is on it.

use std::collections::BTreeMap;

use super::BlockError;
use super::report::Defect;
use super::runs::{Outcome, Runs, common_divisor, meaning};
use super::test::Bench;

impl Bench<'_> {
    /// Markers all over the disk and many at its end, all put back.
    pub(super) fn capacity(&mut self) -> Result<bool, BlockError> {
        let step = self.claimed.isqrt().max(1);
        let tail = self.claimed.saturating_sub(step);
        let mut probes: Vec<u64> = (0..tail).step_by(step as usize).collect();
        probes.extend(tail..self.claimed);
        let mut kept = BTreeMap::new();
        let mut readable = Vec::new();
        for (done, block) in probes.iter().enumerate() {
            let mut bytes = vec![0; self.size];
            match self.read(*block, &mut bytes)? {
                true => {
                    kept.insert(*block, bytes);
                    readable.push(*block);
                }
                false => self.findings.add(Defect::ReadErrors, *block, 1),
            }
            self.tell(
                "keeping what is there",
                done as u64 + 1,
                probes.len() as u64,
            );
        }
        self.looked_at = probes.len() as u64;
        let result = self.markers(&readable, &mut kept);
        let restored = self.put_back(&kept)?;
        result?;
        Ok(restored)
    }

    fn markers(
        &mut self,
        probes: &[u64],
        kept: &mut BTreeMap<u64, Vec<u8>>,
    ) -> Result<(), BlockError> {
        for (done, block) in probes.iter().enumerate() {
            if !self.write_marker(*block)? {
                if self.findings.has(Defect::Protected) {
                    return Ok(());
                }
                self.findings.add(Defect::WriteErrors, *block, 1);
            }
            self.tell("writing markers", done as u64 + 1, probes.len() as u64);
        }
        self.blocks.settle()?;
        let mut passes = [Runs::default(), Runs::default()];
        for block in probes {
            let outcome = self.look(*block)?;
            passes[0].note(*block, outcome);
        }
        for block in probes.iter().rev() {
            let outcome = self.look(*block)?;
            passes[1].note(*block, outcome);
        }
        let [one, two] = &passes;
        let mut period = 0;
        let mut first_lost = None;
        let mut last_good = None;
        for block in probes {
            let seen = (one.at(*block), two.at(*block));
            match (meaning(seen), seen.0) {
                (Some(defect), _) => self.findings.add(defect, *block, 1),
                (None, Outcome::Other(by)) => period = common_divisor(by.unsigned_abs(), period),
                (None, Outcome::Foreign) => {
                    first_lost.get_or_insert(*block);
                }
                (None, _) => {
                    if let Some(lost) = first_lost.take() {
                        self.findings.add(Defect::Stuck, lost, 1);
                    }
                    last_good = Some(*block);
                }
            }
        }
        if period > 0 {
            let period = self.shortest(period, kept)?;
            self.true_size = Some(period);
            self.findings
                .add(Defect::Wraps, period, self.claimed - period);
        } else if let Some(lost) = first_lost {
            let end = self.end_between(last_good, lost, kept)?;
            self.true_size = Some(end);
            self.findings.add(Defect::Drops, end, self.claimed - end);
        }
        Ok(())
    }

    /// Keeps a block before it is written over, unless it is kept already.
    fn keep(&mut self, block: u64, kept: &mut BTreeMap<u64, Vec<u8>>) -> Result<(), BlockError> {
        let mut bytes = vec![0; self.size];
        if self.read(block, &mut bytes)? {
            kept.entry(block).or_insert(bytes);
        }
        Ok(())
    }

    /// The disk begins again after some divisor of `period`: which?
    fn shortest(
        &mut self,
        mut period: u64,
        kept: &mut BTreeMap<u64, Vec<u8>>,
    ) -> Result<u64, BlockError> {
        for prime in primes(period) {
            while period.is_multiple_of(prime) && period > prime {
                let shorter = period / prime;
                self.keep(shorter, kept)?;
                self.write_marker(0)?;
                self.write_marker(shorter)?;
                self.blocks.settle()?;
                self.look(1)?;
                if self.look(0)? != Outcome::Other(shorter as i64) {
                    break;
                }
                period = shorter;
            }
        }
        Ok(period)
    }

    /// Between a block that keeps what is written and one that does not: where does it end?
    fn end_between(
        &mut self,
        good: Option<u64>,
        lost: u64,
        kept: &mut BTreeMap<u64, Vec<u8>>,
    ) -> Result<u64, BlockError> {
        let (mut low, mut high) = (good.map_or(0, |good| good + 1), lost);
        while low < high {
            let middle = low + (high - low) / 2;
            self.keep(middle, kept)?;
            self.write_marker(middle)?;
            self.blocks.settle()?;
            self.look(0)?;
            match self.look(middle)? {
                Outcome::Good => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Puts everything back, the last first, and reads it once more.
    fn put_back(&mut self, kept: &BTreeMap<u64, Vec<u8>>) -> Result<bool, BlockError> {
        if self.findings.has(Defect::Protected) {
            return Ok(true);
        }
        for (done, (block, bytes)) in kept.iter().rev().enumerate() {
            self.write(*block, bytes)?;
            self.tell("putting back", done as u64 + 1, kept.len() as u64);
        }
        self.blocks.settle()?;
        let mut restored = true;
        for (block, bytes) in kept {
            let mut back = vec![0; self.size];
            restored &= self.read(*block, &mut back)? && back == *bytes;
        }
        Ok(restored)
    }
}

/// The primes that divide a number.
fn primes(mut number: u64) -> Vec<u64> {
    let mut primes = Vec::new();
    let mut candidate = 2;
    while candidate * candidate <= number {
        if number.is_multiple_of(candidate) {
            primes.push(candidate);
            while number.is_multiple_of(candidate) {
                number /= candidate;
            }
        }
        candidate += 1;
    }
    if number > 1 {
        primes.push(number);
    }
    primes
}
