//! The serial download protocol from both ends: vectors, faults, and bytes from a stranger.

mod exchanges;
mod hostile;
#[path = "../mboot_wire/pair.rs"]
mod pair;
mod rom;
