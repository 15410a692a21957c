//! Files on a camera's disk: saved so that what is saved is really there.
//!
//! ```text
//!   mend what an earlier save left -> plan -> note the plan down -> content -> read it twice
//!     -> table -> read -> directory (the one step that counts) -> read -> old content is free
//!     -> read the file by its name -> forget the plan
//! ```
//!
//! Everything is read back twice with something else in between: firmware that hides a card's
//! errors sends what it sent before, and that must not be the right answer by chance.
//!
//! A card is written by the camera itself where it executes scripts ([`save_on_camera`]): its view is
//! the one that will boot. Its internal disk is written from here, because a sector of its one table
//! that a cut tears can only be put right with the note.
//!
//! The plan is noted down first ([`Notebook`]) because a flash without a file system's copies can
//! lose its only table to a power cut in the middle of a sector. The next command that touches
//! the disk finds the note and puts the sector right.

mod camera;
mod finish;
mod save;
mod sectors;

pub use camera::{OnCamera, save_on_camera, save_on_camera_in};
pub use finish::{Finished, finish, leftovers};
pub use save::{
    Kept, Memory as MemoryNotebook, Notebook, SaveError, Saved, change, differs, mend, save,
};
pub use sectors::BlockSectors;
