//! Files that carry addresses of their own: Intel HEX and Motorola S-records.
//!
//! ```text
//!   :LLAAAATT data CC       HEX: length, address, type, checksum: all bytes add up to 0
//!   STLL address data CC    S-record: type, length of what follows, checksum: they add up to FF
//! ```
//!
//! Source: Intel "Hexadecimal Object File Format Specification", Motorola M68000 family reference,
//! S-record output format; which file is taken for what, and what is said of a bad one: SPSDK
//! 3.12.0, spsdk/utils/binary_image.py `detect_file_format`, and bincopy 20.1.1, which it uses.

/// Bytes of a file that are looked at to tell what it is.
const LOOKED_AT: usize = 4096;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain bytes.
    Binary,
    /// Intel HEX.
    Hex,
    /// Motorola S-records.
    SRecord,
    /// One that this program does not read, by name.
    Other(&'static str),
}

/// Adjoining bytes, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte.
    pub start: u64,
    /// The bytes.
    pub data: Vec<u8>,
}

/// Tells what a file is, by its first bytes or its first line.
pub fn format(file: &[u8]) -> Format {
    match file {
        [0x7F, b'E', b'L', b'F', ..] => return Format::Other("ELF"),
        [0x3A, 0xFF, 0x26, 0xED, ..] => return Format::Other("sparse"),
        _ => {}
    }
    let head = file.get(..LOOKED_AT).unwrap_or(file);
    if !head.is_ascii() {
        return Format::Binary;
    }
    let head = String::from_utf8_lossy(head);
    let line = head.split('\n').next().unwrap_or_default().trim_end();
    match line.as_bytes() {
        [b'S', ..] if s_record(line).is_ok() => Format::SRecord,
        [b':', ..] if hex_record(line).is_ok() => Format::Hex,
        _ => Format::Binary,
    }
}

/// Reads a file with addresses; segments come in ascending order and do not touch.
///
/// # Errors
/// In the words of the library the tool uses.
pub fn read(format: Format, file: &[u8]) -> Result<Vec<Segment>, String> {
    let text = str::from_utf8(file).map_err(|error| error.to_string())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut pieces = Vec::new();
    // Of HEX: what the records of types 2 and 4 add to each address.
    let (mut segment, mut linear) = (0, 0);
    for line in lines {
        let record = match format {
            Format::SRecord => s_record(line)?,
            _ => hex_record(line)?,
        };
        let Record {
            kind,
            address,
            data,
        } = record;
        match (format, kind) {
            (Format::SRecord, b'1' | b'2' | b'3') => pieces.push(Segment {
                start: address,
                data,
            }),
            (Format::SRecord, _) | (_, 1 | 3 | 5) => {}
            (_, 0) => pieces.push(Segment {
                start: address + segment + linear,
                data,
            }),
            (_, 2) => segment = number(&data) << 4,
            (_, 4) => linear = number(&data) << 16,
            _ => {
                return Err(format!(
                    "expected type 1..5 in record {line}, but got {kind}"
                ));
            }
        }
    }
    join(pieces)
}

/// Puts what adjoins together.
fn join(mut pieces: Vec<Segment>) -> Result<Vec<Segment>, String> {
    pieces.sort_by_key(|piece| piece.start);
    let mut joined: Vec<Segment> = Vec::new();
    for piece in pieces.into_iter().filter(|piece| !piece.data.is_empty()) {
        match joined.last_mut() {
            Some(last) if piece.start == last.start + last.data.len() as u64 => {
                last.data.extend(piece.data);
            }
            Some(last) if piece.start < last.start + last.data.len() as u64 => {
                return Err(
                    "data added to a segment must be adjacent to or overlapping with the \
                            original segment data"
                        .to_owned(),
                );
            }
            _ => joined.push(piece),
        }
    }
    Ok(joined)
}

struct Record {
    kind: u8,
    address: u64,
    data: Vec<u8>,
}

/// Bytes as a number, the highest first. No record's number has more than four.
fn number(bytes: &[u8]) -> u64 {
    let bytes = bytes.get(..4).unwrap_or(bytes);
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes(line: &str, from: usize) -> Result<Vec<u8>, String> {
    let digits = line.get(from..).unwrap_or_default();
    let bad = |at: usize| format!("non-hexadecimal number found in fromhex() arg at position {at}");
    let at = digits.find(|c: char| !c.is_ascii_hexdigit());
    if let Some(at) = at {
        return Err(bad(at));
    }
    if digits.len() % 2 == 1 {
        return Err(bad(digits.len()));
    }
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<_>>().ok_or_else(|| bad(0))
}

fn checksum(line: &str, expected: u8, actual: u8) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!(
        "expected crc '{expected:02X}' in record {line}, but got '{actual:02X}'"
    ))
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn hex_record(line: &str) -> Result<Record, String> {
    if line.len() < 11 {
        return Err(format!("record '{line}' too short"));
    }
    if !line.starts_with(':') {
        return Err(format!("record '{line}' not starting with a ':'"));
    }
    let bytes = bytes(line, 1)?;
    let wrong_size = || format!("record '{line}' has wrong size");
    let (&[size, high, low, kind], rest) = bytes.split_first_chunk().ok_or_else(wrong_size)?;
    let (actual, data) = rest.split_last().ok_or_else(wrong_size)?;
    if data.len() != usize::from(size) {
        return Err(wrong_size());
    }
    let covered = bytes.split_last().map_or(&[][..], |(_, covered)| covered);
    checksum(line, sum(covered).wrapping_neg(), *actual)?;
    Ok(Record {
        kind,
        address: u16::from_be_bytes([high, low]).into(),
        data: data.to_vec(),
    })
}

fn s_record(line: &str) -> Result<Record, String> {
    let wrong_size = || format!("record '{line}' has wrong size");
    if line.len() < 6 {
        return Err(format!("record '{line}' too short"));
    }
    if !line.starts_with('S') {
        return Err(format!("record '{line}' not starting with an 'S'"));
    }
    let kind = line.as_bytes().get(1).copied().unwrap_or_default();
    let bytes = bytes(line, 2)?;
    let (size, rest) = bytes.split_first().ok_or_else(wrong_size)?;
    if rest.len() != usize::from(*size) {
        return Err(wrong_size());
    }
    let width = match kind {
        b'0' | b'1' | b'5' | b'9' => 2,
        b'2' | b'6' | b'8' => 3,
        b'3' | b'7' => 4,
        other => {
            let other = char::from(other);
            return Err(format!(
                "expected record type 0..3 or 5..9, but got '{other}'"
            ));
        }
    };
    let (actual, covered) = bytes.split_last().ok_or_else(wrong_size)?;
    checksum(line, !sum(covered), *actual)?;
    let (address, data) = covered
        .get(1..)
        .and_then(|rest| rest.split_at_checked(width))
        .ok_or_else(wrong_size)?;
    Ok(Record {
        kind,
        address: number(address),
        data: data.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records that the articles on both formats begin with.
    const HEX: &str = ":10010000214601360121470136007EFE09D2190140";
    const S: &str = "S00F000068656C6C6F202020202000003C";

    #[test]
    fn files_with_addresses_are_told_from_plain_ones() {
        assert_eq!(format(b"\x7fELF\x01"), Format::Other("ELF"));
        assert_eq!(format(b"\x3a\xff\x26\xed\x01"), Format::Other("sparse"));
        assert_eq!(format(format!("{HEX}\r\n").as_bytes()), Format::Hex);
        assert_eq!(format(format!("{S}\n").as_bytes()), Format::SRecord);
        for plain in [&b":-) a text"[..], b"Some text", &[0, 1, 2], &[]] {
            assert_eq!(format(plain), Format::Binary);
        }
        // A wrong checksum in the first line, and a byte beyond ASCII.
        assert_eq!(format(HEX.replace("40", "41").as_bytes()), Format::Binary);
        assert_eq!(format(format!("{S}\n\u{e9}").as_bytes()), Format::Binary);
    }

    #[test]
    fn records_that_adjoin_become_one_segment_in_the_order_of_addresses() {
        let file =
            ":020000040001F9\n:0100020003FA\n:020000000102FB\n\n:0100100009E6\n:00000001FF\n";
        let segments = read(Format::Hex, file.as_bytes()).unwrap();
        let shown: Vec<_> = segments
            .iter()
            .map(|one| (one.start, &one.data[..]))
            .collect();
        assert_eq!(shown, [(0x1_0000, &[1, 2, 3][..]), (0x1_0010, &[9])]);
        let s = "S1137AF00A0A0D0000000000000000000000000061\nS9030000FC\n";
        let segments = read(Format::SRecord, s.as_bytes()).unwrap();
        assert_eq!((segments[0].start, segments[0].data.len()), (0x7AF0, 16));
        assert_eq!(segments.len(), 1);
    }

    #[test]
    fn damaged_records_are_refused() {
        for (file, why) in [
            (":0100000003FB", "expected crc 'FC'"),
            (":0200000003FB", "wrong size"),
            (":01000000", "too short"),
            ("0100000003FC1", "not starting with a ':'"),
            (":01000000zzFC", "non-hexadecimal"),
            (":0100000603F6", "expected type 1..5"),
            (":0100000003FC\n:0100000003FC", "must be adjacent"),
        ] {
            let error = read(Format::Hex, file.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{file}: {error}");
        }
        assert!(read(Format::SRecord, b"S1020000FD").is_err());
        assert!(read(Format::SRecord, b"S40300000FC").is_err());
        assert!(read(Format::SRecord, &[0xFF; 20]).is_err());
    }
}
