//! Operators on each number for itself, or on pairs.

use omv_wire::tflite::{Activation, Options};

use super::convolution::{activate, limits};
use super::data::Values;
use super::fixed::Factor;
use super::{Data, Fault, Job};

/// Where the partner of an element is found: arrays of one extent are repeated.
fn partner(data: &Data<'_>, shape: &[usize]) -> Result<Vec<usize>, Fault> {
    let own = &data.extents;
    let lead = shape.len().checked_sub(own.len()).ok_or(Fault::Shape)?;
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for (at, extent) in own.iter().enumerate().rev() {
        if *extent != 1 && *extent != shape[lead + at] {
            return Err(Fault::Shape);
        }
        strides[lead + at] = if *extent == 1 { 0 } else { stride };
        stride *= extent;
    }
    let total: usize = shape.iter().product();
    let place = |mut index: usize| {
        let mut at = 0;
        for (extent, stride) in shape.iter().zip(&strides).rev() {
            at += index % extent * stride;
            index /= extent;
        }
        at
    };
    Ok((0..total).map(place).collect())
}

fn activation(job: &Job<'_>) -> Result<Activation, Fault> {
    match job.operator.options {
        Options::Arithmetic { activation } => Ok(activation),
        Options::Other => Ok(Activation::None),
        _ => Err(Fault::Shape),
    }
}

fn pairs(
    job: &Job<'_>,
    real: fn(f32, f32) -> f32,
    whole: impl Fn(i64, i64) -> i32,
) -> Result<Values, Fault> {
    let (a, b) = (job.input(0)?, job.input(1)?);
    let shape = &job.output.extents;
    let places = partner(a, shape)?.into_iter().zip(partner(b, shape)?);
    let activation = activation(job)?;
    if a.is_float() {
        let (x, y) = (a.floats()?, b.floats()?);
        let one = |(at, of)| activate(activation, real(x[at], y[of]));
        return Ok(Values::Float(places.map(one).collect::<Result<_, _>>()?));
    }
    let (low, high) = limits(&job.output, activation)?;
    if low > high {
        return Err(Fault::Shape);
    }
    let (x, y) = (a.ints()?, b.ints()?);
    let one = |(at, of): (usize, usize)| {
        let left = i64::from(x[at] - a.quantised.zero);
        let right = i64::from(y[of] - b.quantised.zero);
        whole(left, right)
            .saturating_add(job.output.quantised.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(places.map(one).collect()))
}

pub(super) fn add(job: &Job<'_>) -> Result<Values, Fault> {
    let scale = |at: usize| Ok::<_, Fault>(f64::from(job.input(at)?.quantised.scale()));
    let (a, b) = (scale(0)?, scale(1)?);
    let twice = 2.0 * a.max(b);
    // Twenty more binary digits while adding; fifteen beside 16 bits.
    let digits = if job.output.range().1 > 255 { 15 } else { 20 };
    let (left, right) = (Factor::new(a / twice), Factor::new(b / twice));
    let output = f64::from(job.output.quantised.scale());
    let out = Factor::new(twice / (f64::from(1 << digits) * output));
    pairs(
        job,
        |a, b| a + b,
        |a, b| {
            let sum = i64::from(left.of(a << digits)) + i64::from(right.of(b << digits));
            out.of(sum)
        },
    )
}

pub(super) fn multiply(job: &Job<'_>) -> Result<Values, Fault> {
    let scale = |at: usize| Ok::<_, Fault>(f64::from(job.input(at)?.quantised.scale()));
    let factor = Factor::new(scale(0)? * scale(1)? / f64::from(job.output.quantised.scale()));
    pairs(job, |a, b| a * b, |a, b| factor.of(a * b))
}

pub(super) fn relu(job: &Job<'_>) -> Result<Values, Fault> {
    let activation = match job.name {
        "RELU6" => Activation::Relu6,
        _ => Activation::Relu,
    };
    let input = job.input(0)?;
    if input.is_float() {
        let all = input
            .floats()?
            .iter()
            .map(|value| activate(activation, *value));
        return Ok(Values::Float(all.collect::<Result<_, _>>()?));
    }
    let (low, high) = limits(&job.output, activation)?;
    if low > high {
        return Err(Fault::Shape);
    }
    let scale = f64::from(input.quantised.scale()) / f64::from(job.output.quantised.scale());
    let factor = Factor::new(scale);
    let one = |value: &i32| {
        let scaled = factor.of((value - input.quantised.zero).into());
        scaled
            .saturating_add(job.output.quantised.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(input.ints()?.iter().map(one).collect()))
}

pub(super) fn leaky(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::LeakyRelu { alpha } = job.operator.options else {
        return Err(Fault::Shape);
    };
    let input = job.input(0)?;
    if input.is_float() {
        let one = |x: &f32| if *x < 0.0 { x * alpha } else { *x };
        return Ok(Values::Float(input.floats()?.iter().map(one).collect()));
    }
    let scale = f64::from(input.quantised.scale()) / f64::from(job.output.quantised.scale());
    let (whole, part) = (Factor::new(scale), Factor::new(scale * f64::from(alpha)));
    let (low, high) = job.output.range();
    let one = |value: &i32| {
        let value = i64::from(value - input.quantised.zero);
        let scaled = if value >= 0 {
            whole.of(value)
        } else {
            part.of(value)
        };
        scaled
            .saturating_add(job.output.quantised.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(input.ints()?.iter().map(one).collect()))
}

/// A function of one number; quantised ones through its real value, as the runtimes' tables do.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn each(job: &Job<'_>, function: fn(f32) -> f32) -> Result<Values, Fault> {
    let input = job.input(0)?;
    if input.is_float() {
        return Ok(Values::Float(
            input.floats()?.iter().map(|x| function(*x)).collect(),
        ));
    }
    let (from, to) = (&input.quantised, &job.output.quantised);
    let (low, high) = job.output.range();
    let one = |value: &i32| {
        let real = function((value - from.zero) as f32 * from.scale());
        ((real / to.scale()).round() as i32)
            .saturating_add(to.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(input.ints()?.iter().map(one).collect()))
}

/// Between whole numbers of two scales, and between those and floating point.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn quantise(job: &Job<'_>) -> Result<Values, Fault> {
    let input = job.input(0)?;
    let (from, to) = (&input.quantised, &job.output.quantised);
    let (low, high) = job.output.range();
    if input.is_float() {
        let one = |x: &f32| {
            ((x / to.scale()).round() as i32)
                .saturating_add(to.zero)
                .clamp(low, high)
        };
        return Ok(Values::Int(input.floats()?.iter().map(one).collect()));
    }
    let whole = input.ints()?.iter();
    if job.name == "DEQUANTIZE" {
        let one = |value: &i32| (value - from.zero) as f32 * from.scale();
        return Ok(Values::Float(whole.map(one).collect()));
    }
    let factor = Factor::new(f64::from(from.scale()) / f64::from(to.scale()));
    let one = |value: &i32| {
        factor
            .of((value - from.zero).into())
            .saturating_add(to.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(whole.map(one).collect()))
}

pub(super) fn concatenate(job: &Job<'_>) -> Result<Values, Fault> {
    let Options::Concatenation { axis, .. } = job.operator.options else {
        return Err(Fault::Shape);
    };
    let count = i32::try_from(job.output.extents.len()).map_err(|_| Fault::Shape)?;
    if count == 0 {
        return Err(Fault::Shape);
    }
    let axis = usize::try_from(axis.rem_euclid(count)).map_err(|_| Fault::Shape)?;
    let inputs: Vec<&Data<'_>> = job.inputs.iter().flatten().collect();
    let outer: usize = job.output.extents[..axis].iter().product();
    let run = |data: &Data<'_>| match data.extents.len() == job.output.extents.len() {
        true => Ok(data.extents[axis..].iter().product::<usize>()),
        false => Err(Fault::Shape),
    };
    let (mut whole, mut real) = (Vec::new(), Vec::new());
    for at in 0..outer {
        for data in &inputs {
            let run = run(data)?;
            let range = at * run..(at + 1) * run;
            match &data.values {
                Values::Float(values) => real.extend(values.get(range).ok_or(Fault::Shape)?),
                Values::Int(values) => {
                    let (from, to) = (&data.quantised, &job.output.quantised);
                    if (from.scale(), from.zero) != (to.scale(), to.zero) {
                        return Err(Fault::Missing("of inputs with different scales"));
                    }
                    whole.extend(values.get(range).ok_or(Fault::Shape)?);
                }
            }
        }
    }
    match (whole.is_empty(), real.is_empty()) {
        (_, true) => Ok(Values::Int(whole)),
        (true, false) => Ok(Values::Float(real)),
        _ => Err(Fault::Shape),
    }
}
