//! The list of mutants, and whether each can still be applied.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// The list, relative to the root of the repository.
const LIST: &str = "xtask/mutants.toml";

/// Who must notice a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judge {
    /// NXP's own tool: this scene of the conformance test.
    Scene(String),
    /// Bytes that came from outside: the words after `cargo test`.
    Test(Vec<String>),
}

/// One way to break the device side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What it is called.
    pub name: String,
    /// What is wrong with the device then.
    pub why: String,
    /// The file, relative to the root.
    pub file: String,
    /// What stands there, exactly once.
    pub text: String,
    /// What is put in its place.
    pub replacement: String,
    /// Who must notice.
    pub judge: Judge,
}

impl Mutant {
    /// The broken content of its file below `root`.
    ///
    /// # Errors
    /// When the file is not there, or the text stands in it never or more than once.
    pub fn apply(&self, root: &Path) -> Result<String> {
        let (name, file) = (&self.name, &self.file);
        let whole = fs::read_to_string(root.join(file))
            .with_context(|| format!("mutant {name}: {file}"))?;
        match whole.matches(&self.text).count() {
            1 => Ok(whole.replacen(&self.text, &self.replacement, 1)),
            count => bail!("mutant {name}: its text stands {count} times in {file}, not once"),
        }
    }
}

fn parse(list: &str) -> Result<Vec<Mutant>> {
    let list: Table = toml::from_str(list)?;
    let rows = list.get("mutant").and_then(Value::as_array);
    let rows = rows.context("no mutants")?;
    let read = |row: &Value| {
        let text = |key: &str| {
            let value = row.get(key).and_then(Value::as_str);
            let value = value.with_context(|| format!("a mutant without `{key}`"))?;
            Ok::<_, anyhow::Error>(value.to_owned())
        };
        let words = row.get("test").and_then(Value::as_array).map(|words| {
            let words = words.iter().filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        });
        Ok(Mutant {
            name: text("name")?,
            why: text("why")?,
            file: text("file")?,
            text: text("text")?,
            replacement: text("replacement")?,
            judge: match words {
                Some(words) => Judge::Test(words),
                None => Judge::Scene(text("scene")?),
            },
        })
    };
    rows.iter().map(read).collect()
}

/// Reads the list of the repository at `root`.
///
/// # Errors
/// When it is not there or has a row that is not whole.
pub fn read(root: &Path) -> Result<Vec<Mutant>> {
    let list = fs::read_to_string(root.join(LIST)).context(LIST)?;
    parse(&list).context(LIST)
}

/// Looks whether every mutant still applies, and to something else than it leaves.
///
/// # Errors
/// With the names of those that do not.
pub fn check(root: &Path) -> Result<usize> {
    let mutants = read(root)?;
    let mut wrong = Vec::new();
    let mut names: Vec<&str> = mutants.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        wrong.push(format!("two mutants are called {}", pair[0]));
    }
    for one in &mutants {
        wrong.extend(one.apply(root).err().map(|error| format!("{error:#}")));
        if one.text == one.replacement {
            wrong.push(format!("mutant {} changes nothing", one.name));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(mutants.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_of_the_list_applies_to_this_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(check(&root).unwrap() >= 12);
    }

    #[test]
    fn a_mutant_whose_text_is_gone_or_stands_twice_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for text in ["no such text anywhere", "[[mutant]]"] {
            let mutant = Mutant {
                name: "sample".to_owned(),
                why: String::new(),
                file: LIST.to_owned(),
                text: text.to_owned(),
                replacement: String::new(),
                judge: Judge::Scene("what it is".to_owned()),
            };
            let error = mutant.apply(&root).unwrap_err().to_string();
            assert!(
                error.starts_with("mutant sample: its text stands"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_row_without_a_judge_is_refused() {
        let row = "[[mutant]]\nname='a'\nwhy='b'\nfile='c'\ntext='d'\nreplacement='e'\n";
        assert!(parse(row).is_err());
        assert!(parse(&format!("{row}scene='f'\n")).is_ok());
        assert!(parse("").is_err());
    }
}
