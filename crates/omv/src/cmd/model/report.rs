//! What a model file says, as text and as JSON.

use omv_boards::Board;
use omv_plan::model::{Finding, Suit, label_file};
use omv_plan::{Refusal, sha256};
use omv_wire::tflite::{self, Compiled, Graph, Model, Tensor};
use serde_json::{Value, json};

use crate::fail::Fail;
use crate::output::size;

/// A file, read.
pub struct Report<'a> {
    file: String,
    bytes: &'a [u8],
    model: Option<Model<'a>>,
}

impl<'a> Report<'a> {
    /// Reads a file; a network that ST compiled is known by its first bytes only.
    pub fn new(file: &str, bytes: &'a [u8]) -> Result<Self, Fail> {
        let model = if tflite::is_st_edge_ai(bytes) {
            None
        } else {
            let model = Model::read(bytes).map_err(|error| Refusal::NotAModel {
                file: file.to_owned(),
                why: error.to_string(),
            })?;
            Some(model)
        };
        Ok(Self {
            file: file.to_owned(),
            bytes,
            model,
        })
    }

    fn compiled(&self) -> Option<Compiled> {
        match &self.model {
            None => Some(Compiled::StEdgeAi),
            Some(model) => model.compiled(),
        }
    }

    /// Where the newest firmware looks for labels if the file keeps its name.
    fn labels(&self) -> Option<String> {
        let name = self.file.rsplit('/').next().unwrap_or(&self.file);
        label_file(&format!("/sdcard/{name}"), None)
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let row = |name: &str, value: String| format!("{name:<13}{value}");
        let bytes = self.bytes.len() as u64;
        let mut lines = vec![
            row("file", self.file.clone()),
            row("size", format!("{} ({bytes} bytes)", size(bytes))),
            row("sha-256", sha256(self.bytes)),
        ];
        let form = match self.compiled() {
            Some(compiled) => format!("compiled by {} for its processor", compiled.name()),
            None => "for any processor".to_owned(),
        };
        lines.push(row("form", form));
        if let Some(model) = &self.model {
            let cost = model.cost();
            if !model.description.is_empty() {
                lines.push(row("made by", model.description.clone()));
            }
            lines.push(row(
                "computes",
                format!("{} multiply-accumulates a run", millions(cost.macs)),
            ));
            lines.push(row("weights", size(cost.weights)));
            let peak = size(cost.activation_peak);
            lines.push(row(
                "activations",
                format!("{peak} at the worst moment: a lower bound of the arena"),
            ));
            for (name, ends) in ends(model) {
                for tensor in ends {
                    lines.push(row(name, format!("{}  {}", shape(tensor), tensor.name)));
                }
            }
            let used = model.used();
            let used = used
                .iter()
                .map(|(code, count)| format!("{count} {} v{}", code.name, code.version));
            lines.push(row("operators", used.collect::<Vec<_>>().join(", ")));
        }
        if let Some(labels) = self.labels() {
            lines.push(row(
                "labels",
                format!("looked for in {labels} if it lies on the card"),
            ));
        }
        lines
    }

    /// For programs.
    pub fn json(&self, suits: &[(&Board, Suit)]) -> Value {
        let suits: Vec<Value> = suits
            .iter()
            .map(|(board, suit)| self.suit(board, suit))
            .collect();
        let mut all = json!({
            "file": self.file,
            "bytes": self.bytes.len(),
            "sha256": sha256(self.bytes),
            "compiled": self.compiled().map(Compiled::name),
            "label_file": self.labels(),
            "boards": suits,
        });
        if let (Some(model), Some(all)) = (&self.model, all.as_object_mut()) {
            let cost = model.cost();
            let of = |wanted: &str| {
                let ends = ends(model).into_iter().filter(|(name, _)| *name == wanted);
                ends.flat_map(|(_, tensors)| tensors)
                    .map(tensor_json)
                    .collect::<Vec<_>>()
            };
            let used = model.used();
            let operators = used.iter().map(|(code, count)| {
                json!({ "name": code.name, "custom": code.is_custom(), "version": code.version, "count": count })
            });
            let rest = json!({
                "schema": model.version,
                "description": model.description,
                "metadata": model.metadata,
                "macs": cost.macs,
                "weights_bytes": cost.weights,
                "activation_peak_bytes": cost.activation_peak,
                "inputs": of("input"),
                "outputs": of("output"),
                "operators": operators.collect::<Vec<_>>(),
                "graphs": model.graphs.iter().map(|graph| graph_json(model, graph)).collect::<Vec<_>>(),
            });
            if let Value::Object(rest) = rest {
                all.extend(rest);
            }
        }
        all
    }

    fn suit(&self, board: &Board, suit: &Suit) -> Value {
        let places = suit.places.iter().map(|place| {
            json!({ "name": place.name, "bytes": place.size, "file_fits": place.file, "arena_may_fit": place.arena })
        });
        let refusals = suit.findings.iter().filter_map(|finding| match finding {
            Finding::Refused(refusal) => {
                Some(json!({ "code": refusal.code(), "message": refusal.to_string(), "help": refusal.help() }))
            }
            Finding::Mind(_) => None,
        });
        let notes = suit.findings.iter().filter_map(|finding| match finding {
            Finding::Mind(text) => Some(text.clone()),
            Finding::Refused(_) => None,
        });
        json!({
            "board": board.name,
            "firmware": suit.version.map(|version| version.to_string()),
            "usable": suit.usable(),
            "places": places.collect::<Vec<_>>(),
            "missing_operators": suit.missing,
            "romfs_alignment": suit.alignment,
            "refusals": refusals.collect::<Vec<_>>(),
            "notes": notes.collect::<Vec<_>>(),
        })
    }
}

/// Inputs and outputs.
fn ends<'m, 'a>(model: &'m Model<'a>) -> Vec<(&'static str, Vec<&'m Tensor<'a>>)> {
    let Some(graph) = model.main() else {
        return Vec::new();
    };
    let those = |indices: &[usize]| {
        indices
            .iter()
            .filter_map(|i| graph.tensors.get(*i))
            .collect()
    };
    vec![
        ("input", those(&graph.inputs)),
        ("output", those(&graph.outputs)),
    ]
}

fn shape(tensor: &Tensor<'_>) -> String {
    let extents: Vec<String> = tensor.shape.iter().map(i32::to_string).collect();
    let extents = if extents.is_empty() {
        "single".to_owned()
    } else {
        extents.join("x")
    };
    let quantisation = &tensor.quantisation;
    let scale = match (&quantisation.scales[..], &quantisation.zero_points[..]) {
        ([], _) => String::new(),
        ([scale], [zero]) => format!(", scale {scale}, zero point {zero}"),
        (scales, _) => format!(", {} scales along axis {}", scales.len(), quantisation.axis),
    };
    format!("{extents} {}{scale}", tensor.kind)
}

fn tensor_json(tensor: &Tensor<'_>) -> Value {
    json!({
        "name": tensor.name,
        "shape": tensor.shape,
        "signature": tensor.signature,
        "type": tensor.kind.name(),
        "scales": tensor.quantisation.scales,
        "zero_points": tensor.quantisation.zero_points,
        "axis": tensor.quantisation.axis,
        "constant_bytes": tensor.data.len(),
        "variable": tensor.variable,
    })
}

fn graph_json(model: &Model<'_>, graph: &Graph<'_>) -> Value {
    let operators = graph.operators.iter().map(|operator| {
        json!({
            "name": model.code(operator).map(|code| code.name.clone()),
            "inputs": operator.inputs,
            "outputs": operator.outputs,
            "macs": tflite::macs(model, graph, operator),
        })
    });
    json!({
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "tensors": graph.tensors.iter().map(tensor_json).collect::<Vec<_>>(),
        "operators": operators.collect::<Vec<_>>(),
    })
}

fn millions(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..10_000_000_000 => format!("{:.2} million", count as f64 / 1e6),
        _ => format!("{:.1} thousand million", count as f64 / 1e9),
    }
}
