//! Virtual cameras whose firmware runs, driven over their console in virtual time.

mod common;
mod old;
mod plain;
