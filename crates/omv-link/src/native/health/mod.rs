//! What stands between a program and a camera on this machine: rights, rules, drivers, other
//! programs, a virtual machine around it. Facts only; what they mean is judged elsewhere.
//!
//! ```text
//!   host(roots)         rules in effect, programs that take ports, hypervisor, Windows' problem codes
//!   nodes(roots, seen)  the files one device is reached through, who may and who does open them
//! ```
//!
//! Nothing is opened: a camera does not notice. All places that are read hang on [`Roots`], so a
//! folder can stand for a whole system.

#[cfg(target_os = "linux")]
mod linux;
pub mod windows;

use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
pub use linux::{alternates, nodes};
pub use windows::{PnpDevice, Problem};

/// The trees of a system that are read. Tests put a made-up one in their place.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Normally `/sys`.
    pub sys: PathBuf,
    /// Normally `/dev`.
    pub dev: PathBuf,
    /// Normally `/proc`.
    pub proc: PathBuf,
    /// Normally `/etc`.
    pub etc: PathBuf,
    /// Normally `/run`.
    pub run: PathBuf,
    /// Normally `/usr/lib`.
    pub lib: PathBuf,
}

impl Roots {
    /// The trees below this folder.
    pub fn under(root: &Path) -> Self {
        Self {
            sys: root.join("sys"),
            dev: root.join("dev"),
            proc: root.join("proc"),
            etc: root.join("etc"),
            run: root.join("run"),
            lib: root.join("usr/lib"),
        }
    }

    /// Where an administrator's udev rules are.
    pub fn rules_folder(&self) -> PathBuf {
        self.etc.join("udev/rules.d")
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self::under(Path::new("/"))
    }
}

/// The kind of operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// Linux.
    #[default]
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    MacOs,
    /// Another.
    Other,
}

impl Platform {
    /// The one this program was built for.
    pub const fn here() -> Self {
        if cfg!(target_os = "linux") {
            Self::Linux
        } else if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Other
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
            Self::MacOs => "macOS",
            Self::Other => "another system",
        }
    }
}

/// One file of udev rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path, for messages.
    pub path: String,
    /// Its name, which decides its turn.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A program that runs and is known to take ports away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name: `ModemManager`.
    pub name: String,
    /// Its process number.
    pub process: u32,
}

/// What is known of this machine as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The kind of system.
    pub platform: Platform,
    /// Whether this process is root; false where there is no such thing.
    pub root: bool,
    /// The udev rules in effect, in their order; a file hidden by another is left out.
    pub rules: Vec<RuleFile>,
    /// Programs known to take ports away.
    pub programs: Vec<Program>,
    /// The virtual machine this system runs in, by name.
    pub hypervisor: Option<String>,
    /// The container or subsystem this program runs in, by name.
    pub container: Option<String>,
    /// Whether udevd serves this system; none where there is no such thing.
    pub udevd: Option<bool>,
    /// USB devices as Windows sees them.
    pub pnp: Vec<PnpDevice>,
}

/// What kind of node a device is reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// The USB device itself: `/dev/bus/usb/001/014`.
    Usb,
    /// A serial console: `/dev/ttyACM0`.
    Tty,
    /// A HID interface: `/dev/hidraw0`.
    Hidraw,
}

impl NodeKind {
    /// udev's name for it.
    pub const fn subsystem(self) -> &'static str {
        match self {
            Self::Usb => "usb",
            Self::Tty => "tty",
            Self::Hidraw => "hidraw",
        }
    }
}

/// Whether this account may open a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading and writing.
    Allowed,
    /// The system denies it.
    Denied,
    /// There is no such node.
    Missing,
}

/// One node of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// Its kind.
    pub kind: NodeKind,
    /// Whether this account may open it.
    pub access: Access,
    /// Other processes that have it open, as `name (process N)`. Only those of the same user can
    /// be seen, unless this process is root's: an empty list proves nothing.
    pub holders: Vec<String>,
}

/// Looks at this machine.
pub fn host(roots: &Roots) -> Host {
    let mut host = Host {
        platform: Platform::here(),
        ..Host::default()
    };
    gather(roots, &mut host);
    host
}

#[cfg(target_os = "linux")]
fn gather(roots: &Roots, host: &mut Host) {
    host.root = rustix::process::geteuid().is_root();
    linux::gather(roots, host);
}

/// macOS and the BSDs need neither drivers nor rules for these devices. A quarantined program
/// would not have started, and this one starts no others.
#[cfg(all(unix, not(target_os = "linux")))]
fn gather(_roots: &Roots, host: &mut Host) {
    host.root = rustix::process::geteuid().is_root();
}

#[cfg(windows)]
fn gather(_roots: &Roots, host: &mut Host) {
    host.pnp = windows::ask();
}

/// Other systems have no such nodes, or do not tell whose they are.
#[cfg(not(target_os = "linux"))]
pub fn nodes(_roots: &Roots, _seen: &crate::Seen) -> Vec<Node> {
    Vec::new()
}

/// Other systems tell it only to those who open the device.
#[cfg(not(target_os = "linux"))]
pub fn alternates(_roots: &Roots, _seen: &crate::Seen) -> Option<usize> {
    None
}
