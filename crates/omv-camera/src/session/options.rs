//! How a session is held.

use std::time::Duration;

/// Which pictures a camera sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preview {
    /// None.
    #[default]
    Off,
    /// JPEG, as good as the camera's buffer allows. The camera chooses the quality.
    Jpeg,
    /// Pixels, scaled by the camera to fit; formats that it cannot send raw, and pictures that do
    /// not fit its buffer, still come as JPEG. From firmware 5.0.0.
    Raw {
        /// Pixels, at most 32767.
        width: u16,
        /// Pixels, at most 32767.
        height: u16,
    },
}

/// How much the line is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// USB: checksums, but no acknowledgement of each packet, which costs a round trip.
    #[default]
    Usb,
    /// A line that loses or damages bytes: small packets, each acknowledged and repeated.
    Lossy,
}

/// How a session is held.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Which pictures to begin with.
    pub preview: Preview,
    /// How much the line is trusted; protocol v2 alone has a choice.
    pub reliability: Reliability,
    /// How long a call waits for a camera that is not there.
    pub patience: Duration,
}

impl Default for Options {
    /// No pictures, USB, 5 s.
    fn default() -> Self {
        Self {
            preview: Preview::Off,
            reliability: Reliability::Usb,
            patience: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// With these pictures.
    pub fn preview(self, preview: Preview) -> Self {
        Self { preview, ..self }
    }

    /// With this trust in the line.
    pub fn reliability(self, reliability: Reliability) -> Self {
        Self {
            reliability,
            ..self
        }
    }

    /// With this patience.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}
