//! Source text, beside what other readers of it say.

mod cpython;
mod grammar;
mod mpy_cross;
mod page;
