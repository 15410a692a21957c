//! What a file must look like before it is written.

use serde::Deserialize;

use crate::Span;

/// A 32-bit word, little endian, that must have one of some values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordRule {
    /// Offset in the file, in bytes.
    pub offset: u32,
    /// The values that are right.
    pub accept: Vec<u32>,
}

/// Bytes that stand at a fixed place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Magic {
    /// Offset in the file, in bytes.
    pub offset: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether a file without them is refused; otherwise their absence is only worth a word.
    pub required: bool,
}

/// The test a file passes before the first byte of it is written. Its size limit is that of the
/// region it goes to.
///
/// Stack ranges come from the chips' memory maps, not from a promise of the firmware: treat a
/// violation as a refusal that a person may override.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRule {
    /// File name in a release.
    pub file: String,
    /// Name of the region it goes to.
    pub region: String,
    /// Address of its first byte as the processor sees it; none for data.
    pub load: Option<u32>,
    /// Offset of the vector table; none: no vectors to test.
    pub vectors: Option<u32>,
    /// Where the first vector (initial stack) may point; the end address itself is allowed.
    #[serde(default)]
    pub stack: Vec<Span>,
    /// Where the second vector (reset) must point, with bit 0 set.
    pub reset: Option<Span>,
    /// Words with known values.
    #[serde(default)]
    pub words: Vec<WordRule>,
    /// Bytes with known values.
    #[serde(default)]
    pub magic: Vec<Magic>,
    /// The exact size in bytes, for files of which only one is known.
    pub exact_size: Option<u32>,
    /// Offset of the 32-byte version header of bootloaders since 1.0.1: `AD 10 07 B0`, major,
    /// minor, patch, 25 reserved bytes.
    pub version_header: Option<u32>,
    /// Whether a firmware file should contain one of the board's architecture strings.
    #[serde(default)]
    pub holds_arch: bool,
}
