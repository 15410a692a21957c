//! Why a board file was refused.

use crate::UsbId;

/// Why a board file was refused. All of these are mistakes in the file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No TOML, an unknown or missing key, or a value that does not fit its type.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// A refusal, with the name of the file it is about.
    #[error("{file}: {source}")]
    File {
        /// File name.
        file: String,
        /// The refusal.
        source: Box<Error>,
    },
    /// Something the board needs is empty or absent.
    #[error("{board}: {what} is missing")]
    Missing {
        /// Board name.
        board: String,
        /// What.
        what: String,
    },
    /// Something that must be unique occurs twice.
    #[error("{board}: {what} {value} occurs twice")]
    Twice {
        /// Board name; the later of two boards.
        board: String,
        /// What kind of thing.
        what: &'static str,
        /// The thing.
        value: String,
    },
    /// A name refers to nothing.
    #[error("{board}: {from} names {what} {value}, which does not exist")]
    Dangling {
        /// Board name.
        board: String,
        /// Who refers.
        from: String,
        /// To what kind of thing.
        what: &'static str,
        /// The name.
        value: String,
    },
    /// Two regions share bytes and neither says so.
    #[error("{board}: regions {first} and {second} overlap")]
    Overlap {
        /// Board name.
        board: String,
        /// The one that starts first.
        first: String,
        /// The other.
        second: String,
    },
    /// A region is no whole number of erase units, or does not start and end with a sector.
    #[error("{board}: region {region} is not made of whole erase units")]
    BrokenUnits {
        /// Board name.
        board: String,
        /// Region name.
        region: String,
    },
    /// Something lies outside of where it belongs.
    #[error("{board}: {what} lies outside of {of}")]
    Outside {
        /// Board name.
        board: String,
        /// What.
        what: String,
        /// Of what.
        of: String,
    },
    /// One state shows one USB id in two eras that share a release.
    #[error("{board}: two identities of {usb} in state {state} share a release")]
    SameEra {
        /// Board name.
        board: String,
        /// USB id.
        usb: UsbId,
        /// State.
        state: crate::State,
    },
}

impl Error {
    /// Stable name, for scripts and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "board-syntax",
            Self::File { source, .. } => source.code(),
            Self::Missing { .. } => "board-missing",
            Self::Twice { .. } => "board-twice",
            Self::Dangling { .. } => "board-dangling",
            Self::Overlap { .. } => "board-overlap",
            Self::BrokenUnits { .. } => "board-broken-units",
            Self::Outside { .. } => "board-outside",
            Self::SameEra { .. } => "board-same-era",
        }
    }

    /// One thing a person can do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => {
                "Compare the line with a board file that works; keys are never invented."
            }
            Self::File { source, .. } => source.help(),
            Self::Missing { .. } => {
                "Add it: a board without it would leave somebody without an answer."
            }
            Self::Twice { .. } => "Keep one of the two and rename or remove the other.",
            Self::Dangling { .. } => "Correct the name, or add the thing it names.",
            Self::Overlap { .. } => {
                "Correct start or size; a real overlap is declared with `overlaps`."
            }
            Self::BrokenUnits { .. } => {
                "Compare start, size and erase unit with the chip's sector table."
            }
            Self::Outside { .. } => "Correct the address, or the size of what should contain it.",
            Self::SameEra { .. } => {
                "End the older identity with `until` before the newer one's `since`."
            }
        }
    }

    /// Turns the TOML reader's complaint into ours, with its place in `text`.
    pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::Syntax {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: error.message().to_owned(),
        }
    }

    pub(crate) fn in_file(self, file: &str) -> Self {
        Self::File {
            file: file.to_owned(),
            source: Box::new(self),
        }
    }
}
