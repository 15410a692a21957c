//! The part of `cargo metadata` that the rules need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::Shop;

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Part of the crate.
    Normal,
    /// For its tests, examples and benchmarks.
    Development,
    /// For its build script.
    Build,
}

/// One package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it says its licence is.
    pub licence: Option<String>,
    /// The path of its manifest from the root; for packages of the workspace.
    pub manifest: String,
    /// What it asks for by name, whether the platform at hand needs it or not.
    pub declared: Vec<(String, Kind)>,
    /// What it gets: ids of packages.
    pub uses: Vec<(String, Kind)>,
}

/// The graph of packages.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// All of them, by id.
    pub packages: BTreeMap<String, Package>,
    /// Ids of those in the workspace.
    pub members: Vec<String>,
}

impl Metadata {
    /// The packages of the workspace.
    pub fn own(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// Ids of all that is built into these packages, or builds them, themselves included; tests
    /// left out.
    pub fn closure(&self, roots: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut left: Vec<String> = roots.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(id) = left.pop() {
            if let Some(package) = self.packages.get(&id)
                && found.insert(id)
            {
                let uses = package.uses.iter();
                let built = uses.filter(|(_, kind)| *kind != Kind::Development);
                left.extend(built.map(|(id, _)| id.clone()));
            }
        }
        found
    }
}

/// Asks cargo.
///
/// # Errors
/// When cargo has no answer, or one of another shape.
pub fn read(shop: &Shop) -> Result<Metadata> {
    let job = shop.cargo(["metadata", "--format-version", "1"]);
    let root = shop.root.to_string_lossy();
    parse(&job.output()?, &root).context("cargo metadata")
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no `{key}`"))?.to_owned())
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    let found = value.get(key).and_then(Value::as_array);
    found.with_context(|| format!("no list `{key}`"))
}

fn kind(value: &Value) -> Kind {
    match value.get("kind").and_then(Value::as_str) {
        Some("dev") => Kind::Development,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    }
}

fn parse(json: &str, root: &str) -> Result<Metadata> {
    let json: Value = serde_json::from_str(json)?;
    let mut metadata = Metadata::default();
    for package in list(&json, "packages")? {
        let manifest = text(package, "manifest_path")?.replace('\\', "/");
        let below = manifest.strip_prefix(&root.replace('\\', "/"));
        let mut found = Package {
            name: text(package, "name")?,
            version: text(package, "version")?,
            licence: text(package, "license").ok(),
            manifest: below
                .unwrap_or(&manifest)
                .trim_start_matches('/')
                .to_owned(),
            ..Package::default()
        };
        for dependency in list(package, "dependencies")? {
            found
                .declared
                .push((text(dependency, "name")?, kind(dependency)));
        }
        metadata.packages.insert(text(package, "id")?, found);
    }
    let nodes = json.get("resolve").context("no `resolve`")?;
    for node in list(nodes, "nodes")? {
        let Some(package) = metadata.packages.get_mut(&text(node, "id")?) else {
            continue;
        };
        for dependency in list(node, "deps")? {
            let id = text(dependency, "pkg")?;
            for how in list(dependency, "dep_kinds")? {
                package.uses.push((id.clone(), kind(how)));
            }
        }
    }
    for member in list(&json, "workspace_members")? {
        metadata
            .members
            .push(member.as_str().context("an id")?.to_owned());
    }
    Ok(metadata)
}

/// Name, licence, and what it uses.
#[cfg(test)]
type SamplePackage<'a> = (&'a str, &'a str, &'a [(&'a str, Kind)]);

/// A graph for the tests of the rules. All its packages are in the workspace.
#[cfg(test)]
pub fn sample(packages: &[SamplePackage<'_>]) -> Metadata {
    let mut metadata = Metadata::default();
    for (name, licence, uses) in packages {
        let uses: Vec<_> = uses
            .iter()
            .map(|(to, kind)| ((*to).to_owned(), *kind))
            .collect();
        let package = Package {
            name: (*name).to_owned(),
            version: "1.0.0".to_owned(),
            licence: (!licence.is_empty()).then(|| (*licence).to_owned()),
            manifest: format!("crates/{name}/Cargo.toml"),
            declared: uses.clone(),
            uses,
        };
        metadata.members.push((*name).to_owned());
        metadata.packages.insert((*name).to_owned(), package);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{
        "packages": [
            { "id": "a 1", "name": "a", "version": "1.0.0", "license": "MIT",
              "manifest_path": "/x/crates/a/Cargo.toml",
              "dependencies": [{ "name": "b", "kind": null }, { "name": "c", "kind": "dev" }] },
            { "id": "b 1", "name": "b", "version": "1.0.0", "license": null,
              "manifest_path": "/y/b/Cargo.toml", "dependencies": [] },
            { "id": "c 1", "name": "c", "version": "1.0.0", "license": "MIT",
              "manifest_path": "/y/c/Cargo.toml", "dependencies": [] }],
        "workspace_members": ["a 1"],
        "resolve": { "nodes": [
            { "id": "a 1", "deps": [
                { "pkg": "b 1", "dep_kinds": [{ "kind": null }] },
                { "pkg": "c 1", "dep_kinds": [{ "kind": "dev" }] }] },
            { "id": "b 1", "deps": [] }, { "id": "c 1", "deps": [] }] } }"#;

    #[test]
    fn the_graph_is_read_and_tests_do_not_count_as_built_in() {
        let metadata = parse(JSON, "/x").unwrap();
        let a = metadata.own().next().unwrap();
        assert_eq!(
            (a.name.as_str(), a.manifest.as_str()),
            ("a", "crates/a/Cargo.toml")
        );
        assert_eq!(a.declared[1], ("c".to_owned(), Kind::Development));
        let closure: Vec<_> = metadata.closure(["a 1".to_owned()]).into_iter().collect();
        assert_eq!(closure, ["a 1", "b 1"]);
    }

    #[test]
    fn another_shape_is_an_error() {
        assert!(parse("{}", "/x").is_err());
    }
}
