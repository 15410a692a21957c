//! The bridge: what our Python modules ask the virtual camera for.
//!
//! A request is a JSON array, a name and its arguments; the answer is `[0, value]`, or
//! `[1, exception, text]`, or bytes as they are where bytes were asked for.

use serde_json::{Value, json};
use wasmi::Error;

use super::host::{Here, go_to, now, quit, sleep_until};
use crate::engine::pictures::Asked;
use crate::engine::{Outcome, modules};
use crate::running::requests::{Call, Given, MOST, Own};
use crate::running::{FIRST, Happened};
use std::time::Duration;

/// An exception of Python.
type Raised = (&'static str, String);

/// Answers a request; may take time, and may end the script.
pub fn answer(here: &mut Here<'_>, request: &[u8]) -> Result<Vec<u8>, Error> {
    let Ok(Value::Array(words)) = serde_json::from_slice(request) else {
        return Ok(told(Err(("ValueError", "no request".into())), false));
    };
    let name = words
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let rest = words.get(1..).unwrap_or_default();
    let int = |at: usize| rest.get(at).and_then(Value::as_i64).unwrap_or(0);
    let text = |at: usize| rest.get(at).and_then(Value::as_str).unwrap_or_default();
    let works = here.data().works.clone();
    let micros = |at: usize| Duration::from_micros(int(at).max(0) as u64);
    let result = match name.as_str() {
        "us" => Ok(json!(now(&*here).as_micros() as u64)),
        "sleep" => {
            let until = now(&*here) + micros(0);
            sleep_until(here, until)?;
            let left = until.saturating_sub(now(&*here));
            Ok(json!(left.as_micros() as u64))
        }
        "reset" => return Err(quit(Outcome::Reset)),
        "bootloader" => return Err(quit(Outcome::Bootloader)),
        "deepsleep" => {
            let time = (int(0) > 0).then(|| Duration::from_millis(int(0) as u64));
            return Err(quit(Outcome::Sleep(time)));
        }
        "source" => return Ok(here.data_mut().files.staged()),
        "missing" => {
            let removed = modules::removed(text(0), &works.inside().facts);
            Ok(json!(removed))
        }
        "paths" => Ok(json!(works.inside().disks.path())),
        "facts" => {
            let works = works.inside();
            let facts = &works.facts;
            let uid: String = facts.uid.iter().map(|word| format!("{word:08X}")).collect();
            let version = facts.version;
            Ok(json!({
                "version": [version.major, version.minor, version.patch],
                "board": facts.board, "arch": facts.arch.0, "type": facts.arch.1, "uid": uid,
                "sensor": facts.sensor, "sensor_name": facts.sensor_name,
                "machine": facts.machine, "micropython": facts.micropython(),
            }))
        }
        "room" => match works.inside().disks.room(text(0)) {
            Ok(room) => Ok(json!([room.cluster, room.total, room.free])),
            Err(error) => Err(("OSError", error.to_string())),
        },
        "register" => {
            let mut works = works.inside();
            let id = works.channels.len() + usize::from(FIRST);
            if id >= MOST {
                let text = "Failed to register protocol channel";
                return Ok(told(Err(("RuntimeError", text.into())), false));
            }
            let methods = rest.get(2).and_then(Value::as_array);
            let methods = methods.into_iter().flatten().filter_map(Value::as_str);
            works.channels.push(Own {
                name: text(0).chars().take(13).collect(),
                flags: int(1) as u8,
                methods: methods.map(str::to_owned).collect(),
                ready: false,
            });
            works.happened.push_back(Happened::Registered);
            Ok(json!(id))
        }
        "asked" => {
            let call = works.inside().requests.take();
            let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let words = |call: Call| {
                let data: Option<String> = call.data.map(hex);
                json!([call.id, call.method, call.words, data])
            };
            here.data_mut().called.clone_from(&call);
            Ok(call.map_or(Value::Null, words))
        }
        "given" => {
            if let Some(call) = here.data_mut().called.take() {
                works.inside().requests.give(&call, given(rest.first()));
            }
            Ok(Value::Null)
        }
        "ready" => {
            let at = usize::try_from(int(0) - i64::from(FIRST)).unwrap_or(MOST);
            if let Some(own) = works.inside().channels.get_mut(at) {
                own.ready = rest.get(1) == Some(&Value::Bool(true));
            }
            Ok(Value::Null)
        }
        "event" => {
            let happened = Happened::Channel(int(0) as u8, int(1) as u16);
            works.inside().happened.push_back(happened);
            Ok(Value::Null)
        }
        "snapshot" => {
            let due = works
                .inside()
                .due_frame(now(&*here), (int(0) as usize, int(1) as usize));
            sleep_until(here, due)?;
            let at = now(&*here);
            works.inside().pictures_ask(at, Asked::new(&name, rest))
        }
        "model_load" => {
            let in_frame = rest.get(1).and_then(Value::as_bool).unwrap_or(false);
            let loaded = works.inside().model_load(text(0), in_frame);
            match loaded {
                Ok((told, time)) => {
                    let until = now(&*here) + time;
                    sleep_until(here, until)?;
                    Ok(told)
                }
                Err(raised) => Err(raised),
            }
        }
        "heap" => Ok(json!(works.inside().heap())),
        "model_begin" => {
            works.inside().models.begin(now(&*here));
            Ok(Value::Null)
        }
        "model_end" => {
            let at = works.inside().models.end(now(&*here));
            go_to(here, at)?;
            Ok(Value::Null)
        }
        name if name.starts_with("model_") => works.inside().model_ask(name, rest),
        "bytes" => {
            return Ok(match works.inside().pictures.bytes(int(0)) {
                Some(bytes) => bytes,
                None => told(Err(("MemoryError", "the image is gone".into())), false),
            });
        }
        _ => works
            .inside()
            .pictures_ask(now(&*here), Asked::new(&name, rest)),
    };
    let asked = works.inside().requests.are_waiting();
    Ok(told(result, asked))
}

/// What a channel's method gave back: `[numbers, bytes in hex]`, one of them null.
fn given(value: Option<&Value>) -> Given {
    let part = |at: usize| value.and_then(|value| value.get(at));
    if let Some(list) = part(0).and_then(Value::as_array) {
        return Given::Numbers(list.iter().filter_map(Value::as_i64).collect());
    }
    let Some(hex) = part(1).and_then(Value::as_str) else {
        return Given::Nothing;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    let pairs = hex.as_bytes().as_chunks::<2>().0.iter();
    Given::Bytes(
        pairs
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect(),
    )
}

/// An answer; `asked` says that a host wants something of a channel.
fn told(result: Result<Value, Raised>, asked: bool) -> Vec<u8> {
    let value = match result {
        Ok(value) if asked => json!([0, value, 1]),
        Ok(value) => json!([0, value]),
        Err((kind, text)) => json!([1, kind, text]),
    };
    value.to_string().into_bytes()
}
