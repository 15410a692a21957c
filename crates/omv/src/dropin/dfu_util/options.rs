//! The command line of dfu-util, read as the C library's `getopt_long` reads it: options and
//! values in any order, short ones in one word, long ones cut short.
//!
//! Source: dfu-util 0.11, src/main.c and src/dfuse.c `dfuse_parse_options`; glibc's getopt.

use super::code;
use super::lines::{HELP, Say};
use crate::dropin::stop::Stop;

/// An id no device has.
const NOBODY: u32 = 0x1_0000;

/// Long names, each with its letter and whether it wants a value. `wait` wants one here although
/// its letter does not; that is how dfu-util 0.11 has it.
const LONG: &[(&str, char, bool)] = &[
    ("help", 'h', false),
    ("version", 'V', false),
    ("verbose", 'v', false),
    ("list", 'l', false),
    ("detach", 'e', false),
    ("detach-delay", 'E', true),
    ("device", 'd', true),
    ("path", 'p', true),
    ("configuration", 'c', true),
    ("cfg", 'c', true),
    ("interface", 'i', true),
    ("intf", 'i', true),
    ("altsetting", 'a', true),
    ("alt", 'a', true),
    ("serial", 'S', true),
    ("transfer-size", 't', true),
    ("upload", 'U', true),
    ("upload-size", 'Z', true),
    ("download", 'D', true),
    ("reset", 'R', false),
    ("dfuse-address", 's', true),
    ("devnum", 'n', true),
    ("wait", 'w', true),
];
const PLAIN: &str = "hVvleRw";
const VALUED: &str = "EdpciaStUDsZn";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Version,
    List,
    Detach,
    /// Into this file.
    Upload(String),
    Download,
    /// A DfuSe command alone.
    Command,
}

/// Which alternate setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alternate {
    Number(u32),
    Name(String),
}

/// Ids that a device must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub vendor: Option<u32>,
    pub product: Option<u32>,
}

impl Ids {
    /// Whether a device has them.
    pub fn fit(&self, vid: u16, pid: u16) -> bool {
        self.vendor.is_none_or(|id| id == u32::from(vid))
            && self.product.is_none_or(|id| id == u32::from(pid))
    }
}

/// The options given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub mode: Option<Mode>,
    pub verbose: u8,
    /// Ids in run-time mode, and what a file is compared with.
    pub runtime: Ids,
    /// Ids in DFU mode.
    pub ids: Ids,
    pub path: Option<String>,
    pub configuration: Option<u32>,
    pub interface: Option<u32>,
    pub alternate: Option<Alternate>,
    pub devnum: Option<u64>,
    /// Serial number in DFU mode.
    pub serial: Option<String>,
    pub size: Option<u16>,
    pub file: String,
    pub expected: u64,
    pub reset: bool,
    pub dfuse: Option<String>,
    pub wait: bool,
}

/// Reads the command line; nothing when help was asked for and given.
pub fn read(line: &[String], say: &mut Say<'_>) -> Result<Option<Given>, Stop> {
    let mut given = Given::default();
    let mut words = line.iter();
    let mut extra = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            extra.extend(words.by_ref());
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let (name, letter, wants) = long_option(name, say)?;
            let value = match (wants, value) {
                (false, Some(_)) => {
                    return Err(usage(
                        say,
                        &format!("option '--{name}' doesn't allow an argument"),
                    ));
                }
                (true, None) => match words.next() {
                    Some(value) => value.clone(),
                    None => {
                        let text = format!("option '--{name}' requires an argument");
                        return Err(usage(say, &text));
                    }
                },
                (_, value) => value.unwrap_or_default(),
            };
            if take(&mut given, letter, value, say)? {
                return Ok(None);
            }
        } else if word.len() > 1 && word.starts_with('-') {
            let mut letters = word.chars();
            letters.next();
            while let Some(letter) = letters.next() {
                let value = if VALUED.contains(letter) {
                    let rest = letters.as_str().to_owned();
                    letters = "".chars();
                    match (rest.is_empty(), rest) {
                        (false, rest) => rest,
                        (true, _) => match words.next() {
                            Some(value) => value.clone(),
                            None => {
                                let text = format!("option requires an argument -- '{letter}'");
                                return Err(usage(say, &text));
                            }
                        },
                    }
                } else if PLAIN.contains(letter) {
                    String::new()
                } else {
                    return Err(usage(say, &format!("invalid option -- '{letter}'")));
                };
                if take(&mut given, letter, value, say)? {
                    return Ok(None);
                }
            }
        } else {
            extra.push(word);
        }
    }
    if let Some(word) = extra.first() {
        say.complain(&format!("Error: Unexpected argument: {word}\n"));
        say.complain(HELP);
        return Err(Stop::Code(code::USAGE));
    }
    Ok(Some(given))
}

fn usage(say: &mut Say<'_>, text: &str) -> Stop {
    say.warn(text);
    say.complain(HELP);
    Stop::Code(code::USAGE)
}

/// The long option of this name, or the only one that begins like it.
fn long_option(name: &str, say: &mut Say<'_>) -> Result<(&'static str, char, bool), Stop> {
    if let Some(row) = LONG.iter().find(|row| row.0 == name) {
        return Ok(*row);
    }
    let begins = || LONG.iter().filter(|row| row.0.starts_with(name));
    let Some(first) = begins().next() else {
        return Err(usage(say, &format!("unrecognized option '--{name}'")));
    };
    if begins().any(|row| (row.1, row.2) != (first.1, first.2)) {
        let names: Vec<String> = begins().map(|row| format!(" '--{}'", row.0)).collect();
        let names = names.concat();
        let text = format!("option '--{name}' is ambiguous; possibilities:{names}");
        return Err(usage(say, &text));
    }
    Ok(*first)
}

/// Takes one option; true when that was all to do.
fn take(given: &mut Given, letter: char, value: String, say: &mut Say<'_>) -> Result<bool, Stop> {
    match letter {
        'h' => {
            say.complain(HELP);
            return Ok(true);
        }
        'V' => given.mode = Some(Mode::Version),
        'v' => given.verbose = given.verbose.saturating_add(1),
        'l' => given.mode = Some(Mode::List),
        'e' => given.mode = Some(Mode::Detach),
        'E' => drop(number("detach-delay", &value, say)?),
        'd' => (given.runtime, given.ids) = ids(&value),
        'p' => given.path = Some(value),
        'c' => {
            let number = number("cfg", &value, say)?;
            given.configuration = u32::try_from(number).ok().filter(|number| *number != 0);
        }
        'i' => given.interface = u32::try_from(number("intf", &value, say)?).ok(),
        'a' => {
            given.alternate = Some(match c_number(&value) {
                (number, "") => Alternate::Number(u32::try_from(number).unwrap_or(u32::MAX)),
                _ => Alternate::Name(value),
            });
        }
        'n' => given.devnum = u64::try_from(c_number(&value).0).ok(),
        'S' => {
            let serial = value.split_once(',').map_or(&*value, |(_, dfu)| dfu);
            given.serial = Some(serial.to_owned()).filter(|serial| !serial.is_empty());
        }
        't' => {
            let size = number("transfer-size", &value, say)?;
            given.size = match u16::try_from(size) {
                Ok(0) => None,
                Ok(size) => Some(size),
                Err(_) => Some(u16::MAX),
            };
        }
        'U' => given.mode = Some(Mode::Upload(value)),
        'Z' => given.expected = u64::try_from(number("upload-size", &value, say)?).unwrap_or(0),
        'D' => {
            given.mode = Some(Mode::Download);
            given.file = value;
        }
        'R' => given.reset = true,
        's' => given.dfuse = Some(value),
        'w' => given.wait = true,
        _ => {}
    }
    Ok(false)
}

/// Reads `VID:PID[,VID:PID]`: ids in run-time mode, and in DFU mode.
fn ids(text: &str) -> (Ids, Ids) {
    let pair = |text: &str, default: Ids| {
        let (vendor, product) = match text.split_once(':') {
            Some((vendor, product)) => (vendor, Some(product)),
            None => (text, None),
        };
        Ids {
            vendor: id(vendor, default.vendor),
            product: product.map_or(default.product, |text| id(text, default.product)),
        }
    };
    match text.split_once(',') {
        None => (pair(text, Ids::default()), Ids::default()),
        Some(("", dfu)) => {
            let nobody = Ids {
                vendor: Some(NOBODY),
                product: Some(NOBODY),
            };
            (nobody, pair(dfu, Ids::default()))
        }
        Some((runtime, dfu)) => {
            let runtime = pair(runtime, Ids::default());
            (runtime, pair(dfu, runtime))
        }
    }
}

/// One id: `*` is any, `-` none, hexadecimal digits that one.
fn id(text: &str, default: Option<u32>) -> Option<u32> {
    match text.chars().next() {
        Some('*') => None,
        Some('-') => Some(NOBODY),
        _ => {
            let text = text.trim_start();
            let text = text.strip_prefix("0x").unwrap_or(text);
            let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
            match u32::from_str_radix(text.get(..digits).unwrap_or_default(), 16) {
                Ok(id) => Some(id),
                Err(_) => default,
            }
        }
    }
}

/// A number as C's `strtoul` reads it with base 0, and what is left of the text.
pub fn c_number(text: &str) -> (i64, &str) {
    let (sign, rest) = match text.trim_start() {
        rest if rest.starts_with('-') => (-1, &rest[1..]),
        rest => (1, rest.strip_prefix('+').unwrap_or(rest)),
    };
    let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
    let (digits, base) = match hex {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_hexdigit()) => (digits, 16),
        _ if rest.starts_with('0') => (rest, 8),
        _ => (rest, 10),
    };
    let count = digits.chars().take_while(|c| c.is_digit(base)).count();
    if count == 0 {
        return (0, text);
    }
    let (digits, left) = digits.split_at(count);
    let number = i64::from_str_radix(digits, base).unwrap_or(i64::MAX);
    (sign * number, left)
}

fn number(option: &str, text: &str, say: &mut Say<'_>) -> Result<i64, Stop> {
    match c_number(text) {
        (number, "") if !text.is_empty() => Ok(number),
        _ if text.is_empty() => {
            let text = format!("No digits were found from the argument of --{option}\n");
            Err(say.stop(code::USAGE, &text))
        }
        _ => {
            let text = format!("Something went wrong with the argument of --{option}\n");
            Err(say.stop(code::USAGE, &text))
        }
    }
}

/// What `-s` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub address: Option<u32>,
    pub length: u32,
    pub force: bool,
    pub leave: bool,
    pub unprotect: bool,
    pub mass_erase: bool,
    pub will_reset: bool,
}

impl Wishes {
    /// Reads `ADDRESS[:word]...`; words may be cut short.
    pub fn read(text: Option<&str>, say: &mut Say<'_>) -> Result<Self, Stop> {
        let mut wishes = Self::default();
        let Some(text) = text else {
            return Ok(wishes);
        };
        let (address, words) = text.split_once(':').unwrap_or((text, ""));
        if !(address.is_empty() && text.starts_with(':')) {
            match c_number(address) {
                (number, "") => wishes.address = Some(number as u32),
                _ => {
                    let text = format!("Invalid dfuse address: {text}");
                    return Err(say.stop(code::USAGE, &text));
                }
            }
        }
        for word in words.split(':').filter(|word| !word.is_empty()) {
            let flags = [
                ("force", &mut wishes.force),
                ("leave", &mut wishes.leave),
                ("unprotect", &mut wishes.unprotect),
                ("mass-erase", &mut wishes.mass_erase),
                ("will-reset", &mut wishes.will_reset),
            ];
            let flag = flags.into_iter().find(|flag| flag.0.starts_with(word));
            match (flag, c_number(word)) {
                (Some((_, flag)), _) => *flag = true,
                (None, (length, "")) => wishes.length = u32::try_from(length).unwrap_or(0),
                _ => {
                    let text = format!("Invalid dfuse modifier: {word}");
                    return Err(say.stop(code::USAGE, &text));
                }
            }
        }
        Ok(wishes)
    }
}
