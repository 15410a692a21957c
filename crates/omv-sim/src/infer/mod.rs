//! Neural networks on a virtual camera: real outputs, and times that say they are simulated.
//!
//! ```text
//!   bytes --Network::load--> Network --run(inputs)--> outputs, as the camera's runtime gives them
//!                               '-----Speed::time---> microseconds, from a stated cost model
//! ```
//!
//! The kernels follow the reference kernels of TensorFlow Lite number by number, because cameras
//! do: whole numbers with fixed-point scales, each operator for itself. They are the operators of
//! small classifiers and detectors; a network with another one is refused by name, and the virtual
//! camera says so instead of inventing an output.
//! An interpreter of somebody else's would do as well if its scores were those of the reference to
//! a step; none has been tried. These kernels are judged against the reference interpreter, model
//! by model (`tests/all/infer.rs`, and the stage `models`).

mod arithmetic;
mod convolution;
mod data;
mod fixed;
pub mod measuring;
mod picture;
mod rows;
mod speed;

pub use data::{Data, Quantised};
pub use speed::Speed;

use omv_wire::tflite::{Cost, Kind, Model, Operator, Tensor};

use data::Values;

/// More than any camera has.
const MEMORY: u64 = 64 << 20;
/// More multiply-accumulates than anybody waits for.
const WORK: u64 = 4_000_000_000;

/// Why a network does not run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is none.
    #[error(transparent)]
    Model(#[from] omv_wire::tflite::Error),
    /// An operator, or a way to use it, that these kernels lack.
    #[error("{0} is not computed by the virtual camera")]
    Missing(String),
    /// Its parts do not fit together.
    #[error("the network is damaged at its operator {at}, {name}")]
    Shape {
        /// Which operator.
        at: usize,
        /// Its name.
        name: String,
    },
    /// It needs too much.
    #[error("the network needs more memory or work than any camera has")]
    TooLarge,
    /// An input is of another size.
    #[error("input {index} takes {wanted} bytes, not {given}")]
    Input {
        /// Which.
        index: usize,
        /// Bytes it takes.
        wanted: usize,
        /// Bytes it got.
        given: usize,
    },
}

/// One end of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Extents.
    pub shape: Vec<usize>,
    /// Type of the elements.
    pub kind: Kind,
    /// Scale and zero point; 1 and 0 where it has none.
    pub quantised: Quantised,
}

impl End {
    /// An input of zeros.
    #[must_use]
    pub fn zeros(&self) -> Vec<u8> {
        let elements: usize = self.shape.iter().product();
        vec![0; elements * usize::try_from(self.kind.bits() / 8).unwrap_or(0)]
    }
}

/// A network that can run.
pub struct Network {
    bytes: Vec<u8>,
    /// What it takes.
    pub inputs: Vec<End>,
    /// What it gives.
    pub outputs: Vec<End>,
    cost: Cost,
    operators: u64,
    float: bool,
}

/// What a kernel works on.
pub(super) struct Job<'a> {
    pub(super) inputs: Vec<Option<Data<'a>>>,
    pub(super) output: Shape,
    pub(super) operator: &'a Operator,
    pub(super) name: &'a str,
}

/// What an output has to become.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) extents: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) quantised: Quantised,
}

/// What went wrong inside of a kernel; the caller knows where.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not computed.
    Missing(&'static str),
    /// Parts do not fit together.
    Shape,
}

impl<'a> Job<'a> {
    pub(super) fn input(&self, at: usize) -> Result<&Data<'a>, Fault> {
        self.optional(at).ok_or(Fault::Shape)
    }

    pub(super) fn optional(&self, at: usize) -> Option<&Data<'a>> {
        self.inputs.get(at)?.as_ref()
    }
}

impl Network {
    /// Reads a network and looks whether it can run.
    ///
    /// # Errors
    /// For a damaged file, and for one that needs what is not here.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        let model = Model::read(bytes)?;
        let cost = model.cost();
        if cost.activation_peak > MEMORY || cost.macs > WORK || cost.elements > WORK {
            return Err(Error::TooLarge);
        }
        let graph = model.main().ok_or(omv_wire::tflite::Error::Empty)?;
        let end = |index: &usize| {
            let tensor = graph.tensors.get(*index)?;
            let data = Shape::of(tensor)?;
            Some(End {
                shape: data.extents,
                kind: data.kind,
                quantised: data.quantised,
            })
        };
        let ends = |indices: &[usize]| indices.iter().map(end).collect::<Option<Vec<_>>>();
        let missing = || Error::Missing("an input or output of that type".to_owned());
        Ok(Self {
            inputs: ends(&graph.inputs).ok_or_else(missing)?,
            outputs: ends(&graph.outputs).ok_or_else(missing)?,
            cost,
            operators: graph.operators.len() as u64,
            float: graph
                .tensors
                .iter()
                .any(|tensor| tensor.kind == Kind::Float32),
            bytes: bytes.to_vec(),
        })
    }

    /// Runs it once. Inputs and outputs are bytes as they lie in a camera's memory, little endian.
    ///
    /// # Errors
    /// For inputs of another size, and for operators that are not computed here.
    pub fn run(&self, inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
        let model = Model::read(&self.bytes)?;
        let graph = model.main().ok_or(omv_wire::tflite::Error::Empty)?;
        let mut values: Vec<Option<Values>> = vec![None; graph.tensors.len()];
        for (index, (at, end)) in graph.inputs.iter().zip(&self.inputs).enumerate() {
            let given = inputs.get(index).map_or(&[][..], Vec::as_slice);
            let read = Values::read(end.kind, given);
            let elements: usize = end.shape.iter().product();
            let read = read.filter(|values| values.len() == elements);
            values[*at] = Some(read.ok_or(Error::Input {
                index,
                wanted: elements * usize::try_from(end.kind.bits() / 8).unwrap_or(0),
                given: given.len(),
            })?);
        }
        for (at, operator) in graph.operators.iter().enumerate() {
            let name = model.code(operator).map_or("", |code| code.name.as_str());
            let shape = || Error::Shape {
                at,
                name: name.to_owned(),
            };
            let [output] = operator.outputs[..] else {
                return Err(Error::Missing(format!("{name} with several outputs")));
            };
            let target = graph.tensors.get(output).and_then(Shape::of);
            let numbers = || Error::Missing(format!("{name} on such numbers"));
            let target = target.ok_or_else(numbers)?;
            let mut given = Vec::new();
            for input in &operator.inputs {
                let Some(index) = input else {
                    given.push(None);
                    continue;
                };
                let tensor = graph.tensors.get(*index).ok_or_else(shape)?;
                let held = values.get(*index).and_then(Option::as_ref);
                given.push(Some(Data::of(tensor, held).ok_or_else(numbers)?));
            }
            let job = Job {
                inputs: given,
                output: target,
                operator,
                name,
            };
            let done = compute(&job).map_err(|fault| match fault {
                Fault::Shape => shape(),
                Fault::Missing(what) => Error::Missing(format!("{name} {what}")),
            })?;
            let wanted: usize = job.output.extents.iter().product();
            if done.len() != wanted {
                return Err(shape());
            }
            drop(job);
            values[output] = Some(done);
        }
        let gone = Error::Missing("an output that nothing writes".to_owned());
        let taken = graph.outputs.iter().map(|at| {
            let kind = graph.tensors.get(*at)?.kind;
            Some(values.get(*at)?.as_ref()?.write(kind))
        });
        taken.collect::<Option<_>>().ok_or(gone)
    }

    /// What it takes, as counted from the file.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Bytes of the file.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

fn compute(job: &Job<'_>) -> Result<Values, Fault> {
    match job.name {
        "CONV_2D" => convolution::plain(job),
        "DEPTHWISE_CONV_2D" => convolution::depthwise(job),
        "TRANSPOSE_CONV" => convolution::transposed(job),
        "FULLY_CONNECTED" => rows::fully_connected(job),
        "SOFTMAX" => rows::softmax(job),
        "MAX_POOL_2D" => picture::pool(job, true),
        "AVERAGE_POOL_2D" => picture::pool(job, false),
        "MEAN" => picture::mean(job),
        "RESIZE_NEAREST_NEIGHBOR" => picture::nearest(job),
        "RESIZE_BILINEAR" => picture::bilinear(job),
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => Ok(job.input(0)?.values.clone()),
        "CONCATENATION" => arithmetic::concatenate(job),
        "ADD" => arithmetic::add(job),
        "MUL" => arithmetic::multiply(job),
        "RELU" | "RELU6" => arithmetic::relu(job),
        "LEAKY_RELU" => arithmetic::leaky(job),
        "LOGISTIC" => arithmetic::each(job, |x| 1.0 / (1.0 + (-x).exp())),
        "TANH" => arithmetic::each(job, f32::tanh),
        "QUANTIZE" | "DEQUANTIZE" => arithmetic::quantise(job),
        _ => Err(Fault::Missing("")),
    }
}

/// The extents of a picture, none of which is zero.
fn four(extents: &[usize]) -> Result<[usize; 4], Fault> {
    let four: [usize; 4] = extents.try_into().map_err(|_| Fault::Shape)?;
    match four.contains(&0) {
        true => Err(Fault::Shape),
        false => Ok(four),
    }
}

impl Shape {
    fn of(tensor: &Tensor<'_>) -> Option<Self> {
        let extents = tensor
            .shape
            .iter()
            .map(|extent| usize::try_from(*extent).ok());
        let known = matches!(
            tensor.kind,
            Kind::Int8 | Kind::Uint8 | Kind::Int16 | Kind::Int32 | Kind::Float32
        );
        let shape = Self {
            extents: extents.collect::<Option<_>>()?,
            kind: tensor.kind,
            quantised: Quantised::of(tensor),
        };
        known.then_some(shape)
    }

    /// The four extents of pictures: number, height, width, channels.
    pub(super) fn picture(&self) -> Result<[usize; 4], Fault> {
        four(&self.extents)
    }

    /// The smallest and largest number of the type.
    pub(super) fn range(&self) -> (i32, i32) {
        match self.kind {
            Kind::Int8 => (-128, 127),
            Kind::Uint8 => (0, 255),
            Kind::Int16 => (-32768, 32767),
            _ => (i32::MIN, i32::MAX),
        }
    }
}
