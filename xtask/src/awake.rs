//! Processors that do not fall asleep while something is timed.

use std::fs::File;
use std::io::{self, Write};

/// Where Linux takes the longest time, in microseconds, that a processor may need to wake up.
const LATENCY: &str = "/dev/cpu_dma_latency";

/// A word to the system that no processor may sleep, which it keeps to as long as this lives.
///
/// Two programs that answer each other leave the processors idle thousands of times a second. Waking one,
/// in a virtual machine above all, takes longer than what either does in its turn, and how much longer
/// changes from minute to minute: it would be most of what is measured, of everybody's.
///
/// A busy loop of lowest priority beside them is no such word: it is moved and replaced for each turn, and
/// costs both ends more than it saves.
pub struct Awake {
    _asked: Option<File>,
}

impl Awake {
    /// Keeps all of them awake until dropped. Where the system has no such way it says so.
    pub fn keep() -> Self {
        let asked = ask().inspect_err(|error| {
            println!("{LATENCY}: {error}; times contain what waking a processor takes");
        });
        Self { _asked: asked.ok() }
    }
}

fn ask() -> io::Result<File> {
    let mut file = File::options().write(true).open(LATENCY)?;
    file.write_all(&0i32.to_ne_bytes())?;
    Ok(file)
}
