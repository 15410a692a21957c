//! What a bus shows without touching a device, and how one is opened.

use std::fmt;
use std::time::Duration;

use crate::{Link, LinkError};

/// Where a device is plugged in: bus and port chain.
///
/// The one key that survives every state of every camera: ids and serial numbers change between
/// firmware, bootloader and ROM, the socket does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

impl Place {
    /// A place on a bus, as a person would read it: `usb 1-4.2`, `sim bench`.
    pub fn new(bus: &str, port: &str) -> Self {
        Self(format!("{bus} {port}"))
    }

    /// The text form, which is also what `--camera` accepts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One device as its bus describes it, without opening it.
///
/// All strings come from the device and are untrusted: clean them before a terminal sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The socket it sits in.
    pub place: Place,
    /// Changes with every enumeration: a device that left and came back has another one.
    pub visit: u64,
    /// USB vendor id.
    pub vid: u16,
    /// USB product id.
    pub pid: u16,
    /// `bcdDevice`.
    pub release: u16,
    /// Serial number, where the device has one and the bus tells it.
    pub serial: Option<String>,
    /// Product name.
    pub product: Option<String>,
    /// What the operating system calls it: `/dev/ttyACM0`, `/dev/hidraw0`, `COM3`.
    pub node: Option<String>,
    /// Whether this account may not open its node. Found out without opening it.
    pub denied: bool,
    /// Whether this is a simulated camera. Built-in sample images go nowhere else.
    pub simulated: bool,
}

/// Which function of a device to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The serial console (CDC-ACM) with DTR asserted, at this many baud. The rate is a switch:
    /// OpenMV firmware speaks its own protocol at 921600 and the MicroPython prompt otherwise.
    Console {
        /// Line rate in baud.
        baud: u32,
    },
    /// The HID interface: one report a frame, report id first.
    Hid,
    /// Control transfers to the default endpoint: 8 setup bytes, then the data of an OUT.
    Control,
    /// The disk (mass storage): one bulk transfer a frame, an empty one resets the transport. On
    /// this machine's own ports the system's driver has it, and it cannot be opened this way.
    Disk,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Console { .. } => "serial console",
            Self::Hid => "HID interface",
            Self::Control => "control endpoint",
            Self::Disk => "disk",
        })
    }
}

/// Where devices hang: this machine's ports, a USB/IP server, a simulator in this process.
pub trait Bus: Send + Sync {
    /// Looks, never opens: a camera is not disturbed by being listed.
    ///
    /// # Errors
    /// Only when the bus itself fails; a machine without USB has an empty list.
    fn list(&self) -> Result<Vec<Seen>, LinkError>;

    /// Time since this bus was made.
    fn now(&self) -> Duration;

    /// Whether its clock only moves while somebody waits. Whoever works on such a bus without
    /// being waited for would let years pass.
    fn is_virtual_time(&self) -> bool {
        false
    }

    /// Returns when something may have changed, at the latest at `until`. The caller lists again.
    ///
    /// # Errors
    /// As [`list`](Bus::list).
    fn wait(&self, until: Duration) -> Result<(), LinkError>;

    /// Opens a device for this process alone.
    ///
    /// # Errors
    /// [`LinkError::Busy`] names the holder where that can be found out, [`LinkError::NoAccess`]
    /// the node, [`LinkError::Gone`] if it left since it was seen.
    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError>;
}

/// One opened device. Its functions (console, bootloader) are separate links over one opening.
pub trait Device: Send {
    /// Opens one function of it.
    ///
    /// # Errors
    /// [`LinkError::NoFunction`] if the device has none of this kind.
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError>;
}
