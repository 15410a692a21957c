//! What happened during an operation, for whoever cares: bar, JSON line, web page.

use omv_boards::State;
use omv_plan::StepInfo;
use serde::Serialize;

/// One thing that happened. Absolute, never a delta: a lost event harms nothing.
///
/// Order: `Planned`, then `Started`, `Moved`..., `Finished` for each step; a `Failed` ends the
/// steps. `Waiting` and `Note` may come at any time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The steps, before the first one runs.
    Planned {
        /// What will be done, in order.
        steps: Vec<StepInfo>,
        /// What a person should know first.
        warnings: Vec<String>,
    },
    /// A step begins.
    Started {
        /// Its index in the plan.
        step: usize,
    },
    /// How far a step is.
    Moved {
        /// Its index in the plan.
        step: usize,
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Hands are needed; the step goes on by itself once they have done it.
    Hands {
        /// Its index in the plan.
        step: usize,
        /// What to do.
        ask: String,
    },
    /// Nothing to do but wait for a camera to appear, before there is a plan.
    Waiting {
        /// What for.
        ask: String,
    },
    /// Something worth a line.
    Note {
        /// The line.
        text: String,
    },
    /// A camera came, changed or went while watching.
    State {
        /// Where it sits.
        place: String,
        /// What it is now; none when it left.
        state: Option<State>,
    },
    /// A step is done.
    Finished {
        /// Its index in the plan.
        step: usize,
        /// How long it took.
        millis: u64,
        /// What came of it, where that is worth a word.
        outcome: Option<String>,
    },
    /// A step failed; no later one runs.
    Failed {
        /// Its index in the plan.
        step: usize,
        /// Stable name of the error.
        code: &'static str,
    },
}
