//! The rules of the house that no compiler knows. Each is a function from text to findings, with
//! a bad sample that it must find and a good one that it must leave alone.

mod c;
mod commands;
mod errors;
mod floors;
mod licences;
mod metadata;
mod modules;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};

use crate::run::Shop;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, from the root of the repository.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Finding {
    /// A finding in one line of a file.
    pub fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        let (file, what) = (file.to_owned(), what.into());
        Self { file, line, what }
    }

    /// A finding in the first line of a file that contains `needle`.
    pub fn near(file: &str, text: &str, needle: &str, what: impl Into<String>) -> Self {
        let line = text.lines().position(|line| line.contains(needle));
        Self::at(file, line.map_or(1, |line| line + 1), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// The text files of the repository, by path from its root.
pub type Files = BTreeMap<String, String>;

/// Files that are tracked or could be, without what is no text.
fn files(shop: &Shop) -> Result<Files> {
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listed = shop.program("git").args(list).output();
    let listed = listed.context("tidy reads what git tracks")?;
    let mut files = Files::new();
    for name in listed.split_terminator('\0') {
        let path = shop.root.join(name);
        // A file may be deleted and not yet committed.
        if path.is_file()
            && let Ok(text) = String::from_utf8(std::fs::read(&path)?)
        {
            files.insert(name.to_owned(), text);
        }
    }
    Ok(files)
}

/// Holds the repository against all rules.
///
/// # Errors
/// When a rule is broken; every finding is printed before.
pub fn tidy(shop: &Shop) -> Result<()> {
    let files = files(shop)?;
    let all = metadata::read(shop)?;
    let deny = files.get("deny.toml").context("deny.toml is missing")?;
    let mut findings = Vec::new();
    findings.extend(text::every_file(&files));
    findings.extend(floors::edges(&all, &files));
    findings.extend(licences::unknown(&all, deny)?);
    findings.extend(c::compiled(&c::tree(shop)?));
    findings.extend(commands::disagreements(&files));
    findings.extend(errors::codes(&files));
    findings.extend(modules::left_out(&files));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy: {count} findings"),
    }
}

/// Files for the tests of the rules.
#[cfg(test)]
fn sample(files: &[(&str, &str)]) -> Files {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    files.iter().map(own).collect()
}
