//! Bytes that came and were not used yet.

use super::codec::MAX_TRANSFER;
use crate::Malformed;

/// Most bytes held: the longest message, and once more for what arrived together with its end.
const LIMIT: usize = 2 * MAX_TRANSFER as usize + 0x1_0000;

/// The unread part of a stream. It grows with what was really received, never with what a header
/// promises.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Inbox {
    /// Adds what was received.
    ///
    /// # Errors
    /// [`Malformed::Field`] when the owner feeds on without taking messages out.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let all = self.bytes.len().saturating_add(bytes.len());
        if all > LIMIT {
            return Err(Malformed::Field {
                field: "unread bytes",
                value: all as u64,
            });
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The next `N` bytes, if all are here, `skip` bytes further on.
    pub(super) fn peek<const N: usize>(&self, skip: usize) -> Option<[u8; N]> {
        self.unread().get(skip..)?.first_chunk::<N>().copied()
    }

    /// Takes `N` bytes out, if all are here.
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.peek::<N>(0)?;
        self.start += N;
        Some(taken)
    }

    /// Takes `skip + count` bytes out, if all are here, and gives the last `count`.
    pub(super) fn take_after(&mut self, skip: usize, count: usize) -> Option<Vec<u8>> {
        let end = skip.checked_add(count)?;
        let taken = self.unread().get(skip..end)?.to_vec();
        self.start += end;
        Some(taken)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
