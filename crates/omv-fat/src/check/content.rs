//! Scripts: the files a camera starts, and those beside them.

use super::walk::Look;
use crate::read::{Node, clusters_of};
use crate::{Finding, Kind};

/// Scripts that are read, and how much of each.
const SCRIPTS: usize = 256;
const LENGTH: u64 = 256 << 10;
/// What people get when they want `main.py` and their computer hides endings.
const NEARLY: [&str; 5] = [
    "main.py.txt",
    "main.txt",
    "main.py.py",
    "._main.py",
    "main.mpy.py",
];

/// Keeps an entry that is worth reading: scripts of the root and of `lib`.
pub(super) fn remember(look: &mut Look<'_, '_>, node: &Node, path: &str) {
    let lower = path.to_lowercase();
    let place = lower
        .strip_prefix("/lib/")
        .or_else(|| lower.strip_prefix('/'));
    let Some(name) = place.filter(|name| !name.contains('/')) else {
        return;
    };
    look.seen.main |= lower == "/main.py";
    if NEARLY.contains(&name) {
        look.add(Finding::new(Kind::Misnamed, "the camera looks for main.py").path(path));
    } else if name.ends_with(".py") && look.scripts.len() < SCRIPTS {
        look.scripts.push((node.clone(), path.to_owned()));
    }
}

/// Reads what was kept.
pub(super) fn scripts(look: &mut Look<'_, '_>) {
    for (node, path) in std::mem::take(&mut look.scripts) {
        let started = matches!(path.as_str(), "/main.py" | "/boot.py");
        if node.size == 0 {
            if started {
                look.add(Finding::new(Kind::ContentEmpty, "0 bytes").path(path));
            }
            continue;
        }
        let length = node.size.min(LENGTH);
        let need = look.volume.need(length);
        let clusters = clusters_of(
            look.disk,
            &look.volume,
            node.first,
            Some(need),
            node.contiguous,
        );
        let mut bytes = Vec::new();
        for cluster in clusters {
            let piece = u64::from(look.volume.cluster).min(length - bytes.len() as u64);
            bytes.extend(look.disk.bytes(look.volume.at(cluster), piece as usize));
            if bytes.len() as u64 >= length {
                break;
            }
        }
        if let Some((kind, detail)) = judge(&bytes, length < node.size) {
            look.add(Finding::new(kind, detail).path(path));
        }
    }
}

/// What is wrong with a script's bytes; `cut` if there are more of them.
fn judge(bytes: &[u8], cut: bool) -> Option<(Kind, String)> {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    if !bytes.is_empty() && zeros == bytes.len() {
        return Some((Kind::ContentZeros, format!("{zeros} bytes")));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Some((Kind::ContentCoding, "it is UTF-16".into()));
    }
    if zeros > 0 {
        let first = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
        return Some((
            Kind::ContentNul,
            format!("{zeros} zeros, the first at byte {first}"),
        ));
    }
    match std::str::from_utf8(bytes) {
        // A letter that the cut went through is no fault.
        Err(error) if !(cut && error.error_len().is_none()) => Some((
            Kind::ContentCoding,
            format!("not from byte {} on", error.valid_up_to()),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_from_what_is_none() {
        let kind = |bytes: &[u8]| judge(bytes, false).map(|(kind, _)| kind);
        assert_eq!(kind(b"import sensor\n"), None);
        assert_eq!(kind("# gr\u{fc}n\n".as_bytes()), None);
        assert_eq!(kind(&[0; 40]), Some(Kind::ContentZeros));
        assert_eq!(kind(b"import\0"), Some(Kind::ContentNul));
        assert_eq!(kind(&[0xFF, 0xFE, 0x41, 0]), Some(Kind::ContentCoding));
        assert_eq!(kind(&[b'a', 0xC3]), Some(Kind::ContentCoding));
        assert!(judge(&[b'a', 0xC3], true).is_none());
    }
}
