//! The floors of the building: a crate imports downward only.

use super::metadata::{Kind, Metadata};
use super::{Files, Finding};

/// A crate and what it may import.
struct Floor {
    name: &'static str,
    may: &'static [&'static str],
    /// In tests, besides that.
    tests_may: &'static [&'static str],
}

/// The table of the building. `omv-sim` stays away from the crates it tests, also in its own
/// tests: a bug that both share must not hide.
const FLOORS: &[Floor] = &[
    floor("omv-wire", &[], &[]),
    floor("omv-boards", &[], &[]),
    floor("omv-fat", &[], &[]),
    floor("omv-python", &[], &[]),
    floor("omv-plan", &["omv-wire", "omv-boards"], &[]),
    floor("omv-link", &["omv-wire"], &[]),
    floor(
        "omv-camera",
        &[
            "omv-wire",
            "omv-boards",
            "omv-fat",
            "omv-python",
            "omv-plan",
            "omv-link",
        ],
        &["omv-sim"],
    ),
    floor("omv-sim", &["omv-wire", "omv-boards", "omv-link"], &[]),
    floor(
        "omv",
        &[
            "omv-wire",
            "omv-boards",
            "omv-fat",
            "omv-python",
            "omv-plan",
            "omv-link",
            "omv-camera",
            "omv-sim",
        ],
        &[],
    ),
    floor("xtask", &[], &[]),
];

const fn floor(
    name: &'static str,
    may: &'static [&'static str],
    tests_may: &'static [&'static str],
) -> Floor {
    Floor {
        name,
        may,
        tests_may,
    }
}

/// Edges between crates of the workspace that the table does not have.
pub fn edges(metadata: &Metadata, files: &Files) -> Vec<Finding> {
    let own: Vec<&str> = metadata
        .own()
        .map(|package| package.name.as_str())
        .collect();
    let mut findings = Vec::new();
    for package in metadata.own() {
        let manifest = files.get(&package.manifest).map_or("", String::as_str);
        let mut add = |needle: &str, what: String| {
            findings.push(Finding::near(&package.manifest, manifest, needle, what));
        };
        let Some(floor) = FLOORS.iter().find(|floor| floor.name == package.name) else {
            let what = format!(
                "{} stands on no floor: give it a row in the table",
                package.name
            );
            add("name", what);
            continue;
        };
        for (to, kind) in &package.declared {
            let tests = *kind == Kind::Development && floor.tests_may.contains(&to.as_str());
            let free = !own.contains(&to.as_str()) || floor.may.contains(&to.as_str());
            if !free && !tests {
                let when = if *kind == Kind::Development {
                    ", in tests either"
                } else {
                    ""
                };
                let what = format!(
                    "{} must not import {to}{when}: crates import downward only",
                    package.name
                );
                add(to, what);
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::metadata::sample;
    use super::*;
    use crate::tidy::sample as files;

    const NORMAL: Kind = Kind::Normal;
    const TESTS: Kind = Kind::Development;

    fn found(from: &str, to: &str, kind: Kind) -> Vec<Finding> {
        let graph = sample(&[(from, "MIT", &[(to, kind)]), (to, "MIT", &[])]);
        let manifest = format!("[package]\nname = \"{from}\"\n\n{to}.workspace = true\n");
        edges(
            &graph,
            &files(&[(&format!("crates/{from}/Cargo.toml"), &manifest)]),
        )
    }

    #[test]
    fn an_upward_edge_is_found_with_its_line() {
        let findings = found("omv-wire", "omv-link", NORMAL);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].file.as_str(), findings[0].line),
            ("crates/omv-wire/Cargo.toml", 4)
        );
    }

    #[test]
    fn a_sideways_edge_is_found() {
        assert_eq!(found("omv-wire", "omv-boards", NORMAL).len(), 1);
        assert_eq!(found("omv-sim", "omv-camera", NORMAL).len(), 1);
        assert_eq!(found("omv-sim", "omv-plan", NORMAL).len(), 1);
    }

    #[test]
    fn the_simulator_is_for_tests_of_the_camera_and_not_the_other_way_round() {
        assert_eq!(found("omv-camera", "omv-sim", TESTS), []);
        assert_eq!(found("omv-camera", "omv-sim", NORMAL).len(), 1);
        assert_eq!(found("omv-sim", "omv-camera", TESTS).len(), 1);
        assert_eq!(found("omv-sim", "omv-fat", TESTS).len(), 1);
    }

    #[test]
    fn downward_edges_and_crates_of_others_are_free() {
        assert_eq!(found("omv", "omv-sim", NORMAL), []);
        assert_eq!(found("omv-plan", "omv-boards", NORMAL), []);
        let graph = sample(&[("omv-wire", "MIT", &[("thiserror", NORMAL)])]);
        assert_eq!(edges(&graph, &files(&[])), []);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let graph = sample(&[("omv-attic", "MIT", &[])]);
        assert_eq!(edges(&graph, &files(&[])).len(), 1);
    }
}
