//! Fixed-point arithmetic, as the runtimes of cameras do it.
//!
//! Source: tensorflow/tflite-micro `tensorflow/lite/kernels/internal/common.h` and
//! `quantization_util.cc` (facts: the order of roundings and the widths).

/// A factor as a fraction of 31 bits and a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    fraction: i32,
    shift: i32,
}

impl Factor {
    /// From a real number that is not negative.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn new(real: f64) -> Self {
        let none = Self {
            fraction: 0,
            shift: 0,
        };
        if !(real.is_finite() && real > 0.0) {
            return none;
        }
        let mut shift = 0;
        let mut mantissa = real;
        while mantissa >= 1.0 {
            mantissa /= 2.0;
            shift += 1;
        }
        while mantissa < 0.5 {
            mantissa *= 2.0;
            shift -= 1;
        }
        let mut fraction = (mantissa * f64::from(1_u32 << 31)).round() as i64;
        if fraction == 1 << 31 {
            fraction /= 2;
            shift += 1;
        }
        if shift < -31 {
            return none;
        }
        if shift > 30 {
            return Self {
                fraction: i32::MAX,
                shift: 30,
            };
        }
        Self {
            fraction: i32::try_from(fraction).unwrap_or(i32::MAX),
            shift,
        }
    }

    /// A product of 32 bits, rounded twice: once to 31 bits, once to the power of two.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of(self, value: i64) -> i32 {
        let left = self.shift.max(0);
        let right = (-self.shift).max(0);
        // The runtimes let this overflow; nothing that was trained comes near.
        let value = (value << left).clamp(i32::MIN.into(), i32::MAX.into());
        let product = value * i64::from(self.fraction);
        let nudge: i64 = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
        let high = (product + nudge) / (1 << 31);
        let mask = (1_i64 << right) - 1;
        let rest = high & mask;
        let threshold = (mask >> 1) + i64::from(high < 0);
        ((high >> right) + i64::from(rest > threshold)) as i32
    }

    /// A product for sums of 64 bits, as convolutions have them beside activations of 16: the
    /// fraction is cut to 15 bits, and the product rounded once.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of_wide(self, value: i64) -> i32 {
        let reduced = match self.fraction < 0x7FFF_0000 {
            true => (i64::from(self.fraction) + (1 << 15)) >> 16,
            false => 0x7FFF,
        };
        let shift = (15 - self.shift).clamp(1, 62);
        let product = i128::from(value) * i128::from(reduced);
        let rounded = (product + (1_i128 << (shift - 1))) >> shift;
        rounded.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// Splits the fraction over a number of elements, so that a mean loses nothing.
    pub(super) fn over(self, count: usize) -> Self {
        let count = i64::try_from(count.max(1)).unwrap_or(i64::MAX);
        let bits = 63 - i32::try_from(count.leading_zeros()).unwrap_or(0);
        let shift = bits.min(32).min(31 + self.shift).max(0);
        Self {
            fraction: i32::try_from((i64::from(self.fraction) << shift) / count)
                .unwrap_or(i32::MAX),
            shift: self.shift - shift,
        }
    }
}
