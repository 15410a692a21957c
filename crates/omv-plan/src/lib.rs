//! What is in a firmware file, and the steps that put it on a camera. Pure: no device, no disk,
//! no clock.
//!
//! ```text
//!   Source (file, zip, folder) --choose--> Image --check--> Finding*      "is this for this board?"
//!   board + state + images + wish --flash / recover / ...--> Plan | Refusal
//! ```
//!
//! A [`Plan`] is the truth: the dry run prints it, consent is asked for its worst [`Risk`],
//! progress follows its steps, and the one executor (`omv-camera`) runs it. Nothing else decides
//! what happens to a camera. Interrupted work is never resumed from a file: look at the camera
//! again, plan again.
//!
//! Start with [`flash`]; [`step`] has the vocabulary.
//!
//! Deliberately absent: anything that can fail for another reason than its arguments.

mod check;
mod dfu;
mod dfu_file;
mod equivalent;
mod flash;
mod image;
mod mboot;
pub mod model;
mod refusal;
mod region;
mod road;
mod source;
pub mod step;
mod units;
mod words;

pub use check::{Finding, Severity, check};
pub use flash::{Order, Wish, flash, recover};
pub use image::{Contents, Image, Part, inspect, sha256};
pub use refusal::Refusal;
pub use region::{erase_disk, restart, restore, save};
pub use road::last_resort;
pub use source::{Bytes, Source, ZipSource, choose, loader};
pub use step::{Job, Knock, Plan, Risk, Step, StepInfo};
pub use units::units;
