//! Seeing: watches the buses, then asks what runs and answers. The only part that does I/O.
//!
//! The watch comes first and opens nothing, because a bootloader that is looked at stays, and one
//! that stays does not show that it was coming and going. Only running firmware is asked who it
//! is; of a DFU bootloader the descriptors are read, which is no claim to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Board, Family, State, UsbId};
use omv_link::native::health::{self, Access, Roots};
use omv_link::{Bus, Function, Heard, Link};
use omv_wire::usb::{Configuration, Setup, decode_string, request};

use super::disk::Disk;
use super::facts::{Answer, Facts, Sight, Visit};
use super::trouble::{CYCLE_SPAN, is_cycling};
use crate::disk::Blocks;
use crate::{Error, Found, Looked, Stop, find, look, select, uid_text};

/// How often the buses are looked at.
const EVERY: Duration = Duration::from_millis(20);
/// How long nothing has to happen before nothing is expected any more. OpenMV cameras appear
/// within it. Source: openmv/qt-creator, wait for a camera after a reset.
const QUIET: Duration = Duration::from_secs(5);
/// How long a device may take for one descriptor. Source: USB 2.0, 9.2.6.4.
const PATIENCE: Duration = Duration::from_millis(500);
/// More alternates than any bootloader has.
const ALTERNATES: usize = 16;
/// American English, the one language all of these devices have.
const ENGLISH: u16 = 0x0409;
/// `bmRequestType` of a standard request for data of the device. Source: USB 2.0, table 9-2.
const FROM_DEVICE: u8 = 0x80;
/// Interface class and subclass of DFU. Source: USB DFU 1.1, table 4.1.
const DFU: (u8, u8) = (0xFE, 0x01);
/// Descriptor types in the high byte of `wValue`. Source: USB 2.0, table 9-5.
const CONFIGURATION: u16 = 0x0200;
const STRING: u16 = 0x0300;

/// How to look.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How long to watch; none: as long as something may still happen, which is not at all when
    /// every camera runs.
    pub watch: Option<Duration>,
    /// Which camera is meant, in the words of [`select`]; none: all.
    pub wanted: Option<String>,
    /// The board a person expects to see.
    pub expected: Option<&'static Board>,
}

/// Opens the disk of a running camera to be read, and says whether it is a card; none where it
/// cannot be read from here.
pub type OpenDisk<'a> = dyn Fn(&Looked) -> Option<(Box<dyn Blocks>, bool)> + 'a;

/// Looks at everything there is. `roots` are the places to read this machine's facts from; none
/// when its own ports are not among the buses.
///
/// # Errors
/// Those of the buses, [`Error::NotThisOne`] when cameras are there and none is the wanted one,
/// [`Error::Stopped`]. A camera that cannot be opened or does not answer is no error here.
pub fn examine(
    buses: &[Arc<dyn Bus>],
    roots: Option<&Roots>,
    options: &Options,
    stop: &Stop,
    disks: Option<&OpenDisk<'_>>,
) -> Result<Facts, Error> {
    let mut facts = Facts {
        host: roots.map(health::host),
        expected: options.expected,
        ..Facts::default()
    };
    let found = watch(buses, options, stop, &mut facts)?;
    for one in &found {
        let sight = sight(one, roots, &facts, disks);
        facts.cameras.push(sight);
    }
    Ok(facts)
}

/// Follows the buses and notes every stay.
fn watch(
    buses: &[Arc<dyn Bus>],
    options: &Options,
    stop: &Stop,
    facts: &mut Facts,
) -> Result<Vec<Found>, Error> {
    let Some(clock) = buses.first() else {
        return Ok(Vec::new());
    };
    let start = clock.now();
    let mut here: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    let mut last_event = Duration::ZERO;
    let mut first = true;
    let appear = options
        .expected
        .map(|board| Duration::from_millis(board.limits.appear.into()));
    loop {
        let now = clock.now().saturating_sub(start);
        let found = wanted(find(buses)?, options, &facts.visits)?;
        let changed = note(&found, &mut here, &mut facts.visits, now, first);
        if changed && !first {
            last_event = now;
        }
        first = false;
        facts.watched = now;
        let enough = options.watch.unwrap_or_else(|| {
            let calm = !found.is_empty()
                && found.iter().all(|one| one.family() == Family::Running)
                && facts.visits.iter().all(|visit| visit.left.is_none());
            if calm {
                return Duration::ZERO;
            }
            let quiet = match appear {
                Some(appear) if facts.visits.is_empty() => appear,
                _ => QUIET,
            };
            let cycling = here.keys().any(|place| is_cycling(facts, place))
                || facts.places().iter().any(|place| is_cycling(facts, place));
            let end = (last_event + quiet).min(CYCLE_SPAN.max(quiet));
            if cycling { now } else { end }
        });
        if now >= enough {
            return Ok(found);
        }
        if stop.asked() {
            return Err(Error::Stopped {
                doing: "watching the bus".into(),
                state: "nothing was touched".into(),
            });
        }
        clock.wait((clock.now() + EVERY).min(start + enough))?;
    }
}

/// Those that are meant, and what later sits in their sockets: names change with the state, the
/// socket does not. A board that is not there leaves an empty list: that is a finding.
fn wanted(found: Vec<Found>, options: &Options, visits: &[Visit]) -> Result<Vec<Found>, Error> {
    let Some(name) = options.wanted.as_deref() else {
        return Ok(found);
    };
    let known = |one: &Found| {
        visits
            .iter()
            .any(|visit| visit.place == one.seen.place.as_str())
    };
    let fits = |one: &&Found| known(one) || select(vec![(*one).clone()], Some(name)).is_ok();
    let fitting: Vec<Found> = found.iter().filter(fits).cloned().collect();
    if fitting.is_empty() && options.expected.is_none() && visits.is_empty() && !found.is_empty() {
        select(found, Some(name))?;
        return Ok(Vec::new());
    }
    Ok(fitting)
}

/// Notes who came and who left; says whether anybody did.
fn note(
    found: &[Found],
    here: &mut BTreeMap<String, (u64, usize)>,
    visits: &mut Vec<Visit>,
    now: Duration,
    first: bool,
) -> bool {
    let mut changed = false;
    here.retain(|place, (visit, at)| {
        let stays = found
            .iter()
            .any(|one| one.seen.place.as_str() == place && one.seen.visit == *visit);
        if !stays {
            changed = true;
            if let Some(visit) = visits.get_mut(*at) {
                visit.left = Some(now);
            }
        }
        stays
    });
    for one in found {
        let place = one.seen.place.to_string();
        if here.contains_key(&place) {
            continue;
        }
        changed = true;
        here.insert(place.clone(), (one.seen.visit, visits.len()));
        visits.push(Visit {
            place,
            usb: id(one),
            state: one.state(),
            came: (!first).then_some(now),
            left: None,
        });
    }
    changed
}

fn id(found: &Found) -> UsbId {
    UsbId {
        vid: found.seen.vid,
        pid: found.seen.pid,
    }
}

/// Everything about one device.
fn sight(
    found: &Found,
    roots: Option<&Roots>,
    facts: &Facts,
    disks: Option<&OpenDisk<'_>>,
) -> Sight {
    let seen = &found.seen;
    let mut sight = Sight {
        place: seen.place.to_string(),
        usb: id(found),
        release: seen.release,
        serial: seen.serial.clone(),
        candidates: found.candidates.clone(),
        simulated: seen.simulated,
        nodes: Vec::new(),
        alternates: None,
        alternate_names: Vec::new(),
        answer: Answer::NotAsked,
        disk: None,
    };
    if let Some(roots) = roots {
        sight.nodes = health::nodes(roots, seen);
        sight.alternates = health::alternates(roots, seen);
    }
    let closed = sight.denied().is_some() || !sight.holders().is_empty();
    if closed || is_cycling(facts, &sight.place) {
        return sight;
    }
    match sight.state() {
        State::Run => {
            let looked;
            (sight.answer, looked) = ask(found);
            let disk = looked.and_then(|looked| disks?(&looked));
            // A camera that leaves meanwhile has no disk any more.
            sight.disk = disk.and_then(|(mut blocks, card)| Disk::of(&mut *blocks, card).ok());
        }
        State::Dfu | State::ArduinoDfu => {
            let reachable = sight
                .nodes
                .iter()
                .all(|node| node.access == Access::Allowed);
            if reachable && let Some(names) = alternate_names(found) {
                sight.alternates = Some(names.len());
                sight.alternate_names = names;
            }
        }
        _ => {}
    }
    sight
}

fn ask(found: &Found) -> (Answer, Option<Looked>) {
    match look(found, None) {
        Ok(looked) => {
            let firmware = looked.firmware().and_then(|text| text.parse().ok());
            let who = looked.who.as_ref();
            let answer = Answer::Who {
                board: looked.board,
                arch: who.and_then(|who| who.arch.clone()),
                usb: who
                    .and_then(|who| who.usb)
                    .map(|(vid, pid)| UsbId { vid, pid }),
                firmware,
                uid: who.and_then(|who| who.uid).map(uid_text),
            };
            (answer, Some(looked))
        }
        Err(error) => {
            let (code, message) = (error.code(), error.to_string());
            (Answer::Failed { code, message }, None)
        }
    }
}

/// The names of a DFU interface's alternates; none where the device does not tell them all.
fn alternate_names(found: &Found) -> Option<Vec<String>> {
    let mut device = found.bus.open(&found.seen).ok()?;
    let mut link = device.link(Function::Control).ok()?;
    let head = descriptor(&mut *link, CONFIGURATION, 0, Configuration::HEAD_LEN as u16)?;
    let length = Configuration::total_length(&head).ok()?;
    let whole = descriptor(&mut *link, CONFIGURATION, 0, length)?;
    let configuration = Configuration::decode(&whole).ok()?;
    let dfu = configuration
        .interfaces
        .iter()
        .filter(|setting| (setting.class, setting.subclass) == DFU)
        .take(ALTERNATES);
    dfu.map(|setting| {
        let index = STRING | u16::from(setting.string);
        let text = descriptor(&mut *link, index, ENGLISH, 255)?;
        decode_string(&text).ok()
    })
    .collect()
}

/// One standard descriptor of at most `length` bytes.
fn descriptor(link: &mut dyn Link, value: u16, index: u16, length: u16) -> Option<Vec<u8>> {
    let setup = Setup {
        request_type: FROM_DEVICE,
        request: request::GET_DESCRIPTOR,
        value,
        index,
        length,
    };
    link.send(&setup.encode()).ok()?;
    match link.wait(link.now() + PATIENCE) {
        Ok(Some(Heard::Bytes(bytes))) if bytes.len() <= usize::from(length) => Some(bytes),
        _ => None,
    }
}
