//! What a session tells: text, frames, and what became of scripts and of the camera.

use std::sync::Arc;

use super::Traceback;
use crate::Frame;

/// Something that happened on a camera. Cheap to clone: text and frames are shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The console printed this: bytes as they came, cut anywhere, UTF-8 or not. Untrusted:
    /// clean it before a terminal sees it. Blocks of pictures and marks for editors are taken out.
    Text(Arc<[u8]>),
    /// A picture.
    Frame(Arc<Frame>),
    /// The script sent with [`run`](super::Session::run) runs.
    Started,
    /// It is over. All its text was told before.
    Ended(Ended),
    /// The camera is there and answers; first, and again after each [`Lost`](Self::Lost).
    Connected,
    /// The camera left the bus, or fell silent. The session waits for it at the same place.
    Lost,
    /// The interpreter of the camera was started anew: what a script had registered is gone.
    Rebooted,
    /// A script of the camera's own (`main.py`) began or ended, seen where the firmware tells.
    Running(bool),
    /// A channel that a script registered says something.
    Event {
        /// Which.
        channel: u8,
        /// What; `None` is a plain "look here".
        code: Option<u16>,
    },
    /// The channels changed: look at [`Info::channels`](super::Info).
    Channels,
    /// A picture was too large for the camera's buffer and was left out by the camera.
    FrameTooLarge,
    /// The script asks to keep the picture of now.
    SaveFrame,
    /// This consumer was too slow: so much was left out before what comes next.
    Dropped(Dropped),
    /// The session is closed; nothing follows.
    Closed,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// It ran to its end.
    Finished,
    /// With an exception that nobody caught.
    Raised(Traceback),
    /// It was stopped by [`stop`](super::Session::stop), or for the next script.
    Stopped,
    /// The camera left or was reset meanwhile; what became of it is unknown.
    Lost,
}

impl Ended {
    /// The exception, if there was one.
    pub fn raised(&self) -> Option<&Traceback> {
        match self {
            Self::Raised(traceback) => Some(traceback),
            _ => None,
        }
    }
}

/// What a consumer that was too slow did not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Bytes of text, the oldest.
    pub text_bytes: u64,
    /// Frames.
    pub frames: u64,
    /// Other notices.
    pub others: u64,
}

impl Dropped {
    /// Whether anything was left out.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}
