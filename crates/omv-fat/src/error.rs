//! What can go wrong between this crate and the blocks it works on.

/// Why blocks could not be read or written, or work on them not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The medium does not give the data back.
    #[error("sector {sector} cannot be read")]
    Unreadable {
        /// The first one that failed, counted in sectors of the device.
        sector: u64,
    },
    /// The medium does not take the data.
    #[error("sector {sector} cannot be written")]
    Unwritable {
        /// The first one that failed.
        sector: u64,
    },
    /// The medium is write-protected, or was opened for reading.
    #[error("the disk is write-protected")]
    ReadOnly,
    /// A sector behind the end was asked for.
    #[error("the disk ends before sector {sector}")]
    PastEnd {
        /// Which.
        sector: u64,
    },
    /// A repair would change more than is kept in memory.
    #[error("the repair would change more than {limit} sectors")]
    TooMuch {
        /// How many are allowed.
        limit: usize,
    },
    /// The disk is too small or too large to be formatted as wished.
    #[error("a disk of {bytes} bytes cannot be formatted this way")]
    BadSize {
        /// Its size.
        bytes: u64,
    },
}

impl Fault {
    /// Stable name: in JSON and in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "disk-unreadable",
            Self::Unwritable { .. } => "disk-unwritable",
            Self::ReadOnly => "disk-read-only",
            Self::PastEnd { .. } => "disk-past-end",
            Self::TooMuch { .. } => "disk-too-much",
            Self::BadSize { .. } => "disk-bad-size",
        }
    }

    /// One thing a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "Copy out what can be read, then try another reader; if it stays, replace the card."
            }
            Self::Unwritable { .. } => {
                "Do not trust this card any more: copy its files out and replace it."
            }
            Self::ReadOnly => {
                "Move the lock slider of the card, or open the disk with the right to write."
            }
            Self::PastEnd { .. } => {
                "The image is cut short or the card is smaller than it says: copy it again."
            }
            Self::TooMuch { .. } => "Copy the files out, then format the disk.",
            Self::BadSize { .. } => "Choose another file system, or a disk of a usual size.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_code_of_its_own_and_a_sentence_of_help() {
        let all = [
            Fault::Unreadable { sector: 1 },
            Fault::Unwritable { sector: 1 },
            Fault::ReadOnly,
            Fault::PastEnd { sector: 1 },
            Fault::TooMuch { limit: 1 },
            Fault::BadSize { bytes: 1 },
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(Fault::code).collect();
        assert_eq!(codes.len(), all.len());
        assert!(all.iter().all(|fault| fault.help().ends_with('.')));
    }
}
