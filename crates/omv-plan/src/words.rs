//! Steps as people read them, and as the command lines of NXP's tools.

use std::ops::Range;

use omv_boards::{State, UsbId};

use crate::image::Part;
use crate::step::{Plan, Step, StepInfo};

impl Plan {
    /// One step as shown.
    pub(crate) fn info(&self, step: &Step) -> StepInfo {
        let (verb, what, bytes) = self.words(step);
        let risk = step.risk();
        StepInfo {
            verb,
            what,
            bytes,
            risk,
            equivalent: self.equivalent(step),
        }
    }

    fn words(&self, step: &Step) -> (&'static str, String, u64) {
        match step {
            Step::Enter { limit, .. } => (
                "reset",
                format!("into the bootloader, within {} s", limit.as_secs()),
                0,
            ),
            Step::Restart { .. } => ("restart", "the camera".into(), 0),
            Step::Hands { expect, .. } => {
                let states: Vec<String> = expect.iter().map(State::to_string).collect();
                (
                    "hands",
                    format!("yours, until the camera is `{}`", states.join("` or `")),
                    0,
                )
            }
            Step::Hold { expect: State::Sbl } => ("hold", "the bootloader".into(), 0),
            Step::Hold { expect } => ("hold", format!("the {expect}"), 0),
            Step::Load { image } => {
                let image = &self.images[*image];
                (
                    "load",
                    format!("{} into RAM", image.file),
                    image.bytes.len() as u64,
                )
            }
            Step::Jump { start, .. } => ("start", format!("it at {start:#010x}"), 0),
            Step::Configure => ("set up", "access to the flash".into(), 0),
            Step::BootBlock { start, size } => (
                "rebuild",
                format!("boot block {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::Save {
                region,
                start,
                size,
            } => (
                "save",
                format!("{region} {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::Compare { part } => ("compare", self.what(part), part.size()),
            Step::Park { sector, .. } => {
                let size = u64::from(sector.end - sector.start);
                ("park", format!("bootloader record {}", span(sector)), size)
            }
            Step::Erase { part } => ("erase", self.what(part), part.size()),
            Step::Write { part } => ("write", self.what(part), self.written(part)),
            Step::Verify { part } => ("verify", self.what(part), self.written(part)),
            Step::Blank {
                region,
                start,
                size,
            } => (
                "erase",
                format!("{region} {}", span(&(*start..start + size))),
                (*size).into(),
            ),
            Step::ReadFuse { word, .. } => ("read", format!("boot fuse, word {word}"), 0),
            Step::BurnFuse { word, mask } => (
                "burn",
                format!("boot fuse, word {word}, bits {mask:#x}, for ever"),
                0,
            ),
            Step::Leave {
                expect: State::Run, ..
            } => ("reset", "into the firmware".into(), 0),
            Step::Leave { expect, .. } => ("reset", format!("into {expect}"), 0),
            Step::Ask => ("ask", "the camera what it runs".into(), 0),
        }
    }

    fn what(&self, part: &Part) -> String {
        match part.spans.as_slice() {
            [] => part.name.clone(),
            [one] => format!("{} {}", part.name, span(one)),
            [first, .., last] => {
                let (whole, count) = (first.start..last.end, part.spans.len());
                format!("{} {} ({count} parts)", part.name, span(&whole))
            }
        }
    }

    /// Bytes of the image in a part; the last sector is usually not full.
    fn written(&self, part: &Part) -> u64 {
        let end = self.images[part.image].end();
        let bytes = |span: &Range<u32>| u64::from(span.end.min(end).saturating_sub(span.start));
        part.spans.iter().map(bytes).sum()
    }

    /// What one would type with NXP's tools. Sectors that turn out equal are erased and written
    /// there all the same: those tools do not compare.
    fn equivalent(&self, step: &Step) -> Vec<String> {
        let Some(facts) = &self.board.mboot else {
            return Vec::new();
        };
        let blhost = |words: String| format!("blhost -u {} -- {words}", self.usb(State::Sbl));
        let sdphost = |words: String| format!("sdphost -u {} -- {words}", self.usb(State::Sdp));
        let option = |word: u32| blhost(format!("fill-memory {:#x} 4 {word:#x}", facts.scratch));
        let configure = || {
            blhost(format!(
                "configure-memory {} {:#x}",
                facts.memory_id, facts.scratch
            ))
        };
        let erase = |range: &Range<u32>| {
            let (start, size) = (range.start, range.end - range.start);
            blhost(format!("flash-erase-region {start:#x} {size:#x}"))
        };
        match step {
            Step::Hold { .. } => vec![blhost("get-property 1".into())],
            Step::Load { image } => {
                let image = &self.images[*image];
                vec![sdphost(format!(
                    "write-file {:#x} {}",
                    image.start, image.file
                ))]
            }
            Step::Jump { start, .. } => vec![sdphost(format!("jump-address {start:#x}"))],
            Step::Configure => vec![option(facts.nor_option), configure()],
            Step::BootBlock { start, size } => vec![
                erase(&(*start..start + size)),
                option(facts.fcb_option),
                configure(),
                blhost(format!("read-memory {start:#x} {:#x}", facts.fcb_read)),
            ],
            Step::Save {
                region,
                start,
                size,
            } => {
                vec![blhost(format!(
                    "read-memory {start:#x} {size:#x} {region}.img"
                ))]
            }
            Step::Erase { part } => part.spans.iter().map(erase).collect(),
            Step::Blank { start, size, .. } => vec![erase(&(*start..start + size))],
            Step::Write { part } => self.each(part, |start, size, piece| {
                blhost(format!("write-memory {start:#x} {}", piece.of(size)))
            }),
            Step::Verify { part } => self.each(part, |start, size, _| {
                blhost(format!("read-memory {start:#x} {size:#x} read-back.bin"))
            }),
            Step::ReadFuse { word, .. } => vec![blhost(format!("efuse-read-once {word}"))],
            Step::BurnFuse { word, mask } => {
                vec![blhost(format!("efuse-program-once {word} {mask:08x}"))]
            }
            Step::Leave { .. } => vec![blhost("reset".into())],
            _ => Vec::new(),
        }
    }

    /// One line per span of a part: address, size in bytes, and the piece of the file it is.
    fn each(&self, part: &Part, line: impl Fn(u32, u32, &Piece<'_>) -> String) -> Vec<String> {
        let image = &self.images[part.image];
        let one = |span: &Range<u32>| {
            let size = span.end.min(image.end()).saturating_sub(span.start);
            let offset = span.start - image.start;
            let whole = offset == 0 && size as usize == image.bytes.len();
            line(
                span.start,
                size,
                &Piece {
                    file: &image.file,
                    offset,
                    whole,
                },
            )
        };
        part.spans.iter().map(one).collect()
    }

    fn usb(&self, state: State) -> String {
        let id = self
            .board
            .identity(state, None)
            .map(|identity| identity.usb);
        let UsbId { vid, pid } = id.unwrap_or(UsbId { vid: 0, pid: 0 });
        format!("0x{vid:04X},0x{pid:04X}")
    }
}

/// A piece of a file. `blhost` writes files from their beginning, so a piece in the middle has to
/// be cut out first; the comment says where.
struct Piece<'a> {
    file: &'a str,
    offset: u32,
    whole: bool,
}

impl Piece<'_> {
    fn of(&self, size: u32) -> String {
        let (file, offset) = (self.file, self.offset);
        match (self.whole, offset) {
            (true, _) => file.to_owned(),
            (false, 0) => format!("{file},{size}"),
            (false, _) => {
                format!("piece-{offset:x}.bin  # {file} from {offset:#x}, {size:#x} bytes")
            }
        }
    }
}

fn span(range: &Range<u32>) -> String {
    format!("{:08X}-{:08X}", range.start, range.end)
}
