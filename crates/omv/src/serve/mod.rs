//! A running camera in a browser, and for other programs: HTTP on this machine.
//!
//! ```text
//!   camera   threads that hold the session and fill ...
//!   hub      ... the latest picture and the last events, from which each viewer takes
//!   door     who may come in          routes   what there is
//!   stream   MJPEG, events            socket   WebSocket        patient  viewers who fell asleep
//!   capture  pictures for training
//! ```
//!
//! HTTP is `hyper`'s and the WebSocket `tungstenite`'s. This is the one place of the project with
//! an asynchronous runtime, on one thread: a connection costs a few KiB and no thread, and a
//! viewer that does not read keeps nobody waiting.

mod camera;
mod capture;
mod door;
mod hub;
mod patient;
mod routes;
mod socket;
mod stream;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use omv_camera::Stop;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use camera::ended_fields;

use crate::bench::Bench;
use crate::fail::Fail;
use camera::Camera;
use door::Door;
use hub::Hub;
use patient::Patient;
use routes::{Guest, House};

/// Most connections at a time.
const ROOM: usize = 64;
/// How long somebody may take to say what they want.
const HEAD: Duration = Duration::from_secs(10);
/// Most bytes of a request's head; and of an answer that wait in memory for a slow viewer.
const BUFFER: usize = 32 * 1024;
/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How to serve.
pub struct Options<'a> {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The token; without one, of chance.
    pub token: Option<&'a str>,
    /// Names besides addresses under which this machine is reached.
    pub names: &'a [String],
    /// Where films are written to.
    pub folder: &'a Path,
    /// Where pictures for training are kept; none: they are not.
    pub capture: Option<&'a Path>,
}

/// Serves until it is stopped. `ready` is told the address, and what came of it decides.
///
/// # Errors
/// When it cannot listen there; for a token that is none.
pub fn serve(
    bench: Bench,
    options: &Options<'_>,
    ready: impl FnOnce(SocketAddr, &str) -> Result<(), Fail>,
) -> Result<(), Fail> {
    let usage = |what: String| Fail::Usage {
        what,
        help: "See `omv serve --help`.".into(),
    };
    let door = Door::new(options.token, options.names).map_err(usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| listening(options.listen, error))?;
    let stop = bench.stop.clone();
    let bound = runtime.block_on(TcpListener::bind(options.listen));
    let listener = bound.map_err(|error| listening(options.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| listening(options.listen, error))?;
    let hub = Arc::new(Hub::default());
    let (camera, reader) = Camera::start(bench, hub, options.folder, options.capture);
    let told = ready(address, door.token());
    let house = Arc::new(House { door, camera });
    if told.is_ok() {
        runtime.block_on(accept(&listener, &house, &stop));
    }
    stop.ask();
    runtime.shutdown_timeout(Duration::from_secs(1));
    let kept = reader.join().map(|bench| bench.keep());
    told?;
    kept.unwrap_or(Ok(()))
}

fn listening(address: SocketAddr, error: std::io::Error) -> Fail {
    Fail::Usage {
        what: format!("cannot listen on {address}: {error}"),
        help: "Another program may have that port; --port 0 takes a free one.".into(),
    }
}

async fn accept(listener: &TcpListener, house: &Arc<House>, stop: &Stop) {
    let room = Arc::new(Semaphore::new(ROOM));
    loop {
        let Ok(accepted) = tokio::time::timeout(LOOK, listener.accept()).await else {
            if stop.asked() {
                return;
            }
            continue;
        };
        // Out of files, or gone again: the next one may have more luck.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        // Nobody waits here for a place: a full house closes the door.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        let guest = Guest {
            local,
            _place: Arc::new(place),
        };
        // Small answers leave at once.
        let _ = stream.set_nodelay(true);
        let house = Arc::clone(house);
        tokio::spawn(async move {
            let service =
                service_fn(|request| routes::answer(Arc::clone(&house), request, guest.clone()));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(Patient::new(stream)), service)
                .with_upgrades();
            // A connection that breaks is no news.
            let _ = connection.await;
        });
    }
}
