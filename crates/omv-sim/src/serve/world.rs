//! A camera in real time: its port, its clock, and the one client that has imported it.
//!
//! ```text
//!   connection --submit--> Port --advance(now)--> completions --> outbox --> writer thread
//!                            ^
//!   clock thread ------------+  sleeps exactly until the next thing happens by itself
//! ```
//!
//! Things happen at the time they are due, not at the time some thread woke up for them: the port
//! catches up event by event, so waking late delays an answer but never stretches an erase.
//! Completing and taking back are under one lock together with the outbox, so no transfer is
//! answered twice; nobody writes to a socket under that lock.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use omv_wire::usb::{Configuration, Direction, Urb, UrbStatus};
use omv_wire::usbip::{BusId, Camera, DeviceRecord, Ended, OpStatus, Submit};

use crate::state::StateError;
use crate::{Hand, Port, Status, Ticket};

/// The one socket of a server.
const BUS_ID: &str = "1-1";
/// Most transfers a client may have under way, as many as Linux could ever ask for.
const MAX_PENDING: usize = 1024;
/// Most bytes those may carry or ask for together.
const MAX_PENDING_BYTES: usize = 64 << 20;
/// Most bytes of answers a client may leave unread.
const MAX_UNREAD: usize = 16 << 20;
/// How often a camera that changes is saved.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Longest single sleep of the clock; longer ones are made of several.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// What all threads of a server share.
pub(super) struct World {
    name: String,
    speed: f64,
    start: Instant,
    state: Mutex<State>,
    /// The clock has reason to wake up before the time it went to sleep for.
    sooner: Condvar,
    /// There is reason to save the camera now.
    save: Condvar,
}

struct State {
    port: Port,
    importer: Option<Importer>,
    last_ticket: Ticket,
    /// The camera's time at which the clock will wake up.
    alarm: Duration,
    jumper: bool,
    pin_low: bool,
    /// Whether it is on the bus.
    there: bool,
    /// It left the bus since it was saved: that may have been the power.
    left: bool,
    /// Why it could not be saved.
    trouble: Option<String>,
    stopping: bool,
    connections: BTreeMap<u64, TcpStream>,
}

/// The client that has the camera.
struct Importer {
    connection: u64,
    visit: u64,
    outbox: Outbox,
    /// By the client's number: our ticket, and the transfer without what it carried.
    pending: BTreeMap<u32, Pending>,
    bytes: usize,
}

struct Pending {
    ticket: Ticket,
    size: usize,
    urb: Urb,
}

/// Answers on their way to a client, written by a thread of their own.
#[derive(Clone)]
pub(super) struct Outbox {
    pub(super) answers: Sender<Vec<u8>>,
    /// Bytes not written yet.
    pub(super) unread: Arc<AtomicUsize>,
}

impl Outbox {
    /// False when the client reads too little, or is gone.
    fn send(&self, bytes: Vec<u8>) -> bool {
        let unread = self.unread.fetch_add(bytes.len(), Ordering::Relaxed);
        unread <= MAX_UNREAD && self.answers.send(bytes).is_ok()
    }
}

/// The client has lost the camera, or must: close the connection.
#[derive(Debug)]
pub(super) struct Lost;

impl World {
    /// A camera whose time runs `speed` times as fast as ours.
    pub(super) fn new(name: &str, port: Port, speed: f64) -> Self {
        let jumper = port.camera().status().jumper;
        Self {
            name: name.to_owned(),
            speed,
            start: Instant::now(),
            state: Mutex::new(State {
                port,
                importer: None,
                last_ticket: 0,
                alarm: Duration::MAX,
                jumper,
                pin_low: false,
                there: false,
                left: false,
                trouble: None,
                stopping: false,
                connections: BTreeMap::new(),
            }),
            sooner: Condvar::new(),
            save: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The camera's time now.
    fn now(&self) -> Duration {
        self.start.elapsed().mul_f64(self.speed)
    }

    /// How long until the camera's time is `at`.
    fn real_time_until(&self, at: Duration) -> Duration {
        let due = Duration::try_from_secs_f64(at.as_secs_f64() / self.speed);
        let left = due.unwrap_or(Duration::MAX);
        left.saturating_sub(self.start.elapsed()).min(LONGEST_SLEEP)
    }

    /// Lets the camera live up to now, tells its client what came of that, and wakes the clock
    /// if something will happen sooner than it knows.
    fn catch_up(&self, state: &mut State) {
        let now = self.now().max(state.port.now());
        state.port.advance(now);
        state.deliver();
        if state.left {
            self.save.notify_one();
        }
        if state
            .port
            .next_event()
            .is_some_and(|next| next < state.alarm)
        {
            self.sooner.notify_one();
        }
    }

    /// The clock thread: until the server stops.
    pub(super) fn keep_time(&self) {
        let mut state = self.lock();
        while !state.stopping {
            self.catch_up(&mut state);
            let next = state.port.next_event().unwrap_or(Duration::MAX);
            let sleep = self.real_time_until(next);
            if sleep.is_zero() {
                // It is due already. Others want the lock, too.
                drop(state);
                std::thread::yield_now();
                state = self.lock();
                continue;
            }
            state.alarm = next;
            let woken = self.sooner.wait_timeout(state, sleep);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            // Awake: nobody needs to be told anything.
            state.alarm = Duration::ZERO;
        }
    }

    /// What OP_REQ_DEVLIST shows: the camera, if it is on the bus.
    pub(super) fn devices(&self) -> Vec<DeviceRecord> {
        let mut state = self.lock();
        self.catch_up(&mut state);
        state.record(&self.name).into_iter().collect()
    }

    /// Gives the camera to a connection, or refuses; either is the first answer in its outbox.
    pub(super) fn import(
        &self,
        busid: &BusId,
        connection: u64,
        (camera, outbox): (&mut Camera, Outbox),
    ) -> Result<(), Lost> {
        let mut state = self.lock();
        self.catch_up(&mut state);
        let record = state.record(&self.name);
        let refusal = match record.filter(|record| record.busid == *busid) {
            None => OpStatus::NoDevice,
            Some(_) if state.importer.is_some() => OpStatus::Busy,
            Some(_) if state.is_denied() => OpStatus::DeviceError,
            Some(record) => {
                outbox.send(camera.accept(&record));
                OpStatus::Ok
            }
        };
        if refusal != OpStatus::Ok {
            outbox.send(camera.refuse(refusal));
            return Err(Lost);
        }
        state.importer = Some(Importer {
            connection,
            visit: state.port.camera().visit(),
            outbox,
            pending: BTreeMap::new(),
            bytes: 0,
        });
        Ok(())
    }

    /// Queues a transfer.
    pub(super) fn submit(&self, connection: u64, submit: Submit) -> Result<(), Lost> {
        let mut state = self.lock();
        self.catch_up(&mut state);
        state.submit(connection, submit)?;
        self.catch_up(&mut state);
        Ok(())
    }

    /// Takes a transfer back and answers at once.
    pub(super) fn unlink(&self, connection: u64, seqnum: u32, target: u32) -> Result<(), Lost> {
        let mut state = self.lock();
        self.catch_up(&mut state);
        let State { port, importer, .. } = &mut *state;
        let importer = of(importer, connection)?;
        let taken_back = importer.pending.remove(&target).map(|pending| {
            importer.bytes -= pending.size;
            port.unlink(pending.ticket);
        });
        let status = taken_back.map_or(UrbStatus::Ok, |()| UrbStatus::Unlinked);
        importer.say(Camera::unlinked(seqnum, status))
    }

    /// Answers something that does not concern the camera.
    pub(super) fn answer(&self, connection: u64, bytes: Vec<u8>) -> Result<(), Lost> {
        of(&mut self.lock().importer, connection)?.say(bytes)
    }

    /// The connection ended: whatever it still waited for is dropped, and the camera is free.
    pub(super) fn leave(&self, connection: u64) {
        let mut state = self.lock();
        state.connections.remove(&connection);
        let gone = state.importer.take_if(|i| i.connection == connection);
        for pending in gone.into_iter().flat_map(|gone| gone.pending.into_values()) {
            state.port.unlink(pending.ticket);
        }
    }

    /// Registers a connection so that it can be ended; false when there are too many.
    pub(super) fn enter(&self, connection: u64, stream: TcpStream, most: usize) -> bool {
        let mut state = self.lock();
        let room = state.connections.len() < most && !state.stopping;
        if room {
            state.connections.insert(connection, stream);
        }
        room
    }

    /// What a hand does to the camera.
    pub(super) fn hand(&self, hand: Hand) {
        let mut state = self.lock();
        self.catch_up(&mut state);
        let now = state.port.now();
        state.port.camera_mut().hand(now, hand);
        match hand {
            Hand::Jumper(set) => state.jumper = set,
            Hand::PinLow(low) => state.pin_low = low,
            _ => {}
        }
        self.catch_up(&mut state);
        // Its plans may have changed altogether.
        self.sooner.notify_one();
    }

    /// Waits until the camera should be saved: it left the bus, a second passed, or the server
    /// stops. Whether the ROM wire is set, and whether this is the last time.
    pub(super) fn wait_to_save(&self) -> (bool, bool) {
        let state = self.lock();
        let idle = |state: &mut State| !state.left && !state.stopping;
        let waited = self.save.wait_timeout_while(state, SAVE_EVERY, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.left = false;
        (state.jumper, state.stopping)
    }

    /// Notes how saving went.
    pub(super) fn saved(&self, outcome: Result<(), StateError>) {
        self.lock().trouble = outcome.err().map(|error| error.to_string());
    }

    /// What an onlooker sees.
    pub(super) fn look(&self) -> Look {
        let mut state = self.lock();
        self.catch_up(&mut state);
        Look {
            status: state.port.camera().status(),
            pin_low: state.pin_low,
            imported: state.importer.is_some(),
            visit: state.port.camera().visit(),
            time: state.port.now(),
            trouble: state.trouble.clone(),
        }
    }

    /// Pulls the plug and ends clock and connections.
    pub(super) fn stop(&self) {
        self.hand(Hand::PowerCut);
        let mut state = self.lock();
        state.stopping = true;
        for stream in state.connections.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.sooner.notify_all();
        self.save.notify_all();
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }
}

/// A camera and its server, as an onlooker sees them.
pub(super) struct Look {
    pub(super) status: Status,
    pub(super) pin_low: bool,
    pub(super) imported: bool,
    pub(super) visit: u64,
    pub(super) time: Duration,
    pub(super) trouble: Option<String>,
}

impl State {
    /// Whether there is no driver for what it shows.
    fn is_denied(&mut self) -> bool {
        let driver = self.port.camera().has_driver();
        let face = self.port.camera_mut().face();
        face.is_some_and(|face| face.needs_driver()) && !driver
    }

    fn record(&mut self, name: &str) -> Option<DeviceRecord> {
        let serial = self.port.camera().serial();
        let visit = self.port.camera().visit();
        let face = self.port.camera_mut().face()?;
        let configuration = Configuration::decode(&face.configuration()).ok()?;
        let busid = BusId::new(BUS_ID).ok()?;
        let mut record = DeviceRecord::new(busid, face.speed(), &face.device(), &configuration);
        record.path = format!("/omv/{name}/{}", serial.as_deref().unwrap_or("-"));
        record.devnum = visit as u32;
        Some(record)
    }

    fn submit(&mut self, connection: u64, submit: Submit) -> Result<(), Lost> {
        let importer = of(&mut self.importer, connection)?;
        let Submit { seqnum, urb, .. } = submit;
        let size = urb.size();
        importer.bytes += size;
        if importer.pending.len() >= MAX_PENDING
            || importer.bytes > MAX_PENDING_BYTES
            || importer.pending.contains_key(&seqnum)
        {
            return Err(Lost);
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let shell = Urb {
            data: Vec::new(),
            ..urb
        };
        let pending = Pending {
            ticket,
            size,
            urb: shell,
        };
        importer.pending.insert(seqnum, pending);
        self.port.submit(importer.visit, ticket, urb);
        Ok(())
    }

    /// Tells the client what ended, and lets it go when the camera has left the bus.
    fn deliver(&mut self) {
        let done = self.port.take_done();
        let visit = self.port.camera().visit();
        let there = self.port.camera_mut().face().is_some();
        self.left |= self.there && !there;
        self.there = there;
        let Some(importer) = &mut self.importer else {
            return;
        };
        let mut reads = true;
        for (ticket, completion) in done {
            let mut pending = importer.pending.iter();
            let named = pending.find(|(_, pending)| pending.ticket == ticket);
            let Some(seqnum) = named.map(|(seqnum, _)| *seqnum) else {
                continue;
            };
            let Some(pending) = importer.pending.remove(&seqnum) else {
                continue;
            };
            importer.bytes -= pending.size;
            // A camera that left is told by closing the connection.
            if completion.status == UrbStatus::Gone {
                continue;
            }
            let ended = match pending.urb.direction {
                Direction::In => Ended::new(seqnum, &pending.urb, completion),
                Direction::Out => Ended { seqnum, completion },
            };
            reads &= importer.outbox.send(ended.encode());
        }
        if !there || importer.visit != visit || !reads {
            self.drop_importer();
        }
    }

    /// Closes the client's outbox, which closes the connection once it is empty.
    fn drop_importer(&mut self) {
        if let Some(importer) = self.importer.take() {
            for pending in importer.pending.into_values() {
                self.port.unlink(pending.ticket);
            }
        }
    }
}

impl Importer {
    fn say(&self, bytes: Vec<u8>) -> Result<(), Lost> {
        self.outbox.send(bytes).then_some(()).ok_or(Lost)
    }
}

/// The importer, if it is still this connection.
fn of(importer: &mut Option<Importer>, connection: u64) -> Result<&mut Importer, Lost> {
    let importer = importer.as_mut().filter(|i| i.connection == connection);
    importer.ok_or(Lost)
}
