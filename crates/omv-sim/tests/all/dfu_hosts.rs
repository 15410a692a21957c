//! The hosts of `omv-wire` on virtual cameras: over the bus of this process, over USB/IP, and
//! with power that fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omv_boards::{Board, MemoryKind, State};
use omv_link::usbip::UsbIpBus;
use omv_link::{Bus, Device, Function, Link, LinkError, Seen, drive};
use omv_sim::dfu::{DfuCamera, Generation, Quirks, Remains, Wish, sample};
use omv_sim::serve::{Options, Request, Server};
use omv_sim::state::{self, Keeper, Loaded};
use omv_sim::{Hand, VirtualBus};
use omv_wire::dfu::dfuse::{self, Layout};
use omv_wire::dfu::{self, Described, Limits, describe};
use omv_wire::legacy::{Greet, Job, Pace, Update};

const MS: Duration = Duration::from_millis(1);

fn board(name: &str) -> &'static Board {
    omv_boards::by_name(name).unwrap()
}

fn camera(name: &str, state: State) -> DfuCamera {
    let wish = Wish {
        state,
        ..Wish::of(board(name))
    };
    wish.make().unwrap()
}

fn bus_of(camera: DfuCamera) -> VirtualBus {
    VirtualBus::new("sim", vec![Box::new(camera)])
}

/// Waits until the bus shows a device that fits.
fn find(bus: &VirtualBus, fits: impl Fn(&Seen) -> bool) -> Option<Seen> {
    let end = bus.now() + Duration::from_secs(60);
    while bus.now() < end {
        if let Some(seen) = bus.list().unwrap().into_iter().find(&fits) {
            return Some(seen);
        }
        bus.wait(bus.now() + 20 * MS).unwrap();
    }
    None
}

fn status(bus: &VirtualBus) -> omv_sim::Status {
    bus.with(0, |camera, _| camera.status())
}

/// A DFU device, its host, and what it showed.
struct Session {
    _device: Box<dyn Device>,
    link: Box<dyn Link>,
    host: dfu::Host,
    described: Described,
}

impl Session {
    fn open(bus: &VirtualBus, pid: u16) -> Self {
        let seen = find(bus, |seen| seen.pid == pid).unwrap();
        let mut device = bus.open(&seen).unwrap();
        let mut link = device.link(Function::Control).unwrap();
        let described = drive(&mut describe(Limits::default()), &mut *link)
            .unwrap()
            .unwrap();
        let functional = described.interface.functional;
        let host = dfu::Host::of(described.interface.number, &functional);
        Self {
            _device: device,
            link,
            host,
            described,
        }
    }

    fn alternate(&self, name: &str) -> u8 {
        self.described.interface.alternate(name).unwrap().number
    }
}

/// Writes firmware as a host should; false when the camera is lost on the way.
fn write_firmware(bus: &VirtualBus, pid: u16, name: &str, image: &[u8]) -> bool {
    let mut session = Session::open(bus, pid);
    let alternate = session.alternate(name);
    let link = &mut *session.link;
    let host = &session.host;
    let wrote = drive(&mut host.claim(0, 1), link).is_ok_and(|claimed| claimed.is_ok())
        && drive(&mut host.select(alternate), link).is_ok_and(|done| done.is_ok())
        && drive(&mut host.write(0, Arc::from(image)), link).is_ok_and(|done| done.is_ok())
        && drive(&mut host.manifest(), link).is_ok_and(|done| done.is_ok());
    if wrote {
        match drive(&mut host.read(0, image.len() as u32), link) {
            Ok(Ok(read)) => assert_eq!(read, image),
            _ => return false,
        }
        let _ = drive(&mut host.detach(1000), link);
    }
    wrote
}

#[test]
fn firmware_goes_to_every_openmv_board_through_its_bootloader() {
    for (name, alternate) in [
        ("OPENMV2", "FIRMWARE"),
        ("OPENMV3", "FIRMWARE"),
        ("OPENMV4", "FIRMWARE"),
        ("OPENMV4P", "FIRMWARE"),
        ("OPENMVPT", "FIRMWARE"),
        ("OPENMV_N6", "FIRMWARE"),
    ] {
        let dfu = board(name).identity(State::Dfu, None).unwrap().usb.pid;
        let run = board(name).identity(State::Run, None).unwrap().usb.pid;
        let bus = bus_of(camera(name, State::Dfu));
        let image = sample::firmware(board(name), "5.0.0", 0x2_4321);
        assert!(write_firmware(&bus, dfu, alternate, &image), "{name}");
        assert!(find(&bus, |seen| seen.pid == run).is_some(), "{name}");
        assert_eq!(status(&bus).firmware.as_deref(), Some("5.0.0"), "{name}");
    }
}

#[test]
fn a_crashing_camera_is_caught_as_it_passes() {
    let bus = bus_of(camera("OPENMV4", State::Cycling));
    let image = sample::firmware(board("OPENMV4"), "5.0.0", 0x8000);
    bus.pass(Duration::from_secs(30));
    assert!(write_firmware(&bus, 0x9204, "FIRMWARE", &image));
    assert!(find(&bus, |seen| seen.pid == 0x1204).is_some());
}

#[test]
fn power_may_fail_at_any_moment_of_a_write_and_the_bootloader_comes_back() {
    let image = sample::firmware(board("OPENMV4"), "5.0.0", 0x4_8000);
    let mut remains: Remains = camera("OPENMV4", State::Dfu).remains();
    remains.jumper = false;
    let quirks = Quirks {
        torn: true,
        ..Quirks::default()
    };
    let mut lost = 0;
    for cut in 1..40 {
        let mut cut_off = DfuCamera::from_remains(remains.clone(), quirks);
        cut_off.cut_at(Some(150 * MS + cut * 157 * MS));
        let bus = bus_of(cut_off);
        lost += u32::from(!write_firmware(&bus, 0x9204, "FIRMWARE", &image));
        bus.pass(Duration::from_secs(10));
        bus.with(0, |camera, now| {
            camera.hand(now, Hand::Unplug);
            camera.hand(now, Hand::Plug);
        });
        assert!(
            write_firmware(&bus, 0x9204, "FIRMWARE", &image),
            "cut {cut}"
        );
        assert!(find(&bus, |seen| seen.pid == 0x1204).is_some(), "cut {cut}");
    }
    assert!(lost > 20, "{lost} cuts came in the middle");
}

#[test]
fn the_rom_takes_a_bootloader_and_a_whole_flash_with_kicks() {
    let bus = bus_of(camera("OPENMV4", State::StRom));
    let mut session = Session::open(&bus, 0xDF11);
    let interface = &session.described.interface;
    let name = interface.alternates[0].name.clone();
    let layout = Layout::parse(&name).unwrap();
    let host = dfuse::Host::new(session.host);
    let link = &mut *session.link;
    // The first page of each bank; the second one needs a kick.
    for address in [0x0800_0000, 0x0810_0000] {
        let page = layout.page(address).unwrap();
        let kick = dfuse::Kick::for_page(&layout, &page);
        assert_eq!(kick.is_some(), address == 0x0810_0000);
        drive(&mut host.erase(page, kick), link).unwrap().unwrap();
        drive(&mut host.plain().to_idle(), link).unwrap().unwrap();
        let image = sample::bootloader(board("OPENMV4"), Generation::NEWEST);
        let image: Arc<[u8]> = image.into();
        let mut write = host.write(&layout, address, Arc::clone(&image));
        drive(&mut write, link).unwrap().unwrap();
        drive(&mut host.plain().to_idle(), link).unwrap().unwrap();
        let mut read = host.read(&layout, address, image.len() as u32);
        let read = drive(&mut read, link).unwrap().unwrap();
        assert_eq!(read[..], image[..]);
    }
}

#[test]
fn the_old_serial_bootloader_takes_firmware_at_both_paces() {
    for pace in [Pace::Quick, Pace::Careful] {
        let bus = bus_of(camera("OPENMV3", State::LegacyBl));
        let seen = find(&bus, |seen| seen.pid == 0xABD1).unwrap();
        let mut device = bus.open(&seen).unwrap();
        let mut link = device.link(Function::Console { baud: 921_600 }).unwrap();
        let greeting = drive(&mut Greet::new(1000 * MS), &mut *link)
            .unwrap()
            .unwrap();
        let layout = greeting.layout.unwrap();
        let job = Job {
            sectors: Some(layout.first_firmware..=layout.last),
            blocks: None,
            firmware: sample::firmware(board("OPENMV3"), "4.5.9", 0x4001),
            packet: 64,
            pace,
        };
        let done = drive(&mut Update::new(&job), &mut *link).unwrap();
        assert_eq!(done, Ok(()), "{pace:?}");
        drop((link, device));
        bus.pass(Duration::from_secs(8));
        let status = status(&bus);
        assert_eq!(status.state, State::Run, "{pace:?} {status:?}");
        assert_eq!(status.firmware.as_deref(), Some("4.5.9"));
        assert_eq!(status.erased_sectors, 0x1E_0000 / 4096);
    }
}

#[test]
fn without_a_driver_it_is_seen_and_cannot_be_opened() {
    let bus = bus_of(camera("ARDUINO_GIGA", State::NoDriver));
    let seen = find(&bus, |seen| seen.pid == 0x0366).unwrap();
    assert!(seen.denied);
    let refused = bus.open(&seen).map(|_| ());
    assert!(
        matches!(refused, Err(LinkError::NoAccess { .. })),
        "{refused:?}"
    );
    bus.with(0, |camera, now| camera.hand(now, Hand::Driver(true)));
    let seen = find(&bus, |seen| seen.pid == 0x0366).unwrap();
    assert!(bus.open(&seen).is_ok());
}

#[test]
fn running_firmware_needs_no_driver() {
    let bus = bus_of(camera("OPENMV4", State::NoDriver));
    let seen = find(&bus, |seen| seen.pid == 0x1204).unwrap();
    assert!(!seen.denied);
    let mut device = bus.open(&seen).unwrap();
    assert!(device.link(Function::Console { baud: 115_200 }).is_ok());
}

#[test]
fn a_camera_in_a_file_is_the_same_camera_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ae3");
    let quirks = Quirks {
        revision_y: true,
        ..Quirks::default()
    };
    for name in ["OPENMV_AE3", "OPENMV4P", "ARDUINO_GIGA"] {
        let path = path.with_extension(name);
        let wish = Wish {
            quirks,
            ..Wish::of(board(name))
        };
        let camera = wish.make().unwrap().with_uid([9; 12]);
        let kind = board(name).memories[1].kind;
        let start = board(name).memories[1].start;
        let mut keeper = Keeper::keep(&path, camera.chip(), false).unwrap();
        camera.chip().lock().place(kind, start + 0x4_2000, b"kept");
        keeper.save(true).unwrap();
        drop(keeper);
        let Loaded::Dfu(again) = state::load_any(&path).unwrap() else {
            panic!("{name} became an RT1062");
        };
        assert!(again.jumper);
        assert_eq!(again.parts.uid, [9; 12]);
        assert_eq!(again.parts.revision, omv_sim::dfu::chip::Revision::Y);
        assert_eq!(again.parts.read(kind, start + 0x4_2000, 4), b"kept");
        assert_eq!(
            again.parts.nor.changed_since(&camera.chip().lock().nor),
            [] as [usize; 0]
        );
        assert!(state::load(&path).is_err(), "it is no RT1062");
    }
}

#[test]
fn a_served_camera_is_found_and_updated_over_usb_ip() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        speed: 20.0,
        ..Options::new("h7", folder.path())
    };
    let server = Server::start(camera("OPENMV4", State::Dfu), options).unwrap();
    let bus = UsbIpBus::new(&server.address().to_string(), "h7", "the test");
    let end = Instant::now() + Duration::from_secs(20);
    let seen = loop {
        let seen = bus.list().unwrap().into_iter().find(|s| s.pid == 0x9204);
        assert!(Instant::now() < end);
        if let Some(seen) = seen {
            break seen;
        }
    };
    {
        let mut device = bus.open(&seen).unwrap();
        let mut link = device.link(Function::Control).unwrap();
        let described = drive(&mut describe(Limits::default()), &mut *link);
        let described = described.unwrap().unwrap();
        let host = dfu::Host::of(0, &described.interface.functional);
        let romfs: Arc<[u8]> = vec![0x5A; 4096].into();
        drive(&mut host.select(3), &mut *link).unwrap().unwrap();
        let mut write = host.write(0, Arc::clone(&romfs));
        drive(&mut write, &mut *link).unwrap().unwrap();
    }
    let status = server.request(&Request::Status);
    assert_eq!(status["state"], "dfu");
    server.stop().unwrap();
}

#[test]
fn a_served_camera_without_a_driver_is_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        speed: 20.0,
        ..Options::new("giga", folder.path())
    };
    let server = Server::start(camera("ARDUINO_GIGA", State::NoDriver), options).unwrap();
    let bus = UsbIpBus::new(&server.address().to_string(), "giga", "the test");
    let end = Instant::now() + Duration::from_secs(20);
    let seen = loop {
        let seen = bus.list().unwrap().into_iter().find(|s| s.pid == 0x0366);
        assert!(Instant::now() < end);
        if let Some(seen) = seen {
            break seen;
        }
    };
    assert!(bus.open(&seen).is_err());
    server.request(&Request::Hand(Hand::Driver(true)));
    assert!(bus.open(&seen).is_ok());
}

#[test]
fn the_flash_of_an_h7_wears_out_in_no_test_but_counts() {
    let camera = camera("OPENMV4", State::Dfu);
    let chip = camera.chip().clone();
    let bus = bus_of(camera);
    let image = sample::firmware(board("OPENMV4"), "5.0.0", 0x3_0000);
    assert!(write_firmware(&bus, 0x9204, "FIRMWARE", &image));
    let wear = chip.lock().nor.wear();
    assert_eq!(wear.erased_sectors, 2 * 32, "two sectors of 128 KiB");
    assert_eq!(wear.programmed_bytes, 0x3_0000);
    let kept = chip
        .lock()
        .read(MemoryKind::Internal, 0x0804_0000, 0x3_0000);
    assert_eq!(kept, image);
}
