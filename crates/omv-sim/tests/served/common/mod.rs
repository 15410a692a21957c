//! A served RT1062, and a host that talks to its bootloader.
#![allow(dead_code)] // Each test file uses its part.

use std::time::{Duration, Instant};

use omv_link::usbip::UsbIpBus;
use omv_link::{Bus, Function, Link, LinkError, Seen, drive};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::serve::{Options, Server};
use omv_wire::mboot::{Command, Data, Exchange, Failure, Reply, Setup, Wire};

/// Longest a test waits for anything that should come, on however busy a machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// USB product id of the two loaders.
pub const LOADER: u16 = 0x0073;

/// A camera that waits in its resident bootloader for ever: the record in its firmware says so.
pub fn patient() -> Rt1062 {
    patient_with(Quirks::default())
}

/// The same with quirks.
pub fn patient_with(quirks: Quirks) -> Rt1062 {
    let mut firmware = sample::firmware(sample::SHIPPED, 0x1_0000);
    let mut record = [0xFF; 0x34];
    record[..4].copy_from_slice(b"kcfg");
    record[0x12..0x14].fill(0);
    firmware[0x23C0..0x23C0 + 0x34].copy_from_slice(&record);
    Rt1062::new(&firmware, quirks)
}

/// A camera as it is sold.
pub fn ordinary() -> Rt1062 {
    Rt1062::new(
        &sample::firmware(sample::SHIPPED, 0x1_0000),
        Quirks::default(),
    )
}

/// A folder for servers and the server of one camera in it.
pub struct Bench {
    pub server: Server,
    pub folder: tempfile::TempDir,
}

pub fn serve(camera: Rt1062, speed: f64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new("bench", folder.path());
    options.speed = speed;
    let server = Server::start(camera, options).unwrap();
    Bench { server, folder }
}

impl Bench {
    pub fn bus(&self) -> UsbIpBus {
        UsbIpBus::new(&self.server.address().to_string(), "bench", "the test")
    }
}

/// Waits until the bus shows a device that fits.
pub fn find(bus: &UsbIpBus, fits: impl Fn(&Seen) -> bool) -> Seen {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(seen) = bus.list().unwrap().into_iter().find(&fits) {
            return seen;
        }
        assert!(Instant::now() < end, "it does not appear");
        bus.wait(bus.now() + Duration::from_millis(20)).unwrap();
    }
}

pub fn is_loader(seen: &Seen) -> bool {
    seen.pid == LOADER
}

/// Opens the bootloader, as soon as it is there.
pub fn open_loader(bus: &UsbIpBus) -> Box<dyn Link> {
    let seen = find(bus, is_loader);
    bus.open(&seen).unwrap().link(Function::Hid).unwrap()
}

/// One exchange with the bootloader.
pub fn ask(
    link: &mut dyn Link,
    command: Command,
    data: Data<'_>,
) -> Result<Result<Reply, Failure>, LinkError> {
    drive(
        &mut Exchange::new(Setup::new(Wire::Hid), command, data),
        link,
    )
}

/// One exchange that has to succeed.
pub fn succeed(link: &mut dyn Link, command: Command, data: Data<'_>) -> Reply {
    let reply = ask(link, command, data).unwrap().unwrap();
    assert_eq!(reply.status, 0, "{reply:?}");
    reply
}
