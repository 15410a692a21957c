//! Files with a DFU suffix or with DfuSe's addresses around them, as `.dfu` files are: what they hold
//! for one region, if they are whole and for this board.

use omv_boards::{Board, Region};
use omv_wire::dfu::Suffix;
use omv_wire::dfu::dfuse::File;

use crate::Refusal;

/// Bytes that such a file has around its content, at most: prefix, target, element, suffix.
pub const AROUND: u64 = 11 + 274 + 8 + 16;

/// Takes the content out. A file without a suffix is its own content.
///
/// # Errors
/// [`Refusal::NotValid`] for a damaged file, or one with other addresses; [`Refusal::WrongBoard`] for
/// one that names ids the board never shows.
pub fn content(
    file: &str,
    board: &Board,
    region: &Region,
    bytes: Vec<u8>,
) -> Result<Vec<u8>, Refusal> {
    let not_valid = |why: String| Refusal::NotValid {
        file: file.to_owned(),
        region: region.name.clone(),
        why,
    };
    let (size, suffix) = match Suffix::split(&bytes) {
        Ok((_, None)) => return Ok(bytes),
        Ok((content, Some(suffix))) => (content.len(), suffix),
        Err(error) => return Err(not_valid(format!("its DFU suffix is damaged: {error}"))),
    };
    let shows = |vendor: u16, product: u16| suffix.is_for(vendor, product);
    if !board.seen.iter().any(|one| shows(one.usb.vid, one.usb.pid)) {
        let id = |id: Option<u16>| id.map_or("any".to_owned(), |id| format!("{id:04X}"));
        return Err(Refusal::WrongBoard {
            file: file.to_owned(),
            says: format!("{}:{}", id(suffix.vendor), id(suffix.product)),
            board: board.title.clone(),
        });
    }
    if !File::is_one(&bytes) {
        let mut content = bytes;
        content.truncate(size);
        return Ok(content);
    }
    let parsed = File::read(&bytes).map_err(|error| not_valid(error.to_string()))?;
    let mut elements = parsed.targets.iter().flat_map(|target| &target.elements);
    match (elements.next(), elements.next()) {
        (Some(one), None) if one.address == region.start => Ok(one.data.to_vec()),
        _ => Err(not_valid(
            "its addresses are not those of this region alone".into(),
        )),
    }
}
