//! Operators over rows of numbers: fully connected, softmax.

use omv_wire::tflite::{Kind, Options};

use super::convolution::{Finish, activate};
use super::data::Values;
use super::fixed::Factor;
use super::{Fault, Job};

pub(super) fn fully_connected(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::FullyConnected { activation } = job.operator.options else {
        return Err(Fault::Shape);
    };
    let (input, weights) = (job.input(0)?, job.input(1)?);
    let [outputs, inputs] = weights.extents[..] else {
        return Err(Fault::Shape);
    };
    if inputs == 0 || input.values.len() % inputs != 0 {
        return Err(Fault::Shape);
    }
    if input.is_float() {
        let bias = match job.optional(2) {
            Some(bias) => bias.floats()?.to_vec(),
            None => vec![0.0; outputs],
        };
        if bias.len() != outputs {
            return Err(Fault::Shape);
        }
        let with = weights.floats()?;
        let mut out = Vec::new();
        for row in input.floats()?.chunks_exact(inputs) {
            for (channel, bias) in bias.iter().enumerate() {
                let weights = &with[channel * inputs..(channel + 1) * inputs];
                let sum: f32 = row.iter().zip(weights).map(|(a, b)| a * b).sum();
                out.push(activate(activation, sum + bias)?);
            }
        }
        return Ok(Values::Float(out));
    }
    let finish = Finish::new(
        input,
        weights,
        job.optional(2),
        &job.output,
        activation,
        outputs,
    )?;
    let (with, zero) = (weights.ints()?, input.quantised.zero);
    let mut out = Vec::new();
    for row in input.ints()?.chunks_exact(inputs) {
        for channel in 0..outputs {
            let weights = &with[channel * inputs..(channel + 1) * inputs];
            let products = row
                .iter()
                .zip(weights)
                .map(|(a, b)| i64::from((a - zero) * b));
            out.push(finish.of(channel, products.sum()));
        }
    }
    Ok(Values::Int(out))
}

/// Softmax over the last axis. Beside 8 bits the fixed-point table of the runtimes is no better
/// than floating point; beside 16 it is what decides the last digits, and so it is followed.
pub(super) fn softmax(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::Softmax { beta } = job.operator.options else {
        return Err(Fault::Shape);
    };
    let input = job.input(0)?;
    let depth = *input
        .extents
        .last()
        .filter(|depth| **depth > 0)
        .ok_or(Fault::Shape)?;
    if input.is_float() {
        let rows = input.floats()?.chunks_exact(depth);
        return Ok(Values::Float(
            rows.flat_map(|row| real(row, beta)).collect(),
        ));
    }
    let scale = input.quantised.scale();
    let rows = input.ints()?.chunks_exact(depth);
    if input.kind == Kind::Int16 {
        let tables = Tables::new(f64::from(scale) * f64::from(beta));
        return Ok(Values::Int(rows.flat_map(|row| tables.row(row)).collect()));
    }
    let (low, high) = job.output.range();
    let output = &job.output.quantised;
    let whole = rows.flat_map(|row| {
        let row: Vec<f32> = row.iter().map(|value| *value as f32 * scale).collect();
        real(&row, beta)
    });
    #[allow(clippy::cast_possible_truncation)]
    let whole = whole.map(|p| {
        ((p / output.scale()).round() as i32)
            .saturating_add(output.zero)
            .clamp(low, high)
    });
    Ok(Values::Int(whole.collect()))
}

fn real(row: &[f32], beta: f32) -> Vec<f32> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f32> = row.iter().map(|x| ((x - largest) * beta).exp()).collect();
    let sum: f32 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}

/// Tables of 513 points with straight lines between them, for 16 bits.
struct Tables {
    factor: Factor,
    exponential: Vec<i32>,
    reciprocal: Vec<i32>,
}

impl Tables {
    fn new(scale: f64) -> Self {
        Self {
            factor: Factor::new(scale / (10.0 / 65535.0)),
            exponential: table(f64::exp, -10.0, 0.0),
            reciprocal: table(|x| 1.0 / (1.0 + x), 0.0, 1.0),
        }
    }

    fn row(&self, row: &[i32]) -> Vec<i32> {
        let largest = row.iter().copied().max().unwrap_or(0);
        let exponentials: Vec<i32> = row
            .iter()
            .map(|value| {
                let scaled = self.factor.of((value - largest).into());
                look_up(&self.exponential, scaled.saturating_add(32767))
            })
            .collect();
        let sum: i64 = exponentials.iter().map(|part| i64::from(*part)).sum();
        let sum = i32::try_from(sum).unwrap_or(i32::MAX);
        let headroom = sum.max(1).leading_zeros();
        let shifted = ((i64::from(sum) << headroom.saturating_sub(1)) + (1 << 13)) >> 14;
        let centred = i32::try_from(shifted - (1 << 15) - (1 << 16)).unwrap_or(i32::MAX);
        let reciprocal = i64::from(look_up(&self.reciprocal, centred));
        let right = 31_u32.saturating_sub(headroom).max(1);
        let round = 1_i64 << (right - 1);
        let done = |part: i32| (i64::from(part) * reciprocal + round) >> right;
        let exponentials = exponentials.into_iter();
        exponentials
            .map(|part| {
                i32::try_from(done(part))
                    .unwrap_or(i32::MAX)
                    .clamp(0, 32767)
            })
            .collect()
    }
}

/// Samples of a function, moved so that the error in the middle between two is halved.
#[allow(clippy::cast_possible_truncation)]
fn table(function: fn(f64) -> f64, from: f64, to: f64) -> Vec<i32> {
    let step = (to - from) / 512.0;
    let sample = |x: f64| (function(x) * 32768.0).round();
    let mut points: Vec<i32> = (0..512)
        .map(|index| {
            let x = from + f64::from(index) * step;
            let here = sample(x);
            let between = ((function(x + step) * 32768.0 + here) / 2.0).round();
            let bias = ((between - sample(x + step / 2.0)) / 2.0).round();
            (here - bias).clamp(-32768.0, 32767.0) as i32
        })
        .collect();
    points.push(sample(to).clamp(-32768.0, 32767.0) as i32);
    points
}

fn look_up(table: &[i32], value: i32) -> i32 {
    let value = value.clamp(-32768, 32767);
    let index = usize::try_from(256 + (value >> 7)).unwrap_or(0);
    let (base, next) = (table[index], table[index + 1]);
    base + (((next - base) * (value & 0x7F) + 64) >> 7)
}
