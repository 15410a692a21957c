//! `omv romfs build` beside `mpremote romfs build`, in turns, on 10,000 files of 20 MB together: wall
//! time, processor time and peak memory, and whether both wrote the same bytes.
//!
//! Needs mpremote, so `cargo xtask bench romfs` runs it: that sets `OMV_JUDGES` (where mpremote is) and
//! `OMV_PROGRAM` (the program as it is released).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Runs of each, of which the median is printed.
const RUNS: usize = 9;
/// How many times faster we want to be.
const GOAL: f64 = 3.0;

fn main() {
    // `cargo test --benches` and a plain `cargo bench` run this too.
    match std::env::var_os("OMV_JUDGES") {
        Some(judges) if std::env::args().any(|arg| arg == "--bench") => run(Path::new(&judges)),
        _ => println!("beside mpremote: `cargo xtask bench romfs`"),
    }
}

fn run(judges: &Path) {
    let folder = tempfile::tempdir().expect("temp dir");
    let tree = folder.path().join("tree");
    make(&tree);
    let program = std::env::var_os("OMV_PROGRAM");
    let ours = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_omv").into());
    let theirs = judges.join("micropython/bin/mpremote");
    let words = |image: &str| vec!["-o".to_owned(), image.to_owned()];
    let mut costs = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        let mut compact = Command::new(&ours);
        compact.args(["romfs", "build", "tree", "--no-mpy", "--layout", "mpremote"]);
        let mut aligned = Command::new(&ours);
        aligned.args(["romfs", "build", "tree", "--no-mpy"]);
        let mut mpremote = Command::new(&theirs);
        mpremote
            .args(["romfs", "--no-mpy"])
            .args(words("theirs.img"))
            .args(["build", "tree"]);
        let runs = [
            compact.args(words("ours.img")),
            aligned.args(words("aligned.img")),
            &mut mpremote,
        ];
        for (command, costs) in runs.into_iter().zip(&mut costs) {
            costs.push(timed(command.current_dir(folder.path())));
        }
    }
    let read = |name: &str| fs::read(folder.path().join(name)).expect("an image");
    assert!(read("ours.img") == read("theirs.img"), "the images differ");
    let [ours, aligned, theirs] = costs.map(median);
    println!(
        "10,000 files, {} bytes of image, equal; {RUNS} runs of each, median",
        read("ours.img").len()
    );
    println!("  mpremote 1.29.0                {:>7.1} ms", theirs * 1e3);
    for (name, cost) in [
        ("omv, the same bytes", ours),
        ("omv, our own layout", aligned),
    ] {
        let ratio = theirs / cost;
        let verdict = if ratio >= GOAL { "reached" } else { "missed" };
        println!(
            "  {name:<30} {:>7.1} ms   {ratio:.1} times faster, goal {GOAL}: {verdict}",
            cost * 1e3
        );
    }
}

/// A hundred folders of a hundred files of about 2 kB.
fn make(root: &Path) {
    for folder in 0..100 {
        let folder: PathBuf = root.join(format!("folder{folder}"));
        fs::create_dir_all(&folder).expect("a folder");
        for file in 0..100 {
            let bytes = vec![file as u8; 2000 + file];
            fs::write(folder.join(format!("file{file}.dat")), bytes).expect("a file");
        }
    }
}

/// Seconds of a run that must go well.
fn timed(command: &mut Command) -> f64 {
    let begun = Instant::now();
    let done = command.output().expect("it starts");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    begun.elapsed().as_secs_f64()
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}
