//! Virtual cameras that are served, over TCP and in real time.

mod camera;
mod common;
mod hostile;
mod life;
mod uart;
