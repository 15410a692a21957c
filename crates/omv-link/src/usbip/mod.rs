//! Devices of a USB/IP server: TCP, user space, no privileges.
//!
//! ```text
//!   UsbIpBus --list--> a connection of its own, OP_REQ_DEVLIST, closed again
//!      |
//!      +----open-----> lock, OP_REQ_IMPORT --> import::Import, a Carrier: the links of `urb`
//! ```
//!
//! Our own servers say in a record's free `path` field what USB/IP has no field for:
//! `/omv/<name>/<serial number, or ->`. Such a device counts as simulated; every other one is a
//! device of somebody else, of whose serial number the list knows nothing.
//!
//! Whatever the server does, each call ends: connecting after 1 s, listing after 2 s more,
//! opening after 2.5 s in all.
//!
//! Source: Linux Documentation/usb/usbip_protocol.rst, tools/usb/usbip.

mod import;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use omv_wire::usbip::{BusId, DeviceRecord, Event, Host, OpStatus, PORT};

use crate::hold::Hold;
use crate::urb::UrbDevice;
use crate::{Bus, Device, LinkError, Place, Seen};
use import::Import;

/// How long a server may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long it may take to send its list.
const LIST_LIMIT: Duration = Duration::from_secs(2);
/// How long it may take from the connection to the configured device.
const OPEN_LIMIT: Duration = Duration::from_millis(2500);
/// How long a server may call a device busy that no process of this machine holds: it hears of
/// the last client's goodbye a moment later than the lock.
const GOODBYE_LIMIT: Duration = Duration::from_millis(500);
/// USB/IP sends no events; whoever waits looks again at least this often.
const SLICE: Duration = Duration::from_millis(20);
/// What the paths of our own servers begin with.
const OWN_PATH: &str = "/omv/";

/// The devices one USB/IP server exports.
#[derive(Debug)]
pub struct UsbIpBus {
    address: String,
    title: String,
    who: String,
    start: Instant,
}

impl UsbIpBus {
    /// The server at `address` (`host`, `host:port`; port 3240 unless given), whose devices
    /// appear at the places `<title> <busid>`. Devices are opened in the name of `who`
    /// (`omv flash`). Nothing is connected yet.
    pub fn new(address: &str, title: &str, who: &str) -> Self {
        Self {
            address: with_port(address),
            title: title.to_owned(),
            who: who.to_owned(),
            start: Instant::now(),
        }
    }

    /// Connects; `None` where nothing listens.
    fn connect(&self, until: Instant) -> Result<Option<TcpStream>, LinkError> {
        let mut trouble = None;
        let resolved = self.address.to_socket_addrs();
        for address in resolved.map_err(|source| self.failed("finding", source))? {
            let Some(left) = left(until) else { break };
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    stream
                        .set_nodelay(true)
                        .map_err(|source| self.failed("connecting to", source))?;
                    return Ok(Some(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(source) => Err(self.failed("connecting to", source)),
            None => Ok(None),
        }
    }

    /// Sends a request and waits for the one event that answers it; `None` when the server
    /// closed the connection instead.
    fn ask(
        &self,
        stream: &mut TcpStream,
        (host, request): (&mut Host, &[u8]),
        until: Instant,
    ) -> Result<Option<Event>, LinkError> {
        let mut exchange = || -> io::Result<Option<Event>> {
            stream.set_write_timeout(left(until))?;
            stream.write_all(request)?;
            let mut buffer = [0; 4096];
            loop {
                match host.next_event() {
                    Ok(Some(event)) => return Ok(Some(event)),
                    Ok(None) => {}
                    Err(malformed) => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, malformed));
                    }
                }
                let left = left(until).ok_or(io::ErrorKind::TimedOut)?;
                stream.set_read_timeout(Some(left))?;
                match stream.read(&mut buffer) {
                    Ok(0) => return Ok(None),
                    Ok(count) => host.feed(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        exchange().or_else(|error| match error.kind() {
            io::ErrorKind::InvalidData => Err(LinkError::Peer {
                peer: self.address.clone(),
                what: error.to_string(),
            }),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(None),
            // What a read that ran out of time is called depends on the system.
            io::ErrorKind::WouldBlock => {
                Err(self.failed("waiting for", io::ErrorKind::TimedOut.into()))
            }
            _ => Err(self.failed("waiting for", error)),
        })
    }

    /// Asks for a device. The connection it then answers on, and its record.
    fn import(
        &self,
        busid: &BusId,
        until: Instant,
    ) -> Result<(TcpStream, Host, DeviceRecord, Hold), LinkError> {
        let (mut held, mut busy_until) = (None, None);
        loop {
            let connect_until = until.min(Instant::now() + CONNECT_LIMIT);
            let mut stream = self.connect(connect_until)?.ok_or(LinkError::Gone)?;
            let hold = match held.take() {
                Some(hold) => hold,
                None => Hold::take(&key(stream.peer_addr(), &self.address, busid), &self.who)?,
            };
            let (mut host, request) = Host::import(busid.clone());
            match self.ask(&mut stream, (&mut host, &request), until)? {
                Some(Event::Imported(record)) => return Ok((stream, host, record, hold)),
                Some(Event::Refused {
                    status: OpStatus::Busy,
                }) => {
                    let now = Instant::now();
                    if now >= *busy_until.get_or_insert(now + GOODBYE_LIMIT) {
                        return Err(LinkError::Busy { holder: None });
                    }
                    held = Some(hold);
                    thread::sleep(SLICE);
                }
                Some(Event::Refused { status }) => return Err(self.refused(status)),
                _ => return Err(LinkError::Gone),
            }
        }
    }

    fn refused(&self, status: OpStatus) -> LinkError {
        match status {
            OpStatus::NotAvailable | OpStatus::NoDevice => LinkError::Gone,
            other => self.failed("importing from", io::Error::other(other.meaning())),
        }
    }

    fn failed(&self, doing: &str, source: io::Error) -> LinkError {
        LinkError::Io {
            doing: format!("{doing} the USB/IP server {}", self.address),
            source,
        }
    }

    fn seen(&self, record: &DeviceRecord) -> Seen {
        let own = own_serial(&record.path);
        Seen {
            place: Place::new(&self.title, record.busid.as_str()),
            visit: record.devnum.into(),
            vid: record.vendor,
            pid: record.product,
            release: record.version,
            denied: false,
            simulated: own.is_some(),
            serial: own.flatten(),
            product: None,
            node: None,
        }
    }
}

impl Bus for UsbIpBus {
    /// The devices the server announces; none where nothing listens.
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let connected = self.connect(Instant::now() + CONNECT_LIMIT)?;
        let Some(mut stream) = connected else {
            return Ok(Vec::new());
        };
        let (mut host, request) = Host::list();
        let until = Instant::now() + LIST_LIMIT;
        match self.ask(&mut stream, (&mut host, &request), until)? {
            Some(Event::DevList(records)) => Ok(records.iter().map(|r| self.seen(r)).collect()),
            Some(Event::Refused { status }) => {
                Err(self.failed("listing", io::Error::other(status.meaning())))
            }
            _ => Err(self.failed("listing", io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        thread::sleep(until.saturating_sub(self.now()).min(SLICE));
        Ok(())
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        let until = Instant::now() + OPEN_LIMIT;
        let place = seen.place.as_str().strip_prefix(&self.title);
        let busid = place.and_then(|rest| rest.strip_prefix(' '));
        let busid = busid.and_then(|name| BusId::new(name).ok());
        let (stream, host, record, hold) = self.import(&busid.ok_or(LinkError::Gone)?, until)?;
        if (u64::from(record.devnum), record.vendor, record.product)
            != (seen.visit, seen.vid, seen.pid)
        {
            return Err(LinkError::Gone);
        }
        let import = Import::new(stream, host, self.address.clone(), self.start, hold)
            .map_err(|source| self.failed("talking to", source))?;
        let import = Arc::new(import);
        // Enumeration is quick on every device; later requests may take as long as they need.
        import.set_patience(Some(until.saturating_duration_since(self.start)));
        let device = UrbDevice::open(import.clone())?;
        import.set_patience(None);
        Ok(Box::new(device))
    }
}

/// What is left of a time, if anything is.
fn left(until: Instant) -> Option<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// The name of the lock: the same however the server's address was written.
fn key(peer: io::Result<SocketAddr>, address: &str, busid: &BusId) -> String {
    let peer = peer.map_or_else(|_| address.to_owned(), |peer| peer.to_string());
    format!("usbip {peer} {busid}")
}

/// The serial number in the path of one of our own servers' records; the outer `None` for
/// everybody else's.
fn own_serial(path: &str) -> Option<Option<String>> {
    let (name, serial) = path.strip_prefix(OWN_PATH)?.split_once('/')?;
    if name.is_empty() || serial.is_empty() {
        return None;
    }
    Some((serial != "-").then(|| serial.to_owned()))
}

/// Adds the usual port to an address that names none.
fn with_port(address: &str) -> String {
    let named = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    if named {
        address.to_owned()
    } else if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]:{PORT}")
    } else {
        format!("{address}:{PORT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_servers_can_tell_a_serial_number() {
        let serial = |path| own_serial(path);
        assert_eq!(serial("/omv/bench/1A2B"), Some(Some("1A2B".into())));
        assert_eq!(serial("/omv/bench/-"), Some(None));
        assert_eq!(serial("/omv/bench/"), None);
        assert_eq!(serial("/omv//1A2B"), None);
        assert_eq!(serial("/sys/devices/pci0000:00/usb1/1-1"), None);
    }

    #[test]
    fn an_address_without_a_port_gets_the_usual_one() {
        for (given, meant) in [
            ("bench", "bench:3240"),
            ("bench:1", "bench:1"),
            ("::1", "[::1]:3240"),
            ("[::1]", "[::1]:3240"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(with_port(given), meant);
        }
    }
}
