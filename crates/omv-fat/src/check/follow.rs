//! Chains, followed and claimed.

use super::walk::Look;
use crate::table::{BAD, END};

/// Why a chain was not followed further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It ends as it should, or there is none.
    End,
    /// All that was asked for was found, but it goes on.
    Enough,
    /// The last cluster is marked free.
    Free,
    /// The last cluster is marked bad.
    Bad,
    /// It leads to a cluster that does not exist.
    Outside(u32),
    /// It leads to a cluster of its own.
    Loop(u32),
    /// It leads to a cluster that somebody else has.
    Cross(u32),
}

/// What was found of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub count: u64,
    /// The last cluster that belongs to it; 0 if there is none.
    pub last: u32,
    pub stop: Stop,
}

impl Look<'_, '_> {
    /// Claims the clusters from `first` on, `need` at most.
    pub fn claim(&mut self, first: u32, need: Option<u64>, contiguous: bool) -> Chain {
        let mut chain = Chain {
            count: 0,
            last: 0,
            stop: Stop::End,
        };
        let mut cluster = first;
        if need == Some(0) {
            return chain;
        }
        loop {
            if !self.volume.has(cluster) {
                chain.stop = Stop::Outside(cluster);
                return chain;
            }
            if !self.claimed.add(cluster) {
                let own = self.is_own(first, chain.count, cluster, contiguous);
                chain.stop = if own {
                    Stop::Loop(cluster)
                } else {
                    Stop::Cross(cluster)
                };
                return chain;
            }
            chain.count += 1;
            chain.last = cluster;
            let enough = need.is_some_and(|need| chain.count >= need);
            if contiguous {
                if enough {
                    return chain;
                }
                cluster += 1;
                continue;
            }
            let next = self.table.get(self.disk, cluster);
            chain.stop = match next {
                END => Stop::End,
                0 => Stop::Free,
                BAD => Stop::Bad,
                _ if !self.volume.has(next) => Stop::Outside(next),
                _ if enough => Stop::Enough,
                _ => {
                    cluster = next;
                    continue;
                }
            };
            return chain;
        }
    }

    /// Whether a cluster is among the first `count` of a chain.
    fn is_own(&mut self, first: u32, count: u64, wanted: u32, contiguous: bool) -> bool {
        if contiguous {
            return (u64::from(first)..u64::from(first) + count).contains(&u64::from(wanted));
        }
        let mut cluster = first;
        for _ in 0..count {
            if cluster == wanted {
                return true;
            }
            cluster = self.table.get(self.disk, cluster);
        }
        false
    }
}
