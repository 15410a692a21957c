//! The command-line grammar of the tools being stood in for, and its error lines.
//!
//! ```text
//!   TOOL [global options] COMMAND [arguments and options, mixed]
//! ```
//!
//! `clap` has other error lines and other exit codes, so this grammar is read by hand: as `click`
//! reads it, from one table a tool.
//!
//! Source: click 8.5, click/{core,parser,types,formatting}.py, as run by SPSDK 3.12.0.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};

use super::python::{close_matches, int, repr};
use super::stop::Stop;

/// Columns of a usage line.
const WIDTH: usize = 78;

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number in Python's grammar for source text: `0x10`, `16`.
    Integer,
    /// A number in hexadecimal digits.
    Hex,
    /// A number in decimal digits.
    Decimal,
    /// Anything.
    Text,
    /// One of these, in any case.
    Choice(&'static [&'static str]),
    /// A file that is read at once; `-` is standard input.
    FileIn,
    /// A file that is made when there is something to write; `-` is standard output.
    FileOut,
}

/// One argument of a command.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// What the usage line and the error lines call it.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// Its value when left out.
    pub default: Option<&'static str>,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Argument {
    /// One that must be there.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        let (default, optional) = (None, false);
        Self {
            name,
            kind,
            default,
            optional,
        }
    }

    /// One that may be left out.
    pub const fn maybe(name: &'static str, kind: Kind) -> Self {
        let (default, optional) = (None, true);
        Self {
            name,
            kind,
            default,
            optional,
        }
    }

    /// One that has a value when left out.
    pub const fn or(name: &'static str, kind: Kind, default: &'static str) -> Self {
        let (default, optional) = (Some(default), true);
        Self {
            name,
            kind,
            default,
            optional,
        }
    }
}

/// One option of a tool or a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its spellings. The last one, without dashes, is its key.
    pub names: &'static [&'static str],
    /// What its value must be; none for a switch.
    pub kind: Option<Kind>,
    /// A line of help.
    pub help: &'static str,
}

/// The table row of a command.
#[derive(Clone, Copy, Debug)]
pub struct Command<R> {
    /// Its name; two words where it belongs to a group.
    pub name: &'static str,
    /// A line of help.
    pub about: &'static str,
    /// Its arguments, in order.
    pub arguments: &'static [Argument],
    /// Its options.
    pub options: &'static [Flag],
    /// Whether it explains itself when nothing follows it.
    pub explains: bool,
    /// What carries it out.
    pub run: R,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(i128),
    /// A text, a choice as it is spelled in the table, or a file's name.
    Text(String),
    /// The content of a file.
    Bytes(Vec<u8>),
    /// A switch was given.
    Set,
}

/// What was given, by the key of each option and argument.
#[derive(Clone, Debug, Default)]
pub struct Given(HashMap<&'static str, Value>);

impl Given {
    /// A number that must be there: the table says so.
    pub fn number(&self, key: &str) -> i128 {
        self.maybe_number(key).unwrap_or_default()
    }

    /// A number, if there is one.
    pub fn maybe_number(&self, key: &str) -> Option<i128> {
        match self.0.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A text, if there is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The content of a file; empty without one.
    pub fn bytes(&self, key: &str) -> &[u8] {
        match self.0.get(key) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// Whether a switch was given.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

/// Where errors are reported: the usage line, and who to ask for help.
#[derive(Clone, Debug)]
pub struct Place {
    /// `blhost read-memory`.
    pub path: String,
    /// What follows the path in the usage line.
    pub rest: String,
    /// Whether the error says how to get help.
    pub hint: bool,
}

impl Place {
    /// The place of a tool or of a group of commands.
    pub fn group(path: &str, hint: bool) -> Self {
        Self {
            path: path.to_owned(),
            rest: "[OPTIONS] COMMAND [ARGS]...".to_owned(),
            hint,
        }
    }

    /// The place of a command.
    pub fn command<R>(tool: &str, command: &Command<R>) -> Self {
        let names = command.arguments.iter().map(|argument| argument.name);
        let rest: Vec<_> = std::iter::once("[OPTIONS]").chain(names).collect();
        Self {
            path: format!("{tool} {}", command.name),
            rest: rest.join(" "),
            hint: true,
        }
    }

    /// The usage line, wrapped, with its line end.
    pub fn usage(&self) -> String {
        let mut line = format!("Usage: {}", self.path);
        let indent = " ".repeat(line.len() + 1);
        let mut text = String::new();
        for word in self.rest.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line = indent[1..].to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        text + &line + "\n"
    }

    /// An error in this place.
    pub fn wrong(&self, message: impl Into<String>) -> Stop {
        let mut head = self.usage();
        if self.hint {
            head.push_str(&format!("Try '{} --help' for help.\n", self.path));
        }
        Stop::Usage {
            head,
            message: message.into(),
        }
    }
}

/// The option every tool and every command has.
pub const HELP: Flag = Flag {
    names: &["--help"],
    kind: None,
    help: "Show this message and exit.",
};

/// What a word on the command line is known to be, before its value is looked at.
struct Raw {
    flags: Vec<(&'static Flag, Option<String>)>,
    words: Vec<String>,
}

/// Takes a command line apart. Without `mixed`, the first word that is no option ends the options.
fn split(place: &Place, flags: &'static [Flag], line: &[String], mixed: bool) -> Result<Raw, Stop> {
    let mut raw = Raw {
        flags: Vec::new(),
        words: Vec::new(),
    };
    let mut rest = line
        .iter()
        .cloned()
        .collect::<std::collections::VecDeque<_>>();
    while let Some(word) = rest.pop_front() {
        if word == "--" {
            break;
        }
        if !word.starts_with('-') || word.len() == 1 {
            raw.words.push(word);
            if mixed {
                continue;
            }
            break;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let long = |flag: &&Flag| {
            let known =
                |known: &&str| *known == name && (known.starts_with("--") || known.len() > 2);
            flag.names.iter().any(known)
        };
        match (flags.iter().chain([&HELP]).find(long), value) {
            (Some(flag), None) => take(flag, name, &mut rest, &mut raw)?,
            (Some(flag), Some(value)) if flag.kind.is_some() => {
                raw.flags.push((flag, Some(value)));
            }
            (Some(_), Some(_)) => {
                return Err(misused(format!(
                    "Option {} does not take a value.",
                    repr(name)
                )));
            }
            (None, _) if word.starts_with("--") => {
                return Err(place.wrong(no_such_option(flags, name)));
            }
            (None, _) => short(place, flags, &word, &mut rest, &mut raw)?,
        }
    }
    raw.words.extend(rest);
    Ok(raw)
}

/// An option whose value, if it takes one, is the next word.
fn take(
    flag: &'static Flag,
    name: &str,
    rest: &mut std::collections::VecDeque<String>,
    raw: &mut Raw,
) -> Result<(), Stop> {
    let value = match flag.kind {
        None => None,
        Some(_) => Some(
            rest.pop_front()
                .ok_or_else(|| misused(format!("Option {} requires an argument.", repr(name))))?,
        ),
    };
    raw.flags.push((flag, value));
    Ok(())
}

/// One or more short options in a word: `-js`, `-pCOM3`.
fn short(
    place: &Place,
    flags: &'static [Flag],
    word: &str,
    rest: &mut std::collections::VecDeque<String>,
    raw: &mut Raw,
) -> Result<(), Stop> {
    for (at, letter) in word.char_indices().skip(1) {
        let name = format!("-{letter}");
        let Some(flag) = flags
            .iter()
            .find(|flag| flag.names.contains(&name.as_str()))
        else {
            return Err(place.wrong(format!("No such option {}.", repr(&name))));
        };
        let after = &word[at + letter.len_utf8()..];
        if flag.kind.is_some() && !after.is_empty() {
            rest.push_front(after.to_owned());
            return take(flag, &name, rest, raw);
        }
        take(flag, &name, rest, raw)?;
    }
    Ok(())
}

/// An error that comes without a usage line.
fn misused(message: String) -> Stop {
    let head = String::new();
    Stop::Usage { head, message }
}

fn no_such_option(flags: &'static [Flag], name: &str) -> String {
    let all = flags.iter().chain([&HELP]);
    let mut known: Vec<&str> = all.flat_map(|flag| flag.names.iter().copied()).collect();
    known.retain(|one| one.starts_with("--") || one.len() > 2);
    let like = close_matches(name, known.into_iter());
    format!("No such option {}.{}", repr(name), possibilities(&like))
}

/// ` Did you mean 'x'?`, or a list, or nothing.
fn possibilities(like: &[&str]) -> String {
    match like {
        [] => String::new(),
        [one] => format!(" Did you mean {}?", repr(one)),
        many => {
            let mut many: Vec<String> = many.iter().map(|one| repr(one)).collect();
            many.sort();
            format!(" (Did you mean one of: {}?)", many.join(", "))
        }
    }
}

/// The error for a command there is not.
pub fn no_such_command<'a>(
    place: &Place,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Stop {
    let like = close_matches(name, known);
    place.wrong(format!(
        "No such command {}.{}",
        repr(name),
        possibilities(&like)
    ))
}

/// Reads the global options: what they are, and the words from the command on.
pub fn globals(
    place: &Place,
    flags: &'static [Flag],
    line: &[String],
) -> Result<(Given, Vec<String>), Stop> {
    let raw = split(place, flags, line, false)?;
    let mut given = Given::default();
    for (flag, value) in raw.flags {
        option(place, &mut given, flag, value)?;
    }
    Ok((given, raw.words))
}

/// What a command says about itself.
pub fn help<R>(place: &Place, command: &Command<R>) -> String {
    let mut text = format!("{}\n  {}\n\nOptions:\n", place.usage(), command.about);
    text.push_str(&options_help(command.options));
    text.trim_end().to_owned()
}

/// The lines that explain options, `--help` last.
pub fn options_help(flags: &'static [Flag]) -> String {
    let line = |flag: &Flag| {
        let value = match flag.kind {
            Some(Kind::Integer | Kind::Decimal | Kind::Hex) => " NUMBER",
            Some(Kind::FileOut | Kind::FileIn) => " FILE",
            Some(_) => " TEXT",
            None => "",
        };
        format!("  {:<32}{}\n", flag.names.join(", ") + value, flag.help)
    };
    flags.iter().chain([&HELP]).map(line).collect()
}

/// Reads the options and arguments of a command.
pub fn arguments<R>(place: &Place, command: &Command<R>, line: &[String]) -> Result<Given, Stop> {
    let raw = split(place, command.options, line, true)?;
    let mut given = Given::default();
    if raw.flags.iter().any(|(flag, _)| flag.names == HELP.names) {
        return Err(Stop::Help(help(place, command)));
    }
    for (flag, value) in raw.flags {
        option(place, &mut given, flag, value)?;
    }
    let mut words = raw.words.into_iter();
    for argument in command.arguments {
        let word = words.next().or(argument.default.map(str::to_owned));
        let hint = repr(argument.name);
        match word {
            Some(word) => {
                let value = read(place, argument.kind, &hint, word)?;
                given.0.insert(argument.name, value);
            }
            None if argument.optional => {}
            None => {
                let choose = match argument.kind {
                    Kind::Choice(known) => {
                        format!(" Choose from:\n\t{}", known.join(",\n\t"))
                    }
                    _ => String::new(),
                };
                return Err(place.wrong(format!("Missing argument {hint}.{choose}")));
            }
        }
    }
    let extra: Vec<String> = words.collect();
    match extra.as_slice() {
        [] => Ok(given),
        [one] => Err(place.wrong(format!("Got unexpected extra argument ({one})"))),
        many => Err(place.wrong(format!(
            "Got unexpected extra arguments ({})",
            many.join(" ")
        ))),
    }
}

fn option(
    place: &Place,
    given: &mut Given,
    flag: &'static Flag,
    value: Option<String>,
) -> Result<(), Stop> {
    let key = flag.names.last().copied().unwrap_or_default();
    let value = match (flag.kind, value) {
        (Some(kind), Some(value)) => {
            let hint: Vec<String> = flag.names.iter().map(|name| repr(name)).collect();
            read(place, kind, &hint.join(" / "), value)?
        }
        _ => Value::Set,
    };
    given.0.insert(key.trim_start_matches('-'), value);
    Ok(())
}

/// Reads one value; `hint` is what the error calls it.
fn read(place: &Place, kind: Kind, hint: &str, word: String) -> Result<Value, Stop> {
    let wrong = |why: String| Err(place.wrong(format!("Invalid value for {hint}: {why}")));
    let number = |base| int(&word, base).map(Value::Number);
    let not_a_number = || format!("{} is not a valid integer", repr(&word));
    match kind {
        Kind::Integer => number(0).map_or_else(|| wrong(not_a_number()), Ok),
        Kind::Hex => number(16).map_or_else(|| wrong(not_a_number()), Ok),
        Kind::Decimal => number(10).map_or_else(|| wrong(not_a_number() + "."), Ok),
        Kind::Text | Kind::FileOut => Ok(Value::Text(word)),
        Kind::Choice(known) => {
            let same = |one: &&&str| one.eq_ignore_ascii_case(&word);
            match known.iter().find(same) {
                Some(one) => Ok(Value::Text((*one).to_owned())),
                None => {
                    let known: Vec<String> = known.iter().map(|one| repr(one)).collect();
                    wrong(format!(
                        "{} is not one of {}.",
                        repr(&word),
                        known.join(", ")
                    ))
                }
            }
        }
        Kind::FileIn => {
            let content = if word == "-" {
                let mut bytes = Vec::new();
                io::stdin().read_to_end(&mut bytes).map(|_| bytes)
            } else {
                fs::read(&word)
            };
            match content {
                Ok(bytes) => Ok(Value::Bytes(bytes)),
                Err(error) => wrong(format!("{}: {}", repr(&word), words_of(&error))),
            }
        }
    }
}

/// The system's own words for an error, without the number.
pub fn words_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
