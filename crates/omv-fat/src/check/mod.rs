//! The check: from the medium up, everything once, and what depends on everything at the end.
//!
//! ```text
//!   partition::locate -> boot::judge -> fats (copies, marks) -> walk (directories, chains)
//!                                           -> lost (chains nobody has) -> resolve (broken ones)
//! ```

mod content;
mod cross;
mod fats;
mod follow;
mod keep;
mod lost;
mod names;
mod resolve;
mod space;
mod walk;

use crate::disk::Disk;
use crate::{Finding, Kind, Report, Sectors, boot, partition};

/// What whoever asks for a check knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the sectors are those of the medium. An image file has none of its own.
    pub sector_size_known: bool,
    /// Whether scripts are read.
    pub content: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sector_size_known: false,
            content: true,
        }
    }
}

/// Checks a disk. Nothing is written.
///
/// Memory: about half a byte a cluster, and 2 MiB. Time: each table is read once, each directory
/// once; the data of files is not read, but for scripts in the root and in `lib`.
pub fn check(device: &mut dyn Sectors, options: &Options) -> Report {
    let mut report = Report::default();
    let mut disk = Disk::new(device);
    let parts = partition::locate(&mut disk, &mut report);
    for part in &parts {
        let before = report.findings.len();
        if let Some((volume, camera)) = boot::judge(&mut disk, part, options, &mut report) {
            let index = report.volumes.len();
            for finding in report.findings.iter_mut().skip(before) {
                finding.volume = Some(index);
            }
            walk::volume(&mut disk, volume, camera, options, index, &mut report);
        }
    }
    if report.volumes.is_empty() {
        report.add(Finding::new(Kind::NoVolume, report.table));
    }
    if !disk.unreadable.is_empty() {
        let sectors: Vec<_> = disk.unreadable.iter().take(8).map(u64::to_string).collect();
        let more = if disk.unreadable.len() > 8 {
            ", ..."
        } else {
            ""
        };
        let detail = format!("sectors {}{more}", sectors.join(", "));
        report.add(Finding::new(Kind::UnreadableSector, detail));
    }
    report
        .findings
        .sort_by_key(|finding| finding.kind.about().layer);
    report
}
