//! A virtual camera: what it does by itself, and what hands do to it.

use std::time::Duration;

use omv_boards::State;

use crate::Face;

/// Something a person does to a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Pull the cable. Power is lost with it.
    Unplug,
    /// Put the cable in.
    Plug,
    /// Set or remove the wire that starts the ROM.
    Jumper(bool),
    /// Hold header pin P11 low, or let go.
    PinLow(bool),
    /// Press RESET.
    Reset,
    /// Press RESET twice, quickly.
    DoubleTap,
    /// Install the driver for bootloaders and ROMs on the host, or remove it.
    Driver(bool),
    /// Power fails at once.
    PowerCut,
    /// Power fails after this many more bytes of flash were changed.
    PowerCutAfter(u64),
}

/// What an onlooker could say about a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The state as the board sheets name it; a camera without power is silent.
    pub state: State,
    /// Whether the cable is in.
    pub plugged: bool,
    /// Whether the ROM wire is set.
    pub jumper: bool,
    /// Version of the firmware that runs, or would run.
    pub firmware: Option<String>,
    /// One sentence on what it is doing.
    pub doing: String,
    /// How often half-written firmware was started since it was made.
    pub half_written_starts: u64,
    /// Sectors of flash erased since it was made.
    pub erased_sectors: u64,
}

/// A virtual camera of any board.
pub trait Camera: Send {
    /// The camera itself, for tests that look inside.
    fn as_any(&mut self) -> &mut dyn std::any::Any;

    /// Its USB personality now; `None` when nothing enumerates.
    fn face(&mut self) -> Option<&mut dyn Face>;

    /// Serial number the current personality shows.
    fn serial(&self) -> Option<String>;

    /// Changes with every enumeration.
    fn visit(&self) -> u64;

    /// Whether the host has a driver for what needs one ([`Face::needs_driver`]). Without it the
    /// device is seen and cannot be opened.
    fn has_driver(&self) -> bool {
        true
    }

    /// Lets its own life go on up to `now`: boot, windows that close, resets, power cuts.
    fn advance(&mut self, now: Duration);

    /// The first moment after `now` at which something will happen to it by itself.
    fn next(&self, now: Duration) -> Option<Duration>;

    /// What a hand does.
    fn hand(&mut self, now: Duration, hand: Hand);

    /// What an onlooker sees.
    fn status(&self) -> Status;
}

impl<T: Camera + ?Sized> Camera for Box<T> {
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        (**self).as_any()
    }

    fn face(&mut self) -> Option<&mut dyn Face> {
        (**self).face()
    }

    fn serial(&self) -> Option<String> {
        (**self).serial()
    }

    fn visit(&self) -> u64 {
        (**self).visit()
    }

    fn has_driver(&self) -> bool {
        (**self).has_driver()
    }

    fn advance(&mut self, now: Duration) {
        (**self).advance(now);
    }

    fn next(&self, now: Duration) -> Option<Duration> {
        (**self).next(now)
    }

    fn hand(&mut self, now: Duration, hand: Hand) {
        (**self).hand(now, hand);
    }

    fn status(&self) -> Status {
        (**self).status()
    }
}
