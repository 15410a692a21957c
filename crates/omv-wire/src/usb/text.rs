//! String descriptors: UTF-16, little endian, at most 126 units each.

use super::kind;
use crate::Malformed;

/// Most UTF-16 units a string descriptor holds: `bLength` is one byte and counts two of its own.
const MAX_UNITS: usize = 126;

/// Writes `bLength, 3, units u16 LE`: the body of string descriptors and of the language list.
fn encode_units(units: &[u16]) -> Result<Vec<u8>, Malformed> {
    let too_long = Malformed::Field {
        field: "bLength",
        value: 2 + 2 * units.len() as u64,
    };
    if units.len() > MAX_UNITS {
        return Err(too_long);
    }
    let length = u8::try_from(2 + 2 * units.len()).map_err(|_| too_long)?;
    let mut bytes = vec![length, kind::STRING];
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    Ok(bytes)
}

/// Reads the units of a string descriptor or language list.
///
/// Accepts fewer bytes than `bLength` says: the ROM of the STM32F4 claims more than it sends. An
/// odd last byte is dropped for the same reason.
fn decode_units(bytes: &[u8]) -> Result<Vec<u16>, Malformed> {
    let &[length, found, ref rest @ ..] = bytes else {
        return Err(Malformed::Short {
            need: 2,
            got: bytes.len(),
        });
    };
    if found != kind::STRING {
        return Err(Malformed::Field {
            field: "bDescriptorType",
            value: found.into(),
        });
    }
    let Some(claimed) = usize::from(length).checked_sub(2) else {
        return Err(Malformed::Field {
            field: "bLength",
            value: length.into(),
        });
    };
    let body = rest.get(..claimed).unwrap_or(rest);
    let (units, _odd) = body.as_chunks::<2>();
    Ok(units.iter().map(|unit| u16::from_le_bytes(*unit)).collect())
}

/// Writes a string descriptor: `bLength u8 | 3 | UTF-16LE`.
///
/// # Errors
/// [`Malformed::Field`] when the text needs more than 126 UTF-16 units.
///
/// Source: USB 2.0 table 9-16.
pub fn encode_string(text: &str) -> Result<Vec<u8>, Malformed> {
    encode_units(&text.encode_utf16().collect::<Vec<_>>())
}

/// Reads a string descriptor. Halves of surrogate pairs become the replacement character; the
/// text is the device's own and may hold control characters.
///
/// # Errors
/// [`Malformed`] when it is no string descriptor at all. One that is cut short is read as far as
/// it goes.
///
/// Source: USB 2.0 table 9-16.
pub fn decode_string(bytes: &[u8]) -> Result<String, Malformed> {
    Ok(String::from_utf16_lossy(&decode_units(bytes)?))
}

/// Writes string descriptor 0, the list of languages; 0x0409 is US English.
///
/// # Errors
/// [`Malformed::Field`] for more than 126 languages.
///
/// Source: USB 2.0 table 9-15.
pub fn encode_languages(languages: &[u16]) -> Result<Vec<u8>, Malformed> {
    encode_units(languages)
}

/// Reads string descriptor 0.
///
/// # Errors
/// As [`decode_string`].
pub fn decode_languages(bytes: &[u8]) -> Result<Vec<u16>, Malformed> {
    decode_units(bytes)
}
