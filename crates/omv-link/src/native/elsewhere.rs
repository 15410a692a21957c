//! Systems that do not say which port belongs to which socket: nusb lists the devices, and ids
//! and serial number lead to the ports. Where they lead to two, nothing is chosen.

use std::io;

use hidapi::HidApi;
use nusb::MaybeFuture;
use serialport::SerialPortType;

use super::{Lookup, Node};
use crate::{LinkError, Place, Seen};

/// This system. It has nothing to choose from.
#[derive(Clone, Debug, Default)]
pub struct System {
    _nothing: (),
}

/// Interface class of a CDC communication interface. Source: USB defined class codes.
const CLASS_COMMUNICATION: u8 = 0x02;
/// Interface class of a HID interface. Source: USB defined class codes.
const CLASS_HID: u8 = 0x03;

impl System {
    pub(super) fn list(&self) -> Result<Vec<Seen>, LinkError> {
        let devices = devices()?;
        let mut found: Vec<Seen> = devices.iter().map(as_seen).collect();
        found.sort_by(|a, b| a.place.cmp(&b.place));
        let lonely: Vec<bool> = found.iter().map(|one| twins(&found, one) == 1).collect();
        for (seen, lonely) in found.iter_mut().zip(lonely) {
            if lonely {
                seen.node = only(ports(seen, Node::Console).unwrap_or_default());
            }
        }
        Ok(found)
    }

    pub(super) fn is_here(&self, seen: &Seen) -> bool {
        devices().is_ok_and(|devices| devices.iter().any(|one| is_same(one, seen)))
    }

    pub(super) fn node(&self, seen: &Seen, node: Node) -> Result<Lookup, LinkError> {
        let devices = devices()?;
        let device = devices
            .iter()
            .find(|one| is_same(one, seen))
            .ok_or(LinkError::Gone)?;
        let class = match node {
            Node::Console => CLASS_COMMUNICATION,
            Node::Hid => CLASS_HID,
        };
        let all: Vec<Seen> = devices.iter().map(as_seen).collect();
        let mut candidates = ports(seen, node)?;
        if twins(&all, seen) > 1 || candidates.len() > 1 {
            return Err(LinkError::Io {
                doing: "telling two devices with the same ids apart".to_owned(),
                source: io::Error::other("this system does not say which port is whose"),
            });
        }
        Ok(match candidates.pop() {
            Some(name) => Lookup::Found(name),
            None if device.interfaces().any(|one| one.class() == class) => Lookup::NotYet,
            None => Lookup::Never,
        })
    }

    pub(super) fn control(&self, seen: &Seen) -> Result<(nusb::DeviceInfo, String), LinkError> {
        let device = devices()?
            .into_iter()
            .find(|one| is_same(one, seen))
            .ok_or(LinkError::Gone)?;
        Ok((device, seen.place.to_string()))
    }

    /// Not to be found out here without tools of the system.
    pub(super) fn holder(&self, _node: &str) -> Option<String> {
        None
    }
}

fn devices() -> Result<Vec<nusb::DeviceInfo>, LinkError> {
    match nusb::list_devices().wait() {
        Ok(devices) => Ok(devices.collect()),
        Err(error) => Err(LinkError::Io {
            doing: "listing USB devices".to_owned(),
            source: error.into(),
        }),
    }
}

fn as_seen(device: &nusb::DeviceInfo) -> Seen {
    let chain: Vec<String> = device.port_chain().iter().map(u8::to_string).collect();
    Seen {
        place: Place::new("usb", &format!("{}-{}", device.bus_id(), chain.join("."))),
        visit: u64::from(device.device_address()),
        vid: device.vendor_id(),
        pid: device.product_id(),
        release: device.device_version(),
        serial: device.serial_number().map(str::to_owned),
        product: device.product_string().map(str::to_owned),
        node: None,
        denied: false,
        simulated: false,
    }
}

fn is_same(device: &nusb::DeviceInfo, seen: &Seen) -> bool {
    let other = as_seen(device);
    other.place == seen.place && other.visit == seen.visit
}

/// How many devices carry these ids and this serial number.
fn twins(all: &[Seen], seen: &Seen) -> usize {
    all.iter()
        .filter(|one| (one.vid, one.pid, &one.serial) == (seen.vid, seen.pid, &seen.serial))
        .count()
}

/// The ports with these ids and this serial number.
fn ports(seen: &Seen, node: Node) -> Result<Vec<String>, LinkError> {
    let listing = |source| LinkError::Io {
        doing: "listing ports".to_owned(),
        source,
    };
    // Windows shows the serial number of a port in capitals.
    let is_serial = |serial: Option<&str>| match (&seen.serial, serial) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(serial)) => wanted.eq_ignore_ascii_case(serial),
    };
    let mut ports: Vec<String> = match node {
        Node::Console => serialport::available_ports()
            .map_err(|error| listing(error.into()))?
            .into_iter()
            .filter(|port| match &port.port_type {
                SerialPortType::UsbPort(usb) => {
                    (usb.vid, usb.pid) == (seen.vid, seen.pid)
                        && is_serial(usb.serial_number.as_deref())
                }
                _ => false,
            })
            .map(|port| port.port_name)
            // macOS lists each port twice; the one to dial in on waits for a carrier.
            .filter(|name| !name.starts_with("/dev/tty."))
            .collect(),
        Node::Hid => HidApi::new()
            .map_err(|error| listing(io::Error::other(error.to_string())))?
            .device_list()
            .filter(|one| (one.vendor_id(), one.product_id()) == (seen.vid, seen.pid))
            .filter(|one| is_serial(one.serial_number()))
            .filter_map(|one| one.path().to_str().ok().map(str::to_owned))
            .collect(),
    };
    // A HID interface is listed once per usage.
    ports.sort();
    ports.dedup();
    Ok(ports)
}

fn only(mut names: Vec<String>) -> Option<String> {
    if names.len() == 1 { names.pop() } else { None }
}
