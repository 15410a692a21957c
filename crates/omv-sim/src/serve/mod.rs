//! Virtual cameras for other programs: a USB/IP server in real time.
//!
//! ```text
//!   omv, the Linux kernel, anything --TCP, USB/IP--+
//!                                                  v
//!   omv sim NAME unplug --control--> World: Port with a camera, clock thread --> state file
//! ```
//!
//! A [`Server`] has one camera in one socket, bus id `1-1`. It is found by its entry in the
//! [`runtime_folder`] ([`find_servers`]) and handled through its control socket ([`control`]).
//! When the camera leaves the bus, as at every reset, the client's connection is closed; what
//! comes back has another device number.
//!
//! Deliberately absent: printing, and any service for other machines. Who binds an address other
//! than loopback shows the camera to everybody who can reach it.

mod connection;
mod control;
mod folder;
#[cfg(unix)]
pub mod uart;
mod world;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use omv_link::LinkError;
use serde_json::Value;

use crate::Port;
use crate::state::{Keeper, Kept, StateError};
use folder::Entry;
use world::World;

pub use control::{ControlError, Request, UnknownRequest, control};
pub use folder::{Running, find_servers, runtime_folder};

/// Most connections at a time; more are closed at once.
const CONNECTIONS: usize = 64;

/// How to serve a camera.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name among the running ones: up to 32 letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Where to listen; port 0 takes any.
    pub address: String,
    /// How many of the camera's seconds pass in one of ours.
    pub speed: f64,
    /// Where to keep the camera; `None` keeps it in its entry, which goes with the server.
    pub state_file: Option<PathBuf>,
    /// The [`runtime_folder`], or another private one.
    pub folder: PathBuf,
}

impl Options {
    /// A server of this name on any loopback port, in real time.
    pub fn new(name: &str, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            address: "127.0.0.1:0".to_owned(),
            speed: 1.0,
            state_file: None,
            folder: folder.to_owned(),
        }
    }
}

/// Why a camera is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The name cannot be one.
    #[error(
        "{0:?} cannot be the name of a virtual camera: use up to 32 letters, digits, `.`, `-` and `_`"
    )]
    BadName(String),
    /// A server of this name runs.
    #[error("a virtual camera named {name:?} is running already{}", holder.as_ref().map(|h| format!(": {h}")).unwrap_or_default())]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it, as far as that could be found out.
        holder: Option<String>,
    },
    /// The factor is not a positive number.
    #[error("time cannot run {0} times as fast")]
    BadSpeed(f64),
    /// The folder of the servers cannot be used.
    #[error("the folder of the running cameras cannot be used: {0}")]
    Folder(#[source] LinkError),
    /// The camera cannot be kept in its file.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operating system said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a participle.
        doing: String,
        /// The system's own words.
        source: io::Error,
    },
}

/// A camera being served, until dropped. Then its power goes, it is saved a last time, and its
/// entry is removed.
pub struct Server {
    world: Arc<World>,
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    keeper: Option<JoinHandle<Result<(), StateError>>>,
    #[cfg(unix)]
    control: Option<control::Listener>,
    entry: Entry,
}

impl Server {
    /// Starts serving.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn start(camera: impl Kept + 'static, options: Options) -> Result<Self, ServeError> {
        if !(options.speed.is_finite() && options.speed > 0.0) {
            return Err(ServeError::BadSpeed(options.speed));
        }
        let entry = Entry::make(&options.folder, &options.name)?;
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |source| ServeError::Io { doing, source }
        };
        let listening = failed(&format!("listening on {}", options.address));
        let listener = TcpListener::bind(&options.address).map_err(listening)?;
        let address = listener.local_addr().map_err(failed("listening"))?;
        let state = options.state_file;
        let state = state.unwrap_or_else(|| entry.path().join(folder::STATE));
        let keeper = Keeper::keep(&state, camera.store(), camera.status().jumper)?;
        let board = camera.board();
        let port = Port::new(Box::new(camera));
        let world = Arc::new(World::new(&options.name, port, options.speed));
        let mut server = Self {
            #[cfg(unix)]
            control: None,
            world: Arc::clone(&world),
            address: reachable(address),
            threads: Vec::new(),
            keeper: None,
            entry,
        };
        // From here on dropping the server stops whatever was started.
        server
            .start_threads(listener, keeper)
            .map_err(failed("starting a thread"))?;
        #[cfg(unix)]
        {
            let path = server.entry.path().join(folder::CONTROL);
            let listener = control::Listener::open(&path, world);
            server.control = Some(listener.map_err(failed("opening the control socket"))?);
        }
        server.entry.announce(server.address, board)?;
        Ok(server)
    }

    fn start_threads(&mut self, listener: TcpListener, keeper: Keeper) -> io::Result<()> {
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.into()).spawn(work)
        };
        let world = Arc::clone(&self.world);
        self.threads
            .push(spawn("sim clock", Box::new(move || world.keep_time()))?);
        let world = Arc::clone(&self.world);
        self.threads.push(spawn(
            "sim accept",
            Box::new(move || accept(&listener, &world)),
        )?);
        let world = Arc::clone(&self.world);
        let saver = thread::Builder::new().name("sim keeper".into());
        self.keeper = Some(saver.spawn(move || save(keeper, &world))?);
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its entry in the runtime folder.
    pub fn entry(&self) -> &Path {
        self.entry.path()
    }

    /// Answers a request as the control socket would.
    pub fn request(&self, request: &Request) -> Value {
        control::answer(&self.world, request)
    }

    /// Stops serving.
    ///
    /// # Errors
    /// [`StateError`] if the camera could not be saved.
    pub fn stop(mut self) -> Result<(), StateError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StateError> {
        self.world.stop();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        #[cfg(unix)]
        drop(self.control.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let keeper = self.keeper.take().map(JoinHandle::join);
        keeper.and_then(Result::ok).unwrap_or(Ok(()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end();
    }
}

fn accept(listener: &TcpListener, world: &Arc<World>) {
    for number in 1.. {
        let accepted = listener.accept();
        if world.is_stopping() {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, perhaps: that must not become a busy loop.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let known = stream
            .try_clone()
            .is_ok_and(|copy| world.enter(number, copy, CONNECTIONS));
        if known {
            let theirs = Arc::clone(world);
            let work = move || connection::serve(&theirs, number, stream);
            if thread::Builder::new()
                .name("sim client".into())
                .spawn(work)
                .is_err()
            {
                world.leave(number);
            }
        }
    }
}

/// The keeper thread: saves the camera when there is reason to, and a last time at the end.
fn save(mut keeper: Keeper, world: &World) -> Result<(), StateError> {
    loop {
        let (jumper, last) = world.wait_to_save();
        let outcome = keeper.save(jumper);
        if last {
            return outcome;
        }
        world.saved(outcome);
    }
}

/// The address at which a client of this machine finds a server that listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}
