//! The table of what was seen, `docs/disk-check.md`. `UPDATE=1` rewrites it; without it, a table
//! that says something else is red.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::cases::Case;

/// A case, judged.
pub struct Row {
    name: &'static str,
    base: &'static str,
    ours: Vec<&'static str>,
    theirs: Option<bool>,
    note: &'static str,
    rest: bool,
    cuts: usize,
}

impl Row {
    pub fn new(
        case: &Case,
        mut ours: Vec<&'static str>,
        theirs: Option<Vec<String>>,
        cuts: usize,
    ) -> Self {
        ours.dedup();
        ours.sort_unstable();
        ours.dedup();
        let theirs = theirs.map(|said| !said.is_empty());
        Self {
            name: case.name,
            base: case.base,
            ours,
            theirs,
            note: case.note,
            rest: !case.stays.is_empty(),
            cuts,
        }
    }
}

const HEAD: &str = "\
# What `omv disk check` finds

Written by the test `corpus` of `omv-fat` (`cargo xtask test corpus`); do not edit. Each row is one
damage to one healthy disk. Disks are made by `mkfs.fat` 4.2 with files by mtools, by `mkfs.exfat`
1.2.0, and as the cameras' own file system makes them (`rt1062`, `h7`); what is in their names is
the file system, `mbr` for one in a partition, `4096` for sectors of that size. The others are
`fsck.fat -n` and `fsck.exfat -n` of the same versions. They take no partition table, so they get
the volume without it; \"-\" stands where the damage is outside of that.

After the repair of each row a second check finds nothing, `fsck` finds nothing, and every file
whose bytes were on the disk has them, in our reading and in that of mtools. \"cuts\" is how often
the power was cut: once after every written sector; each time a second repair finished, and lost
nothing that the whole one had kept. Rows with \"told\" have something that no repair of a disk can
change, such as a GPT that a camera does not read; the finding says what can be done.

";

pub fn write(rows: &[Row]) {
    let count = |ours: bool, theirs: Option<bool>| {
        rows.iter()
            .filter(|row| !row.ours.is_empty() == ours && row.theirs == theirs)
            .count()
    };
    let only_theirs: Vec<_> = rows
        .iter()
        .filter(|row| row.ours.is_empty() && row.theirs == Some(true))
        .map(|row| row.name)
        .collect();
    let mut text = HEAD.to_owned();
    let cuts: usize = rows.iter().map(|row| row.cuts).sum();
    let _ = writeln!(text, "| | |\n|---|---|");
    let _ = writeln!(text, "| damages | {} |", rows.len());
    let _ = writeln!(text, "| found by both | {} |", count(true, Some(true)));
    let _ = writeln!(
        text,
        "| found by `omv` only | {} |",
        count(true, Some(false))
    );
    let _ = writeln!(text, "| found by `fsck` only | {} |", only_theirs.len());
    let calm = rows
        .iter()
        .filter(|row| row.ours.is_empty() && row.theirs == Some(false))
        .count();
    let _ = writeln!(text, "| nothing wrong, but worth a note | {calm} |");
    let _ = writeln!(
        text,
        "| outside of what `fsck` takes, found by `omv` | {} |",
        count(true, None)
    );
    let _ = writeln!(
        text,
        "| healthy disks called healthy by `omv` | {} of {} |",
        crate::cases::HEALTHY,
        crate::cases::HEALTHY
    );
    let _ = writeln!(text, "| power cuts | {cuts} |\n");
    let _ = writeln!(
        text,
        "| damage | disk | `omv disk check` | `fsck` | cuts | |\n|---|---|---|---|---|---|"
    );
    for row in rows {
        let theirs = match row.theirs {
            Some(true) => "found",
            Some(false) => "nothing",
            None => "-",
        };
        let end = [if row.rest { "told" } else { "" }, row.note];
        let end: Vec<_> = end.into_iter().filter(|part| !part.is_empty()).collect();
        let ours = if row.ours.is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{}`", row.ours.join("`, `"))
        };
        let _ = writeln!(
            text,
            "| {} | {} | {ours} | {theirs} | {} | {} |",
            row.name,
            row.base,
            row.cuts,
            end.join("; ")
        );
    }
    assert!(only_theirs.is_empty(), "only fsck finds {only_theirs:?}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/disk-check.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        text == committed,
        "`UPDATE=1 cargo xtask test corpus` rewrites docs/disk-check.md, which says something else than:\n{text}"
    );
}
