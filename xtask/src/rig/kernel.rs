//! Debian's kernel as QEMU starts it: an uncompressed `vmlinux`, and an initramfs with the
//! modules the rig needs, in the order they load in. Made once per kernel package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::Shop;

/// What the rig is made of, as Debian names it.
const PACKAGES: [&str; 11] = [
    "qemu-system-x86",
    "busybox-static",
    "kmod",
    "binutils",
    "xz-utils",
    "zstd",
    "usbutils",
    "dosfstools",
    "mtools",
    "dfu-util",
    "util-linux",
];
/// The package whose dependency is the newest kernel. Its `cloud` flavour has no vhci and no 9p.
const META: &str = "linux-image-amd64";
/// The modules that are asked for; what they need comes along.
const MODULES: [&str; 8] = [
    "virtio_pci",
    "9p",
    "9pnet_virtio",
    "vhci-hcd",
    "cdc-acm",
    "usbhid",
    "hid-generic",
    "usbmon",
];
/// Those that a scene loads by itself, so that other scenes see no disks.
const DISKS: [&str; 5] = ["usb-storage", "sd_mod", "vfat", "nls_cp437", "nls_ascii"];
const INIT: &str = include_str!("../../../rig/init");
/// The end of a cpio archive. Source: Linux kernel, driver-api/early-userspace/buffer-format.
const TRAILER: &str = "TRAILER!!!";

/// A kernel that can be started.
#[derive(Clone)]
pub struct Kernel {
    /// An ELF file.
    pub image: PathBuf,
    /// A cpio archive.
    pub initramfs: PathBuf,
}

/// Installs packages that are missing, and makes the kernel ready if it is not.
///
/// # Errors
/// When something is missing that only root could install; with the command.
pub fn ready(shop: &Shop) -> Result<Kernel> {
    packages(shop)?;
    let name = newest(shop)?;
    let folder = shop.target.join("rig").join(&name);
    // Which modules were asked for is part of what was made.
    let asked = fs::read_to_string(folder.join("asked")).unwrap_or_default();
    if asked != wanted() {
        // Made aside, so that an interrupted one is never taken for a whole one.
        let aside = shop.target.join("rig").join("making");
        let _ = fs::remove_dir_all(&aside);
        fs::create_dir_all(&aside)?;
        unpack(shop, &name, &aside).with_context(|| format!("making {name} ready"))?;
        fs::write(aside.join("asked"), wanted())?;
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&aside, &folder)?;
    }
    let initramfs = folder.join("initramfs");
    fs::write(&initramfs, archive(&folder)?)?;
    let image = folder.join("vmlinux");
    Ok(Kernel { image, initramfs })
}

/// All modules that are asked for.
fn wanted() -> String {
    [&MODULES[..], &DISKS[..]].concat().join(" ")
}

fn packages(shop: &Shop) -> Result<()> {
    let is_there = |package: &&str| {
        let query = ["--show", "--showformat=${db:Status-Status}"];
        let job = shop.program("dpkg-query").args(query).args([package]);
        job.output().is_ok_and(|status| status == "installed")
    };
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|one| !is_there(one)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = ["install", "-y", "--no-install-recommends"];
    let advice = format!("apt-get {} {}", command.join(" "), missing.join(" "));
    if shop.program("id").args(["-u"]).output()?.trim() != "0" {
        bail!("the rig needs packages that root can install: {advice}");
    }
    let install = || {
        shop.program("apt-get")
            .args(command)
            .args(&missing)
            .stream()
    };
    // The lists of a fresh machine are empty or old.
    install()
        .or_else(|_| {
            shop.program("apt-get").args(["update"]).stream()?;
            install()
        })
        .with_context(|| format!("the rig needs packages: {advice}"))
}

/// The kernel package the newest kernel is in: its name has a number that moves.
fn newest(shop: &Shop) -> Result<String> {
    let show = || {
        let job = shop.program("apt-cache").args(["depends", META]);
        Ok(dependency(&job.output()?))
    };
    let found: Result<Option<String>> = show();
    if let Ok(Some(name)) = found {
        return Ok(name);
    }
    shop.program("apt-get").args(["update"]).stream()?;
    show()?.with_context(|| format!("the package lists have no {META}: apt-get update"))
}

fn dependency(text: &str) -> Option<String> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let name = lines.find(|name| name.starts_with("linux-image-"))?;
    Some(name.to_owned())
}

/// Downloads the package into `folder` and leaves `vmlinux`, `modules/` and `order` there.
fn unpack(shop: &Shop, name: &str, folder: &Path) -> Result<()> {
    // It downloads into the current folder and nowhere else.
    let download = "cd \"$1\" && apt-get download \"$2\"";
    let job = shop.program("sh").args(["-c", download, "sh"]);
    job.args([folder]).args([name]).stream()?;
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut packages = entries.filter(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = packages.next().context("no package was downloaded")?;
    let tree = folder.join("tree");
    let job = shop
        .program("dpkg-deb")
        .args(["-x"])
        .args([&package, &tree]);
    job.output()?;
    let version = name.strip_prefix("linux-image-").unwrap_or(name);

    let image = fs::read(tree.join(format!("boot/vmlinuz-{version}")))?;
    let (packed, tool) = payload(&image)?;
    let file = folder.join("payload");
    fs::write(&file, packed)?;
    let decompress = "\"$1\" -dc <\"$2\" >\"$3\"";
    let job = shop.program("sh").args(["-c", decompress, "sh", tool]);
    job.args([&file, &folder.join("vmlinux")]).output()?;

    // Debian 13 has them below usr.
    if !tree.join("lib/modules").exists() {
        fs::create_dir_all(tree.join("lib"))?;
        fs::rename(tree.join("usr/lib/modules"), tree.join("lib/modules"))?;
    }
    let job = shop.program("depmod").args(["-b"]).args([&tree]);
    job.args([version]).output()?;
    let show = shop.program("modprobe").args(["-d"]).args([&tree]);
    let show = show.args(["-S", version]);
    let show = show.args(["--show-depends", "-a"]);
    let list = show.args(MODULES).output()?;
    let order = modules(shop, &list, folder, &[])?;
    if !order.iter().any(|name| name.starts_with("vhci")) {
        bail!("modprobe names no vhci-hcd: {list}");
    }
    fs::write(folder.join("order"), order.join("\n") + "\n")?;
    let show = shop.program("modprobe").args(["-d"]).args([&tree]);
    let show = show.args(["-S", version]).args(["--show-depends", "-a"]);
    let list = show.args(DISKS).output()?;
    let disks = modules(shop, &list, folder, &order)?;
    fs::write(folder.join("disks"), disks.join("\n") + "\n")?;
    for rest in [&package, &file] {
        fs::remove_file(rest)?;
    }
    fs::remove_dir_all(&tree).map_err(Into::into)
}

/// Puts the modules of a list of modprobe's (`insmod PATH` lines, builtin ones and those that are
/// there aside) into `modules/`, decompressed and without debug symbols; their order.
fn modules(shop: &Shop, list: &str, folder: &Path, there: &[String]) -> Result<Vec<String>> {
    let home = folder.join("modules");
    fs::create_dir_all(&home)?;
    let mut order: Vec<String> = Vec::new();
    for path in list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("insmod "))
    {
        let path = Path::new(path.trim());
        let file = path.file_name().context("a module without a name")?;
        let file = file.to_string_lossy();
        let plain = file.trim_end_matches(".xz").trim_end_matches(".zst");
        // Refuses to load on a plain processor; there is another one of the kind.
        let known = order.iter().chain(there).any(|one| one == plain);
        if known || plain.starts_with("crct10dif-pclmul") {
            continue;
        }
        let target = home.join(plain);
        let open = match file.rsplit_once('.') {
            Some((_, "xz")) => "xz -dc \"$1\" >\"$2\"",
            Some((_, "zst")) => "zstd -qdc \"$1\" >\"$2\"",
            _ => "cp \"$1\" \"$2\"",
        };
        let job = shop.program("sh").args(["-c", open, "sh"]);
        job.args([path, &target]).output()?;
        shop.program("strip")
            .args(["-g"])
            .args([&target])
            .output()?;
        order.push(plain.to_owned());
    }
    Ok(order)
}

/// The compressed kernel inside a bzImage, and the tool that opens it.
///
/// Little endian: `setup sectors u8` at 1F1, `HdrS` at 202, `offset u32` at 248, `length u32` at
/// 24C; the payload is `offset` bytes behind the setup sectors and the boot sector.
///
/// Source: Linux kernel, Documentation/x86/boot.rst.
fn payload(image: &[u8]) -> Result<(&[u8], &'static str)> {
    let word = |at: usize| {
        let bytes = image
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| u32::from_le_bytes(bytes) as usize)
    };
    if image.get(0x202..0x206) != Some(b"HdrS") {
        bail!("this is no bzImage");
    }
    let sectors = match image.get(0x1F1) {
        None | Some(0) => 4,
        Some(count) => usize::from(*count),
    };
    let (offset, length) = word(0x248).zip(word(0x24C)).context("a short bzImage")?;
    let start = (sectors + 1) * 512 + offset;
    let packed = image
        .get(start..start + length)
        .context("a short bzImage")?;
    match packed {
        // The kernel's build appends the size, four bytes.
        [0xFD, b'7', b'z', b'X', b'Z', .., _, _, _, _] => Ok((&packed[..length - 4], "xz")),
        [0x28, 0xB5, 0x2F, 0xFD, .., _, _, _, _] => Ok((&packed[..length - 4], "zstd")),
        _ => bail!("the kernel is compressed in a way that is not known here"),
    }
}

/// The initramfs: busybox, the modules, their order and init.
fn archive(folder: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for name in ["bin", "modules"] {
        archive.add(name, 0o040_755, &[]);
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"];
    let busybox = busybox.iter().find_map(|path| fs::read(path).ok());
    archive.add("bin/busybox", 0o100_755, &busybox.context("no busybox")?);
    archive.add("init", 0o100_755, INIT.as_bytes());
    let order = fs::read_to_string(folder.join("order"))?;
    archive.add("modules/order", 0o100_644, order.as_bytes());
    let disks = fs::read_to_string(folder.join("disks"))?;
    archive.add("modules/disks", 0o100_644, disks.as_bytes());
    for module in order.lines().chain(disks.lines()) {
        let bytes = fs::read(folder.join("modules").join(module))?;
        archive.add(&format!("modules/{module}"), 0o100_644, &bytes);
    }
    archive.add(TRAILER, 0, &[]);
    Ok(archive.bytes)
}

/// A cpio archive of the kind `newc`: a head of thirteen hexadecimal fields, the name, the
/// content, both padded with zeros to four bytes.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    count: usize,
}

impl Archive {
    fn add(&mut self, name: &str, mode: usize, content: &[u8]) {
        self.count += 1;
        let fields = [
            self.count,
            mode,
            0,
            0,
            1,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_dependency_whatever_its_number() {
        let text = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n";
        let name = dependency(text);
        assert_eq!(name.as_deref(), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(dependency("linux-image-amd64\n  Suggests: grub\n"), None);
    }

    #[test]
    fn the_payload_of_a_kernel_is_found_and_a_cut_off_one_is_refused() {
        let mut image = vec![0; 0x1000];
        image[0x1F1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248] = 0x10;
        image[0x24C] = 12;
        image[0x410..0x41C].copy_from_slice(b"\x28\xB5\x2F\xFDabcd\x04\0\0\0");
        assert_eq!(
            payload(&image).unwrap(),
            (&b"\x28\xB5\x2F\xFDabcd"[..], "zstd")
        );
        image.truncate(0x418);
        assert!(payload(&image).is_err());
    }

    #[test]
    fn an_archive_entry_is_padded_to_four_bytes() {
        let mut archive = Archive::default();
        archive.add("init", 0o100_755, b"12345");
        assert_eq!(archive.bytes.len(), 110 + 6 + 8);
        assert!(archive.bytes.starts_with(b"07070100000001000081ED"));
    }
}
