//! Virtual cameras whose firmware runs, driven over their console in virtual time.

mod common;
mod eras;
mod interpreter;
mod networks;
mod old;
mod plain;
