//! The files of the boards, and what is made of them.

mod board_files;
mod embedded_boards;
mod flash_maps;
mod models;
mod serials;
