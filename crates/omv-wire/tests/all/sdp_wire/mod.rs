//! The serial download protocol from both ends: vectors, faults, and bytes from a stranger.

mod exchanges;
mod hostile;
use crate::mboot_wire::pair;
mod rom;
