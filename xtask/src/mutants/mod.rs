//! Breaking the device side on purpose: whether the judges notice.
//!
//! ```text
//!   mutants.toml --> one at a time, in a copy of the repository --> build --> its judge
//!                                                                              |
//!                        docs/conformance.md  <--  a table  <--  noticed, survived, does not build
//! ```
//!
//! The virtual camera and the host are written by the same hands, so a test that holds one against
//! the other proves little. Here only judges from outside count: NXP's own tools, exchanges of the
//! real loaders, messages of Linux.

mod copy;
mod list;
mod trial;

use std::fmt::Write;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::judges;
use crate::run::Shop;
pub use list::check;
use list::{Judge, Mutant};
use trial::{End, Trial};

/// Where the table is kept, between two marks.
const PAGE: &str = "docs/conformance.md";
const BEGIN: &str = "<!-- mutants -->\n";
const END: &str = "<!-- /mutants -->\n";

/// Applies all mutants, or those whose name contains one of `words`. `UPDATE=1` rewrites the table
/// of the page when all were tried.
///
/// # Errors
/// When a mutant survives, does not build or does not apply; when a judge is red without one.
pub fn run(shop: &Shop, words: &[&str]) -> Result<()> {
    let judges = judges::ready(shop)?;
    judges::spsdk_ready(shop)
        .context("the real tools are not ready: `cargo xtask test judges` installs them")?;
    list::check(&shop.root)?;
    let mut mutants = list::read(&shop.root)?;
    let all = mutants.len();
    mutants.retain(|one| words.is_empty() || words.iter().any(|word| one.name.contains(word)));
    let workspace = copy::workspace(shop)?;
    let trial = Trial::new(shop, &workspace, &judges);
    sound(&trial, &mutants)?;
    let mut rows = Vec::new();
    for (at, mutant) in mutants.iter().enumerate() {
        let began = Instant::now();
        let end = trial.of(mutant)?;
        let seconds = began.elapsed().as_secs();
        let count = mutants.len();
        println!("{}/{count} {}: {end} ({seconds} s)", at + 1, mutant.name);
        rows.push((mutant, end));
    }
    let table = table(&rows);
    println!("\n{table}");
    if mutants.len() == all && std::env::var_os("UPDATE").is_some() {
        let path = shop.root.join(PAGE);
        let page = fs::read_to_string(&path).context(PAGE)?;
        fs::write(path, put(&page, &table)?)?;
    }
    let unnoticed = rows.iter().filter(|(_, end)| !end.is_noticed());
    let unnoticed: Vec<&str> = unnoticed.map(|(one, _)| one.name.as_str()).collect();
    if !unnoticed.is_empty() {
        bail!("not noticed: {}", unnoticed.join(", "));
    }
    Ok(())
}

/// Every judge must be content with a device that is whole: one that is red always notices nothing.
fn sound(trial: &Trial<'_>, mutants: &[Mutant]) -> Result<()> {
    let mut asked: Vec<&Judge> = Vec::new();
    for mutant in mutants {
        if !asked.contains(&&mutant.judge) {
            asked.push(&mutant.judge);
        }
    }
    for judge in asked {
        match trial.ask(judge)? {
            End::Survived => println!("content without a mutant: {}", shown(judge)),
            end => bail!("{} without any mutant: {end}", shown(judge)),
        }
    }
    Ok(())
}

/// A judge in words.
fn shown(judge: &Judge) -> String {
    match judge {
        Judge::Scene(title) => format!("SPSDK, scene \"{title}\""),
        Judge::Test(words) => format!("`cargo test {}`", words.join(" ")),
    }
}

fn table(rows: &[(&Mutant, End)]) -> String {
    let noticed = rows.iter().filter(|(_, end)| end.is_noticed()).count();
    let mut text = format!(
        "{noticed} of {} noticed.\n\n| Mutant | What is broken | Judge | Result |\n|---|---|---|---|\n",
        rows.len()
    );
    for (mutant, end) in rows {
        let Mutant {
            name, why, judge, ..
        } = mutant;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {name} | {why} | {} | {} |",
            shown(judge),
            end.word()
        );
    }
    text
}

/// The page with another table between its marks.
fn put(page: &str, table: &str) -> Result<String> {
    let place = page.split_once(BEGIN);
    let place = place.and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = place.with_context(|| format!("{PAGE} has no place for the table"))?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_between_its_marks_and_the_rest_of_the_page_is_kept() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let new = put(&page, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(put(&new, "new\n").unwrap(), new);
        assert!(put("no marks", "new").is_err());
    }

    #[test]
    fn the_page_has_a_row_for_each_mutant_of_the_list_and_none_survived() {
        let shop = Shop::new().unwrap();
        let page = fs::read_to_string(shop.root.join(PAGE)).unwrap();
        let (_, rest) = page.split_once(BEGIN).unwrap();
        let (rows, _) = rest.split_once(END).unwrap();
        let rows: Vec<&str> = rows
            .lines()
            .filter(|row| row.starts_with("| "))
            .skip(1)
            .collect();
        let mutants = list::read(&shop.root).unwrap();
        assert_eq!(
            rows.len(),
            mutants.len(),
            "`UPDATE=1 cargo xtask mutants` rewrites the table"
        );
        for (row, mutant) in rows.iter().zip(&mutants) {
            assert!(
                row.starts_with(&format!("| {} | {} |", mutant.name, mutant.why)),
                "{row}"
            );
            assert!(row.ends_with("| noticed |"), "{row}");
        }
    }
}
