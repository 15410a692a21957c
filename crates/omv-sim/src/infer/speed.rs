//! How long things take on a virtual camera: a cost model, not a measurement.
//!
//! ```text
//!   cycles = multiply-accumulates x 2 (int8), 4 (int16), 8 (float)
//!          + elements written x 10 + operators x 5,000
//!          + pixels of the frame x 6 (scaling it to the network's input)
//!   time   = cycles / clock x (1 + noise), noise of about 0.3 % (one standard deviation)
//! ```
//!
//! The factors are of the order that small networks have on a Cortex-M7 with Arm's kernels; they
//! stand for no camera. Whoever shows such a time must say `simulated`. The noise is a function
//! of a seed and a counter, so that a run can be repeated to the microsecond.

use std::time::Duration;

use super::Network;

/// Cycles for each multiply-accumulate of 8 bits.
const MAC: u64 = 2;
/// Cycles for each element written.
const ELEMENT: u64 = 10;
/// Cycles for each operator.
const OPERATOR: u64 = 5_000;
/// Cycles for each pixel that is scaled or copied.
const PIXEL: u64 = 6;
/// One standard deviation of the noise.
const NOISE: f64 = 0.003;

/// The speed of a board.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Clock, in MHz.
    pub clock: u32,
    /// Where the noise begins.
    pub seed: u64,
}

impl Speed {
    /// Of a board, by the clock in its file; 480 MHz where none is said.
    pub fn of(board: &omv_boards::Board, seed: u64) -> Self {
        Self {
            clock: board.clock.unwrap_or(480),
            seed,
        }
    }

    /// Time of one prediction on a frame, counted by the caller: equal counts take equally long.
    pub fn infer(&self, network: &Network, width: u64, height: u64, count: u64) -> Duration {
        let cost = network.cost();
        let wide = network.inputs.iter().any(|end| end.kind.bits() == 16);
        let factor = match (network.float, wide) {
            (true, _) => 4 * MAC,
            (false, true) => 2 * MAC,
            (false, false) => MAC,
        };
        let cycles = cost
            .macs
            .saturating_mul(factor)
            .saturating_add(cost.elements.saturating_mul(ELEMENT))
            .saturating_add(network.operators * OPERATOR)
            .saturating_add(width.saturating_mul(height).saturating_mul(PIXEL));
        self.time(cycles, count)
    }

    /// Time to take a picture: the sensor's own, and the copy.
    pub fn capture(&self, width: u64, height: u64, count: u64) -> Duration {
        let copy = self.time(width.saturating_mul(height).saturating_mul(PIXEL), count);
        Duration::from_millis(8) + copy
    }

    /// Cycles as time, with noise.
    #[allow(clippy::cast_precision_loss)]
    pub fn time(&self, cycles: u64, count: u64) -> Duration {
        let micros = cycles as f64 / f64::from(self.clock.max(1));
        let noisy = micros * (1.0 + NOISE * normal(self.seed, count));
        Duration::from_secs_f64(noisy.max(0.0) / 1e6)
    }
}

/// About normal: twelve even numbers, added.
#[allow(clippy::cast_precision_loss)]
fn normal(seed: u64, count: u64) -> f64 {
    let mut state = seed ^ count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut even = || {
        // The finaliser of SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(|_| even()).sum::<f64>() - 6.0
}
