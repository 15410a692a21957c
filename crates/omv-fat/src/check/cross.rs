//! Clusters that two files have: who of them is meant, and what the other one gets instead.

use std::collections::HashSet;

use super::follow::Stop;
use super::lost::Lost;
use super::walk::{Broken, Look};
use crate::bits::Bits;
use crate::read::{Node, Record, clusters_of, records};
use crate::{Edit, Finding, Loss};

/// Crossings that are looked into in one check.
const LOOKED_INTO: usize = 256;
/// Clusters that are passed on the way, for each one that the volume has.
const PASSES: u64 = 4;
/// Bytes that are copied for one file at most.
const COPIED: u64 = 32 << 20;

/// The first owner of a cluster.
struct Owner {
    /// The cluster before, 0 if there is none.
    before: u32,
    /// Clusters of the file from this one on.
    rest: u64,
}

pub(super) fn resolve(
    look: &mut Look<'_, '_>,
    crossed: Vec<(&Broken, Finding)>,
    lost: &Lost,
    used: &Bits,
) {
    let wanted: HashSet<u32> = crossed
        .iter()
        .filter_map(|(one, _)| hit(one))
        .take(LOOKED_INTO)
        .collect();
    let owners = owners(look, &wanted);
    // Clusters below this one are in use, or were promised.
    let mut given = 2;
    let mut mended = std::collections::BTreeSet::new();
    for (one, finding) in crossed {
        let cluster = hit(one).unwrap_or(0);
        let owner = owners
            .iter()
            .find(|(at, _)| *at == cluster)
            .map(|(_, owner)| owner);
        // The first one may be the one that went astray: what follows it on the disk tells.
        let astray = owner.filter(|owner| owner.before > 0 && owner.before + 1 != cluster);
        let back = astray.and_then(|owner| {
            let lone = lost.at(owner.before + 1)?;
            (lone.length == owner.rest).then_some((owner, lone))
        });
        let finding = if !mended.insert(cluster) {
            // One repair at a time for a cluster; the next look decides about the others.
            finding.fix(Loss::None, "look again after the other repair", Vec::new())
        } else if let Some((owner, lone)) = back {
            lone.taken.set(true);
            let edit = Edit::Link {
                cluster: owner.before,
                value: lone.head,
            };
            finding.fix(
                Loss::None,
                "link the other file to the chain that follows it",
                vec![edit],
            )
        } else if let Some(edits) = copy(look, one, used, &mut given) {
            finding.fix(Loss::None, "give it a copy of the shared clusters", edits)
        } else {
            let (repair, edits) = look.give_up(one);
            finding.fix(Loss::Data, repair, edits)
        };
        look.add(finding);
    }
}

fn hit(one: &Broken) -> Option<u32> {
    match one.chain.stop {
        Stop::Cross(at) => Some(at),
        _ => None,
    }
}

/// Walks everything once more, for the first owners of some clusters.
fn owners(look: &mut Look<'_, '_>, wanted: &HashSet<u32>) -> Vec<(u32, Owner)> {
    let mut owners: Vec<(u32, Owner)> = Vec::new();
    let mut seen = Bits::new(look.volume.limit());
    let mut waiting = vec![None::<Node>];
    let mut steps = u64::from(look.volume.clusters) * PASSES;
    while let Some(next) = waiting.pop() {
        let pieces = match &next {
            None => look.root_pieces.clone(),
            Some(node) => {
                let mut pieces = Vec::new();
                let mut cluster = node.first;
                let straight = node.contiguous;
                while look.volume.has(cluster) && look.claimed.has(cluster) && seen.add(cluster) {
                    pieces.push((look.volume.at(cluster), u64::from(look.volume.cluster)));
                    cluster = if straight {
                        cluster + 1
                    } else {
                        look.table.get(look.disk, cluster)
                    };
                }
                pieces
            }
        };
        let (found, _) = records(look.disk, &look.volume, None, &pieces);
        for record in found {
            let Record::Node(node) = record else {
                continue;
            };
            if node.dir {
                waiting.push(Some(node));
                continue;
            }
            // Where many files share one chain, only the first of them are looked at.
            let need = look.volume.need(node.size).min(steps);
            let chain = clusters_of(
                look.disk,
                &look.volume,
                node.first,
                Some(need),
                node.contiguous,
            );
            steps -= chain.len() as u64;
            for (at, cluster) in chain.iter().enumerate() {
                if wanted.contains(cluster) && owners.iter().all(|(known, _)| known != cluster) {
                    let before = at
                        .checked_sub(1)
                        .and_then(|at| chain.get(at))
                        .copied()
                        .unwrap_or(0);
                    let rest = look.volume.need(node.size) - at as u64;
                    owners.push((*cluster, Owner { before, rest }));
                }
            }
        }
    }
    owners
}

/// Free clusters that nobody was promised, as many as are asked for; in one piece if `straight`.
fn take(
    look: &mut Look<'_, '_>,
    used: &Bits,
    given: &mut u32,
    count: u64,
    straight: bool,
) -> Option<Vec<u32>> {
    let mut taken: Vec<u32> = Vec::new();
    for cluster in *given..look.volume.limit() {
        if taken.len() as u64 == count {
            break;
        }
        let free = !used.has(cluster) && !look.claimed.has(cluster);
        if free && !look.bad(cluster) {
            if straight && taken.last().is_some_and(|last| last + 1 != cluster) {
                taken.clear();
            }
            taken.push(cluster);
        }
    }
    if (taken.len() as u64) < count {
        return None;
    }
    *given = taken.last().map_or(*given, |last| last + 1);
    Some(taken)
}

/// Copies what a file shares into clusters of its own.
fn copy(look: &mut Look<'_, '_>, one: &Broken, used: &Bits, given: &mut u32) -> Option<Vec<Edit>> {
    let need = one.need?;
    let (volume, node) = (look.volume.clone(), &one.node);
    let whole = node.contiguous || one.chain.count == 0;
    let chain = clusters_of(look.disk, &volume, node.first, Some(need), node.contiguous);
    let skip = if whole { 0 } else { one.chain.count as usize };
    let shared = chain.get(skip..)?;
    if shared.is_empty() || shared.len() as u64 * u64::from(volume.cluster) > COPIED {
        return None;
    }
    let straight = volume.is_exfat() && whole;
    let fresh = take(look, used, given, shared.len() as u64, straight)?;
    let length = u64::from(volume.cluster);
    let pairs = shared.iter().zip(&fresh);
    // Data first, then the marks, then the links, then what makes all of it the file's.
    let mut edits: Vec<_> = pairs
        .map(|(from, to)| Edit::Copy {
            from: volume.at(*from),
            to: volume.at(*to),
            length,
        })
        .collect();
    if volume.is_exfat() {
        edits.extend(fresh.iter().map(|cluster| Edit::Mark {
            cluster: *cluster,
            used: true,
        }));
    }
    if !straight {
        let next = fresh.iter().skip(1).copied().chain([volume.end_mark()]);
        edits.extend(fresh.iter().zip(next).map(|(cluster, value)| Edit::Link {
            cluster: *cluster,
            value,
        }));
    }
    let head = fresh.first().copied()?;
    let size = ((skip + fresh.len()) as u64 * length).min(node.size);
    if whole {
        edits.extend(node.changed(&volume, Some(head), Some(size), Some(straight)));
        // What it had for itself and lies before the shared part is free now.
        for cluster in chain.iter().take(one.chain.count as usize) {
            edits.push(Edit::Mark {
                cluster: *cluster,
                used: false,
            });
        }
    } else {
        edits.push(Edit::Link {
            cluster: one.chain.last,
            value: head,
        });
        if size != node.size {
            edits.extend(node.changed(&volume, None, Some(size), None));
        }
    }
    Some(edits)
}
