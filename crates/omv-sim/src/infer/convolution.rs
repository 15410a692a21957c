//! Convolutions: plain, each channel for itself, and transposed.

use omv_wire::tflite::{Activation, Kind, Options, Padding};

use super::data::Values;
use super::fixed::Factor;
use super::{Data, Fault, Job, Shape};

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

/// A kernel that slides over a picture, plain or each channel for itself.
struct Slide {
    /// Where input and kernel have their elements: number, height, width, channels; height, width.
    input: [usize; 4],
    kernel: (usize, usize),
    output: [usize; 4],
    down: Walk,
    across: Walk,
    /// Output channels for each input channel; none where each output sees all inputs.
    multiplier: Option<usize>,
}

/// An element of the kernel over one of the picture: where the products begin, without the channel.
type Tap = (usize, usize);

impl Slide {
    /// How many products follow each other at each tap.
    fn run(&self) -> usize {
        match self.multiplier {
            Some(_) => 1,
            None => self.input[3],
        }
    }

    /// What of the picture is under the kernel at an output's place.
    fn taps(&self, (n, y, x): (usize, usize, usize), taps: &mut Vec<Tap>) {
        let [_, height, width, depth] = self.input;
        taps.clear();
        for ky in 0..self.kernel.0 {
            let Some(iy) = self.down.at(y, ky, height) else {
                continue;
            };
            for kx in 0..self.kernel.1 {
                if let Some(ix) = self.across.at(x, kx, width) {
                    let from = ((n * height + iy) * width + ix) * depth;
                    taps.push((from, ky * self.kernel.1 + kx));
                }
            }
        }
    }

    /// The sum at each output element, channel by channel; `products` adds up a run of them.
    fn sums<T>(&self, none: T, products: impl Fn(usize, usize) -> T) -> Vec<T>
    where
        T: Copy + std::ops::AddAssign,
    {
        let [number, height, width, channels] = self.output;
        let mut out = Vec::with_capacity(number * height * width * channels);
        let (mut taps, area) = (Vec::new(), self.kernel.0 * self.kernel.1);
        for place in 0..number * height * width {
            let (row, x) = (place / width, place % width);
            self.taps((row / height, row % height, x), &mut taps);
            for channel in 0..channels {
                let mut sum = none;
                for (from, tap) in &taps {
                    sum += match self.multiplier {
                        Some(multiplier) => {
                            products(from + channel / multiplier, tap * channels + channel)
                        }
                        None => products(*from, (channel * area + tap) * self.input[3]),
                    };
                }
                out.push(sum);
            }
        }
        out
    }

    /// Slides: input 0 is the picture, 1 the kernel, 2 the biases.
    fn over(&self, job: &Job<'_>, activation: Activation) -> Result<Values, Fault> {
        let (input, weights) = (job.input(0)?, job.input(1)?);
        let (run, channels) = (self.run(), self.output[3]);
        if input.is_float() {
            let (from, with) = (input.floats()?, weights.floats()?);
            let sums = self.sums(0.0, |a, b| {
                let pairs = from[a..a + run].iter().zip(&with[b..b + run]);
                pairs.map(|(a, b)| a * b).sum::<f32>()
            });
            let bias = match job.optional(2) {
                Some(bias) => bias.floats()?.to_vec(),
                None => vec![0.0; channels],
            };
            let biased = sums.into_iter().enumerate().map(|(at, sum)| {
                let bias = bias.get(at % channels).copied().unwrap_or(0.0);
                activate(activation, sum + bias)
            });
            return Ok(Values::Float(biased.collect::<Result<_, _>>()?));
        }
        let bias = job.optional(2);
        let finish = Finish::new(input, weights, bias, &job.output, activation, channels)?;
        let (from, with, zero) = (input.ints()?, weights.ints()?, input.quantised.zero);
        let sums = self.sums(0_i64, |a, b| {
            let pairs = from[a..a + run].iter().zip(&with[b..b + run]);
            pairs.map(|(a, b)| i64::from((a - zero) * b)).sum()
        });
        let done = sums.into_iter().enumerate();
        let done = done.map(|(at, sum)| finish.of(at % channels, sum));
        Ok(Values::Int(done.collect()))
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
    let [channels, high, wide, depth] = job.input(1)?.picture()?;
    let (input, output) = (job.input(0)?.picture()?, job.output.picture()?);
    if (input[0], channels, depth) != (output[0], output[3], input[3]) {
        return Err(Fault::Shape);
    }
    let slide = Slide {
        down: Walk::new(padding, stride.1, dilation.1, (input[1], high, output[1]))?,
        across: Walk::new(padding, stride.0, dilation.0, (input[2], wide, output[2]))?,
        kernel: (high, wide),
        multiplier: None,
        input,
        output,
    };
    slide.over(job, activation)
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
    let [_, high, wide, channels] = job.input(1)?.picture()?;
    let (input, output) = (job.input(0)?.picture()?, job.output.picture()?);
    let depth = input[3];
    if (input[0], channels) != (output[0], output[3]) || channels % depth != 0 {
        return Err(Fault::Shape);
    }
    let slide = Slide {
        down: Walk::new(padding, stride.1, dilation.1, (input[1], high, output[1]))?,
        across: Walk::new(padding, stride.0, dilation.0, (input[2], wide, output[2]))?,
        kernel: (high, wide),
        multiplier: Some(channels / depth),
        input,
        output,
    };
    slide.over(job, activation)
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
