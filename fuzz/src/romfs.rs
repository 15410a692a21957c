//! Images of ROM file systems: whatever can be read has to be written and read again alike.

use omv_wire::romfs::{Entry, Item, Layout, Node, read, write};

/// An image from anywhere.
pub fn image(bytes: &[u8]) {
    let Ok(image) = read(bytes) else {
        return;
    };
    assert!(image.length <= bytes.len());
    let mut left = 1 << 20;
    let Some(items) = items(&image.entries, &mut left) else {
        return;
    };
    for layout in [Layout::Aligned, Layout::Compact] {
        let Ok(again) = write(&items, layout) else {
            continue;
        };
        let again = read(&again).expect("what was written can be read");
        assert!(is_same(&image.entries, &again.entries));
    }
}

/// The same as files to be written; nothing when pointers make too much of it.
fn items(entries: &[Entry<'_>], left: &mut usize) -> Option<Vec<Item>> {
    let mut item = |entry: &Entry<'_>| {
        let name = String::from_utf8(entry.name.to_vec()).ok()?;
        Some(match &entry.node {
            Node::Directory(inside) => {
                let items = items(inside, left)?;
                Item::Directory { name, items }
            }
            Node::File(content) => {
                let bytes = (*content)?.bytes;
                *left = left.checked_sub(bytes.len())?;
                let (bytes, alignment) = (bytes.to_vec(), 32);
                Item::File {
                    name,
                    bytes,
                    alignment,
                }
            }
        })
    };
    entries.iter().map(&mut item).collect()
}

fn is_same(one: &[Entry<'_>], other: &[Entry<'_>]) -> bool {
    let same = |(one, other): (&Entry<'_>, &Entry<'_>)| {
        one.name == other.name
            && match (&one.node, &other.node) {
                (Node::Directory(one), Node::Directory(other)) => is_same(one, other),
                (Node::File(Some(one)), Node::File(Some(other))) => one.bytes == other.bytes,
                _ => false,
            }
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}
