//! Linux: what the kernel tells about USB devices, read from sysfs. All facts about Linux paths
//! are in this file.
//!
//! ```text
//!   /sys/bus/usb/devices/1-4.2/                     a device: bus 1, port 4, then port 2
//!       idVendor idProduct bcdDevice                hexadecimal text
//!       busnum devnum serial product
//!       1-4.2:1.0/bInterfaceClass                   one folder per interface
//!       1-4.2:1.0/tty/ttyACM0/                      the console's node is /dev/ttyACM0
//!       1-4.2:1.0/0003:15A2:0073.0001/hidraw/hidraw0/
//! ```
//!
//! Topology is the join key. Two cameras in a bootloader without serial numbers differ by
//! nothing else, and each socket here leads straight to its own nodes.
//!
//! Source: Linux kernel, Documentation/ABI/stable/sysfs-bus-usb.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Lookup, Node};
use rustix::fs::Access;

use crate::{LinkError, Place, Seen};

/// sysfs never gives more for one attribute: a page.
const ATTRIBUTE_LIMIT: u64 = 4096;

/// Interface class of a CDC communication interface. Source: USB defined class codes.
const CLASS_COMMUNICATION: u8 = 0x02;
/// Interface class of a HID interface. Source: USB defined class codes.
const CLASS_HID: u8 = 0x03;

/// The three trees of a Linux system this crate reads. Tests put a made-up one in their place.
#[derive(Clone, Debug)]
pub struct System {
    /// Normally `/sys`.
    pub sys: PathBuf,
    /// Normally `/dev`.
    pub dev: PathBuf,
    /// Normally `/proc`.
    pub processes: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
            processes: "/proc".into(),
        }
    }
}

impl System {
    fn devices(&self) -> PathBuf {
        self.sys.join("bus/usb/devices")
    }

    /// Every USB device but the root hubs, in order of their sockets. A device that leaves while
    /// being read is left out.
    pub(super) fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let folder = self.devices();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A machine (or container) without USB.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(LinkError::Io {
                    doing: format!("listing {}", folder.display()),
                    source,
                });
            }
        };
        let mut found: Vec<Seen> = entries
            .flatten()
            .filter_map(|entry| {
                let port = entry.file_name().into_string().ok()?;
                is_port(&port).then(|| self.device(&port))?
            })
            .collect();
        found.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(found)
    }

    fn device(&self, port: &str) -> Option<Seen> {
        let folder = self.devices().join(port);
        let lookups = [Node::Console, Node::Hid].map(|node| find_node(&folder, port, node));
        let node = lookups.iter().find_map(|lookup| match lookup {
            Lookup::Found(name) => Some(self.dev.join(name).to_string_lossy().into_owned()),
            Lookup::NotYet | Lookup::Never => None,
        });
        // Bootloaders and ROMs with DFU have no other way in than the device itself. A node that is
        // not there yet is no refusal.
        let alone = lookups.iter().all(|lookup| *lookup == Lookup::Never);
        let usb = || self.usb_node(&folder).filter(|_| alone);
        let asked = node
            .clone()
            .or_else(usb)
            .as_deref()
            .map(|node| rustix::fs::access(node, Access::READ_OK | Access::WRITE_OK));
        Some(Seen {
            place: Place::new("usb", port),
            visit: text(&folder, "devnum")?.parse().ok()?,
            vid: hexadecimal(&folder, "idVendor")?,
            pid: hexadecimal(&folder, "idProduct")?,
            release: hexadecimal(&folder, "bcdDevice")?,
            serial: text(&folder, "serial"),
            product: text(&folder, "product"),
            node,
            denied: asked.is_some_and(|asked| asked == Err(rustix::io::Errno::ACCESS)),
            simulated: false,
        })
    }

    /// The node of a device itself.
    fn usb_node(&self, folder: &Path) -> Option<String> {
        let bus: u8 = text(folder, "busnum")?.parse().ok()?;
        let number: u16 = text(folder, "devnum")?.parse().ok()?;
        let node = self.dev.join(format!("bus/usb/{bus:03}/{number:03}"));
        Some(node.to_string_lossy().into_owned())
    }

    /// Whether this very visit of the device still goes on.
    pub(super) fn is_here(&self, seen: &Seen) -> bool {
        let Some(port) = port_of(seen) else {
            return false;
        };
        text(&self.devices().join(port), "devnum").and_then(|number| number.parse().ok())
            == Some(seen.visit)
    }

    /// The node of one function of a device.
    pub(super) fn node(&self, seen: &Seen, node: Node) -> Result<Lookup, LinkError> {
        let port = port_of(seen).ok_or(LinkError::Gone)?;
        if !self.is_here(seen) {
            return Err(LinkError::Gone);
        }
        Ok(match find_node(&self.devices().join(port), port, node) {
            Lookup::Found(name) => {
                Lookup::Found(self.dev.join(name).to_string_lossy().into_owned())
            }
            other => other,
        })
    }

    /// Where control transfers go, and the name of its node for messages.
    pub(super) fn control(&self, seen: &Seen) -> Result<(nusb::DeviceInfo, String), LinkError> {
        use nusb::MaybeFuture;

        let port = port_of(seen).ok_or(LinkError::Gone)?;
        let bus: u8 = text(&self.devices().join(port), "busnum")
            .and_then(|number| number.parse().ok())
            .ok_or(LinkError::Gone)?;
        let node = self
            .dev
            .join(format!("bus/usb/{bus:03}/{:03}", seen.visit))
            .to_string_lossy()
            .into_owned();
        let device = nusb::list_devices()
            .wait()
            .map_err(|error| LinkError::Io {
                doing: "listing USB devices".to_owned(),
                source: error.into(),
            })?
            .find(|one| one.busnum() == bus && u64::from(one.device_address()) == seen.visit)
            .ok_or(LinkError::Gone)?;
        Ok((device, node))
    }

    /// Which process has a node open: `name (process N)`. Only processes of the same user can be
    /// looked into, so not finding one means nothing.
    pub(super) fn holder(&self, node: &str) -> Option<String> {
        let node = fs::canonicalize(node).ok()?;
        fs::read_dir(&self.processes)
            .ok()?
            .flatten()
            .find_map(|entry| {
                let process: u32 = entry.file_name().to_str()?.parse().ok()?;
                let opened = fs::read_dir(entry.path().join("fd")).ok()?;
                opened
                    .flatten()
                    .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))
                    .then(|| match text(&entry.path(), "comm") {
                        Some(name) => format!("{name} (process {process})"),
                        None => format!("process {process}"),
                    })
            })
    }
}

/// The port chain of a place on this machine's own bus.
fn port_of(seen: &Seen) -> Option<&str> {
    seen.place
        .as_str()
        .strip_prefix("usb ")
        .filter(|port| is_port(port))
}

/// `1-4.2`: a device. Not `usb1`, a root hub, nor `1-4.2:1.0`, an interface, nor a path.
fn is_port(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('-')
        .is_some_and(|(bus, chain)| number(bus) && chain.split('.').all(number))
}

/// Looks through the interfaces, lowest number first, for a node of this kind.
fn find_node(device: &Path, port: &str, node: Node) -> Lookup {
    let class = match node {
        Node::Console => CLASS_COMMUNICATION,
        Node::Hid => CLASS_HID,
    };
    let prefix = format!("{port}:");
    let interfaces: Vec<String> = names(device)
        .into_iter()
        .filter(|name| name.starts_with(&prefix))
        .collect();
    // Before the kernel has made the interfaces, nothing can be said about them.
    let mut fallback = if interfaces.is_empty() {
        Lookup::NotYet
    } else {
        Lookup::Never
    };
    for interface in interfaces {
        let folder = device.join(interface);
        let found = match node {
            Node::Console => names(&folder.join("tty")).into_iter().next(),
            Node::Hid => names(&folder)
                .into_iter()
                .find_map(|child| names(&folder.join(child).join("hidraw")).into_iter().next()),
        };
        if let Some(name) = found {
            return Lookup::Found(name);
        }
        let is_class = text(&folder, "bInterfaceClass")
            .and_then(|digits| u8::from_str_radix(&digits, 16).ok())
            .is_some_and(|number| number == class);
        if is_class {
            fallback = Lookup::NotYet;
        }
    }
    fallback
}

/// The sorted names in a folder; none if it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// One attribute without its line end. Device strings need not be valid text.
fn text(folder: &Path, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(folder.join(name))
        .ok()?
        .take(ATTRIBUTE_LIMIT)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(
        String::from_utf8_lossy(&bytes)
            .trim_end_matches('\n')
            .to_owned(),
    )
}

fn hexadecimal(folder: &Path, name: &str) -> Option<u16> {
    u16::from_str_radix(text(folder, name)?.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::is_port;

    #[test]
    fn only_devices_are_ports() {
        assert!(is_port("1-4.2") && is_port("12-1") && is_port("3-1.2.3.4"));
        for other in [
            "usb1",
            "1-4.2:1.0",
            "1-",
            "-1",
            "1-4..2",
            "1-../../x",
            "1-4/2",
            "",
        ] {
            assert!(!is_port(other), "{other}");
        }
    }
}
