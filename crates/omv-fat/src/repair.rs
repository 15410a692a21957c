//! Repairs, planned on a copy in memory, then written sector by sector in an order that may be
//! cut anywhere.
//!
//! ```text
//!   check -> the lowest stage with edits -> apply to the overlay -> check again -> ... -> Work
//!   boot sectors | copies of the table | roots' own | chains, entries | lost chains | counts, marks
//! ```
//!
//! Each round leaves a disk that is better than before and can be repaired further, so the writes
//! in their order can stop after any sector: a second repair goes on from there.

use std::collections::BTreeSet;

use crate::disk::Disk;
use crate::{
    Edit, Fault, Finding, Kind, Layer, Loss, Options, Overlay, Report, Sectors, Severity, check,
};

/// Rounds after which what is left stays.
const ROUNDS: usize = 24;

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it repairs.
    pub kind: Kind,
    /// On which volume.
    pub volume: Option<usize>,
    /// In which file.
    pub path: Option<String>,
    /// What will be done.
    pub what: String,
    /// What it costs.
    pub loss: Loss,
}

/// A repair that was planned, and is known to work.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// What will be done.
    pub steps: Vec<Step>,
    /// Sectors to be written, in this order. A sector may come more than once.
    pub writes: Vec<(u64, Vec<u8>)>,
    /// What these sectors hold now, each once.
    pub undo: Vec<(u64, Vec<u8>)>,
    /// The disk as it is.
    pub before: Report,
    /// The disk as it will be.
    pub after: Report,
}

impl Work {
    /// Writes it. `each` hears how many sectors are written and may stop by saying no.
    ///
    /// # Errors
    /// When a sector cannot be written.
    pub fn write(
        &self,
        device: &mut dyn Sectors,
        mut each: impl FnMut(usize) -> bool,
    ) -> Result<(), Fault> {
        for (done, (sector, bytes)) in self.writes.iter().enumerate() {
            if !each(done) {
                break;
            }
            device.write(*sector, bytes)?;
        }
        device.flush()
    }

    /// The disk as the repair will leave it, in memory.
    ///
    /// # Errors
    /// When more changes than memory is meant to hold.
    pub fn overlay<'a>(&self, device: &'a mut dyn Sectors) -> Result<Overlay<'a>, Fault> {
        let mut overlay = Overlay::new(device);
        for (sector, bytes) in &self.writes {
            overlay.write(*sector, bytes)?;
        }
        Ok(overlay)
    }

    /// The worst a step costs.
    pub fn loss(&self) -> Loss {
        self.steps
            .iter()
            .map(|step| step.loss)
            .max()
            .unwrap_or(Loss::None)
    }
}

/// Plans the repair of everything that can be repaired. Nothing is written.
///
/// # Errors
/// When more would change than memory is meant to hold.
pub fn repair(device: &mut dyn Sectors, options: &Options) -> Result<Work, Fault> {
    let mut overlay = Overlay::new(device);
    let before = check(&mut overlay, options);
    let mut work = Work {
        before: before.clone(),
        ..Work::default()
    };
    let mut report = before;
    for _ in 0..ROUNDS {
        let Some(now) = report
            .findings
            .iter()
            .filter(|one| !one.edits.is_empty())
            .map(|one| stage(one.kind))
            .min()
        else {
            break;
        };
        let chosen: Vec<Finding> = report
            .findings
            .iter()
            .filter(|one| stage(one.kind) == now && !one.edits.is_empty())
            .cloned()
            .collect();
        for finding in independent(chosen) {
            let edits = if finding.kind == Kind::FatsDiffer {
                better_copies(&mut overlay, &report, &finding, options)
            } else {
                finding.edits.clone()
            };
            apply(&mut overlay, &report, finding.volume, &edits)?;
            let detail = if finding.detail.is_empty() {
                String::new()
            } else {
                format!(" ({})", finding.detail)
            };
            work.steps.push(Step {
                kind: finding.kind,
                volume: finding.volume,
                path: finding.path.clone(),
                what: format!("{}{detail}", finding.repair),
                loss: finding.loss,
            });
        }
        work.writes.extend(overlay.take_log());
        report = check(&mut overlay, options);
    }
    let sectors: BTreeSet<u64> = work.writes.iter().map(|(sector, _)| *sector).collect();
    for sector in sectors {
        // A sector that cannot be read has nothing that could be brought back.
        let size = overlay.sector_size() as usize;
        let bytes = overlay.original(sector).unwrap_or_else(|_| vec![0; size]);
        work.undo.push((sector, bytes));
    }
    work.after = report;
    Ok(work)
}

/// In which order things are repaired.
fn stage(kind: Kind) -> u8 {
    match kind {
        Kind::BootJump | Kind::BootText => 0,
        Kind::FatsDiffer => 1,
        Kind::NoBitmap | Kind::NoUpcase | Kind::BitmapFree => 2,
        Kind::FatGarbage | Kind::LostClusters => 4,
        Kind::Dirty | Kind::HardErrors | Kind::PercentInUse => 5,
        _ => match kind.about().layer {
            Layer::Device | Layer::Table | Layer::Volume => 0,
            Layer::Fat | Layer::Chains | Layer::Directories | Layer::Content | Layer::Camera => 3,
            Layer::Use => 5,
        },
    }
}

/// Findings that do not edit the same things; the others wait for the next round.
fn independent(findings: Vec<Finding>) -> Vec<Finding> {
    let mut bytes = BTreeSet::new();
    let mut links = BTreeSet::new();
    let mut kept = Vec::new();
    for finding in findings {
        let volume = finding.volume;
        let taken = finding.edits.iter().any(|edit| match edit {
            Edit::Bytes { at, .. } => bytes.contains(at),
            Edit::Link { cluster, .. } => links.contains(&(volume, *cluster)),
            Edit::Mark { .. } | Edit::Copy { .. } => false,
        });
        if taken {
            continue;
        }
        for edit in &finding.edits {
            match edit {
                Edit::Bytes { at, .. } => {
                    bytes.insert(*at);
                }
                Edit::Link { cluster, .. } => {
                    links.insert((volume, *cluster));
                }
                Edit::Mark { .. } | Edit::Copy { .. } => {}
            }
        }
        kept.push(finding);
    }
    kept
}

fn apply(
    device: &mut dyn Sectors,
    report: &Report,
    volume: Option<usize>,
    edits: &[Edit],
) -> Result<(), Fault> {
    let volume = volume.and_then(|volume| report.volumes.get(volume));
    let mut disk = Disk::new(device);
    for edit in edits {
        edit.apply(&mut disk, volume.map(|seen| &seen.volume))?;
    }
    Ok(())
}

/// How bad a disk is: what counts when two copies of a table are weighed.
fn cost(report: &Report) -> u64 {
    let each = report.findings.iter().map(|finding| match finding.kind {
        Kind::FatsDiffer | Kind::Dirty | Kind::HardErrors => 0,
        Kind::InfoFree | Kind::InfoFreeZero => 1,
        kind => match (kind.about().severity, finding.loss) {
            (Severity::Error, Loss::Data) => 40,
            (Severity::Error, _) => 20,
            (Severity::Warning, _) => 4,
            (Severity::Note, _) => 0,
        },
    });
    each.sum::<u64>() + report.more * 20
}

/// For each sector in which the copies differ, the copy with which the disk is better.
fn better_copies(
    overlay: &mut Overlay<'_>,
    report: &Report,
    finding: &Finding,
    options: &Options,
) -> Vec<Edit> {
    let quick = Options {
        content: false,
        ..*options
    };
    let mut chosen: Vec<Edit> = Vec::new();
    let mut best = cost(report);
    for edit in &finding.edits {
        let Edit::Copy { from, to, length } = *edit else {
            continue;
        };
        let turned = Edit::Copy {
            from: to,
            to: from,
            length,
        };
        let mut trial = Overlay::new(&mut *overlay);
        let mut all = chosen.clone();
        all.push(turned.clone());
        let tried = apply(&mut trial, report, finding.volume, &all).is_ok();
        let cost = if tried {
            cost(&check(&mut trial, &quick))
        } else {
            u64::MAX
        };
        if cost < best {
            best = cost;
            chosen.push(turned);
        } else {
            chosen.push(edit.clone());
        }
    }
    chosen
}
