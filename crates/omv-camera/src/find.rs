//! Which cameras are there, without touching one.

use std::sync::Arc;

use omv_boards::{Board, Candidate, Family, State, UsbId, by_name, candidates};
use omv_link::{Bus, Seen};

use crate::Error;

/// Something on a bus that may be a camera.
#[derive(Clone)]
pub struct Found {
    /// The bus it is on.
    pub bus: Arc<dyn Bus>,
    /// How the bus describes it.
    pub seen: Seen,
    /// Everything it may be; never empty.
    pub candidates: Vec<Candidate>,
}

impl Found {
    /// The board, if there is only one it can be.
    pub fn board(&self) -> Option<&'static Board> {
        let first = self.candidates.first()?.board;
        let same = self
            .candidates
            .iter()
            .all(|candidate| candidate.board.name == first.name);
        same.then_some(first)
    }

    /// The state, or the first of those it may be in.
    pub fn state(&self) -> State {
        self.candidates
            .first()
            .map_or(State::NoDriver, Candidate::state)
    }

    /// All states it may be in.
    pub fn states(&self) -> Vec<State> {
        let mut states: Vec<State> = self.candidates.iter().map(Candidate::state).collect();
        states.sort();
        states.dedup();
        states
    }

    /// The family of its states.
    pub fn family(&self) -> Family {
        self.state().family()
    }

    /// Whether it may be this board in one of these states.
    pub fn may_be(&self, board: &Board, states: &[State]) -> bool {
        self.candidates
            .iter()
            .any(|c| c.board.name == board.name && states.contains(&c.state()))
    }

    /// The first of these states that it may be in as this board; else the first of all.
    pub fn state_of(&self, board: &Board, states: &[State]) -> State {
        let may_be = |state: &&State| self.may_be(board, &[**state]);
        states
            .iter()
            .find(may_be)
            .copied()
            .unwrap_or_else(|| self.state())
    }

    /// What a person would call it: its serial number, else its place.
    pub fn label(&self) -> String {
        self.seen
            .serial
            .clone()
            .unwrap_or_else(|| self.seen.place.to_string())
    }

    fn is_called(&self, wanted: &str) -> bool {
        let same = |text: &str| text.eq_ignore_ascii_case(wanted);
        let place = self.seen.place.as_str();
        same(place)
            || place
                .split_once(' ')
                .is_some_and(|(bus, port)| same(port) || same(bus))
            || self.seen.serial.as_deref().is_some_and(same)
            || self
                .seen
                .node
                .as_deref()
                .is_some_and(|node| same(node) || node.rsplit('/').next().is_some_and(same))
            || by_name(wanted).is_some_and(|board| {
                self.candidates
                    .iter()
                    .any(|candidate| candidate.board.name == board.name)
            })
    }
}

/// Looks at every bus. Nothing is opened, so no camera notices.
///
/// # Errors
/// When a bus fails and no other has a camera: one bus out of order hides nothing on the others.
/// A machine without USB has no cameras and no error.
pub fn find(buses: &[Arc<dyn Bus>]) -> Result<Vec<Found>, Error> {
    let mut all = Vec::new();
    let mut failed = None;
    for bus in buses {
        let listed = bus.list().unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        });
        for seen in listed {
            let id = UsbId {
                vid: seen.vid,
                pid: seen.pid,
            };
            let candidates = candidates(id, seen.serial.as_deref());
            if !candidates.is_empty() {
                all.push(Found {
                    bus: Arc::clone(bus),
                    seen,
                    candidates,
                });
            }
        }
    }
    match failed {
        Some(error) if all.is_empty() => Err(error.into()),
        _ => Ok(all),
    }
}

/// Picks the one camera that is meant.
///
/// # Errors
/// [`Error::NoCamera`], [`Error::NotThisOne`], or [`Error::Several`] when it cannot be told.
pub fn select(found: Vec<Found>, wanted: Option<&str>) -> Result<Found, Error> {
    if found.is_empty() {
        return Err(Error::NoCamera);
    }
    let there = found
        .iter()
        .map(Found::label)
        .collect::<Vec<_>>()
        .join(", ");
    let mut fitting: Vec<Found> = match wanted {
        Some(wanted) => found
            .into_iter()
            .filter(|one| one.is_called(wanted))
            .collect(),
        None => found,
    };
    match (fitting.len(), wanted) {
        (0, Some(wanted)) => Err(Error::NotThisOne {
            wanted: wanted.to_owned(),
            there,
        }),
        (1, _) => Ok(fitting.remove(0)),
        _ => {
            let describe = |one: &Found| match &one.seen.serial {
                Some(serial) => format!("{serial} ({})", one.seen.place),
                None => one.seen.place.to_string(),
            };
            Err(Error::Several {
                which: fitting.iter().map(describe).collect(),
            })
        }
    }
}
