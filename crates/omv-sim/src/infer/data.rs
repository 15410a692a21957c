//! Arrays while they are computed with: whole numbers of any width as 32 bits, or floating point.

use omv_wire::tflite::{Kind, Tensor};

use super::Fault;

/// Numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Int(Vec<i32>),
    Float(Vec<f32>),
}

/// How whole numbers stand for real ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantised {
    /// One, or one for each slice of the last or first axis.
    pub scales: Vec<f32>,
    /// Zero point; the kernels' weights all have 0.
    pub zero: i32,
}

/// An array with what must be known of it.
pub struct Data<'a> {
    pub(super) values: Values,
    pub(super) extents: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) quantised: Quantised,
    /// Content of the file, for biases wider than 32 bits.
    pub(super) raw: &'a [u8],
}

fn chunks<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Option<Vec<T>> {
    let pieces = bytes.chunks_exact(N);
    if !pieces.remainder().is_empty() {
        return None;
    }
    pieces
        .map(|piece| piece.try_into().ok().map(read))
        .collect()
}

impl Values {
    pub(super) fn read(kind: Kind, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            Kind::Int8 => Self::Int(chunks(bytes, |b: [u8; 1]| i8::from_le_bytes(b).into())?),
            Kind::Uint8 => Self::Int(chunks(bytes, |b: [u8; 1]| b[0].into())?),
            Kind::Int16 => Self::Int(chunks(bytes, |b| i16::from_le_bytes(b).into())?),
            Kind::Int32 => Self::Int(chunks(bytes, i32::from_le_bytes)?),
            Kind::Float32 => Self::Float(chunks(bytes, f32::from_le_bytes)?),
            // Only biases are as wide; kernels read them from the file.
            Kind::Int64 => Self::Int(Vec::new()),
            _ => return None,
        })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn write(&self, kind: Kind) -> Vec<u8> {
        match (self, kind) {
            (Self::Float(values), _) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            (Self::Int(values), Kind::Int8 | Kind::Uint8) => {
                values.iter().map(|value| *value as u8).collect()
            }
            (Self::Int(values), Kind::Int16) => values
                .iter()
                .flat_map(|value| (*value as i16).to_le_bytes())
                .collect(),
            (Self::Int(values), _) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
        }
    }
}

impl Quantised {
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn of(tensor: &Tensor<'_>) -> Self {
        let zero = tensor.quantisation.zero_points.first().copied();
        Self {
            scales: match tensor.quantisation.scales.is_empty() {
                true => vec![1.0],
                false => tensor.quantisation.scales.clone(),
            },
            // What is outside is no number of any quantised type.
            zero: zero.map_or(0, |zero| zero.clamp(-65_536, 65_536)) as i32,
        }
    }

    /// The only scale.
    pub fn scale(&self) -> f32 {
        self.scales.first().copied().unwrap_or(1.0)
    }

    /// The scale of one slice.
    pub(super) fn scale_of(&self, slice: usize) -> f32 {
        match self.scales.len() {
            1 => self.scale(),
            _ => self.scales.get(slice).copied().unwrap_or(1.0),
        }
    }
}

impl<'a> Data<'a> {
    pub(super) fn of(tensor: &Tensor<'a>, held: Option<&Values>) -> Option<Self> {
        let values = match held {
            Some(values) => values.clone(),
            None => Values::read(tensor.kind, tensor.data)?,
        };
        let extents = tensor
            .shape
            .iter()
            .map(|extent| usize::try_from(*extent).ok());
        let extents: Vec<usize> = extents.collect::<Option<_>>()?;
        let wanted = extents
            .iter()
            .try_fold(1_usize, |all, extent| all.checked_mul(*extent))?;
        let wide = tensor.kind == Kind::Int64;
        if !wide && values.len() != wanted {
            return None;
        }
        Some(Self {
            values,
            extents,
            kind: tensor.kind,
            quantised: Quantised::of(tensor),
            raw: tensor.data,
        })
    }

    /// Whole numbers of 8 or 16 bits, which leave room for a product in 32.
    pub(super) fn ints(&self) -> Result<&[i32], Fault> {
        match self.kind {
            Kind::Int8 | Kind::Uint8 | Kind::Int16 => self.any_ints(),
            Kind::Float32 => Err(Fault::Missing("with mixed kinds of numbers")),
            _ => Err(Fault::Missing("with numbers that wide")),
        }
    }

    /// Whole numbers of any width: axes, biases.
    pub(super) fn any_ints(&self) -> Result<&[i32], Fault> {
        match &self.values {
            Values::Int(values) => Ok(values),
            Values::Float(_) => Err(Fault::Missing("with mixed kinds of numbers")),
        }
    }

    pub(super) fn floats(&self) -> Result<&[f32], Fault> {
        match &self.values {
            Values::Float(values) => Ok(values),
            Values::Int(_) => Err(Fault::Missing("with mixed kinds of numbers")),
        }
    }

    pub(super) fn is_float(&self) -> bool {
        matches!(self.values, Values::Float(_))
    }

    pub(super) fn picture(&self) -> Result<[usize; 4], Fault> {
        super::four(&self.extents)
    }

    /// Biases, which have 32 bits, or 64 beside activations of 16.
    pub(super) fn biases(&self) -> Result<Vec<i64>, Fault> {
        match self.kind {
            Kind::Int64 => chunks(self.raw, i64::from_le_bytes).ok_or(Fault::Shape),
            _ => Ok(self
                .any_ints()?
                .iter()
                .map(|value| i64::from(*value))
                .collect()),
        }
    }
}
