//! `flash-image`: a file that is written where it says itself, and the command line.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost.py `flash_image`, spsdk/utils/binary_image.py.

use std::path::Path;

use omv_wire::mboot::{Command, status};

use super::records::{self, Format, Segment};
use super::session::Session;
use super::work::{clamp, word};
use crate::dropin::files;
use crate::dropin::grammar::Given;
use crate::dropin::python::int;
use crate::dropin::stop::Stop;

/// What erased ranges are rounded to, in bytes.
const ALIGNMENT: u32 = 1024;

/// What the bar of each segment says.
const LABEL: &str = "Writing segment";

/// Erases, if asked to, and writes a file; the offset is added to its addresses.
pub fn flash_image(session: &mut Session, given: &Given) -> Result<(), Stop> {
    let wrong = |text: &str| Stop::error("SPSDKError", format!("SPSDK: {text}"));
    let path = given.text("FILE").unwrap_or_default();
    if !Path::new(path).is_file() {
        return Err(wrong("The image file does not exist"));
    }
    let erase = given.text("[ERASE]").unwrap_or_default();
    let mut memory = match erase {
        "erase" | "none" => 0,
        other => int(other, 0).ok_or_else(|| {
            wrong(
                "The option for erasing was not declared properly. Choose from 'erase' or 'none'.",
            )
        })?,
    };
    if given.number("[MEMORY_ID]") != 0 {
        memory = given.number("[MEMORY_ID]");
    }
    let segments = segments(&files::read(path)?).map_err(|why| wrong(&why))?;
    let base = given.number("base-offset");
    let place = |segment: &Segment| {
        let start = word(base.saturating_add(segment.start.into()))?;
        Ok::<_, Stop>((start, word(segment.data.len() as i128)?))
    };
    for segment in segments.iter().filter(|_| erase == "erase") {
        let (start, size) = place(segment)?;
        let first = start / ALIGNMENT * ALIGNMENT;
        let end = u64::from(start) + u64::from(size);
        let last = end.next_multiple_of(ALIGNMENT.into());
        let length = word(i128::from(last - u64::from(first)))?;
        let memory = clamp(session, memory)?;
        let reply = session.simple(Command::flash_erase_region(first, length, memory))?;
        if reply.status != status::SUCCESS {
            return session.show("flash-image", reply.status, &[], None);
        }
    }
    for segment in &segments {
        let (start, size) = place(segment)?;
        session.find_packet_size()?;
        let memory = clamp(session, memory)?;
        let command = Command::write_memory(start, size, memory);
        let reply = session.send(command, &segment.data, Some(LABEL))?;
        session.show("flash-image", reply.status, &[], None)?;
    }
    Ok(())
}

/// What is written where; a plain file is one piece at 0.
fn segments(file: &[u8]) -> Result<Vec<Segment>, String> {
    match records::format(file) {
        Format::Other(name) => Err(format!(
            "{name} files are not supported by this program: make it a binary."
        )),
        Format::Binary => Ok(vec![Segment {
            start: 0,
            data: file.to_vec(),
        }]),
        format => records::read(format, file).map_err(|why| format!("Error loading file: {why}")),
    }
}
