//! A serial console (CDC-ACM) over URBs.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::usb::{Direction, InterfaceSetting, LineCoding, Setup, Transfer, Urb, request};

use super::pipes::{Inward, Outward};
use super::{Carrier, control, control_out, endpoint};
use crate::{Function, Heard, Link, LinkError};

/// `bInterfaceClass` of the control interface.
pub const CONTROL_CLASS: u8 = 2;
/// `bInterfaceClass` of the data interface.
pub const DATA_CLASS: u8 = 10;

/// Bytes to and from a console, with DTR asserted while it lives.
pub struct ConsoleLink {
    carrier: Arc<dyn Carrier>,
    control: u8,
    out: u8,
    inward: Inward,
    outward: Outward,
}

impl ConsoleLink {
    /// Sets the line rate and asserts DTR and RTS, as opening a serial port does.
    pub fn open(
        carrier: Arc<dyn Carrier>,
        control_interface: u8,
        data: &InterfaceSetting,
        baud: u32,
    ) -> Result<Self, LinkError> {
        let missing = || LinkError::NoFunction {
            function: Function::Console { baud },
        };
        let (source, packet) = endpoint(data, Transfer::Bulk, Direction::In).ok_or_else(missing)?;
        let (out, _) = endpoint(data, Transfer::Bulk, Direction::Out).ok_or_else(missing)?;
        let coding = LineCoding {
            rate: baud,
            stop_bits: 0,
            parity: 0,
            data_bits: 8,
        };
        let coding = coding.encode().to_vec();
        let length = coding.len() as u16;
        let setup = Setup::class_out(request::SET_LINE_CODING, 0, control_interface, length);
        control_out(&*carrier, setup, coding)?;
        control(
            &*carrier,
            Setup::set_control_line_state(control_interface, true, true),
        )?;
        // Two packets at a time, as Linux's driver asks.
        let mut inward = Inward::new(Arc::clone(&carrier), source, 2 * packet);
        inward.post()?;
        let outward = Outward::new(Arc::clone(&carrier));
        Ok(Self {
            carrier,
            control: control_interface,
            out,
            inward,
            outward,
        })
    }
}

impl Link for ConsoleLink {
    fn now(&self) -> Duration {
        self.carrier.now()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.outward.send(Urb::write(self.out, frame.to_vec()))
    }

    fn wait(&mut self, until: Duration) -> Result<Option<Heard>, LinkError> {
        self.inward.wait(until)
    }
}

impl Drop for ConsoleLink {
    fn drop(&mut self) {
        // Closing a port drops DTR. The camera may be gone already, and then it does not matter.
        let setup = Setup::set_control_line_state(self.control, false, false);
        let _ = control(&*self.carrier, setup);
    }
}
