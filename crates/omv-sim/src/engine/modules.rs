//! The modules of the firmware that are ours to write, and which of their names a version has.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::running::Facts;

macro_rules! modules {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("python/", $name, ".py")))),*]
    };
}

/// Name and text of each.
const MODULES: &[(&str, &str)] = modules![
    "_omv",
    "_start",
    "_gc",
    "_os",
    "_time",
    "_sensor",
    "_model",
    "_numpy",
    "cbor2",
    "csi",
    "gif",
    "image",
    "machine",
    "mjpeg",
    "ml/__init__",
    "ml/postprocessing/__init__",
    "ml/postprocessing/edgeimpulse",
    "ml/postprocessing/ultralytics",
    "ml/preprocessing",
    "ml/utils",
    "network",
    "omv",
    "protocol",
    "pyb",
    "rtsp",
    "sensor",
    "socket",
    "tf",
    "ulab"
];

/// From and until which version a module or one of its names exists.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    /// The first version that has it.
    since: Option<(u16, u16, u16)>,
    /// The first that has it no more.
    until: Option<(u16, u16, u16)>,
    /// Only these boards have it, by the beginning of the machine's name.
    chips: Option<Vec<String>>,
}

static ERAS: LazyLock<BTreeMap<String, Span>> =
    // A test reads the file; a mistake in it never leaves this house.
    LazyLock::new(|| toml::from_str(include_str!("eras.toml")).unwrap_or_default());

fn has(span: &Span, facts: &Facts) -> bool {
    let reached = |(major, minor, patch)| facts.since(major, minor, patch);
    let chip = |chips: &Vec<String>| {
        chips
            .iter()
            .any(|chip| facts.machine.contains(chip.as_str()))
    };
    span.since.is_none_or(reached)
        && !span.until.is_some_and(reached)
        && span.chips.as_ref().is_none_or(chip)
}

/// A module's text, if this firmware has it. In a package, what holds for the package holds for it.
pub fn source(name: &str, facts: &Facts) -> Option<Vec<u8>> {
    let (_, text) = MODULES.iter().find(|(own, _)| *own == name)?;
    let inside = |outer: &str| {
        let rest = name.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut spans = ERAS.iter().filter(|(outer, _)| inside(outer));
    let there = spans.all(|(_, span)| has(span, facts));
    there.then(|| text.as_bytes().to_vec())
}

/// Whether this is the folder of a package that this firmware has.
pub fn is_package(name: &str, facts: &Facts) -> bool {
    source(&format!("{name}/__init__"), facts).is_some()
}

/// Names of a module that this firmware does not have.
pub fn removed(module: &str, facts: &Facts) -> Vec<String> {
    let names = ERAS.iter().filter(|(_, span)| !has(span, facts));
    let own = names.filter_map(|(name, _)| name.strip_prefix(module)?.strip_prefix('.'));
    own.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_versions_can_be_read_and_names_modules_that_exist() {
        let eras: BTreeMap<String, Span> = toml::from_str(include_str!("eras.toml")).unwrap();
        for name in eras.keys() {
            let module = name.split('.').next().unwrap_or_default();
            let package = format!("{module}/__init__");
            let known = |own: &str| own == module || own == package;
            assert!(MODULES.iter().any(|(own, _)| known(own)), "{name}");
        }
    }
}
