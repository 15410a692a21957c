//! The states of a board, their families, and firmware versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What runs on a board, as far as the host can see. The names in text and JSON are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A program: OpenMV firmware, another MicroPython or an Arduino sketch.
    Run,
    /// OpenMV's serial bootloader of firmware up to v4.5.9.
    LegacyBl,
    /// OpenMV's DFU bootloader, shipped since v4.6.0.
    Dfu,
    /// The ROM of an STM32.
    StRom,
    /// The resident bootloader of the RT1062, in flash.
    Sbl,
    /// The RT1062's bootloader loaded into RAM by its ROM.
    Flashloader,
    /// The RT1062's ROM, serial download protocol.
    Sdp,
    /// Arduino's MCUboot.
    ArduinoDfu,
    /// Arduino's SAM-BA dialect on the Nano 33 BLE.
    Bossa,
    /// The ROM of the RP2040.
    Picoboot,
    /// The Alif Secure Enclave behind a USB serial bridge.
    SeUart,
    /// Present, but the host may not or cannot open it.
    NoDriver,
    /// The firmware crashes at boot: the bootloader comes and goes every few seconds.
    Cycling,
    /// Nothing appears on the bus.
    Silent,
}

/// The four kinds of state a person needs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A program runs.
    Running,
    /// A bootloader in flash waits; no wire needed.
    Bootloader,
    /// The chip's own last resort.
    Recovery,
    /// Something is wrong outside of the protocols.
    Trouble,
}

/// Text that should have been a state, a version or a USB id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {wanted}")]
pub struct Malformed {
    /// What the text should have been, with an example.
    pub wanted: &'static str,
    /// The text.
    pub text: String,
}

impl State {
    /// Every state, in the order of the table in the documentation.
    pub const ALL: [State; 14] = [
        Self::Run,
        Self::LegacyBl,
        Self::Dfu,
        Self::StRom,
        Self::Sbl,
        Self::Flashloader,
        Self::Sdp,
        Self::ArduinoDfu,
        Self::Bossa,
        Self::Picoboot,
        Self::SeUart,
        Self::NoDriver,
        Self::Cycling,
        Self::Silent,
    ];

    /// The stable name, as in JSON and in the board files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::LegacyBl => "legacy-bl",
            Self::Dfu => "dfu",
            Self::StRom => "st-rom",
            Self::Sbl => "sbl",
            Self::Flashloader => "flashloader",
            Self::Sdp => "sdp",
            Self::ArduinoDfu => "arduino-dfu",
            Self::Bossa => "bossa",
            Self::Picoboot => "picoboot",
            Self::SeUart => "se-uart",
            Self::NoDriver => "no-driver",
            Self::Cycling => "cycling",
            Self::Silent => "silent",
        }
    }

    /// The family this state belongs to.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Run => Family::Running,
            Self::LegacyBl | Self::Dfu | Self::Sbl | Self::ArduinoDfu | Self::Bossa => {
                Family::Bootloader
            }
            Self::StRom | Self::Flashloader | Self::Sdp | Self::Picoboot | Self::SeUart => {
                Family::Recovery
            }
            Self::NoDriver | Self::Cycling | Self::Silent => Family::Trouble,
        }
    }
}

impl Family {
    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Bootloader => "bootloader",
            Self::Recovery => "recovery",
            Self::Trouble => "trouble",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for State {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wanted = "state such as `run` or `sbl`";
        let found = Self::ALL.into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| Malformed {
            wanted,
            text: text.to_owned(),
        })
    }
}

/// A firmware release. Text form `4.8.1`; a leading `v` is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// First number.
    pub major: u16,
    /// Second number.
    pub minor: u16,
    /// Third number.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed {
            wanted: "version such as `4.8.1`",
            text: text.to_owned(),
        };
        // `parse` of a number would take a sign.
        let number = |part: &str| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits).ok_or_else(malformed)
        };
        let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
        let [major, minor, patch] = parts[..] else {
            return Err(malformed());
        };
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
        })
    }
}

impl TryFrom<String> for Version {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}
