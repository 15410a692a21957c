//! One imported device: transfers over its connection, from as many threads as there are links.
//!
//! ```text
//!   link --submit--> writer lock --> Host --> TCP
//!   link <---reap--- mailbox of completions <-- Host <-- reader thread <-- TCP
//! ```
//!
//! The writer's lock is taken before the state's and kept while writing; the reader takes only
//! the state's. So requests leave in the order they were made, and a server that does not read
//! cannot keep us from reading.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use omv_wire::usb::{Completion, Urb};
use omv_wire::usbip::{Event, Host, Unsendable};

use crate::LinkError;
use crate::hold::Hold;
use crate::urb::{Carrier, Ticket};

/// How long a server may refuse to read one request.
const WRITE_LIMIT: Duration = Duration::from_secs(2);
/// Longest single wait; longer ones are made of several.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Why nothing moves any more.
#[derive(Clone, Debug)]
enum End {
    Gone,
    Stuck,
    Broken(String),
}

#[derive(Debug)]
struct State {
    host: Host,
    /// Transfers somebody still waits for, by their numbers on the wire.
    flying: BTreeMap<u32, Ticket>,
    done: BTreeMap<Ticket, Completion>,
    last: Ticket,
    /// A wait ends here at the latest.
    patience: Option<Duration>,
    end: Option<End>,
    /// Let go with the connection: what has left the bus is nobody's.
    hold: Option<Hold>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    peer: String,
}

/// A device that answers over TCP. The connection ends, and the lock with it, when the server
/// closes it or when the device and all its links are dropped.
#[derive(Debug)]
pub(super) struct Import {
    shared: Arc<Shared>,
    writer: Mutex<TcpStream>,
    reader: Option<JoinHandle<()>>,
    start: Instant,
}

impl Import {
    /// Takes over a connection on which the import was granted. `start` is when the clock of
    /// the bus was zero.
    pub(super) fn new(
        stream: TcpStream,
        host: Host,
        peer: String,
        start: Instant,
        hold: Hold,
    ) -> io::Result<Self> {
        stream.set_read_timeout(None)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                host,
                flying: BTreeMap::new(),
                done: BTreeMap::new(),
                last: 0,
                patience: None,
                end: None,
                hold: Some(hold),
            }),
            arrived: Condvar::new(),
            peer,
        });
        let (inward, theirs) = (stream.try_clone()?, Arc::clone(&shared));
        let reader = thread::Builder::new()
            .name("usbip reader".into())
            .spawn(move || theirs.read_on(inward))?;
        Ok(Self {
            shared,
            writer: Mutex::new(stream),
            reader: Some(reader),
            start,
        })
    }

    /// Ends every wait at this time of the bus, whatever its own limit; `None` for no such end.
    pub(super) fn set_patience(&self, until: Option<Duration>) {
        self.shared.lock().patience = until;
    }

    /// Makes a request and sends it, in this order also on the wire.
    fn send<R>(
        &self,
        make: impl FnOnce(&mut State) -> Result<(R, Vec<u8>), LinkError>,
    ) -> Result<R, LinkError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, bytes) = {
            let mut state = self.shared.lock();
            if let Some(end) = &state.end {
                return Err(self.shared.error(end));
            }
            make(&mut state)?
        };
        write(&mut writer, &bytes).map_err(|error| {
            let end = match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => End::Stuck,
                _ => End::Gone,
            };
            // The reason first: the reader, woken by the shutdown, only sees that it is over.
            let error = self.shared.finish(end);
            // Part of the request may be out: nothing after it would be understood.
            let _ = writer.shutdown(Shutdown::Both);
            error
        })?;
        Ok(made)
    }
}

/// Writes a request in one piece where the system takes it in one.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    let until = Instant::now() + WRITE_LIMIT;
    while !bytes.is_empty() {
        let left = super::left(until).ok_or(io::ErrorKind::TimedOut)?;
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Carrier for Import {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn submit(&self, urb: Urb) -> Result<Ticket, LinkError> {
        self.send(|state| {
            let (seqnum, bytes) = state.host.submit(&urb).map_err(unsendable)?;
            state.last += 1;
            state.flying.insert(seqnum, state.last);
            Ok((state.last, bytes))
        })
    }

    fn reap(
        &self,
        tickets: &[Ticket],
        until: Duration,
    ) -> Result<Option<(Ticket, Completion)>, LinkError> {
        let mut state = self.shared.lock();
        loop {
            for ticket in tickets {
                if let Some(completion) = state.done.remove(ticket) {
                    return Ok(Some((*ticket, completion)));
                }
            }
            if let Some(end) = &state.end {
                return Err(self.shared.error(end));
            }
            let until = state.patience.map_or(until, |limit| limit.min(until));
            let left = until.saturating_sub(self.now()).min(LONGEST_WAIT);
            if left.is_zero() {
                return Ok(None);
            }
            let waited = self.shared.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn unlink(&self, ticket: Ticket) {
        // If it cannot be sent, nothing comes back either.
        let _ = self.send(|state| {
            if state.done.remove(&ticket).is_some() {
                return Ok(((), Vec::new()));
            }
            let flying = state.flying.iter().find(|(_, name)| **name == ticket);
            let Some((&seqnum, _)) = flying else {
                return Ok(((), Vec::new()));
            };
            state.flying.remove(&seqnum);
            let (_, bytes) = state.host.unlink(seqnum).map_err(unsendable)?;
            Ok(((), bytes))
        });
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let writer = self.writer.get_mut();
        let _ = writer
            .unwrap_or_else(PoisonError::into_inner)
            .shutdown(Shutdown::Both);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything; the first reason counts.
    fn finish(&self, end: End) -> LinkError {
        let mut state = self.lock();
        let end = state.end.get_or_insert(end).clone();
        state.hold = None;
        drop(state);
        self.arrived.notify_all();
        self.error(&end)
    }

    fn error(&self, end: &End) -> LinkError {
        match end {
            End::Gone => LinkError::Gone,
            End::Stuck => LinkError::Stuck,
            End::Broken(what) => LinkError::Peer {
                peer: self.peer.clone(),
                what: what.clone(),
            },
        }
    }

    /// The reader thread: until the connection ends or the server breaks the protocol.
    fn read_on(&self, mut stream: TcpStream) {
        let mut buffer = vec![0; 0x1_0000];
        let end = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break End::Gone,
                Ok(count) => {
                    if let Err(end) = self.take_in(&buffer[..count]) {
                        break end;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break End::Gone,
            }
        };
        self.finish(end);
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn take_in(&self, bytes: &[u8]) -> Result<(), End> {
        let mut state = self.lock();
        state.host.feed(bytes);
        loop {
            match state.host.next_event() {
                Ok(None) => break,
                Ok(Some(Event::Returned { seqnum, completion })) => {
                    // One that was taken back meanwhile is nobody's any more.
                    if let Some(ticket) = state.flying.remove(&seqnum) {
                        state.done.insert(ticket, completion);
                    }
                }
                Ok(Some(_)) => {}
                Err(malformed) => return Err(End::Broken(malformed.to_string())),
            }
        }
        drop(state);
        self.arrived.notify_all();
        Ok(())
    }
}

fn unsendable(why: Unsendable) -> LinkError {
    match why {
        Unsendable::TooMany => LinkError::Stuck,
        other => LinkError::Io {
            doing: "asking for a transfer".into(),
            source: io::Error::new(io::ErrorKind::InvalidInput, other),
        },
    }
}
