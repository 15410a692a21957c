//! DFU and DfuSe from both ends: vectors, devices, and bytes from a stranger.

mod chip;
mod descriptors;
mod dfuse_device;
mod layouts;
mod plain_device;
