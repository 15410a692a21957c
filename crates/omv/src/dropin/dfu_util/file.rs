//! The file to be written: content and suffix.
//!
//! Source: dfu-util 0.11, src/dfu_file.c `dfu_load_file`.

use std::fs::File;
use std::io::{self, Read};

use omv_wire::Malformed;
use omv_wire::dfu::Suffix;

use super::code;
use super::lines::Say;
use super::options::Given;
use crate::dropin::stop::Stop;

/// Most bytes of a file: twice the largest memory of any camera, and a pipe must not fill this
/// machine.
const LIMIT: u64 = 128 << 20;

/// A file in memory.
pub struct Content {
    /// All of it, the suffix included: what reads `.dfu` files wants it.
    pub whole: Vec<u8>,
    /// What is for the device.
    pub data: Vec<u8>,
    /// What it says about itself.
    pub suffix: Option<Suffix>,
}

/// Reads the file that `-D` names.
pub fn load(given: &Given, say: &mut Say<'_>) -> Result<Content, Stop> {
    let path = &given.file;
    let mut whole = Vec::new();
    let read = match path.as_str() {
        "-" => io::stdin().lock().take(LIMIT + 1).read_to_end(&mut whole),
        _ => File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut whole)),
    };
    if let Err(error) = read {
        let why = crate::dropin::grammar::words_of(&error);
        let text = format!("Could not open file {path} for reading: {why}");
        return Err(say.stop(code::NO_INPUT, &text));
    }
    if whole.len() as u64 > LIMIT {
        return Err(say.stop(code::DATA, "File size is too big"));
    }
    if path == "-" && say.verbose > 0 {
        say.line(&format!("Read {} bytes from stdin", whole.len()));
    }
    let (data, suffix) = match Suffix::split(&whole) {
        Ok((data, suffix)) => (data.to_vec(), suffix),
        Err(Malformed::Checksum { .. }) => {
            say.warn("DFU suffix CRC does not match");
            let text = "The file is damaged: nothing of it was written";
            return Err(say.stop(code::DATA, text));
        }
        Err(_) => {
            let text = "Unsupported DFU suffix length";
            return Err(say.stop(code::DATA, text));
        }
    };
    match &suffix {
        Some(suffix) if say.verbose > 0 => {
            say.line(&format!("DFU suffix version {:x}", suffix.version));
        }
        Some(_) => {}
        None => {
            let why = match whole.len() < Suffix::LEN {
                true => "File too short for DFU suffix",
                false => "Invalid DFU suffix signature",
            };
            say.warn(&format!("Warning: {why}"));
            say.warn("A valid DFU suffix will be required in a future dfu-util release");
        }
    }
    Ok(Content {
        data,
        suffix,
        whole,
    })
}

impl Content {
    /// Whether it is a DfuSe file, with addresses inside.
    pub fn is_dfuse(&self) -> bool {
        let is_one = |suffix: Suffix| suffix.version == Suffix::DFUSE;
        self.suffix.is_some_and(is_one)
    }

    /// Looks for the device the file is for, unless the command line says which.
    pub fn match_ids(&self, given: &mut Given, say: &mut Say<'_>) {
        let Some(suffix) = self.suffix else {
            return;
        };
        if let (None, Some(vendor)) = (given.runtime.vendor, suffix.vendor) {
            given.runtime.vendor = Some(vendor.into());
            say.line(&format!("Match vendor ID from file: {vendor:04x}"));
        }
        if let (None, Some(product)) = (given.runtime.product, suffix.product) {
            given.runtime.product = Some(product.into());
            say.line(&format!("Match product ID from file: {product:04x}"));
        }
    }

    /// Refuses a device the file is not for.
    pub fn must_fit(
        &self,
        given: &Given,
        (vid, pid): (u16, u16),
        say: &mut Say<'_>,
    ) -> Result<(), Stop> {
        match self.suffix {
            Some(suffix) if !suffix.is_for(vid, pid) => {
                let any = |id: Option<u16>| id.unwrap_or(u16::MAX);
                let runtime = |id: Option<u32>, own: u16| id.map_or(own, |id| id as u16);
                let text = format!(
                    "Error: File ID {:04x}:{:04x} does not match device ({:04x}:{:04x} or {vid:04x}:{pid:04x})",
                    any(suffix.vendor),
                    any(suffix.product),
                    runtime(given.runtime.vendor, vid),
                    runtime(given.runtime.product, pid),
                );
                Err(say.stop(code::USAGE, &text))
            }
            _ => Ok(()),
        }
    }
}
