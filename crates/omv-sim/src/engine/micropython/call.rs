//! The bridge: what our Python modules ask the virtual camera for.
//!
//! A request is a JSON array, a name and its arguments; the answer is `[0, value]`, or
//! `[1, exception, text]`, or bytes as they are where bytes were asked for.

use serde_json::{Value, json};
use wasmi::Error;

use super::host::{Here, now, quit, sleep_until};
use crate::engine::pictures::Asked;
use crate::engine::{Outcome, modules};
use crate::running::Happened;
use std::time::Duration;

/// An exception of Python.
type Raised = (&'static str, String);

/// Answers a request; may take time, and may end the script.
pub fn answer(here: &mut Here<'_>, request: &[u8]) -> Result<Vec<u8>, Error> {
    let Ok(Value::Array(words)) = serde_json::from_slice(request) else {
        return Ok(told(Err(("ValueError", "no request".into()))));
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
    Ok(told(match name.as_str() {
        "us" => Ok(json!(now(&*here).as_micros() as u64)),
        "sleep" => {
            let until = now(&*here) + micros(0);
            sleep_until(here, until)?;
            Ok(Value::Null)
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
            let id = works.channels.len() as u8 + 4;
            works
                .channels
                .push((text(0).chars().take(13).collect(), int(1) as u8));
            works.happened.push_back(Happened::Registered);
            Ok(json!(id))
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
        "bytes" => {
            return Ok(match works.inside().pictures.bytes(int(0)) {
                Some(bytes) => bytes,
                None => told(Err(("MemoryError", "the image is gone".into()))),
            });
        }
        _ => works
            .inside()
            .pictures_ask(now(&*here), Asked::new(&name, rest)),
    }))
}

fn told(result: Result<Value, Raised>) -> Vec<u8> {
    let value = match result {
        Ok(value) => json!([0, value]),
        Err((kind, text)) => json!([1, kind, text]),
    };
    value.to_string().into_bytes()
}
