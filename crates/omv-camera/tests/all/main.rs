//! The library against virtual cameras, in virtual time.

#[path = "../bench/mod.rs"]
mod bench;
mod bounded;
mod dfu_trouble;
mod disk_test;
mod doctor;
mod doctor_start;
mod errors;
mod every_board;
mod examine;
mod flash;
mod frames;
mod pair;
mod recover;
mod regions;
mod report_replayed;
mod save_cuts;
mod save_on_camera;
mod starts;
mod trouble;
