//! Damaged disks, judged by the programs that others check theirs with: Debian's dosfstools,
//! exfatprogs and mtools. Root installs them; for everybody else a missing one is red.

use anyhow::{Context, Result, bail};

use crate::run::Shop;

/// The packages, and a program of each that tells that it is there.
const PACKAGES: [(&str, &str); 3] = [
    ("dosfstools", "/usr/sbin/fsck.fat"),
    ("exfatprogs", "/usr/sbin/fsck.exfat"),
    ("mtools", "/usr/bin/mcopy"),
];

/// Runs the corpus. `UPDATE=1` rewrites `docs/disk-check.md`.
///
/// # Errors
/// When a damage is not found or not repaired, or a judge is missing.
pub fn run(shop: &Shop) -> Result<()> {
    install(shop)?;
    let test = ["test", "--workspace", "--test", "corpus"];
    shop.cargo(test).stream()
}

/// Installs what is missing.
fn install(shop: &Shop) -> Result<()> {
    let missing = PACKAGES
        .iter()
        .filter(|(_, file)| !std::path::Path::new(file).exists());
    let missing: Vec<&str> = missing.map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = format!("apt-get install {}", missing.join(" "));
    if shop.program("id").args(["-u"]).output()?.trim() != "0" {
        bail!("judges are missing: `{advice}`");
    }
    let install = ["install", "-y", "--no-install-recommends"];
    let once = || {
        let job = shop.program("apt-get").args(install).args(&missing);
        job.env("DEBIAN_FRONTEND", "noninteractive").stream()
    };
    // A second try with fresh lists: those of a new machine may be empty.
    once().or_else(|_| {
        shop.program("apt-get").args(["update"]).stream()?;
        once().context(advice)
    })
}
