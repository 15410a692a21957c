//! An image as the corpus sees it: its own reading of the layouts, apart from the crate's, so that
//! a mistake there is not repeated here.
//!
//! Sources: Microsoft's FAT specification 1.03 and exFAT specification 1.00.

use std::collections::BTreeMap;

/// What is on a disk, by path.
pub type Files = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

/// A disk, the place of its volume, and what was put on it.
#[derive(Clone)]
pub struct Image {
    pub bytes: Vec<u8>,
    pub sector: usize,
    /// First byte of the volume.
    pub start: usize,
    pub files: Files,
    /// Sectors that the medium does not give back.
    pub unreadable: Vec<u64>,
    /// Whether the medium's sector size is known.
    pub known: bool,
    pub form: Form,
    pub fat: usize,
    pub fat_bytes: usize,
    pub fats: usize,
    pub data: usize,
    pub cluster: usize,
    pub clusters: u32,
    pub root: u32,
    pub root_at: usize,
    pub root_bytes: usize,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct Found {
    pub name: String,
    /// FAT: the short entry. exFAT: the first of the set.
    pub at: usize,
    /// FAT: where its long name begins, or the same. exFAT: the same.
    pub begin: usize,
    pub first: u32,
    pub size: u64,
}

impl Image {
    /// Reads the layout from a healthy boot sector.
    pub fn new(bytes: Vec<u8>, sector: usize, start: usize) -> Self {
        let mut image = Self {
            bytes,
            sector,
            start,
            files: Files::new(),
            unreadable: Vec::new(),
            known: true,
            form: Form::Exfat,
            fat: 0,
            fat_bytes: 0,
            fats: 1,
            data: 0,
            cluster: 0,
            clusters: 0,
            root: 0,
            root_at: 0,
            root_bytes: 0,
        };
        if &image.bytes[start + 3..start + 8] == b"EXFAT" {
            let size = 1_usize << image.bytes[start + 108];
            image.fat = start + image.u32(start + 80) as usize * size;
            image.fat_bytes = image.u32(start + 84) as usize * size;
            image.data = start + image.u32(start + 88) as usize * size;
            image.clusters = image.u32(start + 92);
            image.root = image.u32(start + 96);
            image.cluster = size << image.bytes[start + 109];
            return image;
        }
        let size = image.u16(start + 11) as usize;
        let reserved = image.u16(start + 14) as usize;
        image.fats = image.bytes[start + 16].into();
        image.root_bytes = image.u16(start + 17) as usize * 32;
        let small = image.u16(start + 19) as usize;
        let total = if small > 0 {
            small
        } else {
            image.u32(start + 32) as usize
        };
        let of16 = image.u16(start + 22) as usize;
        image.fat_bytes = size
            * if of16 > 0 {
                of16
            } else {
                image.u32(start + 36) as usize
            };
        image.fat = start + reserved * size;
        image.root_at = image.fat + image.fats * image.fat_bytes;
        image.data = image.root_at + image.root_bytes;
        image.cluster = size * image.bytes[start + 13] as usize;
        image.clusters = ((start + total * size - image.data) / image.cluster) as u32;
        image.form = match image.clusters {
            _ if of16 == 0 => Form::Fat32,
            ..4085 => Form::Fat12,
            _ => Form::Fat16,
        };
        if image.form == Form::Fat32 {
            image.root = image.u32(start + 44);
        }
        image
    }

    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().unwrap())
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    pub fn poke(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn at(&self, cluster: u32) -> usize {
        self.data + (cluster as usize - 2) * self.cluster
    }

    /// Where a table's entry is, and its width in bits.
    fn entry(&self, copy: usize, cluster: u32) -> (usize, u32) {
        let table = self.fat + copy * self.fat_bytes;
        let number = cluster as usize;
        match self.form {
            Form::Fat12 => (table + number * 3 / 2, 12),
            Form::Fat16 => (table + number * 2, 16),
            Form::Fat32 | Form::Exfat => (table + number * 4, 32),
        }
    }

    pub fn next(&self, cluster: u32) -> u32 {
        let (at, bits) = self.entry(0, cluster);
        match bits {
            12 if cluster % 2 == 1 => u32::from(self.u16(at) >> 4),
            12 => u32::from(self.u16(at) & 0xFFF),
            16 => self.u16(at).into(),
            _ => self.u32(at),
        }
    }

    pub fn end(&self) -> u32 {
        match self.form {
            Form::Fat12 => 0xFFF,
            Form::Fat16 => 0xFFFF,
            Form::Fat32 => 0x0FFF_FFFF,
            Form::Exfat => u32::MAX,
        }
    }

    pub fn bad(&self) -> u32 {
        self.end() & !8
    }

    /// Sets an entry of one copy.
    pub fn link_in(&mut self, copy: usize, cluster: u32, value: u32) {
        let (at, bits) = self.entry(copy, cluster);
        match bits {
            12 if cluster % 2 == 1 => {
                let new = self.u16(at) & 0xF | (value as u16) << 4;
                self.poke(at, &new.to_le_bytes());
            }
            12 => {
                let new = self.u16(at) & 0xF000 | value as u16 & 0xFFF;
                self.poke(at, &new.to_le_bytes());
            }
            16 => self.poke(at, &(value as u16).to_le_bytes()),
            _ => self.poke(at, &value.to_le_bytes()),
        }
    }

    /// Sets an entry of all copies.
    pub fn link(&mut self, cluster: u32, value: u32) {
        for copy in 0..self.fats {
            self.link_in(copy, cluster, value);
        }
    }

    pub fn chain(&self, first: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut cluster = first;
        while (2..self.clusters + 2).contains(&cluster) && chain.len() <= self.clusters as usize {
            chain.push(cluster);
            cluster = self.next(cluster);
        }
        chain
    }

    /// exFAT's bitmap: the byte and the bit of a cluster.
    pub fn bit(&self, cluster: u32) -> (usize, u32) {
        let root = self.at(self.root);
        let entry = (0..)
            .map(|at| root + at * 32)
            .find(|at| self.bytes[*at] == 0x81)
            .unwrap();
        let first = self.u32(entry + 20);
        (
            self.at(first) + (cluster as usize - 2) / 8,
            (cluster - 2) % 8,
        )
    }

    pub fn mark(&mut self, cluster: u32, used: bool) {
        let (at, bit) = self.bit(cluster);
        self.bytes[at] = if used {
            self.bytes[at] | 1 << bit
        } else {
            self.bytes[at] & !(1 << bit)
        };
    }

    pub fn is_free(&self, cluster: u32) -> bool {
        if self.form == Form::Exfat {
            let (at, bit) = self.bit(cluster);
            return self.bytes[at] >> bit & 1 == 0;
        }
        self.next(cluster) == 0
    }

    /// The first `count` free clusters in a row, behind everything that is used.
    pub fn free(&self, count: u32) -> Vec<u32> {
        let last = (2..self.clusters + 2)
            .rev()
            .find(|cluster| !self.is_free(*cluster))
            .unwrap();
        let first = last + 8;
        assert!(first + count < self.clusters + 2);
        (first..first + count).collect()
    }

    /// Links clusters to a chain and marks them used.
    pub fn allocate(&mut self, clusters: &[u32]) {
        for (at, cluster) in clusters.iter().enumerate() {
            let next = clusters.get(at + 1).copied().unwrap_or(self.end());
            self.link(*cluster, next);
            if self.form == Form::Exfat {
                self.mark(*cluster, true);
            }
        }
    }

    /// The pieces of a directory.
    fn pieces(&self, dir: Option<&Found>) -> Vec<(usize, usize)> {
        match dir {
            None if self.root == 0 => vec![(self.root_at, self.root_bytes)],
            None => self
                .chain(self.root)
                .iter()
                .map(|one| (self.at(*one), self.cluster))
                .collect(),
            // exFAT's small directories have no chain.
            Some(dir) if self.form == Form::Exfat => vec![(self.at(dir.first), dir.size as usize)],
            Some(dir) => self
                .chain(dir.first)
                .iter()
                .map(|one| (self.at(*one), self.cluster))
                .collect(),
        }
    }

    pub fn list(&self, dir: Option<&Found>) -> Vec<Found> {
        let slots = self
            .pieces(dir)
            .into_iter()
            .flat_map(|(at, length)| (at..at + length).step_by(32));
        if self.form == Form::Exfat {
            self.list_exfat(slots)
        } else {
            self.list_fat(slots)
        }
    }

    fn list_fat(&self, slots: impl Iterator<Item = usize>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut long: Vec<u16> = Vec::new();
        let mut begin = None;
        for at in slots {
            let entry = &self.bytes[at..at + 32];
            match (entry[0], entry[11]) {
                (0, _) => break,
                (0xE5, _) => (long, begin) = (Vec::new(), None),
                (_, 0x0F) => {
                    let unit = |place: usize| u16::from_le_bytes([entry[place], entry[place + 1]]);
                    let places = (1..11)
                        .step_by(2)
                        .chain((14..26).step_by(2))
                        .chain([28, 30]);
                    let part: Vec<u16> = places.map(unit).collect();
                    long.splice(0..0, part);
                    begin = begin.or(Some(at));
                }
                (_, kind) if kind & 8 != 0 => {}
                _ => {
                    let end = long
                        .iter()
                        .position(|unit| *unit == 0)
                        .unwrap_or(long.len());
                    let text = |bytes: &[u8], lower: bool| {
                        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
                        if lower { text.to_lowercase() } else { text }
                    };
                    let base = text(&entry[..8], entry[12] & 8 != 0);
                    let extension = text(&entry[8..11], entry[12] & 16 != 0);
                    let short = if extension.is_empty() {
                        base
                    } else {
                        format!("{base}.{extension}")
                    };
                    let high = u32::from(self.u16(at + 20));
                    found.push(Found {
                        name: if end > 0 {
                            String::from_utf16_lossy(&long[..end])
                        } else {
                            short
                        },
                        at,
                        begin: begin.unwrap_or(at),
                        first: high << 16 | u32::from(self.u16(at + 26)),
                        size: self.u32(at + 28).into(),
                    });
                    (long, begin) = (Vec::new(), None);
                }
            }
        }
        found
    }

    fn list_exfat(&self, slots: impl Iterator<Item = usize>) -> Vec<Found> {
        let slots: Vec<usize> = slots.collect();
        let mut found = Vec::new();
        for (index, at) in slots
            .iter()
            .enumerate()
            .filter(|(_, at)| self.bytes[**at] == 0x85)
        {
            let stream = slots[index + 1];
            let length = self.bytes[stream + 3] as usize;
            let units =
                (0..length).map(|unit| self.u16(slots[index + 2 + unit / 15] + 2 + unit % 15 * 2));
            found.push(Found {
                name: String::from_utf16_lossy(&units.collect::<Vec<_>>()),
                at: *at,
                begin: *at,
                first: self.u32(stream + 20),
                size: self.u64(stream + 24),
            });
        }
        found
    }

    /// The entry at a path.
    pub fn find(&self, path: &str) -> Found {
        let mut at: Option<Found> = None;
        for part in path.trim_matches('/').split('/') {
            let listed = self.list(at.as_ref());
            at = Some(
                listed
                    .into_iter()
                    .find(|one| one.name == part)
                    .unwrap_or_else(|| panic!("no {path}")),
            );
        }
        at.unwrap()
    }

    /// Sets the sum over an exFAT set.
    pub fn seal(&mut self, at: usize) {
        let length = (self.bytes[at + 1] as usize + 1) * 32;
        let counted = (0..length).filter(|one| !matches!(one, 2 | 3));
        let sum = counted.fold(0_u16, |sum, one| {
            sum.rotate_right(1)
                .wrapping_add(self.bytes[at + one].into())
        });
        self.poke(at + 2, &sum.to_le_bytes());
    }

    /// Sets an entry's first cluster.
    pub fn set_first(&mut self, found: &Found, first: u32) {
        if self.form == Form::Exfat {
            self.poke(found.at + 52, &first.to_le_bytes());
            self.seal(found.at);
        } else {
            self.poke(found.at + 20, &((first >> 16) as u16).to_le_bytes());
            self.poke(found.at + 26, &(first as u16).to_le_bytes());
        }
    }

    /// Sets an entry's length.
    pub fn set_size(&mut self, found: &Found, size: u64) {
        if self.form == Form::Exfat {
            self.poke(found.at + 40, &size.to_le_bytes());
            self.poke(found.at + 56, &size.to_le_bytes());
            self.seal(found.at);
        } else {
            self.poke(found.at + 28, &(size as u32).to_le_bytes());
        }
    }

    /// Where the next entry of a directory goes.
    fn room(&self, dir: Option<&Found>, count: usize) -> usize {
        let slots: Vec<usize> = self
            .pieces(dir)
            .into_iter()
            .flat_map(|(at, length)| (at..at + length).step_by(32))
            .collect();
        let first = slots
            .iter()
            .position(|at| self.bytes[*at] == 0)
            .expect("room in the directory");
        assert_eq!(slots[first + count - 1], slots[first] + (count - 1) * 32);
        slots[first]
    }

    /// Adds a short entry to a FAT directory; `raw` is its name of eleven bytes.
    pub fn add_short(
        &mut self,
        dir: Option<&Found>,
        raw: &[u8; 11],
        case: u8,
        attributes: u8,
        first: u32,
        size: u32,
    ) {
        let at = self.room(dir, 1);
        self.poke(at, raw);
        self.poke(at + 11, &[attributes, case]);
        // 21 June 2023, noon.
        for place in [16, 18, 24] {
            self.poke(at + place, &[0xD5, 0x56]);
        }
        self.poke(at + 20, &((first >> 16) as u16).to_le_bytes());
        self.poke(at + 26, &(first as u16).to_le_bytes());
        self.poke(at + 28, &size.to_le_bytes());
    }

    /// Adds a set to an exFAT directory.
    pub fn add_set(
        &mut self,
        dir: Option<&Found>,
        name: &str,
        attributes: u8,
        first: u32,
        size: u64,
        chained: bool,
    ) {
        let units: Vec<u16> = name.encode_utf16().collect();
        let names = units.len().div_ceil(15);
        let at = self.room(dir, 2 + names);
        self.poke(at, &[0x85, 1 + names as u8]);
        self.poke(at + 4, &[attributes]);
        for place in [8, 12, 16] {
            self.poke(at + place, &[0, 0x60, 0xD5, 0x56]);
        }
        let hash = units.iter().flat_map(|unit| {
            let upper = char::from_u32((*unit).into()).unwrap().to_ascii_uppercase();
            (upper as u16).to_le_bytes()
        });
        let hash = hash.fold(0_u16, |sum, byte| {
            sum.rotate_right(1).wrapping_add(byte.into())
        });
        self.poke(
            at + 32,
            &[
                0xC0,
                if chained || first == 0 { 1 } else { 3 },
                0,
                units.len() as u8,
            ],
        );
        self.poke(at + 36, &hash.to_le_bytes());
        self.poke(at + 40, &size.to_le_bytes());
        self.poke(at + 52, &first.to_le_bytes());
        self.poke(at + 56, &size.to_le_bytes());
        for (index, unit) in units.iter().enumerate() {
            let entry = at + 64 + index / 15 * 32;
            self.poke(entry, &[0xC1]);
            self.poke(entry + 2 + index % 15 * 2, &unit.to_le_bytes());
        }
        self.seal(at);
    }

    /// The part of the disk that a checker without partition tables can take.
    pub fn volume(&self) -> &[u8] {
        &self.bytes[self.start.min(self.bytes.len())..]
    }
}
