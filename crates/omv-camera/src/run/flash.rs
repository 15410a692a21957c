//! Steps that read and change flash and fuses.

use std::ops::Range;

use omv_boards::{MemoryKind, Region, Role};
use omv_plan::{Image, Part};

use super::Runner;
use crate::Error;
use crate::programmer::CHUNK;

/// What is read of a unit to see whether the rest is worth reading.
const PROBE: u32 = 0x1000;
/// How much may be written although stopping was asked for: what takes 50 ms.
const BRIEF: u64 = 0x1000;

/// Bytes without one equal unit after which the rest is only probed.
const GIVE_UP: u32 = 4 * CHUNK;

impl Runner<'_, '_> {
    pub(super) fn configure(&mut self) -> Result<(), Error> {
        let facts = self.facts()?;
        self.loader()?.configure(facts, facts.nor_option)
    }

    /// The block that tells the ROM how to reach the flash, made by the loader itself.
    pub(super) fn boot_block(&mut self, start: u32, size: u32) -> Result<(), Error> {
        let facts = self.facts()?;
        self.changed = true;
        let loader = self.loader()?;
        loader.erase_range(start..start + size)?;
        loader.configure(facts, facts.fcb_option)?;
        let block = loader.read_at(start, facts.fcb_read)?;
        let tag = facts.fcb_tag;
        match block
            .iter()
            .zip(&tag)
            .position(|(read, wrote)| read != wrote)
        {
            None if block.len() >= tag.len() => Ok(()),
            at => {
                let at = at.unwrap_or(0);
                Err(Error::VerifyFailed {
                    region: "boot block".into(),
                    address: start + at as u32,
                    wrote: tag[at],
                    read: block.get(at).copied().unwrap_or(0),
                })
            }
        }
    }

    pub(super) fn save(&mut self, region: &str, start: u32, size: u32) -> Result<(), Error> {
        let place = self.region(region)?;
        let mut bytes = Vec::with_capacity(size as usize);
        let whole = start..start + size;
        for chunk in chunks(std::slice::from_ref(&whole)) {
            self.check_stop("saving")?;
            bytes.extend(self.programmer()?.read(place, chunk)?);
            self.moved(bytes.len() as u64, size.into());
        }
        (self.context.keep)(region, &bytes).map_err(Error::NotKept)
    }

    /// Notes the units that already hold what the image has.
    pub(super) fn compare(&mut self, part: &Part) -> Result<String, Error> {
        let plan = self.plan;
        let image = &plan.images[part.image];
        let place = self.region(&image.region)?;
        let units = plan.units(part);
        let total = length(&within(&units, image));
        let mut equal = Vec::new();
        let (mut done, mut same) = (0, 0);
        let mut different_in_a_row = 0;
        for group in groups(&units) {
            self.check_stop("comparing")?;
            let (Some(first), Some(last)) = (group.first(), group.last()) else {
                continue;
            };
            let whole = first.start..last.end.min(image.end());
            // Where nothing was equal for a while, the beginning speaks for its group: reading
            // all of what will be rewritten anyway costs more than it can save.
            let probe = whole.start..(whole.start + PROBE).min(whole.end);
            let hopeless = different_in_a_row >= GIVE_UP && !self.is_equal(place, image, &probe)?;
            let before = same;
            if !hopeless {
                let bytes = self.programmer()?.read(place, whole.clone())?;
                for unit in within(group, image) {
                    let from = (unit.start - whole.start) as usize;
                    let to = (unit.end - whole.start) as usize;
                    if bytes.get(from..to) == Some(image.at(&unit)) {
                        equal.push(unit.start);
                        same += u64::from(unit.end - unit.start);
                    }
                }
            }
            let size = whole.end - whole.start;
            different_in_a_row = if same == before {
                different_in_a_row + size
            } else {
                0
            };
            done += u64::from(size);
            self.moved(done, total);
        }
        // The lock of such a memory opens with the first block: it is always written.
        let locked = place.memory == MemoryKind::Mram && same < total;
        if locked && equal.first() == part.spans.first().map(|span| &span.start) {
            let first = equal.remove(0);
            let lost = units.iter().filter(|unit| unit.start == first);
            let lost: Vec<Range<u32>> = lost.cloned().collect();
            same -= length(&within(&lost, image));
        }
        self.equal.insert(part.image, equal);
        self.report(part.image).skipped_bytes = same;
        *self.proven.entry(part.image).or_default() += same;
        Ok(match same {
            0 => "all of it differs".to_owned(),
            same if same == total => "all of it is equal".to_owned(),
            same => format!("{same} of {total} bytes are equal"),
        })
    }

    /// Whether the flash already holds what the image has in a range.
    fn is_equal(
        &mut self,
        place: &Region,
        image: &Image,
        range: &Range<u32>,
    ) -> Result<bool, Error> {
        let read = self.programmer()?.read(place, range.clone())?;
        Ok(image.at(range) == read)
    }

    /// The region of this name.
    fn region(&self, name: &str) -> Result<&'static Region, Error> {
        let region = self.plan.board.region(name);
        region.ok_or_else(|| Error::NoPartition {
            region: name.to_owned(),
        })
    }

    pub(super) fn erase(&mut self, part: &Part) -> Result<String, Error> {
        let place = self.region(&self.plan.images[part.image].region)?;
        let units = self.differing(part);
        let total = length(&units);
        let mut done = 0;
        for group in groups(&units) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else {
                continue;
            };
            self.check_stop("erasing")?;
            let range = first.start..last.end;
            let size = u64::from(range.end - range.start);
            self.vectors_erased |= self.holds_vectors(&range);
            self.changed = true;
            self.programmer()?.erase(place, range)?;
            done += size;
            self.report(part.image).erased_bytes += size;
            self.moved(done, total);
        }
        Ok(amount(total))
    }

    pub(super) fn write(&mut self, part: &Part) -> Result<String, Error> {
        let plan = self.plan;
        let image = &plan.images[part.image];
        let place = self.region(&image.region)?;
        let spans = joined(within(&self.differing(part), image));
        let total = length(&spans);
        let mut done = 0;
        // What takes 50 ms and makes the camera start again is not worth stopping before.
        let brief = self.vectors_erased && total <= BRIEF;
        for chunk in chunks(&spans) {
            if !brief {
                self.check_stop("writing")?;
            }
            let bytes = image.at(&chunk);
            self.changed = true;
            self.programmer()?.write(place, chunk.start, bytes)?;
            self.vectors_erased &= !self.holds_vectors(&chunk);
            done += bytes.len() as u64;
            self.report(part.image).written_bytes += bytes.len() as u64;
            self.moved(done, total);
        }
        if total > 0 {
            self.programmer()?.finish()?;
        }
        Ok(amount(total))
    }

    pub(super) fn verify(&mut self, part: &Part) -> Result<String, Error> {
        let plan = self.plan;
        let image = &plan.images[part.image];
        let place = self.region(&image.region)?;
        let spans = joined(within(&self.differing(part), image));
        let total = length(&spans);
        let mut done = 0;
        for chunk in chunks(&spans) {
            self.check_stop("verifying")?;
            let read = self.programmer()?.read(place, chunk.clone())?;
            let wrote = image.at(&chunk);
            if let Some(at) = wrote
                .iter()
                .zip(&read)
                .position(|(wrote, read)| wrote != read)
            {
                return Err(Error::VerifyFailed {
                    region: image.region.clone(),
                    address: chunk.start + at as u32,
                    wrote: wrote[at],
                    read: read[at],
                });
            }
            done += read.len() as u64;
            self.moved(done, total);
        }
        *self.proven.entry(part.image).or_default() += total;
        Ok(amount(total))
    }

    pub(super) fn blank(&mut self, region: &str, start: u32, size: u32) -> Result<(), Error> {
        let place = self.region(region)?;
        let whole = start..start + size;
        if !self.programmer()?.reads() {
            self.check_stop("erasing")?;
            self.changed = true;
            return self.programmer()?.blank(place, whole).map(drop);
        }
        for chunk in chunks(std::slice::from_ref(&whole)) {
            self.check_stop("erasing")?;
            self.changed = true;
            let blank = self.programmer()?.blank(place, chunk.clone())?;
            let read = self.programmer()?.read(place, chunk.clone())?;
            if let Some(at) = read.iter().position(|byte| *byte != blank) {
                let (address, read) = (chunk.start + at as u32, read[at]);
                let region = region.to_owned();
                return Err(Error::VerifyFailed {
                    region,
                    address,
                    wrote: blank,
                    read,
                });
            }
            self.moved((chunk.end - start).into(), size.into());
        }
        Ok(())
    }

    /// Makes the resident bootloader wait for ever: its record goes into the vector sector.
    ///
    /// Where the firmware in flash has good vectors and leaves the record's page blank, the page
    /// is programmed without an erase; else the sector is written with the new vectors and the
    /// record, which costs one more erase of it. A camera that is parked already stays so, and
    /// one where no other sector differs needs no parking.
    pub(super) fn park(&mut self, image: usize, sector: &Range<u32>) -> Result<String, Error> {
        let facts = self.facts()?;
        let park = &facts.park;
        let mut record = vec![0xFF; park.page_size as usize];
        let at = (park.record - park.page) as usize;
        record[at..at + 4].copy_from_slice(&park.tag);
        record[at + park.peripherals_at as usize] = park.peripherals;
        let wait = at + park.wait_at as usize;
        record[wait..wait + 2].copy_from_slice(&0_u16.to_le_bytes());

        let plan = self.plan;
        let new = &plan.images[image];
        if self.differs_only_in(image, sector) {
            return Ok("not needed, nothing else differs".into());
        }
        let size = sector.end - sector.start;
        let now = self.loader()?.read_at(sector.start, size)?;
        let page = (park.page - sector.start) as usize;
        let free = now[page..page + record.len()]
            .iter()
            .all(|byte| *byte == 0xFF);
        let pass = self.vectors_pass(&now);
        if pass && now[page..page + record.len()] == record {
            return Ok("it is parked already".into());
        }
        let in_place = free && pass;
        self.changed = true;
        if !in_place {
            self.vectors_erased = true;
            let mut parked = vec![0xFF; size as usize];
            let from = new.at(sector);
            parked[..from.len()].copy_from_slice(from);
            parked[page..page + record.len()].copy_from_slice(&record);
            let loader = self.loader()?;
            loader.erase_range(sector.clone())?;
            loader.write_at(sector.start, &parked)?;
            self.vectors_erased = false;
        } else {
            self.loader()?.write_at(park.page, &record)?;
        }
        // Whatever was equal there is not any more: the last part must write it.
        if let Some(equal) = self.equal.get_mut(&image) {
            let before = equal.len();
            equal.retain(|start| !sector.contains(start));
            if equal.len() < before {
                let bytes = within(std::slice::from_ref(sector), new);
                let lost = length(&bytes);
                *self.proven.entry(image).or_default() -= lost;
                self.report(image).skipped_bytes -= lost;
            }
        }
        Ok(if in_place {
            "without an erase".into()
        } else {
            "with an erase".into()
        })
    }

    /// Whether the resident bootloader would open its window for vectors like these.
    fn vectors_pass(&self, sector: &[u8]) -> bool {
        let rule = self
            .plan
            .board
            .images
            .iter()
            .find(|rule| rule.vectors.is_some());
        let span = rule.and_then(|rule| rule.reset);
        let word = sector.get(4..8).and_then(|word| word.try_into().ok());
        match (span, word.map(u32::from_le_bytes)) {
            (Some(span), Some(reset)) => span.contains(reset),
            _ => false,
        }
    }

    pub(super) fn read_fuse(&mut self, word: u32, mask: u32) -> Result<String, Error> {
        let value = self.loader()?.fuse(word)?;
        let set = value & mask == mask;
        self.boot_fuse = Some(set);
        Ok(if set {
            "set, as it should be".into()
        } else {
            "CLEAR: the camera will start in its ROM at every power-up".into()
        })
    }

    pub(super) fn burn_fuse(&mut self, word: u32, mask: u32) -> Result<String, Error> {
        if self.boot_fuse == Some(true) {
            return Ok("already set, nothing was burned".into());
        }
        self.loader()?.burn(word, mask)?;
        let value = self.loader()?.fuse(word)?;
        if value & mask != mask {
            return Err(Error::Status {
                doing: "keep the boot fuse".into(),
                status: 1,
            });
        }
        self.boot_fuse = Some(true);
        Ok("burned, and read back".into())
    }

    /// Whether a range holds the sector whose reset vector opens the bootloader's window.
    fn holds_vectors(&self, range: &Range<u32>) -> bool {
        let firmware = self.plan.board.role(Role::Firmware);
        let sector = firmware.and_then(|region| region.vector_sector);
        sector.is_some_and(|start| range.contains(&start))
    }

    /// Whether all of an image outside a sector is known to be in flash already.
    fn differs_only_in(&self, image: usize, sector: &Range<u32>) -> bool {
        let equal = self.equal.get(&image).map_or(&[][..], Vec::as_slice);
        let is_equal = |start: u32| sector.contains(&start) || equal.binary_search(&start).is_ok();
        let image = &self.plan.images[image];
        let size = sector.end - sector.start;
        let mut sectors = (image.start..image.end()).step_by(size as usize);
        sectors.all(is_equal)
    }

    /// The units of a part that are not known to be equal.
    fn differing(&self, part: &Part) -> Vec<Range<u32>> {
        let equal = self.equal.get(&part.image).map_or(&[][..], Vec::as_slice);
        let mut units = self.plan.units(part);
        units.retain(|unit| equal.binary_search(&unit.start).is_err());
        units
    }
}

/// Neighbouring units in groups of at most a chunk; a unit that is larger stands alone.
fn groups(units: &[Range<u32>]) -> impl Iterator<Item = &[Range<u32>]> {
    units.chunk_by(|one, next| one.end == next.start && one.start / CHUNK == (next.end - 1) / CHUNK)
}

/// Neighbours made one.
fn joined(spans: Vec<Range<u32>>) -> Vec<Range<u32>> {
    let mut all: Vec<Range<u32>> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => all.push(span),
        }
    }
    all
}

/// Spans cut to the bytes an image has.
fn within(spans: &[Range<u32>], image: &Image) -> Vec<Range<u32>> {
    let cut = |span: &Range<u32>| span.start..span.end.min(image.end());
    spans
        .iter()
        .map(cut)
        .filter(|span| span.start < span.end)
        .collect()
}

fn length(spans: &[Range<u32>]) -> u64 {
    spans
        .iter()
        .map(|span| u64::from(span.end - span.start))
        .sum()
}

/// Spans in pieces of at most a chunk, cut where chunks of the address space meet.
fn chunks(spans: &[Range<u32>]) -> Vec<Range<u32>> {
    let mut pieces = Vec::new();
    for span in spans {
        let mut start = span.start;
        while start < span.end {
            let end = ((start / CHUNK + 1).saturating_mul(CHUNK)).min(span.end);
            pieces.push(start..end);
            start = end;
        }
    }
    pieces
}

fn amount(bytes: u64) -> String {
    if bytes == 0 {
        "nothing to do".to_owned()
    } else {
        format!("{bytes} bytes")
    }
}
