//! Firmware releases with a known fault: data in `releases.toml`, with its sources.

use std::sync::OnceLock;

use omv_boards::Version;
use serde::Deserialize;

/// One fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// First release that has it.
    pub since: Version,
    /// Last one.
    pub until: Version,
    /// Boards that have it, by their firmware's name; none: all.
    #[serde(default)]
    pub boards: Vec<String>,
    /// The module a script must import to meet it.
    pub needs: Option<String>,
    /// One line.
    pub title: String,
    /// What happens.
    pub words: String,
    /// What ends it.
    pub cure: String,
    /// Who says so.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fault: Vec<Fault>,
}

fn table() -> &'static [Fault] {
    static TABLE: OnceLock<Vec<Fault>> = OnceLock::new();
    TABLE.get_or_init(|| {
        // A test reads the file; a mistake in it never leaves this house.
        let table = toml::from_str::<Table>(include_str!("releases.toml"));
        table.map_or_else(|_| Vec::new(), |table| table.fault)
    })
}

/// The faults of a release on a board.
pub fn faults(version: Version, board: &str) -> impl Iterator<Item = &'static Fault> {
    table().iter().filter(move |fault| {
        let on_board = fault.boards.is_empty() || fault.boards.iter().any(|name| name == board);
        fault.since <= version && version <= fault.until && on_board
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_names_boards_there_are_and_a_span_that_is_one() {
        let table: Table = toml::from_str(include_str!("releases.toml")).unwrap();
        assert!(!table.fault.is_empty());
        for fault in table.fault {
            assert!(fault.since <= fault.until, "{}", fault.title);
            for board in &fault.boards {
                assert!(omv_boards::by_name(board).is_some(), "{board}");
            }
        }
    }
}
