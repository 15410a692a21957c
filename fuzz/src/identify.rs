//! The question who is there, asked in both protocols of a running camera.

use omv_wire::identify::Identify;

use crate::script::{Limits, Script, Stage};
use crate::v2::FRAME;

/// A port that may carry either protocol, or anything else.
pub fn identify(bytes: &[u8]) {
    let limits = Limits {
        frames: 64,
        frame: FRAME,
    };
    let mut stage = Stage::new(Identify::new(), limits);
    stage.play(Script::new(bytes));
    stage.must_end();
}
