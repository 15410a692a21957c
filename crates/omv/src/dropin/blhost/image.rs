//! `flash-image`: a file that is written where the command line says.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost.py `flash_image`, spsdk/utils/binary_image.py.

use std::path::Path;

use omv_wire::mboot::{Command, status};

use super::session::Session;
use super::work::{clamp, word};
use crate::dropin::files;
use crate::dropin::grammar::Given;
use crate::dropin::python::int;
use crate::dropin::stop::Stop;

/// What erased ranges are rounded to, in bytes.
const ALIGNMENT: u32 = 1024;

/// Erases, if asked to, and writes a binary file at the offset.
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
    let data = files::read(path)?;
    if let Some(format) = format_of(&data) {
        let text = format!("{format} files are not supported by this program: make it a binary.");
        return Err(wrong(&text));
    }
    let start = word(given.number("base-offset"))?;
    let size = word(data.len() as i128)?;
    if erase == "erase" {
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
    session.find_packet_size()?;
    let memory = clamp(session, memory)?;
    let command = Command::write_memory(start, size, memory);
    let reply = session.send(command, &data, Some("Writing segment #1"))?;
    session.show("flash-image", reply.status, &[], None)
}

/// The name of a format that carries addresses of its own; none for plain bytes.
fn format_of(data: &[u8]) -> Option<&'static str> {
    let first = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let digits = |from: usize| {
        let line = first.trim_ascii_end();
        line.len() > 10
            && line
                .get(from..)
                .is_some_and(|rest| rest.iter().all(u8::is_ascii_hexdigit))
    };
    match data {
        [0x7F, b'E', b'L', b'F', ..] => Some("ELF"),
        [b':', ..] if digits(1) => Some("Intel HEX"),
        [b'S', b'0'..=b'9', ..] if digits(2) => Some("SREC"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_addresses_of_their_own_are_told_from_plain_ones() {
        assert_eq!(format_of(b"\x7fELF\x01"), Some("ELF"));
        assert_eq!(
            format_of(b":10010000214601360121470136007EFE09D2190140\r\n"),
            Some("Intel HEX")
        );
        assert_eq!(
            format_of(b"S00F000068656C6C6F202020202000003C\n"),
            Some("SREC")
        );
        assert_eq!(format_of(b":-) a text"), None);
        assert_eq!(format_of(&[0, 1, 2]), None);
        assert_eq!(format_of(&[]), None);
    }
}
