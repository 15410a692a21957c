//! DFU and DfuSe from both ends: vectors, devices, and bytes from a stranger.

mod chip;
mod descriptors;
mod layouts;
mod plain_device;
