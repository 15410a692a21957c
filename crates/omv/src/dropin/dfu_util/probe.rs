//! Which alternate settings of which devices are meant.
//!
//! Source: dfu-util 0.11, src/dfu_util.c `probe_configuration`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use omv_boards::{Speak, UsbId};
use omv_link::{Bus, Device, Function, Link, LinkError, Seen, drive};
use omv_wire::dfu::{Functional, describe};

use super::lines::Say;
use super::link_name;
use super::options::{Alternate, Given};

/// An opened device; what its memories share.
pub struct Opened {
    /// Its control endpoint.
    pub link: Box<dyn Link>,
    // Dropped last: it is what holds the device for this process.
    _device: Box<dyn Device>,
}

/// One alternate setting of a device in DFU mode.
pub struct Found {
    /// The device.
    pub opened: Rc<RefCell<Opened>>,
    pub vid: u16,
    pub pid: u16,
    pub release: u16,
    pub devnum: u64,
    pub path: String,
    pub serial: String,
    pub configuration: u8,
    pub interface: u8,
    pub functional: Functional,
    pub alternate: u8,
    /// Its name, cleaned.
    pub name: String,
    /// Its name as it is, for those who read a map out of it.
    pub map: String,
}

impl Found {
    /// Whether both belong to one device.
    pub fn shares_device(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.opened, &other.opened)
    }

    /// The line of the list.
    pub fn line(&self) -> String {
        format!(
            "Found DFU: [{:04x}:{:04x}] ver={:04x}, devnum={}, cfg={}, intf={}, path=\"{}\", alt={}, name=\"{}\", serial=\"{}\"",
            self.vid,
            self.pid,
            self.release,
            self.devnum,
            self.configuration,
            self.interface,
            self.path,
            self.alternate,
            self.name,
            self.serial
        )
    }
}

/// Everything that fits, the last one of each device first.
pub fn probe(given: &Given, buses: &[Arc<dyn Bus>], say: &mut Say<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for bus in buses {
        // A simulator that just went away must not hide the others.
        for seen in bus.list().unwrap_or_default() {
            if !may_be_meant(given, &seen) {
                continue;
            }
            match look(given, &**bus, &seen) {
                Ok(found) => all.extend(found),
                Err(Some(error)) => say.warn(&format!(
                    "Cannot open DFU device {:04x}:{:04x} found on devnum {} ({})",
                    seen.vid,
                    seen.pid,
                    seen.visit,
                    link_name(&error)
                )),
                Err(None) => {}
            }
        }
    }
    all.reverse();
    all
}

/// Where a device sits, as scripts name it: `1-4.2`.
fn path(seen: &Seen) -> &str {
    let place = seen.place.as_str();
    place.strip_prefix("usb ").unwrap_or(place)
}

/// Whether a device is worth opening: one that a camera could be, or that is asked for by ids. The
/// owner's keyboard is none of our business.
fn may_be_meant(given: &Given, seen: &Seen) -> bool {
    let fits = given.ids.fit(seen.vid, seen.pid)
        && given
            .path
            .as_deref()
            .is_none_or(|wanted| wanted == path(seen))
        && given.devnum.is_none_or(|wanted| wanted == seen.visit);
    let named = given.ids.vendor.is_some() && given.ids.product.is_some();
    let id = UsbId {
        vid: seen.vid,
        pid: seen.pid,
    };
    let speaks_dfu = || {
        let mut all = omv_boards::candidates(id, seen.serial.as_deref()).into_iter();
        all.any(|one| matches!(one.identity.speak, Speak::Dfu | Speak::DfuSe))
    };
    fits && (named || speaks_dfu())
}

/// The alternates of one device that fit. No error is one that means nothing to anybody: a device
/// without a DFU interface, or one that went.
fn look(given: &Given, bus: &dyn Bus, seen: &Seen) -> Result<Vec<Found>, Option<LinkError>> {
    let mut device = match bus.open(seen) {
        Err(LinkError::Gone) => return Err(None),
        other => other?,
    };
    let mut link = device.link(Function::Control)?;
    let described = match drive(&mut describe(Default::default()), &mut *link) {
        Ok(Ok(described)) => described,
        _ => return Err(None),
    };
    let opened = Rc::new(RefCell::new(Opened {
        link,
        _device: device,
    }));
    let (configuration, interface) = (described.configuration, described.interface);
    let serial = seen.serial.as_deref().map(plain).filter(|s| !s.is_empty());
    let serial = serial.unwrap_or_else(|| "UNKNOWN".into());
    let fits = given
        .configuration
        .is_none_or(|one| one == u32::from(configuration.value))
        && given
            .interface
            .is_none_or(|one| one == u32::from(interface.number))
        && given.serial.as_ref().is_none_or(|one| *one == serial);
    if !fits {
        return Ok(Vec::new());
    }
    let found = interface.alternates.iter().map(|one| Found {
        opened: Rc::clone(&opened),
        vid: seen.vid,
        pid: seen.pid,
        release: seen.release,
        devnum: seen.visit,
        path: path(seen).to_owned(),
        serial: serial.clone(),
        configuration: configuration.value,
        interface: interface.number,
        functional: interface.functional,
        alternate: one.number,
        name: match one.name.is_empty() {
            true => "UNKNOWN".into(),
            false => plain(&one.name),
        },
        map: one.name.clone(),
    });
    let wanted = |found: &Found| match &given.alternate {
        None => true,
        Some(Alternate::Number(number)) => *number == u32::from(found.alternate),
        Some(Alternate::Name(name)) => *name == found.name,
    };
    Ok(found.filter(wanted).collect())
}

/// What a device says of itself, one question mark for each character that is no ASCII.
fn plain(text: &str) -> String {
    let one = |c: char| {
        if c.is_ascii() && !c.is_control() {
            c
        } else {
            '?'
        }
    };
    text.chars().map(one).collect()
}
