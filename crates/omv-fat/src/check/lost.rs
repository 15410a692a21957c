//! Clusters in use that nobody has, as the chains they form.

use super::walk::Look;
use crate::bits::Bits;
use crate::bytes::{u8_at, u16_at};
use crate::table::{BAD, END};

/// Chains that are kept.
const CHAINS: usize = 4096;

/// A chain without a file.
#[derive(Clone, Debug)]
pub(super) struct Lone {
    pub head: u32,
    pub tail: u32,
    pub length: u64,
    /// Whether its clusters follow each other on the disk.
    pub straight: bool,
    /// Whether it ends in an end mark.
    pub ended: bool,
    /// Whether its only cluster has a value that means nothing.
    pub garbage: bool,
    /// For a directory that knows itself: the cluster of the one above.
    pub above: Option<u32>,
    /// Whether a broken file takes it.
    pub taken: std::cell::Cell<bool>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Lost {
    pub chains: Vec<Lone>,
    pub clusters: u64,
}

impl Lost {
    /// The chain that begins at a cluster, if nobody took it.
    pub fn at(&self, head: u32) -> Option<&Lone> {
        let found = self
            .chains
            .binary_search_by_key(&head, |lone| lone.head)
            .ok()?;
        self.chains.get(found).filter(|lone| !lone.taken.get())
    }

    /// The only one that fits.
    pub fn only(&self, fits: impl Fn(&Lone) -> bool) -> Option<&Lone> {
        let mut fitting = self
            .chains
            .iter()
            .filter(|lone| !lone.taken.get() && fits(lone));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }
}

/// Finds them.
pub(super) fn find(look: &mut Look<'_, '_>, used: &Bits) -> Lost {
    let mut lost = Bits::new(look.volume.limit());
    let mut count = 0;
    for cluster in used.without(&look.claimed) {
        lost.add(cluster);
        count += 1;
    }
    if count == 0 {
        return Lost::default();
    }
    let pointed = look.pointed(&lost);
    let mut visited = Bits::new(look.volume.limit());
    let mut chains = Vec::new();
    // Heads first; what is left then are rings.
    for ring in [false, true] {
        for cluster in lost.iter() {
            let head = ring || !pointed.has(cluster) && !continues(look, &lost, &pointed, cluster);
            if head && !visited.has(cluster) && chains.len() < CHAINS {
                let lone = follow(look, &lost, &pointed, &mut visited, cluster);
                chains.push(lone);
            }
        }
    }
    chains.sort_by_key(|lone| lone.head);
    Lost {
        chains,
        clusters: count,
    }
}

/// exFAT's files without a chain have no links: there a cluster goes with the one before it.
fn continues(look: &mut Look<'_, '_>, lost: &Bits, pointed: &Bits, cluster: u32) -> bool {
    look.volume.is_exfat()
        && cluster > 2
        && lost.has(cluster - 1)
        && !pointed.has(cluster)
        && look.table.get(look.disk, cluster - 1) == 0
}

fn follow(
    look: &mut Look<'_, '_>,
    lost: &Bits,
    pointed: &Bits,
    visited: &mut Bits,
    head: u32,
) -> Lone {
    let mut lone = Lone {
        head,
        tail: head,
        length: 0,
        straight: true,
        ended: false,
        garbage: false,
        above: None,
        taken: std::cell::Cell::new(false),
    };
    let mut cluster = head;
    while lost.has(cluster) && visited.add(cluster) {
        lone.length += 1;
        lone.straight &= lone.length == 1 || cluster == lone.tail + 1;
        lone.tail = cluster;
        let next = look.table.get(look.disk, cluster);
        lone.ended = next == END;
        lone.garbage =
            lone.length == 1 && next != 0 && next != END && !look.volume.has(next) && next != BAD;
        if next == 0 && look.volume.is_exfat() {
            if !continues(look, lost, pointed, cluster + 1) {
                break;
            }
            cluster += 1;
        } else if look.volume.has(next) {
            cluster = next;
        } else {
            break;
        }
    }
    if !look.volume.is_exfat() {
        lone.above = above(look, head);
    }
    lone
}

/// The parent of a directory whose own entry `.` leads to where it is.
fn above(look: &mut Look<'_, '_>, head: u32) -> Option<u32> {
    let at = look.volume.at(head);
    let bytes = look.disk.bytes(at, 64);
    let first =
        |at: usize| u32::from(u16_at(&bytes, at + 20)) << 16 | u32::from(u16_at(&bytes, at + 26));
    let named =
        bytes.get(..11) == Some(b".          ") && bytes.get(32..43) == Some(b"..         ");
    let directories = u8_at(&bytes, 11) & u8_at(&bytes, 43) & 0x10 != 0;
    (named && directories && first(0) == head).then(|| first(32))
}
