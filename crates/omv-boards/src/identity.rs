//! How a board shows itself on USB: one identity per state and era.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Malformed, State, Version};

/// USB vendor and product id. Text form `37C5:1060`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsbId {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
}

/// Which protocol an identity speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speak {
    /// OpenMV debug protocol 1, firmware up to v4.8.1.
    V1,
    /// OpenMV protocol 2, firmware since v5.0.0.
    V2,
    /// One of the two, depending on the firmware: ask.
    V1OrV2,
    /// A MicroPython prompt without OpenMV's protocols.
    Repl,
    /// A program of the owner's: only the 1200 baud touch can be relied on.
    Sketch,
    /// OpenMV's serial bootloader.
    Legacy,
    /// USB DFU 1.1, one alternate per partition.
    Dfu,
    /// ST's addressed extension of DFU.
    DfuSe,
    /// ST's DFU with numbered phases that load images into RAM; not a flash programmer.
    StPhases,
    /// NXP's MCU bootloader over HID.
    Mboot,
    /// NXP's serial download protocol over HID.
    Sdp,
    /// The SAM-BA monitor as Arduino ships it.
    SamBa,
    /// The RP2040 ROM's vendor interface and disk.
    Picoboot,
    /// The Alif Secure Enclave's serial protocol.
    SecureEnclave,
}

/// A way into a state that needs no hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SoftEntry {
    /// Protocol 1 `SYS_RESET`: a plain reset, then the bootloader's window.
    V1Reset,
    /// Protocol 1 `SYS_RESET_TO_BL`.
    V1ResetToBootloader,
    /// Protocol 2 `SYS_BOOT`.
    V2Boot,
    /// `machine.bootloader()` at the MicroPython prompt.
    MachineBootloader,
    /// Opening the serial port at 1200 baud.
    #[serde(rename = "touch-1200")]
    Touch1200,
    /// The ROM's `JUMP_ADDRESS` after loading a program into RAM.
    SdpJump,
}

/// One way a board shows itself: a state, its USB id, what it speaks there and how to get there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// What runs.
    pub state: State,
    /// USB id in that state.
    pub usb: UsbId,
    /// Protocol spoken.
    pub speak: Speak,
    /// First release that shows itself like this; none: from the beginning.
    pub since: Option<Version>,
    /// Last release that shows itself like this; none: still does.
    pub until: Option<Version>,
    /// Serial numbers that mark this identity and no board; empty where the serial is a board's own.
    #[serde(default)]
    pub fixed_serials: Vec<String>,
    /// Commands that lead here from a running program or from the state before.
    #[serde(default)]
    pub soft: Vec<SoftEntry>,
    /// What a person does to get the board into this state.
    pub hands: Option<String>,
    /// What a person does to get the board out of it, where software alone cannot.
    pub leave: Option<String>,
    /// Longest wait for the host to configure the device, in milliseconds; none: no limit.
    pub configure_within: Option<u32>,
    /// How long the state holds by itself, in milliseconds, before the application starts; none:
    /// until told.
    pub window: Option<u32>,
    /// The two pins that a wire must join to bring this state about.
    pub wire: Option<[String; 2]>,
    /// The chip's part number as its maker's program wants it, where this identity tells.
    pub part: Option<String>,
    /// Product name, where it is known.
    pub product: Option<String>,
    /// What to know before believing this identity.
    pub note: Option<String>,
}

impl Identity {
    /// Whether a board with this firmware release shows this identity.
    #[must_use]
    pub fn covers(&self, version: Version) -> bool {
        self.since.is_none_or(|since| since <= version)
            && self.until.is_none_or(|until| version <= until)
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{:04X}:{:04X}", self.vid, self.pid))
    }
}

impl FromStr for UsbId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed {
            wanted: "USB id such as `37C5:1060`",
            text: text.to_owned(),
        };
        let part = |part: &str| {
            let hex = part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            u16::from_str_radix(part, 16)
                .ok()
                .filter(|_| hex)
                .ok_or_else(malformed)
        };
        let (vid, pid) = text.split_once(':').ok_or_else(malformed)?;
        Ok(Self {
            vid: part(vid)?,
            pid: part(pid)?,
        })
    }
}
