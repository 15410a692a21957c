//! Writing configuration descriptors, for virtual cameras.

use std::collections::BTreeSet;

use super::configuration::{Association, Configuration, Transfer};
use super::descriptor::kind;
use super::{CdcFunctional, HidDescriptor};
use crate::Malformed;

/// Writes a configuration piece by piece and fills in every length and count itself.
///
/// # Example
/// ```
/// use omv_wire::usb::{ConfigurationBuilder, HidDescriptor, Transfer};
/// let hid = HidDescriptor { version: 0x0100, country: 0, report_length: 76 };
/// let bytes = ConfigurationBuilder::new(1)
///     .self_powered()
///     .max_power(50)
///     .interface(0, 0, [3, 0, 0], 3)
///     .hid(hid)
///     .endpoint(0x81, Transfer::Interrupt, 64, 1)
///     .endpoint(0x02, Transfer::Interrupt, 64, 1)
///     .finish()?;
/// assert_eq!(bytes[..9], [9, 2, 41, 0, 1, 1, 0, 0xC0, 50]);
/// # Ok::<(), omv_wire::Malformed>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfigurationBuilder {
    value: u8,
    string: u8,
    attributes: u8,
    max_power: u8,
    numbers: BTreeSet<u8>,
    done: Vec<u8>,
    setting: Option<Setting>,
}

/// The alternate setting being written: its endpoints are not all known yet.
#[derive(Clone, Debug)]
struct Setting {
    /// `bLength` to `bAlternateSetting`.
    before: [u8; 4],
    /// `bNumEndpoints`, which stands between the two halves.
    endpoints: u8,
    /// `bInterfaceClass` to `iInterface`.
    after: [u8; 4],
    body: Vec<u8>,
}

impl ConfigurationBuilder {
    /// Begins the configuration that `SET_CONFIGURATION(value)` selects: bus powered, 100 mA.
    pub fn new(value: u8) -> Self {
        Self {
            value,
            string: 0,
            attributes: 0x80,
            max_power: 50,
            numbers: BTreeSet::new(),
            done: Vec::new(),
            setting: None,
        }
    }

    /// Sets `iConfiguration`.
    #[must_use]
    pub fn string(mut self, index: u8) -> Self {
        self.string = index;
        self
    }

    /// Says that the device has its own supply.
    #[must_use]
    pub fn self_powered(mut self) -> Self {
        self.attributes |= 0x40;
        self
    }

    /// Says that the device may wake the host.
    #[must_use]
    pub fn remote_wakeup(mut self) -> Self {
        self.attributes |= 0x20;
        self
    }

    /// Sets `bMaxPower`, in steps of 2 mA.
    #[must_use]
    pub fn max_power(mut self, steps: u8) -> Self {
        self.max_power = steps;
        self
    }

    /// Groups the interfaces that follow.
    #[must_use]
    pub fn association(mut self, a: Association) -> Self {
        self.close();
        let head = [8, kind::INTERFACE_ASSOCIATION, a.first, a.count];
        self.done.extend_from_slice(&head);
        let tail = [a.class, a.subclass, a.protocol, a.string];
        self.done.extend_from_slice(&tail);
        self
    }

    /// Begins an alternate setting; `class` is class, subclass and protocol.
    #[must_use]
    pub fn interface(mut self, number: u8, alternate: u8, class: [u8; 3], string: u8) -> Self {
        self.close();
        self.numbers.insert(number);
        let [class, subclass, protocol] = class;
        self.setting = Some(Setting {
            before: [9, kind::INTERFACE, number, alternate],
            endpoints: 0,
            after: [class, subclass, protocol, string],
            body: Vec::new(),
        });
        self
    }

    /// Adds an endpoint; `address` has bit 7 set for IN, `max_packet` is in bytes.
    #[must_use]
    pub fn endpoint(self, address: u8, transfer: Transfer, max_packet: u16, interval: u8) -> Self {
        let attributes = match transfer {
            Transfer::Control => 0,
            Transfer::Isochronous => 1,
            Transfer::Bulk => 2,
            Transfer::Interrupt => 3,
        };
        let [m0, m1] = max_packet.to_le_bytes();
        let mut next = self.raw(&[7, kind::ENDPOINT, address, attributes, m0, m1, interval]);
        if let Some(setting) = &mut next.setting {
            setting.endpoints = setting.endpoints.saturating_add(1);
        }
        next
    }

    /// Adds the functional descriptors of a CDC-ACM control interface.
    #[must_use]
    pub fn cdc(self, functional: CdcFunctional) -> Self {
        self.raw(&functional.encode())
    }

    /// Adds a HID descriptor.
    #[must_use]
    pub fn hid(self, hid: HidDescriptor) -> Self {
        self.raw(&hid.encode())
    }

    /// Adds whole descriptors as they are, for instance a DFU functional descriptor.
    #[must_use]
    pub fn raw(mut self, descriptors: &[u8]) -> Self {
        match &mut self.setting {
            Some(setting) => setting.body.extend_from_slice(descriptors),
            None => self.done.extend_from_slice(descriptors),
        }
        self
    }

    /// Writes the setting being built, now that its endpoints are counted.
    fn close(&mut self) {
        if let Some(setting) = self.setting.take() {
            self.done.extend_from_slice(&setting.before);
            self.done.push(setting.endpoints);
            self.done.extend_from_slice(&setting.after);
            self.done.extend_from_slice(&setting.body);
        }
    }

    /// Gives the bytes a device answers `GET_DESCRIPTOR` with.
    ///
    /// # Errors
    /// [`Malformed`] when [`Configuration::decode`] would refuse them, or they are too long.
    pub fn finish(mut self) -> Result<Vec<u8>, Malformed> {
        self.close();
        let total = Configuration::HEAD_LEN + self.done.len();
        let [t0, t1] = u16::try_from(total)
            .map_err(|_| Malformed::Field {
                field: "wTotalLength",
                value: total as u64,
            })?
            .to_le_bytes();
        let interfaces = u8::try_from(self.numbers.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![9, kind::CONFIGURATION, t0, t1, interfaces, self.value];
        bytes.extend_from_slice(&[self.string, self.attributes, self.max_power]);
        bytes.extend_from_slice(&self.done);
        Configuration::decode(&bytes)?;
        Ok(bytes)
    }
}
