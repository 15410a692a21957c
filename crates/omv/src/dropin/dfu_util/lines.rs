//! What dfu-util prints and scripts read.
//!
//! Source: dfu-util 0.11, src/main.c, src/dfu.c, src/dfu_file.c `dfu_progress_bar`. The meanings of
//! status codes are those of USB DFU 1.1, section 6.1.2.

use std::io::Write;
use std::time::Instant;

use omv_wire::dfu::{Functional, Report, Status};

use super::TOOL;
use crate::dropin::stop::Stop;

/// The first line, by which scripts know the tool, and who says it here.
pub const VERSION: &str = concat!(
    "dfu-util 0.11\n\nThis is omv ",
    env!("CARGO_PKG_VERSION"),
    ", which takes the command line of dfu-util 0.11.\n"
);

/// Help, in words of our own.
pub const HELP: &str = "\
Usage: dfu-util [options] ...
  -h --help                   This text
  -V --version                The version
  -v --verbose                More of what happens
  -l --list                   The DFU devices there are
  -e --detach                 Only tell the device to leave
  -E --detach-delay SECONDS   Taken, and without effect: no camera has a DFU run-time mode
  -d --device VID:PID[,VID:PID]   Ids in hexadecimal; behind the comma those in DFU mode
  -n --devnum NUMBER          Number of the device, as listed
  -p --path BUS-PORT[.PORT]   Socket of the device, as listed
  -c --cfg NUMBER             Configuration
  -i --intf NUMBER            Interface
  -S --serial TEXT[,TEXT]     Serial number; behind the comma that in DFU mode
  -a --alt NUMBER|NAME        Alternate setting: which memory
  -t --transfer-size BYTES    Bytes of a block
  -U --upload FILE            Read the memory into a file that does not exist yet
  -Z --upload-size BYTES      Expected size
  -D --download FILE          Write a file; - is standard input
  -R --reset                  Afterwards, send the device back to its firmware
  -w                          Wait for a device, for at most ten minutes
  -s --dfuse-address ADDRESS[:leave][:force][:mass-erase][:unprotect][:will-reset][:LENGTH]
                              For DfuSe devices: where, and what else
";

/// Marks of a whole bar.
const BAR: u64 = 25;

/// Where the tool prints, and how much.
pub struct Say<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// How often `-v` was given.
    pub verbose: u8,
    bar: Option<(u64, Instant)>,
}

impl<'a> Say<'a> {
    /// Says little.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self {
            out,
            err,
            verbose: 0,
            bar: None,
        }
    }

    /// A line on standard output. Who closed it does not stop a flash.
    pub fn line(&mut self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// The same without a line end.
    pub fn text(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }

    /// A line on standard error.
    pub fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// A warning.
    pub fn warn(&mut self, text: &str) {
        self.complain(&format!("{TOOL}: {text}"));
    }

    /// The last words, and the exit code that goes with them.
    pub fn stop(&mut self, code: u8, text: &str) -> Stop {
        self.warn(text);
        Stop::Code(code)
    }

    /// Where the device stands.
    pub fn state(&mut self, report: &Report, is_error: bool) {
        let text = format!(
            "DFU state({}) = {}, status({}) = {}",
            report.state.code(),
            report.state.name(),
            report.status.0,
            status(report.status)
        );
        match is_error {
            true => self.complain(&text),
            false => self.line(&text),
        }
    }

    /// How far something is; `total` 0 where nobody knows how much there is.
    pub fn bar(&mut self, what: &str, done: u64, total: u64) {
        let total = total.max(done + u64::from(total < done)).max(1);
        let marks = BAR.saturating_mul(done) / total;
        let same = |(shown, at): (u64, Instant)| shown == marks && at.elapsed().as_secs() == 0;
        if self.bar.is_some_and(same) {
            return;
        }
        self.bar = Some((marks, Instant::now()));
        let filled = usize::try_from(marks.min(BAR)).unwrap_or_default();
        let bar = format!("{:<25}", "=".repeat(filled));
        let percent = done.saturating_mul(100) / total;
        self.text(&format!("\r{what}\t[{bar}] {percent:3}% {done:12} bytes"));
        if marks >= BAR {
            self.line(&format!("\n{what} done."));
        }
    }
}

/// What a status means.
pub fn status(status: Status) -> &'static str {
    match status.0 {
        0x00 => "No error condition is present",
        0x01 => "File is not targeted for use by this device",
        0x02 => "File is for this device but fails some vendor-specific test",
        0x03 => "Device is unable to write memory",
        0x04 => "Memory erase function failed",
        0x05 => "Memory erase check failed",
        0x06 => "Program memory function failed",
        0x07 => "Programmed memory failed verification",
        0x08 => "Cannot program memory due to received address that is out of range",
        0x09 => {
            "Received DFU_DNLOAD with wLength = 0, but device does not think that it has all data yet"
        }
        0x0A => "Device's firmware is corrupt. It cannot return to run-time (non-DFU) operations",
        0x0B => "iString indicates a vendor specific error",
        0x0C => "Device detected unexpected USB reset signalling",
        0x0D => "Device detected unexpected power on reset",
        0x0E => "Something went wrong, but the device does not know what it was",
        0x0F => "Device stalled an unexpected request",
        _ => "INVALID",
    }
}

/// What the device says that it can do.
pub fn attributes(functional: &Functional, say: &mut Say<'_>) {
    let bits = functional.attributes;
    let mut text = format!("DFU attributes: (0x{bits:02x})");
    for (bit, name) in [
        (Functional::CAN_DOWNLOAD, "bitCanDnload"),
        (Functional::CAN_UPLOAD, "bitCanUpload"),
        (
            Functional::MANIFESTATION_TOLERANT,
            "bitManifestationTolerant",
        ),
        (Functional::WILL_DETACH, "bitWillDetach"),
    ] {
        if bits & bit != 0 {
            text += &format!(" {name}");
        }
    }
    say.line(&text);
    say.line(&format!("Detach timeout {} ms", functional.detach_timeout));
}
