//! Steps as the command lines of the tools people use today: `blhost`, `sdphost`, `dfu-util`.

use std::ops::Range;

use omv_boards::{Mboot, Role, State, UsbId};

use crate::image::Part;
use crate::step::{Job, Plan, Step};

impl Plan {
    /// What one would type with NXP's tools, or with dfu-util. What turns out equal is written
    /// there all the same: those tools do not compare.
    pub(crate) fn equivalent(&self, step: &Step, at: Option<State>) -> Vec<String> {
        match &self.board.mboot {
            Some(facts) => self.with_nxp_tools(step, facts),
            None => match (step, at) {
                (Step::Vendor { job, .. }, _) => self.with_vendor(*job),
                (step, Some(at)) => self.with_dfu_util(step, at),
                (_, None) => Vec::new(),
            },
        }
    }

    fn with_nxp_tools(&self, step: &Step, facts: &Mboot) -> Vec<String> {
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

    /// The maker's programs, with the serial port and the part left for whoever types it.
    fn with_vendor(&self, job: Job) -> Vec<String> {
        let program = job.program();
        let port = "--port PORT --cfg-part PART --cfg-rev B4";
        vec![match job {
            Job::StBootloader => format!("{program} -c port=USB1 -d FlashLayout.tsv"),
            Job::AlifSystem => format!("{program} {port}"),
            Job::AlifBootloader => {
                let place = |role, file: &str| {
                    let start = self.board.role(role).map_or(0, |region| region.start);
                    format!("{file} {start:#010x}")
                };
                let bootloader = place(Role::Bootloader, "bootloader.bin");
                let table = place(Role::BootTable, "firmware_pad.toc");
                format!("{program} {port} --pad --images \"{bootloader} {table}\"")
            }
        }]
    }

    fn with_dfu_util(&self, step: &Step, at: State) -> Vec<String> {
        let Some(id) = self.board.identity(at, None).map(|identity| identity.usb) else {
            return Vec::new();
        };
        let device = format!("dfu-util -d ,{:04x}:{:04x}", id.vid, id.pid);
        let line = |region: &str, start: u32, rest: String| {
            let region = self.board.region(region)?;
            let place = match at {
                State::Dfu => format!("-a {}", region.alternate.as_ref()?.number),
                State::StRom | State::ArduinoDfu => {
                    let memory = self.board.memory(region.memory)?;
                    format!(
                        "-a {} -s {start:#010x}",
                        memory.dfuse_alternate.unwrap_or(0)
                    )
                }
                _ => return None,
            };
            Some(format!("{device} {place} {rest}"))
        };
        let lines = match step {
            Step::Write { part } => {
                let image = &self.images[part.image];
                line(&image.region, image.start, format!("-D {}", image.file))
            }
            Step::Verify { part } => {
                let image = &self.images[part.image];
                let size = image.bytes.len();
                match at {
                    State::Dfu => line(&image.region, image.start, "-U read-back.bin".into()),
                    _ => line(&image.region, image.start, "-U read-back.bin".into())
                        .map(|text| text.replacen(" -U", &format!(":{size} -U"), 1)),
                }
            }
            Step::Save {
                region,
                start,
                size,
            } => match at {
                State::Dfu => line(region, *start, format!("-U {region}.img")),
                _ => line(region, *start, format!("-U {region}.img"))
                    .map(|text| text.replacen(" -U", &format!(":{size} -U"), 1)),
            },
            Step::Leave { .. } if at == State::Dfu => Some(format!("{device} -e")),
            Step::Hold { .. } if at != State::LegacyBl => Some(format!("{device} -l")),
            _ => None,
        };
        lines.into_iter().collect()
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
