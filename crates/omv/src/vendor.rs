//! The chip makers' own programs, for the two boards whose ROM only they speak to. Found on this
//! machine, never bundled.

use omv_camera::Error;
use omv_plan::{Image, Maker};

use crate::output::Output;

/// Has the maker's program write the bootloader.
pub fn write(
    maker: Maker,
    _bootloader: &Image,
    _table: Option<&Image>,
    _output: &Output,
) -> Result<(), Error> {
    Err(Error::Vendor {
        program: maker.title().to_owned(),
        why: "it is not driven yet".into(),
    })
}
