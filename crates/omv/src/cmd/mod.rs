//! One file a command, each over one or two functions of the library.

pub mod bench;
pub mod capture;
pub mod channel;
pub mod console;
pub mod disk;
pub mod doctor;
pub mod files;
pub mod flash;
pub mod info;
pub mod list;
pub mod live;
pub mod model;
pub mod paper;
pub mod profile;
pub mod recover;
pub mod region;
pub mod reset;
pub mod romfs;
pub mod run;
pub mod seeing;
pub mod serve;
pub mod sim;
pub mod snap;
pub mod view;
mod wizard;
mod work;
