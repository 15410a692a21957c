//! DFU and DfuSe from both ends: vectors, devices, and bytes from a stranger.

mod chip;
mod descriptions;
mod descriptors;
mod dfuse_device;
mod dfuse_pair;
mod files;
mod hostile;
mod layouts;
mod pair;
mod plain_device;
mod plain_pair;
mod steps;
