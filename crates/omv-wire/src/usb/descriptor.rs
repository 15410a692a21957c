//! Walking descriptors, and the one that describes the device.

use crate::Malformed;

/// Values of `bDescriptorType`. Sources: USB 2.0 table 9-5; USB 3.2 table 9-6 (association, BOS);
/// HID 1.11 section 7.1; CDC 1.2 section 5.2.3.
pub mod kind {
    /// The device, 18 bytes.
    pub const DEVICE: u8 = 0x01;
    /// A configuration with all it contains.
    pub const CONFIGURATION: u8 = 0x02;
    /// A text.
    pub const STRING: u8 = 0x03;
    /// One alternate setting of an interface.
    pub const INTERFACE: u8 = 0x04;
    /// An endpoint.
    pub const ENDPOINT: u8 = 0x05;
    /// How a high-speed device would look at the other speed.
    pub const DEVICE_QUALIFIER: u8 = 0x06;
    /// A group of interfaces that make one function.
    pub const INTERFACE_ASSOCIATION: u8 = 0x0B;
    /// The binary object store, asked for when `bcdUSB` is 0x0201 or more.
    pub const BOS: u8 = 0x0F;
    /// HID; a DFU interface uses the same number for its functional descriptor.
    pub const HID: u8 = 0x21;
    /// DFU functional descriptor; HID uses the same number.
    pub const DFU_FUNCTIONAL: u8 = 0x21;
    /// HID report descriptor.
    pub const REPORT: u8 = 0x22;
    /// CDC functional descriptor.
    pub const CLASS_INTERFACE: u8 = 0x24;
}

/// Walks descriptors that stand one after another, see [`descriptors`].
#[derive(Clone, Debug)]
pub struct Descriptors<'a> {
    rest: &'a [u8],
}

/// Splits `bytes` at each `bLength`. Each item is one whole descriptor of at least two bytes, its
/// length and type first; after an error the walk is over.
pub const fn descriptors(bytes: &[u8]) -> Descriptors<'_> {
    Descriptors { rest: bytes }
}

impl<'a> Iterator for Descriptors<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let &length = rest.first()?;
        let need = usize::from(length);
        if need < 2 {
            return Some(Err(Malformed::Field {
                field: "bLength",
                value: length.into(),
            }));
        }
        let Some((one, after)) = rest.split_at_checked(need) else {
            return Some(Err(Malformed::Short {
                need,
                got: rest.len(),
            }));
        };
        self.rest = after;
        Some(Ok(one))
    }
}

/// Takes the first `N` bytes of a descriptor after checking its length and type.
pub(super) fn fixed<const N: usize>(bytes: &[u8], kind: u8) -> Result<[u8; N], Malformed> {
    let &start = bytes.first_chunk::<N>().ok_or(Malformed::Short {
        need: N,
        got: bytes.len(),
    })?;
    match bytes {
        &[length, found, ..] if found != kind || usize::from(length) < N => {
            let (field, value) = if found == kind {
                ("bLength", length)
            } else {
                ("bDescriptorType", found)
            };
            Err(Malformed::Field {
                field,
                value: value.into(),
            })
        }
        _ => Ok(start),
    }
}

/// The device descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceDescriptor {
    /// `bcdUSB`, 0x0200 for USB 2.0.
    pub usb_version: u16,
    /// `bDeviceClass`; 0 leaves it to the interfaces, 0xEF/02/01 announces associations.
    pub class: u8,
    /// `bDeviceSubClass`.
    pub subclass: u8,
    /// `bDeviceProtocol`.
    pub protocol: u8,
    /// `bMaxPacketSize0`, bytes: 8, 16, 32 or 64 (9, a power of two, from USB 3 on).
    pub max_packet_0: u8,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`.
    pub version: u16,
    /// `iManufacturer`, 0 for none.
    pub manufacturer_string: u8,
    /// `iProduct`, 0 for none.
    pub product_string: u8,
    /// `iSerialNumber`, 0 for none.
    pub serial_string: u8,
    /// `bNumConfigurations`.
    pub configurations: u8,
}

impl DeviceDescriptor {
    /// Bytes of the descriptor.
    pub const LEN: usize = 18;

    /// Reads the 18 bytes; more are allowed and ignored.
    ///
    /// # Errors
    /// [`Malformed::Short`] for fewer, [`Malformed::Field`] for a wrong type or length, or an
    /// endpoint 0 packet size USB does not know.
    ///
    /// Source: USB 2.0 table 9-8.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [
            _,
            _,
            u0,
            u1,
            class,
            subclass,
            protocol,
            max_packet_0,
            v0,
            v1,
            p0,
            p1,
            d0,
            d1,
            manufacturer_string,
            product_string,
            serial_string,
            configurations,
        ] = fixed::<{ Self::LEN }>(bytes, kind::DEVICE)?;
        if !matches!(max_packet_0, 8 | 9 | 16 | 32 | 64) {
            return Err(Malformed::Field {
                field: "bMaxPacketSize0",
                value: max_packet_0.into(),
            });
        }
        Ok(Self {
            usb_version: u16::from_le_bytes([u0, u1]),
            class,
            subclass,
            protocol,
            max_packet_0,
            vendor: u16::from_le_bytes([v0, v1]),
            product: u16::from_le_bytes([p0, p1]),
            version: u16::from_le_bytes([d0, d1]),
            manufacturer_string,
            product_string,
            serial_string,
            configurations,
        })
    }

    /// Writes the 18 bytes.
    pub const fn encode(&self) -> [u8; Self::LEN] {
        let [u0, u1] = self.usb_version.to_le_bytes();
        let [v0, v1] = self.vendor.to_le_bytes();
        let [p0, p1] = self.product.to_le_bytes();
        let [d0, d1] = self.version.to_le_bytes();
        [
            Self::LEN as u8,
            kind::DEVICE,
            u0,
            u1,
            self.class,
            self.subclass,
            self.protocol,
            self.max_packet_0,
            v0,
            v1,
            p0,
            p1,
            d0,
            d1,
            self.manufacturer_string,
            self.product_string,
            self.serial_string,
            self.configurations,
        ]
    }

    /// Writes the 10-byte qualifier of a high-speed device that looks the same at full speed. A
    /// device that has one speed only stalls the request instead.
    ///
    /// Source: USB 2.0 table 9-9.
    pub const fn qualifier(&self) -> [u8; 10] {
        let [u0, u1] = self.usb_version.to_le_bytes();
        [
            10,
            kind::DEVICE_QUALIFIER,
            u0,
            u1,
            self.class,
            self.subclass,
            self.protocol,
            self.max_packet_0,
            self.configurations,
            0,
        ]
    }
}
