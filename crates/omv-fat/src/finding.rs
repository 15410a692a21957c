//! One thing that was found, and all of them.

use crate::{Edit, Kind, Layer, Loss, Severity, Volume};

/// Findings that are kept; a disk of nothing but garbage has millions.
pub(crate) const KEPT: usize = 4096;
/// Clusters a finding names.
const NAMED: usize = 16;

/// Something that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Which volume it is about, counted as in [`Report::volumes`].
    pub volume: Option<usize>,
    /// Which file; untrusted text from the disk, cleaned of control characters.
    pub path: Option<String>,
    /// The particulars: numbers and what was expected.
    pub detail: String,
    /// Clusters it is about, the first few.
    pub clusters: Vec<u32>,
    /// What the repair costs.
    pub loss: Loss,
    /// What the repair will do, if that is known already.
    pub repair: String,
    /// The repair.
    pub edits: Vec<Edit>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            volume: None,
            path: None,
            detail: detail.into(),
            clusters: Vec::new(),
            loss: Loss::None,
            repair: kind.about().repair.to_owned(),
            edits: Vec::new(),
        }
    }

    pub(crate) fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(crate) fn clusters(mut self, clusters: impl IntoIterator<Item = u32>) -> Self {
        self.clusters = clusters.into_iter().take(NAMED).collect();
        self
    }

    pub(crate) fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    pub(crate) fn fix(mut self, loss: Loss, repair: impl Into<String>, edits: Vec<Edit>) -> Self {
        (self.loss, self.repair, self.edits) = (loss, repair.into(), edits);
        self
    }
}

/// A volume that was found.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its shape.
    pub volume: Volume,
    /// Its label.
    pub label: Option<String>,
    /// Files on it.
    pub files: u64,
    /// Directories on it, the root left out.
    pub directories: u64,
    /// Clusters nobody uses.
    pub free: u32,
    /// Whether its root has a `main.py`.
    pub main: bool,
    /// Whether a camera would mount this one, were it the only one.
    pub camera: bool,
}

/// What a check says.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How the disk is divided: `no partition table`, `MBR`, `GPT`.
    pub table: &'static str,
    /// The volumes, in the order a camera tries them.
    pub volumes: Vec<Seen>,
    /// What was found, from the medium up.
    pub findings: Vec<Finding>,
    /// Findings that were too many to be kept.
    pub more: u64,
}

impl Report {
    pub(crate) fn add(&mut self, finding: Finding) {
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings
            .iter()
            .map(|finding| finding.kind.about().severity)
            .max()
    }

    /// Whether there is nothing but notes.
    pub fn is_healthy(&self) -> bool {
        self.worst() <= Some(Severity::Note)
    }

    /// The worst of one layer.
    pub fn verdict(&self, layer: Layer) -> Option<Severity> {
        let of_layer = self.findings.iter().map(|finding| finding.kind.about());
        let of_layer = of_layer.filter(|about| about.layer == layer);
        of_layer.map(|about| about.severity).max()
    }

    /// Whether something of this kind was found.
    pub fn has(&self, kind: Kind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    /// The volume a camera mounts: the first it can.
    pub fn mounted(&self) -> Option<&Seen> {
        self.volumes.iter().find(|seen| seen.camera)
    }
}
