//! Virtual cameras in virtual time.

mod dfu_boards;
mod dfu_hosts;
mod infer;
mod measuring;
mod rt1062_memory;
mod rt1062_sbl;
mod running;
mod spsdk_recorded;
