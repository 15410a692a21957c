//! A list of times in a few numbers.

use serde::{Deserialize, Serialize};

/// A list of times in a few numbers. The unit is that of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The shortest.
    pub min: f64,
    /// Half are shorter.
    pub p50: f64,
    /// 95 in a hundred are shorter.
    pub p95: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Summary {
    /// Of a list; none of an empty one.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            count: sorted.len(),
            min,
            p50: quantile(&sorted, 0.50),
            p95: quantile(&sorted, 0.95),
            max,
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        })
    }
}

/// Between the two neighbours, in a sorted list that is not empty.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, rest) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * rest
}

/// How likely lists as different as these come from the same source: Mann and Whitney's test with
/// the normal approximation and ties corrected, both sides. Small is different.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub(crate) fn same_source(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let mut all: Vec<(f64, bool)> = a.iter().map(|x| (*x, true)).collect();
    all.extend(b.iter().map(|x| (*x, false)));
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let run = all[at..]
            .iter()
            .take_while(|x| x.0.total_cmp(&all[at].0).is_eq())
            .count();
        let rank = at as f64 + (run as f64 + 1.0) / 2.0;
        let own = all[at..at + run].iter().filter(|x| x.1).count();
        ranks += rank * own as f64;
        ties += (run as f64).powi(3) - run as f64;
        at += run;
    }
    let total = n + m;
    let u = ranks - n * (n + 1.0) / 2.0;
    let spread = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    if spread <= 0.0 || n < 1.0 || m < 1.0 {
        return 1.0;
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / spread.sqrt();
    tails(z)
}

/// Both tails of the normal distribution behind `z`, to seven digits (Abramowitz and Stegun,
/// 7.1.26).
fn tails(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let sum = polynomial.iter().fold(0.0, |sum, factor| sum * t + factor) * t;
    (sum * (-x * x).exp()).clamp(0.0, 1.0)
}
