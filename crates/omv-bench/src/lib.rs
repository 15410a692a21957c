//! Measuring cameras: the script that measures, the numbers it prints, the energy a meter saw.
//!
//! ```text
//!   Wish --script--> Python, run on a camera --lines--> Reader --> Run: identity, cells, samples
//!   meter or CSV --> Wave --energy(Wave, marks of the run)--> mJ for each inference, or a refusal
//!   Run + Run --compare--> better, worse or the same, each with its significance
//! ```
//!
//! A number is either measured by a camera or marked `simulated`; there is nothing in between,
//! and [`Run`] carries the mark into every table, page and file made from it.
//!
//! Deliberately absent: cameras, sockets, files and clocks. Whoever runs the script hands in its
//! lines; whoever reads a meter hands in its samples.

mod compare;
mod error;
mod page;
pub mod power;
mod run;
mod script;
mod stats;
mod table;

pub use compare::{Comparison, Verdict, compare};
pub use error::Error;
pub use page::{escaped, html, svg};
pub use run::{Cell, Loaded, Marks, Reader, Run};
pub use script::{Size, Window, Wish, script};
pub use stats::Summary;
pub use table::{csv, table};
