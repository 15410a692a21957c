//! Operators over pictures: pooling, mean, resizing.

use omv_wire::tflite::Options;

use super::convolution::{Walk, activate, limits};
use super::data::Values;
use super::fixed::Factor;
use super::{Fault, Job};

/// A sum divided by its count, rounded away from zero.
fn divided(sum: i64, count: i64) -> i64 {
    let half = if sum > 0 { count / 2 } else { -(count / 2) };
    (sum + half) / count.max(1)
}

pub(super) fn pool(job: &Job<'_>, largest: bool) -> Result<Values, Fault> {
    let Options::Pool2d {
        padding,
        stride,
        filter,
        activation,
    } = job.operator.options
    else {
        return Err(Fault::Shape);
    };
    let input = job.input(0)?;
    let [number, height, width, depth] = input.picture()?;
    let [out_number, out_height, out_width, out_depth] = job.output.picture()?;
    let extent = |n: i32| {
        usize::try_from(n)
            .ok()
            .filter(|n| (1..=1024).contains(n))
            .ok_or(Fault::Shape)
    };
    let (across, down) = (extent(filter.0)?, extent(filter.1)?);
    if (number, depth) != (out_number, out_depth) {
        return Err(Fault::Shape);
    }
    let rows = Walk::new(padding, stride.1, 1, (height, down, out_height))?;
    let columns = Walk::new(padding, stride.0, 1, (width, across, out_width))?;
    let mut places = Vec::new();
    for n in 0..number {
        for y in 0..out_height {
            for x in 0..out_width {
                for channel in 0..depth {
                    let inside = (0..down)
                        .filter_map(|ky| rows.at(y, ky, height))
                        .flat_map(|iy| {
                            let xs = (0..across).filter_map(move |kx| columns.at(x, kx, width));
                            xs.map(move |ix| ((n * height + iy) * width + ix) * depth + channel)
                        });
                    places.push(inside.collect::<Vec<usize>>());
                }
            }
        }
    }
    if input.is_float() {
        let from = input.floats()?;
        let one = |places: Vec<usize>| {
            let values = places.iter().map(|at| from[*at]);
            let value = match largest {
                true => values.fold(f32::NEG_INFINITY, f32::max),
                false => values.sum::<f32>() / places.len().max(1) as f32,
            };
            activate(activation, value)
        };
        return Ok(Values::Float(
            places.into_iter().map(one).collect::<Result<_, _>>()?,
        ));
    }
    let (low, high) = limits(&job.output, activation)?;
    if low > high {
        return Err(Fault::Shape);
    }
    let from = input.ints()?;
    let one = |places: Vec<usize>| {
        let values = places.iter().map(|at| i64::from(from[*at]));
        let value = match largest {
            true => values.max().unwrap_or(0),
            false => divided(values.sum(), i64::try_from(places.len()).unwrap_or(1)),
        };
        i32::try_from(value).unwrap_or(low).clamp(low, high)
    };
    Ok(Values::Int(places.into_iter().map(one).collect()))
}

/// Mean over height and width, which is what networks end with.
pub(super) fn mean(job: &Job<'_>) -> Result<Values, Fault> {
    let (input, axes) = (job.input(0)?, job.input(1)?);
    let [number, height, width, depth] = input.picture()?;
    let mut over: Vec<i32> = axes
        .any_ints()?
        .iter()
        .map(|axis| axis.rem_euclid(4))
        .collect();
    over.sort_unstable();
    if over != [1, 2] {
        return Err(Fault::Missing("over other axes than height and width"));
    }
    let count = height * width;
    let of =
        |n: usize, channel: usize| (0..count).map(move |at| (n * count + at) * depth + channel);
    let all = (0..number).flat_map(|n| (0..depth).map(move |channel| (n, channel)));
    if input.is_float() {
        let from = input.floats()?;
        let one =
            |(n, channel)| of(n, channel).map(|at| from[at]).sum::<f32>() / count.max(1) as f32;
        return Ok(Values::Float(all.map(one).collect()));
    }
    let scale = f64::from(input.quantised.scale()) / f64::from(job.output.quantised.scale());
    let factor = Factor::new(scale).over(count);
    let (low, high) = job.output.range();
    let zero = i64::from(input.quantised.zero) * i64::try_from(count).unwrap_or(0);
    let from = input.ints()?;
    let one = |(n, channel)| {
        let sum: i64 = of(n, channel).map(|at| i64::from(from[at])).sum();
        factor
            .of(sum - zero)
            .saturating_add(job.output.quantised.zero)
            .clamp(low, high)
    };
    Ok(Values::Int(all.map(one).collect()))
}

fn resize_options(job: &Job<'_>) -> Result<(bool, bool), Fault> {
    match job.operator.options {
        Options::Resize {
            align_corners,
            half_pixel_centers,
        } => Ok((align_corners, half_pixel_centers)),
        _ => Err(Fault::Shape),
    }
}

pub(super) fn nearest(job: &Job<'_>) -> Result<Values, Fault> {
    let (align, half) = resize_options(job)?;
    let input = job.input(0)?;
    let [number, height, width, depth] = input.picture()?;
    let [_, out_height, out_width, _] = job.output.picture()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let place = |at: usize, from: usize, to: usize| {
        let scale = match align && to > 1 {
            true => (from - 1) as f32 / (to - 1) as f32,
            false => from as f32 / to as f32,
        };
        let at = (at as f32 + if half { 0.5 } else { 0.0 }) * scale;
        let at = if align { at.round() } else { at.floor() };
        (at.max(0.0) as usize).min(from.saturating_sub(1))
    };
    let mut order = Vec::new();
    for n in 0..number {
        for y in 0..out_height {
            for x in 0..out_width {
                let (iy, ix) = (place(y, height, out_height), place(x, width, out_width));
                let at = ((n * height + iy) * width + ix) * depth;
                order.extend(at..at + depth);
            }
        }
    }
    Ok(match &input.values {
        Values::Int(from) => Values::Int(order.into_iter().map(|at| from[at]).collect()),
        Values::Float(from) => Values::Float(order.into_iter().map(|at| from[at]).collect()),
    })
}

/// Bilinear, with places of ten binary digits behind the point.
pub(super) fn bilinear(job: &Job<'_>) -> Result<Values, Fault> {
    let (align, half) = resize_options(job)?;
    let input = job.input(0)?;
    let [number, height, width, depth] = input.picture()?;
    let [_, out_height, out_width, _] = job.output.picture()?;
    let place = |at: usize, from: usize, to: usize| {
        let number = |n: usize| i64::try_from(n).unwrap_or(0);
        let (at, from, to) = (number(at), number(from), number(to));
        let scale = match align && to > 1 {
            true => (1024 * (from - 1) + (to - 1) / 2) / (to - 1),
            false => (1024 * from + to / 2) / to.max(1),
        };
        let scaled = at * scale + if half { scale / 2 - 512 } else { 0 };
        let lower = (scaled / 1024).max(0);
        let upper = ((scaled + 1023) / 1024).min(from - 1).max(0);
        (scaled - 1024 * lower, lower, upper)
    };
    let from = input.ints()?;
    let mut out = Vec::new();
    for n in 0..number {
        for y in 0..out_height {
            let (dy, y0, y1) = place(y, height, out_height);
            for x in 0..out_width {
                let (dx, x0, x1) = place(x, width, out_width);
                for channel in 0..depth {
                    let value = |y: i64, x: i64| {
                        let (y, x) = (
                            usize::try_from(y).unwrap_or(0),
                            usize::try_from(x).unwrap_or(0),
                        );
                        i64::from(from[((n * height + y) * width + x) * depth + channel])
                    };
                    let sum = value(y0, x0) * (1024 - dy) * (1024 - dx)
                        + value(y1, x0) * dy * (1024 - dx)
                        + value(y0, x1) * (1024 - dy) * dx
                        + value(y1, x1) * dy * dx;
                    out.push(i32::try_from(divided(sum, 1 << 20)).unwrap_or(0));
                }
            }
        }
    }
    Ok(Values::Int(out))
}
