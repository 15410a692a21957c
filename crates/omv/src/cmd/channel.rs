//! `omv channels` and `omv channel`: data that a script and a program on this computer exchange.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use omv_camera::session::Options;
use omv_wire::v2::channels::flag;
use omv_wire::v2::fields::decode;
use serde_json::json;

use super::live::Live;
use crate::cli::{ChannelAction, Common};
use crate::fail::Fail;
use crate::fields::{self, hex};
use crate::output::{Output, clean};

/// Flags of a channel, as words.
const WORDS: [(u8, &str); 7] = [
    (flag::READ, "read"),
    (flag::WRITE, "write"),
    (flag::EXEC, "exec"),
    (flag::LOCK, "lock"),
    (flag::STREAM, "stream"),
    (flag::DYNAMIC, "script"),
    (flag::PHYSICAL, "line"),
];

/// Runs `omv channels`.
pub fn list(common: &Common, output: &Output) -> Result<(), Fail> {
    let live = Live::open(common, "omv channels", Options::default())?;
    let channels = live.session.channels();
    live.close()?;
    let words = |flags: u8| -> Vec<_> {
        let has = WORDS.iter().filter(|(flag, _)| flags & flag != 0);
        has.map(|(_, word)| *word).collect()
    };
    if output.json {
        let one = |c: &omv_camera::session::ChannelInfo| json!({ "id": c.id, "name": clean(&c.name), "flags": words(c.flags) });
        return output.result(json!({ "channels": channels.iter().map(one).collect::<Vec<_>>() }));
    }
    if channels.is_empty() {
        return output.line("This firmware has no channels; they came with 5.0.0.");
    }
    for channel in channels {
        let flags = words(channel.flags).join(" ");
        output.line(&format!(
            "{:>2}  {:<14} {flags}",
            channel.id,
            clean(&channel.name)
        ))?;
    }
    Ok(())
}

/// Runs `omv channel`.
pub fn run(common: &Common, action: &ChannelAction, output: &Output) -> Result<(), Fail> {
    match action {
        ChannelAction::Read {
            name,
            output: file,
            raw,
            limit,
        } => {
            let live = Live::open(common, "omv channel", Options::default())?;
            let bytes = live.session.channel_read(name, *limit)?;
            live.close()?;
            let fields = decode(&bytes).filter(|_| !raw);
            match (file, &fields) {
                (Some(file), _) => {
                    fs::write(file, &bytes).map_err(|error| Fail::file(file, "writing", error))?
                }
                (None, _) if output.json => {}
                (None, Some(fields)) => return output.line(&fields::lines(fields).join("\n")),
                (None, None) => show(&bytes)?,
            }
            if output.json {
                let text = std::str::from_utf8(&bytes).ok();
                let mut result = json!({ "channel": name, "bytes": bytes.len(), "text": text, "hex": hex(&bytes) });
                if let Some(fields) = fields {
                    result["fields"] = fields::json(&fields);
                }
                return output.result(result);
            }
            Ok(())
        }
        ChannelAction::Write { name, set, .. } if !set.is_empty() => {
            let live = Live::open(common, "omv channel", Options::default())?;
            let set = fields_of(set).and_then(|set| fields::set(&live.session, name, &set));
            live.close()?;
            let set = set?;
            match output.json {
                true => output.result(json!({ "channel": name, "set": set })),
                false => output.line(&format!("{} set in `{}`", set.join(", "), clean(name))),
            }
        }
        ChannelAction::Write {
            name, data, file, ..
        } => {
            let bytes = match (data, file) {
                (Some(data), _) => data.clone().into_bytes(),
                (None, Some(file)) => {
                    fs::read(file).map_err(|error| Fail::file(file, "reading", error))?
                }
                (None, None) => {
                    let mut bytes = Vec::new();
                    let done = io::stdin().lock().read_to_end(&mut bytes);
                    done.map_err(|error| {
                        Fail::file(Path::new("standard input"), "reading", error)
                    })?;
                    bytes
                }
            };
            let live = Live::open(common, "omv channel", Options::default())?;
            live.session.channel_write(name, &bytes)?;
            live.close()?;
            match output.json {
                true => output.result(json!({ "channel": name, "bytes": bytes.len() })),
                false => output.line(&format!(
                    "{} bytes written to `{}`",
                    bytes.len(),
                    clean(name)
                )),
            }
        }
    }
}

/// Names and values of `--set`.
fn fields_of(set: &[String]) -> Result<Vec<(&str, &str)>, Fail> {
    let pairs = set.iter().map(|text| text.split_once('='));
    let pairs: Option<Vec<_>> = pairs.collect();
    pairs.ok_or_else(|| Fail::Usage {
        what: "what a field is set to stands behind a `=`".into(),
        help: "Write FIELD=VALUE.".into(),
    })
}

/// The bytes as they are for a program, cleaned for a terminal.
fn show(bytes: &[u8]) -> Result<(), Fail> {
    if io::stdout().is_terminal() {
        let mut cleaner = crate::text::Cleaner::new();
        let mut text = cleaner.push(bytes);
        text.push_str(&cleaner.finish());
        return super::live::print(&format!("{text}\n"));
    }
    let mut out = io::stdout().lock();
    let done = out.write_all(bytes).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fail::BrokenPipe,
        _ => Fail::file(Path::new("standard output"), "writing", error),
    })
}
