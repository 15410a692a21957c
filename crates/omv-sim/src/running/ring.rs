//! The ring in which a script's text waits for the host.

use std::collections::VecDeque;

/// Text that waits. When there is no room, everything older goes, and of the newest string what
/// fits stays: so does the firmware, and nobody is told.
///
/// Source: openmv/openmv protocol/omv_protocol_channel_stdio.c.
#[derive(Clone, Debug)]
pub struct Ring {
    bytes: VecDeque<u8>,
    /// One byte less than the ring has.
    room: usize,
    /// Bytes that were lost since it was made.
    lost: u64,
}

impl Ring {
    /// A ring of this many bytes, of which one is never used.
    pub fn new(size: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            room: size.max(2) - 1,
            lost: 0,
        }
    }

    /// Puts text in. Whether it passed the half with this.
    pub fn push(&mut self, text: &[u8]) -> bool {
        let before = self.bytes.len();
        if before + text.len() > self.room {
            let tail = &text[text.len().saturating_sub(self.room)..];
            self.lost += (before + text.len() - tail.len()) as u64;
            self.bytes.clear();
            self.bytes.extend(tail);
            return self.bytes.len() > self.room / 2;
        }
        self.bytes.extend(text);
        before <= self.room / 2 && self.bytes.len() > self.room / 2
    }

    /// Takes at most `most` bytes.
    pub fn take(&mut self, most: usize) -> Vec<u8> {
        let count = self.bytes.len().min(most);
        self.bytes.drain(..count).collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that nobody will ever read.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_pushes_out_everything_older() {
        let mut ring = Ring::new(8);
        ring.push(b"abcde");
        assert_eq!(ring.len(), 5);
        ring.push(b"fgh");
        assert_eq!(ring.take(99), b"fgh");
        ring.push(b"0123456789");
        assert_eq!(ring.take(99), b"3456789");
        assert_eq!(ring.lost(), 8);
    }

    #[test]
    fn passing_the_half_is_told_once() {
        let mut ring = Ring::new(11);
        assert!(!ring.push(b"12345"));
        assert!(ring.push(b"6"));
        assert!(!ring.push(b"7"));
    }
}
