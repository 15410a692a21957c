//! The life of a camera whose firmware runs: disks, `boot.py`, `main.py`, scripts from the host.
//!
//! ```text
//!   switched on --> mount --> boot.py --> main.py --> prompt <--> script --> soft reboot
//!                     ^                                                          |
//!                     +----------------------------------------------------------+
//! ```
//!
//! The protocols (`run.rs`) look at the insides, [`Works`], through their own halves; the script
//! is executed by an [`Engine`] in slices of the camera's time.
//!
//! Sources: openmv/openmv ports/mimxrt/main.c, ports/stm32/main.c, protocol/omv_protocol.c.

mod channels;
mod desk;
mod facts;
mod preview;
pub mod requests;
mod ring;
mod works;

use std::sync::Arc;
use std::time::Duration;

pub use channels::{FIRST, STDIN, STDOUT, STREAM};
pub use facts::Facts;
pub use works::{Happened, Shared, Wish, Works};

use crate::disk::{Disks, is_mountable};
use crate::engine::models::Models;
use crate::engine::{Engine, Outcome, Plain, Ran, Script};
use crate::medium;
use crate::scene::Scene;

/// From the end of a script until the interpreter is there again.
const REBOOT: Duration = Duration::from_millis(80);
/// How often the host is told that text waits.
const TELL_TEXT: Duration = Duration::from_millis(50);
/// Name of a script that came over the protocol.
const UPLOADED: &str = "<stdin>";

/// Makes what executes scripts, over the insides of one camera.
pub type MakeEngine = Arc<dyn Fn(Shared) -> Box<dyn Engine> + Send + Sync>;

/// What a virtual camera is given from outside.
#[derive(Clone, Default)]
pub struct Setup {
    /// What the sensor looks at.
    pub scene: Scene,
    /// The card in its slot.
    pub card: Option<medium::Shared>,
    /// The image of its ROM file system; a camera fills it in from its own flash.
    pub rom: Option<Arc<[u8]>>,
    /// Whether an internal disk that cannot be mounted is formatted, as every camera does it. Off,
    /// which tests of flash want, it stays as it is and is not there for scripts.
    pub formats: bool,
    /// Frames a second, whatever the size.
    pub frame_rate: Option<f64>,
    /// What executes scripts; none for [`Plain`], which executes nothing but its own comments.
    pub engine: Option<MakeEngine>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let engine = self.engine.as_ref().map(|_| "given");
        f.debug_struct("Setup")
            .field("scene", &self.scene)
            .field("card", &self.card)
            .field("rom", &self.rom.as_ref().map(|image| image.len()))
            .field("formats", &self.formats)
            .field("frame_rate", &self.frame_rate)
            .field("engine", &engine)
            .finish()
    }
}

/// What is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Boot,
    Main,
    Uploaded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The interpreter comes up at this moment; whether it is the first time since a reset.
    Starting(Duration, bool),
    Running(What),
    Prompt,
}

/// How a running camera wants to leave the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// `machine.reset()`.
    Reset,
    /// `machine.bootloader()`.
    Bootloader,
    /// `machine.deepsleep()`, for this long.
    Sleep(Option<Duration>),
}

/// A camera's interpreter and everything around it.
pub struct Running {
    works: Shared,
    engine: Box<dyn Engine>,
    flash: Option<(medium::Shared, u64)>,
    phase: Phase,
    first: bool,
    /// When the engine wants to go on.
    due: Duration,
    tell_text: Duration,
    leaving: Option<Leaving>,
}

impl Running {
    /// A camera whose firmware takes over now. Its disks are mounted at once: USB shows them.
    pub fn new(facts: Facts, setup: Setup, flash: Option<(medium::Shared, u64)>) -> Self {
        let usable = usable(&flash, &setup);
        let mut disks = Disks::boot(usable, setup.card.clone(), facts.rules());
        mount_rom(&mut disks, &facts, &setup);
        let make = setup.engine.clone();
        let works = Shared::new(Works::new(facts, setup, disks));
        let engine = match make {
            Some(make) => make(works.clone()),
            None => Box::new(Plain::new(works.clone())),
        };
        Self {
            works,
            engine,
            flash,
            phase: Phase::Starting(Duration::ZERO, true),
            first: true,
            due: Duration::MAX,
            tell_text: Duration::MAX,
            leaving: None,
        }
    }

    /// The insides, for protocols and tests.
    pub fn works(&self) -> &Shared {
        &self.works
    }

    /// What executes scripts.
    pub fn engine(&self) -> String {
        self.engine.describe()
    }

    /// How it wants to leave the bus, if it does.
    pub fn leaving(&self) -> Option<Leaving> {
        self.leaving
    }

    /// Whether protocol v2 is spoken: its end of a script differs.
    fn speaks_v2(&self) -> bool {
        self.works.inside().facts.since(5, 0, 0)
    }

    /// When something will happen by itself.
    pub fn next(&self) -> Duration {
        let own = match self.phase {
            Phase::Starting(at, _) => at,
            Phase::Running(_) => self.due,
            Phase::Prompt => Duration::MAX,
        };
        own.min(self.tell_text)
    }

    /// Lives up to now.
    pub fn step(&mut self, now: Duration) {
        self.works.inside().now = now;
        while self.leaving.is_none() {
            let wish = self.works.inside().wish.take();
            let moved = match wish {
                Some(wish) => self.obey(now, wish),
                None => self.go_on(now),
            };
            if !moved {
                break;
            }
        }
        self.watch_text(now);
    }

    fn watch_text(&mut self, now: Duration) {
        let mut works = self.works.inside();
        if works.text.len() == 0 {
            self.tell_text = Duration::MAX;
        } else if self.tell_text == Duration::MAX {
            self.tell_text = now + TELL_TEXT;
        } else if self.tell_text <= now {
            works.happened.push_back(Happened::Text);
            self.tell_text = now + TELL_TEXT;
        }
    }

    /// One thing that is due; false when nothing is.
    fn go_on(&mut self, now: Duration) -> bool {
        // A script that sleeps wakes up for what a host asks of its channels.
        if self.works.inside().requests.are_waiting() {
            self.due = self.due.min(now);
        }
        match self.phase {
            Phase::Starting(at, first) if at <= now => {
                if !first {
                    let mut works = self.works.inside();
                    let card = works.setup.card.clone();
                    let rules = works.facts.rules();
                    let flash = usable(&self.flash, &works.setup);
                    let mut disks = Disks::boot(flash, card, rules);
                    mount_rom(&mut disks, &works.facts, &works.setup);
                    works.disks = disks;
                }
                self.first = first;
                self.execute_file(now, What::Boot);
            }
            Phase::Running(what) if self.due <= now => match self.engine.run(now) {
                Ran::Until(at) => {
                    self.due = at;
                    // A host that waits for an answer is not to wait for a loop.
                    return at <= now;
                }
                Ran::Ended(outcome) => self.ended(now, what, outcome),
            },
            _ => return false,
        }
        true
    }

    fn obey(&mut self, now: Duration, wish: Wish) -> bool {
        let running = match self.phase {
            Phase::Running(what) => Some(what),
            _ => None,
        };
        match (wish, running) {
            (Wish::Stop, None) => {}
            (Wish::Stop, Some(_)) => self.interrupt(now),
            // The buffer is emptied when the script that runs returns: the new one is lost.
            (Wish::Run, Some(What::Uploaded)) => {
                self.works.inside().script.clear();
                self.interrupt(now);
            }
            (Wish::Run, Some(_)) => {
                // The engine forgets what it ran; the host hears that it ended.
                self.tell(Happened::Script(false));
                self.execute_uploaded(now);
            }
            (Wish::Run, None) => self.execute_uploaded(now),
        }
        true
    }

    fn interrupt(&mut self, now: Duration) {
        self.engine.interrupt();
        self.due = now;
    }

    fn execute_uploaded(&mut self, now: Duration) {
        let mut works = self.works.inside();
        let source = match keeps_script(&works.facts) {
            true => works.script.clone(),
            false => std::mem::take(&mut works.script),
        };
        drop(works);
        self.execute(now, What::Uploaded, UPLOADED, source);
    }

    fn execute_file(&mut self, now: Duration, what: What) {
        let name = match what {
            What::Boot => "boot.py",
            What::Main | What::Uploaded => "main.py",
        };
        let source = self.works.inside().disks.read(name);
        match source {
            Ok(source) => self.execute(now, what, name, source),
            Err(_) if what == What::Boot && self.first => self.execute_file(now, What::Main),
            // Without any disk the camera does as if its first program ran.
            Err(_) if what == What::Main && self.works.inside().disks.path().is_empty() => {
                self.execute(now, what, name, Vec::new());
            }
            Err(_) => self.prompt(),
        }
    }

    fn execute(&mut self, now: Duration, what: What, name: &str, source: Vec<u8>) {
        let name = name.to_owned();
        self.engine.start(now, Script { name, source });
        self.phase = Phase::Running(what);
        self.due = now;
        self.works.inside().running = true;
        self.tell(Happened::Script(true));
    }

    fn prompt(&mut self) {
        let mut works = self.works.inside();
        let banner = works.facts.banner();
        works.text.push(banner.as_bytes());
        self.phase = Phase::Prompt;
    }

    fn tell(&mut self, happened: Happened) {
        self.works.inside().happened.push_back(happened);
    }

    fn ended(&mut self, now: Duration, what: What, outcome: Outcome) {
        self.works.inside().running = false;
        self.tell(Happened::Script(false));
        self.leaving = match outcome {
            Outcome::Reset => Some(Leaving::Reset),
            Outcome::Bootloader => Some(Leaving::Bootloader),
            Outcome::Sleep(time) => Some(Leaving::Sleep(time)),
            Outcome::Done | Outcome::Raised(_) => None,
        };
        if self.leaving.is_some() {
            return;
        }
        match what {
            What::Boot if self.first && outcome == Outcome::Done => {
                self.execute_file(now, What::Main);
            }
            What::Boot => self.prompt(),
            // On v2 a main.py that ends leads to the prompt.
            What::Main if self.speaks_v2() => self.prompt(),
            What::Main | What::Uploaded => self.soft_reboot(now),
        }
    }

    fn soft_reboot(&mut self, now: Duration) {
        let mut works = self.works.inside();
        works.happened.push_back(Happened::SoftReboot);
        works.text.push(b"MPY: soft reboot\r\n");
        if !keeps_script(&works.facts) {
            works.script.clear();
        }
        works.keys.clear();
        works.channels.clear();
        works.models = Models::default();
        works.requests = requests::Requests::default();
        let facts = works.facts.clone();
        works.preview.soft_reboot(&facts);
        drop(works);
        self.phase = Phase::Starting(now + REBOOT, false);
    }
}

/// Firmware 4.8 keeps the text of a script until it is asked what runs; whatever is sent before that
/// is appended.
fn keeps_script(facts: &Facts) -> bool {
    facts.since(4, 8, 0) && !facts.since(5, 0, 0)
}

/// Firmware before 4.7.0 has no ROM file system.
fn mount_rom(disks: &mut Disks, facts: &Facts, setup: &Setup) {
    if let Some(image) = setup.rom.clone().filter(|_| facts.since(4, 7, 0)) {
        disks.mount_rom(image);
    }
}

/// The internal disk, if it can be mounted or may be formatted.
fn usable(flash: &Option<(medium::Shared, u64)>, setup: &Setup) -> Option<(medium::Shared, u64)> {
    let usable = |(medium, _): &&(medium::Shared, u64)| setup.formats || is_mountable(medium);
    flash.as_ref().filter(usable).cloned()
}
