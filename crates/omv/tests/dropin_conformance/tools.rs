//! The two tools, run the same way.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What a command line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code; negative for a signal.
    pub code: i64,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

/// Whoever runs command lines.
pub trait Tool {
    /// Runs `tool words...` in a folder.
    fn run(&mut self, tool: &str, words: &[String], folder: &Path) -> Outcome;
}

/// Our program.
pub struct Omv;

impl Omv {
    /// Runs it; see [`Tool::run`].
    pub fn run(&self, tool: &str, words: &[String], folder: &Path) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omv"));
        command.arg(tool).args(words);
        finish(command, folder)
    }
}

impl Tool for Omv {
    fn run(&mut self, tool: &str, words: &[String], folder: &Path) -> Outcome {
        Omv::run(self, tool, words, folder)
    }
}

fn finish(mut command: Command, folder: &Path) -> Outcome {
    let done = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Outcome {
        code: done.status.code().map_or(-1, i64::from),
        out: done.stdout,
        err: done.stderr,
    }
}

/// The tools of SPSDK, in one interpreter that forks for each command line.
pub struct Spsdk {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
    folder: PathBuf,
    home: tempfile::TempDir,
}

impl Spsdk {
    /// Starts the interpreter.
    pub fn start() -> Self {
        let judges = std::env::var_os("OMV_JUDGES").expect(
            "OMV_JUDGES is not set: `cargo xtask test judges conformance` fetches the judges and runs this",
        );
        let folder = PathBuf::from(judges).join("spsdk");
        let home = tempfile::tempdir().unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/dropin_conformance/judge.py"
        );
        let mut command = Command::new(folder.join("bin/python"));
        command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        environment(&mut command, home.path());
        let mut child = command.spawn().expect("the Python of the judges");
        Self {
            ask: child.stdin.take(),
            answer: BufReader::new(child.stdout.take().unwrap()),
            child,
            folder,
            home,
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        let ask = self.ask.as_mut().unwrap();
        writeln!(ask, "{request}").unwrap();
        ask.flush().unwrap();
        let mut line = String::new();
        self.answer.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("an answer of the judge")
    }

    /// Whether `-u name` means a device, for one of the tools.
    pub fn fits(&mut self, tool: &str, name: &str, device: Value) -> bool {
        let answer = self.ask(&json!({ "tool": tool, "usb": name, "device": device }));
        answer["fits"].as_bool().unwrap()
    }

    /// Runs the installed program itself.
    pub fn run_installed(&self, tool: &str, words: &[String], folder: &Path) -> Outcome {
        let mut command = Command::new(self.folder.join("bin").join(tool));
        command.args(words);
        environment(&mut command, self.home.path());
        finish(command, folder)
    }
}

fn environment(command: &mut Command, home: &Path) {
    command
        .env("HOME", home)
        .env("SPSDK_DEBUG_LOGGING_DISABLED", "1")
        .env_remove("COLUMNS");
}

impl Tool for Spsdk {
    fn run(&mut self, tool: &str, words: &[String], folder: &Path) -> Outcome {
        let answer = self.ask(&json!({ "tool": tool, "argv": words, "cwd": folder }));
        let bytes = |key: &str| {
            let digits = answer[key].as_str().unwrap().as_bytes();
            let byte =
                |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.chunks(2).map(byte).collect()
        };
        Outcome {
            code: answer["code"].as_i64().unwrap(),
            out: bytes("out"),
            err: bytes("err"),
        }
    }
}

impl Drop for Spsdk {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.wait();
    }
}
