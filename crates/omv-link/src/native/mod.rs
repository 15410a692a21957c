//! This machine's own USB, HID and serial ports.
//!
//! ```text
//!   list   sysfs (Linux), nusb + serialport (elsewhere)     nothing is opened
//!   open   a lock per socket, shared by all functions       "one job per USB socket"
//!   link   Console  serialport        /dev/ttyACM0, COM3
//!          Hid      hidapi            /dev/hidraw0
//!          Control  nusb              /dev/bus/usb/001/014
//! ```
//!
//! The socket joins the three: bus and port chain lead to the nodes of one device, also where two
//! cameras are alike to the last byte. Systems that do not tell which port belongs to which
//! socket are asked by ids and serial number, and two candidates are refused, never guessed.

mod console;
mod control;
mod drives;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
pub mod health;
mod hid;
#[cfg(unix)]
mod node;
mod opening;
#[cfg(target_os = "linux")]
mod sysfs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nusb::MaybeFuture;

use crate::hold::{self, Hold};
use crate::{Bus, Device, Function, Link, LinkError, Seen};
use console::Console;
use control::Control;
pub use drives::{Drive, drives};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::System;
use hid::Hid;
use opening::{SETTLE, SLICE, Trouble, open_soon};
#[cfg(target_os = "linux")]
pub use sysfs::System;

/// A device that leaves is still listed this long after its first error.
const FAREWELL: Duration = Duration::from_millis(500);

/// The two functions that have a node of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Console,
    Hid,
}

/// What is known about the node of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lookup {
    /// It is this one.
    Found(String),
    /// The device has the function, the system has not made the node yet.
    NotYet,
    /// The device has no such function.
    Never,
}

/// This machine's ports.
pub struct NativeBus {
    started: Instant,
    system: System,
    locks: PathBuf,
    who: String,
}

impl NativeBus {
    /// The real ports. `who` is told to others who find a camera taken: `omv flash`.
    pub fn new(who: &str) -> Self {
        Self::with(System::default(), &hold::default_folder(), who)
    }

    /// Ports of a system whose facts lie elsewhere, with locks in a folder of the caller's
    /// choice.
    pub fn with(system: System, locks: &Path, who: &str) -> Self {
        Self {
            started: Instant::now(),
            system,
            locks: locks.to_owned(),
            who: who.to_owned(),
        }
    }
}

impl Bus for NativeBus {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        self.system.list()
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wait(&self, until: Duration) -> Result<(), LinkError> {
        // Events would have to come from udevd, and containers and small systems have none. A
        // bootloader may stay for only 1.5 s, so nothing is left to chance: the caller looks
        // again every slice, which costs about a millisecond.
        thread::sleep(until.saturating_sub(self.now()).min(SLICE));
        Ok(())
    }

    fn open(&self, seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        if !self.system.is_here(seen) {
            return Err(LinkError::Gone);
        }
        let hold = Hold::take_in(&self.locks, seen.place.as_str(), &self.who)?;
        Ok(Box::new(NativeDevice {
            started: self.started,
            system: self.system.clone(),
            seen: seen.clone(),
            hold: Arc::new(hold),
        }))
    }
}

/// A device of this machine, taken for this process. Its links keep it taken.
struct NativeDevice {
    started: Instant,
    system: System,
    seen: Seen,
    hold: Arc<Hold>,
}

impl NativeDevice {
    /// A question for links: has the device left? Errors run ahead of the listing, so this looks
    /// for a while before it says no. It also keeps the device taken.
    fn has_left(&self) -> impl Fn() -> bool + Send + 'static {
        let (system, seen, hold) = (self.system.clone(), self.seen.clone(), self.hold.clone());
        move || {
            let _ = &hold;
            let end = Instant::now() + FAREWELL;
            while system.is_here(&seen) {
                if Instant::now() >= end {
                    return false;
                }
                thread::sleep(SLICE);
            }
            true
        }
    }

    fn open_node<T>(
        &self,
        function: Function,
        node: Node,
        open: impl FnMut(&str) -> Result<T, Trouble>,
    ) -> Result<T, LinkError> {
        open_soon(
            function,
            || self.system.node(&self.seen, node),
            open,
            |node| self.system.holder(node),
        )
    }

    fn control(&self) -> Result<Box<dyn Link>, LinkError> {
        let end = Instant::now() + SETTLE;
        loop {
            let (device, node) = self.system.control(&self.seen)?;
            let error = match device.open().wait() {
                Ok(device) => {
                    return Ok(Box::new(Control::new(
                        device,
                        self.started,
                        self.has_left(),
                    )));
                }
                Err(error) => error,
            };
            match error.kind() {
                nusb::ErrorKind::PermissionDenied if Instant::now() < end => thread::sleep(SLICE),
                nusb::ErrorKind::PermissionDenied => return Err(LinkError::NoAccess { node }),
                nusb::ErrorKind::Busy => {
                    return Err(LinkError::Busy {
                        holder: self.system.holder(&node),
                    });
                }
                _ => return Err(control::usb_error(&format!("opening {node}"), error)),
            }
        }
    }
}

impl Device for NativeDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        match function {
            Function::Console { baud } => self.open_node(function, Node::Console, |path| {
                let console = Console::open(path, baud, self.started, self.hold.clone())?;
                Ok(Box::new(console) as Box<dyn Link>)
            }),
            Function::Hid => self.open_node(function, Node::Hid, |path| {
                let hid = Hid::open(path, self.started, self.has_left())?;
                Ok(Box::new(hid) as Box<dyn Link>)
            }),
            Function::Control => self.control(),
            // The system's own driver has it, and shows it as a drive.
            Function::Disk => Err(LinkError::NoFunction { function }),
        }
    }
}

/// Opens a serial port by its name (`/dev/pts/3`, `COM3`), with no bus around it.
///
/// # Errors
/// [`LinkError::Busy`] if another process has it, [`LinkError::NoAccess`] if the system denies
/// it for a second, [`LinkError::Io`] if there is no such port for a second.
pub fn open_path(path: &str, baud: u32) -> Result<Box<dyn Link>, LinkError> {
    let started = Instant::now();
    open_soon(
        Function::Console { baud },
        || Ok(Lookup::Found(path.to_owned())),
        |path| Ok(Box::new(Console::open(path, baud, started, ())?) as Box<dyn Link>),
        |path| System::default().holder(path),
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;
    use crate::Place;

    fn device(root: &Path) -> NativeDevice {
        let socket = root.join("bus/usb/devices/1-4");
        fs::create_dir_all(&socket).unwrap();
        for (name, text) in [
            ("idVendor", "15a2"),
            ("idProduct", "0073"),
            ("bcdDevice", "0100"),
            ("devnum", "9"),
        ] {
            fs::write(socket.join(name), text).unwrap();
        }
        let system = System {
            sys: root.to_owned(),
            ..System::default()
        };
        let seen = system.list().unwrap().remove(0);
        assert_eq!(seen.place, Place::new("usb", "1-4"));
        let hold = Hold::take_in(&root.join("locks"), "key", "omv test").unwrap();
        NativeDevice {
            started: Instant::now(),
            system,
            seen,
            hold: Arc::new(hold),
        }
    }

    #[test]
    fn a_device_still_listed_after_its_first_error_may_have_left_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let has_left = device(root.path()).has_left();
        assert!(!has_left());
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                fs::remove_dir_all(root.path().join("bus/usb/devices/1-4")).unwrap();
            });
            assert!(has_left());
        });
    }

    #[test]
    fn a_link_that_only_asks_whether_its_device_left_keeps_it_taken() {
        let root = tempfile::tempdir().unwrap();
        let has_left = device(root.path()).has_left();
        let take = || Hold::take_in(&root.path().join("locks"), "key", "omv test");
        assert!(matches!(take(), Err(LinkError::Busy { .. })));
        drop(has_left);
        take().unwrap();
    }
}
