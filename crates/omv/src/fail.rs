//! Errors as a person meets them: what happened, while doing what, and what to do. Exit codes.

use std::io;
use std::path::{Path, PathBuf};

use omv_boards::State;
use omv_camera::Error;
use omv_camera::files::SaveError;
use omv_camera::session::Traceback;
use omv_plan::Refusal;

use crate::output::clean;

/// Why a command failed.
#[derive(Debug)]
pub enum Fail {
    /// The library's own error.
    Camera(Error),
    /// A measurement gave no number.
    Bench(omv_bench::Error),
    /// A file could not be read or written.
    File {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
    /// A question that nobody is there to answer.
    NeedsHands { question: String, command: String },
    /// The person said no.
    Declined,
    /// A bad value on the command line that the parser cannot know.
    Usage { what: String, help: String },
    /// A disk that is worked on does not give or take data.
    Disk(omv_fat::Fault),
    /// A disk that should be written to is in use by this computer.
    Mounted { path: PathBuf, at: PathBuf },
    /// A disk itself, under any folder it is mounted at, is not this account's to open.
    DiskRights { path: PathBuf },
    /// The simulator could not be started or reached.
    Simulator { what: String },
    /// The script on the camera raised an exception.
    Raised { what: String },
    /// A script was stopped because its time was over.
    Late { seconds: f64 },
    /// The camera left the bus while a script ran; what it is now, if it came back.
    Left { now: Option<State> },
    /// A region was left half written; what it held before is in a file.
    Half {
        cause: Box<Fail>,
        saved: PathBuf,
        region: String,
    },
    /// A script from here ended, or ran this long, without a picture.
    Unseen { seconds: Option<f32> },
    /// Whoever read our output went away.
    BrokenPipe,
}

impl Fail {
    /// A file error; a full or closed pipe is none.
    pub fn file(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            doing,
            source,
        }
    }

    /// An exception that ended a script.
    pub fn raised(traceback: &Traceback) -> Self {
        let kind = clean(&traceback.kind);
        let what = match traceback.message.is_empty() {
            true => kind,
            false => format!("{kind}: {}", clean(&traceback.message)),
        };
        Self::Raised { what }
    }

    /// Stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Camera(error) => error.code(),
            Self::Bench(error) => error.code(),
            Self::File { .. } => "file",
            Self::NeedsHands { .. } => "needs-hands",
            Self::Declined => "declined",
            Self::Usage { .. } => "usage",
            Self::Disk(fault) => fault.code(),
            Self::Mounted { .. } => "disk-mounted",
            Self::DiskRights { .. } => "disk-no-access",
            Self::Simulator { .. } => "simulator",
            Self::Raised { .. } => "script-raised",
            Self::Late { .. } => "script-timeout",
            Self::Left { now: Some(_) } => "camera-restarted",
            // The library's own name for it.
            Self::Left { now: None } => Error::Gone {
                doing: String::new(),
            }
            .code(),
            Self::Half { cause, .. } => cause.code(),
            Self::Unseen { seconds } => no_frame(*seconds).code(),
            Self::BrokenPipe => "broken-pipe",
        }
    }

    /// What happened, one line.
    pub fn message(&self) -> String {
        match self {
            Self::Camera(error) => error.to_string(),
            Self::Bench(error) => error.to_string(),
            Self::File {
                path,
                doing,
                source,
            } => format!("{doing} {}: {source}", path.display()),
            Self::NeedsHands { question, .. } => format!("an answer is needed: {question}"),
            Self::Disk(fault) => fault.to_string(),
            Self::Mounted { path, at } => {
                format!("{} is mounted at {}", path.display(), at.display())
            }
            Self::DiskRights { path } => format!(
                "this account may not open the disk {} itself; nothing was read or written",
                path.display()
            ),
            Self::Declined => "nothing was done, as you wished".into(),
            Self::Usage { what, .. } | Self::Simulator { what } => what.clone(),
            Self::Raised { what } => format!("the script raised {what}"),
            Self::Late { seconds } => format!("the script was stopped after {seconds} s"),
            Self::Left { now: None } => "the camera disappeared while the script ran".into(),
            Self::Left {
                now: Some(State::Run),
            } => "the camera restarted while the script ran".into(),
            Self::Left { now: Some(state) } => {
                format!("the camera restarted while the script ran, and is in `{state}` now")
            }
            Self::Half { cause, .. } => cause.message(),
            Self::Unseen { seconds: None } => "the script ended before a picture of it came".into(),
            Self::Unseen { seconds } => no_frame(*seconds).to_string(),
            Self::BrokenPipe => "nobody reads the output any more".into(),
        }
    }

    /// What to do, one line.
    pub fn help(&self) -> String {
        match self {
            Self::Camera(error) => hint(error).unwrap_or_else(|| error.help().to_owned()),
            Self::Bench(error) => error.help().to_owned(),
            Self::File { .. } => {
                "Check the path, your rights to it and the space on the disk.".into()
            }
            Self::NeedsHands { command, .. } => format!("If you agree, run: {command}"),
            Self::Disk(fault) => fault.help().to_owned(),
            Self::Mounted { at, .. } => format!("Unmount it first: umount {}", at.display()),
            Self::DiskRights { .. } => {
                "Run the same command with sudo: that a file manager shows the disk is not enough."
                    .into()
            }
            Self::Declined => "Run the command again when you are ready.".into(),
            Self::Usage { help, .. } => help.clone(),
            Self::Simulator { .. } => "`omv list` shows the virtual cameras that run.".into(),
            Self::Raised { .. } => "The lines above say where.".into(),
            Self::Late { .. } => "Give it more time with --timeout, or none.".into(),
            Self::Left { now: None } => "Check the cable and plug the camera in again. A script does \
                this with machine.deepsleep."
                .into(),
            Self::Left {
                now: Some(State::Run),
            } => "A script does this with machine.reset or a watchdog; if yours has neither, the camera's \
                power failed: use another cable, or a port without a hub."
                .into(),
            Self::Left { .. } => "`omv doctor` says what it waits for.".into(),
            // The cause's own help would have the command repeated, which finds nothing to add to.
            Self::Half { saved, region, .. } => format!(
                "What was in /rom is kept. Once the camera is there again, `omv restore {} --region \
                 {region}` puts it back; repeat the command only then.",
                saved.display()
            ),
            Self::Unseen { .. } => "Let it take pictures in a loop: with `snapshot()` of a `csi.CSI()` or, in \
                older firmware, of `sensor`. `omv run` shows what it prints."
                .into(),
            Self::BrokenPipe => String::new(),
        }
    }

    /// The exit code; the table is in `docs/errors.md`.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Camera(error) => exit_of(error),
            Self::Bench(error) => match error.code() {
                "bad-frame-size" => 2,
                "not-a-result" | "nothing-to-compare" | "bad-samples" => 9,
                _ => 1,
            },
            Self::NeedsHands { .. } | Self::Declined => 8,
            Self::DiskRights { .. } => 5,
            Self::Usage { .. } => 2,
            Self::File { doing, .. } if *doing == "reading" => 9,
            Self::File { .. } | Self::Simulator { .. } => 1,
            Self::Raised { .. } => 10,
            Self::Late { .. } | Self::Left { .. } => 1,
            Self::Mounted { .. } | Self::Disk(omv_fat::Fault::BadSize { .. }) => 9,
            Self::Disk(_) => 1,
            Self::Half { cause, .. } => cause.exit(),
            Self::Unseen { seconds } => exit_of(&no_frame(*seconds)),
            Self::BrokenPipe => 0,
        }
    }
}

/// The library's own name for a picture that does not come.
fn no_frame(seconds: Option<f32>) -> Error {
    Error::NoFrame {
        seconds: seconds.unwrap_or_default(),
    }
}

/// The same help in terms of this program's options, where they add something.
fn hint(error: &Error) -> Option<String> {
    Some(match error {
        Error::NotThisOne { .. } | Error::NoCamera => {
            format!("{} `omv list` shows what is there.", error.help())
        }
        Error::Several { which } => {
            let first = which
                .first()
                .map_or("", |label| label.split(' ').next().unwrap_or(label));
            format!("{} For example: -c {first}", error.help())
        }
        Error::WhichBoard { boards, .. } => {
            let last = boards.last().and_then(|title| {
                let mut all = omv_boards::all().iter();
                all.find(|board| board.title == *title)?.aliases.first()
            });
            let name = last.map_or("h7", |alias| alias);
            format!("{} For example: --board {name}", error.help())
        }
        // What runs is left alone, and a camera's own `main.py` may take no pictures.
        Error::NoFrame { .. } => format!("{} Or run one with --script.", error.help()),
        Error::Refused(Refusal::NoLoader { .. }) => {
            format!("{} Then name it with --loaders.", error.help())
        }
        Error::Refused(
            Refusal::TooLarge { .. } | Refusal::NotValid { .. } | Refusal::UnknownLoader { .. },
        ) => format!("{} (--force)", error.help()),
        _ => return None,
    })
}

fn exit_of(error: &Error) -> u8 {
    match error.code() {
        "no-camera" | "not-this-one" => 3,
        "several-cameras" | "which-board" => 4,
        "no-access" | "busy" => 5,
        "camera-refused" | "dfu-refused" | "protocol" | "foreign-loader" | "chip-locked"
        | "rom-refused" | "other-bootloader" | "too-fast" | "vendor-program" | "not-running"
        | "request-refused" | "no-answer" | "will-not-stop" | "bad-descriptors" | "bad-peer"
        | "no-function" | "device-stuck" => 6,
        "verify-failed" | "disk-returned-other-data" => 7,
        "camera-disk-full" | "no-partition" | "other-chip" | "not-in-firmware"
        | "script-too-large" | "script-not-text" | "no-channel" => 9,
        "no-hands" | "boot-fuse-clear" => 8,
        "stopped" => 130,
        "disk-read-only" | "disk-unreadable" | "disk-unwritable" => 1,
        _ if matches!(
            error,
            Error::Refused(_) | Error::Save(SaveError::Refused(_))
        ) =>
        {
            9
        }
        _ => 1,
    }
}

impl<E: Into<Error>> From<E> for Fail {
    fn from(error: E) -> Self {
        Self::Camera(error.into())
    }
}
