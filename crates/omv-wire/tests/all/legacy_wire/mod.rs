//! OpenMV's serial bootloader: bytes from the tagged sources, both ends alone and together.

mod board;
mod codec;
mod pair;
