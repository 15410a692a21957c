//! One client: a reader thread, which is the connection, and a writer thread for its answers.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use omv_wire::usbip::{BusId, Camera, Request};

use super::world::{Lost, Outbox, World};

/// How long a client may take to say what it wants.
const OPERATION_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to notice that the camera left, before it is cut off.
const GOODBYE_LIMIT: Duration = Duration::from_millis(500);
/// Most bytes of answers put into one write.
const BATCH: usize = 0x1_0000;

/// Serves a connection to its end.
pub(super) fn serve(world: &World, connection: u64, mut stream: TcpStream) {
    // Whatever fails here, the connection is over and nobody is left to be told.
    let _ = converse(world, connection, &mut stream);
    world.leave(connection);
    let _ = stream.shutdown(Shutdown::Both);
}

fn converse(world: &World, connection: u64, stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_LIMIT))?;
    let mut camera = Camera::new();
    let until = Instant::now() + OPERATION_LIMIT;
    let mut buffer = vec![0; 0x1_0000];
    loop {
        match camera.next_request().map_err(broken)? {
            Some(Request::DevList) => {
                return stream.write_all(&camera.list(&world.devices()));
            }
            Some(Request::Import(busid)) => {
                return import(world, connection, stream, &mut camera, &busid);
            }
            _ => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match read(stream, &mut buffer)? {
            0 => return Ok(()),
            count => camera.feed(&buffer[..count]),
        }
    }
}

fn import(
    world: &World,
    connection: u64,
    stream: &mut TcpStream,
    camera: &mut Camera,
    busid: &BusId,
) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    let (answers, written) = mpsc::channel();
    let unread = Arc::new(AtomicUsize::new(0));
    // Dropped when this thread ends, so that the writer need not wait any longer.
    let (_reading, ended) = mpsc::channel::<()>();
    let (theirs, count) = (stream.try_clone()?, Arc::clone(&unread));
    thread::Builder::new()
        .name("sim writer".into())
        .spawn(move || write(theirs, &written, &count, &ended))?;
    let outbox = Outbox { answers, unread };
    let mut buffer = vec![0; 0x1_0000];
    if let Err(Lost) = world.import(busid, connection, (&mut *camera, outbox)) {
        return read_out(stream, &mut buffer);
    }
    loop {
        while let Some(request) = camera.next_request().map_err(broken)? {
            let served = match request {
                Request::Submit(submit) => world.submit(connection, submit),
                Request::Unlink { seqnum, target } => world.unlink(connection, seqnum, target),
                Request::Isochronous { seqnum } => {
                    world.answer(connection, Camera::refuse_isochronous(seqnum))
                }
                Request::DevList | Request::Import(_) => Err(Lost),
            };
            if let Err(Lost) = served {
                world.leave(connection);
                return read_out(stream, &mut buffer);
            }
        }
        match read(stream, &mut buffer)? {
            0 => return Ok(()),
            count => camera.feed(&buffer[..count]),
        }
    }
}

/// Reads on until the client has noticed that it is over: closing with something unread would
/// tear the last answers out of its hands. The writer sees to it that this ends.
fn read_out(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    while read(stream, buffer)? > 0 {}
    Ok(())
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn broken(malformed: omv_wire::Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

/// The writer thread: until the outbox is closed and empty.
fn write(
    mut stream: TcpStream,
    answers: &Receiver<Vec<u8>>,
    unread: &AtomicUsize,
    ended: &Receiver<()>,
) {
    let mut healthy = true;
    while let (true, Ok(mut bytes)) = (healthy, answers.recv()) {
        while bytes.len() < BATCH {
            let Ok(more) = answers.try_recv() else { break };
            bytes.extend(more);
        }
        healthy = stream.write_all(&bytes).is_ok();
        unread.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
    if healthy {
        let _ = stream.shutdown(Shutdown::Write);
        let _ = ended.recv_timeout(GOODBYE_LIMIT);
    }
    let _ = stream.shutdown(Shutdown::Both);
}
