//! Images, plans and refusals.

mod archives;
mod boards;
mod common;
mod dfu_files;
mod models;
mod plans;
mod refusals;
