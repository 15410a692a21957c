//! Data and files on the command line.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/utils/utils.py `parse_hex_data` and `parse_file_and_size`.

use std::fs;
use std::io;

use super::grammar::words_of;
use super::print;
use super::python::{int, repr};
use super::stop::Stop;

/// Reads `{{hex}}`, `[[hex]]`, `FILE` or `FILE,COUNT`.
pub fn source(text: &str) -> Result<Vec<u8>, Stop> {
    match hex(text) {
        Some(bytes) => Ok(bytes),
        None => source_file(text),
    }
}

/// Reads `FILE` or `FILE,COUNT`.
pub fn source_file(text: &str) -> Result<Vec<u8>, Stop> {
    let (path, count) = file_and_size(text)?;
    let mut bytes = read(path)?;
    if let Ok(count) = usize::try_from(count) {
        bytes.truncate(count);
    }
    Ok(bytes)
}

/// Bytes between double braces or brackets; an odd last digit is a byte of its own.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.replace(' ', "");
    let opens = text.starts_with("{{") || text.starts_with("[[");
    let closes = text.ends_with("}}") || text.ends_with("]]");
    if !opens || !closes {
        return None;
    }
    let mut digits = text;
    for mark in ["{{", "}}", "[[", "]]"] {
        digits = digits.replace(mark, "");
    }
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

/// Takes `FILE,COUNT` apart; the count is -1 where there is none.
pub fn file_and_size(text: &str) -> Result<(&str, i128), Stop> {
    let Some((path, count)) = text.split_once(',') else {
        return Ok((text, -1));
    };
    if count.contains(',') {
        let text = "too many values to unpack (expected 2)";
        return Err(Stop::general("ValueError", text));
    }
    let count = int(count, 0).ok_or_else(|| {
        let text = format!("invalid literal for int() with base 0: {}", repr(count));
        Stop::general("ValueError", text)
    })?;
    Ok((path, count))
}

/// Reads a file, late: the error is one the tool did not expect.
pub fn read(path: &str) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| unexpected(path, &error))
}

fn unexpected(path: &str, error: &io::Error) -> Stop {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::IsADirectory => "IsADirectoryError",
        _ => "OSError",
    };
    let number = error.raw_os_error().unwrap_or_default();
    let text = format!("[Errno {number}] {}: {}", words_of(error), repr(path));
    Stop::general(kind, text)
}

/// Writes what a command read; `-` is standard output.
pub fn write(path: &str, bytes: &[u8]) -> Result<(), Stop> {
    if path == "-" {
        return print::bytes(bytes);
    }
    fs::write(path, bytes).map_err(|error| {
        let (path, why) = (repr(path), words_of(&error));
        Stop::File(format!("Could not open file {path}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_data_may_have_spaces_and_an_odd_digit() {
        assert_eq!(hex("{{11 22 3}}"), Some(vec![0x11, 0x22, 0x03]));
        assert_eq!(hex("[[aB]]"), Some(vec![0xAB]));
        for text in ["{{}}", "{{1G}}", "{11}", "11", "{{11"] {
            assert_eq!(hex(text), None, "{text}");
        }
    }

    #[test]
    fn a_count_follows_a_comma() {
        assert_eq!(file_and_size("a.bin,0x10").unwrap(), ("a.bin", 16));
        assert_eq!(file_and_size("a.bin").unwrap(), ("a.bin", -1));
        assert!(file_and_size("a,b,c").is_err());
        assert!(file_and_size("a,b").is_err());
    }
}
