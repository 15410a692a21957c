//! What is built into the program, and under which licences.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use toml::Value;

use super::Finding;
use super::metadata::Metadata;

/// What `deny.toml` allows, in cargo-deny's own format.
#[derive(Debug, Default)]
struct Allowed {
    everywhere: Vec<String>,
    /// For one crate each.
    exceptions: BTreeMap<String, Vec<String>>,
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}

fn allowed(deny: &str) -> Result<Allowed> {
    let deny: Value = toml::from_str(deny).context("deny.toml")?;
    let licences = deny
        .get("licenses")
        .context("deny.toml has no [licenses]")?;
    let mut allowed = Allowed {
        everywhere: strings(licences.get("allow")),
        ..Allowed::default()
    };
    let exceptions = licences.get("exceptions").and_then(Value::as_array);
    for exception in exceptions.into_iter().flatten() {
        let name = exception.get("crate").and_then(Value::as_str);
        let name = name.context("deny.toml: an exception without `crate`")?;
        let list = strings(exception.get("allow"));
        allowed.exceptions.insert(name.to_owned(), list);
    }
    Ok(allowed)
}

/// Packages under a licence that `deny.toml` does not allow.
///
/// # Errors
/// When `deny.toml` cannot be read.
pub fn unknown(metadata: &Metadata, deny: &str) -> Result<Vec<Finding>> {
    let allowed = allowed(deny)?;
    let mut findings = Vec::new();
    for id in metadata.closure(metadata.members.clone()) {
        let package = &metadata.packages[&id];
        let own = allowed.exceptions.get(&package.name);
        let may = |licence: &str| {
            let mut all = allowed.everywhere.iter().chain(own.into_iter().flatten());
            all.any(|one| one == licence)
        };
        let (name, version) = (&package.name, &package.version);
        let what = match package.licence.as_deref() {
            None => format!("{name} {version} names no licence"),
            Some(licence) => match satisfied(licence, may) {
                Some(true) => continue,
                Some(false) => format!("{name} {version} is under {licence}, which is not allowed"),
                None => format!("{name} {version}: `{licence}` is no licence expression"),
            },
        };
        findings.push(Finding::near("deny.toml", deny, "[licenses]", what));
    }
    Ok(findings)
}

/// Evaluates an SPDX expression: names, `WITH`, `AND`, `OR`, parentheses, and the old `/` for
/// `OR`. `None` when it is no expression.
fn satisfied(expression: &str, may: impl Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let value = alternatives(&mut rest, &may)?;
    rest.is_empty().then_some(value)
}

fn next_is(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn alternatives(rest: &mut &[&str], may: &impl Fn(&str) -> bool) -> Option<bool> {
    let mut value = conjunction(rest, may)?;
    while next_is(rest, "OR") {
        value |= conjunction(rest, may)?;
    }
    Some(value)
}

fn conjunction(rest: &mut &[&str], may: &impl Fn(&str) -> bool) -> Option<bool> {
    let mut value = licence(rest, may)?;
    while next_is(rest, "AND") {
        value &= licence(rest, may)?;
    }
    Some(value)
}

fn licence(rest: &mut &[&str], may: &impl Fn(&str) -> bool) -> Option<bool> {
    if next_is(rest, "(") {
        let value = alternatives(rest, may)?;
        return next_is(rest, ")").then_some(value);
    }
    let name = word(rest)?;
    if next_is(rest, "WITH") {
        return Some(may(&format!("{name} WITH {}", word(rest)?)));
    }
    Some(may(name))
}

fn word<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, after) = rest.split_first()?;
    let name = !["(", ")", "AND", "OR", "WITH"].contains(first);
    *rest = after;
    name.then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::metadata::{Kind, sample};
    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "port", allow = ["MPL-2.0"] }]
    "#;

    #[test]
    fn expressions_are_evaluated_as_spdx_says() {
        let may = |licence: &str| ["A", "B", "A WITH E"].contains(&licence);
        for (expression, expected) in [
            ("A", Some(true)),
            ("C", Some(false)),
            ("C OR B", Some(true)),
            ("C/B", Some(true)),
            ("A AND C", Some(false)),
            ("A AND B OR C", Some(true)),
            ("C OR A AND C", Some(false)),
            ("A AND (C OR B)", Some(true)),
            ("(A OR B) AND C", Some(false)),
            ("A WITH E", Some(true)),
            ("B WITH E", Some(false)),
            ("", None),
            ("A OR", None),
            ("(A", None),
            ("A B", None),
            ("A WITH", None),
        ] {
            assert_eq!(satisfied(expression, may), expected, "{expression}");
        }
    }

    #[test]
    fn a_licence_outside_the_list_is_found_and_an_exception_is_for_its_crate_alone() {
        let used = |name, licence| {
            let graph = sample(&[("omv", "MIT", &[(name, Kind::Build)]), (name, licence, &[])]);
            unknown(&graph, DENY).unwrap().len()
        };
        assert_eq!(used("x", "GPL-3.0-only OR MIT"), 0);
        assert_eq!(used("x", "GPL-3.0-only"), 1);
        assert_eq!(used("x", ""), 1);
        assert_eq!(used("port", "MPL-2.0"), 0);
        assert_eq!(used("x", "MPL-2.0"), 1);
    }

    #[test]
    fn a_licence_of_tests_alone_is_free() {
        let mut graph = sample(&[
            ("omv", "MIT", &[("x", Kind::Development)]),
            ("x", "GPL-2.0", &[]),
        ]);
        graph.members.truncate(1);
        assert_eq!(unknown(&graph, DENY).unwrap(), []);
    }

    #[test]
    fn a_deny_file_without_licences_is_an_error() {
        assert!(allowed("[bans]\n").is_err());
    }
}
