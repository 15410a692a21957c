//! What a board's firmware has for neural networks: memory, and the operators of its runtime.
//!
//! Memory differs from board to board and is part of a board's file; operators come with the
//! runtime, which is the same on all boards of a release, and stand in `runtimes.toml`.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::{Board, Version};

const RUNTIMES: &str = include_str!("../runtimes.toml");

/// The library that runs networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// OpenMV's library of the time of the module `tf`. The arena is taken from the frame
    /// buffer's stack.
    Libtf,
    /// TensorFlow Lite Micro. The arena is one block of the garbage-collected heap.
    Tflm,
    /// ST's runtime for its neural processor: takes networks compiled by ST Edge AI only.
    Stai,
}

/// Whose compiler makes networks for a board's neural processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// Arm's Vela. What is not compiled runs on the processor core.
    Vela,
    /// ST Edge AI. What is not compiled does not run.
    StEdgeAi,
}

/// A board's memory for networks, from one release on. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ml {
    /// First release.
    pub since: Version,
    /// What runs networks.
    pub backend: Backend,
    /// Compiler of its neural processor; none: it has none.
    pub compiler: Option<Compiler>,
    /// Blocks of the garbage-collected heap. One allocation lies in one block.
    pub heap: Vec<u64>,
    /// Memory outside of the heap.
    pub pools: Vec<Pool>,
}

/// Memory outside of the heap.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// What it is called.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// How much of it is left whatever the frame size; none: all of it is shared with frames.
    pub sure: Option<u64>,
}

/// The operators of a runtime, over some releases.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// Which library.
    pub backend: Backend,
    /// First release.
    pub since: Version,
    /// Last release; none: still.
    pub until: Option<Version>,
    /// Where the list comes from.
    pub source: String,
    /// Names as in the schema of TensorFlow Lite; those of custom operators as registered.
    pub operators: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runtimes {
    runtime: Vec<Runtime>,
}

/// Every runtime, by backend and release.
///
/// # Panics
/// When the embedded file is broken, which the tests of this crate exclude.
#[must_use]
pub fn runtimes() -> &'static [Runtime] {
    static ALL: OnceLock<Vec<Runtime>> = OnceLock::new();
    ALL.get_or_init(|| {
        let parsed = toml::from_str::<Runtimes>(RUNTIMES);
        parsed
            .unwrap_or_else(|error| panic!("runtimes.toml: {error}"))
            .runtime
    })
}

impl Board {
    /// The memory for networks in a release; none: it runs none, or nothing is known of a release
    /// as old as that. Without a release, the newest.
    #[must_use]
    pub fn ml_at(&self, version: Option<Version>) -> Option<&Ml> {
        let fits = |ml: &&Ml| version.is_none_or(|version| ml.since <= version);
        self.ml.iter().rfind(fits)
    }
}

impl Ml {
    /// The runtime of a release, where its operators are known; without a release, the newest.
    #[must_use]
    pub fn runtime(&self, version: Option<Version>) -> Option<&'static Runtime> {
        let fits = |runtime: &&Runtime| {
            let begun = version.is_none_or(|version| runtime.since <= version);
            let ended = match (version, runtime.until) {
                (Some(version), Some(until)) => until < version,
                (None, Some(_)) => true,
                _ => false,
            };
            runtime.backend == self.backend && begun && !ended
        };
        runtimes().iter().rfind(fits)
    }
}

impl Runtime {
    /// Whether it has an operator.
    #[must_use]
    pub fn has(&self, operator: &str) -> bool {
        self.operators.iter().any(|known| known == operator)
    }
}
