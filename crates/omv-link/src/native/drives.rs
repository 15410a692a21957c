//! Which drive of this computer is a device's own disk: by the socket it sits in, and by nothing
//! else. Labels and marker files belong to whoever wrote them last.

use std::path::PathBuf;

use crate::Place;

/// A drive that the system made of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its node: `/dev/sdb`.
    pub node: PathBuf,
    /// Where it, or a partition of it, is mounted.
    pub mounted: Vec<PathBuf>,
}

/// The drives of the device in this socket. Empty where the system does not say, as everywhere
/// but on Linux.
pub fn drives(place: &Place) -> Vec<Drive> {
    system::drives(place)
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Drive, Place};

    /// Folders below an interface that are looked into: host, target, unit, block.
    const DEPTH: usize = 5;

    pub fn drives(place: &Place) -> Vec<Drive> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        below(Path::new("/sys/bus/usb/devices"), place, &mounts)
    }

    /// With another root for sysfs, and another table of mounts.
    pub(super) fn below(devices: &Path, place: &Place, mounts: &str) -> Vec<Drive> {
        let Some(port) = place.as_str().strip_prefix("usb ") else {
            return Vec::new();
        };
        // A name in sysfs, and never a path.
        let is_port = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if !port.bytes().all(is_port) {
            return Vec::new();
        }
        let interface = format!("{port}:");
        let folder = devices.join(port);
        let interfaces = names(&folder)
            .into_iter()
            .filter(|name| name.starts_with(&interface));
        let mut left: Vec<(PathBuf, usize)> =
            interfaces.map(|name| (folder.join(name), 0)).collect();
        let mut drives = Vec::new();
        while let Some((folder, depth)) = left.pop() {
            for name in names(&folder) {
                let inside = folder.join(&name);
                if folder.ends_with("block") {
                    drives.push(drive(&name, &inside, mounts));
                } else if depth < DEPTH && (name == "block" || is_step(&name)) {
                    left.push((inside, depth + 1));
                }
            }
        }
        drives.sort_by(|one, two| one.node.cmp(&two.node));
        drives
    }

    /// `host6`, `target6:0:0`, `6:0:0:0`; links that lead elsewhere are none of these.
    fn is_step(name: &str) -> bool {
        let unit = name.split(':').all(|part| part.parse::<u32>().is_ok());
        name.starts_with("host") || name.starts_with("target") || unit
    }

    fn names(folder: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let entries = entries.filter_map(Result::ok);
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    fn drive(name: &str, folder: &Path, mounts: &str) -> Drive {
        let number = |folder: &Path| {
            let text = fs::read_to_string(folder.join("dev")).ok()?;
            Some(text.trim().to_owned())
        };
        let parts = names(folder)
            .into_iter()
            .filter(|part| part.starts_with(name));
        let numbers: Vec<String> = parts
            .map(|part| folder.join(part))
            .chain([folder.to_owned()])
            .filter_map(|folder| number(&folder))
            .collect();
        let mounted = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let number = words.nth(2)?;
            let at = words.nth(1)?;
            let own = numbers.iter().any(|own| own == number);
            own.then(|| PathBuf::from(at.replace("\\040", " ")))
        });
        Drive {
            node: Path::new("/dev").join(name),
            mounted: mounted.collect(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_drive_of_a_camera_is_that_of_its_socket_and_no_other() {
            let root = tempfile::tempdir().unwrap();
            for (port, name, number) in [("1-4.2", "sdb", "8:16"), ("1-4.3", "sdc", "8:32")] {
                let folder = root.path().join(format!(
                    "{port}/{port}:1.2/host6/target6:0:0/6:0:0:0/block/{name}"
                ));
                fs::create_dir_all(folder.join(format!("{name}1"))).unwrap();
                fs::write(folder.join("dev"), format!("{number}\n")).unwrap();
                let part = format!("8:{}\n", number[2..].parse::<u32>().unwrap() + 1);
                fs::write(folder.join(format!("{name}1/dev")), part).unwrap();
            }
            let mounts = "36 25 8:17 / /media/me/OPEN\\040MV rw,nosuid - vfat /dev/sdb1 rw\n\
                          37 25 8:33 / /media/me/OTHER rw,nosuid - vfat /dev/sdc1 rw\n";
            let found = below(root.path(), &Place::new("usb", "1-4.2"), mounts);
            let wanted = Drive {
                node: "/dev/sdb".into(),
                mounted: vec!["/media/me/OPEN MV".into()],
            };
            assert_eq!(found, [wanted]);
            for nowhere in ["1-4", "1-4.9", "../1-4.2", ""] {
                assert_eq!(below(root.path(), &Place::new("usb", nowhere), mounts), []);
            }
            assert_eq!(below(root.path(), &Place::new("sim", "1-4.2"), mounts), []);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Drive, Place};

    pub fn drives(_place: &Place) -> Vec<Drive> {
        Vec::new()
    }
}
