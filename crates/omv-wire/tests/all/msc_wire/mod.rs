//! Mass storage: both ends against each other, against the standard's numbers, against nonsense.

mod codec;
mod disk;
mod hostile;
mod pair;
