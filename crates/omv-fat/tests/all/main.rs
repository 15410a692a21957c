//! Volumes in memory.

mod formatted;
mod noise;
mod stored;
