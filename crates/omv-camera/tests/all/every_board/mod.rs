//! Every board, in every state it can be in, under every command.

pub mod bench;
mod table;
