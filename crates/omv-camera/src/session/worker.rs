//! The thread that owns a camera's link.
//!
//! ```text
//!   connected: jobs, then one turn, and again ---lost---> look at the place every 20 ms,
//!        ^                                                jobs wait for their patience
//!        +------------------- answers --------------------+
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use omv_boards::State;
use omv_wire::identify::Generation;

use super::connect::{Held, at, hold, pause};
use super::info::{ChannelInfo, HostStatistics, Info};
use super::mailbox::Mailbox;
use super::notice::Notice;
use super::scribe::Scribe;
use super::watch::Hub;
use super::{Options, Talk, v1, v2};
use crate::{Error, Found, Looked};

/// Longest time the mailbox is not looked at while nothing happens.
const SLICE: Duration = Duration::from_millis(4);
/// Between two looks at a place where no camera is.
const EVERY: Duration = Duration::from_millis(20);
/// Before a camera that is there and silent is tried again. Outlasts the second after which
/// firmware 4.8 abandons a transfer that was left unfinished.
const AGAIN: Duration = Duration::from_millis(1100);

/// What handles, consumers and the thread share.
pub(super) struct Shared {
    pub(super) hub: Hub,
    pub(super) mailbox: Arc<Mailbox>,
    info: Mutex<Info>,
    statistics: Mutex<HostStatistics>,
    connected: AtomicBool,
    running: AtomicBool,
    closing: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn info(&self) -> MutexGuard<'_, Info> {
        lock(&self.info)
    }

    pub(super) fn statistics(&self) -> MutexGuard<'_, HostStatistics> {
        lock(&self.statistics)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    pub(super) fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::SeqCst);
    }

    /// Asks the thread to end and waits for it.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.mailbox.nudge();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic there has been told where it happened.
            drop(thread.join());
        }
    }

    /// Whether anyone waits for this thread to do something.
    fn is_wanted(&self) -> bool {
        self.mailbox.has_work() || self.hub.is_waited_on()
    }

    fn is_over(&self) -> bool {
        self.closing.load(Ordering::SeqCst) || self.mailbox.is_closed()
    }
}

/// Whether an error means that the camera has to be connected anew.
pub(super) fn is_loss(error: &Error) -> bool {
    matches!(
        error,
        Error::Gone { .. } | Error::Link(_) | Error::Protocol { .. }
    )
}

/// Connects, and starts the thread.
pub(super) fn start(looked: &Looked, options: Options) -> Result<Arc<Shared>, Error> {
    let Some(who) = looked.who.as_ref().filter(|_| looked.state == State::Run) else {
        return Err(Error::NotRunning {
            state: looked.state,
        });
    };
    let held = hold(&looked.found, Some(who.generation), options.reliability)?;
    let info = Info {
        board: looked.board,
        place: looked.found.seen.place.clone(),
        serial: looked.found.seen.serial.clone(),
        who: held.who.clone(),
        sensors: Vec::new(),
        caps: None,
        channels: Vec::new(),
    };
    let shared = Arc::new(Shared {
        hub: Hub::default(),
        mailbox: Arc::new(Mailbox::default()),
        info: Mutex::new(info),
        statistics: Mutex::new(HostStatistics::default()),
        connected: AtomicBool::new(false),
        running: AtomicBool::new(false),
        closing: AtomicBool::new(false),
        thread: Mutex::new(None),
    });
    // The handle of the caller, before the thread looks whether there is any.
    shared.mailbox.add_handle();
    let mut scribe = Scribe::new(Arc::clone(&shared));
    scribe.preview = options.preview;
    let talk = talk(held, scribe, options).map_err(|failed| failed.error)?;
    let mut worker = Worker {
        found: looked.found.clone(),
        shared: Arc::clone(&shared),
        options,
    };
    let name = format!("camera {}", looked.found.seen.place);
    let spawned = std::thread::Builder::new().name(name).spawn(move || {
        let ending = Ending(Arc::clone(&worker.shared));
        worker.run(talk);
        drop(ending);
    });
    let thread = spawned.map_err(|source| {
        let doing = "starting a thread".to_owned();
        Error::Link(omv_link::LinkError::Io { doing, source })
    })?;
    *lock(&shared.thread) = Some(thread);
    Ok(shared)
}

/// A connection that came to nothing. The scribe outlives it.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) scribe: Box<Scribe>,
}

impl Failed {
    pub(super) fn new(error: Error, scribe: Scribe) -> Box<Self> {
        let scribe = Box::new(scribe);
        Box::new(Self { error, scribe })
    }
}

/// The conversation with a camera that answered.
fn talk(held: Held, scribe: Scribe, options: Options) -> Result<Box<dyn Talk + Send>, Box<Failed>> {
    let shared = Arc::clone(&scribe.shared);
    {
        let mut info = shared.info();
        info.who = held.who.clone();
        info.caps = held.connected.as_ref().map(|c| c.session.caps());
        let v2 = held.who.v2.as_ref();
        info.channels = v2.map_or_else(Vec::new, |v2| {
            v2.channels.iter().map(ChannelInfo::from).collect()
        });
        info.sensors = v2.map_or_else(Vec::new, |v2| {
            v2.info
                .sensors
                .iter()
                .copied()
                .filter(|id| *id != 0)
                .collect()
        });
    }
    shared.statistics().connections += 1;
    let talk: Box<dyn Talk + Send> = match held.who.generation {
        Generation::V1 => Box::new(v1::Line::begin(held, scribe, options)?),
        Generation::V2 => Box::new(v2::Line::begin(held, scribe, options)?),
    };
    shared.connected.store(true, Ordering::SeqCst);
    shared.hub.tick(talk.now());
    shared.hub.tell(&Notice::Connected);
    Ok(talk)
}

/// Whatever ends the thread, nobody waits for it afterwards.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.connected.store(false, Ordering::SeqCst);
        drop(self.0.mailbox.end());
        self.0.hub.close();
    }
}

struct Worker {
    found: Found,
    shared: Arc<Shared>,
    options: Options,
}

impl Worker {
    fn run(&mut self, mut talk: Box<dyn Talk + Send>) {
        loop {
            self.serve(&mut *talk);
            self.shared.connected.store(false, Ordering::SeqCst);
            let mut scribe = talk.finish();
            scribe.lost();
            if self.shared.is_over() {
                return;
            }
            scribe.tell(&Notice::Lost);
            match self.reconnect(scribe) {
                Some(again) => talk = again,
                None => return,
            }
        }
    }

    /// Works until the camera is lost or nobody wants the session any more.
    fn serve(&self, talk: &mut dyn Talk) {
        let is_virtual = self.found.bus.is_virtual_time();
        while !self.shared.is_over() {
            while let Some(job) = self.shared.mailbox.take() {
                if job(talk) {
                    return;
                }
            }
            self.shared.hub.tick(talk.now());
            if is_virtual && !self.shared.is_wanted() {
                self.shared.mailbox.rest();
                continue;
            }
            if talk.turn(talk.now() + SLICE).is_err() {
                return;
            }
        }
    }

    /// Waits for the camera at its place. Jobs that wait too long are dropped, which tells who
    /// asked.
    fn reconnect(&mut self, mut scribe: Scribe) -> Option<Box<dyn Talk + Send>> {
        let bus = Arc::clone(&self.found.bus);
        let lost = bus.now();
        loop {
            if self.shared.is_over() {
                return None;
            }
            if bus.is_virtual_time() && !self.shared.is_wanted() {
                self.shared.mailbox.rest();
                continue;
            }
            let now = bus.now();
            self.shared.hub.tick(now);
            if now.saturating_sub(lost) >= self.options.patience {
                while self.shared.mailbox.take().is_some() {}
            }
            let Some(found) = at(&bus, &self.found.seen.place) else {
                pause(&bus, EVERY);
                continue;
            };
            // What came back may be another firmware: it is asked as a stranger.
            let same = found.seen.visit == self.found.seen.visit;
            let generation = self.shared.info().generation();
            let known = same.then_some(generation);
            if same {
                pause(&bus, AGAIN);
            }
            let held = hold(&found, known, self.options.reliability);
            self.found = found;
            let failed = match held {
                Ok(held) => match talk(held, scribe, self.options) {
                    Ok(talk) => return Some(talk),
                    Err(failed) => {
                        scribe = *failed.scribe;
                        true
                    }
                },
                Err(_) => true,
            };
            if failed {
                pause(&bus, EVERY);
            }
        }
    }
}
