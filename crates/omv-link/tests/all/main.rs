//! Links and buses that are made up or played back, in virtual time, and what stands around them.

mod common;
mod fault;
mod health;
mod hold;
mod record;
