//! Plain DFU: a partition is written from block 0 on, or read until a block comes short.
//!
//! Source: dfu-util 0.11, src/dfu_load.c. It sleeps a second when a device has taken a download;
//! here the device is asked again at once, and the wait has an end.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use omv_wire::dfu::{Failure, Report, State, Status};

use super::{Session, Trouble, code};
use crate::dropin::stop::Stop;

/// Most blocks that are read. Their numbers have 16 bits.
const BLOCKS: u32 = 1 << 16;
/// Longest wait for a device that makes use of what it was given.
const MANIFEST: Duration = Duration::from_secs(20);

impl Session<'_> {
    /// Reads the partition into a file.
    pub(super) fn plain_upload(&mut self, expected: u64, into: &mut File) -> Result<(), Stop> {
        self.say.line("Copying data from DFU device to PC");
        let mut total = 0;
        for number in 0..BLOCKS {
            self.say.bar("Upload", total, expected);
            let block = u16::try_from(number).unwrap_or(u16::MAX);
            let bytes = match self.talk(self.host.upload(block, self.size)) {
                Ok(bytes) => bytes,
                Err(trouble) => {
                    let text = format!("\nError during upload ({})", trouble.name());
                    return Err(self.stopped(&text, &trouble));
                }
            };
            if let Err(error) = into.write_all(&bytes) {
                return Err(self
                    .say
                    .stop(code::IO, &format!("Could not write: {error}")));
            }
            total += bytes.len() as u64;
            if bytes.len() < self.size.into() {
                self.say.bar("Upload", total, total);
                match total {
                    0 => self.say.line("\nFailed."),
                    _ => self.say.line(&format!("Received a total of {total} bytes")),
                }
                if expected != 0 && expected != total {
                    let text = "Unexpected number of bytes uploaded from device";
                    self.say.warn(text);
                }
                return Ok(());
            }
        }
        let text = format!("\nThe device never ends: stopped after {total} bytes");
        Err(self.say.stop(code::IO, &text))
    }

    /// Writes data to the partition.
    pub(super) fn plain_download(&mut self, data: &[u8]) -> Result<(), Stop> {
        self.say.line("Copying data from PC to DFU device");
        self.say.bar("Download", 0, 1);
        let total = data.len() as u64;
        let mut done = 0;
        let mut number = 0u16;
        for chunk in data.chunks(self.size.into()) {
            match self.talk(self.host.download(number, chunk.to_vec())) {
                Ok(()) => {}
                Err(Trouble::Failure(Failure::Status { status, .. })) => {
                    return Err(self.refused(status));
                }
                Err(trouble @ Trouble::Failure(Failure::Refused { what: "DNLOAD" })) => {
                    let text = format!("Error during download ({})", trouble.name());
                    return Err(self.stopped(&text, &trouble));
                }
                Err(trouble) => {
                    let text = format!("Error during download get_status ({})", trouble.name());
                    return Err(self.stopped(&text, &trouble));
                }
            }
            done += chunk.len() as u64;
            number = number.wrapping_add(1);
            // As dfu-util counts: what was left before this block.
            let left = total - (done - chunk.len() as u64);
            self.say.bar("Download", done, done + left);
        }
        self.finish_plain(number, done)
    }

    /// The empty block, and what the device makes of it all.
    fn finish_plain(&mut self, number: u16, done: u64) -> Result<(), Stop> {
        if let Err(trouble) = self.talk(self.host.end(number)) {
            let text = format!("Error sending completion packet ({})", trouble.name());
            return Err(self.stopped(&text, &trouble));
        }
        self.say.bar("Download", done, done);
        if self.say.verbose > 0 {
            self.say.line(&format!("Sent a total of {done} bytes"));
        }
        let now = |session: &Self| session.with_link(|link| link.now()).unwrap_or_default();
        let end = now(self) + MANIFEST;
        loop {
            let report = match self.talk(self.host.get_status()) {
                Ok(report) => report,
                Err(trouble) => {
                    let text = format!(
                        "unable to read DFU status after completion ({})",
                        trouble.name()
                    );
                    return Err(self.stopped(&text, &trouble));
                }
            };
            self.say.state(&report, false);
            self.pause(&report)?;
            match report.state {
                State::Manifest | State::ManifestSync if now(self) < end => {
                    let soon = Duration::from_millis(10);
                    self.pause(&Report::new(Status::OK, soon, report.state))?;
                }
                State::Manifest | State::ManifestSync => {
                    let text = "The device never says that it is done";
                    return Err(self.say.stop(code::IO, text));
                }
                State::ManifestWaitReset => {
                    let text = "Resetting USB to switch back to runtime mode";
                    self.say.line(text);
                    break;
                }
                _ => break,
            }
        }
        self.say.line("Done!");
        Ok(())
    }

    /// The device says no to a block.
    pub(super) fn refused(&mut self, status: Status) -> Stop {
        self.say.line(" failed!");
        let report = Report::new(status, Duration::ZERO, State::Error);
        self.say.state(&report, self.is_dfuse());
        Stop::Code(code::IO)
    }

    /// Last words, with what the name of the error does not tell.
    pub(super) fn stopped(&mut self, text: &str, trouble: &Trouble) -> Stop {
        if let Some(more) = trouble.more() {
            self.say.warn(&more);
        }
        self.say.stop(code::IO, text)
    }
}
