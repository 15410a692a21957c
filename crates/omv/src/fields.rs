//! The fields of a script's channel, for a screen and for programs, and what a person sets them to.

use omv_camera::session::Session;
use omv_wire::cbor::Value;
use omv_wire::v2::fields::{self, Field};
use serde_json::{Value as Json, json};

use crate::fail::Fail;
use crate::output::clean;

/// Most bytes of a channel that are looked at.
const LARGEST: usize = 1 << 20;
/// Most characters of a name, a unit or a choice on a screen.
const SHORT: usize = 40;
/// Most characters of a value there.
const LONG: usize = 200;

/// One line a field: name, value, kind and what else is known of it.
pub fn lines(fields: &[Field]) -> Vec<String> {
    let names: Vec<_> = fields.iter().map(|field| cut(&field.name, SHORT)).collect();
    let says: Vec<_> = fields.iter().map(says).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max();
    let (name, say) = (widest(&names), widest(&says));
    // A long text does not push the kinds of all others out of sight.
    let (name, say) = (name.unwrap_or(0), say.unwrap_or(0).min(SHORT));
    let rows = names.iter().zip(&says).zip(fields);
    let row = |((own, says), field): ((&String, &String), &Field)| {
        format!("{own:<name$}  {says:<say$}  {}", about(field))
    };
    rows.map(|all| row(all).trim_end().to_owned()).collect()
}

/// Value and unit.
fn says(field: &Field) -> String {
    let mut text = match (&field.value, &field.data) {
        (_, Some(data)) => format!("{} bytes", data.len()),
        (Some(value), None) => cut(&value.to_string(), LONG),
        (None, None) => String::new(),
    };
    if let Some((width, height)) = field.size {
        text.push_str(&format!(", {width} x {height}"));
    }
    if let Some(unit) = &field.unit {
        text.push_str(&format!(" {}", cut(unit, SHORT)));
    }
    text
}

/// Kind and limits.
fn about(field: &Field) -> String {
    let mut text = cut(field.kind.as_deref().unwrap_or_default(), SHORT);
    if let Some((least, most)) = field.range {
        text.push_str(
            &format!(" {} to {}", Value::Float(least), Value::Float(most)).replace(".0", ""),
        );
    }
    if let Some(step) = field.step {
        text.push_str(&format!(", step {}", Value::Float(step)).replace(".0", ""));
    }
    if !field.options.is_empty() {
        let options: Vec<_> = field.options.iter().map(|one| cut(one, SHORT)).collect();
        text.push_str(&cut(&format!(": {}", options.join(", ")), LONG));
    }
    text.trim_start().to_owned()
}

fn cut(text: &str, most: usize) -> String {
    let mut short: String = clean(text).chars().take(most + 1).collect();
    if short.chars().count() > most {
        short.pop();
        short.push('…');
    }
    short
}

/// The same for programs.
pub fn json(fields: &[Field]) -> Json {
    let one = |field: &Field| {
        let mut object = json!({ "name": field.name, "type": field.kind, "unit": field.unit });
        let Some(map) = object.as_object_mut() else {
            return object;
        };
        let mut add = |key: &str, value: Option<Json>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        add("value", field.value.as_ref().map(plain));
        add("hex", field.data.as_deref().map(hex).map(Json::from));
        add("width", field.size.map(|size| size.0.into()));
        add("height", field.size.map(|size| size.1.into()));
        add("min", field.range.map(|range| float(range.0)));
        add("max", field.range.map(|range| float(range.1)));
        add("step", field.step.map(float));
        let options = Some(&field.options).filter(|options| !options.is_empty());
        add("options", options.map(|options| json!(options)));
        object
    };
    fields.iter().map(one).collect()
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As JSON has it; what JSON has no way to say becomes text.
fn plain(value: &Value) -> Json {
    match value {
        Value::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => number.to_string().into(),
        },
        Value::Float(number) => float(*number),
        Value::Bytes(bytes) => hex(bytes).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Map(pairs) => {
            let pairs = pairs.iter();
            let named = pairs.map(|(key, value)| match key {
                Value::Text(key) => (key.clone(), plain(value)),
                key => (key.to_string(), plain(value)),
            });
            Json::Object(named.collect())
        }
        Value::Tag(_, inner) => plain(inner),
        Value::Bool(truth) => (*truth).into(),
        Value::Null | Value::Simple(_) => Json::Null,
    }
}

fn float(number: f64) -> Json {
    // The shortest that is the same, also for what the camera had in 32 bits.
    let text = Value::Float(number).to_string();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.into(),
        _ => text.into(),
    }
}

/// Sets fields of a channel, one by one: what is written at once has to fit into one request of the
/// camera's. Tells their names.
///
/// # Errors
/// Where the channel has no fields, none of that name, or one that cannot be that: then nothing was set.
pub fn set(session: &Session, channel: &str, wishes: &[(&str, &str)]) -> Result<Vec<String>, Fail> {
    let bytes = session.channel_read(channel, LARGEST)?;
    let Some(fields) = fields::decode(&bytes) else {
        return Err(Fail::Usage {
            what: format!("the channel `{channel}` has no fields"),
            help: "Only a script's `CBORChannel` has; any other is written to with bytes.".into(),
        });
    };
    let wishes = wishes.iter();
    let wanted: Result<Vec<_>, Fail> = wishes
        .map(|(name, value)| Ok((*name, wanted(&fields, name, value)?)))
        .collect();
    let send = |(name, value): (&str, Value)| {
        session.channel_write(channel, &fields::encode(name, &value))?;
        Ok(clean(name))
    };
    wanted?.into_iter().map(send).collect()
}

/// What a field is set to by these words.
fn wanted(fields: &[Field], name: &str, words: &str) -> Result<Value, Fail> {
    let Some(field) = fields.iter().find(|field| field.name == name) else {
        let names: Vec<_> = fields.iter().map(|field| cut(&field.name, SHORT)).collect();
        return Err(Fail::Usage {
            what: format!("the channel has no field `{name}`"),
            help: format!("There are: {}", names.join(", ")),
        });
    };
    let truth = words.parse().ok().map(Value::Bool);
    let number = || {
        let whole = words.parse().ok().map(Value::Integer);
        whole.or_else(|| words.parse().ok().map(Value::Float))
    };
    let text = || Value::Text(words.to_owned());
    let fits = |size: f64| {
        let inside = |(least, most)| (least..=most).contains(&size);
        size.is_finite() && field.range.is_none_or(inside)
    };
    let set = match field.kind.as_deref().unwrap_or_default() {
        "toggle" | "pushbutton" => truth,
        "slider" | "spinbox" => number().filter(|_| words.parse().is_ok_and(fits)),
        "select" | "radio" => {
            let known = field.options.iter().any(|option| option == words);
            known.then(text)
        }
        "depth" | "waveform" => None,
        "text" | "lineedit" => Some(text()),
        // Nobody says what it may be.
        _ => Some(truth.or_else(number).unwrap_or_else(text)),
    };
    set.ok_or_else(|| Fail::Usage {
        what: format!("`{name}` cannot be `{words}`"),
        help: format!("It is: {}", about(field)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: &str) -> Field {
        Field {
            name: name.into(),
            kind: Some(kind.into()),
            ..Field::default()
        }
    }

    fn some() -> Vec<Field> {
        vec![
            Field {
                value: Some(Value::Float(25.3_f32.into())),
                unit: Some("Cel".into()),
                ..field("temp", "label")
            },
            Field {
                value: Some(Value::Integer(4)),
                range: Some((0.0, 24.0)),
                step: Some(0.5),
                ..field("gain", "slider")
            },
            Field {
                value: Some(Value::Text("fast".into())),
                options: vec!["fast".into(), "slow".into()],
                ..field("mode", "select")
            },
            Field {
                data: Some(vec![0xAB; 8]),
                size: Some((4, 2)),
                range: Some((-1.5, 4000.0)),
                ..field("depth", "depth")
            },
            field("on", "toggle"),
        ]
    }

    #[test]
    fn fields_are_lines_of_a_table() {
        let lines = lines(&some());
        let meant = [
            "temp   25.3 Cel        label",
            "gain   4               slider 0 to 24, step 0.5",
            "mode   \"fast\"          select: fast, slow",
            "depth  8 bytes, 4 x 2  depth -1.5 to 4000",
            "on                     toggle",
        ];
        assert_eq!(lines, meant);
    }

    #[test]
    fn a_float_of_the_cameras_32_bits_is_not_made_longer() {
        let fields = json(&some());
        assert_eq!(
            fields[0],
            json!({ "name": "temp", "type": "label", "unit": "Cel", "value": 25.3 })
        );
        assert_eq!(fields[3]["hex"], "abababababababab");
        assert_eq!(
            (&fields[1]["max"], &fields[3]["min"]),
            (&json!(24.0), &json!(-1.5))
        );
        let odd = Field {
            value: Some(Value::Float(f64::NAN)),
            ..field("odd", "label")
        };
        assert_eq!(json(&[odd])[0]["value"], "NaN");
    }

    #[test]
    fn what_a_hostile_camera_calls_its_fields_stays_on_a_line_of_its_own() {
        let evil = Field {
            value: Some(Value::Text("\u{1b}[2J\n".repeat(100))),
            unit: Some("\u{7}".into()),
            options: vec!["x".repeat(100_000); 900],
            ..field(&"\u{1b}]0;a\u{7}\u{202e}".repeat(50_000), "\r\n")
        };
        let lines = lines(&[evil, field("on", "toggle")]);
        assert!(
            lines.iter().all(|line| line.chars().count() < 600),
            "{lines:?}"
        );
        let acted = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!lines.iter().any(|line| line.contains(acted)), "{lines:?}");
    }

    #[test]
    fn a_field_is_set_to_what_its_kind_can_be_and_to_nothing_else() {
        let fields = some();
        let set = |text: &str| {
            let (name, value) = text.split_once('=').unwrap();
            wanted(&fields, name, value).ok()
        };
        assert_eq!(set("gain=7"), Some(Value::Integer(7)));
        assert_eq!(set("gain=0.5"), Some(Value::Float(0.5)));
        assert_eq!(set("mode=slow"), Some(Value::Text("slow".into())));
        assert_eq!(set("on=true"), Some(Value::Bool(true)));
        assert_eq!(set("temp=a=b"), Some(Value::Text("a=b".into())));
        for bad in [
            "gain=25", "gain=nan", "gain=", "mode=x", "on=1", "depth=1", "no=1",
        ] {
            assert_eq!(set(bad), None, "{bad}");
        }
    }
}
