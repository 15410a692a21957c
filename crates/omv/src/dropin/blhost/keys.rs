//! `key-provisioning`: the key store of a chip.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost.py, spsdk/mboot/commands.py `KeyProvOperation`.

use omv_wire::mboot::tag;

use super::property as properties;
use super::session::Session;
use super::work::{command, number, raw, word};
use crate::dropin::files;
use crate::dropin::grammar::Given;
use crate::dropin::stop::Stop;

type Done = Result<(), Stop>;

/// Operations of key provisioning.
const ENROLL: u32 = 0;
const SET_USER_KEY: u32 = 1;
const SET_INTRINSIC_KEY: u32 = 2;
const WRITE_NON_VOLATILE: u32 = 3;
const READ_NON_VOLATILE: u32 = 4;
const WRITE_KEY_STORE: u32 = 5;
const READ_KEY_STORE: u32 = 6;

fn provision(session: &mut Session, name: &str, words: &[i128], key: Option<&[u8]>) -> Done {
    let reply = match key {
        None => session.simple(command(tag::KEY_PROVISIONING, words)?)?,
        Some(key) => {
            let words: Result<Vec<u32>, Stop> = words.iter().map(|one| word(*one)).collect();
            session.send(raw(tag::KEY_PROVISIONING, true, &words?)?, key, None)?
        }
    };
    session.show(name, reply.status, &[], None)
}

/// Types of keys, by name.
const KEY_TYPES: [(&str, i128); 8] = [
    ("OTFADKEK", 2),
    ("SBKEK", 3),
    ("PRINCE0", 7),
    ("PRINCE1", 8),
    ("PRINCE2", 9),
    ("PRINCE3", 10),
    ("USERKEK", 11),
    ("UDS", 12),
];

fn key_type(given: &Given) -> i128 {
    let text = given.text("TYPE").unwrap_or_default();
    let number = properties::plain_number(text);
    let named = KEY_TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    number.or(named.map(|(_, number)| *number)).unwrap_or(255)
}

pub fn enroll(session: &mut Session, _given: &Given) -> Done {
    provision(session, "enroll", &[ENROLL.into()], None)
}

pub fn set_key(session: &mut Session, given: &Given) -> Done {
    let words = [
        SET_INTRINSIC_KEY.into(),
        key_type(given),
        given.number("SIZE"),
    ];
    provision(session, "set-key", &words, None)
}

pub fn write_key_nonvolatile(session: &mut Session, given: &Given) -> Done {
    let words = [WRITE_NON_VOLATILE.into(), given.number("memoryID")];
    provision(session, "write-key-nonvolatile", &words, None)
}

pub fn read_key_nonvolatile(session: &mut Session, given: &Given) -> Done {
    let words = [READ_NON_VOLATILE.into(), given.number("memoryID")];
    provision(session, "read-key-nonvolatile", &words, None)
}

pub fn set_user_key(session: &mut Session, given: &Given) -> Done {
    let (path, size) = files::file_and_size(given.text("FILE[,SIZE]").unwrap_or_default())?;
    let kind = key_type(given);
    let content = files::read(path)?;
    let bits = given.maybe_number("key-size").filter(|bits| *bits != 0);
    let wanted = match (bits, usize::try_from(size)) {
        (Some(bits), _) => usize::try_from(bits / 8).unwrap_or(usize::MAX),
        (None, Ok(size)) if size > 0 => size,
        _ => content.len(),
    };
    if wanted < 1 {
        let text = format!("SPSDK: Expected size of key must be positive. Got: {wanted}");
        return Err(Stop::error("SPSDKError", text));
    }
    let key = key_bytes(&content, wanted).ok_or_else(|| {
        let got = content.len();
        let text = format!("SPSDK: Invalid key size. Expected: {wanted}, got: {got}");
        Stop::error("SPSDKError", text)
    })?;
    let words = [SET_USER_KEY.into(), kind, key.len() as i128];
    provision(session, "set-user-key", &words, Some(&key))
}

/// A key of this size, binary or as hexadecimal text.
fn key_bytes(content: &[u8], size: usize) -> Option<Vec<u8>> {
    if content.len() == size {
        return Some(content.to_vec());
    }
    let text = std::str::from_utf8(content).ok()?.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() != size.checked_mul(2)? || !digits.bytes().all(|one| one.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

pub fn write_key_store(session: &mut Session, given: &Given) -> Done {
    let key = files::source_file(given.text("FILE[,SIZE]").unwrap_or_default())?;
    let words = [WRITE_KEY_STORE.into(), 0, key.len() as i128];
    provision(session, "write-key-store", &words, Some(&key))
}

pub fn read_key_store(session: &mut Session, given: &Given) -> Done {
    let command = command(tag::KEY_PROVISIONING, &[READ_KEY_STORE.into()])?;
    let reply = session.fetch(command, KEY_STORE_LIMIT, None)?;
    let mut shown = Vec::new();
    if !reply.data.is_empty() {
        files::write(given.text("FILE").unwrap_or_default(), &reply.data)?;
        shown = vec![number(reply.data.len() as u64)];
    }
    session.show("read-key-store", reply.status, &shown, None)
}

/// Far more than any key store has.
const KEY_STORE_LIMIT: u32 = 1 << 20;
