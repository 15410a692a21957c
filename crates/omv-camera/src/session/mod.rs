//! A running camera, held open: scripts, console, pictures, channels.
//!
//! ```text
//!   Session (handles, any thread) --Job--> mailbox --> [ one thread per camera ] --Notice--> Watch
//!                                  <-answer-            owns the link, reconnects             Watch
//! ```
//!
//! ```no_run
//! # use std::time::Duration;
//! # use omv_camera::session::{Limits, Notice, Options, Preview, Session};
//! # fn example(looked: omv_camera::Looked) -> Result<(), omv_camera::Error> {
//! let camera = Session::open(&looked, Options::default())?;
//! let said = camera.execute(b"print('hello')", &Limits::default())?;
//! assert_eq!(said.text, b"hello\r\n");
//!
//! camera.preview(Preview::Jpeg)?;
//! let watch = camera.watch();
//! camera.run(b"import sensor\nsensor.reset()\nwhile True: sensor.snapshot()")?;
//! while let Some(notice) = watch.next(Duration::from_secs(5)) {
//!     match notice {
//!         Notice::Frame(frame) => drop(frame.to_rgb()),
//!         Notice::Ended(_) => break,
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! The rules of the protocols are kept in here: a script that runs is stopped before the next is
//! sent, and its soft reboot waited for; text is drained before a stop; every lock is undone; the
//! stale picture of the script before is not shown; settings are agreed on anew after a soft
//! reboot. Both protocols look the same from outside; what firmware before 5.0.0 cannot do is
//! [`Error::NotInFirmware`].
//!
//! A camera that leaves the bus, is reset or falls silent is waited for at the same place.
//! Nothing is sent to it twice: a script that was lost with it stays lost, and
//! [`Notice::Ended`] says so.
//!
//! **Time** is the link's. On a bus whose clock runs by itself the thread works all the time. On
//! one in virtual time ([`Bus::is_virtual_time`](omv_link::Bus::is_virtual_time)) it only works
//! while somebody waits, in a call or in [`Watch::next`]: a test owns its time.

mod connect;
mod execute;
mod info;
mod mailbox;
mod notice;
mod options;
mod scribe;
mod traceback;
mod v1;
mod v2;
mod watch;
mod worker;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use omv_wire::v2::Leave;
use omv_wire::v2::records::Memory;

pub use execute::{Limits, Output};
pub use info::{ChannelInfo, HostStatistics, Info, Profile, ProfileRecord, Statistics};
pub use notice::{Dropped, Ended, Notice};
pub use options::{Options, Preview, Reliability};
pub use traceback::{CodePlace, Traceback};
pub use watch::{Appetite, Frames, Watch};

use crate::{Error, Frame, Looked};
use mailbox::Job;
use worker::Shared;

/// Largest script taken, in bytes. No camera has the memory to compile a tenth of it.
pub const MAX_SCRIPT: usize = 1 << 20;

/// A camera that is held open. Clones are handles of the same camera, for any thread; the camera
/// is let go when the last one is dropped.
pub struct Session {
    shared: Arc<Shared>,
}

/// What both protocols can do with a camera that is connected. Runs on the session's thread.
trait Talk {
    fn now(&self) -> Duration;
    /// Waits for the camera and takes in what it tells; at most until `until`.
    fn turn(&mut self, until: Duration) -> Result<(), Error>;
    fn run(&mut self, script: &[u8]) -> Result<(), Error>;
    fn stop(&mut self) -> Result<(), Error>;
    fn input(&mut self, bytes: &[u8]) -> Result<(), Error>;
    fn preview(&mut self, preview: Preview) -> Result<(), Error>;
    fn sensor(&mut self, id: u32) -> Result<(), Error>;
    fn channel_read(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, Error>;
    fn channel_write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error>;
    fn channel_ioctl(&mut self, name: &str, request: u32, args: &[u8]) -> Result<(), Error>;
    fn statistics(&mut self) -> Result<omv_wire::v2::records::Stats, Error>;
    fn memory(&mut self) -> Result<Vec<Memory>, Error>;
    fn profile(&mut self) -> Result<Profile, Error>;
    fn profile_mode(&mut self, exclusive: bool) -> Result<(), Error>;
    fn profile_event(&mut self, counter: u32, event: u32) -> Result<(), Error>;
    fn profile_reset(&mut self) -> Result<(), Error>;
    fn leave(&mut self, leave: Leave) -> Result<(), Error>;
    /// Lets go of the camera.
    fn finish(self: Box<Self>) -> scribe::Scribe;
}

impl Session {
    /// Opens the camera and asks who answers. It must run firmware: what is in a bootloader has
    /// no console.
    ///
    /// The preview is off at first, unless the options say otherwise; a script that runs is left
    /// alone.
    ///
    /// # Errors
    /// [`Error::NotRunning`], and those of opening and talking to the camera. A camera that
    /// leaves later is no error: see [`Notice::Lost`].
    pub fn open(looked: &Looked, options: Options) -> Result<Self, Error> {
        let shared = worker::start(looked, options)?;
        Ok(Self { shared })
    }

    /// Who the camera is, as of the last time it connected.
    pub fn info(&self) -> Info {
        self.shared.info().clone()
    }

    /// The camera's clock, as of the last time the session's thread looked at it.
    pub fn now(&self) -> Duration {
        self.shared.hub.now()
    }

    /// Whether the camera is connected right now.
    pub fn is_connected(&self) -> bool {
        self.shared.is_connected()
    }

    /// Whether a script runs, as far as was heard: one of this session or the camera's own.
    pub fn is_running(&self) -> bool {
        self.shared.is_running()
    }

    /// Listens, with the appetite of a viewer: the latest frame, and text up to 1 MiB.
    pub fn watch(&self) -> Watch {
        self.watch_with(Appetite::default())
    }

    /// Listens. What happened before is not told.
    pub fn watch_with(&self, appetite: Appetite) -> Watch {
        self.shared.hub.watch(appetite, &self.shared.mailbox)
    }

    /// Stops what runs and starts a script. Returns when the camera has taken it;
    /// [`Notice::Started`] follows, and [`Notice::Ended`] once.
    ///
    /// # Errors
    /// [`Error::ScriptTooLarge`], [`Error::ScriptNotText`] (nothing was stopped), and
    /// [`Error::WillNotStop`] if what runs does not end within 5 s.
    pub fn run(&self, script: &[u8]) -> Result<(), Error> {
        if script.len() > MAX_SCRIPT {
            return Err(Error::ScriptTooLarge {
                size: script.len(),
                limit: MAX_SCRIPT,
            });
        }
        if let Err(error) = std::str::from_utf8(script) {
            return Err(Error::ScriptNotText {
                at: error.valid_up_to(),
            });
        }
        if script.contains(&0) {
            let at = script.iter().position(|byte| *byte == 0).unwrap_or(0);
            return Err(Error::ScriptNotText { at });
        }
        let script = script.to_vec();
        self.call("starting a script", move |talk| talk.run(&script))
    }

    /// Stops the script that runs, if one does, and waits until the camera is ready again.
    ///
    /// # Errors
    /// [`Error::WillNotStop`] if it does not end within 5 s.
    pub fn stop(&self) -> Result<(), Error> {
        self.call("stopping the script", |talk| talk.stop())
    }

    /// Types for the script that runs.
    ///
    /// # Errors
    /// [`Error::NotInFirmware`]: neither protocol carries keys to a script while it owns the
    /// console; a script takes them through a channel it registers itself
    /// ([`channel_write`](Self::channel_write)). If the script has one named `input`, they go
    /// there.
    pub fn input(&self, bytes: &[u8]) -> Result<(), Error> {
        let bytes = bytes.to_vec();
        self.call("typing", move |talk| talk.input(&bytes))
    }

    /// Says which pictures the camera shall send. Kept over reboots and reconnections.
    ///
    /// # Errors
    /// [`Error::NotInFirmware`] for raw pictures before 5.0.0.
    pub fn preview(&self, preview: Preview) -> Result<(), Error> {
        self.call("setting the preview", move |talk| talk.preview(preview))
    }

    /// Chooses the sensor to show, by the chip's id, on cameras with several.
    ///
    /// # Errors
    /// [`Error::NotInFirmware`] before protocol 1.0.1.
    pub fn sensor(&self, id: u32) -> Result<(), Error> {
        self.call("choosing a sensor", move |talk| talk.sensor(id))
    }

    /// Waits for the next picture.
    ///
    /// # Errors
    /// [`Error::NoFrame`] if none comes within `limit`; the preview has to be on.
    pub fn frame(&self, limit: Duration) -> Result<Arc<Frame>, Error> {
        execute::frame(self, limit)
    }

    /// Runs a script to its end and collects what it prints.
    ///
    /// # Errors
    /// Those of [`run`](Self::run). A script that raises is no error: see [`Output::ended`].
    pub fn execute(&self, script: &[u8], limits: &Limits) -> Result<Output, Error> {
        execute::execute(self, script, limits)
    }

    /// The camera's channels, as it listed them last. None before firmware 5.0.0.
    pub fn channels(&self) -> Vec<ChannelInfo> {
        self.shared.info().channels.clone()
    }

    /// Reads a channel: all it has, up to `limit` bytes. One that must be locked is.
    ///
    /// # Errors
    /// [`Error::NoChannel`], [`Error::RequestRefused`].
    pub fn channel_read(&self, name: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let name = name.to_owned();
        self.call("reading a channel", move |talk| {
            talk.channel_read(&name, limit)
        })
    }

    /// Writes to a channel, in as many requests as it takes.
    ///
    /// # Errors
    /// [`Error::NoChannel`], [`Error::RequestRefused`].
    pub fn channel_write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.call("writing to a channel", move |talk| {
            talk.channel_write(&name, &bytes)
        })
    }

    /// Asks a channel to do something of its own.
    ///
    /// # Errors
    /// [`Error::NoChannel`], [`Error::RequestRefused`].
    pub fn channel_ioctl(&self, name: &str, request: u32, args: &[u8]) -> Result<(), Error> {
        let (name, args) = (name.to_owned(), args.to_vec());
        self.call("asking a channel", move |talk| {
            talk.channel_ioctl(&name, request, &args)
        })
    }

    /// Counters of this session, and of the camera where it counts.
    ///
    /// # Errors
    /// Those of talking to the camera.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let camera = match self.call("asking for statistics", |talk| talk.statistics()) {
            Ok(stats) => Some(stats),
            Err(Error::NotInFirmware { .. }) => None,
            Err(error) => return Err(error),
        };
        let host = *self.shared.statistics();
        Ok(Statistics { camera, host })
    }

    /// The camera's memory pools; the heap of MicroPython is the first.
    ///
    /// # Errors
    /// [`Error::NotInFirmware`] before protocol 1.0.2.
    pub fn memory(&self) -> Result<Vec<Memory>, Error> {
        self.call("asking for memory", |talk| talk.memory())
    }

    /// What the profiler counted since it was reset.
    ///
    /// # Errors
    /// [`Error::NotInFirmware`] if the firmware was built without a profiler.
    pub fn profile(&self) -> Result<Profile, Error> {
        self.call("reading the profile", |talk| talk.profile())
    }

    /// Counts the time inside a function alone, or with all it calls.
    ///
    /// # Errors
    /// As [`profile`](Self::profile).
    pub fn profile_mode(&self, exclusive: bool) -> Result<(), Error> {
        self.call("setting the profiler", move |talk| {
            talk.profile_mode(exclusive)
        })
    }

    /// Chooses what a counter of the processor counts.
    ///
    /// # Errors
    /// As [`profile`](Self::profile).
    pub fn profile_event(&self, counter: u32, event: u32) -> Result<(), Error> {
        self.call("setting the profiler", move |talk| {
            talk.profile_event(counter, event)
        })
    }

    /// Forgets what the profiler counted.
    ///
    /// # Errors
    /// As [`profile`](Self::profile).
    pub fn profile_reset(&self) -> Result<(), Error> {
        self.call("clearing the profile", |talk| talk.profile_reset())
    }

    /// Restarts the camera. The session stays, and connects again when it is back.
    ///
    /// # Errors
    /// Those of talking to the camera.
    pub fn reset(&self) -> Result<(), Error> {
        self.call("asked to reset", |talk| talk.leave(Leave::Reset))
    }

    /// Sends the camera into its bootloader, and ends the session: watch the bus for it.
    ///
    /// # Errors
    /// Those of talking to the camera.
    pub fn bootloader(self) -> Result<(), Error> {
        let told = self.call("asked to reset", |talk| talk.leave(Leave::Bootloader));
        self.close();
        told
    }

    /// Ends the session for all handles, and waits until the camera is let go. A script goes on.
    pub fn close(self) {
        self.shared.close();
    }

    /// Has something done on the session's thread and waits for it. Every job ends.
    fn call<T: Send + 'static>(
        &self,
        doing: &str,
        act: impl FnOnce(&mut dyn Talk) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::Gone {
            doing: doing.to_owned(),
        };
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |talk| {
            let done = act(talk);
            let lost = done.as_ref().is_err_and(worker::is_loss);
            // Who asked may be gone; nothing follows from that.
            drop(answer.send(done));
            lost
        });
        if !self.shared.mailbox.put(job) {
            return Err(gone());
        }
        // A job that is dropped undone takes its sender with it.
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        self.shared.mailbox.add_handle();
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.mailbox.drop_handle();
    }
}
