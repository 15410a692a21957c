//! The camera behind the page: opened when it is there, opened again when it comes back, and
//! asked now and then how it is.
//!
//! ```text
//!   reader   opens the camera, waits for what it tells, fills the hub     one thread
//!   gauge    asks for memory and counters, looks which cameras there are   one thread
//!   film     writes what it sees to a file                                 while one records
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use omv_camera::session::{Appetite, Ended, Frames, Notice, Options, Preview, Session};
use omv_camera::{Error, Stop, find, select};
use omv_link::Bus;
use serde_json::{Value, json};

use super::capture::Capture;
use super::hub::Hub;
use crate::bench::{Bench, Pace};
use crate::fail::Fail;
use crate::output::clean;
use crate::record::{Film, Recorded};
use crate::shot::Shot;
use crate::text::Cleaner;

/// How long the reader waits before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait before a camera that is not there is looked for again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often numbers are told.
const EVERY: Duration = Duration::from_secs(1);
/// Bytes of pictures that may wait for the disk.
const WAITING: usize = 64 << 20;

/// The camera, for whoever serves it.
pub struct Camera {
    /// Where everything goes that it tells.
    pub hub: Arc<Hub>,
    session: Mutex<Option<Session>>,
    about: Mutex<Value>,
    film: Mutex<Option<Recording>>,
    folder: PathBuf,
    capture: Option<Capture>,
    buses: Vec<Arc<dyn Bus>>,
    stop: Stop,
    /// The place of the camera that was chosen on the page.
    wanted: Mutex<Option<String>>,
    /// Another one was chosen.
    turned: AtomicBool,
}

/// A film that is being written.
struct Recording {
    path: PathBuf,
    stop: Stop,
    writer: JoinHandle<Result<Recorded, Fail>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Camera {
    /// Starts the threads. The reader gives the bench back when it was stopped.
    pub fn start(
        bench: Bench,
        hub: Arc<Hub>,
        folder: &Path,
        capture: Option<&Path>,
    ) -> (Arc<Self>, JoinHandle<Bench>) {
        let camera = Arc::new(Self {
            hub,
            session: Mutex::default(),
            about: Mutex::new(json!({ "state": "missing" })),
            film: Mutex::default(),
            folder: folder.to_owned(),
            capture: capture.map(Capture::new),
            buses: bench.buses.clone(),
            stop: bench.stop.clone(),
            wanted: Mutex::default(),
            turned: AtomicBool::new(false),
        });
        let gauge = Arc::clone(&camera);
        std::thread::spawn(move || gauge.gauge());
        let reader = Arc::clone(&camera);
        let reader = std::thread::spawn(move || {
            reader.read(&bench);
            bench
        });
        (camera, reader)
    }

    /// The open camera.
    ///
    /// # Errors
    /// When none is.
    pub fn session(&self) -> Result<Session, Fail> {
        lock(&self.session)
            .clone()
            .ok_or(Fail::Camera(Error::NoCamera))
    }

    fn read(&self, bench: &Bench) {
        let mut told = String::new();
        while !self.stop.asked() {
            match self.open(bench) {
                Ok(session) => {
                    told.clear();
                    self.follow(&session, &bench.pace());
                    *lock(&self.session) = None;
                    session.close();
                }
                Err(fail) => {
                    let why = fail.message();
                    if why != told {
                        let about = json!({ "state": "missing", "code": fail.code(), "message": clean(&why), "help": fail.help() });
                        *lock(&self.about) = about.clone();
                        self.hub.tell("camera", about);
                        told = why;
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
        drop(self.end_film());
    }

    fn open(&self, bench: &Bench) -> Result<Session, Fail> {
        self.turned.store(false, Ordering::Relaxed);
        let wanted = lock(&self.wanted).clone();
        let looked = bench.running(wanted.as_deref(), false)?;
        let session = Session::open(&looked, Options::default().preview(Preview::Jpeg))?;
        *lock(&self.session) = Some(session.clone());
        Ok(session)
    }

    /// Fills the hub until the camera or the program ends.
    fn follow(&self, session: &Session, pace: &Pace) {
        let watch = session.watch();
        let mut cleaner = Cleaner::new();
        self.say_who(session, "running");
        if session.is_running() {
            self.hub.tell("running", json!({ "running": true }));
        }
        while !self.stop.asked() {
            pace.keep();
            if self.turned.swap(false, Ordering::Relaxed) {
                return;
            }
            let Some(notice) = watch.next(LOOK) else {
                if watch.is_closed() {
                    return;
                }
                continue;
            };
            match notice {
                Notice::Frame(frame) => {
                    let time = frame.time;
                    let shot = Arc::new(Shot::new(frame));
                    // Pixels are encoded here, once, and not where viewers wait.
                    if !self.hub.is_watched() || shot.jpeg().is_some() {
                        self.hub.show(shot, time);
                    }
                }
                Notice::Text(bytes) => {
                    let text = cleaner.push(&bytes);
                    if !text.is_empty() {
                        self.hub.tell("text", json!({ "text": text }));
                    }
                }
                Notice::Started => self.hub.tell("started", Value::Null),
                Notice::Ended(ended) => self.hub.tell("ended", ended_fields(&ended)),
                Notice::Running(running) => self.hub.tell("running", json!({ "running": running })),
                Notice::Connected => self.say_who(session, "running"),
                Notice::Lost => self.say_who(session, "lost"),
                Notice::Rebooted => self.hub.tell("rebooted", Value::Null),
                Notice::FrameTooLarge => self.hub.tell("frame-too-large", Value::Null),
                Notice::Dropped(dropped) if dropped.text_bytes > 0 => {
                    self.hub
                        .tell("dropped", json!({ "text_bytes": dropped.text_bytes }));
                }
                Notice::Closed => return,
                _ => {}
            }
        }
    }

    fn say_who(&self, session: &Session, state: &str) {
        let info = session.info();
        let about = json!({
            "state": state,
            "board": info.board.name,
            "title": info.board.title,
            "serial": info.serial.as_deref().map(clean),
            "place": info.place.to_string(),
            "firmware": info.firmware(),
        });
        *lock(&self.about) = about.clone();
        self.hub.tell("camera", about);
    }

    /// What `/api/state` says.
    pub fn state(&self) -> Value {
        let session = lock(&self.session).clone();
        let latest = self.hub.latest();
        json!({
            "ok": true,
            "camera": *lock(&self.about),
            "connected": session.as_ref().is_some_and(Session::is_connected),
            "script_runs": session.as_ref().is_some_and(Session::is_running),
            "recording": lock(&self.film).as_ref().map(|film| film.path.display().to_string()),
            "capture": self.capture.as_ref().map(Capture::about),
            "picture": latest.map(|picture| json!({
                "sequence": picture.sequence,
                "width": picture.shot.width,
                "height": picture.shot.height,
            })),
            "viewers": self.hub.viewers.load(Ordering::Relaxed),
            "skipped": self.hub.skipped.load(Ordering::Relaxed),
        })
    }

    /// Turns to another camera, by its place. What runs on the one before goes on.
    ///
    /// # Errors
    /// When there is none.
    pub fn turn_to(&self, place: &str) -> Result<(), Fail> {
        select(find(&self.buses)?, Some(place))?;
        self.end_film()?;
        *lock(&self.wanted) = Some(place.to_owned());
        self.turned.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// What hangs on this machine's buses. Opens nothing.
    pub fn cameras(&self) -> Value {
        let mine = lock(&self.about).get("place").cloned();
        let found = find(&self.buses).unwrap_or_default();
        let one = |one: &omv_camera::Found| {
            let place = one.seen.place.to_string();
            json!({
                "label": clean(&one.label()),
                "board": one.board().map(|board| board.title.as_str()),
                "state": one.state(),
                "family": one.state().family(),
                "used": mine.as_ref().is_some_and(|mine| *mine == place.as_str()),
                "place": place,
                "simulated": one.seen.simulated,
            })
        };
        found.iter().map(one).collect()
    }

    /// Asks the camera how it is while anybody wants to know.
    fn gauge(&self) {
        let (mut shown, mut bytes, mut before) = (0, 0, Instant::now());
        let mut cameras = Value::Null;
        while !self.stop.asked() {
            std::thread::sleep(EVERY);
            let now = self.cameras();
            if now != cameras {
                self.hub.tell("cameras", json!({ "cameras": now }));
                cameras = now;
            }
            let Ok(session) = self.session() else {
                continue;
            };
            if !session.is_connected() {
                continue;
            }
            let Ok(statistics) = session.statistics() else {
                continue;
            };
            let seconds = before.elapsed().as_secs_f64();
            let host = statistics.host;
            let pools: Option<Vec<_>> = session.memory().ok().map(|pools| {
                let pool = |pool: &omv_wire::v2::records::Memory| {
                    json!({ "total": pool.total, "used": pool.used, "free": pool.free })
                };
                pools.iter().map(pool).collect()
            });
            self.hub.tell(
                "numbers",
                json!({
                    "fps": host.frames.saturating_sub(shown) as f64 / seconds,
                    "bytes_per_second": host.frame_bytes.saturating_sub(bytes) as f64 / seconds,
                    "corrupt": host.corrupt_frames,
                    "reboots": host.reboots,
                    "memory": pools,
                    "viewers": self.hub.viewers.load(Ordering::Relaxed),
                    "skipped": self.hub.skipped.load(Ordering::Relaxed),
                }),
            );
            (shown, bytes, before) = (host.frames, host.frame_bytes, Instant::now());
        }
    }

    /// Starts a script.
    ///
    /// # Errors
    /// Those of talking to the camera.
    pub fn run(&self, script: &[u8]) -> Result<(), Fail> {
        self.session()?.run(script)?;
        if let Some(capture) = &self.capture {
            capture.runs(script);
        }
        Ok(())
    }

    /// Keeps the next picture for training, under a label, and tells everyone.
    ///
    /// # Errors
    /// Without a folder for it; those of [`Capture::keep`].
    pub fn capture(&self, label: &str) -> Result<Value, Fail> {
        let capture = self.capture.as_ref().ok_or_else(|| Fail::Usage {
            what: "there is no folder for pictures".into(),
            help: "Start it with a folder: omv serve --capture FOLDER".into(),
        })?;
        let done = capture.keep(&self.session()?, label)?;
        self.hub.tell("captured", done.clone());
        Ok(done)
    }

    /// Begins a film in the folder; its name says when.
    ///
    /// # Errors
    /// When one is being recorded, or the place cannot be written to.
    pub fn begin_film(&self, name: &str) -> Result<PathBuf, Fail> {
        let session = self.session()?;
        let mut slot = lock(&self.film);
        if slot.is_some() {
            return Err(Fail::Usage {
                what: "a film is being recorded already".into(),
                help: "Stop it first.".into(),
            });
        }
        let path = self.folder.join(name);
        let mut film = Film::create(&path)?;
        let stop = Stop::default();
        let asked = stop.clone();
        let watch = session.watch_with(Appetite {
            frames: Frames::All { bytes: WAITING },
            text: 0,
        });
        let writer = std::thread::spawn(move || {
            while !asked.asked() && !watch.is_closed() {
                if let Some(Notice::Frame(frame)) = watch.next(LOOK) {
                    let at = frame.at;
                    film.add(&Shot::new(frame), at)?;
                }
            }
            film.finish()
        });
        *slot = Some(Recording {
            path: path.clone(),
            stop,
            writer,
        });
        self.hub.tell(
            "recording",
            json!({ "recording": path.display().to_string() }),
        );
        Ok(path)
    }

    /// Ends the film, if there is one.
    ///
    /// # Errors
    /// Those of writing it.
    pub fn end_film(&self) -> Result<Option<Recorded>, Fail> {
        let Some(film) = lock(&self.film).take() else {
            return Ok(None);
        };
        film.stop.ask();
        let done = film.writer.join().unwrap_or_else(|_| {
            Err(Fail::file(
                &film.path,
                "writing",
                std::io::ErrorKind::Other.into(),
            ))
        });
        self.hub.tell("recording", json!({ "recording": null }));
        done.map(Some)
    }
}

/// How a script ended, as fields of an event.
pub fn ended_fields(ended: &Ended) -> Value {
    let how = match ended {
        Ended::Finished => "finished",
        Ended::Raised(_) => "raised",
        Ended::Stopped => "stopped",
        _ => "lost",
    };
    let raised = ended.raised().map(|traceback| {
        let line = traceback.places.iter().rev().find(|place| place.file == "<stdin>");
        json!({ "kind": traceback.kind, "message": traceback.message, "line": line.map(|place| place.line), "traceback": traceback.text })
    });
    json!({ "how": how, "raised": raised })
}
