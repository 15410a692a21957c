//! One file a command, each over one or two functions of the library.

pub mod disk;
pub mod doctor;
pub mod files;
pub mod flash;
pub mod info;
pub mod list;
pub mod model;
pub mod paper;
pub mod recover;
pub mod region;
pub mod reset;
pub mod romfs;
pub mod sim;
mod wizard;
mod work;
