//! The tokens of a script, with their places.
//!
//! ```text
//!   if x:       NAME NAME OP NEWLINE
//!       y = (   INDENT NAME OP OP NL        in brackets a line break separates nothing
//!         1)    NUMBER OP NEWLINE
//!   # end       COMMENT NL
//!               DEDENT END
//! ```
//!
//! Names and borders of tokens are those of `CPython`'s `tokenize`, which judges them. A formatted
//! string is one token, as the camera sees it. A mistake is noted, and the rest is still read.

use serde::Serialize;

use crate::finding::{Finding, Rule};

/// A tab reaches to the next multiple of this (micropython `py/lexer.c`, `TAB_SIZE`).
const TAB: usize = 8;
/// More mistakes than anybody reads.
const MOST_FINDINGS: usize = 50;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// Characters before it in its line.
    pub column: u32,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 0 };
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string of any kind, its prefix and quotes included.
    String,
    /// An operator, a bracket or another sign.
    Op,
    /// A comment, without its line break.
    Comment,
    /// The end of a logical line; empty when the file ends without a line break.
    Newline,
    /// A line break that ends nothing: of an empty line, a comment, or in brackets.
    Nl,
    /// One level deeper from here; empty.
    Indent,
    /// One level back; empty.
    Dedent,
    /// The end of the file; empty.
    End,
}

/// A piece of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte in the text.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// The line it begins in, counted from 1.
    pub line: u32,
    /// Where that line begins in the text.
    line_start: usize,
}

impl Token {
    /// Its text.
    #[must_use]
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Where it begins.
    #[must_use]
    pub fn place(&self, text: &str) -> Place {
        let before = text.get(self.line_start..self.start).unwrap_or_default();
        let column = before.chars().count();
        Place {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The letters before the quotes of a string, in lower case.
    #[must_use]
    pub fn prefix(&self, text: &str) -> String {
        let letters = self.of(text).chars();
        let letters = letters.take_while(char::is_ascii_alphabetic);
        letters.collect::<String>().to_ascii_lowercase()
    }
}

/// Splits a script into tokens. The findings are mistakes and doubtful indentation.
#[must_use]
pub fn tokenize(text: &str) -> (Vec<Token>, Vec<Finding>) {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        line_start: 0,
        open: Vec::new(),
        levels: vec![Level::default()],
        tabs: None,
        spaces: None,
        tokens: Vec::new(),
        findings: Vec::new(),
    };
    lexer.run();
    (lexer.tokens, lexer.findings)
}

/// How deep a line is indented: with tabs of eight columns, and with tabs of one. Lines must
/// compare alike in both, or their meaning hangs on the width of a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    wide: usize,
    narrow: usize,
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// Open brackets.
    open: Vec<Token>,
    levels: Vec<Level>,
    /// The first line indented with tabs, and with spaces.
    tabs: Option<u32>,
    spaces: Option<u32>,
    tokens: Vec<Token>,
    findings: Vec<Finding>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn is_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How long the line break here is: `\n`, `\r` or both; 0 for none.
    fn line_break(&self) -> usize {
        match (self.peek(0), self.peek(1)) {
            (b'\r', b'\n') => 2,
            (b'\r' | b'\n', _) => 1,
            _ => 0,
        }
    }

    fn next_line(&mut self, break_length: usize) {
        self.at += break_length;
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
    }

    /// A token from `start` to here.
    fn push(&mut self, kind: Kind, start: usize) {
        let token = self.token(kind, start);
        self.tokens.push(token);
    }

    fn token(&self, kind: Kind, start: usize) -> Token {
        Token {
            kind,
            start,
            end: self.at,
            line: self.line,
            line_start: self.line_start,
        }
    }

    fn found(&mut self, rule: Rule, at: Token, message: impl Into<String>) {
        if self.findings.len() < MOST_FINDINGS {
            let place = at.place(self.text);
            self.findings.push(Finding::new(rule, place, message));
        }
    }

    fn run(&mut self) {
        while !self.is_end() {
            self.line_head();
            self.line_rest();
        }
        if let Some(open) = self.open.last().copied() {
            let text = format!("`{}` is never closed", open.of(self.text));
            self.found(Rule::UnclosedBracket, open, text);
        }
        let is_break = |one: &Token| {
            matches!(
                one.kind,
                Kind::Newline | Kind::Nl | Kind::Indent | Kind::Dedent
            )
        };
        let last_line = self.tokens.rsplit(is_break).next();
        let last_line = last_line.unwrap_or_default();
        if !last_line.is_empty() {
            let is_statement = last_line.iter().any(|one| one.kind != Kind::Comment);
            let kind = if is_statement {
                Kind::Newline
            } else {
                Kind::Nl
            };
            self.push(kind, self.at);
        }
        for _ in 1..self.levels.len() {
            self.push(Kind::Dedent, self.at);
        }
        self.push(Kind::End, self.at);
        if let (Some(tabs), Some(spaces)) = (self.tabs, self.spaces) {
            let line = tabs.max(spaces);
            let text = format!("line {tabs} is indented with tabs, line {spaces} with spaces");
            let place = Place { line, column: 0 };
            self.findings
                .push(Finding::new(Rule::TwoIndentations, place, text));
        }
    }

    /// The indentation of a line that begins a statement.
    fn line_head(&mut self) {
        let begin = self.at;
        let mut level = Level::default();
        loop {
            match self.peek(0) {
                b' ' => {
                    level.wide += 1;
                    level.narrow += 1;
                }
                b'\t' => {
                    level.wide = (level.wide / TAB + 1) * TAB;
                    level.narrow += 1;
                }
                0x0C => level = Level::default(),
                _ => break,
            }
            self.at += 1;
        }
        let is_empty = self.line_break() > 0 || self.peek(0) == b'#' || self.is_end();
        if !is_empty {
            self.indent(begin, level);
        }
    }

    fn indent(&mut self, begin: usize, level: Level) {
        let white = self.bytes.get(begin..self.at).unwrap_or_default();
        if white.contains(&b'\t') {
            self.tabs = self.tabs.or(Some(self.line));
        } else if !white.is_empty() {
            self.spaces = self.spaces.or(Some(self.line));
        }
        let here = self.token(Kind::Indent, self.at);
        let last = self.levels.last().copied().unwrap_or_default();
        let mut is_clear = true;
        if level.wide > last.wide {
            is_clear = level.narrow > last.narrow;
            self.levels.push(level);
            // As `tokenize` has it: the token is the white space.
            self.push(Kind::Indent, begin);
        } else {
            while let Some(top) = self.levels.last().copied() {
                if level.wide >= top.wide {
                    if level.wide > top.wide {
                        let text = "this indentation goes back to no earlier line's";
                        self.found(Rule::Dedent, here, text);
                        self.levels.push(level);
                    } else {
                        is_clear = level.narrow == top.narrow;
                    }
                    break;
                }
                self.levels.pop();
                self.push(Kind::Dedent, self.at);
            }
        }
        if !is_clear {
            let text = "tabs and spaces are mixed: how deep this line is depends on the editor";
            self.found(Rule::TabsAndSpaces, here, text);
        }
    }

    /// The tokens up to the end of the logical line.
    fn line_rest(&mut self) {
        let first = self.tokens.len();
        while !self.is_end() {
            let start = self.at;
            let length = self.line_break();
            if length > 0 {
                let new = self.tokens.get(first..).unwrap_or_default();
                let is_statement = new
                    .iter()
                    .any(|one| !matches!(one.kind, Kind::Comment | Kind::Nl));
                let kind = if self.open.is_empty() && is_statement {
                    Kind::Newline
                } else {
                    Kind::Nl
                };
                self.at += length;
                self.push(kind, start);
                self.next_line(0);
                if self.open.is_empty() {
                    return;
                }
                continue;
            }
            match self.peek(0) {
                b' ' | b'\t' | 0x0C => self.at += 1,
                b'#' => {
                    while !self.is_end() && self.line_break() == 0 {
                        self.at += 1;
                    }
                    self.push(Kind::Comment, start);
                }
                b'\\' => self.backslash(start),
                b'0'..=b'9' => self.number(start),
                b'.' if self.peek(1).is_ascii_digit() => self.number(start),
                b'"' | b'\'' => self.string(start, 0),
                byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                    self.word(start);
                }
                _ => self.sign(start),
            }
        }
    }

    fn backslash(&mut self, start: usize) {
        self.at += 1;
        let here = self.token(Kind::Op, start);
        match self.line_break() {
            0 => self.found(Rule::Backslash, here, "text follows this backslash"),
            length => {
                self.next_line(length);
                if self.is_end() {
                    self.found(
                        Rule::Backslash,
                        here,
                        "nothing follows the last line's backslash",
                    );
                }
            }
        }
    }

    fn skip(&mut self, is: impl Fn(u8) -> bool) {
        while !self.is_end() && is(self.peek(0)) {
            self.at += 1;
        }
    }

    fn number(&mut self, start: usize) {
        let digits = |byte: u8| byte.is_ascii_digit() || byte == b'_';
        let marked = matches!(self.peek(1), b'x' | b'X' | b'o' | b'O' | b'b' | b'B');
        if self.peek(0) == b'0' && marked {
            self.at += 2;
            self.skip(|byte| byte.is_ascii_hexdigit() || byte == b'_');
        } else {
            self.skip(digits);
            if self.peek(0) == b'.' {
                self.at += 1;
                self.skip(digits);
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.skip(digits);
            }
            if matches!(self.peek(0), b'j' | b'J') {
                self.at += 1;
            }
        }
        self.push(Kind::Number, start);
    }

    /// A name, the prefix of a string, or a character that is neither.
    fn word(&mut self, start: usize) {
        let rest = self.text.get(start..).unwrap_or_default();
        let is_part = |one: &char| one.is_alphanumeric() || *one == '_' || is_joiner(*one);
        let length: usize = rest.chars().take_while(is_part).map(char::len_utf8).sum();
        if length == 0 {
            let strange = rest.chars().next().unwrap_or_default();
            self.strange(start, strange);
            return;
        }
        let word = rest.get(..length).unwrap_or_default();
        let next = self.peek(length);
        let prefixes = ["r", "b", "u", "f", "br", "rb", "fr", "rf"];
        let is_prefix = length <= 2 && prefixes.contains(&word.to_ascii_lowercase().as_str());
        if is_prefix && matches!(next, b'"' | b'\'') {
            self.string(start, length);
            return;
        }
        self.at += length;
        self.push(Kind::Name, start);
    }

    /// A string whose quote stands `prefix` bytes from here.
    fn string(&mut self, start: usize, prefix: usize) {
        let (line, line_start) = (self.line, self.line_start);
        self.at += prefix;
        let quote = self.peek(0);
        let is_long = self.peek(1) == quote && self.peek(2) == quote;
        self.at += if is_long { 3 } else { 1 };
        let is_whole = loop {
            if self.is_end() {
                break false;
            }
            let length = self.line_break();
            if length > 0 {
                if !is_long {
                    break false;
                }
                self.next_line(length);
            } else if self.peek(0) == b'\\' {
                self.at += 1;
                match self.line_break() {
                    0 if self.is_end() => {}
                    // Whole characters only, or a token would end inside one.
                    0 => self.at += self.character().map_or(1, char::len_utf8),
                    length => self.next_line(length),
                }
            } else if self.peek(0) != quote {
                self.at += 1;
            } else if !is_long {
                self.at += 1;
                break true;
            } else if self.peek(1) == quote && self.peek(2) == quote {
                self.at += 3;
                break true;
            } else {
                self.at += 1;
            }
        };
        let token = Token {
            line,
            line_start,
            ..self.token(Kind::String, start)
        };
        self.tokens.push(token);
        if !is_whole {
            let text = match is_long {
                true => "this string is never closed",
                false => "this string does not end in its line",
            };
            self.found(Rule::UnterminatedString, token, text);
        }
    }

    fn character(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn sign(&mut self, start: usize) {
        const SIGNS: [&str; 47] = [
            "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==", "!=",
            "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", ":=", "+", "-", "*", "/",
            "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".",
            ";", "=",
        ];
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
            let strange = rest.chars().next().unwrap_or_default();
            self.strange(start, strange);
            return;
        };
        self.at += sign.len();
        let token = self.token(Kind::Op, start);
        self.tokens.push(token);
        match *sign {
            "(" | "[" | "{" => self.open.push(token),
            ")" | "]" | "}" => self.close(token),
            _ => {}
        }
    }

    fn close(&mut self, token: Token) {
        let shut = token.of(self.text);
        let Some(open) = self.open.pop() else {
            let text = format!("`{shut}` closes nothing");
            self.found(Rule::WrongBracket, token, text);
            return;
        };
        let opener = open.of(self.text);
        if !matches!((opener, shut), ("(", ")") | ("[", "]") | ("{", "}")) {
            let text = format!("`{shut}` does not close `{opener}` of line {}", open.line);
            self.found(Rule::WrongBracket, token, text);
        }
    }

    fn strange(&mut self, start: usize, strange: char) {
        self.at += strange.len_utf8();
        let here = self.token(Kind::Op, start);
        let code = u32::from(strange);
        let text = match strange {
            '\u{201C}' | '\u{201D}' | '\u{2018}' | '\u{2019}' => {
                format!("U+{code:04X} is a printer's quotation mark, not one of Python's")
            }
            '\u{A0}' => format!("U+{code:04X} is a space that is not one to Python"),
            '!'..='~' => format!("`{strange}` stands for nothing in Python"),
            _ => format!("the character U+{code:04X} cannot stand here"),
        };
        self.found(Rule::StrangeCharacter, here, text);
    }
}

/// Marks that may stand inside a name of some scripts of the world.
fn is_joiner(one: char) -> bool {
    matches!(
        one,
        '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}' | '\u{2040}'
    )
}

#[cfg(test)]
mod tests;
