//! Fuzzing in the time CI has: the committed seeds on the compiler of the project, then every
//! target of `fuzz/` for a few seconds under libFuzzer.
//!
//! The program is built here with the flags cargo-fuzz 0.13 uses (its `src/project.rs`), and
//! not by cargo-fuzz itself: installing that takes longer than building it, and would not fit
//! into the budget of the stage. `OMV_FUZZ_TARGET=NAME cargo fuzz run every` works on the same
//! crate.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::run::Shop;

/// Seconds the targets take together, side by side.
const SECONDS: usize = 40;
/// Targets that run at the same time; more would need more memory than small machines have.
const WORKERS: usize = 2;

/// Coverage for libFuzzer, address sanitizer, and overflow checks.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Zsanitizer=address";

/// What libFuzzer calls a finding besides a panic: ten seconds on one input, two gigabytes in
/// all, 128 MiB in one piece.
const LIMITS: [&str; 5] = [
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-malloc_limit_mb=128",
    "-max_len=8192",
    "-print_final_stats=1",
];

/// Replays the seeds, then fuzzes every target.
///
/// # Errors
/// For a seed that fails, a finding, or a missing compiler.
pub fn fuzz(shop: &Shop) -> Result<()> {
    // In the workspace, whose crates are built already.
    let replay = shop.cargo(["test", "--workspace", "--test", "seeds"]);
    replay.stream()?;

    let program = build(shop)?;
    let targets = targets(&shop.root.join("fuzz/corpus"))?;
    let seconds = (SECONDS * WORKERS / targets.len().max(1)).max(1);
    run_all(&shop.target, &targets, &program, seconds)
}

/// Builds the program with all targets, in a folder of its own.
///
/// # Errors
/// For a missing compiler.
pub fn build(shop: &Shop) -> Result<PathBuf> {
    let host = host(shop)?;
    let folder = shop.target.join("fuzz");
    // Not `cargo +nightly`: inside cargo, that word belongs to the toolchain that runs already.
    let build = [
        "run",
        "nightly",
        "cargo",
        "build",
        "--release",
        "--bins",
        "--target",
    ];
    let job = shop
        .program("rustup")
        .args(build)
        .args([&host])
        .args(["--manifest-path", "fuzz/Cargo.toml"]);
    let job = job.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", FLAGS);
    job.stream().context(
        "building the fuzz program, for which there must be a C++ compiler (`apt-get install g++`)",
    )?;
    Ok(folder.join(host).join("release/every"))
}

/// The nightly compiler's own platform.
fn host(shop: &Shop) -> Result<String> {
    let version = shop
        .program("rustup")
        .args(["run", "nightly", "rustc", "-vV"])
        .output();
    let version = version.context(
        "fuzzing needs a nightly compiler: `rustup toolchain install nightly --profile minimal`",
    )?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("no host in what rustc says")?.to_owned())
}

/// Targets are the folders of the corpus; the tests of the fuzz crate see to that.
fn targets(corpus: &Path) -> Result<Vec<PathBuf>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(corpus).with_context(|| corpus.display().to_string())? {
        targets.push(entry?.path());
    }
    targets.sort();
    Ok(targets)
}

fn run_all(target: &Path, targets: &[PathBuf], program: &Path, seconds: usize) -> Result<()> {
    let left = Mutex::new(targets.iter());
    let findings = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = left.lock().ok().and_then(|mut left| left.next());
                    let Some(seeds) = next else {
                        return;
                    };
                    let name = seeds.file_name().unwrap_or_default();
                    let outcome = run_one(target, seeds, program, seconds);
                    if let (Err(error), Ok(mut findings)) = (outcome, findings.lock()) {
                        findings.push(format!("{}: {error:#}", name.display()));
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap_or_default();
    if !findings.is_empty() {
        bail!("{}", findings.join("\n"));
    }
    Ok(())
}

/// Runs one target on a copy of its seeds: what libFuzzer adds is not for the repository.
fn run_one(target: &Path, seeds: &Path, program: &Path, seconds: usize) -> Result<()> {
    let name = seeds.file_name().unwrap_or_default();
    let scratch = target.join("fuzz/scratch").join(name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    let corpus = scratch.join("corpus");
    fs::create_dir_all(&corpus)?;
    for seed in fs::read_dir(seeds)? {
        let seed = seed?;
        fs::copy(seed.path(), corpus.join(seed.file_name()))?;
    }
    let log = scratch.join("log");
    let begun = Instant::now();
    let status = Command::new(program)
        .env("OMV_FUZZ_TARGET", name)
        .arg(&corpus)
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", scratch.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        println!("{}", tail(&said, 60));
        bail!("a finding; the input is in {}", scratch.display());
    }
    let runs = executed(&said).context("libFuzzer did not say how often it ran")?;
    println!(
        "fuzz {}: {runs} runs in {} s",
        name.display(),
        begun.elapsed().as_secs()
    );
    Ok(())
}

/// How many inputs libFuzzer tried, from its final statistics.
fn executed(log: &str) -> Option<u64> {
    let count = |line: &str| {
        let count = line.strip_prefix("stat::number_of_executed_units:")?;
        count.trim().parse().ok()
    };
    log.lines().rev().find_map(count)
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_runs_is_read_from_the_last_statistics() {
        let log = "#2 INITED\nstat::number_of_executed_units: 42\nstat::peak_rss_mb: 40\n";
        assert_eq!(executed(log), Some(42));
        assert_eq!(executed("ERROR: libFuzzer: deadly signal"), None);
    }

    #[test]
    fn the_tail_of_a_log_is_its_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }

    #[test]
    fn every_folder_of_the_corpus_is_a_target() {
        let shop = Shop::new().unwrap();
        let found = targets(&shop.root.join("fuzz/corpus")).unwrap();
        assert!(found.iter().any(|path| path.ends_with("mboot_host")));
        assert!(targets(Path::new("no-such-folder")).is_err());
    }
}
