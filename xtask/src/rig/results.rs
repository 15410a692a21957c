//! What a scene left in its folder: one file per fact. A file that is missing is a failure.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What a scene left.
pub struct Results {
    folder: PathBuf,
    /// Exit code of its script.
    pub code: i32,
    /// How long it took in the guest.
    pub millis: u64,
}

/// A line that somebody typed in a scene.
pub struct Typed {
    /// The line.
    pub text: String,
    /// When it began, microseconds since 1970.
    pub begun: u64,
    /// When it had ended.
    pub ended: u64,
}

/// What one command left.
pub struct Ran {
    /// Its name in the script.
    name: String,
    /// What it printed.
    pub stdout: String,
    /// Its exit code.
    pub code: i32,
    millis: u64,
}

impl Results {
    /// Reads the end of a scene.
    ///
    /// # Errors
    /// When it has not ended.
    pub fn of(folder: &Path) -> Result<Self> {
        let End { code, millis, .. } = end(&folder.join("end")).context("it left no result")?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            code,
            millis,
        })
    }

    /// Where a file of the scene lies.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A file of the scene.
    ///
    /// # Errors
    /// When it is missing.
    pub fn bytes(&self, file: &str) -> Result<Vec<u8>> {
        fs::read(self.path(file)).with_context(|| format!("no {file}"))
    }

    /// A file of the scene.
    ///
    /// # Errors
    /// When it is missing.
    pub fn text(&self, file: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes(file)?).into_owned())
    }

    /// What was typed as `line1`, `line2` and so on.
    ///
    /// # Errors
    /// When one of them has not run to its end.
    pub fn typed(&self) -> Result<Vec<Typed>> {
        let mut typed = Vec::new();
        while let Ok(text) = self.text(&format!("line{}.line", typed.len() + 1)) {
            let times = end(&self.path(&format!("line{}.end", typed.len() + 1)))?;
            typed.push(Typed {
                text: text.trim_end().to_owned(),
                begun: times.begun,
                // The milliseconds were rounded down.
                ended: times.begun + (times.millis + 1) * 1000,
            });
        }
        Ok(typed)
    }

    /// What a command of the scene left.
    ///
    /// # Errors
    /// When it has not run to its end.
    pub fn ran(&self, name: &str) -> Result<Ran> {
        let End { code, millis, .. } = end(&self.path(&format!("{name}.end")))?;
        Ok(Ran {
            stdout: self.text(&format!("{name}.out"))?,
            name: name.to_owned(),
            code,
            millis,
        })
    }

    /// Whether the script gave up.
    ///
    /// # Errors
    /// With its own words.
    pub fn no_failure(&self) -> Result<()> {
        match self.text("failed") {
            Ok(words) => bail!("{}", words.trim()),
            Err(_) => Ok(()),
        }
    }

    /// Whether the script came to its end.
    ///
    /// # Errors
    /// When it was stopped, or a command of it said no.
    pub fn ended_well(&self) -> Result<()> {
        match self.code {
            0 => Ok(()),
            124 | 137 => bail!("it was stopped: its time was over"),
            code => bail!("exit code {code}: {}", self.text("scene.err")?.trim()),
        }
    }

    /// Whether the kernel found nothing wrong with what the devices say of themselves.
    ///
    /// # Errors
    /// With its words.
    pub fn calm_kernel(&self) -> Result<()> {
        self.no_line(&[
            "config",
            "invalid",
            "descriptor",
            "bug:",
            "oops",
            "warning:",
        ])
    }

    /// Whether nothing failed, either. Only where no device leaves while the kernel is still
    /// getting to know it.
    ///
    /// # Errors
    /// With the kernel's words.
    pub fn silent_kernel(&self) -> Result<()> {
        self.no_line(&[
            "error",
            "unable",
            "failed",
            "cannot",
            "not responding",
            "timed out",
        ])
    }

    fn no_line(&self, words: &[&str]) -> Result<()> {
        let log = self.text("dmesg")?;
        let bad = |line: &&str| {
            let line = line.to_lowercase();
            words.iter().any(|word| line.contains(word))
        };
        let complaints: Vec<&str> = log.lines().filter(bad).collect();
        ensure!(
            complaints.is_empty(),
            "the kernel says: {}",
            complaints.join(" | ")
        );
        Ok(())
    }
}

impl Ran {
    /// The lines it printed, each a JSON value.
    ///
    /// # Errors
    /// When one is none.
    pub fn lines(&self) -> Result<Vec<Value>> {
        let lines = self.stdout.lines();
        let read =
            |line| serde_json::from_str(line).with_context(|| format!("{}: {line}", self.name));
        lines.map(read).collect()
    }

    /// The last line it printed.
    ///
    /// # Errors
    /// When there is none.
    pub fn last(&self) -> Result<Value> {
        self.lines()?
            .pop()
            .with_context(|| format!("{} printed nothing", self.name))
    }

    /// Demands an exit code.
    ///
    /// # Errors
    /// When it is another; with the last line.
    pub fn exits(&self, code: i32) -> Result<&Self> {
        let last = self.stdout.lines().last().unwrap_or_default();
        ensure!(
            self.code == code,
            "{} exits with {}, not {code}, after {} ms: {last}",
            self.name,
            self.code,
            self.millis
        );
        Ok(self)
    }

    /// Demands that it printed these words.
    ///
    /// # Errors
    /// With the first ones that are missing.
    pub fn says(&self, words: &[&str]) -> Result<&Self> {
        for words in words {
            let (name, said) = (&self.name, self.stdout.trim_end());
            ensure!(
                said.contains(words),
                "{name} does not say {words:?}: {said}"
            );
        }
        Ok(self)
    }

    /// Demands an error of this code.
    ///
    /// # Errors
    /// When it is another, or none.
    pub fn error(&self, code: &str) -> Result<Value> {
        let last = self.last()?;
        let found = &last["error"]["code"];
        ensure!(found == code, "{} ends with {last}, not {code}", self.name);
        Ok(last["error"].clone())
    }
}

/// How something ended: exit code, milliseconds, and for a command the microseconds since 1970
/// at its start.
struct End {
    code: i32,
    millis: u64,
    begun: u64,
}

fn end(path: &Path) -> Result<End> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).with_context(|| format!("no {name}"))?;
    let mut words = text.split_whitespace();
    let (code, millis) = words
        .next()
        .zip(words.next())
        .with_context(|| format!("{name} is empty"))?;
    Ok(End {
        code: code.parse()?,
        millis: millis.parse()?,
        begun: words.next().unwrap_or("0").parse()?,
    })
}

/// Demands that a field of a JSON value is this.
///
/// # Errors
/// When it is something else.
pub fn is(value: &Value, field: &str, wanted: impl Into<Value>) -> Result<()> {
    let wanted = wanted.into();
    ensure!(
        value[field] == wanted,
        "{field} is {}, not {wanted}",
        value[field]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_that_left_nothing_has_failed() {
        let folder = std::env::temp_dir().join("no such scene");
        assert!(Results::of(&folder).is_err());
    }

    #[test]
    fn what_the_kernel_says_against_a_device_is_a_complaint() {
        let folder = tempfile();
        let results = Results {
            folder: folder.clone(),
            code: 0,
            millis: 0,
        };
        let log = |text: &str| fs::write(folder.join("dmesg"), text).unwrap();
        log("cdc_acm 1-1:1.0: ttyACM0: USB ACM device\n");
        assert!(results.calm_kernel().is_ok() && results.silent_kernel().is_ok());
        log("usb 1-1: config 1 interface 0 altsetting 0 has an invalid endpoint\n");
        assert!(results.calm_kernel().is_err());
        log("usbhid: probe of 1-1:1.0 failed with error -32\n");
        assert!(results.silent_kernel().is_err());
        fs::remove_dir_all(folder).unwrap();
        assert!(results.calm_kernel().is_err());
    }

    fn tempfile() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rig-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }
}
