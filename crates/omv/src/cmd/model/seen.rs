//! What a network sees: the script that asks it, and its answers for people.
//!
//! The script decides by shape, labels and what the firmware has: scores of a classifier, a grid of
//! scores (FOMO), boxes by the firmware's own post-processing (the YOLO family). What fits none of
//! these is shown as numbers, and that is said.

use omv_camera::session::Session;
use serde_json::Value;

use crate::camera_files::{self, quoted};
use crate::fail::Fail;
use crate::output::{Output, clean};

/// What a network sees, once or for ever.
const LOOK: &str = include_str!("look.py");

/// The script that shows what a network sees.
pub fn look(model: &str, labels: Option<&str>, once: bool) -> String {
    let labels = labels.map_or_else(|| "None".to_owned(), quoted);
    let model = format!("MODEL = {}", quoted(model));
    let once = if once { "ONCE = True" } else { "ONCE = False" };
    LOOK.replacen("MODEL = None", &model, 1)
        .replacen("LABELS = None", &format!("LABELS = {labels}"), 1)
        .replacen("ONCE = False", once, 1)
}

/// One prediction: its labels and scores.
pub fn predict(session: &Session, model: &str, labels: Option<&str>) -> Result<Vec<Value>, Fail> {
    camera_files::ask(session, &look(model, labels, true))
}

/// What one prediction said.
pub fn show(
    predicted: &Result<Vec<Value>, Fail>,
    simulated: bool,
    output: &Output,
) -> Result<(), Fail> {
    let records = match predicted {
        Ok(records) => records,
        // It lies there and is whole; that it cannot be fed a picture is worth a line, not a failure.
        Err(fail) => {
            let line = format!("  predicts nothing from a picture: {}", fail.message());
            return output.line(&clean(&line));
        }
    };
    let mark = if simulated { ", simulated" } else { "" };
    for record in records {
        let number = |key: &str| record.get(key).and_then(Value::as_f64);
        if let Some(line) = numbers(record) {
            output.line(&clean(&line))?;
            continue;
        }
        let line = match (record.get("label").and_then(Value::as_str), number("score")) {
            (Some(label), Some(score)) => match (number("x"), number("y")) {
                (Some(x), Some(y)) => format!("  sees     {label} {score:.3} at {x:.0}, {y:.0}"),
                _ => format!("  score    {label} {score:.3}"),
            },
            _ => match (number("micros"), number("found")) {
                (Some(micros), Some(found)) => {
                    let found = match records.iter().any(|record| numbers(record).is_some()) {
                        true => String::new(),
                        false => format!("found {found:.0} and "),
                    };
                    format!("One prediction {found}took {:.1} ms{mark}.", micros / 1e3)
                }
                _ => continue,
            },
        };
        output.line(&clean(&line))?;
    }
    Ok(())
}

/// An output whose meaning is not known, as it is.
fn numbers(record: &Value) -> Option<String> {
    let index = record.get("output")?.as_u64()?;
    let shape = record
        .get("shape")
        .map(Value::to_string)
        .unwrap_or_default();
    let first = record.get("first").and_then(Value::as_array);
    let first = first.into_iter().flatten().filter_map(Value::as_f64);
    let first: Vec<String> = first.map(|number| format!("{number:.3}")).collect();
    let number = |key: &str| record.get(key).and_then(Value::as_f64);
    let range = match (number("least"), number("most")) {
        (Some(least), Some(most)) => {
            format!(", {least:.3} to {most:.3}, begins {}", first.join(" "))
        }
        _ => String::new(),
    };
    Some(format!(
        "  output   {index} of shape {shape}{range}: what it means is not known here"
    ))
}
