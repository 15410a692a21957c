//! The stand-ins over USB: from the ROM of a virtual camera to its flashloader, by ids alone.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use omv_sim::rt1062::sample;

const OMV: &str = env!("CARGO_BIN_EXE_omv");
const PATIENCE: Duration = Duration::from_secs(30);

/// A camera that runs for other processes, with the wire set.
struct Simulator {
    child: Child,
    folder: tempfile::TempDir,
}

impl Simulator {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = omv(
            folder.path(),
            &["sim", "rt1062", "--name", "bench", "--speed", "20"],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let simulator = Self { child, folder };
        for hand in [["unplug", ""], ["jumper", "on"], ["plug", ""]] {
            let words: Vec<&str> = ["sim", "ctl", "bench"]
                .into_iter()
                .chain(hand)
                .filter(|word| !word.is_empty())
                .collect();
            simulator.until(&words, |done| done.status.success());
        }
        simulator
    }

    fn run(&self, words: &[&str]) -> Output {
        omv(self.folder.path(), words).output().unwrap()
    }

    fn until(&self, words: &[&str], fits: impl Fn(&Output) -> bool) -> Output {
        let end = Instant::now() + PATIENCE;
        loop {
            let done = self.run(words);
            if fits(&done) {
                return done;
            }
            assert!(Instant::now() < end, "{words:?}: {done:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn omv(runtime: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(OMV);
    command.args(words).env("XDG_RUNTIME_DIR", runtime);
    command
}

fn text(done: &Output) -> String {
    String::from_utf8(done.stdout.clone()).unwrap()
}

#[test]
fn a_camera_is_taken_from_its_rom_to_its_flashloader_and_written() {
    let camera = Simulator::start();
    let rom = ["sdphost", "-u", "0x1FC9,0x0135", "--"];
    let loader = ["blhost", "-u", "0x15A2:0x0073", "--"];
    camera.until(&[&rom[..], &["error-status"]].concat(), |done| {
        done.status.success()
    });
    let image = camera.file("loader.bin", &sample::flashloader());
    let image = image.to_str().unwrap();
    let done = camera.run(&[&rom[..], &["write-file", "0x20001C00", image]].concat());
    assert!(
        text(&done).ends_with("(0x88888888) Write File Success.\n"),
        "{done:?}"
    );
    let done = camera.run(&[&rom[..], &["jump-address", "0x20001C00"]].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");

    let version = [&loader[..], &["get-property", "1"]].concat();
    let done = camera.until(&version, |done| done.status.success());
    let expected = "Response status = 0 (0x0) Success.\n\
                    Response word 1 = 1258424320 (0x4b020800)\n\
                    Current Version = K2.8.0\n";
    assert_eq!(text(&done), expected);
    let data: Vec<u8> = (0..5000u32).map(|at| (at % 253) as u8).collect();
    let file = camera.file("data.bin", &data);
    let file = file.to_str().unwrap();
    // The chip's name stands for the loader's ids.
    let named = ["blhost", "-u", "mimxrt1060", "get-property", "1"];
    assert_eq!(text(&camera.run(&named)), expected);
    for words in [
        vec!["fill-memory", "0x2000", "4", "0xC0000008"],
        vec!["configure-memory", "9", "0x2000"],
        vec!["flash-erase-region", "0x60800000", "0x2000"],
        vec!["write-memory", "0x60800000", file],
    ] {
        let done = camera.run(&[&loader[..], &words].concat());
        assert!(done.status.success(), "{words:?}: {done:?}");
    }
    let back = camera.folder.path().join("back.bin");
    let read = ["read-memory", "0x60800000", "5000", back.to_str().unwrap()];
    let done = camera.run(&[&loader[..], &read].concat());
    assert!(done.status.success(), "{done:?}");
    assert!(fs::read(back).unwrap() == data);
}

#[test]
fn a_refused_jump_is_a_failure_unless_the_old_exit_codes_are_asked_for() {
    let camera = Simulator::start();
    let rom = ["-u", "0x1FC9,0x0135"];
    let ready = [&["sdphost"][..], &rom, &["error-status"]].concat();
    camera.until(&ready, |done| done.status.success());
    let jump = ["jump-address", "0x20001C00"];
    let strict = camera.run(&[&["sdphost"][..], &rom, &jump].concat());
    assert_eq!(strict.status.code(), Some(1), "{strict:?}");
    let old = camera.run(&[&["sdphost", "--spsdk-exit-codes"][..], &rom, &jump].concat());
    assert_eq!(old.status.code(), Some(0), "{old:?}");
    assert_eq!(strict.stdout, old.stdout);
}

#[test]
fn what_is_left_out_is_refused_by_name_and_listed_in_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| omv(folder.path(), words).output().unwrap();
    let help = text(&run(&["blhost", "--help"]));
    for name in ["trust-provisioning", "load-image"] {
        let done = run(&["blhost", "-u", "1:2", name]);
        assert_eq!(done.status.code(), Some(2), "{done:?}");
        assert!(
            String::from_utf8_lossy(&done.stderr).contains(name),
            "{done:?}"
        );
        assert!(help.contains(name), "{name}");
    }
    for option in ["-sd", "-l", "-cb", "-x"] {
        let done = run(&["blhost", option, "x", "get-property", "1"]);
        assert_eq!(done.status.code(), Some(2), "{option}: {done:?}");
    }
    let families = run(&["blhost", "get-families", "-c", "get-property"]);
    assert_eq!(families.status.code(), Some(2), "{families:?}");
    let family = run(&["blhost", "-u", "1:2", "get-property", "1", "-f", "x"]);
    assert_eq!(family.status.code(), Some(2), "{family:?}");
}
