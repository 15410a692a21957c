//! What executes scripts on a virtual camera.
//!
//! ```text
//!   start(source) --> run(slice of time) --> Ran::Until(t) ... run ... --> Ran::Ended(outcome)
//!                          ^    |  prints, frames, files: through the engine's own bench
//!      interrupt(), stdin -+    v
//! ```
//!
//! An engine has a clock of its own, the camera's: computing takes camera time, and so does
//! sleeping. Two engines that were told the same in the same order say the same, byte for byte.

pub mod micropython;
pub mod models;
mod modules;
pub mod pictures;
mod plain;

use std::time::Duration;

pub use plain::Plain;

/// What is executed, and how it is called in tracebacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// `<stdin>` for a script that came over the protocol, `main.py`.
    pub name: String,
    /// Python, as it came.
    pub source: Vec<u8>,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By itself.
    Done,
    /// With an exception; its text is already on stdout.
    Raised(String),
    /// It asked for a reset of the chip.
    Reset,
    /// It asked for the bootloader.
    Bootloader,
    /// It asked for deep sleep, for this long; `None` for ever.
    Sleep(Option<Duration>),
}

/// What came of running for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It goes on at this moment of the camera's clock: it computes, sleeps or waits for a frame.
    Until(Duration),
    /// It is over.
    Ended(Outcome),
}

/// Executes one script at a time.
pub trait Engine: Send {
    /// Begins with a script; whatever ran before is forgotten, as after a soft reset.
    fn start(&mut self, now: Duration, script: Script);

    /// Lets the script run up to `now`, and says when it wants to run again. A call may do less
    /// than asked; then the moment it names is `now`.
    fn run(&mut self, now: Duration) -> Ran;

    /// Raises `KeyboardInterrupt` in the script.
    fn interrupt(&mut self);

    /// Bytes for the script's stdin.
    fn input(&mut self, bytes: &[u8]);

    /// One sentence on what executes scripts here, for people.
    fn describe(&self) -> String;
}
