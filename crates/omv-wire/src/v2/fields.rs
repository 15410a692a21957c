//! The fields of a script's channel: what firmware's `protocol.CBORChannel` gives and takes.
//!
//! ```text
//! read    [{0: "gain", -30: "slider", 2: 4, -31: 0, -32: 24, -33: 1, 1: "dB"}, {0: "temp", ...}]
//! write   [{0: "gain", 2: 7}]      a name it does not have is passed over, without a word
//! ```
//!
//! In v5.0.0 what was written is read back only after the script has set some field, too, or has an
//! `on_read`: the bytes to read are made then.
//!
//! | key | | key | |
//! |---|---|---|---|
//! | 0 | name | -20, -21 | width and height of the data |
//! | 1 | unit | -23, -24 | least and most in the data |
//! | 2 | value | -30 | kind of control |
//! | 8 | data, bytes | -31, -32, -33 | least, most, step |
//! | | | -34 | what can be chosen |
//!
//! Sources: openmv/openmv v5.0.0 `scripts/libraries/protocol/protocol/__init__.py`; RFC 8428 (SenML).

use crate::cbor::{self, Value};

/// Most fields of a channel; a screen has no room for a tenth of them.
const MOST: usize = 1000;

/// One field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// `label`, `toggle`, `slider`, `select`, `depth`; later firmware has more.
    pub kind: Option<String>,
    /// Unit of the value.
    pub unit: Option<String>,
    /// What it says.
    pub value: Option<Value>,
    /// Bytes instead of a value: a map of depths.
    pub data: Option<Vec<u8>>,
    /// Width and height of the data.
    pub size: Option<(u32, u32)>,
    /// Least and most of the value, or of what is in the data.
    pub range: Option<(f64, f64)>,
    /// From one value to the next.
    pub step: Option<f64>,
    /// What can be chosen.
    pub options: Vec<String>,
}

/// Reads what a channel has, if it has fields: nothing but an array of maps that all have a name.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Vec<Field>> {
    // Not a byte more is looked at of what is no array: text, pictures.
    bytes.first().filter(|first| **first >> 5 == 4)?;
    let Value::Array(records) = cbor::decode(bytes).ok()? else {
        return None;
    };
    if records.is_empty() || records.len() > MOST {
        return None;
    }
    records.into_iter().map(read).collect()
}

/// What is written to a channel to set one of its fields.
#[must_use]
pub fn encode(name: &str, value: &Value) -> Vec<u8> {
    let named = (Value::Integer(0), Value::Text(name.to_owned()));
    let set = (Value::Integer(2), value.clone());
    Value::Array(vec![Value::Map(vec![named, set])]).encode()
}

fn read(record: Value) -> Option<Field> {
    let Value::Map(pairs) = record else {
        return None;
    };
    let mut field = Field::default();
    let (mut width, mut height) = (None, None);
    let (mut least, mut most) = (None, None);
    let mut named = false;
    for (key, value) in pairs {
        let Value::Integer(key) = key else {
            continue;
        };
        match (key, value) {
            (0, Value::Text(text)) => (field.name, named) = (text, true),
            (1, Value::Text(text)) => field.unit = Some(text),
            (-30, Value::Text(text)) => field.kind = Some(text),
            (8, Value::Bytes(bytes)) => field.data = Some(bytes),
            (2, value) => field.value = Some(value),
            (-20, value) => width = whole(&value),
            (-21, value) => height = whole(&value),
            (-23 | -31, value) => least = number(&value),
            (-24 | -32, value) => most = number(&value),
            (-33, value) => field.step = number(&value),
            (-34, Value::Array(options)) => {
                let text = |option: Value| match option {
                    Value::Text(text) => text,
                    other => other.to_string(),
                };
                field.options = options.into_iter().map(text).collect();
            }
            // Later firmware has more.
            _ => {}
        }
    }
    field.size = width.zip(height);
    field.range = least.zip(most);
    named.then_some(field)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `NAME: HEX` lines that begin with this word.
    fn vectors(word: &str) -> Vec<(String, Vec<u8>)> {
        let lines = include_str!("../../tests/vectors/cbor_channel.txt").lines();
        let lines = lines.filter_map(|line| line.strip_prefix(word)?.trim().rsplit_once(": "));
        let unhex = |hex: &str| {
            let digits = hex.as_bytes().chunks(2);
            let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.map(byte).collect()
        };
        lines
            .map(|(name, hex)| (name.to_owned(), unhex(hex)))
            .collect()
    }

    fn channel(name: &str) -> Vec<u8> {
        let vectors = vectors("read");
        let found = vectors.into_iter().find(|(own, _)| own == name);
        found.expect("a vector").1
    }

    #[test]
    fn the_fields_of_the_firmwares_own_class_are_read() {
        let fields = decode(&channel("all")).unwrap();
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["temp", "count", "mirror", "gain", "far", "mode"]);
        let kinds: Vec<_> = fields
            .iter()
            .filter_map(|field| field.kind.as_deref())
            .collect();
        let meant = ["label", "label", "toggle", "slider", "slider", "select"];
        assert_eq!(kinds, meant);
        let values: Vec<_> = fields
            .iter()
            .filter_map(|field| field.value.clone())
            .collect();
        let meant = [
            Value::Float(25.3),
            Value::Integer(0),
            Value::Bool(true),
            Value::Integer(4),
            Value::Float(-10.0),
            Value::Text("fast".into()),
        ];
        assert_eq!(values, meant);
        assert_eq!(fields[0].unit.as_deref(), Some("Cel"));
        assert_eq!(
            (fields[3].range, fields[3].step),
            (Some((0.0, 24.0)), Some(1.0))
        );
        assert_eq!(fields[4].range, Some((-10.0, 140.0)));
        assert_eq!(fields[5].options, ["fast", "slow", "bär"]);

        let changed = decode(&channel("changed")).unwrap();
        assert_eq!(changed[3].range, Some((1.0, 12.0)));
        assert!(matches!(changed[0].value, Some(Value::Float(temp)) if temp.is_nan()));
    }

    #[test]
    fn a_map_of_depths_is_bytes_with_a_size_and_a_range() {
        let fields = decode(&channel("depth")).unwrap();
        assert_eq!(fields[0].data, Some((0..32).collect()));
        assert_eq!(fields[0].size, Some((4, 2)));
        assert_eq!(fields[0].range, Some((0.0, 4000.0)));
        assert_eq!(fields[0].value, None);
    }

    #[test]
    fn what_is_written_is_what_the_firmware_takes() {
        let vectors = vectors("write");
        assert_eq!(vectors.len(), 6);
        for (words, bytes) in vectors {
            let (name, value) = words.split_once(' ').unwrap();
            let value = match value {
                "True" => Value::Bool(true),
                "'a'" => Value::Text("a".into()),
                "0.5" => Value::Float(0.5),
                number => Value::Integer(number.parse().unwrap()),
            };
            assert_eq!(encode(name, &value), bytes, "{words}");
        }
    }

    #[test]
    fn what_has_no_fields_is_left_as_it_is() {
        for bytes in [
            &b""[..],
            b"text",
            b"\x80",
            // A record without a name, one that is no map, one byte too many, an end too early.
            b"\x81\xa1\x02\x01",
            b"\x82\xa1\x00\x61a\x01",
            b"\x81\xa1\x00\x61a\x00",
            b"\x81\xa1\x00\x62a",
        ] {
            assert_eq!(decode(bytes), None, "{bytes:02x?}");
        }
    }
}
