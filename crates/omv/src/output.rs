//! Results on stdout, as text or as JSON lines; errors on stderr.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Colour;
use crate::fail::Fail;
use crate::text::is_unseen;

/// How to speak to whoever started the program.
pub struct Output {
    /// One JSON object a line instead of text.
    pub json: bool,
    colour: bool,
}

impl Output {
    /// Colour follows the terminal and `NO_COLOR` unless it was asked for.
    pub fn new(json: bool, colour: Colour) -> Self {
        let wanted = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        Self {
            json,
            colour: wanted && !json,
        }
    }

    /// Whether a person watches, so that bars may move.
    pub fn is_live(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// Text in a colour (an ANSI code), if colours are wanted.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A line of the result.
    pub fn line(&self, text: &str) -> Result<(), Fail> {
        print_line(text)
    }

    /// One JSON object as a line, flushed: programs read them as they come.
    pub fn object(&self, value: &impl Serialize) -> Result<(), Fail> {
        let text = serde_json::to_string(value).map_err(|error| Fail::Simulator {
            what: error.to_string(),
        })?;
        print_line(&text)
    }

    /// The last line of a JSON run that went well.
    pub fn result(&self, fields: Value) -> Result<(), Fail> {
        let mut object = json!({ "event": "result", "ok": true });
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        self.object(&object)
    }

    /// Says why a command failed.
    pub fn fail(&self, fail: &Fail) {
        if self.json {
            let error = json!({ "code": fail.code(), "message": clean(&fail.message()), "help": fail.help() });
            let result = json!({ "event": "result", "ok": false, "error": error });
            // Nobody is left to tell if this line cannot be written either.
            let _ = self.object(&result);
            return;
        }
        let head = self.paint("1;31", &format!("error[{}]:", fail.code()));
        let help = self.paint("1", "help:");
        eprintln!("{head} {}", clean(&fail.message()));
        eprintln!("  {help}  {}", fail.help());
    }
}

fn print_line(text: &str) -> Result<(), Fail> {
    let mut out = io::stdout().lock();
    let done = writeln!(out, "{text}").and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
        _ => Fail::file(std::path::Path::new("standard output"), "writing", error),
    })
}

/// Text from a camera or a file, without anything a terminal would act on.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c.is_control() || is_unseen(c) {
            true => '\u{FFFD}',
            false => c,
        })
        .collect()
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.2} MiB", bytes as f64 / 1_048_576.0),
    }
}
