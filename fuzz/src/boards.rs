//! Board files.

/// Any text as a board file: refused, or a board of which every lookup holds.
pub fn parse(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match omv_boards::parse(text) {
        Ok(board) => {
            for region in board
                .layout()
                .into_iter()
                .flat_map(|layout| &layout.regions)
            {
                let _ = (region.end(), region.span().size(), board.mapped(region));
                let _ = board.forbidden(region.memory, region.span());
                let _ = board.sectors(region.memory, region.span()).take(4).count();
                let _ = board.region_at(region.start);
            }
        }
        Err(error) => {
            let _ = (error.code(), error.help(), error.to_string());
        }
    }
}
