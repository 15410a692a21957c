//! A configuration and everything inside it.

use std::collections::BTreeSet;

use super::Direction;
use super::descriptor::{descriptors, fixed, kind};
use crate::Malformed;

/// Most interfaces accepted in one configuration. Linux has the same limit
/// (`include/linux/usb.h`, `USB_MAXINTERFACES`).
const MAX_INTERFACES: u8 = 32;

/// Most alternate settings accepted over all interfaces.
const MAX_SETTINGS: usize = 256;

/// How an endpoint moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Requests and answers.
    Control,
    /// A fixed share of the bus, without repair.
    Isochronous,
    /// What the bus has left.
    Bulk,
    /// Asked at fixed times.
    Interrupt,
}

/// One endpoint of an alternate setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `bEndpointAddress`: number 1 to 15, bit 7 set for IN.
    pub address: u8,
    /// `bmAttributes`.
    pub attributes: u8,
    /// `wMaxPacketSize` as sent; see [`packet_size`](Self::packet_size).
    pub max_packet: u16,
    /// `bInterval`, in frames or as a power of two of microframes.
    pub interval: u8,
    /// Whole descriptors that follow this endpoint and belong to it.
    pub extra: Vec<u8>,
}

impl Endpoint {
    /// The number without the direction bit.
    pub const fn number(&self) -> u8 {
        self.address & 0x0F
    }

    /// Which way it goes.
    pub const fn direction(&self) -> Direction {
        Direction::of(self.address)
    }

    /// How it moves data.
    pub const fn transfer(&self) -> Transfer {
        match self.attributes & 3 {
            0 => Transfer::Control,
            1 => Transfer::Isochronous,
            2 => Transfer::Bulk,
            _ => Transfer::Interrupt,
        }
    }

    /// Bytes of one full packet: bits 0 to 10 of `wMaxPacketSize`.
    pub const fn packet_size(&self) -> u16 {
        self.max_packet & 0x07FF
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [_, _, address, attributes, m0, m1, interval] = fixed(bytes, kind::ENDPOINT)?;
        if address & 0x70 != 0 || address & 0x0F == 0 {
            return Err(Malformed::Field {
                field: "bEndpointAddress",
                value: address.into(),
            });
        }
        Ok(Self {
            address,
            attributes,
            max_packet: u16::from_le_bytes([m0, m1]),
            interval,
            extra: Vec::new(),
        })
    }
}

/// One alternate setting of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceSetting {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// `bAlternateSetting`, 0 unless another one was selected.
    pub alternate: u8,
    /// `bInterfaceClass`.
    pub class: u8,
    /// `bInterfaceSubClass`.
    pub subclass: u8,
    /// `bInterfaceProtocol`.
    pub protocol: u8,
    /// `iInterface`, 0 for none. DFU devices name their memories here.
    pub string: u8,
    /// The endpoints, in the order sent.
    pub endpoints: Vec<Endpoint>,
    /// Whole class-specific descriptors between the interface and its first endpoint.
    pub extra: Vec<u8>,
}

impl InterfaceSetting {
    /// The first endpoint that moves data this way.
    pub fn endpoint(&self, transfer: Transfer, direction: Direction) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|e| e.transfer() == transfer && e.direction() == direction)
    }
}

/// Interfaces that make one function together ("IAD").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Association {
    /// `bFirstInterface`.
    pub first: u8,
    /// `bInterfaceCount`.
    pub count: u8,
    /// `bFunctionClass`.
    pub class: u8,
    /// `bFunctionSubClass`.
    pub subclass: u8,
    /// `bFunctionProtocol`.
    pub protocol: u8,
    /// `iFunction`, 0 for none.
    pub string: u8,
}

/// A configuration descriptor with all that `wTotalLength` covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// `bConfigurationValue`, what `SET_CONFIGURATION` names.
    pub value: u8,
    /// `iConfiguration`, 0 for none.
    pub string: u8,
    /// `bmAttributes`: bit 7 always set, bit 6 self-powered, bit 5 remote wakeup.
    pub attributes: u8,
    /// `bMaxPower`, in steps of 2 mA.
    pub max_power: u8,
    /// Groups of interfaces, in the order sent.
    pub associations: Vec<Association>,
    /// Every alternate setting of every interface, in the order sent.
    pub interfaces: Vec<InterfaceSetting>,
    /// Whole descriptors that stand before the first interface and are no association.
    pub extra: Vec<u8>,
}

impl Configuration {
    /// Bytes of the head alone: enough to learn `wTotalLength`.
    pub const HEAD_LEN: usize = 9;

    /// Reads `wTotalLength` from the nine bytes of the head: how much to ask for next.
    ///
    /// # Errors
    /// [`Malformed`] when it is no configuration head, or claims less than itself.
    pub fn total_length(head: &[u8]) -> Result<u16, Malformed> {
        let [_, _, t0, t1, ..] = fixed::<{ Self::HEAD_LEN }>(head, kind::CONFIGURATION)?;
        let total = u16::from_le_bytes([t0, t1]);
        if usize::from(total) < Self::HEAD_LEN {
            return Err(Malformed::Field {
                field: "wTotalLength",
                value: total.into(),
            });
        }
        Ok(total)
    }

    /// Reads a whole configuration, strictly: every count it states must be the count found.
    ///
    /// # Errors
    /// [`Malformed::Short`] when bytes are missing, [`Malformed::Field`] when a length, a type,
    /// an endpoint address or a count is impossible or contradicts the rest.
    ///
    /// Sources: USB 2.0 tables 9-10, 9-12, 9-13; Interface Association Descriptor ECN.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let total = Self::total_length(bytes)?;
        if bytes.len() < usize::from(total) {
            return Err(Malformed::Short {
                need: total.into(),
                got: bytes.len(),
            });
        }
        if bytes.len() > usize::from(total) {
            return Err(Malformed::Field {
                field: "wTotalLength",
                value: total.into(),
            });
        }
        let [length, _, _, _, count, value, string, attributes, max_power] =
            fixed::<{ Self::HEAD_LEN }>(bytes, kind::CONFIGURATION)?;
        if count > MAX_INTERFACES {
            return Err(wrong("bNumInterfaces", count));
        }
        let mut walk = Walk::new(Self {
            value,
            string,
            attributes,
            max_power,
            associations: Vec::new(),
            interfaces: Vec::new(),
            extra: Vec::new(),
        });
        for one in descriptors(bytes.get(usize::from(length)..).unwrap_or_default()) {
            walk.take(one?)?;
        }
        walk.finish(count)
    }

    /// The default setting of an interface.
    pub fn interface(&self, number: u8) -> Option<&InterfaceSetting> {
        self.setting(number, 0)
    }

    /// One alternate setting of an interface.
    pub fn setting(&self, number: u8, alternate: u8) -> Option<&InterfaceSetting> {
        self.interfaces
            .iter()
            .find(|i| i.number == number && i.alternate == alternate)
    }

    /// The first class-specific descriptor of type `kind` in any setting of an interface, before
    /// or after its endpoints. A DFU functional descriptor follows the last alternate setting.
    pub fn class_specific(&self, interface: u8, kind: u8) -> Option<&[u8]> {
        self.interfaces
            .iter()
            .filter(|i| i.number == interface)
            .flat_map(|i| {
                let after = i.endpoints.iter().map(|e| e.extra.as_slice());
                std::iter::once(i.extra.as_slice()).chain(after)
            })
            .flat_map(|extra| descriptors(extra).flatten())
            .find(|one| one.get(1) == Some(&kind))
    }
}

fn wrong(field: &'static str, value: u8) -> Malformed {
    Malformed::Field {
        field,
        value: value.into(),
    }
}

/// A configuration half read, with the counts its interfaces promised.
struct Walk {
    found: Configuration,
    /// `bNumEndpoints` of the setting being read.
    promised: u8,
    settings: BTreeSet<(u8, u8)>,
}

impl Walk {
    fn new(found: Configuration) -> Self {
        Self {
            found,
            promised: 0,
            settings: BTreeSet::new(),
        }
    }

    fn take(&mut self, one: &[u8]) -> Result<(), Malformed> {
        match one.get(1).copied().unwrap_or_default() {
            found @ (kind::DEVICE | kind::CONFIGURATION) => Err(wrong("bDescriptorType", found)),
            kind::INTERFACE => self.interface(one),
            kind::ENDPOINT => self.endpoint(one),
            kind::INTERFACE_ASSOCIATION => {
                let [_, _, first, count, class, subclass, protocol, string] =
                    fixed(one, kind::INTERFACE_ASSOCIATION)?;
                self.found.associations.push(Association {
                    first,
                    count,
                    class,
                    subclass,
                    protocol,
                    string,
                });
                Ok(())
            }
            _ => {
                self.extra().extend_from_slice(one);
                Ok(())
            }
        }
    }

    /// Where a descriptor without a place of its own belongs: to whatever stood before it.
    fn extra(&mut self) -> &mut Vec<u8> {
        let Some(setting) = self.found.interfaces.last_mut() else {
            return &mut self.found.extra;
        };
        match setting.endpoints.last_mut() {
            Some(endpoint) => &mut endpoint.extra,
            None => &mut setting.extra,
        }
    }

    fn interface(&mut self, one: &[u8]) -> Result<(), Malformed> {
        self.check_endpoints()?;
        let [
            _,
            _,
            number,
            alternate,
            promised,
            class,
            subclass,
            protocol,
            string,
        ] = fixed(one, kind::INTERFACE)?;
        if self.settings.len() >= MAX_SETTINGS || !self.settings.insert((number, alternate)) {
            return Err(wrong("bAlternateSetting", alternate));
        }
        self.promised = promised;
        self.found.interfaces.push(InterfaceSetting {
            number,
            alternate,
            class,
            subclass,
            protocol,
            string,
            endpoints: Vec::new(),
            extra: Vec::new(),
        });
        Ok(())
    }

    fn endpoint(&mut self, one: &[u8]) -> Result<(), Malformed> {
        let endpoint = Endpoint::decode(one)?;
        let Some(setting) = self.found.interfaces.last_mut() else {
            return Err(wrong("bDescriptorType", kind::ENDPOINT));
        };
        let known = setting.endpoints.iter();
        if known.clone().any(|e| e.address == endpoint.address) {
            return Err(wrong("bEndpointAddress", endpoint.address));
        }
        setting.endpoints.push(endpoint);
        Ok(())
    }

    /// Checks that the setting just read has as many endpoints as it promised.
    fn check_endpoints(&self) -> Result<(), Malformed> {
        match self.found.interfaces.last() {
            Some(setting) if setting.endpoints.len() != usize::from(self.promised) => {
                Err(wrong("bNumEndpoints", self.promised))
            }
            _ => Ok(()),
        }
    }

    fn finish(self, promised: u8) -> Result<Configuration, Malformed> {
        self.check_endpoints()?;
        let numbers: BTreeSet<u8> = self.settings.iter().map(|&(number, _)| number).collect();
        if numbers.len() != usize::from(promised) {
            return Err(wrong("bNumInterfaces", promised));
        }
        Ok(self.found)
    }
}
