//! On Linux the program builds without a C compiler and without C libraries.

use anyhow::Result;

use super::Finding;
use crate::run::Shop;

/// Crates that are there to compile, find or bind C.
const C: [&str; 4] = ["cc", "cmake", "pkg-config", "bindgen"];

/// A crate whose build script has C for some systems and none for ours, unless one of these
/// features is on.
struct Spared {
    name: &'static str,
    unless: &'static [&'static str],
}

/// Source: hidapi 2.6.7, `build.rs`, `compile_linux`: `linux-native-basic-udev` compiles nothing.
const SPARED: &[Spared] = &[Spared {
    name: "hidapi",
    unless: &[
        "linux-static-hidraw",
        "linux-static-libusb",
        "linux-shared-hidraw",
        "linux-shared-libusb",
        "linux-native",
    ],
}];

/// What the program is built from on Linux, as a tree: depth, name and version, features.
/// `cargo metadata` would do, but mixes the features of all systems.
///
/// # Errors
/// When cargo has no answer.
pub fn tree(shop: &Shop) -> Result<String> {
    let what = ["tree", "-p", "omv", "-e", "normal,build"];
    let how = ["--target", "x86_64-unknown-linux-gnu"];
    let shape = ["--prefix", "depth", "-f", "|{p}|{f}"];
    shop.cargo(what).args(how).args(shape).output()
}

/// A line of the tree: `2|hidapi v2.6.7|linux-native-basic-udev`.
fn line(line: &str) -> Option<(usize, &str, &str)> {
    let mut parts = line.split('|');
    let depth = parts.next()?.parse().ok()?;
    let name = parts.next()?.split(' ').next()?;
    Some((depth, name, parts.next().unwrap_or_default()))
}

fn is_spared(name: &str, features: &str) -> bool {
    let on = |feature: &str| features.split([',', ' ']).any(|one| one == feature);
    let mut spared = SPARED.iter().filter(|spared| spared.name == name);
    spared.any(|spared| !spared.unless.iter().any(|feature| on(feature)))
}

/// Crates in the tree that mean C, with who brings them.
pub fn compiled(tree: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above: Vec<(&str, &str)> = Vec::new();
    for (depth, name, features) in tree.lines().filter_map(line) {
        above.truncate(depth);
        let (user, its) = above.last().copied().unwrap_or_default();
        if C.contains(&name) && !is_spared(user, its) {
            let what = format!("{user} brings {name}: the program must build without C on Linux");
            findings.push(Finding::at("Cargo.lock", 1, what));
        }
        above.push((name, features));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tree: &str) -> Vec<String> {
        let findings = compiled(tree);
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_c_compiler_is_found_with_the_crate_that_brings_it() {
        let tree = "0|omv v0.1.0 (x)|\n1|ring v1.0.0|default\n2|cc v1.1.0|\n1|serde v1.0.0|\n";
        let expected = "ring brings cc: the program must build without C on Linux";
        assert_eq!(found(tree), [expected]);
    }

    #[test]
    fn a_tree_without_c_is_left_alone() {
        assert_eq!(
            found("0|omv v0.1.0 (x)|\n1|ccc v1.0.0|\n1|serde v1.0.0|std (*)\n"),
            [""; 0]
        );
    }

    #[test]
    fn hidapi_is_spared_as_long_as_its_features_mean_no_c() {
        let tree = |features| format!("0|omv v0.1.0|\n1|hidapi v2.6.7|{features}\n2|cc v1.1.0|\n");
        assert_eq!(found(&tree("linux-native-basic-udev")), [""; 0]);
        assert_eq!(found(&tree("linux-static-hidraw,default")).len(), 1);
    }
}
