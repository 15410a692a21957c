//! How an operator does its work, for the operators whose cost or result depends on it here.

use super::Error;
use super::flatbuffer::Table;

/// What happens at the edges of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros around it, so that the output is as large as the input over the stride.
    Same,
    /// Nothing around it.
    Valid,
}

/// What is done to each number before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// At least 0.
    Relu,
    /// Between -1 and 1.
    ReluN1To1,
    /// Between 0 and 6.
    Relu6,
    /// Something else, by its number.
    Other(u8),
}

/// Options of an operator. Steps and extents are in elements, as `(width, height)`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Options {
    /// Convolution.
    Conv2d {
        /// Edges.
        padding: Padding,
        /// Steps.
        stride: (i32, i32),
        /// Distance between the kernel's elements.
        dilation: (i32, i32),
        /// Afterwards.
        activation: Activation,
    },
    /// Convolution, each channel for itself.
    DepthwiseConv2d {
        /// Edges.
        padding: Padding,
        /// Steps.
        stride: (i32, i32),
        /// Distance between the kernel's elements.
        dilation: (i32, i32),
        /// Output channels for each input channel; what files say here is not relied upon.
        multiplier: i32,
        /// Afterwards.
        activation: Activation,
    },
    /// Transposed convolution.
    TransposeConv {
        /// Edges.
        padding: Padding,
        /// Steps.
        stride: (i32, i32),
        /// Afterwards.
        activation: Activation,
    },
    /// Pooling.
    Pool2d {
        /// Edges.
        padding: Padding,
        /// Steps.
        stride: (i32, i32),
        /// Extents of what is pooled.
        filter: (i32, i32),
        /// Afterwards.
        activation: Activation,
    },
    /// Fully connected.
    FullyConnected {
        /// Afterwards.
        activation: Activation,
    },
    /// Softmax.
    Softmax {
        /// Factor in front of the exponent.
        beta: f32,
    },
    /// Concatenation.
    Concatenation {
        /// Along which axis; negative ones count from the end.
        axis: i32,
        /// Afterwards.
        activation: Activation,
    },
    /// Addition, subtraction, multiplication.
    Arithmetic {
        /// Afterwards.
        activation: Activation,
    },
    /// Mean and sum.
    Reducer {
        /// Whether axes of extent one stay.
        keep_dims: bool,
    },
    /// Resizing, by either method.
    Resize {
        /// Whether the centres of the corners' elements meet.
        align_corners: bool,
        /// Whether an element's place is its centre.
        half_pixel_centers: bool,
    },
    /// Leaky ReLU.
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// None, or none that matters here.
    Other,
}

fn padding(table: &Table<'_>) -> Result<Padding, Error> {
    Ok(match table.u8(0, 0)? {
        0 => Padding::Same,
        _ => Padding::Valid,
    })
}

fn activation(table: &Table<'_>, index: usize) -> Result<Activation, Error> {
    Ok(match table.u8(index, 0)? {
        0 => Activation::None,
        1 => Activation::Relu,
        2 => Activation::ReluN1To1,
        3 => Activation::Relu6,
        other => Activation::Other(other),
    })
}

fn pair(table: &Table<'_>, index: usize, default: i32) -> Result<(i32, i32), Error> {
    Ok((table.i32(index, default)?, table.i32(index + 1, default)?))
}

impl Options {
    /// Reads options by the number of their type in the schema's union `BuiltinOptions`.
    pub(super) fn read(kind: u8, table: Option<Table<'_>>) -> Result<Self, Error> {
        let Some(table) = table else {
            return Ok(Self::Other);
        };
        Ok(match kind {
            1 => Self::Conv2d {
                padding: padding(&table)?,
                stride: pair(&table, 1, 0)?,
                activation: activation(&table, 3)?,
                dilation: pair(&table, 4, 1)?,
            },
            2 => Self::DepthwiseConv2d {
                padding: padding(&table)?,
                stride: pair(&table, 1, 0)?,
                multiplier: table.i32(3, 0)?,
                activation: activation(&table, 4)?,
                dilation: pair(&table, 5, 1)?,
            },
            5 => Self::Pool2d {
                padding: padding(&table)?,
                stride: pair(&table, 1, 0)?,
                filter: pair(&table, 3, 0)?,
                activation: activation(&table, 5)?,
            },
            8 => Self::FullyConnected {
                activation: activation(&table, 0)?,
            },
            9 => Self::Softmax {
                beta: table.f32(0, 0.0)?,
            },
            10 => Self::Concatenation {
                axis: table.i32(0, 0)?,
                activation: activation(&table, 1)?,
            },
            11 | 21 | 28 => Self::Arithmetic {
                activation: activation(&table, 0)?,
            },
            15 => Self::Resize {
                align_corners: table.bool(2, false)?,
                half_pixel_centers: table.bool(3, false)?,
            },
            74 => Self::Resize {
                align_corners: table.bool(0, false)?,
                half_pixel_centers: table.bool(1, false)?,
            },
            27 => Self::Reducer {
                keep_dims: table.bool(0, false)?,
            },
            49 => Self::TransposeConv {
                padding: padding(&table)?,
                stride: pair(&table, 1, 0)?,
                activation: activation(&table, 3)?,
            },
            75 => Self::LeakyRelu {
                alpha: table.f32(0, 0.0)?,
            },
            _ => Self::Other,
        })
    }
}
