//! What was seen, before anybody says what it means.

use std::time::Duration;

use omv_boards::{Board, Candidate, State, UsbId, Version};
use omv_link::native::health::{Access, Host, Node, NodeKind};

/// Everything a diagnosis is made from.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// This machine; none when only virtual cameras inside this process were looked at.
    pub host: Option<Host>,
    /// What is plugged in now and may be a camera.
    pub cameras: Vec<Sight>,
    /// Every stay of such a device on the bus while it was watched, in order of arrival.
    pub visits: Vec<Visit>,
    /// How long the bus was watched.
    pub watched: Duration,
    /// The board a person expects to see.
    pub expected: Option<&'static Board>,
}

/// One device that may be a camera.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Its socket.
    pub place: String,
    /// Its USB id.
    pub usb: UsbId,
    /// `bcdDevice`.
    pub release: u16,
    /// Its serial number.
    pub serial: Option<String>,
    /// Everything it may be; never empty.
    pub candidates: Vec<Candidate>,
    /// Whether it is a virtual camera.
    pub simulated: bool,
    /// The files it is reached through; empty where a system does not tell.
    pub nodes: Vec<Node>,
    /// How many alternates its DFU interface has; none: unknown, or no such interface.
    pub alternates: Option<usize>,
    /// Their names, where the device was asked.
    pub alternate_names: Vec<String>,
    /// What its firmware answered.
    pub answer: Answer,
    /// The disk it starts from, if that was looked at.
    pub disk: Option<super::Disk>,
}

/// What became of asking a running camera who it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer {
    /// It was not asked: it does not run, or somebody else has it.
    #[default]
    NotAsked,
    /// It answered.
    Who {
        /// The board it says it is.
        board: &'static Board,
        /// Its architecture string.
        arch: Option<String>,
        /// The USB id it was built for.
        usb: Option<UsbId>,
        /// Its firmware version.
        firmware: Option<Version>,
        /// Its unique id, as OpenMV prints it.
        uid: Option<String>,
    },
    /// It did not.
    Failed {
        /// The error's code.
        code: &'static str,
        /// The error's words.
        message: String,
    },
}

/// One stay of a device on a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The socket.
    pub place: String,
    /// The USB id it had.
    pub usb: UsbId,
    /// The state it was in, or the first of those it may have been in.
    pub state: State,
    /// When it came, from the beginning of the watch; none: it was there before.
    pub came: Option<Duration>,
    /// When it left; none: it stayed.
    pub left: Option<Duration>,
}

impl Facts {
    /// This machine, if its own ports were looked at.
    pub(super) fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The stays in one socket.
    pub(super) fn visits_to<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a Visit> {
        self.visits.iter().filter(move |visit| visit.place == place)
    }

    /// The sockets in which anything was seen, each once.
    pub(super) fn places(&self) -> Vec<&str> {
        let mut places: Vec<&str> = self.visits.iter().map(|visit| &*visit.place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// What sits in a socket now.
    pub(super) fn at(&self, place: &str) -> Option<&Sight> {
        self.cameras.iter().find(|sight| sight.place == place)
    }
}

impl Visit {
    /// How long it lasted, if it was seen whole.
    #[must_use]
    pub fn lasted(&self) -> Option<Duration> {
        Some(self.left?.saturating_sub(self.came?))
    }
}

impl Sight {
    /// The state it is in, or the first of those it may be in.
    #[must_use]
    pub fn state(&self) -> State {
        self.candidates
            .first()
            .map_or(State::NoDriver, Candidate::state)
    }

    /// The board: what the firmware says, else the only one it can be.
    #[must_use]
    pub fn board(&self) -> Option<&'static Board> {
        if let Answer::Who { board, .. } = self.answer {
            return Some(board);
        }
        let first = self.candidates.first()?.board;
        let same = self.candidates.iter().all(|c| c.board.name == first.name);
        same.then_some(first)
    }

    /// What to call it.
    #[must_use]
    pub fn title(&self) -> String {
        match self.board() {
            Some(board) => board.title.clone(),
            None => format!("one of {} boards", self.boards().len()),
        }
    }

    /// Every board it may be, each once.
    #[must_use]
    pub fn boards(&self) -> Vec<&'static Board> {
        let mut boards: Vec<&'static Board> = self.candidates.iter().map(|c| c.board).collect();
        boards.dedup_by_key(|board| &board.name);
        boards
    }

    /// The kind of node that work in this state needs.
    #[must_use]
    pub fn needs(&self) -> NodeKind {
        match self.state() {
            State::Sbl | State::Flashloader | State::Sdp => NodeKind::Hidraw,
            State::Run | State::LegacyBl | State::Bossa | State::SeUart => NodeKind::Tty,
            _ => NodeKind::Usb,
        }
    }

    /// The node that work needs and this account may not open, if that is so.
    #[must_use]
    pub fn denied(&self) -> Option<&Node> {
        let needs = self.needs();
        self.nodes
            .iter()
            .find(|node| node.kind == needs && node.access == Access::Denied)
    }

    /// Other programs that have one of its nodes open.
    #[must_use]
    pub fn holders(&self) -> Vec<&str> {
        let mut holders: Vec<&str> = self
            .nodes
            .iter()
            .flat_map(|node| node.holders.iter().map(|holder| &**holder))
            .collect();
        holders.dedup();
        holders
    }

    /// What to tell a person about a state of this device, where all it may be agree.
    pub(super) fn advice(&self, state: State) -> Option<String> {
        let boards = self.boards();
        let of = |board: &Board| board.advice(state).collect::<Vec<_>>().join(" ");
        let first = of(boards.first()?);
        let agreed = !first.is_empty() && boards.iter().all(|board| of(board) == first);
        agreed.then_some(first)
    }
}
