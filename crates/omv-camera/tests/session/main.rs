//! A running camera held open, on cameras in virtual time.

#[path = "../acting/mod.rs"]
mod acting;
mod idle;
mod noise;
mod old;
mod python;
mod scripts;
