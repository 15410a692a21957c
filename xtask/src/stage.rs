//! The stages of `test`, each with a budget. All of them run, also after one failed: one look
//! should show everything that is wrong.
//!
//! A stage that mostly waits, for the network or for programs of its own, begins beside an earlier
//! one. What it prints is shown in its turn and whole.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::run::{Shop, Tally};
use crate::work::{self, Matrix};
use crate::{browser, conformance, corpus, fuzz, judges, rig};

/// A part of `test`.
#[derive(Clone, Copy)]
struct Stage {
    name: &'static str,
    /// Seconds on a machine with two cores and an empty target folder.
    budget: u64,
    /// The stage it begins with, if that is not itself.
    beside: Option<&'static str>,
    work: fn(&Shop) -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "check",
        budget: 300,
        beside: None,
        work: work::check,
    },
    Stage {
        name: "judges",
        budget: 300,
        beside: Some("check"),
        work: |shop| judges::fetch(shop).and_then(|()| browser::fetch(shop)),
    },
    Stage {
        name: "unit",
        budget: 780,
        beside: None,
        work: work::unit,
    },
    Stage {
        name: "conformance",
        budget: 360,
        beside: None,
        work: conformance::run,
    },
    Stage {
        name: "loaders",
        budget: 240,
        beside: None,
        work: conformance::loaders,
    },
    Stage {
        name: "corpus",
        budget: 240,
        beside: None,
        work: corpus::run,
    },
    Stage {
        name: "models",
        budget: 150,
        beside: None,
        work: conformance::models,
    },
    Stage {
        name: "matrix",
        budget: 240,
        beside: None,
        work: |shop| work::matrix(shop, Matrix::Short),
    },
    Stage {
        name: "fuzz-build",
        budget: 420,
        beside: Some("conformance"),
        work: |shop| fuzz::build(shop).map(drop),
    },
    Stage {
        name: "fuzz",
        budget: 240,
        beside: None,
        work: fuzz::fuzz,
    },
    Stage {
        name: "browser",
        budget: 300,
        beside: None,
        work: browser::run,
    },
    Stage {
        name: "rig",
        budget: 720,
        beside: None,
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
    let chosen: Vec<&Stage> = STAGES
        .iter()
        .filter(|stage| names.is_empty() || names.contains(&stage.name))
        .collect();
    let budget: u64 = chosen.iter().map(|stage| stage.budget).sum();
    let begun = Instant::now();
    let red = perform(shop, &chosen);
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

/// Runs stages, and says why which are red.
fn perform(shop: &Shop, stages: &[&Stage]) -> Vec<String> {
    let mut ahead: Vec<(&str, Ahead)> = Vec::new();
    let mut red = Vec::new();
    for stage in stages {
        let friends = stages
            .iter()
            .filter(|other| other.beside == Some(stage.name));
        ahead.extend(friends.map(|other| (other.name, Ahead::start(**other))));
        println!("== {}", stage.name);
        let (outcome, took) = match ahead.iter().position(|(name, _)| *name == stage.name) {
            Some(at) => ahead.remove(at).1.finish(shop),
            None => timed(shop, stage),
        };
        println!(
            "stage {}: {} s of {} s{}",
            stage.name,
            took.as_secs(),
            stage.budget,
            stage
                .beside
                .map_or(String::new(), |other| format!(", beside {other}"))
        );
        let why = match outcome {
            Err(error) => format!("{error:#}"),
            Ok(()) if took.as_secs() > stage.budget => "over its budget".to_owned(),
            Ok(()) => continue,
        };
        red.push(format!("stage {} is red: {why}", stage.name));
    }
    red
}

/// Runs a stage, and how long it took.
fn timed(shop: &Shop, stage: &Stage) -> (Result<()>, Duration) {
    let begun = Instant::now();
    shop.stop_at(begun + Duration::from_secs(stage.budget));
    let outcome = (stage.work)(shop);
    (outcome, begun.elapsed())
}

/// A stage that runs beside others.
struct Ahead {
    thread: JoinHandle<Result<Done>>,
}

/// What became of it.
struct Done {
    outcome: (Result<()>, Duration),
    said: String,
    tally: Tally,
}

impl Ahead {
    fn start(stage: Stage) -> Self {
        let thread = thread::spawn(move || {
            let shop = Shop::aside()?;
            let outcome = timed(&shop, &stage);
            let tally = shop.tally();
            Ok(Done {
                outcome,
                said: shop.kept(),
                tally,
            })
        });
        Self { thread }
    }

    /// Waits for its end, which its budget sees to, and shows what it said.
    fn finish(self, shop: &Shop) -> (Result<()>, Duration) {
        let end = self.thread.join();
        match end.unwrap_or_else(|_| Err(anyhow!("it panicked"))) {
            Ok(done) => {
                print!("{}", done.said);
                shop.add(done.tally);
                done.outcome
            }
            Err(error) => (Err(error), Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &'static str, budget: u64, work: fn(&Shop) -> Result<()>) -> Stage {
        let beside = None;
        Stage {
            name,
            budget,
            beside,
            work,
        }
    }

    #[test]
    fn a_stage_over_its_budget_is_red_although_its_work_went_well() {
        let shop = Shop::new().unwrap();
        let slow = |_: &Shop| {
            thread::sleep(Duration::from_millis(1100));
            Ok(())
        };
        assert_eq!(
            perform(&shop, &[&stage("slow", 0, slow)]),
            ["stage slow is red: over its budget"]
        );
        assert!(perform(&shop, &[&stage("slow", 60, slow)]).is_empty());
    }

    #[test]
    fn a_stage_whose_work_fails_is_red_with_the_reason() {
        let shop = Shop::new().unwrap();
        let red = perform(&shop, &[&stage("models", 60, |_| bail!("no python"))]);
        assert_eq!(red, ["stage models is red: no python"]);
    }

    #[test]
    fn a_stage_beside_another_begins_with_it_and_is_judged_in_its_turn() {
        use std::sync::atomic::{AtomicBool, Ordering};
        static BEGUN: AtomicBool = AtomicBool::new(false);
        let shop = Shop::new().unwrap();
        let first = stage("first", 60, |_| {
            let end = Instant::now() + Duration::from_secs(20);
            while !BEGUN.load(Ordering::SeqCst) {
                if Instant::now() > end {
                    bail!("the other one has not begun");
                }
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
        let friend = Stage {
            beside: Some("first"),
            ..stage("friend", 60, |shop| {
                BEGUN.store(true, Ordering::SeqCst);
                shop.count(true);
                bail!("no network")
            })
        };
        let last = stage("last", 60, |_| bail!("no python"));
        assert_eq!(
            perform(&shop, &[&first, &friend, &last]),
            [
                "stage friend is red: no network",
                "stage last is red: no python"
            ]
        );
        assert_eq!(shop.tally().passed, 1);
    }

    #[test]
    fn every_stage_beside_another_comes_after_it() {
        for (at, stage) in STAGES.iter().enumerate() {
            if let Some(other) = stage.beside {
                let before = STAGES[..at].iter().any(|one| one.name == other);
                assert!(before, "{} beside {other}", stage.name);
            }
        }
    }

    #[test]
    fn a_stage_nobody_knows_is_refused() {
        assert!(test(&Shop::new().unwrap(), &["chekc"]).is_err());
    }
}
