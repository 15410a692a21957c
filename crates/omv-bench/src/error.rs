//! Why there is no number.

/// Why there is no number. A wrong one would be worse.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that cannot be read.
    #[error("`{0}` is no frame size")]
    Size(String),
    /// The file is no result.
    #[error("{file} is no result of a measurement: {why}")]
    NotAResult {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// Two results have nothing in common.
    #[error("nothing in the two results can be compared: {0}")]
    Nothing(String),
    /// A line of samples cannot be read.
    #[error("line {line} of the samples cannot be used: {why}")]
    Samples {
        /// The line, from one.
        line: usize,
        /// Why not.
        why: String,
    },
    /// The samples do not show the script's signature, or not clearly.
    #[error("the samples cannot be aligned with the script: {0}")]
    Alignment(String),
    /// The samples have too little in them for the accuracy that is promised.
    #[error("the samples are not good enough: {0}")]
    Quality(String),
    /// A meter answered something else.
    #[error("the meter does not answer as it should: {0}")]
    Meter(String),
}

impl Error {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Size(_) => "bad-frame-size",
            Self::NotAResult { .. } => "not-a-result",
            Self::Nothing(_) => "nothing-to-compare",
            Self::Samples { .. } => "bad-samples",
            Self::Alignment(_) => "not-aligned",
            Self::Quality(_) => "too-few-samples",
            Self::Meter(_) => "meter",
        }
    }

    /// One thing a person can do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Size(_) => "Write it like 96x96 or QVGA.",
            Self::NotAResult { .. } => "Take a file that a benchmark wrote with JSON asked for.",
            Self::Nothing(_) => "Measure the same network and frame sizes twice.",
            Self::Samples { .. } => {
                "The first line names the columns: a time, and a current or a power, with units."
            }
            Self::Alignment(_) => {
                "Record from before the script starts until after it ends, with the camera's lights, or the pin that was named, connected; and look that the meter's range did not change."
            }
            Self::Quality(_) => "Record with more samples a second, and without gaps.",
            Self::Meter(_) => "Look that it is the meter, and that it measures current.",
        }
    }
}
