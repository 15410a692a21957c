//! Which modules, and which of their names, a camera's firmware has: data in `modules.toml`, with
//! its sources.
//!
//! Where the table is silent so is this program: a warning that is wrong is worse than none.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::finding::{Finding, Rule};
use crate::imports::Import;
use crate::token::{Kind, Token};

/// The first release the table knows of.
const FIRST: [u16; 3] = [4, 1, 0];

/// What is known of the camera a script is for. Nothing is said that hangs on what is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Firmware<'b> {
    /// Its release, as in `[4, 8, 1]`.
    pub version: Option<[u16; 3]>,
    /// The board's name in the firmware, `OPENMV_RT1060`.
    pub board: Option<&'b str>,
}

/// Whether a firmware has a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has.
    BuiltIn,
    /// It may have: that is not in the table.
    Unsure,
    /// It has not; another release or board has.
    Missing {
        /// Who has it, as in "from firmware 4.6.0 on".
        who: String,
        /// What this one has in its place, if anything.
        instead: Option<&'static str>,
    },
    /// No firmware is known to have it.
    NotKnown,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    always: Vec<String>,
    depends: Vec<String>,
    module: Vec<Row>,
    name: Vec<Names>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    since: Option<String>,
    until: Option<String>,
    #[serde(default)]
    boards: Vec<String>,
    instead: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    module: String,
    names: Vec<String>,
    since: Option<String>,
    until: Option<String>,
    instead: String,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        toml::from_str(include_str!("modules.toml"))
            .unwrap_or_else(|error| panic!("embedded table of modules: {error}"))
    })
}

/// Reads `4.8.1`; what is no number counts as 0.
fn release(text: &str) -> [u16; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// Whether a release lies in a span; an unknown one lies in every.
fn lies_in(version: Option<[u16; 3]>, since: Option<&str>, until: Option<&str>) -> bool {
    version.is_none_or(|version| {
        since.is_none_or(|since| version >= release(since))
            && until.is_none_or(|until| version <= release(until))
    })
}

/// A span in words.
fn span(since: Option<&str>, until: Option<&str>) -> String {
    match (since, until) {
        (Some(since), Some(until)) => format!("firmware {since} to {until} has it"),
        (Some(since), None) => format!("firmware has it from {since} on"),
        (None, Some(until)) => format!("firmware had it up to {until}"),
        (None, None) => "other boards have it".to_owned(),
    }
}

/// Whether a firmware has a module, by the module's first name.
///
/// # Panics
/// When the embedded table is broken, which the tests of this crate exclude.
#[must_use]
pub fn standing(module: &str, firmware: &Firmware<'_>) -> Standing {
    let table = table();
    let is_in = |list: &[String], name: &str| list.iter().any(|one| one == name);
    let old = module.strip_prefix('u').unwrap_or(module);
    if is_in(&table.always, module) || is_in(&table.always, old) {
        return Standing::BuiltIn;
    }
    let mut rows: Vec<&Row> = table
        .module
        .iter()
        .filter(|row| row.name == module)
        .collect();
    if rows.is_empty() {
        return match is_in(&table.depends, module) || is_in(&table.depends, old) {
            true => Standing::Unsure,
            false => Standing::NotKnown,
        };
    }
    if firmware.version.is_some_and(|version| version < FIRST) {
        return Standing::Unsure;
    }
    let missing = |rows: &[&'static Row], who: String| Standing::Missing {
        who,
        instead: rows.iter().find_map(|row| row.instead.as_deref()),
    };
    let all = rows.clone();
    if let Some(board) = firmware.board {
        rows.retain(|row| row.boards.is_empty() || is_in(&row.boards, board));
        if rows.is_empty() {
            return missing(&all, span(None, None));
        }
    }
    let has = |row: &&Row| lies_in(firmware.version, row.since.as_deref(), row.until.as_deref());
    match rows.iter().any(has) {
        true if firmware.version.is_some() || rows.iter().all(|row| row.since.is_none()) => {
            Standing::BuiltIn
        }
        true => Standing::Unsure,
        false => {
            let who = rows.first().map_or_else(String::new, |row| {
                span(row.since.as_deref(), row.until.as_deref())
            });
            missing(&all, who)
        }
    }
}

/// Imports that a firmware has no module for. `is_beside` says whether a module's file lies where the
/// camera finds it: with the script, or in `lib` beside it.
#[must_use]
pub fn check_imports(
    imports: &[Import],
    firmware: &Firmware<'_>,
    is_beside: &dyn Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for import in imports.iter().filter(|import| import.dots == 0) {
        let module = import.root();
        if is_beside(module) {
            continue;
        }
        let (rule, text) = match standing(module, firmware) {
            Standing::BuiltIn | Standing::Unsure => {
                let names = import.names.iter();
                let lost = names.filter_map(|name| lost(&import.module, name, firmware));
                findings.extend(lost.map(|text| Finding {
                    guarded: import.guarded,
                    ..Finding::new(Rule::NameMissing, import.place, text)
                }));
                continue;
            }
            Standing::Missing { who, instead } => {
                let instead = instead.map(|other| format!("; in its place: {other}"));
                let instead = instead.unwrap_or_default();
                let text = format!("this firmware has no module `{module}`: {who}{instead}");
                (Rule::ModuleMissing, text)
            }
            Standing::NotKnown => {
                let text = format!("no firmware is known to have a module `{module}`");
                (Rule::ModuleNotBuiltIn, text)
            }
        };
        findings.push(Finding {
            guarded: import.guarded,
            ..Finding::new(rule, import.place, text)
        });
    }
    findings
}

/// Uses of names that a module of this firmware has not: `tf.load(` after 4.5.5. Only where the
/// module is named by its own name, and never inside strings and comments.
#[must_use]
pub fn check_names(text: &str, tokens: &[Token], firmware: &Firmware<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for part in tokens.windows(4) {
        let [before, module, dot, name] = part else {
            continue;
        };
        let is_name = |token: &Token| token.kind == Kind::Name;
        let is_use = is_name(module) && dot.of(text) == "." && is_name(name);
        // `a.tf.load` is something else's.
        if !is_use || before.of(text) == "." {
            continue;
        }
        if let Some(what) = lost(module.of(text), name.of(text), firmware) {
            findings.push(Finding::new(Rule::NameMissing, module.place(text), what));
        }
    }
    findings
}

/// Why a module of this firmware has no such name, if that is known.
fn lost(module: &str, name: &str, firmware: &Firmware<'_>) -> Option<String> {
    firmware.version?;
    let row = table().name.iter().find(|row| {
        row.module == module
            && row.names.iter().any(|one| one == name)
            && !lies_in(firmware.version, row.since.as_deref(), row.until.as_deref())
    })?;
    let who = span(row.since.as_deref(), row.until.as_deref());
    let instead = &row.instead;
    Some(format!(
        "`{module}` has no `{name}` in this firmware: {who}; in its place: {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::imports;
    use crate::token::tokenize;

    fn firmware(version: [u16; 3], board: &'static str) -> Firmware<'static> {
        Firmware {
            version: Some(version),
            board: Some(board),
        }
    }

    fn found(text: &str, firmware: &Firmware<'_>) -> Vec<String> {
        let (tokens, _) = tokenize(text);
        let mut findings = check_imports(&imports(text, &tokens), firmware, &|_| false);
        findings.extend(check_names(text, &tokens, firmware));
        findings.iter().map(ToString::to_string).collect()
    }

    const RT1062: &str = "OPENMV_RT1060";

    #[test]
    fn every_row_of_the_table_makes_sense() {
        let table = table();
        for row in &table.module {
            let (since, until) = (row.since.as_deref(), row.until.as_deref());
            for text in [since, until].into_iter().flatten() {
                assert!(release(text) >= FIRST, "{}: {text}", row.name);
            }
            assert!(!table.always.contains(&row.name), "{}", row.name);
            assert!(!table.depends.contains(&row.name), "{}", row.name);
        }
    }

    #[test]
    fn what_micropython_has_is_there_under_its_old_name_too() {
        let old = firmware([4, 1, 0], "OPENMV4");
        assert_eq!(
            found(
                "import time, utime, machine, ujson, usocket, socket\n",
                &old
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_module_of_another_release_is_missing_and_its_stand_in_is_named() {
        let text = "import asyncio, lcd, csi\n";
        assert_eq!(
            found(text, &firmware([4, 5, 0], RT1062)),
            [
                "1:8: this firmware has no module `asyncio`: firmware has it from 4.5.3 on; in its place: uasyncio",
                "1:17: this firmware has no module `lcd`: firmware had it up to 4.4.3; in its place: display",
                "1:22: this firmware has no module `csi`: firmware has it from 4.6.0 on; in its place: sensor",
            ]
        );
        assert_eq!(
            found("import asyncio, csi, ml\n", &firmware([4, 8, 1], RT1062)),
            [""; 0]
        );
    }

    #[test]
    fn a_module_of_other_boards_is_missing() {
        let findings = found("import gt911\n", &firmware([4, 8, 1], RT1062));
        assert_eq!(
            findings,
            ["1:8: this firmware has no module `gt911`: other boards have it"]
        );
    }

    #[test]
    fn interfaces_that_were_dropped_are_found_where_they_are_used() {
        let text = "import tf\nnet = tf.load('a.tflite')\nx = 'tf.load'\nself.tf.load\n";
        let findings = found(text, &firmware([4, 5, 6], RT1062));
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].starts_with("2:7: `tf` has no `load` in this firmware"),
            "{findings:?}"
        );
        assert_eq!(found(text, &firmware([4, 5, 5], RT1062)), [""; 0]);
        let findings = found("from csi import CSI\n", &firmware([4, 7, 0], RT1062));
        assert!(findings[0].contains("from 4.8.0 on"), "{findings:?}");
    }

    #[test]
    fn a_module_nobody_knows_must_lie_beside_the_script() {
        let text = "import my_helpers\n";
        let (tokens, _) = tokenize(text);
        let imports = imports(text, &tokens);
        let camera = firmware([5, 0, 0], RT1062);
        let findings = check_imports(&imports, &camera, &|_| false);
        assert_eq!(findings[0].rule, Rule::ModuleNotBuiltIn);
        assert_eq!(
            check_imports(&imports, &camera, &|name| name == "my_helpers"),
            []
        );
    }

    #[test]
    fn nothing_is_said_that_hangs_on_what_is_not_known() {
        let text = "import asyncio, csi, lcd, gt911, tf\ntf.load()\n";
        assert_eq!(found(text, &Firmware::default()), [""; 0]);
        assert_eq!(found(text, &firmware([3, 9, 4], "OPENMV3")), [""; 0]);
    }
}
