//! Running the program as a user would, each test with a runtime folder of its own.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A place for one test: its runtime folder, its files.
pub struct Desk {
    pub folder: tempfile::TempDir,
}

/// What a run of the program came to.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("omv-test-")
            .tempdir()
            .expect("temp dir");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file in the temp dir");
        path
    }

    /// The program, ready to be started on this desk.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omv"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env_remove("OMV_CAMERA")
            .stdin(Stdio::null());
        command
    }

    pub fn omv(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the program starts"))
    }

    /// Starts a virtual camera that other commands on this desk find.
    pub fn sim(&self, args: &[&str]) -> Sim {
        let all: Vec<&str> = ["sim", "rt1062"].iter().chain(args).copied().collect();
        let name = args
            .iter()
            .skip_while(|arg| **arg != "--name")
            .nth(1)
            .unwrap_or(&"rt1062");
        self.serve(self.command(&all), name)
    }

    /// Starts what serves a virtual camera of this name, and waits for it.
    pub fn serve(&self, mut command: Command, name: &str) -> Sim {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let sim = Sim {
            child: child.expect("the simulator starts"),
        };
        let until = Instant::now() + Duration::from_secs(10);
        while self.omv(&["sim", "ctl", name, "status"]).code != Some(0) {
            assert!(Instant::now() < until, "the simulator does not answer");
            sleep(Duration::from_millis(50));
        }
        sim
    }

    /// Waits until a virtual camera is in this state.
    pub fn until(&self, name: &str, state: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.omv(&["sim", "ctl", name, "status", "--json"]);
            if status.result()["state"] == state {
                return;
            }
            assert!(
                Instant::now() < until,
                "never became {state}: {}",
                status.out
            );
            sleep(Duration::from_millis(30));
        }
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("stdout is text"),
            err: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// Every line of a JSON run.
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The last line of a JSON run.
    pub fn result(&self) -> Value {
        let last = self.lines().pop().unwrap_or(Value::Null);
        assert_eq!(
            last["event"], "result",
            "the result comes last: {}\n{}",
            self.out, self.err
        );
        last
    }

    pub fn error_code(&self) -> String {
        self.result()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// A running simulator; it ends with the test.
pub struct Sim {
    child: Child,
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of a path.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in the temp dir is text")
}

/// A zip archive with these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .expect("a file in a zip");
        writer.write_all(bytes).expect("bytes in a zip");
    }
    writer.finish().expect("a zip").into_inner()
}
