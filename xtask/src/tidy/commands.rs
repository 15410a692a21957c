//! The table of commands in the README against the commands the program has.

use std::collections::BTreeMap;

use super::{Files, Finding};

const README: &str = "README.md";
const PARSER: &str = "crates/omv/src/cli.rs";
const ROW: &str = "| `omv ";

/// The variants of `enum Command`, as they are typed, with their lines. Hidden ones are left out.
/// The file is formatted, so a variant is what stands four spaces deep.
fn of_program(parser: &str) -> BTreeMap<String, usize> {
    let mut commands = BTreeMap::new();
    let lines = parser.lines().enumerate();
    let body = lines.skip_while(|(_, line)| !line.starts_with("pub enum Command "));
    let mut hidden = false;
    for (at, line) in body.skip(1).take_while(|(_, line)| *line != "}") {
        let inner = line.strip_prefix("    ").unwrap_or_default();
        if inner.starts_with(|first: char| first.is_ascii_uppercase()) {
            let end = inner.find(|next: char| !next.is_alphanumeric());
            let name = &inner[..end.unwrap_or(inner.len())];
            if !std::mem::take(&mut hidden) {
                commands.insert(as_typed(name), at + 1);
            }
        } else if !inner.starts_with("//") {
            hidden |= inner.contains("hide = true");
        }
    }
    commands
}

/// `PowerCut` is typed `power-cut`.
fn as_typed(variant: &str) -> String {
    let mut typed = String::new();
    for (at, letter) in variant.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            typed.push('-');
        }
        typed.push(letter.to_ascii_lowercase());
    }
    typed
}

/// The commands in the README's table, with their first lines.
fn of_readme(readme: &str) -> BTreeMap<String, usize> {
    let mut commands = BTreeMap::new();
    for (at, line) in readme.lines().enumerate() {
        if let Some(rest) = line.strip_prefix(ROW) {
            let end = rest.find([' ', '`']).unwrap_or(rest.len());
            commands.entry(rest[..end].to_owned()).or_insert(at + 1);
        }
    }
    commands
}

/// Commands that only one of the two has.
pub fn disagreements(files: &Files) -> Vec<Finding> {
    let Some(parser) = files.get(PARSER) else {
        return vec![Finding::at(
            PARSER,
            1,
            "missing: the commands are defined there",
        )];
    };
    let program = of_program(parser);
    if program.is_empty() {
        return vec![Finding::at(
            PARSER,
            1,
            "no `pub enum Command` with the commands in it",
        )];
    }
    let Some(readme) = files.get(README) else {
        return vec![Finding::at(
            README,
            1,
            "missing: it has the table of commands",
        )];
    };
    let table = of_readme(readme);
    if table.is_empty() {
        let what = format!("no table of commands; its rows begin with {ROW}NAME`");
        return vec![Finding::at(README, 1, what)];
    }
    let mut findings = Vec::new();
    for (name, line) in &program {
        if !table.contains_key(name) {
            let what = format!("`omv {name}` has no row in the table of {README}");
            findings.push(Finding::at(PARSER, *line, what));
        }
    }
    for (name, line) in &table {
        if !program.contains_key(name) {
            let what = format!("the program has no command `omv {name}`");
            findings.push(Finding::at(README, *line, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sample;

    const CLI: &str = "\
pub struct Cli;

pub enum Command {
    /// Look
    #[command(after_help = \"Examples:\\n  omv list\")]
    List(List),
    #[command(
        hide = true
    )]
    Secret,
    /// Write
    Man {
        /// Folder
        folder: Option<PathBuf>,
    },
    PowerCut,
}

pub enum Hand {
    Unplug,
}
";

    fn found(readme: &str) -> Vec<String> {
        let files = sample(&[(PARSER, CLI), (README, readme)]);
        let findings = disagreements(&files);
        findings.iter().map(ToString::to_string).collect()
    }

    const GOOD: &str = "| command | |\n|---|---|\n| `omv list` | x |\n| `omv man [FOLDER]` | y |\n| `omv power-cut` | z |\n";

    #[test]
    fn a_table_that_says_what_the_program_has_is_left_alone() {
        assert_eq!(found(GOOD), [""; 0]);
    }

    #[test]
    fn a_command_the_readme_lacks_is_found_in_the_program() {
        let readme = GOOD.replace("| `omv list` | x |\n", "");
        assert_eq!(
            found(&readme),
            ["crates/omv/src/cli.rs:6: `omv list` has no row in the table of README.md"]
        );
    }

    #[test]
    fn a_command_the_program_lacks_is_found_in_the_readme() {
        let readme = format!("{GOOD}| `omv secret` | - |\n");
        assert_eq!(
            found(&readme),
            ["README.md:6: the program has no command `omv secret`"]
        );
    }

    #[test]
    fn a_readme_without_the_table_is_found() {
        assert_eq!(found("# omv\n").len(), 1);
        assert_eq!(disagreements(&sample(&[(PARSER, CLI)])).len(), 1);
    }

    #[test]
    fn a_program_without_commands_is_found() {
        assert_eq!(disagreements(&sample(&[(README, GOOD)])).len(), 1);
        assert_eq!(
            disagreements(&sample(&[(PARSER, "fn x() {}"), (README, GOOD)])).len(),
            1
        );
    }
}
