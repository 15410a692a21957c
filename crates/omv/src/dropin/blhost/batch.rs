//! `blhost batch FILE`: one command a line, shell quoting, `#` begins a comment, the first
//! failure ends it.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost.py `batch`; Python's shlex.

use super::session::Session;
use super::{COMMANDS, KEYS};
use crate::dropin::files;
use crate::dropin::grammar::{self, Place};
use crate::dropin::stop::Stop;

/// Carries out the commands in a file. Errors in its lines are reported as errors of `place`.
pub fn run(session: &mut Session, place: &Place, path: &str) -> Result<(), Stop> {
    let bytes = files::read(path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let text = format!("'utf-8' codec can't decode: {error}");
        Stop::general("UnicodeDecodeError", text)
    })?;
    for line in text.lines() {
        let words = split(line)?;
        let Some((name, rest)) = words.split_first() else {
            continue;
        };
        // The tool takes a group for a command that does nothing.
        if name == KEYS && !rest.is_empty() {
            continue;
        }
        let Some(row) = COMMANDS.iter().find(|row| row.name == name) else {
            let text = format!("SPSDK: Unknown command: {name}");
            return Err(Stop::error("SPSDKError", text));
        };
        if row.explains && rest.is_empty() {
            return Err(Stop::NeedsHelp(grammar::help(place, row)));
        }
        let given = grammar::arguments(place, row, rest)?;
        (row.run)(session, &given)?;
    }
    Ok(())
}

/// Takes a line apart as a POSIX shell does, without expansions.
fn split(line: &str) -> Result<Vec<String>, Stop> {
    let unbalanced = |what: &str| Stop::general("ValueError", format!("No {what}"));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '#' => break,
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => word.push(letter),
                        None => return Err(unbalanced("closing quotation")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') if matches!(letters.peek(), Some('"' | '\\')) => {
                            word.extend(letters.next());
                        }
                        Some(letter) => word.push(letter),
                        None => return Err(unbalanced("closing quotation")),
                    }
                }
            }
            '\\' => match letters.next() {
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Err(unbalanced("escaped character")),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart_as_a_shell_does_it() {
        for (line, words) in [
            ("read-memory 0 4 # four", vec!["read-memory", "0", "4"]),
            (
                "write-memory 0 '{{11 22}}'",
                vec!["write-memory", "0", "{{11 22}}"],
            ),
            ("a \"b \\\" c\"d \\ e ''", vec!["a", "b \" cd", " e", ""]),
            ("   # nothing", vec![]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(split("a 'b").is_err());
        assert!(split("a \\").is_err());
    }
}
