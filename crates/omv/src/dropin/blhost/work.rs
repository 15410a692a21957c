//! What each command of `blhost` does.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost.py, spsdk/mboot/mcuboot.py.

use omv_wire::mboot::{Command, Reply, property, status, tag};

use super::lines::{self, Word};
use super::property as properties;
use super::session::Session;
use crate::dropin::files;
use crate::dropin::grammar::Given;
use crate::dropin::print;
use crate::dropin::python::{int, repr};
use crate::dropin::stop::Stop;

type Done = Result<(), Stop>;

/// Status of a fuse that reads other than it was burned.
const OTP_VERIFY_FAIL: u32 = 52009;
/// Statuses after a file was received that mean the device goes on by itself.
const PENDING: [u32; 2] = [10119, 10120];
/// Memory id under which an AES key is written.
const AES_KEY: u32 = 512;
/// Bytes of a key blob.
const BLOB: u32 = 72;

/// A number as it goes over the wire.
pub fn word(number: i128) -> Result<u32, Stop> {
    u32::try_from(number).map_err(|_| {
        let text = if u64::try_from(number).is_ok() {
            "'I' format requires 0 <= number <= 4294967295"
        } else {
            "argument out of range"
        };
        Stop::general("error", text)
    })
}

/// Ids of mapped memories make no difference where addresses are given.
pub fn clamp(session: &Session, memory: i128) -> Result<u32, Stop> {
    if memory > 255 || memory == 0 {
        return word(memory);
    }
    session.warn(lines::NOTE_MEMORY, "mcuboot.py:2181");
    Ok(0)
}

pub fn command(tag: u8, words: &[i128]) -> Result<Command, Stop> {
    let words: Result<Vec<u32>, Stop> = words.iter().map(|number| word(*number)).collect();
    raw(tag, false, &words?)
}

pub fn raw(tag: u8, sends: bool, words: &[u32]) -> Result<Command, Stop> {
    Command::new(tag, sends, words)
        .map_err(|error| Stop::error("McuBootError", format!("MBoot: {error}")))
}

pub fn number(value: impl Into<u64>) -> Word {
    Word::Number(value.into())
}

/// Numbers to a command without data, and its status.
fn plain(session: &mut Session, given: &Given, name: &str, tag: u8, keys: &[&str]) -> Done {
    let words: Vec<i128> = keys.iter().map(|key| given.number(key)).collect();
    let reply = session.simple(command(tag, &words)?)?;
    session.show(name, reply.status, &[], None)
}

pub fn call(session: &mut Session, given: &Given) -> Done {
    plain(session, given, "call", tag::CALL, &["ADDRESS", "ARGUMENT"])
}

pub fn execute(session: &mut Session, given: &Given) -> Done {
    let keys = ["ADDRESS", "ARGUMENT", "STACKPOINTER"];
    plain(session, given, "execute", tag::EXECUTE, &keys)
}

pub fn configure_memory(session: &mut Session, given: &Given) -> Done {
    let keys = ["MEMORY_ID", "ADDRESS"];
    plain(
        session,
        given,
        "configure-memory",
        tag::CONFIGURE_MEMORY,
        &keys,
    )
}

pub fn fill_memory(session: &mut Session, given: &Given) -> Done {
    let keys = ["ADDRESS", "BYTE_COUNT", "PATTERN"];
    plain(session, given, "fill-memory", tag::FILL_MEMORY, &keys)
}

pub fn flash_erase_all(session: &mut Session, given: &Given) -> Done {
    let keys = ["[MEMORY_ID]"];
    plain(
        session,
        given,
        "flash-erase-all",
        tag::FLASH_ERASE_ALL,
        &keys,
    )
}

pub fn flash_erase_all_unsecure(session: &mut Session, given: &Given) -> Done {
    let tag = tag::FLASH_ERASE_ALL_UNSECURE;
    plain(session, given, "flash-erase-all-unsecure", tag, &[])
}

pub fn reliable_update(session: &mut Session, given: &Given) -> Done {
    plain(
        session,
        given,
        "reliable-update",
        tag::RELIABLE_UPDATE,
        &["ADDRESS"],
    )
}

pub fn update_life_cycle(session: &mut Session, given: &Given) -> Done {
    plain(
        session,
        given,
        "update-life-cycle",
        tag::UPDATE_LIFE_CYCLE,
        &["LIFE CYCLE"],
    )
}

pub fn ele_message(session: &mut Session, given: &Given) -> Done {
    let keys = [
        "COMMAND MESSAGE ADDRESS",
        "COMMAND MESSAGE COUNT",
        "RESPONSE MESSAGE ADDRESS",
        "RESPONSE MESSAGE COUNT",
    ];
    let mut words = vec![0];
    words.extend(keys.iter().map(|key| given.number(key)));
    let reply = session.simple(command(tag::ELE_MESSAGE, &words)?)?;
    session.show("ele-message", reply.status, &[], None)
}

pub fn flash_erase_region(session: &mut Session, given: &Given) -> Done {
    let memory = clamp(session, given.number("[MEMORY_ID]"))?;
    let words = [
        given.number("ADDRESS"),
        given.number("BYTE_COUNT"),
        memory.into(),
    ];
    let reply = session.simple(command(tag::FLASH_ERASE_REGION, &words)?)?;
    session.show("flash-erase-region", reply.status, &[], None)
}

pub fn flash_security_disable(session: &mut Session, given: &Given) -> Done {
    let key = given.text("KEY").unwrap_or_default();
    if key.chars().count() != 16 {
        return Err(Stop::error(
            "SPSDKError",
            "SPSDK: Key length must be 8 bytes",
        ));
    }
    let half = |at: usize| {
        let digits = key.get(at..at + 8)?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| plain)
    };
    let (Some(low), Some(high)) = (half(0), half(8)) else {
        let text = "SPSDK: Key is not a valid hex-string [A-Fa-f0-9]";
        return Err(Stop::error("SPSDKError", text));
    };
    let reply = session.simple(Command::flash_security_disable(low, high))?;
    session.show("flash-security-disable", reply.status, &[], None)
}

fn fuse(session: &mut Session, index: i128, count: u32) -> Result<Reply, Stop> {
    session.simple(Command::efuse_read_once(word(index)?, count))
}

pub fn efuse_read_once(session: &mut Session, given: &Given) -> Done {
    let reply = fuse(session, given.number("ADDRESS"), 4)?;
    let value = reply.words.get(1).copied().unwrap_or(0);
    let words = [number(4u32), number(value)];
    let words = if reply.status == status::SUCCESS {
        &words[..]
    } else {
        &[]
    };
    session.show("efuse-read-once", reply.status, words, None)
}

pub fn efuse_program_once(session: &mut Session, given: &Given) -> Done {
    let mut index = given.number("ADDRESS");
    if given.text("[nolock/lock]") == Some("lock") {
        index |= 1 << 24;
    }
    let value = given.number("DATA");
    let words = [index, 4, value];
    let reply = session.simple(command(tag::FLASH_PROGRAM_ONCE, &words)?)?;
    let mut code = reply.status;
    let mut worked = code == status::SUCCESS;
    if worked && given.has("verify") {
        let read = fuse(session, index & 0xFF_FFFF, 4)?;
        code = read.status;
        let bits = i128::from(read.words.get(1).copied().unwrap_or(0));
        worked = code == status::SUCCESS && bits & value == value;
        if code == status::SUCCESS && !worked {
            code = OTP_VERIFY_FAIL;
        }
    }
    session.show("efuse-program-once", code, &[Word::Truth(worked)], None)
}

pub fn flash_read_once(session: &mut Session, given: &Given) -> Done {
    let count = if given.text("{4|8}") == Some("8") {
        8
    } else {
        4
    };
    let reply = fuse(session, given.number("INDEX"), count)?;
    let mut shown = Vec::new();
    if reply.status == status::SUCCESS {
        let size = reply.words.first().copied().unwrap_or(0).min(8);
        let values = reply.words.iter().skip(1).take(size as usize / 4);
        let value = values
            .enumerate()
            .fold(0, |all, (at, word)| all | u64::from(*word) << (32 * at));
        shown = vec![number(size), number(value)];
    }
    session.show("flash-read-once", reply.status, &shown, None)
}

pub fn flash_program_once(session: &mut Session, given: &Given) -> Done {
    let size = if given.text("{4|8}") == Some("8") {
        8
    } else {
        4
    };
    let data = given.number("DATA");
    let limit = 1i128 << (8 * size);
    if data < 0 {
        return Err(Stop::general(
            "OverflowError",
            "can't convert negative int to unsigned",
        ));
    }
    if data >= limit {
        return Err(Stop::general("OverflowError", "int too big to convert"));
    }
    let mut bytes = data.to_le_bytes()[..size].to_vec();
    if given.text("[LSB|MSB]") == Some("MSB") {
        bytes.reverse();
    }
    let mut words = vec![given.number("INDEX"), size as i128];
    let data = bytes.chunks_exact(4).map(|four| {
        four.iter()
            .rev()
            .fold(0, |all, byte| all << 8 | i128::from(*byte))
    });
    words.extend(data);
    let reply = session.simple(command(tag::FLASH_PROGRAM_ONCE, &words)?)?;
    session.show("flash-program-once", reply.status, &[], None)
}

/// Shows what a read brought, or puts it into the file, and then the result.
fn show_data(session: &Session, given: &Given, name: &str, reply: &Reply, wanted: i128) -> Done {
    let file = given.text("FILE").or_else(|| given.text("[FILE]"));
    // Of the two commands that take `-` for standard output, one shows it as text all the same.
    let file = file.filter(|file| name != "read-memory" || *file != "-");
    if !reply.data.is_empty() {
        match file {
            Some(file) => files::write(file, &reply.data)?,
            // Standard output is for the object alone.
            None if session.manner.json && !session.manner.silent => {
                eprintln!("{}", print::data(&reply.data, given.has("use-hexdump")));
            }
            None => print::line(&print::data(&reply.data, given.has("use-hexdump")))?,
        }
    }
    let came = reply.data.len();
    let extra = lines::read_of(came, wanted);
    session.show(name, reply.status, &[number(came as u64)], Some(&extra))
}

pub fn read_memory(session: &mut Session, given: &Given) -> Done {
    let (start, size) = (given.number("ADDRESS"), given.number("BYTE_COUNT"));
    let memory = clamp(session, given.number("[MEMORY_ID]"))?;
    let command = Command::read_memory(word(start)?, word(size)?, memory);
    let reply = session.fetch(command, word(size)?, Some("Reading memory"))?;
    show_data(session, given, "read-memory", &reply, size)
}

pub fn fuse_read(session: &mut Session, given: &Given) -> Done {
    let (start, size) = (given.number("ADDRESS"), given.number("BYTE_COUNT"));
    let memory = clamp(session, given.number("[MEMORY_ID]"))?;
    let command = Command::fuse_read(word(start)?, word(size)?, memory);
    let reply = session.fetch(command, word(size)?, None)?;
    show_data(session, given, "fuse-read", &reply, size)
}

pub fn flash_read_resource(session: &mut Session, given: &Given) -> Done {
    let (start, size) = (given.number("ADDRESS"), given.number("LENGTH"));
    if size % 4 != 0 {
        let text = "MBoot: The number of bytes to read is not aligned to the 4 bytes";
        return Err(Stop::error("McuBootError", text));
    }
    let option = u32::from(given.text("{0|1}") == Some("1"));
    let command = Command::flash_read_resource(word(start)?, word(size)?, option);
    let reply = session.fetch(command, word(size)?, None)?;
    show_data(session, given, "flash-read-resource", &reply, size)
}

/// Sends data, and shows how many went through.
fn write(
    session: &mut Session,
    given: &Given,
    name: &str,
    tag: u8,
    label: Option<&'static str>,
) -> Done {
    let data = files::source(
        given
            .text("FILE[,BYTE_COUNT] | {{HEX-DATA}}")
            .unwrap_or_default(),
    )?;
    session.find_packet_size()?;
    let memory = clamp(session, given.number("[MEMORY_ID]"))?;
    let words = [
        word(given.number("ADDRESS"))?,
        word(data.len() as i128)?,
        memory,
    ];
    let reply = session.send(raw(tag, true, &words)?, &data, label)?;
    let shown = [number(data.len() as u64)];
    let shown = if reply.status == status::SUCCESS {
        &shown[..]
    } else {
        &[]
    };
    session.show(name, reply.status, shown, None)
}

pub fn write_memory(session: &mut Session, given: &Given) -> Done {
    write(
        session,
        given,
        "write-memory",
        tag::WRITE_MEMORY,
        Some("Writing memory"),
    )
}

pub fn fuse_program(session: &mut Session, given: &Given) -> Done {
    write(session, given, "fuse-program", tag::FUSE_PROGRAM, None)
}

pub fn program_aeskey(session: &mut Session, given: &Given) -> Done {
    let data = given.bytes("FILE");
    let command = Command::write_memory(0, word(data.len() as i128)?, AES_KEY);
    let reply = session.send(command, data, None)?;
    session.show("program-aeskey", reply.status, &[], None)
}

pub fn receive_sb_file(session: &mut Session, given: &Given) -> Done {
    let data = given.bytes("FILE");
    let command = Command::receive_sb_file(word(data.len() as i128)?);
    let reply = session.send(command, data, Some("Sending SB file"))?;
    let code = if PENDING.contains(&reply.status) {
        0
    } else {
        reply.status
    };
    session.show("receive-sb-file", code, &[], None)
}

pub fn generate_key_blob(session: &mut Session, given: &Given) -> Done {
    let key = given.bytes("DEK_FILE");
    let selector = match given.text("[KEY_SEL]").unwrap_or_default() {
        "1" => 1,
        "2" | "ZMK" => 2,
        "3" | "CMK" => 3,
        _ => 0,
    };
    let command = Command::key_blob_send_key(selector, word(key.len() as i128)?);
    let mut reply = session.send(command, key, None)?;
    let mut shown = Vec::new();
    if reply.status == status::SUCCESS {
        reply = session.fetch(Command::key_blob_receive(selector, BLOB), BLOB, None)?;
    }
    if !reply.data.is_empty() {
        files::write(given.text("BLOB_FILE").unwrap_or_default(), &reply.data)?;
        shown = vec![number(reply.status), number(reply.data.len() as u64)];
    }
    session.show("generate-key-blob", reply.status, &shown, None)
}

pub fn get_property(session: &mut Session, given: &Given) -> Done {
    let tag = properties::number(given.text("PROPERTY_TAG").unwrap_or_default());
    warn_unknown(session, tag);
    let index = word(given.number("[INDEX]"));
    let tag = word(tag)?;
    let reply = session.simple(Command::get_property(tag, index?))?;
    if reply.status != status::SUCCESS {
        return session.show("get-property", reply.status, &[], None);
    }
    let shown: Vec<Word> = reply.words.iter().map(|word| number(*word)).collect();
    let text = properties::text(tag, &reply.words);
    session.show("get-property", reply.status, &shown, text.as_deref())
}

fn warn_unknown(session: &Session, tag: i128) {
    let known = u32::try_from(tag).is_ok_and(|tag| property::names(tag).is_some());
    if !known {
        let text = format!("Unknown property id: {tag} ({tag:#x})");
        session.log.tell(
            "WARNING",
            "spsdk.mboot.properties",
            &text,
            "properties.py:1510",
        );
    }
}

pub fn set_property(session: &mut Session, given: &Given) -> Done {
    let tag = properties::number(given.text("PROPERTY_TAG").unwrap_or_default());
    warn_unknown(session, tag);
    let words = [tag, given.number("VALUE")];
    let reply = session.simple(command(tag::SET_PROPERTY, &words)?)?;
    session.show("set-property", reply.status, &[], None)
}

pub fn reset(session: &mut Session, given: &Given) -> Done {
    let parameter = match given
        .text("reset-parameter")
        .filter(|text| !text.is_empty())
    {
        None => None,
        Some(text) => Some(int(text, 0).ok_or_else(|| {
            let text = format!("invalid literal for int() with base 0: {}", repr(text));
            Stop::general("ValueError", text)
        })?),
    };
    let words: Vec<i128> = parameter.into_iter().collect();
    let reply = session.simple(command(tag::RESET, &words)?)?;
    let silent = reply.left || reply.status == status::NO_RESPONSE;
    if silent {
        session.warn(lines::RESET_SILENT, "mcuboot.py:958");
    }
    let code = if silent { 0 } else { reply.status };
    session.show("reset", code, &[], None)
}
