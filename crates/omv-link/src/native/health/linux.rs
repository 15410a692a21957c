//! Linux: rules, processes and the firmware's tables, read from files.
//!
//! ```text
//!   /etc, /run, /usr/lib  udev/rules.d/*.rules    one name once: the first folder hides the others
//!   /proc/4711/comm, /proc/4711/fd/*              who runs, who has which node open
//!   /sys/class/dmi/id/{sys_vendor,product_name}   what kind of machine this is
//!   /sys/bus/usb/devices/1-4/descriptors          what the kernel read when the device came
//! ```
//!
//! Sources: udev(7) for the order of rule folders; proc(5); Linux kernel,
//! Documentation/ABI/testing/sysfs-bus-usb and sysfs-firmware-dmi; systemd `src/basic/virt.c` for
//! the makers' names of virtual machines.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use omv_wire::usb::Configuration;
use rustix::fs::Access as Wanted;

use super::{Access, Host, Node, NodeKind, Program, Roots, RuleFile};
use crate::Seen;
use crate::native::{Lookup, Node as Kind, System};

/// More than any rule file has.
const RULES_LIMIT: u64 = 256 * 1024;
/// More than any name, attribute or descriptor has.
const SMALL_LIMIT: u64 = 64 * 1024;
/// Programs that open serial ports they were not told to open.
const TAKERS: [&str; 2] = ["ModemManager", "brltty"];
/// Length of a USB device descriptor; the configuration follows it. Source: USB 2.0, table 9-8.
const DEVICE_DESCRIPTOR: usize = 18;
/// Interface class and subclass of DFU. Source: USB DFU 1.1, table 4.1.
const DFU: (u8, u8) = (0xFE, 0x01);

/// Makers and products of virtual machines, and how people call them.
const HYPERVISORS: [(&str, &str); 12] = [
    ("VirtualBox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("VMware", "VMware"),
    ("VMW", "VMware"),
    ("QEMU", "QEMU"),
    ("KVM", "KVM"),
    ("Parallels", "Parallels"),
    ("Virtual Machine", "Hyper-V"),
    ("Xen", "Xen"),
    ("BHYVE", "bhyve"),
    ("Amazon EC2", "Amazon EC2"),
    ("Google Compute", "Google Compute Engine"),
];

pub(super) fn gather(roots: &Roots, host: &mut Host) {
    host.rules = rules(roots);
    host.programs = programs(&roots.proc);
    host.hypervisor = hypervisor(roots);
    host.container = container(roots);
    host.udevd = Some(roots.run.join("udev/control").exists());
}

/// The rule files in effect, sorted by name.
fn rules(roots: &Roots) -> Vec<RuleFile> {
    let folders = [
        roots.rules_folder(),
        roots.run.join("udev/rules.d"),
        roots.lib.join("udev/rules.d"),
    ];
    let mut found: BTreeMap<String, RuleFile> = BTreeMap::new();
    for folder in folders {
        for name in names(&folder) {
            if !name.ends_with(".rules") || found.contains_key(&name) {
                continue;
            }
            let path = folder.join(&name);
            // A link to /dev/null hides a file of the same name, and reads as empty.
            let text = read(&path, RULES_LIMIT).unwrap_or_default();
            found.insert(
                name.clone(),
                RuleFile {
                    path: path.to_string_lossy().into_owned(),
                    name,
                    text: String::from_utf8_lossy(&text).into_owned(),
                },
            );
        }
    }
    found.into_values().collect()
}

fn processes(proc: &Path) -> impl Iterator<Item = (u32, PathBuf)> {
    let folder = proc.to_owned();
    names(proc).into_iter().filter_map(move |name| {
        let number = name.parse().ok()?;
        Some((number, folder.join(name)))
    })
}

fn programs(proc: &Path) -> Vec<Program> {
    let mut found: Vec<Program> = processes(proc)
        .filter_map(|(process, folder)| {
            let name = text(&folder.join("comm"))?;
            TAKERS
                .contains(&name.as_str())
                .then_some(Program { name, process })
        })
        .collect();
    found.sort_by_key(|program| program.process);
    found
}

fn hypervisor(roots: &Roots) -> Option<String> {
    let dmi = roots.sys.join("class/dmi/id");
    for attribute in ["product_name", "sys_vendor", "board_vendor", "bios_vendor"] {
        let Some(said) = text(&dmi.join(attribute)) else {
            continue;
        };
        if let Some((_, name)) = HYPERVISORS.iter().find(|(mark, _)| said.contains(mark)) {
            return Some((*name).to_owned());
        }
    }
    if let Some(kind) = text(&roots.sys.join("hypervisor/type")) {
        return Some(kind);
    }
    let cpu = read(&roots.proc.join("cpuinfo"), SMALL_LIMIT)?;
    String::from_utf8_lossy(&cpu)
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
        .then(|| "an unnamed virtual machine".to_owned())
}

fn container(roots: &Roots) -> Option<String> {
    let kernel = text(&roots.proc.join("sys/kernel/osrelease")).unwrap_or_default();
    if kernel.to_ascii_lowercase().contains("microsoft") {
        return Some("WSL".to_owned());
    }
    // Written by systemd-nspawn, LXC and Podman. Source: systemd, "Container Interface".
    let manager = text(&roots.run.join("systemd/container"));
    let podman = roots.run.join(".containerenv").exists();
    let docker = roots
        .proc
        .parent()
        .is_some_and(|root| root.join(".dockerenv").exists());
    manager.or_else(|| (podman || docker).then(|| "a container".to_owned()))
}

/// The nodes one device is reached through, who may open them and who has them open.
pub fn nodes(roots: &Roots, seen: &Seen) -> Vec<Node> {
    let system = System {
        sys: roots.sys.clone(),
        dev: roots.dev.clone(),
        processes: roots.proc.clone(),
    };
    let mut found = Vec::new();
    if let Some(path) = usb_node(roots, seen) {
        found.push((path, NodeKind::Usb));
    }
    for (kind, of) in [
        (Kind::Console, NodeKind::Tty),
        (Kind::Hid, NodeKind::Hidraw),
    ] {
        if let Ok(Lookup::Found(path)) = system.node(seen, kind) {
            found.push((path, of));
        }
    }
    let paths: Vec<&str> = found.iter().map(|(path, _)| &**path).collect();
    let mut holders = holders(&roots.proc, &paths);
    found
        .into_iter()
        .map(|(path, kind)| Node {
            access: access(&path),
            holders: holders.remove(&path).unwrap_or_default(),
            path,
            kind,
        })
        .collect()
}

fn socket(roots: &Roots, seen: &Seen) -> Option<PathBuf> {
    let port = seen.place.as_str().strip_prefix("usb ")?;
    let plain = |c: char| c.is_ascii_digit() || c == '-' || c == '.';
    let folder = roots.sys.join("bus/usb/devices").join(port);
    (port.chars().all(plain) && port.contains('-') && folder.is_dir()).then_some(folder)
}

fn usb_node(roots: &Roots, seen: &Seen) -> Option<String> {
    let bus: u8 = text(&socket(roots, seen)?.join("busnum"))?.parse().ok()?;
    let path = roots
        .dev
        .join(format!("bus/usb/{bus:03}/{:03}", seen.visit));
    Some(path.to_string_lossy().into_owned())
}

fn access(path: &str) -> Access {
    use rustix::io::Errno;

    match rustix::fs::access(path, Wanted::READ_OK | Wanted::WRITE_OK) {
        Ok(()) => Access::Allowed,
        Err(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Access::Missing,
        Err(_) => Access::Denied,
    }
}

/// Which other processes have these paths open.
fn holders(proc: &Path, paths: &[&str]) -> BTreeMap<String, Vec<String>> {
    let real: Vec<(PathBuf, &str)> = paths
        .iter()
        .filter_map(|path| Some((fs::canonicalize(path).ok()?, *path)))
        .collect();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if real.is_empty() {
        return found;
    }
    for (process, folder) in processes(proc).filter(|(process, _)| *process != std::process::id()) {
        let opened: Vec<PathBuf> = names(&folder.join("fd"))
            .into_iter()
            .filter_map(|name| fs::read_link(folder.join("fd").join(name)).ok())
            .collect();
        for (target, path) in &real {
            if opened.contains(target) {
                let who = match text(&folder.join("comm")) {
                    Some(name) => format!("{name} (process {process})"),
                    None => format!("process {process}"),
                };
                found.entry((*path).to_owned()).or_default().push(who);
            }
        }
    }
    found
}

/// How many alternates the device's DFU interface has, from the descriptors the kernel read when
/// it came; none: no DFU interface, or they cannot be read.
pub fn alternates(roots: &Roots, seen: &Seen) -> Option<usize> {
    let bytes = read(&socket(roots, seen)?.join("descriptors"), SMALL_LIMIT)?;
    let configuration = bytes.get(DEVICE_DESCRIPTOR..)?;
    let head = configuration.get(..Configuration::HEAD_LEN)?;
    let length = Configuration::total_length(head).ok()?;
    let configuration = Configuration::decode(configuration.get(..length.into())?).ok()?;
    let count = configuration
        .interfaces
        .iter()
        .filter(|setting| (setting.class, setting.subclass) == DFU)
        .count();
    (count > 0).then_some(count)
}

/// The sorted names in a folder; none if it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// A small file's text without the line end; none if it is missing or empty.
fn text(path: &Path) -> Option<String> {
    let bytes = read(path, SMALL_LIMIT)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
