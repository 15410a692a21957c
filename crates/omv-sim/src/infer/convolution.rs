//! Convolutions: plain, each channel for itself, and transposed.

use omv_wire::tflite::{Activation, Kind, Options, Padding};

use super::data::Values;
use super::fixed::Factor;
use super::{Data, Fault, Job, Shape};

/// What is done at each output element: its channel, and where input and weights meet there.
type Sum<'f> = dyn FnMut(usize, &mut Meetings<'_>) + 'f;
type Meetings<'m> = dyn Iterator<Item = (usize, usize)> + 'm;

/// How a kernel moves over a picture, along one axis.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Walk {
    pub(super) fn new(
        padding: Padding,
        stride: i32,
        dilation: i32,
        (input, kernel, output): (usize, usize, usize),
    ) -> Result<Self, Fault> {
        let positive = |n: i32| {
            usize::try_from(n)
                .ok()
                .filter(|n| (1..=1024).contains(n))
                .ok_or(Fault::Shape)
        };
        let (stride, dilation) = (positive(stride)?, positive(dilation)?);
        let reach = kernel.saturating_sub(1).saturating_mul(dilation) + 1;
        let needed = output.saturating_sub(1).saturating_mul(stride) + reach;
        let before = match padding {
            Padding::Same => needed.saturating_sub(input) / 2,
            Padding::Valid => 0,
        };
        Ok(Self {
            stride,
            dilation,
            before,
        })
    }

    /// Where an element of the kernel lies, if it is inside.
    pub(super) fn at(self, output: usize, kernel: usize, input: usize) -> Option<usize> {
        let place = output * self.stride + kernel * self.dilation;
        place
            .checked_sub(self.before)
            .filter(|place| *place < input)
    }
}

/// Limits of whole numbers after an activation.
pub(super) fn limits(output: &Shape, activation: Activation) -> Result<(i32, i32), Fault> {
    let (low, high) = output.range();
    let quantised = &output.quantised;
    #[allow(clippy::cast_possible_truncation)]
    let of = |real: f32| {
        quantised
            .zero
            .saturating_add((real / quantised.scale()).round() as i32)
    };
    Ok(match activation {
        Activation::None => (low, high),
        Activation::Relu => (low.max(of(0.0)), high),
        Activation::ReluN1To1 => (low.max(of(-1.0)), high.min(of(1.0))),
        Activation::Relu6 => (low.max(of(0.0)), high.min(of(6.0))),
        Activation::Other(_) => return Err(Fault::Missing("with that activation")),
    })
}

/// The same for floating point.
pub(super) fn activate(activation: Activation, value: f32) -> Result<f32, Fault> {
    Ok(match activation {
        Activation::None => value,
        Activation::Relu => value.max(0.0),
        Activation::ReluN1To1 => value.clamp(-1.0, 1.0),
        Activation::Relu6 => value.clamp(0.0, 6.0),
        Activation::Other(_) => return Err(Fault::Missing("with that activation")),
    })
}

/// From sums to whole numbers of the output, with a factor for each channel.
pub(super) struct Finish {
    factors: Vec<Factor>,
    biases: Vec<i64>,
    zero: i32,
    low: i32,
    high: i32,
    wide: bool,
}

impl Finish {
    pub(super) fn new(
        input: &Data<'_>,
        weights: &Data<'_>,
        bias: Option<&Data<'_>>,
        output: &Shape,
        activation: Activation,
        channels: usize,
    ) -> Result<Self, Fault> {
        let factor = |channel: usize| {
            let product =
                f64::from(input.quantised.scale()) * f64::from(weights.quantised.scale_of(channel));
            Factor::new(product / f64::from(output.quantised.scale()))
        };
        let biases = match bias {
            Some(bias) => bias.biases()?,
            None => vec![0; channels],
        };
        if biases.len() != channels {
            return Err(Fault::Shape);
        }
        let (low, high) = limits(output, activation)?;
        if low > high {
            return Err(Fault::Shape);
        }
        Ok(Self {
            factors: (0..channels).map(factor).collect(),
            biases,
            zero: output.quantised.zero,
            low,
            high,
            // Fully connected layers keep 32 bits.
            wide: input.kind == Kind::Int16 && weights.extents.len() == 4,
        })
    }

    pub(super) fn of(&self, channel: usize, sum: i64) -> i32 {
        let sum = sum.saturating_add(self.biases[channel]);
        let factor = self.factors[channel];
        let scaled = if self.wide {
            factor.of_wide(sum)
        } else {
            factor.of(sum)
        };
        scaled.saturating_add(self.zero).clamp(self.low, self.high)
    }
}

fn bias_of(job: &Job<'_>, channels: usize) -> Result<Vec<f32>, Fault> {
    match job.optional(2) {
        Some(bias) => Ok(bias.floats()?.to_vec()),
        None => Ok(vec![0.0; channels]),
    }
}

pub(super) fn plain(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::Conv2d {
        padding,
        stride,
        dilation,
        activation,
    } = job.operator.options
    else {
        return Err(Fault::Shape);
    };
    let (input, weights) = (job.input(0)?, job.input(1)?);
    let [number, height, width, depth] = input.picture()?;
    let [channels, kernel_height, kernel_width, kernel_depth] = weights.picture()?;
    let [out_number, out_height, out_width, out_channels] = job.output.picture()?;
    if (number, channels, kernel_depth) != (out_number, out_channels, depth) {
        return Err(Fault::Shape);
    }
    let down = Walk::new(
        padding,
        stride.1,
        dilation.1,
        (height, kernel_height, out_height),
    )?;
    let across = Walk::new(
        padding,
        stride.0,
        dilation.0,
        (width, kernel_width, out_width),
    )?;
    // Calls `sum` for each output element with the runs of input and weights that meet there.
    let walk = |sum: &mut Sum<'_>| {
        for n in 0..number {
            for y in 0..out_height {
                for x in 0..out_width {
                    for channel in 0..channels {
                        let rows =
                            (0..kernel_height).filter_map(|ky| Some((ky, down.at(y, ky, height)?)));
                        let mut runs = rows.flat_map(|(ky, iy)| {
                            (0..kernel_width).filter_map(move |kx| {
                                let ix = across.at(x, kx, width)?;
                                let from = ((n * height + iy) * width + ix) * depth;
                                let with =
                                    ((channel * kernel_height + ky) * kernel_width + kx) * depth;
                                Some((from, with))
                            })
                        });
                        sum(channel, &mut runs);
                    }
                }
            }
        }
    };
    let capacity = job.output.extents.iter().product();
    if input.is_float() {
        let (from, with) = (input.floats()?, weights.floats()?);
        let bias = bias_of(job, channels)?;
        let mut out = Vec::with_capacity(capacity);
        walk(&mut |channel, runs| {
            let mut sum = 0.0;
            for (a, b) in runs {
                sum += from[a..a + depth]
                    .iter()
                    .zip(&with[b..b + depth])
                    .map(|(a, b)| a * b)
                    .sum::<f32>();
            }
            out.push(sum + bias.get(channel).copied().unwrap_or(0.0));
        });
        let out: Result<_, _> = out
            .into_iter()
            .map(|value| activate(activation, value))
            .collect();
        return Ok(Values::Float(out?));
    }
    let finish = Finish::new(
        input,
        weights,
        job.optional(2),
        &job.output,
        activation,
        channels,
    )?;
    let (from, with, zero) = (input.ints()?, weights.ints()?, input.quantised.zero);
    let mut out = Vec::with_capacity(capacity);
    walk(&mut |channel, runs| {
        let mut sum = 0_i64;
        for (a, b) in runs {
            let products = from[a..a + depth].iter().zip(&with[b..b + depth]);
            sum += products
                .map(|(a, b)| i64::from((a - zero) * b))
                .sum::<i64>();
        }
        out.push(finish.of(channel, sum));
    });
    Ok(Values::Int(out))
}

pub(super) fn depthwise(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::DepthwiseConv2d {
        padding,
        stride,
        dilation,
        activation,
        ..
    } = job.operator.options
    else {
        return Err(Fault::Shape);
    };
    let (input, weights) = (job.input(0)?, job.input(1)?);
    let [number, height, width, depth] = input.picture()?;
    let [_, kernel_height, kernel_width, channels] = weights.picture()?;
    let [out_number, out_height, out_width, out_channels] = job.output.picture()?;
    if (number, channels) != (out_number, out_channels) || depth == 0 || channels % depth != 0 {
        return Err(Fault::Shape);
    }
    let multiplier = channels / depth;
    let down = Walk::new(
        padding,
        stride.1,
        dilation.1,
        (height, kernel_height, out_height),
    )?;
    let across = Walk::new(
        padding,
        stride.0,
        dilation.0,
        (width, kernel_width, out_width),
    )?;
    let walk = |sum: &mut Sum<'_>| {
        for n in 0..number {
            for y in 0..out_height {
                for x in 0..out_width {
                    for channel in 0..channels {
                        let rows =
                            (0..kernel_height).filter_map(|ky| Some((ky, down.at(y, ky, height)?)));
                        let mut pairs = rows.flat_map(|(ky, iy)| {
                            (0..kernel_width).filter_map(move |kx| {
                                let ix = across.at(x, kx, width)?;
                                let from =
                                    ((n * height + iy) * width + ix) * depth + channel / multiplier;
                                let with = (ky * kernel_width + kx) * channels + channel;
                                Some((from, with))
                            })
                        });
                        sum(channel, &mut pairs);
                    }
                }
            }
        }
    };
    let capacity = job.output.extents.iter().product();
    if input.is_float() {
        let (from, with) = (input.floats()?, weights.floats()?);
        let bias = bias_of(job, channels)?;
        let mut out = Vec::with_capacity(capacity);
        walk(&mut |channel, pairs| {
            let sum: f32 = pairs.map(|(a, b)| from[a] * with[b]).sum();
            out.push(sum + bias.get(channel).copied().unwrap_or(0.0));
        });
        let out: Result<_, _> = out
            .into_iter()
            .map(|value| activate(activation, value))
            .collect();
        return Ok(Values::Float(out?));
    }
    let finish = Finish::new(
        input,
        weights,
        job.optional(2),
        &job.output,
        activation,
        channels,
    )?;
    let (from, with, zero) = (input.ints()?, weights.ints()?, input.quantised.zero);
    let mut out = Vec::with_capacity(capacity);
    walk(&mut |channel, pairs| {
        let sum = pairs
            .map(|(a, b)| i64::from((from[a] - zero) * with[b]))
            .sum();
        out.push(finish.of(channel, sum));
    });
    Ok(Values::Int(out))
}

/// Inputs: output shape, weights (output channels, height, width, input channels), picture, bias.
pub(super) fn transposed(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::TransposeConv {
        padding,
        stride,
        activation,
    } = job.operator.options
    else {
        return Err(Fault::Shape);
    };
    let (weights, input) = (job.input(1)?, job.input(2)?);
    let [number, height, width, depth] = input.picture()?;
    let [channels, kernel_height, kernel_width, kernel_depth] = weights.picture()?;
    let [out_number, out_height, out_width, out_channels] = job.output.picture()?;
    if (number, channels, kernel_depth) != (out_number, out_channels, depth) {
        return Err(Fault::Shape);
    }
    // It is the plain one backwards: what walks over the output is the input.
    let down = Walk::new(padding, stride.1, 1, (out_height, kernel_height, height))?;
    let across = Walk::new(padding, stride.0, 1, (out_width, kernel_width, width))?;
    let finish = Finish::new(
        input,
        weights,
        job.optional(3),
        &job.output,
        activation,
        channels,
    )?;
    let (from, with, zero) = (input.ints()?, weights.ints()?, input.quantised.zero);
    let mut sums = vec![0_i64; job.output.extents.iter().product()];
    for n in 0..number {
        for y in 0..height {
            for x in 0..width {
                for ky in 0..kernel_height {
                    let Some(oy) = down.at(y, ky, out_height) else {
                        continue;
                    };
                    for kx in 0..kernel_width {
                        let Some(ox) = across.at(x, kx, out_width) else {
                            continue;
                        };
                        let a = ((n * height + y) * width + x) * depth;
                        for channel in 0..channels {
                            let b = ((channel * kernel_height + ky) * kernel_width + kx) * depth;
                            let products = from[a..a + depth].iter().zip(&with[b..b + depth]);
                            let sum: i64 = products.map(|(a, b)| i64::from((a - zero) * b)).sum();
                            sums[((n * out_height + oy) * out_width + ox) * channels + channel] +=
                                sum;
                        }
                    }
                }
            }
        }
    }
    let done = sums
        .into_iter()
        .enumerate()
        .map(|(at, sum)| finish.of(at % channels, sum));
    Ok(Values::Int(done.collect()))
}
