//! What to do about chains that do not fit their entries: link what was lost, and shorten only
//! what cannot be found.

use super::cross;
use super::follow::Stop;
use super::lost::{Lone, Lost};
use super::walk::{Broken, Look};
use crate::bits::Bits;
use crate::{Edit, Finding, Kind, Loss};

/// Sectors' worth of bits that one finding sets at most.
const BIT_PIECES: usize = 1024;

impl Look<'_, '_> {
    /// Decides for every broken chain.
    pub(super) fn resolve(&mut self, lost: &Lost, used: &Bits) {
        let broken = std::mem::take(&mut self.broken);
        let mut crossed = Vec::new();
        let mut strays = false;
        for one in &broken {
            let kind = kind(one);
            let detail = detail(one);
            let mut finding = Finding::new(kind, detail).path(&one.path);
            let places = [one.chain.last, one.node.first];
            finding = finding.clusters(places.into_iter().filter(|cluster| *cluster > 1));
            let stray = self.stray(one, lost);
            strays |= stray.is_some();
            match stray.or_else(|| self.mend(one, lost, used)) {
                Some((loss, repair, edits)) => finding = finding.fix(loss, repair, edits),
                None if matches!(one.chain.stop, Stop::Cross(_)) && one.need.is_some() => {
                    crossed.push((one, finding));
                    continue;
                }
                None => {
                    let (repair, edits) = self.give_up(one);
                    finding = finding.fix(Loss::Data, repair, edits);
                }
            }
            self.add(finding);
        }
        if strays {
            // Whose clusters they are shows when the strays are back.
            for (_, finding) in crossed {
                self.add(finding.fix(Loss::None, "look again after the other repair", Vec::new()));
            }
        } else if !crossed.is_empty() {
            cross::resolve(self, crossed, lost, used);
        }
    }

    /// A chain that left its own clusters for another's: somewhere on it a lost chain follows that
    /// is just as long as the rest should be.
    fn stray(&mut self, one: &Broken, lost: &Lost) -> Option<(Loss, String, Vec<Edit>)> {
        let need = one
            .need
            .filter(|need| one.chain.count > 1 && one.chain.count < *need)?;
        if one.node.contiguous || lost.chains.is_empty() {
            return None;
        }
        let (mut cluster, mut count) = (one.node.first, 1);
        while count < one.chain.count {
            let next = self.table.get(self.disk, cluster);
            let follows = lost
                .at(cluster + 1)
                .filter(|lone| lone.length == need - count);
            if next != cluster + 1
                && let Some(lone) = follows
            {
                lone.taken.set(true);
                let mut edits = self.chained(lone);
                edits.push(Edit::Link {
                    cluster,
                    value: lone.head,
                });
                let repair = format!("link the chain that follows its first {count} clusters");
                return Some((Loss::None, repair, edits));
            }
            (cluster, count) = (next, count + 1);
        }
        None
    }

    /// A repair that loses nothing, or is likely.
    fn mend(
        &mut self,
        one: &Broken,
        lost: &Lost,
        used: &Bits,
    ) -> Option<(Loss, String, Vec<Edit>)> {
        let end = self.volume.end_mark();
        let last = one.chain.last;
        let stop_here = |repair: &str| {
            let edits = vec![Edit::Link {
                cluster: last,
                value: end,
            }];
            Some((Loss::None, repair.to_owned(), edits))
        };
        let Some(need) = one.need else {
            return self.mend_directory(one, lost);
        };
        if need == 0 {
            let edits = one.node.changed(&self.volume, Some(0), None, None);
            return Some((
                Loss::None,
                "take its clusters off; they are kept as a lost file".into(),
                edits,
            ));
        }
        if one.chain.count == need {
            return stop_here("end the chain where the file ends");
        }
        if one.chain.count == 0 {
            let fits = |lone: &Lone| lone.length == need && lone.above.is_none() && !lone.garbage;
            let lone = lost.only(fits)?;
            lone.taken.set(true);
            let straight = self.volume.is_exfat() && lone.straight;
            let mut edits = self.closed(lone);
            edits.extend(
                one.node
                    .changed(&self.volume, Some(lone.head), None, Some(straight)),
            );
            let repair = format!(
                "link the lost chain at cluster {}, which is as long",
                lone.head
            );
            return Some((Loss::Guess, repair, edits));
        }
        if one.node.contiguous {
            return None;
        }
        self.relink(
            one.chain.last,
            need - one.chain.count,
            one.chain.stop,
            lost,
            used,
        )
    }

    /// Edits that end a lost chain properly.
    fn closed(&self, lone: &Lone) -> Vec<Edit> {
        let value = self.volume.end_mark();
        let straight = self.volume.is_exfat() && lone.straight;
        if lone.ended || straight {
            Vec::new()
        } else {
            vec![Edit::Link {
                cluster: lone.tail,
                value,
            }]
        }
    }

    /// Finds the `missing` clusters that follow `last`.
    pub(super) fn relink(
        &mut self,
        last: u32,
        missing: u64,
        stop: Stop,
        lost: &Lost,
        used: &Bits,
    ) -> Option<(Loss, String, Vec<Edit>)> {
        let link = |cluster, value| Edit::Link { cluster, value };
        if let Some(lone) = lost.at(last + 1).filter(|lone| lone.length == missing) {
            lone.taken.set(true);
            let mut edits = self.chained(lone);
            edits.push(link(last, lone.head));
            let repair = format!("link the chain that follows, at cluster {}", lone.head);
            return Some((Loss::None, repair, edits));
        }
        if stop != Stop::End
            && let Some(edits) = self.run(last, missing, lost, used)
        {
            let repair = format!("link the {missing} clusters that follow on the disk");
            return Some((Loss::Guess, repair, edits));
        }
        let fits = |lone: &Lone| lone.length == missing && lone.above.is_none() && !lone.garbage;
        let lone = lost.only(fits)?;
        lone.taken.set(true);
        let mut edits = self.chained(lone);
        edits.push(link(last, lone.head));
        let repair = format!(
            "link the lost chain at cluster {}, which is as long as what is missing",
            lone.head
        );
        Some((Loss::Guess, repair, edits))
    }

    /// Edits that make a lost chain one that can be linked to.
    fn chained(&self, lone: &Lone) -> Vec<Edit> {
        let end = self.volume.end_mark();
        if self.volume.is_exfat() && lone.straight {
            // It may never have had links.
            let inner = (lone.head..lone.tail).map(|cluster| Edit::Link {
                cluster,
                value: cluster + 1,
            });
            let mut edits: Vec<_> = inner.collect();
            edits.push(Edit::Link {
                cluster: lone.tail,
                value: end,
            });
            return edits;
        }
        self.closed(lone)
    }

    /// The clusters right behind `last`, if nobody has them: free ones, lost ones, and a lost
    /// chain that is just as long as the rest.
    fn run(&self, last: u32, missing: u64, lost: &Lost, used: &Bits) -> Option<Vec<Edit>> {
        let mut edits = Vec::new();
        let mut links = Vec::new();
        let mut taken = Vec::new();
        let mut cluster = last;
        let mut left = missing;
        while left > 0 {
            let next = cluster + 1;
            if !self.volume.has(next) || self.claimed.has(next) {
                return None;
            }
            links.push((cluster, next));
            if let Some(lone) = lost.at(next) {
                taken.push(lone);
                if lone.length == left && lone.ended {
                    left = 0;
                    continue;
                }
            }
            if self.volume.is_exfat() && !used.has(next) {
                edits.push(Edit::Mark {
                    cluster: next,
                    used: true,
                });
            }
            left -= 1;
            cluster = next;
            if left == 0 {
                links.push((cluster, self.volume.end_mark()));
            }
        }
        for lone in taken {
            lone.taken.set(true);
        }
        // From the end to the begin: the file grows only when all behind is there.
        edits.extend(
            links
                .into_iter()
                .rev()
                .map(|(cluster, value)| Edit::Link { cluster, value }),
        );
        Some(edits)
    }

    fn mend_directory(&mut self, one: &Broken, lost: &Lost) -> Option<(Loss, String, Vec<Edit>)> {
        let end = self.volume.end_mark();
        if one.chain.count > 0 {
            let last = one.chain.last;
            let edit = |value| {
                vec![Edit::Link {
                    cluster: last,
                    value,
                }]
            };
            if let Some(lone) = lost
                .at(last + 1)
                .filter(|lone| lone.above.is_none() && lone.ended)
            {
                lone.taken.set(true);
                let repair = format!("link the chain that follows, at cluster {}", lone.head);
                return Some((Loss::Guess, repair, edit(lone.head)));
            }
            return Some((Loss::Guess, "end the chain there".into(), edit(end)));
        }
        // Its own clusters know where they belong.
        let above = if one.parent == self.volume.root {
            0
        } else {
            one.parent
        };
        if let Some(lone) = lost.only(|lone| lone.above == Some(above)) {
            lone.taken.set(true);
            let mut edits = self.closed(lone);
            edits.extend(one.node.changed(&self.volume, Some(lone.head), None, None));
            let repair = format!("lead it to the lost directory at cluster {}", lone.head);
            return Some((Loss::Guess, repair, edits));
        }
        None
    }

    /// What is left when nothing can be found.
    pub(super) fn give_up(&self, one: &Broken) -> (String, Vec<Edit>) {
        let count = one.chain.count;
        if one.node.dir && count == 0 {
            return ("remove the entry".into(), one.node.freed(&self.volume));
        }
        if count == 0 {
            return (
                "empty the file".into(),
                one.node.changed(&self.volume, Some(0), Some(0), None),
            );
        }
        let size = (count * u64::from(self.volume.cluster)).min(one.node.size);
        let mut edits = Vec::new();
        if one.chain.stop != Stop::End && !one.node.contiguous {
            edits.push(Edit::Link {
                cluster: one.chain.last,
                value: self.volume.end_mark(),
            });
        }
        edits.extend(one.node.changed(&self.volume, None, Some(size), None));
        (format!("shorten it to {size} bytes"), edits)
    }

    /// exFAT: clusters that files have, but that the bitmap calls free.
    pub(super) fn marked_free(&mut self, used: &Bits) {
        let Some((first, _)) = self.volume.bitmap else {
            return;
        };
        let start = self.volume.at(first);
        let mut pieces: std::collections::BTreeMap<u64, Vec<u32>> =
            std::collections::BTreeMap::new();
        let mut count = 0_u64;
        let mut named = Vec::new();
        for cluster in self.claimed.without(used) {
            count += 1;
            if named.len() < 16 {
                named.push(cluster);
            }
            let piece = u64::from(cluster - 2) / 8 / 512;
            if pieces.len() < BIT_PIECES || pieces.contains_key(&piece) {
                pieces.entry(piece).or_default().push(cluster);
            }
        }
        if count == 0 {
            return;
        }
        let mut finding =
            Finding::new(Kind::BitmapFree, format!("{count} clusters")).clusters(named);
        for (piece, clusters) in pieces {
            let size = self.volume.clusters.div_ceil(8);
            let length = (u64::from(size) - piece * 512).min(512) as usize;
            let mut bytes = self.disk.bytes(start + piece * 512, length);
            for cluster in clusters {
                let bit = u64::from(cluster - 2) - piece * 512 * 8;
                if let Some(byte) = bytes.get_mut(bit as usize / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
            finding = finding.edit(Edit::bytes(start + piece * 512, bytes));
        }
        self.add(finding);
    }
}

fn kind(one: &Broken) -> Kind {
    let (count, need) = (one.chain.count, one.need);
    if need == Some(0) && one.node.first > 1 {
        return Kind::StartUnused;
    }
    match one.chain.stop {
        Stop::Outside(_) | Stop::End if count == 0 => Kind::StartBad,
        Stop::Cross(_) if count == 0 && one.node.dir => Kind::DirectoryCycle,
        Stop::Cross(_) => Kind::CrossLink,
        Stop::End => Kind::ChainShort,
        Stop::Enough => Kind::ChainLong,
        Stop::Free => Kind::ChainFree,
        Stop::Bad => Kind::BadInUse,
        Stop::Outside(_) => Kind::ChainOutside,
        Stop::Loop(_) => Kind::ChainLoop,
    }
}

fn detail(one: &Broken) -> String {
    let count = one.chain.count;
    let of = match one.need {
        Some(need) => format!("{count} of {need} clusters"),
        None => format!("{count} clusters"),
    };
    match one.chain.stop {
        Stop::Cross(at) => format!("{of}, then cluster {at}, which is another's"),
        Stop::Loop(at) => format!("{of}, then back to cluster {at}"),
        Stop::Outside(at) => format!("{of}, then cluster {at}, which does not exist"),
        _ => of,
    }
}
