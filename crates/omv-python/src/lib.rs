//! A script as text, before it is on a camera: what is wrong with it, what it imports, whether the
//! camera's firmware has that, and a copy without comments.
//!
//! ```text
//!   bytes --decode--> text --tokenize--> tokens --syntax--> the first mistake
//!                                           |
//!                                           +--imports--> modules --eras--> which the firmware lacks
//!                                           +--strip--> a smaller script that does the same
//! ```
//!
//! Start with [`lint`], which does all of the first line. The grammar is MicroPython's and not
//! `CPython`'s: a `match` statement or a positional-only parameter is a mistake here, because it is
//! one on the camera. A script is accepted when in doubt: what a camera takes is never refused.
//!
//! Deliberately absent: I/O, running anything, and opinions about style.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)
)]

mod decode;
mod era;
mod finding;
mod imports;
mod parse;
mod statement;
mod strip;
mod token;

pub use decode::decode;
pub use era::{Firmware, Standing, check_imports, check_names, standing};
pub use finding::{Finding, Rule, Severity};
pub use imports::{Import, imports};
pub use parse::syntax;
pub use strip::{Keep, strip};
pub use token::{Kind, Place, Token, tokenize};

/// What can be said of a script by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong or doubtful, in the order of the text.
    pub findings: Vec<Finding>,
    /// What it imports; empty for what is no text.
    pub imports: Vec<Import>,
}

impl Report {
    /// Whether the camera could not even start this script.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.severity() == Severity::Error)
    }
}

/// Looks at a script as it lies in a file.
#[must_use]
pub fn lint(bytes: &[u8]) -> Report {
    let (text, mut findings) = decode(bytes);
    let Some(text) = text else {
        let imports = Vec::new();
        return Report { findings, imports };
    };
    let (tokens, lexical) = tokenize(text);
    let is_whole = lexical.iter().all(|one| one.severity() != Severity::Error);
    findings.extend(lexical);
    // After a mistake among the tokens the parser would only repeat it in worse words.
    if is_whole {
        findings.extend(syntax(text, &tokens));
    }
    findings.sort_by_key(|finding| finding.place);
    let imports = imports(text, &tokens);
    Report { findings, imports }
}
