//! How a server describes a device, and by what name a client asks for it.

use std::fmt;

use super::codec::{MAX_DEVICES, OpHead, OpStatus, op, speed_code, speed_of};
use crate::Malformed;
use crate::usb::{Configuration, DeviceDescriptor, Speed};

/// Bytes of the path field, its closing NUL included.
const PATH_LEN: usize = 256;

/// A device's name on its server, like `1-1`: one to 31 bytes of text without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusId(String);

impl BusId {
    /// Bytes of the field, at least one NUL included.
    pub const LEN: usize = 32;

    /// Takes a name.
    ///
    /// # Errors
    /// [`Malformed::Field`] with its length when it is empty or too long, and with the character
    /// when it holds a control character.
    pub fn new(name: &str) -> Result<Self, Malformed> {
        let wrong = |value: u64| Malformed::Field {
            field: "busid",
            value,
        };
        if name.is_empty() || name.len() >= Self::LEN {
            return Err(wrong(name.len() as u64));
        }
        if let Some(bad) = name.chars().find(|c| c.is_control()) {
            return Err(wrong(u32::from(bad).into()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the field: text up to the first NUL.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when there is no NUL or the text is not UTF-8.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Malformed> {
        let name = until_nul(bytes).and_then(|text| std::str::from_utf8(text).ok());
        Self::new(name.ok_or(Malformed::Field {
            field: "busid",
            value: Self::LEN as u64,
        })?)
    }

    /// Writes the field, padded with NUL.
    pub fn encode(&self) -> [u8; Self::LEN] {
        padded(self.0.as_bytes())
    }
}

impl fmt::Display for BusId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..bytes.iter().position(|&b| b == 0)?)
}

fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
    field
}

/// A device as a server announces it. The numbers are for listing; drivers believe only the
/// descriptors they read later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Free text, customarily a path in sysfs; cut to 255 bytes and at a NUL when sent.
    pub path: String,
    /// The name to import it by.
    pub busid: BusId,
    /// `busnum`, 16 bits of it used in [`devid`](Self::devid).
    pub busnum: u32,
    /// `devnum`, likewise.
    pub devnum: u32,
    /// `None` where the server does not know.
    pub speed: Option<Speed>,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`.
    pub version: u16,
    /// `bDeviceClass`, `bDeviceSubClass`, `bDeviceProtocol`.
    pub class: [u8; 3],
    /// `bConfigurationValue` of the active configuration.
    pub configuration: u8,
    /// `bNumConfigurations`.
    pub configurations: u8,
    /// `bNumInterfaces`.
    pub interface_count: u8,
    /// Class, subclass and protocol of each interface. Only a list carries them: empty after an
    /// import. A list is sent with exactly `interface_count` of them, missing ones as zeros.
    pub interfaces: Vec<[u8; 3]>,
}

impl DeviceRecord {
    /// Bytes of a record, without what a list adds for each interface.
    pub const LEN: usize = 312;
    /// Bytes a list adds for each interface: class, subclass, protocol, zero.
    pub const INTERFACE_LEN: usize = 4;

    /// Describes a device by its descriptors, as number 1 of bus 1.
    pub fn new(
        busid: BusId,
        speed: Speed,
        device: &DeviceDescriptor,
        active: &Configuration,
    ) -> Self {
        let interfaces: Vec<_> = active
            .interfaces
            .iter()
            .filter(|i| i.alternate == 0)
            .map(|i| [i.class, i.subclass, i.protocol])
            .collect();
        Self {
            path: format!("/sys/devices/virtual/omv/{busid}"),
            busid,
            busnum: 1,
            devnum: 1,
            speed: Some(speed),
            vendor: device.vendor,
            product: device.product,
            version: device.version,
            class: [device.class, device.subclass, device.protocol],
            configuration: active.value,
            configurations: device.configurations,
            interface_count: u8::try_from(interfaces.len()).unwrap_or(u8::MAX),
            interfaces,
        }
    }

    /// What transfers name the device by: `busnum << 16 | devnum`.
    pub const fn devid(&self) -> u32 {
        self.busnum << 16 | self.devnum & 0xFFFF
    }

    /// Reads a record; [`interfaces`](Self::interfaces) stays empty.
    ///
    /// # Errors
    /// [`Malformed::Field`] for a bus id that is none. A path that is not text is mended.
    ///
    /// Source: Linux Documentation/usb/usbip_protocol.rst, OP_REP_IMPORT.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Malformed> {
        let short = Malformed::Short {
            need: Self::LEN,
            got: bytes.len(),
        };
        let (path, rest) = bytes.split_first_chunk::<PATH_LEN>().ok_or(short)?;
        let (busid, rest) = rest.split_first_chunk::<{ BusId::LEN }>().ok_or(short)?;
        let (words, rest) = rest.split_first_chunk::<12>().ok_or(short)?;
        let &[b0, b1, b2, b3, d0, d1, d2, d3, s0, s1, s2, s3] = words;
        let &[
            v0,
            v1,
            p0,
            p1,
            r0,
            r1,
            class,
            subclass,
            protocol,
            configuration,
            configurations,
            interface_count,
        ] = rest.first_chunk::<12>().ok_or(short)?;
        Ok(Self {
            path: String::from_utf8_lossy(until_nul(path).unwrap_or(path)).into_owned(),
            busid: BusId::decode(busid)?,
            busnum: u32::from_be_bytes([b0, b1, b2, b3]),
            devnum: u32::from_be_bytes([d0, d1, d2, d3]),
            speed: speed_of(u32::from_be_bytes([s0, s1, s2, s3])),
            vendor: u16::from_be_bytes([v0, v1]),
            product: u16::from_be_bytes([p0, p1]),
            version: u16::from_be_bytes([r0, r1]),
            class: [class, subclass, protocol],
            configuration,
            configurations,
            interface_count,
            interfaces: Vec::new(),
        })
    }

    /// Writes the 312 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let path = self.path.split('\0').next().unwrap_or_default();
        let mut cut = path.len().min(PATH_LEN - 1);
        while !path.is_char_boundary(cut) {
            cut -= 1;
        }
        let path: [u8; PATH_LEN] = padded(path.get(..cut).unwrap_or_default().as_bytes());
        let mut bytes = path.to_vec();
        bytes.extend(self.busid.encode());
        let speed = self.speed.map_or(0, speed_code);
        for word in [self.busnum, self.devnum, speed] {
            bytes.extend(word.to_be_bytes());
        }
        for half in [self.vendor, self.product, self.version] {
            bytes.extend(half.to_be_bytes());
        }
        bytes.extend(self.class);
        bytes.extend([
            self.configuration,
            self.configurations,
            self.interface_count,
        ]);
        bytes
    }

    /// Reads what a list adds for one interface. The fourth byte is padding.
    pub const fn decode_interface(bytes: &[u8; Self::INTERFACE_LEN]) -> [u8; 3] {
        let &[class, subclass, protocol, _] = bytes;
        [class, subclass, protocol]
    }
}

/// Writes OP_REP_DEVLIST for the first [`MAX_DEVICES`] devices.
pub(super) fn encode_devlist(devices: &[DeviceRecord]) -> Vec<u8> {
    let head = OpHead {
        code: op::REP_DEVLIST,
        status: OpStatus::Ok,
    };
    let count = u32::try_from(devices.len()).map_or(MAX_DEVICES, |n| n.min(MAX_DEVICES));
    let mut bytes = head.encode().to_vec();
    bytes.extend(count.to_be_bytes());
    for device in devices.iter().take(count as usize) {
        bytes.extend(device.encode());
        let known = device.interfaces.iter().copied();
        for [class, subclass, protocol] in known
            .chain(std::iter::repeat([0; 3]))
            .take(device.interface_count.into())
        {
            bytes.extend([class, subclass, protocol, 0]);
        }
    }
    bytes
}
