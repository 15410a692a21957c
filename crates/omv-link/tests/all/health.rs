//! What stands between a program and a camera, against a made-up system in folders.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use omv_link::native::health::{Access, Node, NodeKind, Roots, alternates, host, nodes};
use omv_link::{Place, Seen};
use tempfile::TempDir;

struct Made {
    root: TempDir,
}

impl Made {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn roots(&self) -> Roots {
        Roots::under(self.root.path())
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// A process that has these files open.
    fn process(&self, number: u32, name: &str, opened: &[&str]) {
        self.write(&format!("proc/{number}/comm"), format!("{name}\n"));
        let folder = self.root.path().join(format!("proc/{number}/fd"));
        fs::create_dir_all(&folder).unwrap();
        for (at, path) in opened.iter().enumerate() {
            symlink(path, folder.join(at.to_string())).unwrap();
        }
    }

    fn rule_names(&self) -> Vec<String> {
        let rules = host(&self.roots()).rules;
        rules
            .into_iter()
            .map(|rule| format!("{}={}", rule.name, rule.text))
            .collect()
    }
}

fn seen(port: &str) -> Seen {
    Seen {
        place: Place::new("usb", port),
        visit: 7,
        vid: 0x37C5,
        pid: 0x9203,
        release: 0x0200,
        serial: None,
        product: None,
        node: None,
        denied: false,
        simulated: false,
    }
}

#[test]
fn a_rule_file_hides_those_of_the_same_name_in_later_folders() {
    let made = Made::new();
    made.write("etc/udev/rules.d/60-omv.rules", "admin");
    made.write("usr/lib/udev/rules.d/60-omv.rules", "package");
    made.write("run/udev/rules.d/99-x.rules", "run");
    made.write("usr/lib/udev/rules.d/10-y.rules", "lib");
    made.write("usr/lib/udev/rules.d/README", "no rules");
    assert_eq!(
        made.rule_names(),
        ["10-y.rules=lib", "60-omv.rules=admin", "99-x.rules=run"]
    );
    symlink(
        "/dev/null",
        made.root.path().join("etc/udev/rules.d/10-y.rules"),
    )
    .unwrap();
    assert!(
        made.rule_names().contains(&"10-y.rules=".to_owned()),
        "masked"
    );
}

#[test]
fn programs_that_take_ports_are_found_by_name_and_others_are_not() {
    let made = Made::new();
    made.process(812, "ModemManager", &[]);
    made.process(90, "brltty", &[]);
    made.process(13, "bash", &[]);
    let found: Vec<(String, u32)> = host(&made.roots())
        .programs
        .into_iter()
        .map(|program| (program.name, program.process))
        .collect();
    assert_eq!(
        found,
        [("brltty".to_owned(), 90), ("ModemManager".to_owned(), 812)]
    );
}

#[test]
fn a_virtual_machine_is_known_by_its_maker_or_by_its_processor() {
    for (file, text, name) in [
        (
            "sys/class/dmi/id/product_name",
            "VirtualBox\n",
            "VirtualBox",
        ),
        ("sys/class/dmi/id/sys_vendor", "VMware, Inc.\n", "VMware"),
        (
            "sys/class/dmi/id/product_name",
            "Virtual Machine\n",
            "Hyper-V",
        ),
        (
            "proc/cpuinfo",
            "processor\t: 0\nflags\t\t: fpu sse2 hypervisor lahf_lm\n",
            "an unnamed virtual machine",
        ),
    ] {
        let made = Made::new();
        made.write(file, text);
        assert_eq!(
            host(&made.roots()).hypervisor.as_deref(),
            Some(name),
            "{text}"
        );
    }
    let made = Made::new();
    made.write("sys/class/dmi/id/sys_vendor", "LENOVO\n");
    made.write(
        "proc/cpuinfo",
        "flags\t: fpu sse2\nmodel name: hypervisor\n",
    );
    assert_eq!(host(&made.roots()).hypervisor, None);
}

#[test]
fn wsl_and_containers_are_told_apart() {
    let made = Made::new();
    assert_eq!(host(&made.roots()).container, None);
    assert_eq!(host(&made.roots()).udevd, Some(false));
    made.write("run/udev/control", "");
    made.write(".dockerenv", "");
    assert_eq!(
        host(&made.roots()).container.as_deref(),
        Some("a container")
    );
    assert_eq!(host(&made.roots()).udevd, Some(true));
    made.write(
        "proc/sys/kernel/osrelease",
        "5.15.153.1-microsoft-standard-WSL2\n",
    );
    assert_eq!(host(&made.roots()).container.as_deref(), Some("WSL"));
}

#[test]
fn the_nodes_of_a_device_are_listed_with_everyone_who_has_them_open() {
    let made = Made::new();
    made.write("sys/bus/usb/devices/1-4/devnum", "7\n");
    made.write("sys/bus/usb/devices/1-4/busnum", "1\n");
    made.write("sys/bus/usb/devices/1-4/1-4:1.0/tty/ttyACM0/dev", "");
    let tty = made.write("dev/ttyACM0", "");
    made.process(41, "screen", &[&tty]);
    made.process(42, "qtcreator", &["/dev/null", &tty]);
    let found = nodes(&made.roots(), &seen("1-4"));
    let usb = Node {
        path: format!("{}/dev/bus/usb/001/007", made.root.path().display()),
        kind: NodeKind::Usb,
        access: Access::Missing,
        holders: Vec::new(),
    };
    let tty = Node {
        path: tty,
        kind: NodeKind::Tty,
        access: Access::Allowed,
        holders: vec![
            "screen (process 41)".to_owned(),
            "qtcreator (process 42)".to_owned(),
        ],
    };
    assert_eq!(found, [usb, tty]);
}

#[test]
fn a_place_that_is_no_socket_leads_nowhere() {
    let made = Made::new();
    made.write("sys/bus/usb/devices/1-4/devnum", "7\n");
    for port in ["../../x", "1-9", "usb1", ""] {
        assert_eq!(nodes(&made.roots(), &seen(port)), [], "{port}");
        assert_eq!(alternates(&made.roots(), &seen(port)), None);
    }
}

/// A device with one DFU interface of `count` alternates, as the kernel keeps its descriptors.
fn descriptors(count: u8) -> Vec<u8> {
    let mut bytes = vec![
        0x12, 1, 0, 2, 0, 0, 0, 0x40, 0xC5, 0x37, 0x03, 0x92, 0, 2, 1, 2, 3, 1,
    ];
    let total = 9 + 18 * u16::from(count);
    let [low, high] = total.to_le_bytes();
    bytes.extend([9, 2, low, high, 1, 1, 0, 0x80, 0xFA]);
    for alternate in 0..count {
        bytes.extend([9, 4, 0, alternate, 0, 0xFE, 1, 2, 4 + alternate]);
        bytes.extend([9, 0x21, 0x07, 0xE8, 3, 0, 0x10, 1, 1]);
    }
    bytes
}

#[test]
fn the_alternates_of_a_bootloader_are_counted_without_opening_it() {
    let made = Made::new();
    let path = "sys/bus/usb/devices/1-4/descriptors";
    for count in [1, 3, 4] {
        made.write(path, descriptors(count));
        assert_eq!(
            alternates(&made.roots(), &seen("1-4")),
            Some(count.into()),
            "{count}"
        );
    }
    for cut in 0..descriptors(3).len() {
        made.write(path, &descriptors(3)[..cut]);
        assert_eq!(alternates(&made.roots(), &seen("1-4")), None, "{cut} bytes");
    }
    File::create(made.root.path().join(path)).unwrap();
    assert_eq!(alternates(&made.roots(), &seen("1-4")), None);
}
