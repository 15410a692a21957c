//! FAT12, FAT16, FAT32 and exFAT, as a camera and as a PC see them: what is wrong, what repairs
//! it without losing anything, what can still be copied out. Pure: no file, no device, no clock.
//!
//! ```text
//!   Sectors (a card, an image, a link) --check--> Report of Finding*
//!        |                                            |  each with its Edits
//!        |<----- Work: ordered sector writes <--repair-- (on an Overlay, nothing written)
//!        |                                     \--rescue--> files, from the repaired Overlay
//! ```
//!
//! Start with [`Sectors`], which is all that somebody who has blocks to offer implements; then
//! read [`Kind`], the table of everything that can be found. A repair is planned by repairing a
//! copy in memory and checking it again, so the plan is known to work before a sector is written.
//!
//! Every number on a volume is taken for a lie until it was checked: walks are bounded by bitmaps
//! of the clusters, nothing recurses, and memory follows the number of clusters, not their size.
//!
//! Deliberately absent: cameras (the rules of the file system in their firmware are in
//! [`Layer::Camera`]), mounted file systems, threads.

mod bits;
mod boot;
mod bytes;
mod check;
mod disk;
mod edit;
mod error;
mod finding;
mod format;
mod kinds;
mod name;
mod partition;
mod read;
mod repair;
mod sectors;
mod store;
mod table;
mod volume;

pub use check::{Options, check};
pub use edit::Edit;
pub use error::Fault;
pub use finding::{Finding, Report, Seen};
pub use format::{Blueprint, Scheme, format};
pub use kinds::{About, Kind, Layer, Loss, Severity};
pub use partition::likely_sector_size;
pub use read::{Entry, Walk, walk};
pub use repair::{Step, Work, repair};
pub use sectors::{Memory, Overlay, Sectors};
pub use store::{
    Change, Phase, Recovery, Refusal, SectorWrite, make_folder, remove, room, set_aside, store,
};
pub use volume::{Form, Volume};
