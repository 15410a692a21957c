//! TensorFlow Lite models (`.tflite`): what is in one, what it computes, what it needs.
//!
//! ```text
//!   bytes --Model::read--> tensors, operators (all indices checked)
//!                             |--cost--> multiply-accumulates, weights, activation peak
//!                             |--compiled--> for which neural processor, if any
//! ```
//!
//! The file is a FlatBuffer with the letters `TFL3` at byte 4. Start with [`Model`]; an
//! [`Operator`] names its inputs and outputs by index into the tensors of its [`Graph`].
//!
//! Nothing in a file is believed: every offset and index is checked, and a file whose parts
//! point at each other in circles costs no more than [`LIMIT`] elements.
//!
//! Source: tensorflow/tensorflow `tensorflow/compiler/mlir/lite/schema/schema.fbs`.
//!
//! Deliberately absent: boards and firmware (that is for those who know both), and computing.

mod cost;
mod flatbuffer;
pub mod names;
mod options;

pub use cost::{Cost, macs};
pub use names::Kind;
pub use options::{Activation, Options, Padding};

use flatbuffer::{Table, Vector};

/// The most tensors, operators, indices and scales that are read from one file, all together.
/// The largest models for cameras have a hundredth of this.
pub const LIMIT: usize = 1 << 20;
/// The only version of the schema there is, and that cameras take.
pub const SCHEMA: u32 = 3;

/// Why a file is no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The letters are missing.
    #[error("it does not have the letters TFL3 of a TensorFlow Lite model")]
    NotAModel,
    /// Something points outside of the file.
    #[error("it is damaged: what byte {at} points to is not inside")]
    Outside {
        /// Where it was found.
        at: usize,
    },
    /// An index leads nowhere.
    #[error("it is damaged: {what} {index} does not exist")]
    NoSuch {
        /// What was to be found.
        what: &'static str,
        /// By which index.
        index: i64,
    },
    /// More than anybody needs.
    #[error("it has more parts than any model for a camera")]
    TooMany,
    /// Nothing to compute.
    #[error("it has no graph")]
    Empty,
}

/// How whole numbers stand for real ones: `real = scale * (number - zero_point)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantisation {
    /// One scale, or one for each slice along the axis; none: not quantised.
    pub scales: Vec<f32>,
    /// As many zero points.
    pub zero_points: Vec<i64>,
    /// The axis of the slices.
    pub axis: usize,
}

/// An array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: String,
    /// Its extents; none: a single number.
    pub shape: Vec<i32>,
    /// The extents as trained, where -1 may be any; empty if all are fixed.
    pub signature: Vec<i32>,
    /// The type of its elements.
    pub kind: Kind,
    /// Its quantisation.
    pub quantisation: Quantisation,
    /// Its content, for constants; else empty.
    pub data: &'a [u8],
    /// Whether it keeps its content from one run to the next.
    pub variable: bool,
}

/// One step of a computation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// Index into the model's codes.
    pub code: usize,
    /// Tensors it reads; none: an optional one that is left out.
    pub inputs: Vec<Option<usize>>,
    /// Tensors it writes.
    pub outputs: Vec<usize>,
    /// How it does it.
    pub options: Options,
}

/// A kind of operator that a model uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Number in the schema; [`names::CUSTOM`] for one that has only a name.
    pub number: u32,
    /// The schema's name, or its own.
    pub name: String,
    /// Version of it.
    pub version: i32,
}

impl Code {
    /// Whether it is outside of the schema.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.number == names::CUSTOM
    }
}

/// A computation. The first one of a model is what runs; others are called from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph<'a> {
    /// Its name.
    pub name: String,
    /// All arrays.
    pub tensors: Vec<Tensor<'a>>,
    /// Indices of those that are put in.
    pub inputs: Vec<usize>,
    /// Indices of those that come out.
    pub outputs: Vec<usize>,
    /// The steps, in order.
    pub operators: Vec<Operator>,
}

/// For which neural processor a model was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compiled {
    /// Arm's Ethos-U, by Vela.
    Vela,
    /// ST's Neural-ART, by ST Edge AI. Such a file is no TensorFlow Lite model any more.
    StEdgeAi,
}

impl Compiled {
    /// The compiler's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vela => "Vela",
            Self::StEdgeAi => "ST Edge AI",
        }
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<'a> {
    /// Version of the schema; cameras take [`SCHEMA`] only.
    pub version: u32,
    /// What its maker says about it.
    pub description: String,
    /// Kinds of operators.
    pub codes: Vec<Code>,
    /// Computations; at least one.
    pub graphs: Vec<Graph<'a>>,
    /// Names of attached data.
    pub metadata: Vec<String>,
}

/// Whether bytes say of themselves that they are a TensorFlow Lite model.
#[must_use]
pub fn is_model(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

/// Whether bytes begin as the relocatable networks of ST Edge AI do.
///
/// Source: openmv/openmv `lib/stai/libstai/include/ll_aton_reloc_network.h` (`AI_RELOC_MAGIC`).
#[must_use]
pub fn is_st_edge_ai(bytes: &[u8]) -> bool {
    bytes.starts_with(&0x4E49_424E_u32.to_le_bytes())
}

/// What may still be read.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, count: usize) -> Result<(), Error> {
        self.0 = self.0.checked_sub(count).ok_or(Error::TooMany)?;
        Ok(())
    }
}

impl<'a> Model<'a> {
    /// Reads a model.
    ///
    /// # Errors
    /// For bytes that are no model, or one that is damaged; see [`Error`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        if !is_model(bytes) {
            return Err(Error::NotAModel);
        }
        let root = Table::root(bytes)?;
        let mut budget = Budget(LIMIT);
        let codes = each(root.vector(1, 4)?, &mut budget, |table, _| code(&table))?;
        let buffers = each(root.vector(4, 4)?, &mut budget, |table, _| buffer(&table))?;
        let graphs = each(root.vector(2, 4)?, &mut budget, |table, budget| {
            graph(&table, &codes, &buffers, budget)
        })?;
        if graphs.is_empty() {
            return Err(Error::Empty);
        }
        let metadata = each(root.vector(6, 4)?, &mut budget, |table, _| table.text(0))?;
        Ok(Self {
            version: root.u32(0, 0)?,
            description: root.text(3)?,
            codes,
            graphs,
            metadata,
        })
    }

    /// The computation that runs.
    #[must_use]
    pub fn main(&self) -> Option<&Graph<'a>> {
        self.graphs.first()
    }

    /// The kind of an operator.
    #[must_use]
    pub fn code(&self, operator: &Operator) -> Option<&Code> {
        self.codes.get(operator.code)
    }

    /// Every kind of operator that is really used, with how often, in the order of the codes.
    #[must_use]
    pub fn used(&self) -> Vec<(&Code, usize)> {
        let all = || self.graphs.iter().flat_map(|graph| &graph.operators);
        let count = |index| all().filter(|operator| operator.code == index).count();
        let counted = self.codes.iter().enumerate();
        counted
            .map(|(index, code)| (code, count(index)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// For which neural processor it was compiled; none: for none.
    #[must_use]
    pub fn compiled(&self) -> Option<Compiled> {
        let ethos = |(code, _): &(&Code, usize)| code.is_custom() && code.name == "ethos-u";
        self.used().iter().any(ethos).then_some(Compiled::Vela)
    }

    /// What running it takes.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost::of(self)
    }
}

impl Tensor<'_> {
    /// Elements it has; none where that is more than any memory, or an extent is not fixed.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |all, extent| {
            all.checked_mul(u64::try_from(*extent).ok()?)
        })
    }

    /// Bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        Some(self.elements()?.checked_mul(self.kind.bits())?.div_ceil(8))
    }

    /// Whether its content is part of the file.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        !self.data.is_empty()
    }
}

fn each<'a, T>(
    vector: Vector<'a>,
    budget: &mut Budget,
    mut read: impl FnMut(Table<'a>, &mut Budget) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    budget.spend(vector.count())?;
    let one = |index| read(vector.table(index)?, budget);
    (0..vector.count()).map(one).collect()
}

/// The number was a byte once; files carry both, and the larger one counts.
fn code(table: &Table<'_>) -> Result<Code, Error> {
    let old = u32::from(table.u8(0, 0)?);
    let new = u32::try_from(table.i32(3, 0)?).unwrap_or(0);
    let number = old.max(new);
    let name = match names::name(number) {
        Some(_) if number == names::CUSTOM => table.text(1)?,
        Some(name) => name.to_owned(),
        None => format!("operator {number}"),
    };
    Ok(Code {
        number,
        name,
        version: table.i32(2, 1)?,
    })
}

/// Content lies in the table, or, in large files, behind it.
fn buffer<'a>(table: &Table<'a>) -> Result<&'a [u8], Error> {
    let inside = table.bytes(0)?;
    let (offset, size) = (table.u64(1, 0)?, table.u64(2, 0)?);
    if !inside.is_empty() || offset <= 1 {
        return Ok(inside);
    }
    let at = usize::try_from(offset).map_err(|_| Error::Outside { at: 0 })?;
    let end = usize::try_from(size).ok().and_then(|s| at.checked_add(s));
    let end = end.ok_or(Error::Outside { at })?;
    let found = table.buffer().get(at..end);
    found.ok_or(Error::Outside { at })
}

fn graph<'a>(
    table: &Table<'a>,
    codes: &[Code],
    buffers: &[&'a [u8]],
    budget: &mut Budget,
) -> Result<Graph<'a>, Error> {
    let tensors = each(table.vector(0, 4)?, budget, |table, budget| {
        tensor(&table, buffers, budget)
    })?;
    let count = tensors.len();
    let operators = each(table.vector(3, 4)?, budget, |table, budget| {
        operator(&table, codes, count, budget)
    })?;
    Ok(Graph {
        name: table.text(4)?,
        inputs: all_there(indices(table.vector(1, 4)?, count, budget)?)?,
        outputs: all_there(indices(table.vector(2, 4)?, count, budget)?)?,
        tensors,
        operators,
    })
}

fn tensor<'a>(
    table: &Table<'a>,
    buffers: &[&'a [u8]],
    budget: &mut Budget,
) -> Result<Tensor<'a>, Error> {
    let (shape, signature) = (table.vector(0, 4)?, table.vector(7, 4)?);
    budget.spend(shape.count().saturating_add(signature.count()))?;
    let mut quantisation = Quantisation::default();
    if let Some(table) = table.table(4)? {
        let (scales, zeros) = (table.vector(2, 4)?, table.vector(3, 8)?);
        budget.spend(scales.count().saturating_add(zeros.count()))?;
        quantisation = Quantisation {
            scales: scales.f32s()?,
            zero_points: zeros.i64s()?,
            axis: usize::try_from(table.i32(6, 0)?).unwrap_or(0),
        };
    }
    let index = table.u32(2, 0)?;
    let data = usize::try_from(index).ok().and_then(|i| buffers.get(i));
    Ok(Tensor {
        name: table.text(3)?,
        shape: shape.i32s()?,
        signature: signature.i32s()?,
        kind: Kind::from_code(table.u8(1, 0)?),
        quantisation,
        data: data.ok_or(Error::NoSuch {
            what: "buffer",
            index: index.into(),
        })?,
        variable: table.bool(5, false)?,
    })
}

fn operator(
    table: &Table<'_>,
    codes: &[Code],
    tensors: usize,
    budget: &mut Budget,
) -> Result<Operator, Error> {
    let index = table.u32(0, 0)?;
    let code = usize::try_from(index).ok().filter(|i| *i < codes.len());
    Ok(Operator {
        code: code.ok_or(Error::NoSuch {
            what: "operator code",
            index: index.into(),
        })?,
        inputs: indices(table.vector(1, 4)?, tensors, budget)?,
        outputs: all_there(indices(table.vector(2, 4)?, tensors, budget)?)?,
        options: Options::read(table.u8(3, 0)?, table.table(4)?)?,
    })
}

/// Indices of tensors; -1 is one that is left out.
fn indices(
    vector: Vector<'_>,
    tensors: usize,
    budget: &mut Budget,
) -> Result<Vec<Option<usize>>, Error> {
    budget.spend(vector.count())?;
    let check = |index: i32| match usize::try_from(index) {
        Ok(index) if index < tensors => Ok(Some(index)),
        Err(_) if index == -1 => Ok(None),
        _ => Err(Error::NoSuch {
            what: "tensor",
            index: index.into(),
        }),
    };
    vector.i32s()?.into_iter().map(check).collect()
}

fn all_there(indices: Vec<Option<usize>>) -> Result<Vec<usize>, Error> {
    let missing = Error::NoSuch {
        what: "tensor",
        index: -1,
    };
    indices.into_iter().collect::<Option<_>>().ok_or(missing)
}
