//! The zip for a forum post: versions, what was seen, what was found, and the traffic.

use std::io::{self, Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use omv_camera::doctor::{Answer, Facts, Finding};
use omv_link::record::{Options, Recorder};
use omv_link::{Bus, Device, LinkError, Seen};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::blank::Secrets;
use super::screen;
use crate::cli::Colour;
use crate::fail::Fail;
use crate::output::Output;

/// Bytes of traffic kept. Asking cameras who they are takes some hundred; a console that prints
/// without pause must not fill the memory.
const LIMIT: usize = 4 << 20;

/// Traffic written down in memory.
pub struct Record {
    memory: Memory,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// Nothing under this lock can be left half changed.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut memory = self.lock();
        let room = LIMIT.saturating_sub(memory.len());
        memory.extend(bytes.iter().take(room));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A bus that others hold, too.
struct Shared(Arc<dyn Bus>);

impl Bus for Shared {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        self.0.list()
    }

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn is_virtual_time(&self) -> bool {
        self.0.is_virtual_time()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        self.0.wait(until)
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        self.0.open(seen)
    }
}

impl Record {
    /// Records everything on these buses from now on. Serial numbers that a bus tells are left
    /// out at once, those of devices that are no cameras among them.
    pub fn around(buses: &mut [Arc<dyn Bus>]) -> Self {
        let memory = Memory::default();
        let options = Options {
            hashes: false,
            blank_serials: true,
        };
        let recorder = Recorder::new(memory.clone(), options);
        for bus in buses {
            *bus = Arc::new(recorder.bus(Box::new(Shared(Arc::clone(bus)))));
        }
        Self { memory }
    }

    /// What was written down.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.memory.lock()).into_owned()
    }
}

/// The archive. Its files are not compressed: that no number is left can then be seen in it.
pub fn zip(facts: &Facts, findings: &[Finding], record: &str) -> Result<Vec<u8>, Fail> {
    let secrets = Secrets::new(facts.cameras.iter().flat_map(|sight| {
        let uid = match &sight.answer {
            Answer::Who { uid, .. } => uid.as_deref(),
            _ => None,
        };
        [sight.serial.as_deref(), uid].into_iter().flatten()
    }));
    let plain = Output::new(false, Colour::Never);
    let mut screen = screen::lines(facts, findings, &plain).join("\n");
    screen.push('\n');
    let json = format!("{:#}\n", screen::json(facts, findings));
    let files = [
        ("report.txt", secrets.text(&screen)),
        ("report.json", secrets.text(&json)),
        ("traffic.txt", secrets.record(record)),
    ];
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut write = || -> io::Result<Vec<u8>> {
        for (name, text) in &files {
            writer.start_file(*name, options)?;
            writer.write_all(text.as_bytes())?;
        }
        Ok(
            std::mem::replace(&mut writer, ZipWriter::new(Cursor::new(Vec::new())))
                .finish()?
                .into_inner(),
        )
    };
    write().map_err(|error| Fail::file(Path::new("the report"), "writing", error))
}
