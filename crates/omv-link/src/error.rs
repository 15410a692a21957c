//! Why a bus, a device or a link did not do what was asked.

use std::io;

use crate::Function;

/// Trouble below the protocols: cables, rights, other programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The device left the bus.
    #[error("the device left the bus")]
    Gone,
    /// Another process has it.
    #[error("the device is in use{}", holder.as_ref().map(|h| format!(" by {h}")).unwrap_or_default())]
    Busy {
        /// Who, as far as that could be found out: `omv flash (process 4711)`.
        holder: Option<String>,
    },
    /// The operating system denies access.
    #[error("permission denied on {node}")]
    NoAccess {
        /// The node that would not open: `/dev/hidraw0`.
        node: String,
    },
    /// The device took nothing for seconds.
    #[error("the device accepts no data")]
    Stuck,
    /// The device has no such function.
    #[error("the device has no {function}")]
    NoFunction {
        /// What was asked for.
        function: Function,
    },
    /// The device described itself in a way USB does not allow.
    #[error("the device's descriptors are invalid: {0}")]
    Descriptors(String),
    /// The other end of a USB/IP connection broke its protocol.
    #[error("{peer} breaks the USB/IP protocol: {what}")]
    Peer {
        /// Host and port.
        peer: String,
        /// What was wrong.
        what: String,
    },
    /// The operating system reported something else.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a participle: `opening /dev/ttyACM0`.
        doing: String,
        /// The system's own words.
        source: io::Error,
    },
}

impl LinkError {
    /// Stable name: in JSON, in `docs/errors.md`, in forum answers. Never reused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gone => "device-gone",
            Self::Busy { .. } => "busy",
            Self::NoAccess { .. } => "no-access",
            Self::Stuck => "device-stuck",
            Self::NoFunction { .. } => "no-function",
            Self::Descriptors(_) => "bad-descriptors",
            Self::Peer { .. } => "bad-peer",
            Self::Io { .. } => "io",
        }
    }

    /// One thing a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Gone => "Check the cable, plug the camera in again and repeat the command.",
            Self::Busy { .. } => "Close the other program, such as OpenMV IDE or a serial monitor.",
            Self::NoAccess { .. } => {
                "The operating system keeps this program from the device. On Windows the WinUSB driver for it is missing: OpenMV IDE installs it, or Zadig; then plug the camera in again. On Linux a udev rule for OpenMV cameras is missing; until there is one, run the command as an administrator."
            }
            Self::Stuck => "Unplug the camera, plug it in again and repeat the command.",
            Self::NoFunction { .. } => "The camera is in another state than expected: look again.",
            Self::Descriptors(_) => "This device is not an OpenMV camera, or its USB is damaged.",
            Self::Peer { .. } => "Check what serves that address; it must speak USB/IP 1.1.1.",
            Self::Io { .. } => "Plug the camera in again and repeat the command.",
        }
    }
}
