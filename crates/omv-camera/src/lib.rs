//! Find, flash and recover OpenMV cameras: the library.
//!
//! ```text
//!   find(buses) --> Found --look--> Looked: which board, which state, which firmware
//!                                      |
//!                   omv_plan::flash / recover / ... --> Plan
//!                                      |
//!                             run(plan) --Event*--> Outcome
//! ```
//!
//! Start with [`find`], then [`look`], then [`run`](fn@run); or, with a camera that runs,
//! [`session::Session`]. Nothing here prints, asks or exits,
//! and nothing here knows whether a camera is real: a door hands in the buses.
//!
//! Deliberately absent: the simulator (outside tests), decisions about what to do (that is
//! `omv-plan`), and any wait without an end.

pub mod disk;
pub mod doctor;
mod error;
mod event;
pub mod files;
mod find;
mod frame;
mod look;
mod programmer;
mod run;
pub mod session;
mod wait;

pub use error::Error;
pub use event::Event;
pub use find::{Found, find, select};
pub use frame::{Bayer, Frame, FrameError, PixelFormat, Rgb};
pub use look::{Looked, look, reset};
pub use omv_wire::identify::{Generation, Who, uid_text};
pub use programmer::Loader;
pub use run::{Context, Outcome, RegionReport, Vendor, run};
pub use wait::{Stop, wait_for_camera};
