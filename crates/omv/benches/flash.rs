//! What the program costs: start, a full flash against what the device itself needs, a second
//! flash of the same image, memory and size. Simulator and program are two processes.
//!
//! The bound adds up erase, program and wire as if they never overlapped. In the simulator a report
//! travels while the flash still programs the one before, so the ratio can fall below 1.
//!
//! Prints ratios and sizes; asserts nothing. `cargo bench -p omv`.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use omv_sim::rt1062::sample;
use serde_json::Value;

/// Bytes of the image that is flashed.
const IMAGE: usize = 3 << 20;
/// Runs of which the median is printed.
const STARTS: usize = 41;

/// The device's own times, as the simulator has them: a sector erase, a page, a HID report.
const ERASE: f64 = 0.045;
const PAGE: f64 = 0.000_4;
const REPORT: f64 = 0.000_5;
/// Bytes a report carries.
const PAYLOAD: f64 = 1012.0;

struct Bench {
    folder: tempfile::TempDir,
    program: PathBuf,
}

fn main() {
    // `cargo test --benches` runs this too, and must not take a minute.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().expect("temp dir");
    // `cargo xtask bench` names the program as it is released, which links nothing.
    let released = std::env::var_os("OMV_PROGRAM").map(PathBuf::from);
    let program = released.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_omv")));
    let bench = Bench { folder, program };
    size(&bench);
    starts(&bench);
    flash(&bench);
}

/// Size of the program, and what it links against.
fn size(bench: &Bench) {
    let bytes = fs::metadata(&bench.program).expect("the program").len() as f64;
    row("program, MiB", bytes / f64::from(1 << 20), "goal < 8");
    let linked = Command::new("ldd").arg(&bench.program).output();
    let linked = linked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let names: Vec<String> = linked
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    println!("{:<44}{}", "links against", names.join(" "));
}

/// From nothing to the end of the process.
fn starts(bench: &Bench) {
    for args in [&["--version"][..], &["list"], &["list", "--json"]] {
        let mut times: Vec<f64> = (0..STARTS)
            .map(|_| {
                let began = Instant::now();
                let ran = bench.command(args).stdout(Stdio::null()).status();
                assert!(
                    ran.is_ok_and(|status| status.success()),
                    "omv {args:?} failed"
                );
                began.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        row(
            &format!("omv {}, ms (median of {STARTS})", args.join(" ")),
            times[STARTS / 2],
            "",
        );
    }
}

fn flash(bench: &Bench) {
    let image = bench.folder.path().join("firmware.bin");
    fs::write(&image, sample::firmware("5.0.0", IMAGE)).expect("an image");
    let _sim = bench.sim();

    let (first, whole, peak) = bench.flash(&image);
    let region = &first["result"]["regions"][0];
    let count = |field: &str| region[field].as_u64().unwrap_or(0) as f64;
    let wire = 2.0 * count("written_bytes") / PAYLOAD * REPORT;
    let bound =
        count("erased_bytes") / 4096.0 * ERASE + count("written_bytes") / 256.0 * PAGE + wire;
    let steps = ["compare", "erase", "write", "verify"];
    let work: f64 = steps.iter().map(|verb| seconds(&first, verb)).sum();
    row("device-bound: erase + program + wire, s", bound, "");
    row("compare + erase + write + verify, s", work, "");
    row("ratio to device-bound", work / bound, "goal <= 1.05");
    row("whole process, with two restarts, s", whole, "");
    row("peak memory, MiB", peak, "goal < 20");

    let (second, again, _) = bench.flash(&image);
    let erased = second["result"]["regions"][0]["erased_bytes"].as_u64();
    row("same image again, s", again, "");
    row("ratio to the first", again / whole, "goal <= 0.15");
    println!(
        "{:<44}{}",
        "bytes erased the second time",
        erased.unwrap_or(u64::MAX)
    );
}

/// Sum of the times of all steps with this verb.
fn seconds(run: &Value, verb: &str) -> f64 {
    let steps = run["planned"]["steps"].as_array();
    let verbs: Vec<&str> = steps
        .into_iter()
        .flatten()
        .filter_map(|step| step["verb"].as_str())
        .collect();
    let finished = run["finished"].as_array();
    let millis: u64 = finished
        .into_iter()
        .flatten()
        .filter(|event| {
            let step = event["step"]
                .as_u64()
                .and_then(|step| verbs.get(step as usize));
            step == Some(&verb)
        })
        .filter_map(|event| event["millis"].as_u64())
        .sum();
    millis as f64 / 1000.0
}

impl Bench {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn sim(&self) -> Sim {
        let child = self
            .command(&["sim", "rt1062"])
            .stdout(Stdio::null())
            .spawn();
        let sim = Sim(child.expect("the simulator starts"));
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let status = self
                .command(&["sim", "ctl", "rt1062", "status", "--json"])
                .output();
            if String::from_utf8_lossy(&status.expect("omv").stdout).contains("\"state\":\"run\"") {
                return sim;
            }
            assert!(Instant::now() < until, "the simulator does not come up");
            sleep(Duration::from_millis(50));
        }
    }

    /// One flash: its events, its wall time in seconds, its peak memory in MiB.
    fn flash(&self, image: &std::path::Path) -> (Value, f64, f64) {
        let out = self.folder.path().join("events");
        let file = fs::File::create(&out).expect("a file for the events");
        let began = Instant::now();
        let mut child = self
            .command(&["flash", "--json", &image.to_string_lossy()])
            .stdout(file)
            .spawn()
            .expect("omv flash");
        let mut peak = 0.0_f64;
        let status = loop {
            peak = peak.max(memory(child.id()));
            if let Some(status) = child.try_wait().expect("omv flash") {
                break status;
            }
            sleep(Duration::from_millis(5));
        };
        let wall = began.elapsed().as_secs_f64();
        let text = fs::read_to_string(&out).expect("the events");
        assert!(status.success(), "omv flash failed: {text}");
        let events: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let all = |name: &str| -> Vec<Value> {
            events
                .iter()
                .filter(|event| event["event"] == name)
                .cloned()
                .collect()
        };
        let run = serde_json::json!({
            "planned": all("planned").first(),
            "finished": all("finished"),
            "result": all("result").first(),
        });
        (run, wall, peak)
    }
}

/// The most memory a process had so far, MiB; Linux only, 0 elsewhere.
fn memory(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn row(what: &str, value: f64, goal: &str) {
    println!("{what:<44}{value:<10.3}{goal}");
}

struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
