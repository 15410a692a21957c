//! The stages of `test`, each with a budget. All of them run, also after one failed: one look
//! should show everything that is wrong.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::run::Shop;
use crate::work::{self, Matrix};
use crate::{browser, conformance, corpus, fuzz, judges, rig};

/// A part of `test`.
struct Stage {
    name: &'static str,
    /// Seconds on a machine with two cores and an empty target folder.
    budget: u64,
    work: fn(&Shop) -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "check",
        budget: 300,
        work: work::check,
    },
    Stage {
        name: "judges",
        budget: 300,
        work: judges::fetch,
    },
    Stage {
        name: "unit",
        budget: 780,
        work: work::unit,
    },
    Stage {
        name: "conformance",
        budget: 360,
        work: conformance::run,
    },
    Stage {
        name: "loaders",
        budget: 240,
        work: conformance::loaders,
    },
    Stage {
        name: "corpus",
        budget: 240,
        work: corpus::run,
    },
    Stage {
        name: "models",
        budget: 150,
        work: conformance::models,
    },
    Stage {
        name: "matrix",
        budget: 240,
        work: |shop| work::matrix(shop, Matrix::Short),
    },
    Stage {
        name: "fuzz",
        budget: 420,
        work: fuzz::fuzz,
    },
    Stage {
        name: "browser",
        budget: 300,
        work: browser::run,
    },
    Stage {
        name: "rig",
        budget: 720,
        work: rig::test,
    },
];

/// Runs all stages, or those named.
///
/// # Errors
/// When one failed or was over its budget, and for a name that is none.
pub fn test(shop: &Shop, names: &[&str]) -> Result<()> {
    for name in names {
        if STAGES.iter().all(|stage| stage.name != *name) {
            let known: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
            bail!("no stage {name}; there are {}", known.join(", "));
        }
    }
    let chosen = |stage: &&Stage| names.is_empty() || names.contains(&stage.name);
    let mut red = Vec::new();
    let begun = Instant::now();
    let mut budget = 0;
    for stage in STAGES.iter().filter(chosen) {
        budget += stage.budget;
        if let Some(why) = perform(shop, stage) {
            red.push(format!("stage {} is red: {why}", stage.name));
        }
    }
    println!("total: {} s of {budget} s", begun.elapsed().as_secs());
    for line in &red {
        println!("{line}");
    }
    let tally = shop.tally();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if !red.is_empty() {
        bail!("{} of the stages failed", red.len());
    }
    Ok(())
}

/// Runs one stage and says why it is red, if it is.
fn perform(shop: &Shop, stage: &Stage) -> Option<String> {
    println!("== {}", stage.name);
    let begun = Instant::now();
    shop.stop_at(begun + Duration::from_secs(stage.budget));
    let outcome = (stage.work)(shop);
    let seconds = begun.elapsed().as_secs();
    println!("stage {}: {seconds} s of {} s", stage.name, stage.budget);
    match outcome {
        Err(error) => Some(format!("{error:#}")),
        Ok(()) if seconds > stage.budget => Some("over its budget".to_owned()),
        Ok(()) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(budget: u64, work: fn(&Shop) -> Result<()>) -> Stage {
        let name = "sample";
        Stage { name, budget, work }
    }

    #[test]
    fn a_stage_over_its_budget_is_red_although_its_work_went_well() {
        let shop = Shop::new().unwrap();
        let slow = |_: &Shop| {
            std::thread::sleep(Duration::from_millis(1100));
            Ok(())
        };
        assert_eq!(
            perform(&shop, &stage(0, slow)).as_deref(),
            Some("over its budget")
        );
        assert_eq!(perform(&shop, &stage(60, slow)), None);
    }

    #[test]
    fn a_stage_whose_work_fails_is_red_with_the_reason() {
        let shop = Shop::new().unwrap();
        let red = perform(&shop, &stage(60, |_| bail!("no python"))).unwrap();
        assert_eq!(red, "no python");
    }

    #[test]
    fn a_stage_nobody_knows_is_refused() {
        assert!(test(&Shop::new().unwrap(), &["chekc"]).is_err());
    }
}
