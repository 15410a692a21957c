//! Virtual OpenMV cameras: real flash maps, real protocols, real ways to die.
//!
//! ```text
//!   hands (plug, wire, power cut) --> Camera: what it is now, and what happens by itself
//!                                        |  face(): descriptors, requests, endpoints
//!                                      Port: enumeration, queues, pacing
//!                                      /    \
//!                        VirtualBus (this       served over USB/IP to `omv`,
//!                        process, virtual time)  the Linux kernel, anything
//! ```
//!
//! Start with [`rt1062`], then [`dfu`], which is all other boards. A camera boots what is in its flash, so a host that leaves it half
//! written finds out the way its owner would.
//!
//! Deliberately absent: `omv-camera`, `omv-plan` and `omv-fat`. A mistake made there must not be
//! repeated here.

mod bus;
mod camera;
mod chapter9;
pub mod dfu;
pub mod disk;
pub mod engine;
mod face;
mod image;
pub mod infer;
mod mass;
pub mod medium;
pub mod nor;
pub mod picture;
mod port;
pub mod rt1062;
pub mod run;
pub mod running;
pub mod scene;
mod seal;
pub mod serve;
pub mod state;
mod talker;

pub use bus::VirtualBus;
pub use camera::{Camera, Hand, Status};
pub use face::Face;
pub use port::{Port, Ticket};
pub use running::Setup;

use sha2::{Digest, Sha256};

/// Lower-case hex SHA-256.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
