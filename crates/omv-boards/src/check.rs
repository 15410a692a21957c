//! What a board file must not say. Runs once, when the files are parsed.

use std::collections::BTreeSet;

use crate::{
    Board, Error, Family, Identity, Layout, Memory, MemoryKind, Region, SoftEntry, UsbId, Version,
};

/// OpenMV's own vendor id; its product ids belong to one board each.
const OPENMV_VENDOR: u16 = 0x37C5;

/// Checks one board against itself.
pub(crate) fn board(board: &Board) -> Result<(), Error> {
    let name = || board.name.clone();
    let required = [
        ("name", &board.name),
        ("title", &board.title),
        ("source", &board.source),
        ("mcu", &board.mcu),
    ];
    for (what, value) in required {
        if value.trim().is_empty() {
            return Err(Error::Missing {
                board: name(),
                what: what.to_owned(),
            });
        }
    }
    unique(
        board,
        "memory",
        board
            .memories
            .iter()
            .map(|memory| format!("{:?}", memory.kind)),
    )?;
    unique(
        board,
        "layout",
        board.layouts.iter().map(|layout| layout.name.clone()),
    )?;
    unique(
        board,
        "image rule",
        board.images.iter().map(|rule| rule.file.clone()),
    )?;
    unique(
        board,
        "arch string",
        board.arch.iter().map(|arch| arch.text.clone()),
    )?;
    identities(board)?;
    for memory in &board.memories {
        let sectors: u64 = memory
            .sectors
            .iter()
            .map(|run| u64::from(run.count) * u64::from(run.size))
            .sum();
        let empty = memory.sectors.iter().any(|run| run.size == 0);
        if empty
            || sectors != u64::from(memory.size)
            || memory.start.checked_add(memory.size).is_none()
        {
            let what = "the sector table".to_owned();
            return Err(Error::Outside {
                board: name(),
                what,
                of: format!("{:?}", memory.kind),
            });
        }
    }
    for layout in &board.layouts {
        layout_of(board, layout)?;
    }
    images(board)
}

/// Checks boards against each other.
pub(crate) fn together(boards: &[Board]) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut titles = BTreeSet::new();
    let mut ids: BTreeSet<UsbId> = BTreeSet::new();
    for board in boards {
        let twice = |what, value: String| Error::Twice {
            board: board.name.clone(),
            what,
            value,
        };
        for name in std::iter::once(&board.name).chain(&board.aliases) {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(twice("name", name.clone()));
            }
        }
        if !titles.insert(&board.title) {
            return Err(twice("title", board.title.clone()));
        }
        let own: BTreeSet<UsbId> = board.seen.iter().map(|identity| identity.usb).collect();
        for id in own.into_iter().filter(|id| id.vid == OPENMV_VENDOR) {
            if !ids.insert(id) {
                return Err(twice("USB id", id.to_string()));
            }
        }
    }
    Ok(())
}

fn unique(
    board: &Board,
    what: &'static str,
    values: impl Iterator<Item = String>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert(value.clone()) {
            return Err(Error::Twice {
                board: board.name.clone(),
                what,
                value,
            });
        }
    }
    Ok(())
}

fn identities(board: &Board) -> Result<(), Error> {
    for (index, identity) in board.seen.iter().enumerate() {
        // A crashed program takes no command, so a soft way in does not replace the hands.
        let jumped_to = identity.soft.contains(&SoftEntry::SdpJump);
        let needs_hands = identity.state.family() != Family::Running && !jumped_to;
        if needs_hands
            && identity
                .hands
                .as_deref()
                .unwrap_or_default()
                .trim()
                .is_empty()
        {
            let what = format!("what hands do to reach {}", identity.state);
            return Err(Error::Missing {
                board: board.name.clone(),
                what,
            });
        }
        let clash = board.seen.iter().skip(index + 1).any(|other| {
            other.usb == identity.usb
                && other.state == identity.state
                && share_a_release(identity, other)
        });
        if clash {
            let (usb, state) = (identity.usb, identity.state);
            return Err(Error::SameEra {
                board: board.name.clone(),
                usb,
                state,
            });
        }
    }
    for state in board.serials.keys() {
        if board.identities(*state).next().is_none() {
            return Err(Error::Dangling {
                board: board.name.clone(),
                from: "serials".to_owned(),
                what: "state",
                value: state.to_string(),
            });
        }
    }
    Ok(())
}

fn share_a_release(one: &Identity, other: &Identity) -> bool {
    let before = |until: Option<Version>, since: Option<Version>| matches!((until, since), (Some(until), Some(since)) if until < since);
    !before(one.until, other.since) && !before(other.until, one.since)
}

fn layout_of(board: &Board, layout: &Layout) -> Result<(), Error> {
    let regions = &layout.regions;
    unique(
        board,
        "region",
        regions
            .iter()
            .map(|region| region.name.to_ascii_lowercase()),
    )?;
    let alternates = || {
        regions
            .iter()
            .filter_map(|region| region.alternate.as_ref())
    };
    unique(
        board,
        "alternate",
        alternates().map(|alternate| alternate.number.to_string()),
    )?;
    unique(
        board,
        "alternate",
        alternates().map(|alternate| alternate.name.clone()),
    )?;
    for region in regions {
        if region.memory != MemoryKind::Command {
            inside_memory(board, region)?;
        }
        for other in &region.overlaps {
            if layout.region(other).is_none() {
                return Err(Error::Dangling {
                    board: board.name.clone(),
                    from: region.name.clone(),
                    what: "region",
                    value: other.clone(),
                });
            }
        }
    }
    let mut sorted: Vec<&Region> = regions
        .iter()
        .filter(|region| region.memory != MemoryKind::Command)
        .collect();
    sorted.sort_by_key(|region| (region.memory, region.start));
    for (index, first) in sorted.iter().enumerate() {
        let shares =
            |second: &&&Region| second.memory == first.memory && second.start < first.end();
        let undeclared = |second: &&&Region| {
            !first.overlaps.contains(&second.name) && !second.overlaps.contains(&first.name)
        };
        if let Some(second) = sorted
            .iter()
            .skip(index + 1)
            .filter(shares)
            .find(undeclared)
        {
            return Err(Error::Overlap {
                board: board.name.clone(),
                first: first.name.clone(),
                second: second.name.clone(),
            });
        }
    }
    Ok(())
}

fn inside_memory(board: &Board, region: &Region) -> Result<(), Error> {
    let of = format!("{:?}", region.memory);
    let outside = |what: String, of: String| Error::Outside {
        board: board.name.clone(),
        what,
        of,
    };
    let Some(memory) = board.memory(region.memory) else {
        return Err(outside(region.name.clone(), of));
    };
    let end = region.start.checked_add(region.size);
    if region.start < memory.start || end.is_none_or(|end| end > memory.end()) || region.size == 0 {
        return Err(outside(region.name.clone(), of));
    }
    let unit = region.erase_unit;
    let aligned = |address: u32| address == memory.end() || memory_boundary(memory, address);
    if unit == 0
        || !region.size.is_multiple_of(unit)
        || !aligned(region.start)
        || !aligned(region.end())
    {
        let (board, region) = (board.name.clone(), region.name.clone());
        return Err(Error::BrokenUnits { board, region });
    }
    if region
        .quick_erase
        .is_some_and(|bytes| bytes == 0 || bytes > region.size)
    {
        return Err(outside("quick_erase".to_owned(), region.name.clone()));
    }
    if let Some(sector) = region
        .vector_sector
        .filter(|sector| !region.span().contains(*sector))
    {
        return Err(outside(
            format!("the vector sector {sector:08X}"),
            region.name.clone(),
        ));
    }
    Ok(())
}

/// Whether an address is the start of a sector.
fn memory_boundary(memory: &Memory, address: u32) -> bool {
    let mut start = memory.start;
    for run in &memory.sectors {
        let end = start.saturating_add(run.size.saturating_mul(run.count));
        if address < end {
            return run.size != 0 && (address - start).is_multiple_of(run.size);
        }
        start = end;
    }
    false
}

fn images(board: &Board) -> Result<(), Error> {
    for rule in &board.images {
        let Some(region) = board.region(&rule.region) else {
            return Err(Error::Dangling {
                board: board.name.clone(),
                from: rule.file.clone(),
                what: "region",
                value: rule.region.clone(),
            });
        };
        if !region.files.contains(&rule.file) {
            return Err(Error::Dangling {
                board: board.name.clone(),
                from: region.name.clone(),
                what: "file",
                value: rule.file.clone(),
            });
        }
        if rule.exact_size.is_some_and(|size| size > region.size) {
            let (what, of) = (rule.file.clone(), region.name.clone());
            return Err(Error::Outside {
                board: board.name.clone(),
                what,
                of,
            });
        }
    }
    Ok(())
}
