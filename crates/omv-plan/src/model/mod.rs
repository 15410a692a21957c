//! Whether a neural network will run on a camera, and where it goes. Pure, like all of this crate.
//!
//! ```text
//!   bytes --Model::read--> model --+
//!   board, release ----------------+--suit--> Suit: places, findings, usable or not
//!   labels ------------------------+
//! ```
//!
//! What is refused here a camera refuses too, later and in fewer words: an operator its runtime
//! lacks, an arena that no block of its heap can hold, a file in the form of another processor.
//! The arena is known as a lower bound only, so "fits" stays "may fit" until the camera has
//! loaded it.

mod export;
mod labels;

pub use export::{Export, export};
pub use labels::{label_file, labels};

use omv_boards::{Backend, Board, Compiler, Role, Version};
use omv_wire::tflite::{self, Compiled, Kind, Model};

use crate::Refusal;

/// The first release with a ROM file system, whose models are used in place.
const ROMFS_SINCE: Version = Version {
    major: 4,
    minor: 7,
    patch: 0,
};

/// Where a model can be kept while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// Bytes of it.
    pub size: u64,
    /// Whether the file fits in there.
    pub file: bool,
    /// Whether the activations fit in there; none: the runtime puts no arena there.
    pub arena: Option<bool>,
}

/// One thing to know before deploying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The camera would refuse it.
    Refused(Refusal),
    /// It would run, but.
    Mind(String),
}

/// How a model suits a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suit {
    /// The board's title.
    pub board: String,
    /// The release that was assumed; none: the newest known.
    pub version: Option<Version>,
    /// Memory, and what of it would do.
    pub places: Vec<Place>,
    /// Operators the runtime lacks.
    pub missing: Vec<String>,
    /// Alignment of the model in a ROM file system, in bytes; none: there is none.
    pub alignment: Option<u32>,
    /// What to know.
    pub findings: Vec<Finding>,
}

impl Suit {
    /// Whether nothing speaks against it.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.refusal().is_none()
    }

    /// The first reason against it.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.findings.iter().find_map(|finding| match finding {
            Finding::Refused(refusal) => Some(refusal),
            Finding::Mind(_) => None,
        })
    }
}

/// How a model file suits a board with a release of the firmware.
///
/// # Errors
/// When the file is neither a model nor compiled from one.
pub fn suit(
    file: &str,
    bytes: &[u8],
    board: &Board,
    version: Option<Version>,
) -> Result<Suit, Refusal> {
    let mut suit = Suit {
        board: board.title.clone(),
        version,
        places: Vec::new(),
        missing: Vec::new(),
        alignment: None,
        findings: Vec::new(),
    };
    if tflite::is_st_edge_ai(bytes) {
        let backend = board.ml_at(version).map(|ml| ml.backend);
        if backend != Some(Backend::Stai) {
            suit.refuse(other_form(file, board, Compiled::StEdgeAi));
        }
        suit.romfs(board, bytes.len() as u64);
        return Ok(suit);
    }
    let model = Model::read(bytes).map_err(|error| Refusal::NotAModel {
        file: file.to_owned(),
        why: error.to_string(),
    })?;
    let Some(ml) = board.ml_at(version) else {
        suit.refuse(Refusal::NoNetworks {
            board: board.title.clone(),
            version: version.map_or_else(|| "any firmware".to_owned(), |v| format!("firmware {v}")),
        });
        return Ok(suit);
    };
    let cost = model.cost();
    suit.romfs(board, bytes.len() as u64);
    let arena_in_heap = ml.backend == Backend::Tflm;
    for (index, size) in ml.heap.iter().enumerate() {
        suit.places.push(Place {
            name: format!("heap block {}", index + 1),
            size: *size,
            file: bytes.len() as u64 <= *size,
            arena: arena_in_heap.then_some(cost.activation_peak <= *size),
        });
    }
    for pool in &ml.pools {
        suit.places.push(Place {
            name: pool.name.clone(),
            size: pool.size,
            file: bytes.len() as u64 <= pool.size,
            arena: (ml.backend == Backend::Libtf).then_some(cost.activation_peak <= pool.size),
        });
        let sure = pool.sure.unwrap_or(pool.size);
        if ml.backend == Backend::Libtf && (sure..=pool.size).contains(&cost.activation_peak) {
            let text = format!(
                "its activations fit into the {} with small frames only",
                pool.name
            );
            suit.findings.push(Finding::Mind(text));
        }
    }
    forms(&mut suit, file, &model, board, ml.compiler);
    if ml.backend != Backend::Stai {
        operators(&mut suit, file, &model, ml, version);
        numbers(&mut suit, file, &model, ml.backend);
        memory(&mut suit, file, bytes.len() as u64, cost.activation_peak);
    }
    Ok(suit)
}

impl Suit {
    fn refuse(&mut self, refusal: Refusal) {
        self.findings.push(Finding::Refused(refusal));
    }

    fn mind(&mut self, text: &str) {
        self.findings.push(Finding::Mind(text.to_owned()));
    }

    fn romfs(&mut self, board: &Board, file: u64) {
        let known = self.version.is_none_or(|version| version >= ROMFS_SINCE);
        let Some(region) = board.role(Role::Romfs).filter(|_| known) else {
            return;
        };
        self.alignment = board.romfs_alignment;
        self.places.push(Place {
            name: "ROM file system".to_owned(),
            size: region.size.into(),
            file: file <= u64::from(region.size),
            arena: None,
        });
    }
}

fn other_form(file: &str, board: &Board, compiled: Compiled) -> Refusal {
    Refusal::OtherProcessor {
        file: file.to_owned(),
        board: board.title.clone(),
        form: format!("compiled by {}", compiled.name()),
    }
}

/// Whether the file is in the form the board's processors take.
fn forms(
    suit: &mut Suit,
    file: &str,
    model: &Model<'_>,
    board: &Board,
    compiler: Option<Compiler>,
) {
    match (model.compiled(), compiler) {
        (Some(Compiled::Vela), Some(Compiler::Vela)) => {}
        (Some(compiled), _) => suit.refuse(other_form(file, board, compiled)),
        (None, Some(Compiler::StEdgeAi)) => suit.refuse(Refusal::OtherProcessor {
            file: file.to_owned(),
            board: board.title.clone(),
            form: "not compiled by ST Edge AI, as this board's processor needs it".to_owned(),
        }),
        (None, Some(Compiler::Vela)) => {
            suit.mind("it is not compiled by Vela: it runs on the processor core, not on the NPU");
        }
        (None, None) => {}
    }
}

fn operators(
    suit: &mut Suit,
    file: &str,
    model: &Model<'_>,
    ml: &omv_boards::Ml,
    version: Option<Version>,
) {
    let Some(runtime) = ml.runtime(version) else {
        suit.mind("the operators of this firmware's runtime are not known");
        return;
    };
    // What a compiler left is for the processor it was compiled for; `forms` looked at that.
    let npu = |name: &str| name == "ethos-u";
    let used = model.used();
    let names = used.iter().map(|(code, _)| code.name.as_str());
    let mut missing: Vec<String> = names
        .filter(|name| !runtime.has(name) && !npu(name))
        .map(str::to_owned)
        .collect();
    missing.dedup();
    suit.missing = missing;
    if !suit.missing.is_empty() {
        suit.refuse(Refusal::NoOperator {
            file: file.to_owned(),
            operators: suit.missing.join(", "),
            board: suit.board.clone(),
        });
    }
}

/// Whether the runtime computes with such numbers.
fn numbers(suit: &mut Suit, file: &str, model: &Model<'_>, backend: Backend) {
    let Some(graph) = model.main() else { return };
    let not_valid = |why: String| Refusal::NotAModel {
        file: file.to_owned(),
        why,
    };
    if model.version != tflite::SCHEMA {
        let why = format!("its schema is version {}, cameras take 3", model.version);
        suit.refuse(not_valid(why));
    }
    let ends = || graph.inputs.iter().chain(&graph.outputs);
    let kinds = ends().filter_map(|index| graph.tensors.get(*index));
    let kinds: Vec<Kind> = kinds.map(|tensor| tensor.kind).collect();
    let takes = |kind: &Kind| match kind {
        Kind::Uint8 | Kind::Int8 | Kind::Float32 => true,
        Kind::Int16 | Kind::Uint16 => backend == Backend::Tflm,
        _ => false,
    };
    if let Some(kind) = kinds.iter().find(|kind| !takes(kind)) {
        let why = format!("the camera takes no inputs or outputs of type {kind}");
        suit.refuse(not_valid(why));
    }
    if backend == Backend::Libtf && (graph.inputs.len() != 1 || graph.outputs.len() != 1) {
        let why = "firmware before 4.5.6 takes one input and one output".to_owned();
        suit.refuse(not_valid(why));
    }
    let of_inputs = graph.inputs.iter().filter_map(|at| graph.tensors.get(*at));
    let wide = |kind: Kind| matches!(kind, Kind::Int16 | Kind::Uint16);
    if of_inputs.map(|tensor| tensor.kind).any(wide) && takes(&Kind::Int16) {
        suit.mind(
            "its inputs have 16 bits: a picture raises ValueError, scripts have to give arrays",
        );
    }
    if hybrid(model) {
        let why = "it has whole-number weights and floating-point activations, which cameras do not compute: export it with all of it quantised";
        suit.refuse(not_valid(why.to_owned()));
    } else if kinds.iter().all(|kind| *kind == Kind::Float32) && !kinds.is_empty() {
        suit.mind(
            "it computes in floating point: that runs, but slowly; int8 is several times faster",
        );
    }
}

/// Weights of 8 bits that are multiplied with floating point.
fn hybrid(model: &Model<'_>) -> bool {
    model.graphs.iter().any(|graph| {
        graph.operators.iter().any(|operator| {
            let name = model.code(operator).map(|code| code.name.as_str());
            let weighs = matches!(
                name,
                Some("CONV_2D" | "DEPTHWISE_CONV_2D" | "FULLY_CONNECTED" | "TRANSPOSE_CONV")
            );
            let kind = |index: &Option<usize>| Some(graph.tensors.get((*index)?)?.kind);
            let mut kinds = operator.inputs.iter().take(3).filter_map(kind);
            let all: Vec<_> = kinds.by_ref().collect();
            weighs && all.contains(&Kind::Float32) && all.contains(&Kind::Int8)
        })
    })
}

fn memory(suit: &mut Suit, file: &str, bytes: u64, peak: u64) {
    let of = |suit: &Suit, wanted: fn(&Place) -> bool| {
        let sizes = suit.places.iter().filter(|place| wanted(place));
        sizes.map(|place| place.size).max().unwrap_or(0)
    };
    if !suit.places.iter().any(|place| place.arena == Some(true)) {
        let room = of(suit, |place| place.arena.is_some());
        suit.refuse(Refusal::ModelTooLarge {
            file: file.to_owned(),
            board: suit.board.clone(),
            what: "activations".to_owned(),
            needs: peak,
            room,
        });
    }
    if !suit.places.iter().any(|place| place.file) {
        let room = of(suit, |_| true);
        suit.refuse(Refusal::ModelTooLarge {
            file: file.to_owned(),
            board: suit.board.clone(),
            what: "file".to_owned(),
            needs: bytes,
            room,
        });
    }
}
