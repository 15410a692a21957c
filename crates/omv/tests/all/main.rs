//! The program as its users run it.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod doctor;
mod dropin_usb;
mod files;
mod report;
mod romfs;
mod story;
mod vendors;
mod virtual_cameras;
