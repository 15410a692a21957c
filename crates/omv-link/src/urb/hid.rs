//! HID over URBs: one report a frame, report id first.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::usb::{
    Direction, InterfaceSetting, ReportDescriptor, ReportKind, Setup, Transfer, Urb, kind,
};

use super::pipes::{Inward, Outward};
use super::{Carrier, control, endpoint, invalid};
use crate::{Function, Heard, Link, LinkError};

/// `bInterfaceClass` of HID.
pub const CLASS: u8 = 3;

/// Report descriptors are short; more is not read.
const LONGEST_REPORT_DESCRIPTOR: u16 = 1024;

/// Reports to and from one HID interface.
pub struct HidLink {
    carrier: Arc<dyn Carrier>,
    interface: u8,
    /// The OUT endpoint; without one, reports go out as SET_REPORT, as NXP's ROM wants them.
    out: Option<u8>,
    inward: Inward,
    outward: Outward,
}

impl HidLink {
    /// Reads the report descriptor and prepares the pipes.
    pub fn open(
        carrier: Arc<dyn Carrier>,
        interface: &InterfaceSetting,
    ) -> Result<Self, LinkError> {
        let number = interface.number;
        let length = LONGEST_REPORT_DESCRIPTOR;
        let setup = Setup::get_interface_descriptor(kind::REPORT, number, length);
        let reports = ReportDescriptor::decode(&control(&*carrier, setup)?).map_err(invalid)?;
        let longest = reports.longest(ReportKind::Input) as u32;
        let missing = LinkError::NoFunction {
            function: Function::Hid,
        };
        let (source, packet) =
            endpoint(interface, Transfer::Interrupt, Direction::In).ok_or(missing)?;
        let out = endpoint(interface, Transfer::Interrupt, Direction::Out);
        let mut inward = Inward::new(Arc::clone(&carrier), source, longest.max(packet));
        inward.post()?;
        Ok(Self {
            outward: Outward::new(Arc::clone(&carrier)),
            carrier,
            interface: number,
            out: out.map(|(number, _)| number),
            inward,
        })
    }
}

impl Link for HidLink {
    fn now(&self) -> Duration {
        self.carrier.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.inward.post()?;
        let urb = match self.out {
            Some(number) => Urb::write(number, frame.to_vec()),
            None => {
                let id = frame.first().copied().unwrap_or(0);
                let length = frame.len() as u16;
                let setup = Setup::set_report(ReportKind::Output, id, self.interface, length);
                Urb::control(setup, frame.to_vec())
            }
        };
        self.outward.send(urb)
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        self.inward.wait(until)
    }
}
