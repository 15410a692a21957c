//! One mutant: apply it, build, ask its judge, undo it.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::list::{Judge, Mutant};
use crate::run::Shop;

/// Longest time a judge is given. A device that leaves it waiting is noticed too.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The judge failed, and began to say this.
    Noticed(String),
    /// The judge did not come to an end.
    Hung,
    /// The judge was content.
    Survived,
    /// It is no Rust program any more, and so proves nothing.
    DoesNotBuild,
}

impl End {
    /// Whether the judge noticed.
    pub fn is_noticed(&self) -> bool {
        matches!(self, Self::Noticed(_) | Self::Hung)
    }

    /// In one word or a few.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Noticed(_) | Self::Hung => "noticed",
            Self::Survived => "**survived**",
            Self::DoesNotBuild => "**does not build**",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noticed(said) => write!(f, "noticed: {said}"),
            Self::Hung => f.write_str("noticed: the judge waited for ever"),
            end => f.write_str(end.word()),
        }
    }
}

/// The copy, and what is needed to judge it.
pub struct Trial<'a> {
    workspace: &'a Path,
    target: PathBuf,
    judges: &'a Path,
}

/// A test program that was built.
struct Built {
    program: PathBuf,
    /// The folder tests run in: that of their package.
    folder: PathBuf,
}

impl<'a> Trial<'a> {
    /// Trials in a copy of the repository.
    pub fn new(shop: &Shop, workspace: &'a Path, judges: &'a Path) -> Self {
        let target = shop.target.join("mutants/target");
        Self {
            workspace,
            target,
            judges,
        }
    }

    /// Applies a mutant, asks its judge and undoes it.
    ///
    /// # Errors
    /// When it does not apply, or the tools do not run.
    pub fn of(&self, mutant: &Mutant) -> Result<End> {
        let path = self.workspace.join(&mutant.file);
        let whole = fs::read_to_string(&path)?;
        fs::write(&path, mutant.apply(self.workspace)?)?;
        let end = self.ask(&mutant.judge);
        fs::write(&path, whole)?;
        end
    }

    /// Builds what the judge needs and asks it.
    ///
    /// # Errors
    /// When the tools do not run.
    pub fn ask(&self, judge: &Judge) -> Result<End> {
        let scene = ["-p", "omv", "--test", "dropin_conformance"].map(str::to_owned);
        let (build, test, title) = match judge {
            Judge::Scene(title) => (&scene[..], "every_command_line", title.as_str()),
            Judge::Test(words) if words.len() > 3 && words[2] == "--test" => {
                let test = words.get(4).map_or("", String::as_str);
                (&words[..4], test, "")
            }
            Judge::Test(words) if words.len() > 2 => {
                let test = words.get(3).map_or("", String::as_str);
                (&words[..3], test, "")
            }
            Judge::Test(words) => bail!("which test is `{}`?", words.join(" ")),
        };
        let Some(built) = self.build(build)? else {
            return Ok(End::DoesNotBuild);
        };
        self.run(&built, test, title)
    }

    fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(self.workspace)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null());
        command
    }

    fn build(&self, words: &[String]) -> Result<Option<Built>> {
        let done = self
            .cargo()
            .args(["test", "--no-run", "--message-format=json"])
            .args(words)
            .output()
            .context("cargo")?;
        if !done.status.success() {
            return Ok(None);
        }
        let messages = String::from_utf8_lossy(&done.stdout);
        let mut built = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let test = message["profile"]["test"].as_bool()?;
            let program = message["executable"].as_str().filter(|_| test)?;
            let manifest = Path::new(message["manifest_path"].as_str()?);
            Some(Built {
                program: program.into(),
                folder: manifest.parent()?.to_owned(),
            })
        });
        built.next_back().context("cargo built no test").map(Some)
    }

    fn run(&self, built: &Built, test: &str, scene: &str) -> Result<End> {
        let said = self.target.join("said.txt");
        let file = File::create(&said)?;
        let mut command = Command::new(&built.program);
        command
            .args([test, "--test-threads=1"])
            .current_dir(&built.folder)
            .env("OMV_JUDGES", self.judges)
            .env("CARGO_MANIFEST_DIR", &built.folder)
            .stdin(Stdio::null())
            .stderr(file.try_clone()?)
            .stdout(file);
        if !scene.is_empty() {
            command.env("OMV_SCENE", scene);
        }
        let mut child = command.spawn().context("the judge")?;
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                child.kill()?;
                child.wait()?;
                return Ok(End::Hung);
            }
            sleep(LOOK);
        };
        let mut text = String::new();
        File::open(&said)?.read_to_string(&mut text)?;
        // A filter that fits no test would be content with anything.
        if text.contains("running 0 tests") {
            bail!("there is no test `{test}` in {}", built.program.display());
        }
        Ok(if status.success() {
            End::Survived
        } else {
            End::Noticed(reason(&text))
        })
    }
}

/// The line after the one that says where the test panicked.
fn reason(text: &str) -> String {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    let line = lines.nth(1).unwrap_or("it failed");
    line.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_panic_says() {
        let text =
            "running 1 test\nthread 'x' (1) panicked at a.rs:1:2:\nget-property 1: 2 out\nnote";
        assert_eq!(reason(text), "get-property 1: 2 out");
        assert_eq!(reason("signal"), "it failed");
    }
}
