//! Running other programs: their output streams, test summaries in it are counted, and none
//! outlives the deadline of its stage.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest wait without a deadline.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Tests that passed and that failed, as cargo's summaries say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Tally {
    /// Adds what a line of output says, if it is a summary:
    /// `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
    pub fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else {
            return;
        };
        for part in counts.split([';', '.']) {
            if let Some((count, what)) = part.trim().split_once(' ')
                && let Ok(count) = count.parse::<u64>()
            {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    _ => {}
                }
            }
        }
    }
}

/// Where the work is done, and how far it has come.
pub struct Shop {
    /// The root of the repository.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    tally: Cell<Tally>,
    deadline: Cell<Option<Instant>>,
    /// What was said, where it is kept: see [`Shop::aside`].
    kept: Option<RefCell<String>>,
}

impl Shop {
    /// Finds the repository this program was built from.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().context("the repository is gone")?;
        let target = std::env::var_os("CARGO_TARGET_DIR");
        Ok(Self {
            target: root.join(target.unwrap_or_else(|| "target".into())),
            root,
            tally: Cell::default(),
            deadline: Cell::new(None),
            kept: None,
        })
    }

    /// A shop for work beside other work: what is said in it and what its programs print is kept, so
    /// that it can be shown in one piece.
    ///
    /// # Errors
    /// When the repository is gone.
    pub fn aside() -> Result<Self> {
        let kept = Some(RefCell::default());
        Ok(Self {
            kept,
            ..Self::new()?
        })
    }

    /// Says a line.
    pub fn say(&self, line: impl AsRef<str>) {
        let line = line.as_ref();
        match &self.kept {
            None => println!("{line}"),
            Some(kept) => *kept.borrow_mut() += &format!("{line}\n"),
        }
    }

    /// All that was said [aside](Self::aside).
    pub fn kept(self) -> String {
        self.kept.map(RefCell::into_inner).unwrap_or_default()
    }

    /// The tests counted so far.
    pub fn tally(&self) -> Tally {
        self.tally.get()
    }

    /// Counts a test that no summary of cargo's tells about.
    pub fn count(&self, passed: bool) {
        let mut tally = self.tally.get();
        *if passed {
            &mut tally.passed
        } else {
            &mut tally.failed
        } += 1;
        self.tally.set(tally);
    }

    /// Counts tests that somebody else has counted.
    pub fn add(&self, more: Tally) {
        let mut tally = self.tally.get();
        tally.passed += more.passed;
        tally.failed += more.failed;
        self.tally.set(tally);
    }

    /// From here on, whatever runs is stopped at this moment.
    pub fn stop_at(&self, deadline: Instant) {
        self.deadline.set(Some(deadline));
    }

    /// A program to be run in the root of the repository.
    pub fn program(&self, name: impl AsRef<OsStr>) -> Job<'_> {
        let mut command = Command::new(name);
        command.current_dir(&self.root).stdin(Stdio::null());
        Job {
            shop: self,
            command,
        }
    }

    /// Cargo, the one that runs this program.
    pub fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Job<'_> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        self.program(cargo).args(arguments)
    }
}

/// A program about to run.
pub struct Job<'a> {
    shop: &'a Shop,
    command: Command,
}

impl<'a> Job<'a> {
    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn title(&self) -> String {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        let words = std::iter::once(name).chain(self.command.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        words.join(" ")
    }

    /// Runs it and gives what it prints.
    ///
    /// # Errors
    /// When it cannot be started or says no; with its complaint.
    pub fn output(mut self) -> Result<String> {
        let title = self.title();
        let done = self
            .command
            .output()
            .with_context(|| format!("cannot run `{title}`"))?;
        if !done.status.success() {
            let complaint = String::from_utf8_lossy(&done.stderr);
            bail!("`{title}` failed: {}", complaint.trim());
        }
        String::from_utf8(done.stdout).with_context(|| format!("what `{title}` prints"))
    }

    /// Runs it while its output streams, and counts the tests in it.
    ///
    /// # Errors
    /// When it cannot be started, says no, or is still running at the deadline.
    pub fn stream(self) -> Result<()> {
        self.start()?.finish()
    }

    /// Starts it. What it prints waits until [`Running::finish`] is called, which must be.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut self) -> Result<Running<'a>> {
        let title = self.title();
        let command = self.command.stdout(Stdio::piped());
        if self.shop.kept.is_some() {
            command.stderr(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run `{title}`"))?;
        let (to, lines) = mpsc::channel();
        if let Some(complaints) = child.stderr.take() {
            read_lines(complaints, to.clone());
        }
        read_lines(child.stdout.take().context("a pipe")?, to);
        Ok(Running {
            shop: self.shop,
            title,
            child,
            lines,
        })
    }
}

/// Sends what comes out of a program, line by line.
fn read_lines(output: impl Read + Send + 'static, to: Sender<Vec<u8>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// A program that runs.
pub struct Running<'a> {
    shop: &'a Shop,
    title: String,
    child: Child,
    lines: Receiver<Vec<u8>>,
}

impl Running<'_> {
    /// Shows what it prints until it ends, and counts the tests in it.
    ///
    /// # Errors
    /// When it says no, or is still running at the deadline.
    pub fn finish(mut self) -> Result<()> {
        let (shop, title) = (self.shop, &self.title);
        shop.say(format!("$ {title}"));
        let deadline = shop.deadline.get();
        loop {
            let left = deadline.map_or(LONG, |end| end.saturating_duration_since(Instant::now()));
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let line = String::from_utf8_lossy(&line);
                    shop.say(&line);
                    let mut tally = Tally::default();
                    tally.read(&line);
                    shop.add(tally);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let child = &mut self.child;
                    child
                        .kill()
                        .and_then(|()| child.wait())
                        .context("stopping it")?;
                    bail!("`{title}` was stopped: the time is over");
                }
            }
        }
        let status = self.child.wait();
        let status = status.with_context(|| format!("waiting for `{title}`"))?;
        if !status.success() {
            bail!("`{title}` failed: {status}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up_and_other_lines_are_not() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out");
        tally.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured");
        tally.read("test nine_passed ... ok");
        tally.read("9 passed; 9 failed");
        assert_eq!((tally.passed, tally.failed), (15, 2));
    }

    #[test]
    fn a_program_that_says_no_is_an_error() {
        let shop = Shop::new().unwrap();
        assert!(shop.program("rustc").args(["--version"]).stream().is_ok());
        assert!(
            shop.program("rustc")
                .args(["--no-such-flag"])
                .stream()
                .is_err()
        );
    }

    #[test]
    fn what_is_said_aside_is_kept_whole() {
        let shop = Shop::aside().unwrap();
        shop.say("before");
        let run = |flag: &str| shop.program("rustc").args([flag]).stream();
        assert!(run("--version").is_ok() && run("--no-such-flag").is_err());
        let kept = shop.kept();
        assert!(
            kept.starts_with("before\n$ rustc --version\nrustc 1."),
            "{kept}"
        );
        assert!(kept.contains("no-such-flag"), "its complaint too: {kept}");
    }

    #[cfg(unix)]
    #[test]
    fn two_programs_run_side_by_side_and_each_is_shown_whole() {
        let shop = Shop::aside().unwrap();
        let folder = shop.target.join("xtask-tests/side-by-side");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        // Each waits for the other, ten seconds at most.
        let script = "cd $0; touch $1; echo here
            for i in $(seq 100); do [ -e $2 ] && echo met && exit; sleep 0.1; done; exit 1";
        let friend = |own: &str, other: &str| {
            let job = shop.program("sh").args(["-c", script]).args([&folder]);
            job.args([own, other])
        };
        let second = friend("b", "a").start().unwrap();
        friend("a", "b").stream().unwrap();
        second.finish().unwrap();
        let kept = shop.kept();
        assert_eq!(kept.matches("\nhere\nmet\n").count(), 2, "{kept}");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_stopped_at_the_deadline() {
        let shop = Shop::new().unwrap();
        let begun = Instant::now();
        shop.stop_at(begun + Duration::from_millis(50));
        let error = shop.program("sleep").args(["20"]).stream().unwrap_err();
        assert!(error.to_string().contains("the time is over"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
