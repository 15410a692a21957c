//! HID report descriptors, read only as far as a bootloader's host needs: which reports there
//! are and how long each is.

use std::collections::{BTreeMap, BTreeSet};

use crate::Malformed;

/// Longest report accepted, bits. A HID transfer cannot name more than 65,535 bytes.
const MAX_BITS: u64 = 8 * 0xFFFF;

/// Most `Push` items accepted without a `Pop`.
const MAX_STACK: usize = 16;

/// Which way a report goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportKind {
    /// Device to host.
    Input,
    /// Host to device.
    Output,
    /// Either way, over the control endpoint.
    Feature,
}

impl ReportKind {
    /// The number `GET_REPORT` and `SET_REPORT` carry in the high byte of `wValue`.
    ///
    /// Source: HID 1.11 section 7.2.1.
    pub const fn code(self) -> u8 {
        match self {
            Self::Input => 1,
            Self::Output => 2,
            Self::Feature => 3,
        }
    }
}

/// The reports a descriptor declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportDescriptor {
    /// Bits of each report, its id byte not counted. Id 0 stands for "no ids in use".
    bits: BTreeMap<(ReportKind, u8), u64>,
}

/// The global items that matter for lengths, and that `Push` and `Pop` save.
#[derive(Clone, Copy, Default)]
struct Globals {
    size: u32,
    count: u32,
    id: u8,
}

impl ReportDescriptor {
    /// Reads a report descriptor.
    ///
    /// # Errors
    /// [`Malformed::Short`] when an item is cut, [`Malformed::Field`] when collections or the
    /// stack do not balance, an id is impossible, or a report is longer than 65,535 bytes.
    ///
    /// Source: HID 1.11 section 6.2.2.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut bits = BTreeMap::<(ReportKind, u8), u64>::new();
        let mut globals = Globals::default();
        let mut stack = Vec::new();
        let mut open = 0_u64;
        let mut rest = bytes;
        while let Some((&prefix, after)) = rest.split_first() {
            let (data, after) = split_item(prefix, after)?;
            rest = after;
            let value = data.iter().rev().fold(0, |v, &b| v << 8 | u32::from(b));
            // The two low bits are the size; what is left is type and tag.
            match prefix & 0xFC {
                tag @ (0x80 | 0x90 | 0xB0) => {
                    let kind = match tag {
                        0x80 => ReportKind::Input,
                        0x90 => ReportKind::Output,
                        _ => ReportKind::Feature,
                    };
                    let all = bits.entry((kind, globals.id)).or_default();
                    *all += u64::from(globals.size) * u64::from(globals.count);
                    if *all > MAX_BITS {
                        return Err(wrong("report length", *all));
                    }
                }
                0xA0 => open += 1,
                0xC0 => {
                    let Some(left) = open.checked_sub(1) else {
                        return Err(wrong("end collection", 0));
                    };
                    open = left;
                }
                0x74 => globals.size = value,
                0x94 => globals.count = value,
                0x84 => {
                    globals.id = u8::try_from(value)
                        .ok()
                        .filter(|&id| id != 0)
                        .ok_or(wrong("report id", value.into()))?;
                }
                0xA4 if stack.len() < MAX_STACK => stack.push(globals),
                0xA4 => return Err(wrong("push", stack.len() as u64)),
                0xB4 => globals = stack.pop().ok_or(wrong("pop", 0))?,
                _ => {}
            }
        }
        if open != 0 {
            return Err(wrong("collections left open", open));
        }
        let numbered = bits.keys().any(|&(_, id)| id != 0);
        if numbered && bits.keys().any(|&(_, id)| id == 0) {
            return Err(wrong("report id", 0));
        }
        Ok(Self { bits })
    }

    /// Whether each report begins with its id.
    pub fn numbered(&self) -> bool {
        self.bits.keys().any(|&(_, id)| id != 0)
    }

    /// The report ids in use, in ascending order; empty when reports carry none.
    pub fn ids(&self) -> Vec<u8> {
        let ids: BTreeSet<u8> = self.bits.keys().map(|&(_, id)| id).collect();
        ids.into_iter().filter(|&id| id != 0).collect()
    }

    /// Bytes of one report, its id byte included; id 0 when ids are not in use.
    pub fn length(&self, kind: ReportKind, id: u8) -> Option<usize> {
        let bits = *self.bits.get(&(kind, id))?;
        let bytes = usize::try_from(bits.div_ceil(8)).ok()?;
        Some(bytes + usize::from(id != 0))
    }

    /// Bytes of the longest report of this kind, its id byte included; 0 when there is none. For
    /// [`ReportKind::Input`] this is what a host asks the interrupt endpoint for.
    pub fn longest(&self, kind: ReportKind) -> usize {
        let of_kind = self.bits.keys().filter(|&&(k, _)| k == kind);
        of_kind
            .filter_map(|&(k, id)| self.length(k, id))
            .max()
            .unwrap_or(0)
    }
}

/// Splits the data off one item. A long item (prefix 0xFE) has its size in the next byte.
fn split_item(prefix: u8, after: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let need = match (prefix, prefix & 3) {
        (0xFE, _) => 2 + usize::from(after.first().copied().unwrap_or_default()),
        (_, 3) => 4,
        (_, size) => usize::from(size),
    };
    let (data, rest) = after.split_at_checked(need).ok_or(Malformed::Short {
        need,
        got: after.len(),
    })?;
    // No long item is defined, so what it carries has no value.
    Ok((if prefix == 0xFE { &[] } else { data }, rest))
}

fn wrong(field: &'static str, value: u64) -> Malformed {
    Malformed::Field { field, value }
}
