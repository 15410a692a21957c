//! What a virtual camera looks like on USB in one of its states.

use std::time::Duration;

use omv_wire::usb::{DeviceDescriptor, Setup, Speed};

/// One USB personality: descriptors, class requests, endpoints. The [`Port`](crate::Port) it is
/// plugged into does the rest of USB chapter 9 and the pacing.
pub trait Face: Send {
    /// Bus speed.
    fn speed(&self) -> Speed;

    /// Device descriptor.
    fn device(&self) -> DeviceDescriptor;

    /// The one configuration, whole.
    fn configuration(&self) -> Vec<u8>;

    /// String descriptor by index, as text; index 0 is the port's business.
    fn string(&self, index: u8) -> Option<String>;

    /// Whether a host that has no driver bound to it leaves it alone, as Windows does with
    /// everything but consoles, disks and HID.
    fn needs_driver(&self) -> bool {
        false
    }

    /// SET_CONFIGURATION came.
    fn configured(&mut self, _now: Duration) {}

    /// SET_CONFIGURATION came and selected none.
    fn unconfigured(&mut self, _now: Duration) {}

    /// Whether the default endpoint takes a request now; otherwise it answers NAK.
    fn control_ready(&self, _now: Duration) -> bool {
        true
    }

    /// A class or vendor request, one for a class descriptor, or one that chooses an alternate
    /// setting. `data` is that of an OUT.
    /// `None` is a STALL.
    fn control(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Option<Vec<u8>>;

    /// Whether an OUT endpoint takes data now; otherwise it answers NAK.
    fn accepts(&self, _now: Duration, _endpoint: u8) -> bool {
        true
    }

    /// Data on an OUT endpoint.
    fn out(&mut self, now: Duration, endpoint: u8, data: &[u8]);

    /// At most `limit` bytes from an IN endpoint, if it has any.
    fn take(&mut self, now: Duration, endpoint: u8, limit: usize) -> Option<Vec<u8>>;

    /// Whether an IN endpoint that has nothing is halted (STALL), rather than busy (NAK).
    fn is_halted(&self, _endpoint: u8) -> bool {
        false
    }

    /// The host cleared the halt of an endpoint, by its address.
    fn clear_halt(&mut self, _address: u8) {}

    /// Time on the wire of one transfer of this many bytes.
    fn transfer_time(&self, endpoint: u8, bytes: usize) -> Duration;

    /// The first moment after `now` at which something will happen here by itself.
    fn next(&self, now: Duration) -> Option<Duration>;
}
