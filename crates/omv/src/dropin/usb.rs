//! Which USB device `-u` means.
//!
//! Source: SPSDK 3.12.0, spsdk/utils/usbfilter.py `NXPUSBDeviceFilter`. A vendor's number alone is
//! taken too, as NXP's older tool in C++ takes it.

use omv_link::Seen;

use super::devices::{Row, is_called};

/// Vendors whose devices may be named by one number: NXP, Freescale, Philips, ARM.
const VENDORS: [u16; 4] = [0x1FC9, 0x15A2, 0x0471, 0x0D28];
/// Digits of the SHA-256 of a path that stand for it.
const HASH: usize = 8;

/// Whether a device is the one that is named: by `VID:PID`, one id, part of its path or the hash
/// of it, its serial number, or the name of a chip of NXP's.
pub fn fits(wanted: &str, chips: &[Row], seen: &Seen) -> bool {
    if wanted.is_empty() {
        return false;
    }
    let lower = wanted.to_lowercase();
    let paths = seen.node.as_deref().into_iter();
    let mut paths = paths.chain([seen.place.as_str()]);
    let on_path = |path: &str| {
        path.to_lowercase().contains(&lower)
            || omv_plan::sha256(path.as_bytes()).get(..HASH) == Some(wanted)
    };
    let serial = seen.serial.as_deref().unwrap_or_default();
    paths.any(on_path)
        || by_number(wanted, seen)
        || serial.to_lowercase() == lower
        || is_called(chips, wanted, (seen.vid, seen.pid))
}

fn by_number(wanted: &str, seen: &Seen) -> bool {
    match wanted.split_once(':') {
        // Both in the same notation.
        Some((vid, pid)) => match (id(vid), id(pid)) {
            (Some((vid, left)), Some((pid, right))) => {
                left == right && (vid, pid) == (seen.vid.into(), seen.pid.into())
            }
            _ => false,
        },
        None => id(wanted).is_some_and(|(number, _)| {
            VENDORS.contains(&seen.vid) && [seen.pid.into(), seen.vid.into()].contains(&number)
        }),
    }
}

/// A number of at most four hexadecimal digits after `0x`, or of at most five decimal ones without
/// a zero before them; and its base.
fn id(text: &str) -> Option<(u32, u32)> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, base, most) = match hex {
        Some(digits) => (digits, 16, 4),
        None if text.starts_with('0') && text.len() > 1 => return None,
        None => (text, 10, 5),
    };
    let plain = digits.chars().all(|digit| digit.is_digit(base));
    if !plain || digits.len() > most {
        return None;
    }
    u32::from_str_radix(digits, base).ok().map(|id| (id, base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropin::devices;
    use omv_link::Place;

    /// Devices and names for them, with the verdict of SPSDK: the conformance test asks it.
    const NAMES: &str = include_str!("../../tests/dropin_conformance/usb.txt");

    fn device(head: &str) -> Seen {
        let words: Vec<&str> = head.split(' ').collect();
        let number = |text: &str| u16::from_str_radix(text, 16).unwrap();
        Seen {
            place: Place::new("usb", "1-4"),
            visit: 1,
            vid: number(words[1]),
            pid: number(words[2]),
            release: 2,
            serial: Some(words[4].into()).filter(|text| text != "-"),
            product: None,
            node: Some(words[3].into()),
            denied: false,
            simulated: false,
        }
    }

    #[test]
    fn a_device_has_the_names_it_has_with_the_real_tool() {
        let mut seen = None;
        let mut chips = devices::BLHOST;
        for line in NAMES.lines().filter(|line| !line.starts_with('#')) {
            if let Some(head) = line.strip_prefix("= ") {
                chips = match head.starts_with("blhost ") {
                    true => devices::BLHOST,
                    false => devices::SDPHOST,
                };
                seen = Some(device(head));
                continue;
            }
            let (mark, name) = line.split_once(' ').unwrap();
            let found = fits(&name.replace(',', ":"), chips, seen.as_ref().unwrap());
            assert_eq!(found, mark != "-", "{line}");
        }
    }

    #[test]
    fn a_place_on_the_bus_is_a_path_too() {
        let seen = device("blhost 15a2 0073 /dev/hidraw3 -");
        assert!(fits("1-4", devices::BLHOST, &seen));
        assert!(!fits("1-5", devices::BLHOST, &seen));
    }
}
