//! The flash as DfuSe devices give it out: by address, as the names of their alternates say.

use std::time::Duration;

use omv_boards::{MemoryKind, Span};
use omv_wire::dfu::dfuse::{Layout, Memory, Page};
use omv_wire::dfu::{Outcome, Status};

use super::chip::Chip;

/// The memories of a ROM or of Arduino's bootloader.
pub struct Addresses {
    chip: Chip,
    layouts: Vec<Layout>,
}

impl Addresses {
    /// Those whose alternates have these names.
    pub fn new(chip: Chip, names: &[String]) -> Self {
        let parsed = names.iter().filter_map(|name| Layout::parse(name).ok());
        Self {
            layouts: parsed.collect(),
            chip,
        }
    }
}

impl Memory for Addresses {
    fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    fn read(&mut self, _now: Duration, address: u32, size: u16) -> Result<Vec<u8>, Status> {
        let parts = self.chip.lock();
        let size = usize::from(size);
        // Option bytes and the like hold nothing that matters here.
        Ok(match parts.kind_at(address) {
            Some(kind) => parts.read(kind, address, size),
            None => vec![0xFF; size],
        })
    }

    fn write(&mut self, now: Duration, address: u32, bytes: &[u8]) -> Outcome {
        let mut parts = self.chip.lock();
        parts.now = parts.now.max(now);
        let Some(kind) = parts.kind_at(address) else {
            return Outcome::refused(Status::TARGET);
        };
        match parts.write((kind, address), bytes, 0xFF, false) {
            Ok(end) => Outcome::after(end.saturating_sub(now)),
            Err(_) => Outcome::refused(Status::PROGRAM),
        }
    }

    fn erase(&mut self, now: Duration, page: Page) -> Outcome {
        let mut parts = self.chip.lock();
        parts.now = parts.now.max(now);
        let page = Span {
            start: page.start,
            end: page.start.saturating_add(page.size),
        };
        let end = parts.kind_at(page.start).and_then(|kind| {
            forbidden(&mut parts, kind, page);
            parts.erase(kind, page)
        });
        match end {
            Some(end) => Outcome::after(end.saturating_sub(now)),
            None => Outcome::refused(Status::TARGET),
        }
    }

    fn erase_all(&mut self, now: Duration, alternate: u8) -> Outcome {
        let mut parts = self.chip.lock();
        parts.now = parts.now.max(now);
        let layout = self.layouts.get(usize::from(alternate));
        let first = layout.and_then(|layout| layout.regions.first());
        let kind = first.and_then(|region| parts.kind_at(region.address));
        let memory = kind.and_then(|kind| parts.board.memory(kind));
        let Some(memory) = memory else {
            return Outcome::refused(Status::TARGET);
        };
        let mut end = now;
        for sector in memory.sectors() {
            forbidden(&mut parts, memory.kind, sector);
            end = parts.erase(memory.kind, sector).unwrap_or(end);
        }
        Outcome::after(end.saturating_sub(now))
    }

    fn cut_short(&mut self, now: Duration) {
        self.chip.lock().nor.cut(now);
    }
}

/// Notes an erase that no host may ever ask for.
fn forbidden(parts: &mut super::chip::Parts, kind: MemoryKind, range: Span) {
    if parts.board.forbidden(kind, range).is_some() {
        parts.misused = Some("a host erased what must never be erased");
    }
}
