//! The ROM file system of a running camera: an image in flash, read as the firmware reads it.

use std::sync::Arc;

use omv_wire::romfs::{self, Node};

use super::{DiskError, Entry};

/// An image that was found whole.
#[derive(Clone, Debug)]
pub struct Rom {
    image: Arc<[u8]>,
}

impl Rom {
    pub fn new(image: Arc<[u8]>) -> Self {
        Self { image }
    }

    /// What an inner path leads to, handed to `use_it`; the root is a folder.
    fn find<T>(&self, path: &str, use_it: impl FnOnce(&Node<'_>) -> T) -> Result<T, DiskError> {
        let image = romfs::read(&self.image).map_err(|_| DiskError::Io)?;
        let mut node = Node::Directory(image.entries);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Node::Directory(entries) = node else {
                return Err(DiskError::Missing);
            };
            // The first of a name is found, as on a camera.
            let named = |entry: &romfs::Entry<'_>| entry.name == part.as_bytes();
            let found = entries.into_iter().find(named).ok_or(DiskError::Missing)?;
            node = found.node;
        }
        match node {
            Node::File(None) => Err(DiskError::Missing),
            node => Ok(use_it(&node)),
        }
    }

    pub fn stat(&self, path: &str) -> Result<Entry, DiskError> {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.find(path, |node| entry(name, node))
    }

    pub fn list(&self, path: &str) -> Result<Vec<Entry>, DiskError> {
        let listed = self.find(path, |node| match node {
            Node::Directory(entries) => {
                let all = entries.iter();
                let named = |one: &romfs::Entry<'_>| {
                    entry(String::from_utf8_lossy(one.name).into_owned(), &one.node)
                };
                Some(all.map(named).collect())
            }
            Node::File(_) => None,
        })?;
        listed.ok_or(DiskError::Missing)
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>, DiskError> {
        let bytes = self.find(path, |node| match node {
            Node::File(Some(content)) => Some(content.bytes.to_vec()),
            _ => None,
        })?;
        bytes.ok_or(DiskError::Folder)
    }
}

fn entry(name: String, node: &Node<'_>) -> Entry {
    let (folder, size) = match node {
        Node::Directory(_) => (true, 0),
        Node::File(content) => (
            false,
            content.map_or(0, |content| content.bytes.len() as u64),
        ),
    };
    Entry { name, folder, size }
}
