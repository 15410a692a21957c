//! Why an operation on a camera did not happen, or did not finish.

use omv_boards::State;
use omv_link::LinkError;
use omv_plan::Refusal;
use omv_wire::mboot::status;

use crate::disk::BlockError;
use crate::files::SaveError;

/// The one error of this library. Each variant has a stable code and one sentence of help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is plugged in that could be a camera.
    #[error("no camera found")]
    NoCamera,
    /// Cameras are there, but not the one asked for.
    #[error("no camera is called `{wanted}`; there is {there}")]
    NotThisOne {
        /// What was asked for.
        wanted: String,
        /// What is there.
        there: String,
    },
    /// Several cameras fit.
    #[error("several cameras are plugged in: {}", which.join(", "))]
    Several {
        /// Their places.
        which: Vec<String>,
    },
    /// It cannot be told which board it is.
    #[error("the device at {place} does not say which board it is; it may be {}", boards.join(", "))]
    WhichBoard {
        /// Where it sits.
        place: String,
        /// What it may be.
        boards: Vec<String>,
    },
    /// Refused before anything was touched.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The link failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A file was not saved, or a disk does not do what it should.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The camera left the bus when it should not.
    #[error("the camera disappeared while {doing}")]
    Gone {
        /// What was being done.
        doing: String,
    },
    /// The camera answered with an error of its own.
    #[error("the camera refuses to {doing}: status {status} ({})", status::text(*status).unwrap_or("unknown"))]
    Status {
        /// What was asked of it.
        doing: String,
        /// Its status code.
        status: u32,
    },
    /// A DFU device answered with an error status.
    #[error("the camera refuses to {doing}: {why}")]
    Dfu {
        /// What was asked of it.
        doing: String,
        /// The meaning of its status.
        why: &'static str,
    },
    /// The chip maker's program is not there, or did not do it.
    #[error("the bootloader could not be written with {program}: {why}")]
    Vendor {
        /// The program.
        program: String,
        /// What happened.
        why: String,
    },
    /// The camera has another bootloader than the plan was made for; another plan would do.
    #[error("the camera has another bootloader: `{instead}`, not `{expected}`")]
    OtherBootloader {
        /// What the plan was made for.
        expected: State,
        /// What it has.
        instead: State,
    },
    /// An old serial bootloader could not follow; more slowly it will.
    #[error("the serial bootloader could not follow and stopped after {written} bytes")]
    TooFast {
        /// Bytes sent before.
        written: usize,
    },
    /// A chip in its ROM is not the one this board has.
    #[error("the chip there is not that of {board}; it says `{}`", says.trim())]
    OtherChip {
        /// The board that was meant.
        board: String,
        /// The map of its flash.
        says: String,
    },
    /// The bootloader lacks a region that the plan needs; nothing was written.
    #[error("the bootloader of this camera has no `{region}`")]
    NoPartition {
        /// The region.
        region: String,
    },
    /// The camera broke its protocol, or fell silent in the middle.
    #[error("the camera does not answer as it should while {doing}: {what}")]
    Protocol {
        /// What was being done.
        doing: String,
        /// What was wrong.
        what: String,
    },
    /// A device with a camera's bootloader id is something else.
    #[error(
        "the bootloader at {place} is not one of an OpenMV camera (property {property} is {value:#x})"
    )]
    ForeignLoader {
        /// Where it sits.
        place: String,
        /// Which property told.
        property: u32,
        /// What it said.
        value: u32,
    },
    /// The chip only takes signed programs.
    #[error("the chip is locked: its ROM takes signed programs only")]
    Locked,
    /// The ROM would not start the program.
    #[error("the chip's ROM did not {doing}")]
    Rom {
        /// What was asked of it.
        doing: String,
    },
    /// What was read back is not what was written.
    #[error("{region} differs at {address:#010x}: wrote {wrote:#04x}, read back {read:#04x}")]
    VerifyFailed {
        /// Region name.
        region: String,
        /// First address that differs.
        address: u32,
        /// What it should be.
        wrote: u8,
        /// What it is.
        read: u8,
    },
    /// It failed while the vectors were erased, and the camera is still there.
    #[error("{cause}; the camera's start vectors are erased")]
    VectorsErased {
        /// What failed.
        cause: Box<Error>,
    },
    /// Everything is written, but the chip does not boot from its flash.
    #[error("the boot fuse is clear: without the wire, too, the camera starts in its ROM")]
    BootFuseClear,
    /// The camera did not come back as expected.
    #[error("waited {} s for the camera to be `{expected}`; {instead}", seconds)]
    NotThere {
        /// The state waited for.
        expected: State,
        /// How long.
        seconds: u64,
        /// What was seen instead.
        instead: String,
    },
    /// The new firmware starts and dies, again and again.
    #[error("the firmware crashes at every start: the bootloader came back {times} times")]
    Cycling {
        /// How often.
        times: u32,
    },
    /// Nobody did what was asked for.
    #[error("nothing happened for {seconds} s after asking: {ask}")]
    NoHands {
        /// What was asked.
        ask: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Stopped on request, between two safe points.
    #[error("stopped while {doing}; {state}")]
    Stopped {
        /// What was being done.
        doing: String,
        /// What state the camera is in now.
        state: String,
    },
    /// A session needs running firmware.
    #[error("the camera does not run firmware, it is `{state}`")]
    NotRunning {
        /// The state it is in.
        state: State,
    },
    /// The firmware has no such thing.
    #[error("the camera's firmware has no way for {what}")]
    NotInFirmware {
        /// What was asked for.
        what: &'static str,
    },
    /// The camera refused a request of the protocol.
    #[error("the camera refuses request {request:#04x}: {why}")]
    RequestRefused {
        /// The request.
        request: u8,
        /// Its reason.
        why: String,
    },
    /// A request got no answer, and may have been carried out or not.
    #[error("the camera did not answer request {request:#04x}")]
    NoAnswer {
        /// The request.
        request: u8,
    },
    /// What runs does not end.
    #[error("the script that runs does not stop")]
    WillNotStop,
    /// More than any camera takes.
    #[error("the script has {size} bytes, more than {limit}")]
    ScriptTooLarge {
        /// Bytes it has.
        size: usize,
        /// Bytes taken at most.
        limit: usize,
    },
    /// A script has to be UTF-8 without NUL.
    #[error("the script is not text: byte {at} is no part of any")]
    ScriptNotText {
        /// Where the first byte that is none stands, counted from 0.
        at: usize,
    },
    /// No channel of that name.
    #[error("the camera has no channel `{name}`; there is {}", there.join(", "))]
    NoChannel {
        /// What was asked for.
        name: String,
        /// What is there.
        there: Vec<String>,
    },
    /// No picture came.
    #[error("no picture came within {seconds} s")]
    NoFrame {
        /// How long was waited.
        seconds: f32,
    },
    /// What was read could not be kept.
    #[error("cannot keep what was read: {0}")]
    NotKept(std::io::Error),
}

impl Error {
    /// Stable name: in JSON, in `docs/errors.md`, in forum answers. Never reused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCamera => "no-camera",
            Self::NotThisOne { .. } => "not-this-one",
            Self::Several { .. } => "several-cameras",
            Self::WhichBoard { .. } => "which-board",
            Self::Refused(refusal) => refusal.code(),
            Self::Link(error) => error.code(),
            Self::Save(error) => error.code(),
            Self::Gone { .. } => "camera-gone",
            Self::Status { .. } => "camera-refused",
            Self::Dfu { .. } => "dfu-refused",
            Self::Vendor { .. } => "vendor-program",
            Self::OtherBootloader { .. } => "other-bootloader",
            Self::TooFast { .. } => "too-fast",
            Self::OtherChip { .. } => "other-chip",
            Self::NoPartition { .. } => "no-partition",
            Self::Protocol { .. } => "protocol",
            Self::ForeignLoader { .. } => "foreign-loader",
            Self::Locked => "chip-locked",
            Self::Rom { .. } => "rom-refused",
            Self::VerifyFailed { .. } => "verify-failed",
            Self::VectorsErased { .. } => "vectors-erased",
            Self::BootFuseClear => "boot-fuse-clear",
            Self::NotThere { .. } => "not-there",
            Self::Cycling { .. } => "cycling",
            Self::NoHands { .. } => "no-hands",
            Self::Stopped { .. } => "stopped",
            Self::NotRunning { .. } => "not-running",
            Self::NotInFirmware { .. } => "not-in-firmware",
            Self::RequestRefused { .. } => "request-refused",
            Self::NoAnswer { .. } => "no-answer",
            Self::WillNotStop => "will-not-stop",
            Self::ScriptTooLarge { .. } => "script-too-large",
            Self::ScriptNotText { .. } => "script-not-text",
            Self::NoChannel { .. } => "no-channel",
            Self::NoFrame { .. } => "no-frame",
            Self::NotKept(_) => "not-kept",
        }
    }

    /// One thing a person can do, about the world and not about flags.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoCamera => {
                "Plug the camera in with a cable that carries data, into a port of the computer itself."
            }
            Self::NotThisOne { .. } => {
                "Look at the list of cameras for its name, serial number or port."
            }
            Self::Several { .. } => "Say which one, by its serial number or its place.",
            Self::WhichBoard { .. } => "Say which board it is; the name is printed on the camera.",
            Self::Refused(refusal) => refusal.help(),
            Self::Link(error) => error.help(),
            Self::Save(error) => error.help(),
            Self::Gone { .. } => {
                "Check the cable, plug the camera in again and repeat the command: it looks at the camera anew and goes on from there."
            }
            Self::Status { .. } | Self::Dfu { .. } => {
                "Unplug the camera, plug it in again and repeat the command."
            }
            Self::Vendor { .. } => {
                "Install the chip maker's program; if it is installed, its own words above say what it met. Plug the camera into a USB 2 port of the computer itself and repeat the command."
            }
            Self::OtherBootloader { .. } => {
                "Repeat the command: it looks at the camera anew and plans for what is there."
            }
            Self::TooFast { .. } => {
                "Unplug the camera, plug it in again and repeat the command; the bootloader itself is unharmed."
            }
            Self::OtherChip { .. } => {
                "Say which board it is; if it is that one, something else is plugged in there."
            }
            Self::NoPartition { .. } => {
                "Its bootloader is older than the file; recovering the camera gives it the newer one, which takes a wire once."
            }
            Self::Protocol { .. } => {
                "Unplug the camera, plug it in again and repeat the command; try another cable or port if it happens again."
            }
            Self::ForeignLoader { .. } => "Another NXP board is plugged in there: unplug it.",
            Self::Locked => {
                "This is not how OpenMV cameras are sold; the chip's owner must sign the program."
            }
            Self::Rom { .. } => {
                "Unplug the camera, plug it in again with the wire still in place, and repeat the command."
            }
            Self::VerifyFailed { .. } => {
                "Repeat the command; if the same address fails again, the camera's flash is worn out."
            }
            Self::VectorsErased { .. } => {
                "Leave the camera plugged in and repeat the command; if it loses power first, only the SBL wire brings it back."
            }
            Self::BootFuseClear => {
                "All files are written. Recover again and agree to burn the fuse: it cannot be undone, and without it the camera does not start."
            }
            Self::NotThere {
                expected: State::Sbl,
                ..
            } => {
                "Remove shields from the camera: one that holds pin P11 low hides the bootloader. Then unplug it, plug it in again and repeat the command."
            }
            Self::NotThere { .. } => {
                "If a wire or a switch makes the chip start in its ROM, remove it or turn it off. Unplug the camera, plug it in again and repeat the command; one that stays silent has to be recovered."
            }
            Self::Cycling { .. } => {
                "Flash a firmware that is known to work; leave the camera plugged in while you do."
            }
            Self::NoHands { .. } => "Repeat the command when you are ready; nothing was lost.",
            Self::Stopped { .. } => {
                "Repeat the command to finish: it looks at the camera and goes on."
            }
            Self::NotRunning { .. } => {
                "Leave the bootloader: unplug the camera and plug it in again, or flash a firmware."
            }
            Self::NotInFirmware { .. } => "Flash a newer firmware, one that was built with it.",
            Self::RequestRefused { .. } => {
                "Stop the script and repeat the command; a custom channel is the script's own."
            }
            Self::NoAnswer { .. } => {
                "Repeat the command. If it happens again, try another cable, or another port of the computer itself."
            }
            Self::WillNotStop => {
                "It may be busy in a long operation: wait, and repeat the command. Resetting the camera ends it for sure."
            }
            Self::ScriptTooLarge { .. } => {
                "Split it into modules and put those on the camera's disk."
            }
            Self::ScriptNotText { .. } => {
                "Save it as UTF-8 text; a compiled `.mpy` file goes onto the camera's disk."
            }
            Self::NoChannel { .. } => "Channels of a script exist while it runs: start it first.",
            Self::NoFrame { .. } => {
                "Start a script that takes pictures, and look at what it prints."
            }
            Self::NotKept(_) => "Free some space or name another file; nothing was erased.",
        }
    }
}

impl From<omv_fat::Refusal> for Error {
    fn from(refusal: omv_fat::Refusal) -> Self {
        Self::Save(refusal.into())
    }
}

impl From<BlockError> for Error {
    fn from(error: BlockError) -> Self {
        Self::Save(error.into())
    }
}
