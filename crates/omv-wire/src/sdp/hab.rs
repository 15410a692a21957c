//! Events of the chip's secure boot (HAB): the four bytes of a status that is no known word.
//!
//! Source: NXP HAB4 API reference, as listed in SPSDK 3.12.0, spsdk/sdp/error_codes.py.

/// Why an image was refused. On the wire the bytes come in this order, so that the event of
/// U-Boot's refusal of a bad IVT, 33 05 0A 00, is the status 0x33050A00 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// How bad it is.
    pub status: u8,
    /// What is wrong.
    pub reason: u8,
    /// Where it was noticed.
    pub context: u8,
    /// Which engine did the work; 0 is any.
    pub engine: u8,
}

impl Event {
    /// Takes a status word apart.
    #[must_use]
    pub fn new(status: u32) -> Self {
        let [status, reason, context, engine] = status.to_be_bytes();
        Self {
            status,
            reason,
            context,
            engine,
        }
    }

    /// The status word this event makes.
    #[must_use]
    pub fn word(self) -> u32 {
        u32::from_be_bytes([self.status, self.reason, self.context, self.engine])
    }

    /// What the status byte means.
    #[must_use]
    pub fn status_text(self) -> Option<&'static str> {
        text(STATUSES, self.status)
    }

    /// What the reason byte means.
    #[must_use]
    pub fn reason_text(self) -> Option<&'static str> {
        text(REASONS, self.reason)
    }

    /// What the context byte means.
    #[must_use]
    pub fn context_text(self) -> Option<&'static str> {
        text(CONTEXTS, self.context)
    }
}

fn text(table: &[(u8, &'static str)], byte: u8) -> Option<&'static str> {
    let found = table.iter().find(|(known, _)| *known == byte);
    found.map(|(_, text)| *text)
}

const STATUSES: &[(u8, &str)] = &[
    (0x00, "unknown"),
    (0x33, "failure"),
    (0x69, "warning"),
    (0xF0, "success"),
];

const REASONS: &[(u8, &str)] = &[
    (0x00, "unknown"),
    (0x03, "unsupported command"),
    (0x05, "invalid IVT"),
    (0x06, "malformed command"),
    (0x09, "unsuitable state"),
    (0x0A, "unsupported engine"),
    (0x0C, "invalid assertion"),
    (0x0F, "invalid index"),
    (0x11, "invalid CSF"),
    (0x12, "unsupported algorithm"),
    (0x14, "unsupported protocol"),
    (0x17, "invalid size"),
    (0x18, "invalid signature"),
    (0x1B, "unsupported key type or parameters"),
    (0x1D, "invalid key"),
    (0x1E, "failed callback"),
    (0x21, "invalid certificate"),
    (0x22, "invalid address"),
    (0x24, "unsupported configuration item"),
    (0x27, "invalid DCD"),
    (0x28, "out of sequence"),
    (0x2B, "expired poll count"),
    (0x2D, "exhausted storage"),
    (0x2E, "memory failure"),
    (0x30, "engine failure"),
    (0x31, "invalid blob"),
    (0x32, "invalid MAC"),
];

const CONTEXTS: &[(u8, &str)] = &[
    (0x00, "any"),
    (0x0A, "authenticate_image"),
    (0x33, "check_target"),
    (0xA0, "assert"),
    (0xC0, "DCD or CSF command"),
    (0xCF, "run_csf"),
    (0xDB, "authenticated data"),
    (0xDD, "run_dcd"),
    (0xE1, "entry"),
    (0xEE, "exit"),
    (0xFF, "fab_test"),
];
