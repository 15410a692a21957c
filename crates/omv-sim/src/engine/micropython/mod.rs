//! The engine with a real MicroPython, the WebAssembly build of its own project, in `wasmi`.
//!
//! ```text
//!   camera's thread                          script's thread
//!   run(now) --- Go: live up to `now` ----->  interpreter, counts fuel as camera time
//!            <-- Said: until t | ended -----  (sleeps, frames, prints over the bridge)
//! ```
//!
//! Only one of the two threads ever runs: the second is there because the interpreter's stack
//! must outlive a slice. Fuel is a number of instructions, so time is the same on any machine.
//!
//! The interpreter is not part of this project. It is loaded from a file and must be the known
//! one, byte for byte; its licence is MicroPython's (MIT).

mod call;
mod files;
mod host;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io};

use super::{Engine, Outcome, Ran, Script};
use crate::running::{MakeEngine, Shared};

/// npm `@micropython/micropython-webassembly-pyscript` 1.27.0, `micropython.wasm`.
pub const SHA256: &str = "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c";
/// Stack of the script's thread: each call of a Python function takes some of it.
const STACK: usize = 64 << 20;
/// Longest slice without a look at the camera's other needs.
const SLICE: Duration = Duration::from_millis(1);

/// Why there is no interpreter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterpreterError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's own words.
        source: io::Error,
    },
    /// It is another file.
    #[error("{path} is not the known interpreter: its SHA-256 is {found}, not {SHA256}")]
    Other {
        /// The file.
        path: String,
        /// Its SHA-256.
        found: String,
    },
    /// It could not be compiled.
    #[error("the interpreter could not be compiled: {0}")]
    Broken(String),
}

/// The interpreter, compiled: as many cameras as one likes can have it.
#[derive(Clone)]
pub struct Interpreter {
    module: Arc<wasmi::Module>,
}

impl Interpreter {
    /// Loads it from its file.
    ///
    /// # Errors
    /// [`InterpreterError`].
    pub fn load(path: &Path) -> Result<Self, InterpreterError> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|source| InterpreterError::Io {
            path: name.clone(),
            source,
        })?;
        Self::check(&bytes, &name)?;
        let mut config = wasmi::Config::default();
        // All at once: translating on demand would cost the script's fuel.
        config
            .consume_fuel(true)
            .compilation_mode(wasmi::CompilationMode::Eager);
        let engine = wasmi::Engine::new(&config);
        let module = wasmi::Module::new(&engine, &bytes[..]);
        let module = module.map_err(|error| InterpreterError::Broken(error.to_string()))?;
        Ok(Self {
            module: Arc::new(module),
        })
    }

    /// Whether these bytes are the known interpreter.
    ///
    /// # Errors
    /// [`InterpreterError::Other`].
    pub fn check(bytes: &[u8], name: &str) -> Result<(), InterpreterError> {
        let found = crate::sha256(bytes);
        if found == SHA256 {
            return Ok(());
        }
        Err(InterpreterError::Other {
            path: name.to_owned(),
            found,
        })
    }

    /// What a [`Setup`](crate::Setup) takes.
    pub fn engine(&self) -> MakeEngine {
        let interpreter = self.clone();
        Arc::new(move |works| Box::new(MicroPython::new(interpreter.clone(), works)))
    }
}

/// Live up to this moment of the camera's clock.
struct Go(Duration);

/// A script under way.
struct Thread {
    go: SyncSender<Go>,
    said: Receiver<Ran>,
    handle: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Without anybody to say go, the script's thread ends at once.
        let (go, _) = sync_channel(0);
        self.go = go;
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// The engine.
pub struct MicroPython {
    interpreter: Interpreter,
    works: Shared,
    thread: Option<Thread>,
    interrupt: Arc<AtomicBool>,
}

impl MicroPython {
    fn new(interpreter: Interpreter, works: Shared) -> Self {
        Self {
            interpreter,
            works,
            thread: None,
            interrupt: Arc::default(),
        }
    }
}

impl Engine for MicroPython {
    fn start(&mut self, now: Duration, script: Script) {
        self.thread = None;
        self.interrupt = Arc::default();
        // With room for the one message that can be under way: nobody waits to get rid of it.
        let (go, ready) = sync_channel(1);
        let (tell, said) = sync_channel(1);
        let line = host::Line {
            ready,
            tell,
            interrupt: Arc::clone(&self.interrupt),
        };
        let (module, works) = (Arc::clone(&self.interpreter.module), self.works.clone());
        let live = move || host::live(&module, works, line, now, &script);
        let spawned = std::thread::Builder::new()
            .name("script".into())
            .stack_size(STACK)
            .spawn(live);
        self.thread = spawned.ok().map(|handle| Thread {
            go,
            said,
            handle: Some(handle),
        });
    }

    fn run(&mut self, now: Duration) -> Ran {
        let Some(thread) = &self.thread else {
            return Ran::Ended(Outcome::Done);
        };
        let said = match thread.go.send(Go(now)) {
            Ok(()) => thread.said.recv().ok(),
            Err(_) => None,
        };
        match said {
            // The script computes: it goes on after what others want.
            Some(Ran::Until(at)) if at <= now => Ran::Until(now + SLICE),
            Some(Ran::Until(at)) => Ran::Until(at),
            Some(ended @ Ran::Ended(_)) => {
                self.thread = None;
                ended
            }
            None => {
                self.thread = None;
                let text = "the interpreter ended without a word\r\n";
                self.works.inside().print(text.as_bytes());
                Ran::Ended(Outcome::Raised(text.to_owned()))
            }
        }
    }

    fn interrupt(&mut self) {
        self.interrupt.store(true, Ordering::Relaxed);
    }

    fn input(&mut self, bytes: &[u8]) {
        self.works.inside().type_keys(bytes);
    }

    fn describe(&self) -> String {
        "MicroPython 1.27 (WebAssembly)".to_owned()
    }
}
