//! Files of a running camera, read and written by scripts on the camera itself: what it sees is what
//! its next start will find.
//!
//! What writes them is that of `omv save`.

use omv_camera::files::{SaveError, save_on_camera_in};
use omv_camera::session::{Ended, Limits, Session};
use omv_plan::sha256;
use serde_json::Value;
use std::time::Duration;

use crate::fail::Fail;

/// What marks a script's records among other text.
const MARK: &str = "OMV!";
/// Bytes in one line of a script, and of what one prints: the smallest ring has 512, and a byte takes
/// two digits.
const LINE: usize = 192;
/// The longest a script may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Folders in folders that are looked into.
const DEEPEST: usize = 8;
/// Larger files are on no camera's disk.
const LARGEST: usize = 64 << 20;

/// Names of modules differ by era.
const HEAD: &str = "\
import os
try:
    import binascii
except ImportError:
    import ubinascii as binascii
try:
    import hashlib
except ImportError:
    import uhashlib as hashlib
try:
    import json
except ImportError:
    import ujson as json
def say(**record):
    print('OMV!' + json.dumps(record))
def sync():
    if hasattr(os, 'sync'):
        os.sync()
def size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return None
def digest(path):
    try:
        file = open(path, 'rb')
    except OSError:
        return None
    h = hashlib.sha256()
    while True:
        block = file.read(1024)
        if not block:
            break
        h.update(block)
    file.close()
    return binascii.hexlify(h.digest()).decode()
";

/// Says the files below `ROOT`.
const TREE: &str = "\
import time
def walk(path, deep):
    for name in os.listdir(path):
        full = path + '/' + name
        about = os.stat(full)
        if not about[0] & 0x4000:
            say(path=full[len(ROOT) + 1:], size=about[6])
            time.sleep_ms(8)
        elif deep:
            walk(full, deep - 1)
try:
    os.listdir(ROOT)
    there = True
except OSError:
    there = False
if there:
    walk(ROOT, DEEPEST)
say(there=there)
";

/// Text as Python reads it.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => out.extend(['\\', letter]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Runs a script and gives the records it says.
pub fn ask(session: &Session, script: &str) -> Result<Vec<Value>, Fail> {
    let limits = Limits::default().time(PATIENCE).text(LARGEST * 2);
    let said = session.execute(script.as_bytes(), &limits)?;
    if let Ended::Raised(traceback) = &said.ended {
        let what = format!("{}: {}", traceback.kind, traceback.message);
        return Err(Fail::Raised { what });
    }
    let text = said.text_lossy();
    let marked = text.lines().filter_map(|line| line.split_once(MARK));
    let records = marked.filter_map(|(_, record)| serde_json::from_str(record.trim()).ok());
    Ok(records.collect())
}

/// The same, for a script that says one record.
fn ask_one(session: &Session, script: &str) -> Result<Value, Fail> {
    let records = ask(session, &format!("{HEAD}{script}"))?;
    records.into_iter().next().ok_or_else(nothing_executed)
}

fn nothing_executed() -> Fail {
    Fail::Usage {
        what: "the camera executed nothing of the script".into(),
        help: "A virtual camera needs an interpreter: README, \"A running camera\".".into(),
    }
}

/// Where files can lie on a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// `/sdcard`, `/flash`; empty where the only disk is the root.
    pub path: String,
    /// `sd`, `flash`; `disk` where the camera does not say which it is.
    pub kind: &'static str,
    /// Bytes nobody uses.
    pub free: u64,
}

/// The disks that the camera has mounted, the one it starts from first.
pub fn roots(session: &Session) -> Result<Vec<Root>, Fail> {
    // Where the only disk is the root, every path "has" room: the working folder tells which it is.
    let script = "found = []\nnames = os.listdir('/')\npaths = ['/' + n for n in ('sdcard', 'sd', 'flash') if n in names]\nfor path in ['/'] if os.getcwd() == '/' else paths:\n    v = os.statvfs(path)\n    found.append([path, v[0] * v[3]])\nsay(found=found)\n";
    let told = ask_one(session, script)?;
    let found = told.get("found").and_then(Value::as_array);
    let mut roots = Vec::new();
    for one in found.into_iter().flatten() {
        let path = one.get(0).and_then(Value::as_str).unwrap_or_default();
        let free = one.get(1).and_then(Value::as_u64).unwrap_or(0);
        let kind = match path {
            "/sdcard" | "/sd" => "sd",
            "/flash" => "flash",
            _ => "disk",
        };
        let path = path.trim_end_matches('/').to_owned();
        roots.push(Root { path, kind, free });
    }
    Ok(roots)
}

/// Files below a folder, with their paths in it and sizes; none if there is no such folder.
pub fn tree(session: &Session, folder: &str) -> Result<Option<Vec<(String, u64)>>, Fail> {
    let script = format!(
        "{HEAD}ROOT = {}\nDEEPEST = {DEEPEST}\n{TREE}",
        quoted(folder)
    );
    let records = ask(session, &script)?;
    let there = records
        .iter()
        .find_map(|record| record.get("there")?.as_bool());
    let file = |record: &Value| {
        let path = record.get("path")?.as_str()?.to_owned();
        Some((path, record.get("size")?.as_u64()?))
    };
    let there = there.ok_or_else(nothing_executed)?;
    Ok(there.then(|| records.iter().filter_map(file).collect()))
}

/// The SHA-256 that the camera computes of a file; none if it is not there.
pub fn hash(session: &Session, path: &str) -> Result<Option<String>, Fail> {
    Ok(hashes(session, &[path])?.pop().flatten())
}

/// The same of several, by one script.
pub fn hashes(session: &Session, paths: &[&str]) -> Result<Vec<Option<String>>, Fail> {
    let list: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
    let script = format!(
        "{HEAD}import time\nfor path in [{}]:\n  say(hash=digest(path))\n  time.sleep_ms(8)\n",
        list.join(", ")
    );
    let told = ask(session, &script)?;
    if told.len() != paths.len() {
        return Err(nothing_executed());
    }
    let hash = |record: &Value| record.get("hash")?.as_str().map(str::to_owned);
    Ok(told.iter().map(hash).collect())
}

/// Writes a file as `omv save` lets a camera write one, and has the camera hash it once more after the
/// disk was mounted anew. It is whole, or the old one is there, or the next command that works on the
/// disk's files finishes it.
pub fn put(session: &Session, path: &str, bytes: &[u8]) -> Result<(), Fail> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if save_on_camera_in(session, folder, name, bytes)?.is_none() {
        return Err(nothing_executed());
    }
    // Between two scripts the camera mounts its disk anew: this is what its next start sees.
    confirm(session, path, bytes)
}

/// Has the camera hash a file that was written: an error if it is another.
pub fn confirm(session: &Session, path: &str, bytes: &[u8]) -> Result<(), Fail> {
    if hash(session, path)?.as_deref() == Some(&*sha256(bytes)) {
        return Ok(());
    }
    let there = get(session, path)?;
    let same = there.iter().zip(bytes).take_while(|(a, b)| a == b);
    let (file, offset) = (path.to_owned(), same.count() as u64);
    Err(Fail::Camera(SaveError::Returned { file, offset }.into()))
}

/// Reads a file.
pub fn get(session: &Session, path: &str) -> Result<Vec<u8>, Fail> {
    let script = format!(
        "{HEAD}import time\nsay(size=size({path}))\nwith open({path}, 'rb') as file:\n  while True:\n    block = file.read({LINE})\n    if not block:\n        break\n    say(b=binascii.hexlify(block).decode())\n    time.sleep_ms(8)\nsay(hash=digest({path}))\n",
        path = quoted(path)
    );
    let records = ask(session, &script)?;
    let damaged = || Fail::Raised {
        what: format!("nothing whole: {path} did not arrive as the camera has it"),
    };
    let blocks = records
        .iter()
        .filter_map(|record| record.get("b")?.as_str());
    let mut bytes = Vec::new();
    for block in blocks {
        bytes.extend(unhex(block).ok_or_else(damaged)?);
    }
    let hash = records
        .iter()
        .find_map(|record| record.get("hash")?.as_str());
    match hash == Some(&*sha256(&bytes)) {
        true => Ok(bytes),
        false => Err(damaged()),
    }
}

/// Whether a file is there.
pub fn exists(session: &Session, path: &str) -> Result<bool, Fail> {
    let told = ask_one(session, &format!("say(size=size({}))\n", quoted(path)))?;
    Ok(told.get("size").is_some_and(|size| !size.is_null()))
}

/// Removes a file.
pub fn remove(session: &Session, path: &str) -> Result<(), Fail> {
    let path = quoted(path);
    ask_one(
        session,
        &format!("os.remove({path})\nsync()\nsay(ok=True)\n"),
    )
    .map(|_| ())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let digits = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(pair).ok().filter(|_| digits)?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_as_text() {
        let all: Vec<u8> = (0..=255).collect();
        let text: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(unhex(&text).unwrap(), all);
        for bad in ["0", "0g", "+1", "\u{e4}"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_path_is_a_python_string_whatever_is_in_it() {
        assert_eq!(quoted("/sd card/it's\n"), "'/sd card/it\\'s\\x0a'");
    }
}
