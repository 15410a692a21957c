//! What running a model takes: work, weights and memory.

use super::{Graph, Model, Operator, Tensor};

/// What running a model takes. Where a file's numbers are more than 64 bits hold, the largest
/// number stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of one run, of convolutions and matrices; the rest is small.
    pub macs: u64,
    /// Elements written by operators in one run.
    pub elements: u64,
    /// Bytes of constants.
    pub weights: u64,
    /// Bytes of the arrays that are alive at the same time, at the worst moment. A runtime's
    /// arena also has its own tables, scratch buffers and gaps: this is a *lower bound* of it.
    pub activation_peak: u64,
}

impl Cost {
    pub(super) fn of(model: &Model<'_>) -> Self {
        let mut cost = Self::default();
        for graph in &model.graphs {
            for operator in &graph.operators {
                cost.macs = cost.macs.saturating_add(macs(model, graph, operator));
                let written = operator
                    .outputs
                    .iter()
                    .filter_map(|i| graph.tensors.get(*i));
                let written = written.map(|tensor| tensor.elements().unwrap_or(u64::MAX));
                cost.elements = written.fold(cost.elements, u64::saturating_add);
            }
            let constants = graph.tensors.iter().map(|tensor| tensor.data.len() as u64);
            cost.weights = constants.fold(cost.weights, u64::saturating_add);
            // A called graph runs inside an operator of its caller.
            cost.activation_peak = cost.activation_peak.saturating_add(peak(graph));
        }
        cost
    }
}

/// Bytes alive at the worst moment of one graph. Inputs live from the start, outputs to the end.
fn peak(graph: &Graph<'_>) -> u64 {
    let last = graph.operators.len();
    let mut life: Vec<Option<(usize, usize)>> = vec![None; graph.tensors.len()];
    let mut touch = |tensor: usize, at: usize| {
        if let Some(life) = life.get_mut(tensor) {
            let (from, to) = life.unwrap_or((at, at));
            *life = Some((from.min(at), to.max(at)));
        }
    };
    for input in &graph.inputs {
        touch(*input, 0);
    }
    for (at, operator) in graph.operators.iter().enumerate() {
        let inputs = operator.inputs.iter().flatten();
        for tensor in inputs.chain(&operator.outputs) {
            touch(*tensor, at);
        }
    }
    for output in &graph.outputs {
        touch(*output, last);
    }
    // Sweep over the moments: what begins, what has ended.
    let mut begins = vec![0_u64; last + 2];
    let mut ends = vec![0_u64; last + 2];
    for (tensor, life) in graph.tensors.iter().zip(&life) {
        let Some((from, to)) = life else { continue };
        if tensor.is_constant() {
            continue;
        }
        let (from, to) = match tensor.variable {
            true => (0, last),
            false => (*from, *to),
        };
        let bytes = tensor.bytes().unwrap_or(u64::MAX);
        add(&mut begins, from, bytes);
        add(&mut ends, to + 1, bytes);
    }
    let (mut alive, mut peak) = (0_u64, 0_u64);
    for (begin, end) in begins.iter().zip(&ends) {
        alive = alive.saturating_sub(*end).saturating_add(*begin);
        peak = peak.max(alive);
    }
    peak
}

fn add(moments: &mut [u64], at: usize, bytes: u64) {
    if let Some(moment) = moments.get_mut(at) {
        *moment = moment.saturating_add(bytes);
    }
}

/// Multiply-accumulates of one operator: those of convolutions, matrices and their like, by the
/// extents of filters and outputs; zero for everything else.
#[must_use]
pub fn macs(model: &Model<'_>, graph: &Graph<'_>, operator: &Operator) -> u64 {
    let tensor = |index: Option<usize>| index.and_then(|index| graph.tensors.get(index));
    let input = |at: usize| tensor(operator.inputs.get(at).copied().flatten());
    let name = model.code(operator).map_or("", |code| code.name.as_str());
    let output = tensor(operator.outputs.first().copied());
    let elements = |found: Option<&Tensor<'_>>| found.and_then(Tensor::elements);
    let extent = |found: Option<&Tensor<'_>>, axis: usize| {
        let extent = found.and_then(|tensor| tensor.shape.get(axis).copied());
        extent.and_then(|extent| u64::try_from(extent).ok())
    };
    let product = |factors: [Option<u64>; 4]| {
        let all = factors.into_iter();
        all.fold(1_u64, |all, factor| all.saturating_mul(factor.unwrap_or(0)))
    };
    let one = Some(1);
    match name {
        // Filter: output channels, height, width, input channels.
        "CONV_2D" => product([
            elements(output),
            extent(input(1), 1),
            extent(input(1), 2),
            extent(input(1), 3),
        ]),
        // Filter: 1, height, width, channels.
        "DEPTHWISE_CONV_2D" => product([
            elements(output),
            extent(input(1), 1),
            extent(input(1), 2),
            one,
        ]),
        // Inputs: output shape, filter (output channels, height, width, input channels), picture.
        "TRANSPOSE_CONV" => product([
            elements(input(2)),
            extent(input(1), 0),
            extent(input(1), 1),
            extent(input(1), 2),
        ]),
        // Filter: outputs, inputs.
        "FULLY_CONNECTED" => product([elements(output), extent(input(1), 1), one, one]),
        "BATCH_MATMUL" => {
            let axis = input(0).map_or(0, |tensor| tensor.shape.len().saturating_sub(1));
            product([elements(output), extent(input(0), axis), one, one])
        }
        _ => 0,
    }
}
