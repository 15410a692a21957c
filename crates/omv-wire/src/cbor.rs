//! CBOR (RFC 8949): the form in which a script's channel gives its fields ([`v2::fields`]).
//!
//! ```text
//! first byte: kind (3 bits) | count (5 bits, or 1, 2, 4, 8 bytes behind it)
//!   0 number   1 -1 - number   2 bytes   3 text   4 array   5 map   6 tag   7 float, true, null ...
//! ```
//!
//! What is read may come from anybody: nesting and the number of items are bounded, and no memory is
//! taken for a length that is only announced. What has no known end (a count of 31) is read, too.
//!
//! [`v2::fields`]: crate::v2::fields

use std::fmt;

use crate::Malformed;

/// Deepest nesting; the fields of a channel have two levels.
const DEEPEST: usize = 16;
/// Most items in all.
const MOST: usize = 1 << 16;

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// From -2^64 to 2^64 - 1.
    Integer(i128),
    /// Of any width.
    Float(f64),
    /// A string of bytes.
    Bytes(Vec<u8>),
    /// A string of characters.
    Text(String),
    /// Items.
    Array(Vec<Value>),
    /// Pairs, in the order they came; nobody says that a key comes once.
    Map(Vec<(Value, Value)>),
    /// An item that somebody gave a meaning to.
    Tag(u64, Box<Value>),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
    /// Undefined (23), or one that nobody gave a meaning to.
    Simple(u8),
}

/// Reads one item, which is all there is.
///
/// # Errors
/// [`Malformed`] for anything else, and for what is nested too deep or has too many items.
pub fn decode(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader {
        rest: bytes,
        items: 0,
    };
    let value = reader.item(0)?.ok_or(field("break", 0xFF))?;
    match reader.rest.len() {
        0 => Ok(value),
        more => Err(field("bytes behind the end", more as u64)),
    }
}

fn field(field: &'static str, value: u64) -> Malformed {
    Malformed::Field { field, value }
}

struct Reader<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let need = usize::try_from(count).unwrap_or(usize::MAX);
        let got = self.rest.len();
        let short = Malformed::Short { need, got };
        let (taken, rest) = self.rest.split_at_checked(need).ok_or(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, width: u64) -> Result<u64, Malformed> {
        let bytes = self.take(width)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Kind, the five bits behind it, and the count they stand for; `None` is one without end.
    fn head(&mut self) -> Result<(u8, u8, Option<u64>), Malformed> {
        let first = self.number(1)? as u8;
        let (kind, small) = (first >> 5, first & 31);
        let count = match small {
            0..=23 => Some(u64::from(small)),
            24..=27 => Some(self.number(1 << (small - 24))?),
            31 if matches!(kind, 2..=5 | 7) => None,
            _ => return Err(field("first byte", first.into())),
        };
        Ok((kind, small, count))
    }

    /// The next item; `None` is the mark that ends what had no known end.
    fn item(&mut self, depth: usize) -> Result<Option<Value>, Malformed> {
        self.items += 1;
        if depth > DEEPEST {
            return Err(field("nesting", depth as u64));
        }
        if self.items > MOST {
            return Err(field("items", self.items as u64));
        }
        let (kind, small, count) = self.head()?;
        let value = match (kind, count) {
            (0, Some(count)) => Value::Integer(count.into()),
            (1, Some(count)) => Value::Integer(-1 - i128::from(count)),
            (2, count) => Value::Bytes(self.string(2, count)?),
            (3, count) => Value::Text(self.text(count)?),
            (4, count) => Value::Array(self.array(count, depth)?),
            (5, count) => Value::Map(self.map(count, depth)?),
            (6, Some(count)) => Value::Tag(count, Box::new(self.inner(depth)?)),
            (7, None) => return Ok(None),
            (_, count) => special(small, count.unwrap_or_default())?,
        };
        Ok(Some(value))
    }

    /// An item that must be there.
    fn inner(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.item(depth + 1)?.ok_or(field("break", 0xFF))
    }

    fn string(&mut self, kind: u8, count: Option<u64>) -> Result<Vec<u8>, Malformed> {
        if let Some(count) = count {
            return Ok(self.take(count)?.to_vec());
        }
        let mut whole = Vec::new();
        loop {
            match self.head()? {
                (7, _, None) => return Ok(whole),
                (part, _, Some(count)) if part == kind => {
                    whole.extend_from_slice(self.take(count)?);
                }
                (part, ..) => return Err(field("part of a string", part.into())),
            }
        }
    }

    fn text(&mut self, count: Option<u64>) -> Result<String, Malformed> {
        let text = String::from_utf8(self.string(3, count)?);
        text.map_err(|error| field("text", error.utf8_error().valid_up_to() as u64))
    }

    fn array(&mut self, count: Option<u64>, depth: usize) -> Result<Vec<Value>, Malformed> {
        let mut items = Vec::new();
        while count != Some(items.len() as u64) {
            match (self.item(depth + 1)?, count) {
                (Some(item), _) => items.push(item),
                (None, None) => break,
                (None, Some(_)) => return Err(field("break", 0xFF)),
            }
        }
        Ok(items)
    }

    fn map(&mut self, count: Option<u64>, depth: usize) -> Result<Vec<(Value, Value)>, Malformed> {
        let mut pairs = Vec::new();
        while count != Some(pairs.len() as u64) {
            match (self.item(depth + 1)?, count) {
                (Some(key), _) => pairs.push((key, self.inner(depth)?)),
                (None, None) => break,
                (None, Some(_)) => return Err(field("break", 0xFF)),
            }
        }
        Ok(pairs)
    }
}

/// What kind 7 has besides the mark of an end.
fn special(small: u8, count: u64) -> Result<Value, Malformed> {
    Ok(match small {
        20 => Value::Bool(false),
        21 => Value::Bool(true),
        22 => Value::Null,
        // Those below 32 have one byte, so that each has one form.
        24 if count < 32 => return Err(field("simple value", count)),
        0..=24 => Value::Simple(count as u8),
        25 => Value::Float(half(count as u16)),
        26 => Value::Float(f32::from_bits(count as u32).into()),
        _ => Value::Float(f64::from_bits(count)),
    })
}

/// A float of 16 bits: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    let size = match i32::from(bits >> 10 & 31) {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 0 { size } else { -size }
}

impl Value {
    /// Writes it, each number in its shortest form and floats with 64 bits: an OpenMV camera reads
    /// no other float than those of 32 and 64.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number @ 0..) => head(out, 0, *number as u64),
            Self::Integer(number) => head(out, 1, (-1 - *number) as u64),
            Self::Float(number) => {
                out.push(0xFB);
                out.extend(number.to_be_bytes());
            }
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend(bytes);
            }
            Self::Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend(text.bytes());
            }
            Self::Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.put(out));
            }
            Self::Map(pairs) => {
                head(out, 5, pairs.len() as u64);
                for (key, value) in pairs {
                    key.put(out);
                    value.put(out);
                }
            }
            Self::Tag(number, inner) => {
                head(out, 6, *number);
                inner.put(out);
            }
            Self::Bool(truth) => out.push(0xF4 | u8::from(*truth)),
            Self::Null => out.push(0xF6),
            Self::Simple(number) => head(out, 7, (*number).into()),
        }
    }
}

fn head(out: &mut Vec<u8>, kind: u8, count: u64) {
    let bytes = count.to_be_bytes();
    let (small, width) = match count {
        0..=23 => (count as u8, 0),
        24..=0xFF => (24, 1),
        0x100..=0xFFFF => (25, 2),
        0x1_0000..=0xFFFF_FFFF => (26, 4),
        _ => (27, 8),
    };
    out.push(kind << 5 | small);
    out.extend(bytes.iter().skip(8 - width));
}

/// Diagnostic notation (RFC 8949, 8), in which nothing is left that a terminal would act on.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) if number.is_nan() => f.write_str("NaN"),
            Self::Float(number) if number.is_infinite() => f.write_str(if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }),
            // What fits into 32 bits was most likely a float of 32 bits.
            Self::Float(number) if f64::from(*number as f32) == *number => {
                write!(f, "{:?}", *number as f32)
            }
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Bytes(bytes) => {
                f.write_str("h'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Map(pairs) => {
                f.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Tag(number, inner) => write!(f, "{number}({inner})"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Null => f.write_str("null"),
            Self::Simple(23) => f.write_str("undefined"),
            Self::Simple(number) => write!(f, "simple({number})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(hex: &str) -> Vec<u8> {
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(byte).collect()
    }

    #[test]
    fn every_example_of_the_standard_is_read_and_what_is_written_is_read_alike() {
        let lines = include_str!("../tests/vectors/cbor_rfc8949.txt").lines();
        let mut seen = 0;
        for (hex, meant) in lines.filter_map(|line| line.split_once(' ')) {
            if hex == "#" {
                continue;
            }
            let value = decode(&unhex(hex)).unwrap();
            let shown = value.to_string();
            // There are several ways to write a number.
            match (meant.parse::<f64>(), shown.parse::<f64>()) {
                (Ok(meant), Ok(shown)) => {
                    // Shown as a float of 32 bits if it was one.
                    let close = (meant - shown).abs() <= meant.abs() * 1e-7;
                    assert!(
                        close || meant.to_bits() == shown.to_bits() || meant.is_nan(),
                        "{hex}"
                    );
                }
                _ => assert_eq!(shown, meant, "{hex}"),
            }
            assert_eq!(decode(&value.encode()).unwrap().to_string(), shown, "{hex}");
            seen += 1;
        }
        assert_eq!(seen, 81);
    }

    #[test]
    fn no_beginning_of_an_item_is_an_item() {
        let whole = unhex("bf61610161629f0203c1fb41d452d9ec2000005f42010243030405ffffff");
        assert!(decode(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_no_item_is_refused() {
        // From the list of what is not well-formed in the test vectors of cbor/test-vectors.
        let bad = "1c 1d 1e 1f 3c 3f 5c 5f00 5f61 5f5f 5f80 5fa0 5fc0 5fe0 7c 7f00 7f41 7f7f 9c 9f1c 9fdf \
            9ffc bc bf1c bfdf bf01ff dc df f800 f81f f818 fc ff 0001 62c328";
        for hex in bad.split_whitespace() {
            assert!(decode(&unhex(hex)).is_err(), "{hex}");
        }
    }

    #[test]
    fn a_lie_about_a_length_takes_no_memory_and_deep_nesting_no_stack() {
        for hex in [
            "9bffffffffffffffff",
            "bb00ffffffffffffff",
            "5bffffffffffffffff",
            "7a7fffffff61",
        ] {
            assert!(
                matches!(decode(&unhex(hex)), Err(Malformed::Short { .. })),
                "{hex}"
            );
        }
        let nested = |levels: usize| [vec![0x81; levels], vec![0x00]].concat();
        assert!(decode(&nested(DEEPEST)).is_ok());
        for deep in [
            nested(DEEPEST + 1),
            nested(1_000_000),
            vec![0xC1; 1_000_000],
        ] {
            assert!(matches!(
                decode(&deep),
                Err(Malformed::Field {
                    field: "nesting",
                    ..
                })
            ));
        }
        let many = [unhex("9f"), vec![0; MOST + 1], unhex("ff")].concat();
        assert!(matches!(
            decode(&many),
            Err(Malformed::Field { field: "items", .. })
        ));
    }

    #[test]
    fn nothing_shown_is_acted_upon_by_a_terminal() {
        let evil = Value::Map(vec![(
            Value::Text("\u{1b}[2J\u{9b}1m\u{202e}".into()),
            Value::Tag(
                1,
                Box::new(Value::Array(vec![Value::Text("\r\n\u{7}".into())])),
            ),
        )]);
        let shown = evil.to_string();
        assert!(
            shown.is_ascii() && !shown.contains(char::is_control),
            "{shown}"
        );
    }
}
