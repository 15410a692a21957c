//! What the power-cut matrix is made of: jobs, moments to cut, the owner, the table.
//!
//! ```text
//!   Job --uncut run--> Span* --moments--> Cut* --suffer--> Case* --> one line of the table
//! ```

mod job;
mod moments;
mod owner;
mod table;

pub use job::{Job, Size, attempt};
pub use moments::{Cut, Dice, Span, measure, moments, spread};
pub use owner::{Case, arrived, suffer, suffer_twice};
pub use table::{Line, all};

/// First address of the sector whose reset vector opens the bootloader's window.
pub const VECTORS: u32 = 0x6004_2000;
