//! A volume, walked: every directory once, every chain claimed.

use std::collections::BTreeSet;

use super::follow::{Chain, Stop};
use super::names::Names;
use super::{Options, content, keep, lost, names, space};
use crate::bits::Bits;
use crate::disk::Disk;
use crate::read::{Node, Record, Upcase, clusters_of, records};
use crate::table::Table;
use crate::{Edit, Finding, Kind, Report, Seen, Volume, boot};

/// A chain that does not fit its entry; what to do is known when all are.
pub(super) struct Broken {
    pub node: Node,
    pub path: String,
    /// First cluster of the directory it is in; 0 for FAT's root.
    pub parent: u32,
    pub chain: Chain,
    /// Clusters its length asks for; directories do not say.
    pub need: Option<u64>,
}

/// Broken chains that are kept; the others are found in the next round of a repair.
const BROKEN: usize = 4096;
/// Directories that wait to be read.
const WAITING: usize = 1 << 20;
/// Bytes of a path that are kept.
const PATH: usize = 1024;

/// A directory that waits.
struct Waiting {
    count: u64,
    parent: u32,
    path: String,
    node: Node,
}

/// Everything about the volume at hand.
pub(super) struct Look<'r, 'd> {
    pub disk: &'r mut Disk<'d>,
    pub volume: Volume,
    pub table: Table,
    pub claimed: Bits,
    pub broken: Vec<Broken>,
    pub upcase: Option<Upcase>,
    pub scripts: Vec<(Node, String)>,
    pub seen: Seen,
    pub root_free: u32,
    pub root_pieces: Vec<(u64, u64)>,
    /// Numbers of the root's directories for what was lost.
    pub founds: BTreeSet<u32>,
    pub report: &'r mut Report,
    index: usize,
}

/// Checks one volume and adds it to the report.
pub(super) fn volume(
    disk: &mut Disk<'_>,
    mut volume: Volume,
    camera: bool,
    options: &Options,
    index: usize,
    report: &mut Report,
) {
    if volume.is_exfat() {
        boot::find_bitmap(disk, &mut volume);
    }
    let seen = Seen {
        volume: volume.clone(),
        label: None,
        files: 0,
        directories: 0,
        free: 0,
        main: false,
        camera,
    };
    let mut look = Look {
        table: Table::new(&volume),
        claimed: Bits::new(volume.limit()),
        broken: Vec::new(),
        upcase: None,
        scripts: Vec::new(),
        root_free: 0,
        root_pieces: Vec::new(),
        founds: BTreeSet::new(),
        disk,
        volume,
        seen,
        report,
        index,
    };
    look.first_entries();
    look.copies();
    look.root();
    let used = look.used();
    look.marked_free(&used.bits);
    let lost = lost::find(&mut look, &used.bits);
    look.resolve(&lost, &used.bits);
    keep::plan(&mut look, &lost, &used.bits);
    if options.content {
        content::scripts(&mut look);
    }
    space::judge(&mut look, &used);
    let seen = look.seen;
    report.volumes.push(seen);
}

impl Look<'_, '_> {
    pub fn add(&mut self, mut finding: Finding) {
        finding.volume = Some(self.index);
        self.report.add(finding);
    }

    /// Reads the root, and from there everything.
    fn root(&mut self) {
        let mut waiting = Vec::new();
        let root = self.volume.root;
        let first = if root == 0 {
            self.root_pieces = vec![(
                self.volume.root_at,
                u64::from(self.volume.root_entries) * 32,
            )];
            self.directory(None, &mut waiting);
            None
        } else {
            Some(self.claim(root, None, false))
        };
        if let Some(chain) = first {
            let node = Node {
                name: "/".into(),
                dir: true,
                first: root,
                ..Node::default()
            };
            self.whole("/", 0, node, chain, None);
            self.root_pieces = self.pieces(root, chain.count, false);
            self.directory(None, &mut waiting);
        }
        while let Some(next) = waiting.pop() {
            self.directory(Some(next), &mut waiting);
        }
    }

    /// Where the clusters of a claimed directory are.
    fn pieces(&mut self, first: u32, count: u64, contiguous: bool) -> Vec<(u64, u64)> {
        let clusters = clusters_of(self.disk, &self.volume, first, Some(count), contiguous);
        let length = u64::from(self.volume.cluster);
        clusters
            .iter()
            .map(|cluster| (self.volume.at(*cluster), length))
            .collect()
    }

    /// Reads one directory; `None` is the root.
    fn directory(&mut self, at: Option<Waiting>, waiting: &mut Vec<Waiting>) {
        let pieces = match &at {
            Some(at) => self.pieces(at.node.first, at.count, at.node.contiguous),
            None => self.root_pieces.clone(),
        };
        let upcase = self.upcase.take();
        let (mut found, free) = records(self.disk, &self.volume, upcase.as_ref(), &pieces);
        self.upcase = upcase;
        match &at {
            None => {
                self.root_free = free;
                self.root_records(&found);
                // Once more, with the table of upper-case letters that is in it.
                if self.upcase.is_some() {
                    found = records(self.disk, &self.volume, self.upcase.as_ref(), &pieces).0;
                }
            }
            Some(at) if !self.volume.is_exfat() => {
                if !self.dots(&found, &pieces, &at.node, at.parent, &at.path, at.count) {
                    return;
                }
            }
            Some(_) => {}
        }
        let root = at.is_none();
        let (own, path) = match &at {
            Some(at) => (at.node.first, at.path.as_str()),
            None => (self.volume.root, ""),
        };
        let mut names = Names::default();
        // Directories claim first: of two that share a cluster, the file is the likelier culprit.
        for folders in [true, false] {
            for record in &found {
                match record {
                    Record::Node(node) if node.dir == folders => {
                        self.node(node, own, path, &mut names, waiting);
                    }
                    Record::Node(_) | Record::Dot { .. } => {}
                    _ if folders => {}
                    Record::Orphan { slots, set } => names::orphan(self, path, slots, *set),
                    Record::Label { name, .. } if root && self.seen.label.is_none() => {
                        self.seen.label = Some(name.clone());
                    }
                    Record::Label { at, .. } => {
                        let edits = crate::read::free(&self.volume, &[*at], &[0x83]);
                        let mut finding =
                            Finding::new(Kind::SecondLabel, "a volume has one, in its root");
                        finding.edits = edits;
                        self.add(finding.path(shown(path)));
                    }
                    Record::Bitmap { .. } | Record::Upcase { .. } => {}
                    Record::Unknown { at } => {
                        let finding =
                            Finding::new(Kind::SetBroken, format!("an unknown entry at byte {at}"));
                        let edits = vec![Edit::bytes(*at, [0x01])];
                        let finding = finding.path(shown(path));
                        self.add(finding.fix(crate::Loss::Guess, "free it", edits));
                    }
                }
            }
        }
    }

    /// A file or directory: its entry, its name, its chain.
    fn node(
        &mut self,
        node: &Node,
        parent: u32,
        path: &str,
        names: &mut Names,
        waiting: &mut Vec<Waiting>,
    ) {
        let path = joined(path, &node.name);
        if !names::judge(self, node, &path, names) {
            return;
        }
        let exfat = self.volume.is_exfat();
        if let Some(number) = path
            .strip_prefix("/FOUND.")
            .and_then(|number| number.parse().ok())
        {
            self.founds.insert(number);
        }
        if !node.dir {
            self.seen.files += 1;
            let need = self.volume.need(node.size);
            let chain = self.claim(node.first, Some(need), node.contiguous);
            self.whole(&path, parent, node.clone(), chain, Some(need));
            content::remember(self, node, &path);
            return;
        }
        self.seen.directories += 1;
        let need = exfat.then(|| self.volume.need(node.size));
        let chain = self.claim(node.first, need, node.contiguous);
        if !exfat && node.size != 0 {
            let edits = node.changed(&self.volume, None, Some(0), None);
            let mut finding = Finding::new(Kind::DirectorySize, format!("{} bytes", node.size));
            finding.edits = edits;
            self.add(finding.path(&path));
        }
        self.whole(&path, parent, node.clone(), chain, need);
        if chain.count > 0 && waiting.len() < WAITING {
            waiting.push(Waiting {
                count: chain.count,
                parent,
                path,
                node: node.clone(),
            });
        }
    }

    /// Keeps a chain that is not what its entry says.
    fn whole(&mut self, path: &str, parent: u32, node: Node, chain: Chain, need: Option<u64>) {
        let good = match need {
            Some(0) => node.first == 0,
            Some(need) => chain.count == need && chain.stop == Stop::End,
            None => chain.count > 0 && chain.stop == Stop::End,
        };
        if !good && self.broken.len() < BROKEN {
            self.broken.push(Broken {
                node,
                path: path.to_owned(),
                parent,
                chain,
                need,
            });
        }
    }
}

/// A path one step deeper, its end left out where it grows too long.
fn joined(path: &str, name: &str) -> String {
    if path.len() > PATH {
        return path.to_owned();
    }
    format!("{path}/{name}")
}

pub(super) fn shown(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
