//! Outcomes of many blocks as runs, and what they mean together.

use std::collections::BTreeMap;

use super::report::{Defect, Finding, Range};

/// What reading a block that was written brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was written.
    Good,
    /// An error.
    Error,
    /// The block this far behind (or before) it.
    Other(i64),
    /// What was written, with some bits wrong.
    Near,
    /// Nothing of this run.
    Foreign,
}

/// Runs of blocks that are not good. Memory is bounded: what is too scattered is only counted.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: BTreeMap<u64, (u64, Outcome)>,
}

/// Most runs kept.
const MOST: usize = 1 << 16;

impl Runs {
    /// Notes the outcome of a block. Each block is noted once.
    pub fn note(&mut self, block: u64, outcome: Outcome) {
        if outcome == Outcome::Good {
            return;
        }
        let mut first = block;
        let mut count = 1;
        if let Some((before, (length, what))) = self.runs.range(..block).next_back()
            && before + length == block
            && *what == outcome
        {
            first = *before;
            count += length;
        }
        if let Some((length, what)) = self.runs.get(&(block + 1))
            && *what == outcome
        {
            count += length;
            self.runs.remove(&(block + 1));
        }
        if first != block || self.runs.len() < MOST {
            self.runs.insert(first, (count, outcome));
        }
    }

    /// What a block was.
    pub fn at(&self, block: u64) -> Outcome {
        let run = self.runs.range(..=block).next_back();
        match run {
            Some((first, (count, outcome))) if first + count > block => *outcome,
            _ => Outcome::Good,
        }
    }

    /// Where outcomes of either may change.
    fn edges(&self) -> impl Iterator<Item = u64> {
        self.runs
            .iter()
            .flat_map(|(first, (count, _))| [*first, first + count])
    }
}

/// A run of blocks with what both passes saw of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first block.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// What the passes saw.
    pub seen: (Outcome, Outcome),
}

/// All runs in which at least one of two passes saw something else than what was written.
pub fn segments(one: &Runs, two: &Runs) -> Vec<Segment> {
    let mut edges: Vec<u64> = one.edges().chain(two.edges()).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut segments = Vec::new();
    for pair in edges.windows(2) {
        let [first, end] = *pair else { continue };
        let seen = (one.at(first), two.at(first));
        if seen != (Outcome::Good, Outcome::Good) {
            segments.push(Segment {
                first,
                count: end - first,
                seen,
            });
        }
    }
    segments
}

/// What two looks at the same blocks mean. `None`: they came back as something of this run at a
/// fixed distance, or as nothing of it, and more must be known.
pub fn meaning(seen: (Outcome, Outcome)) -> Option<Defect> {
    use Outcome::{Error, Foreign, Good, Near, Other};
    match seen {
        (Error, _) | (_, Error) => Some(Defect::ReadErrors),
        (Near, _) | (_, Near) => Some(Defect::Flaky),
        (Other(one), Other(two)) if one == two => None,
        (Foreign, Foreign) => None,
        // What came before in the buffer came again.
        (Other(_), _) | (_, Other(_)) => Some(Defect::Silent),
        (Good, Foreign) | (Foreign, Good) => Some(Defect::Flaky),
        (Good, Good) => None,
    }
}

/// Findings being collected.
#[derive(Clone, Debug, Default)]
pub struct Findings(BTreeMap<Defect, Finding>);

/// Ranges that are named.
const NAMED: usize = 64;

impl Findings {
    /// Adds blocks to a defect. Ranges come in rising order.
    pub fn add(&mut self, defect: Defect, first: u64, count: u64) {
        let finding = self.0.entry(defect).or_insert(Finding {
            defect,
            ranges: Vec::new(),
            blocks: 0,
        });
        finding.blocks += count;
        let named = finding.ranges.len();
        match finding.ranges.last_mut() {
            Some(last) if last.first + last.count == first => last.count += count,
            _ if named < NAMED => finding.ranges.push(Range { first, count }),
            _ => {}
        }
    }

    /// Whether there is one.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains_key(&defect)
    }

    /// All, the worst first.
    pub fn finish(self) -> Vec<Finding> {
        self.0.into_values().collect()
    }
}

/// The greatest number that divides both.
pub fn common_divisor(one: u64, two: u64) -> u64 {
    if two == 0 {
        one
    } else {
        common_divisor(two, one % two)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_kind_are_one_run_in_whatever_order_they_come() {
        let mut runs = Runs::default();
        for block in [9, 7, 8, 3, 4, 12] {
            runs.note(block, Outcome::Foreign);
        }
        runs.note(5, Outcome::Error);
        runs.note(6, Outcome::Good);
        let segments = segments(&runs, &Runs::default());
        let shape: Vec<_> = segments.iter().map(|s| (s.first, s.count)).collect();
        assert_eq!(shape, [(3, 2), (5, 1), (7, 3), (12, 1)]);
        assert_eq!(runs.at(8), Outcome::Foreign);
        assert_eq!(runs.at(6), Outcome::Good);
    }

    #[test]
    fn what_differs_between_two_looks_tells_a_stale_buffer_from_a_wrong_address() {
        use Outcome::{Error, Foreign, Good, Near, Other};
        assert_eq!(meaning((Other(5), Other(5))), None);
        assert_eq!(meaning((Other(5), Other(-3))), Some(Defect::Silent));
        assert_eq!(meaning((Other(5), Good)), Some(Defect::Silent));
        assert_eq!(meaning((Near, Good)), Some(Defect::Flaky));
        assert_eq!(meaning((Good, Foreign)), Some(Defect::Flaky));
        assert_eq!(meaning((Good, Error)), Some(Defect::ReadErrors));
    }
}
