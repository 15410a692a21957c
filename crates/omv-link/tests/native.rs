//! This machine's own ports, against a made-up system: folders in the place of sysfs, pseudo
//! terminals in the place of cameras.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use omv_link::native::{NativeBus, System, open_path};
use omv_link::{Bus, Function, Heard, Link, LinkError, Place, Seen};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

const CONSOLE: Function = Function::Console { baud: 921_600 };

/// A system whose sysfs, device nodes and locks are folders.
struct Made {
    root: TempDir,
}

impl Made {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["sys/bus/usb/devices", "dev", "proc", "run"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    fn bus(&self) -> NativeBus {
        let at = |name: &str| self.root.path().join(name);
        let system = System {
            sys: at("sys"),
            dev: at("dev"),
            processes: at("proc"),
        };
        NativeBus::with(system, &at("run/omv"), "omv test")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join("sys/bus/usb/devices").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn plug(&self, port: &str, ids: (&str, &str), number: u8) {
        self.write(&format!("{port}/idVendor"), &format!("{}\n", ids.0));
        self.write(&format!("{port}/idProduct"), &format!("{}\n", ids.1));
        self.write(&format!("{port}/bcdDevice"), "0102\n");
        self.write(&format!("{port}/busnum"), "1\n");
        self.write(&format!("{port}/devnum"), &format!("{number}\n"));
    }

    fn unplug(&self, port: &str) {
        fs::remove_dir_all(self.root.path().join("sys/bus/usb/devices").join(port)).unwrap();
    }

    /// The RT1062's resident bootloader: HID, no serial number.
    fn plug_bootloader(&self, port: &str, number: u8, hidraw: &str) {
        self.plug(port, ("15a2", "0073"), number);
        self.write(&format!("{port}/product"), "USB COMPOSITE DEVICE\n");
        let interface = format!("{port}/{port}:1.0");
        self.write(&format!("{interface}/bInterfaceClass"), "03\n");
        self.write(
            &format!("{interface}/0003:15A2:0073.000{number}/hidraw/{hidraw}/dev"),
            "240:0\n",
        );
    }

    /// A running camera: console and disk.
    fn plug_camera(&self, port: &str, number: u8, tty: &str) {
        self.plug(port, ("37c5", "1060"), number);
        self.write(&format!("{port}/serial"), "000000000E4F1E2A\n");
        self.write(&format!("{port}/product"), "OpenMV Cam\n");
        self.write(&format!("{port}/{port}:1.0/bInterfaceClass"), "02\n");
        self.write(&format!("{port}/{port}:1.0/tty/{tty}/dev"), "166:0\n");
        self.write(&format!("{port}/{port}:1.1/bInterfaceClass"), "0a\n");
        self.write(&format!("{port}/{port}:1.2/bInterfaceClass"), "08\n");
    }

    /// Puts a pseudo terminal in the place of a node; its far end is the camera.
    fn terminal(&self, node: &str) -> File {
        let (far, path) = terminal();
        symlink(path, self.root.path().join("dev").join(node)).unwrap();
        far
    }

    fn only(&self) -> Seen {
        let mut list = self.bus().list().unwrap();
        assert_eq!(list.len(), 1, "{list:?}");
        list.remove(0)
    }
}

fn terminal() -> (File, String) {
    let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&far).unwrap();
    unlockpt(&far).unwrap();
    let path = ptsname(&far, Vec::new()).unwrap();
    (far.into(), path.into_string().unwrap())
}

/// Listens until this many bytes came.
fn hear(link: &mut dyn Link, count: usize) -> Vec<u8> {
    let until = link.now() + Duration::from_secs(5);
    let mut heard = Vec::new();
    while heard.len() < count {
        match link.wait(until).unwrap() {
            Some(Heard::Bytes(bytes)) => heard.extend(bytes),
            other => panic!("{other:?} after {heard:?}"),
        }
    }
    heard
}

fn error<T>(result: Result<T, LinkError>) -> LinkError {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

#[test]
fn a_machine_without_usb_has_an_empty_list() {
    let list = NativeBus::new("omv test").list().unwrap();
    if !Path::new("/sys/bus/usb").exists() {
        assert_eq!(list, []);
    }
    let made = Made::new();
    fs::remove_dir_all(made.root.path().join("sys")).unwrap();
    assert_eq!(made.bus().list().unwrap(), []);
}

#[test]
fn a_camera_is_listed_with_all_the_bus_knows() {
    let made = Made::new();
    made.plug_camera("1-4.2", 14, "ttyACM3");
    let dev = made.root.path().join("dev/ttyACM3");
    assert_eq!(
        made.only(),
        Seen {
            place: Place::new("usb", "1-4.2"),
            visit: 14,
            vid: 0x37C5,
            pid: 0x1060,
            release: 0x0102,
            serial: Some("000000000E4F1E2A".to_owned()),
            product: Some("OpenMV Cam".to_owned()),
            node: Some(dev.to_str().unwrap().to_owned()),
            denied: false,
            simulated: false,
        }
    );
}

#[test]
fn two_bootloaders_alike_in_everything_are_told_apart_by_their_sockets() {
    let made = Made::new();
    made.plug_bootloader("1-4.2", 7, "hidraw5");
    made.plug_bootloader("1-4.1", 8, "hidraw2");
    let list = made.bus().list().unwrap();
    let shown: Vec<_> = list
        .iter()
        .map(|seen| {
            let node = seen.node.as_deref().unwrap();
            (
                seen.place.as_str(),
                node.rsplit('/').next().unwrap(),
                seen.visit,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("usb 1-4.1", "hidraw2", 8), ("usb 1-4.2", "hidraw5", 7)]
    );
    assert!(list.iter().all(|seen| seen.serial.is_none()));
}

#[test]
fn what_is_no_complete_device_is_left_out() {
    let made = Made::new();
    made.plug_camera("1-1", 3, "ttyACM0");
    made.write("usb1/idVendor", "1d6b\n");
    made.plug("1-2", ("37c5", "1060"), 4);
    made.write("1-2/devnum", "not a number\n");
    made.plug("1-3", ("37c5", "1060"), 5);
    made.write("1-3/idProduct", "123456\n");
    made.write("1-4/idVendor", "37c5\n");
    made.plug("../1-5", ("37c5", "1060"), 6);
    assert_eq!(made.only().place.as_str(), "usb 1-1");
}

#[test]
fn a_product_name_that_is_no_text_does_not_hide_the_camera() {
    let made = Made::new();
    made.plug_camera("1-1", 3, "ttyACM0");
    let path = made.root.path().join("sys/bus/usb/devices/1-1/product");
    fs::write(path, b"Open\xFF\x1B[2JMV\n").unwrap();
    assert_eq!(
        made.only().product.as_deref(),
        Some("Open\u{FFFD}\x1B[2JMV")
    );
}

#[test]
fn a_console_carries_bytes_both_ways() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    let mut far = made.terminal("ttyACM0");
    let mut device = made.bus().open(&made.only()).unwrap();
    let mut link = device.link(CONSOLE).unwrap();

    // Bytes that a terminal in its usual mode would change or act on.
    let strange = b"\x03\x04\r\n\x00\x11\x13\x1A\x7F\xFF";
    link.send(strange).unwrap();
    let mut arrived = [0; 10];
    far.read_exact(&mut arrived).unwrap();
    assert_eq!(&arrived, strange);
    far.write_all(strange).unwrap();
    assert_eq!(hear(link.as_mut(), 10), strange);
}

#[test]
fn a_silent_console_waits_no_longer_than_asked() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    let _far = made.terminal("ttyACM0");
    let mut link = made
        .bus()
        .open(&made.only())
        .unwrap()
        .link(CONSOLE)
        .unwrap();
    let until = link.now() + Duration::from_millis(40);
    assert_eq!(link.wait(until).unwrap(), None);
    assert!(link.now() >= until);
    assert_eq!(link.wait(Duration::ZERO).unwrap(), None);
}

#[test]
fn a_pulled_cable_is_heard_and_stays_heard() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    let mut far = made.terminal("ttyACM0");
    let mut link = made
        .bus()
        .open(&made.only())
        .unwrap()
        .link(CONSOLE)
        .unwrap();
    far.write_all(b"bye").unwrap();
    assert_eq!(hear(link.as_mut(), 3), b"bye");
    drop(far);
    let until = link.now() + Duration::from_secs(5);
    assert_eq!(link.wait(until).unwrap(), Some(Heard::Gone));
    assert_eq!(link.wait(until).unwrap(), Some(Heard::Gone));
    assert!(matches!(link.send(b"?"), Err(LinkError::Gone)));
}

#[test]
fn a_socket_is_taken_until_its_last_link_is_dropped() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    let _far = made.terminal("ttyACM0");
    let seen = made.only();
    let link = made.bus().open(&seen).unwrap().link(CONSOLE).unwrap();
    let expected = format!(
        "the device is in use by omv test (process {})",
        std::process::id()
    );
    assert_eq!(error(made.bus().open(&seen)).to_string(), expected);
    drop(link);
    made.bus().open(&seen).unwrap();
}

#[test]
fn two_sockets_are_taken_one_by_one() {
    let made = Made::new();
    made.plug_bootloader("1-4.1", 7, "hidraw5");
    made.plug_bootloader("1-4.2", 8, "hidraw2");
    let list = made.bus().list().unwrap();
    let _one = made.bus().open(&list[0]).unwrap();
    let _other = made.bus().open(&list[1]).unwrap();
}

#[test]
fn a_device_that_came_back_is_another_visit() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    let before = made.only();
    made.unplug("1-4");
    assert!(matches!(error(made.bus().open(&before)), LinkError::Gone));
    made.plug_camera("1-4", 4, "ttyACM0");
    assert!(matches!(error(made.bus().open(&before)), LinkError::Gone));
    let mut device = made.bus().open(&made.only()).unwrap();
    made.unplug("1-4");
    assert!(matches!(error(device.link(CONSOLE)), LinkError::Gone));
}

#[test]
fn a_function_the_device_has_not_is_refused_at_once() {
    let made = Made::new();
    made.plug_camera("1-4", 3, "ttyACM0");
    made.plug_bootloader("1-5", 4, "hidraw0");
    let list = made.bus().list().unwrap();
    let start = Instant::now();
    for (seen, function) in [(&list[0], Function::Hid), (&list[1], CONSOLE)] {
        let mut device = made.bus().open(seen).unwrap();
        let error = error(device.link(function));
        assert!(
            matches!(error, LinkError::NoFunction { function: f } if f == function),
            "{error}"
        );
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_node_the_system_has_not_made_yet_is_waited_for() {
    let made = Made::new();
    made.plug("1-4", ("37c5", "1060"), 3);
    let mut device = made.bus().open(&made.only()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            made.plug_camera("1-4", 3, "ttyACM0");
            thread::sleep(Duration::from_millis(100));
            let far = made.terminal("ttyACM0");
            thread::sleep(Duration::from_millis(500));
            drop(far);
        });
        device.link(CONSOLE).unwrap();
    });
}

#[test]
fn a_function_without_a_driver_says_so_and_not_that_it_is_missing() {
    let made = Made::new();
    made.plug("1-4", ("15a2", "0073"), 3);
    made.write("1-4/1-4:1.0/bInterfaceClass", "03\n");
    let mut device = made.bus().open(&made.only()).unwrap();
    let text = error(device.link(Function::Hid)).to_string();
    assert!(
        text.starts_with("waiting for the driver of the HID interface"),
        "{text}"
    );
}

#[test]
fn a_node_that_is_no_hid_interface_is_refused_by_its_name() {
    let made = Made::new();
    made.plug_bootloader("1-4", 3, "hidraw0");
    let _far = made.terminal("hidraw0");
    let mut device = made.bus().open(&made.only()).unwrap();
    let error = error(device.link(Function::Hid));
    assert!(
        matches!(&error, LinkError::Io { doing, .. } if doing.ends_with("dev/hidraw0")),
        "{error}"
    );
}

#[test]
fn a_control_endpoint_of_a_device_that_left_is_gone() {
    let made = Made::new();
    made.plug("1-4", ("0483", "df11"), 3);
    let mut device = made.bus().open(&made.only()).unwrap();
    made.unplug("1-4");
    assert!(matches!(
        error(device.link(Function::Control)),
        LinkError::Gone
    ));
}

#[test]
fn waiting_for_a_change_ends_soon_and_never_after_its_limit() {
    let bus = Made::new().bus();
    let start = Instant::now();
    bus.wait(bus.now() + Duration::from_secs(60)).unwrap();
    bus.wait(Duration::ZERO).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_port_opened_by_its_path_is_a_console_too() {
    let (mut far, path) = terminal();
    let mut link = open_path(&path, 115_200).unwrap();
    link.send(b"\r\x03").unwrap();
    let mut arrived = [0; 2];
    far.read_exact(&mut arrived).unwrap();
    assert_eq!(&arrived, b"\r\x03");
    far.write_all(b">>> ").unwrap();
    assert_eq!(hear(link.as_mut(), 4), b">>> ");
}

#[test]
fn a_port_that_is_open_elsewhere_names_the_process() {
    let (_far, path) = terminal();
    let _first = open_path(&path, 115_200).unwrap();
    let LinkError::Busy {
        holder: Some(holder),
    } = error(open_path(&path, 115_200))
    else {
        panic!("not busy");
    };
    assert!(
        holder.ends_with(&format!("(process {})", std::process::id())),
        "{holder}"
    );
}

#[test]
fn a_path_that_leads_nowhere_is_named() {
    let text = error(open_path("/dev/no such port", 115_200)).to_string();
    assert!(text.starts_with("opening /dev/no such port: "), "{text}");
}
