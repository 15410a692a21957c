//! Why a drop-in ends before its work is done, and the exit code and line that go with it.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/utils/utils.py `catch_spsdk_error`; click 8.5,
//! click/exceptions.py.

/// The end of a run that is not success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The command line cannot be understood: usage and hint lines, if any, then the error. Exit
    /// code 2.
    Usage {
        /// `Usage: ...`, and `Try ...` where there is one, each with its line end.
        head: String,
        /// What is wrong.
        message: String,
    },
    /// A file named on the command line cannot be opened, found out late. Exit code 1.
    File(String),
    /// The device said no, or the interface was not named. Exit code 1.
    Refused(String),
    /// Another error of the tool's own kinds. Exit code 2.
    Error {
        /// Name of the class.
        kind: &'static str,
        /// What it says.
        text: String,
    },
    /// An error the tool did not expect. Exit code 3.
    General {
        /// Name of the class.
        kind: &'static str,
        /// What it says.
        text: String,
    },
    /// Help that was asked for. Exit code 0.
    Help(String),
    /// Help instead of an error. Exit code 2.
    NeedsHelp(String),
    /// No words, this exit code.
    Code(u8),
}

impl Stop {
    /// An error of the class `SPSDKError` or one derived from it.
    pub fn error(kind: &'static str, text: impl Into<String>) -> Self {
        Self::Error {
            kind,
            text: text.into(),
        }
    }

    /// An error of another Python class.
    pub fn general(kind: &'static str, text: impl Into<String>) -> Self {
        Self::General {
            kind,
            text: text.into(),
        }
    }

    /// Standard output failed. Nothing can be said about it.
    pub fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Code(0),
            _ => Self::Code(3),
        }
    }

    /// Prints what there is to say and gives the exit code.
    pub fn tell(&self) -> u8 {
        match self {
            Self::Usage { head, message } => {
                let gap = if head.is_empty() { "" } else { "\n" };
                eprintln!("{head}{gap}Error: {message}");
                2
            }
            Self::File(message) => {
                eprintln!("Error: {message}");
                1
            }
            Self::Refused(text) => {
                eprintln!("SPSDKAppError: {text}");
                1
            }
            Self::Error { kind, text } => {
                eprintln!("{kind}: {text}");
                2
            }
            Self::General { kind, text } => {
                eprintln!("GENERAL ERROR: {kind}: {text}");
                3
            }
            Self::Help(text) => {
                use std::io::Write;
                // A pager that was closed needs no more help.
                let _ = writeln!(std::io::stdout(), "{text}");
                0
            }
            Self::NeedsHelp(text) => {
                eprintln!("{text}");
                2
            }
            Self::Code(code) => *code,
        }
    }
}
