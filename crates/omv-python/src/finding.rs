//! What is found in a script: a rule with a stable name, and where.

use std::fmt;

use serde::Serialize;

use crate::token::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It works, and may still not be what was meant.
    Warning,
    /// The camera cannot start the script, or not all of it.
    Error,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// Bytes of value 0.
    NulBytes,
    /// Text in UTF-16.
    Utf16,
    /// A byte order mark at the start.
    ByteOrderMark,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Indentation whose depth depends on how wide a tab is.
    TabsAndSpaces,
    /// Both kinds of indentation in one file, although never ambiguous.
    TwoIndentations,
    /// Indentation that returns to no earlier level.
    Dedent,
    /// A string without an end.
    UnterminatedString,
    /// A bracket that is never closed.
    UnclosedBracket,
    /// A bracket that closes nothing, or one of another kind.
    WrongBracket,
    /// A backslash that continues no line.
    Backslash,
    /// A character that stands for nothing outside strings.
    StrangeCharacter,
    /// The grammar says no.
    Syntax,
    /// Nested deeper than this program follows.
    TooDeep,
    /// A module that this firmware has not, but another one has.
    ModuleMissing,
    /// A module that no firmware is known to have: it must lie beside the script.
    ModuleNotBuiltIn,
    /// A name that a module of this firmware has lost, or has not yet.
    NameMissing,
}

impl Rule {
    /// Every rule, in the order of their documentation.
    pub const ALL: [Self; 17] = [
        Self::NulBytes,
        Self::Utf16,
        Self::ByteOrderMark,
        Self::NotUtf8,
        Self::TabsAndSpaces,
        Self::TwoIndentations,
        Self::Dedent,
        Self::UnterminatedString,
        Self::UnclosedBracket,
        Self::WrongBracket,
        Self::Backslash,
        Self::StrangeCharacter,
        Self::Syntax,
        Self::TooDeep,
        Self::ModuleMissing,
        Self::ModuleNotBuiltIn,
        Self::NameMissing,
    ];

    /// Stable name, for JSON and scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NulBytes => "nul-bytes",
            Self::Utf16 => "utf16",
            Self::ByteOrderMark => "byte-order-mark",
            Self::NotUtf8 => "not-utf8",
            Self::TabsAndSpaces => "tabs-and-spaces",
            Self::TwoIndentations => "two-indentations",
            Self::Dedent => "dedent",
            Self::UnterminatedString => "unterminated-string",
            Self::UnclosedBracket => "unclosed-bracket",
            Self::WrongBracket => "wrong-bracket",
            Self::Backslash => "backslash",
            Self::StrangeCharacter => "strange-character",
            Self::Syntax => "syntax",
            Self::TooDeep => "too-deep",
            Self::ModuleMissing => "module-missing",
            Self::ModuleNotBuiltIn => "module-not-built-in",
            Self::NameMissing => "name-missing",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::NulBytes => {
                "The file was damaged on its way or on its disk: save it anew from a good copy, and test the card."
            }
            Self::Utf16 | Self::ByteOrderMark => {
                "Save it as UTF-8 without a byte order mark; editors call that \"UTF-8\"."
            }
            Self::NotUtf8 => {
                "Save it as UTF-8, or take out the characters that are no English ones."
            }
            Self::TabsAndSpaces => {
                "Indent the whole file with spaces: the camera counts a tab as up to eight of them."
            }
            Self::TwoIndentations => "Nothing has to be done; editors can convert tabs to spaces.",
            Self::Dedent => "Move the line under one of the lines above that it belongs to.",
            Self::UnterminatedString => {
                "Close the string. If all was well here, the file is cut short: save it again."
            }
            Self::UnclosedBracket => {
                "Close the bracket. If all was well here, the file is cut short: save it again."
            }
            Self::WrongBracket => "Compare this bracket with the one it should belong to.",
            Self::Backslash => {
                "A backslash that joins two lines is the last character of its line."
            }
            Self::StrangeCharacter => {
                "Type it anew: text copied from a page or a word processor brings such characters."
            }
            Self::Syntax => {
                "The camera's Python is MicroPython: what is new since Python 3.5 is often not in it."
            }
            Self::TooDeep => "Split the expression or move the inner part into a function.",
            Self::ModuleMissing => {
                "Update the firmware, or use the module that this firmware has in its place."
            }
            Self::ModuleNotBuiltIn => "Put the module's file on the same disk as the script.",
            Self::NameMissing => "Use what this firmware has in its place, or another firmware.",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::TwoIndentations | Self::TooDeep | Self::ModuleNotBuiltIn | Self::NameMissing => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub rule: Rule,
    /// Where it stands.
    pub place: Place,
    /// What it is, one line. It quotes nothing from the script but names and single characters.
    pub message: String,
    /// For an import that a `try` guards or a function holds, and so need not matter.
    pub guarded: bool,
}

impl Finding {
    /// A finding that counts as its rule says.
    #[must_use]
    pub fn new(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            rule,
            place,
            message,
            guarded: false,
        }
    }

    /// How bad it is: what is guarded is at most a warning.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.guarded {
            Severity::Warning
        } else {
            self.rule.severity()
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "{line}:{}: {}", column + 1, self.message)
    }
}
