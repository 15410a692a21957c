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
        let (code, millis) = end(&folder.join("end")).context("it left no result")?;
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            code,
            millis,
        })
    }

    /// A file of the scene.
    ///
    /// # Errors
    /// When it is missing.
    pub fn text(&self, file: &str) -> Result<String> {
        let bytes = fs::read(self.folder.join(file)).with_context(|| format!("no {file}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What a command of the scene left.
    ///
    /// # Errors
    /// When it has not run to its end.
    pub fn ran(&self, name: &str) -> Result<Ran> {
        let (code, millis) = end(&self.folder.join(format!("{name}.end")))?;
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

    /// Whether the kernel had nothing to say against the devices.
    ///
    /// # Errors
    /// With its words.
    pub fn calm_kernel(&self) -> Result<()> {
        let words = self.text("dmesg")?;
        let complaints: Vec<&str> = words.lines().filter(|line| is_complaint(line)).collect();
        ensure!(
            complaints.is_empty(),
            "the kernel says: {}",
            complaints.join(" | ")
        );
        Ok(())
    }
}

/// Whether a line of the kernel's log is about something wrong with a device.
fn is_complaint(line: &str) -> bool {
    let line = line.to_lowercase();
    // Said of every device that is slower than the virtual hub could be.
    let harmless = line.contains("speed not set");
    let bad = [
        "config",
        "invalid",
        "error",
        "unable",
        "failed",
        "cannot",
        "not responding",
        "warning:",
        "bug:",
        "oops",
        "refused",
        "mismatch",
        "timed out",
    ];
    !harmless && bad.iter().any(|word| line.contains(word))
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

/// `exit code, milliseconds`.
fn end(path: &Path) -> Result<(i32, u64)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).with_context(|| format!("no {name}"))?;
    let mut words = text.split_whitespace();
    let (code, millis) = words
        .next()
        .zip(words.next())
        .with_context(|| format!("{name} is empty"))?;
    Ok((code.parse()?, millis.parse()?))
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
        assert!(is_complaint(
            "usb 1-1: config 1 interface 0 altsetting 0 has an invalid endpoint"
        ));
        assert!(is_complaint(
            "usb 1-1: device descriptor read/64, error -71"
        ));
        assert!(!is_complaint("vhci_hcd: vhci_device speed not set"));
        assert!(!is_complaint("cdc_acm 1-1:1.0: ttyACM0: USB ACM device"));
    }
}
