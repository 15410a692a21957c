//! Every board, in every state it can be in, under every command.

mod bench;
mod table;
