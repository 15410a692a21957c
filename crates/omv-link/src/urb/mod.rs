//! Links to a device that answers URBs: a USB host in user space.
//!
//! ```text
//!   HidLink   ConsoleLink   ControlLink          one per function, all over one opening
//!        \         |          /
//!         UrbDevice: descriptors read, configuration set
//!                  |
//!               Carrier: submit, reap, unlink    over TCP, or a virtual camera in this process
//! ```

mod console;
mod control;
mod disk;
mod hid;
mod pipes;

use std::sync::Arc;
use std::time::Duration;

use omv_wire::usb::{
    Completion, Configuration, DeviceDescriptor, Setup, Transfer, Urb, UrbStatus, kind,
};

use crate::{Device, Function, Link, LinkError};

/// The name of a transfer under way.
pub type Ticket = u64;

/// Whatever carries transfers to one device and brings back how they ended.
///
/// Shared by all links of the device, each from its own thread.
pub trait Carrier: Send + Sync {
    /// Time on the carrier's clock.
    fn now(&self) -> Duration;

    /// Starts a transfer.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if the device left.
    fn submit(&self, urb: Urb) -> Result<Ticket, LinkError>;

    /// Waits until one of these transfers ends, at most until `until`; `None` when that passed.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if the device left.
    fn reap(
        &self,
        tickets: &[Ticket],
        until: Duration,
    ) -> Result<Option<(Ticket, Completion)>, LinkError>;

    /// Takes a transfer back; one that already ended is forgotten.
    fn unlink(&self, ticket: Ticket);
}

/// How long a control transfer may take. OpenMV's bootloaders hold their answer during an erase
/// of up to some seconds.
const CONTROL_LIMIT: Duration = Duration::from_secs(10);
/// How long an OUT transfer may be refused before the device counts as stuck.
const OUT_LIMIT: Duration = Duration::from_secs(5);
/// Larger configurations than any camera has are not read.
const LONGEST_CONFIGURATION: u16 = 4096;

/// A device opened over a [`Carrier`].
pub struct UrbDevice {
    carrier: Arc<dyn Carrier>,
    configuration: Configuration,
}

impl UrbDevice {
    /// Reads the descriptors and sets the first configuration, as an operating system would.
    ///
    /// # Errors
    /// [`LinkError::Descriptors`] for descriptors that USB does not allow, else those of the
    /// carrier.
    pub fn open(carrier: Arc<dyn Carrier>) -> Result<Self, LinkError> {
        let get = |kind, length| control(&*carrier, Setup::get_descriptor(kind, 0, 0, length));
        let device = get(kind::DEVICE, DeviceDescriptor::LEN as u16)?;
        DeviceDescriptor::decode(&device).map_err(invalid)?;
        let head = get(kind::CONFIGURATION, Configuration::HEAD_LEN as u16)?;
        let total = Configuration::total_length(&head).map_err(invalid)?;
        let bytes = get(kind::CONFIGURATION, total.min(LONGEST_CONFIGURATION))?;
        let configuration = Configuration::decode(&bytes).map_err(invalid)?;
        control(&*carrier, Setup::set_configuration(configuration.value))?;
        Ok(Self {
            carrier,
            configuration,
        })
    }
}

impl Device for UrbDevice {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        let missing = LinkError::NoFunction { function };
        let carrier = Arc::clone(&self.carrier);
        let of_class = |class| {
            self.configuration
                .interfaces
                .iter()
                .find(|i| i.class == class)
        };
        Ok(match function {
            Function::Control => Box::new(control::ControlLink::new(carrier)),
            Function::Disk => {
                let kind = omv_wire::msc::INTERFACE;
                let mut interfaces = self.configuration.interfaces.iter();
                let interface = interfaces.find(|i| [i.class, i.subclass, i.protocol] == kind);
                let interface = interface.ok_or(missing)?;
                Box::new(disk::DiskLink::open(carrier, interface)?)
            }
            Function::Hid => {
                let interface = of_class(hid::CLASS).ok_or(missing)?;
                Box::new(hid::HidLink::open(carrier, interface)?)
            }
            Function::Console { baud } => {
                let control = of_class(console::CONTROL_CLASS).ok_or(missing)?;
                let data = of_class(console::DATA_CLASS);
                let data = data.ok_or(LinkError::NoFunction { function })?;
                Box::new(console::ConsoleLink::open(
                    carrier,
                    control.number,
                    data,
                    baud,
                )?)
            }
        })
    }
}

/// One control transfer without data going out, from start to end.
fn control(carrier: &dyn Carrier, setup: Setup) -> Result<Vec<u8>, LinkError> {
    control_out(carrier, setup, Vec::new())
}

/// One control transfer from start to end; a stall is an error.
fn control_out(carrier: &dyn Carrier, setup: Setup, data: Vec<u8>) -> Result<Vec<u8>, LinkError> {
    let ticket = carrier.submit(Urb::control(setup, data))?;
    let until = carrier.now() + CONTROL_LIMIT;
    let Some((_, completion)) = carrier.reap(&[ticket], until)? else {
        carrier.unlink(ticket);
        return Err(LinkError::Stuck);
    };
    match completion.status {
        UrbStatus::Ok => Ok(completion.data),
        status => Err(failed(status)),
    }
}

/// The error that a failed transfer is.
fn failed(status: UrbStatus) -> LinkError {
    match status {
        UrbStatus::Gone => LinkError::Gone,
        other => LinkError::Io {
            doing: "moving data over USB".into(),
            source: std::io::Error::other(other.meaning()),
        },
    }
}

fn invalid(malformed: omv_wire::Malformed) -> LinkError {
    LinkError::Descriptors(malformed.to_string())
}

/// The packet size of an endpoint of this type and direction, and its number.
fn endpoint(
    interface: &omv_wire::usb::InterfaceSetting,
    transfer: Transfer,
    direction: omv_wire::usb::Direction,
) -> Option<(u8, u32)> {
    let found = interface.endpoint(transfer, direction)?;
    Some((found.number(), u32::from(found.packet_size())))
}
