//! The shape of a volume, as its boot sector gives it and after every number was checked.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// FAT with entries of 12 bits.
    Fat12,
    /// FAT with entries of 16 bits.
    Fat16,
    /// FAT with entries of 28 bits.
    Fat32,
    /// exFAT.
    Exfat,
}

impl Form {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
            Self::Exfat => "exFAT",
        }
    }
}

/// A volume. Addresses are bytes from the beginning of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Which file system.
    pub form: Form,
    /// Its first byte.
    pub start: u64,
    /// Its length in bytes, as it says itself.
    pub size: u64,
    /// Bytes in a sector.
    pub sector: u32,
    /// Bytes in a cluster.
    pub cluster: u32,
    /// How many clusters it has; their numbers begin with 2.
    pub clusters: u32,
    /// Copies of the allocation table.
    pub fats: u8,
    pub(crate) fat: u64,
    pub(crate) fat_bytes: u64,
    pub(crate) data: u64,
    /// First cluster of the root; 0 where the root has a place of its own.
    pub(crate) root: u32,
    pub(crate) root_at: u64,
    pub(crate) root_entries: u32,
    /// Sector of the FAT32 info sector and of the boot sector's backup, from the volume's start.
    pub(crate) info: Option<u64>,
    pub(crate) backup: Option<u64>,
    pub(crate) media: u8,
    pub(crate) flags: u16,
    pub(crate) serial: u32,
    /// Where exFAT's bitmap is: first cluster and length in bytes.
    pub(crate) bitmap: Option<(u32, u64)>,
}

/// Why a sector is no boot sector.
pub(crate) type Why = &'static str;

impl Volume {
    /// Reads the boot sector of any of the four. Neither signature, jump nor texts are looked at:
    /// those are findings, not obstacles.
    pub(crate) fn parse(boot: &[u8], start: u64) -> Result<Self, Why> {
        if boot.get(3..11) == Some(b"EXFAT   ") {
            parse_exfat(boot, start)
        } else {
            parse_fat(boot, start)
        }
    }

    /// Numbers of clusters end before this one.
    pub fn limit(&self) -> u32 {
        self.clusters.saturating_add(2)
    }

    /// Whether a cluster exists.
    pub(crate) fn has(&self, cluster: u32) -> bool {
        (2..self.limit()).contains(&cluster)
    }

    /// First byte of a cluster.
    pub(crate) fn at(&self, cluster: u32) -> u64 {
        let index = u64::from(cluster.saturating_sub(2));
        self.data + index * u64::from(self.cluster)
    }

    /// Clusters that so many bytes take.
    pub(crate) fn need(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.cluster.max(1)))
    }

    pub(crate) fn is_exfat(&self) -> bool {
        self.form == Form::Exfat
    }

    /// Where exFAT's bitmap has a cluster: byte and bit.
    pub(crate) fn bit(&self, cluster: u32) -> Option<(u64, u32)> {
        let (first, _) = self.bitmap?;
        let index = cluster.checked_sub(2)?;
        Some((self.at(first) + u64::from(index / 8), index % 8))
    }

    /// Its last byte's follower by the numbers of its areas, which may be less than `size`.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// The end mark of a chain, as it is written.
    pub(crate) fn end_mark(&self) -> u32 {
        match self.form {
            Form::Fat12 => 0xFFF,
            Form::Fat16 => 0xFFFF,
            Form::Fat32 => 0x0FFF_FFFF,
            Form::Exfat => 0xFFFF_FFFF,
        }
    }
}

fn parse_fat(boot: &[u8], start: u64) -> Result<Volume, Why> {
    let sector = u32::from(u16_at(boot, 11));
    if !matches!(sector, 512 | 1024 | 2048 | 4096) {
        return Err("bytes in a sector");
    }
    let per_cluster = u32::from(u8_at(boot, 13));
    if !per_cluster.is_power_of_two() || per_cluster * sector > 256 << 10 {
        return Err("sectors in a cluster");
    }
    let reserved = u64::from(u16_at(boot, 14));
    let fats = u8_at(boot, 16);
    if reserved == 0 || fats == 0 || fats > 2 {
        return Err("reserved sectors or number of tables");
    }
    let root_entries = u32::from(u16_at(boot, 17));
    let media = u8_at(boot, 21);
    if media < 0xF0 {
        return Err("media byte");
    }
    let (small, large) = (u16_at(boot, 19), u32_at(boot, 32));
    let sectors = if small != 0 { u32::from(small) } else { large };
    let fat16 = u16_at(boot, 22);
    let is32 = fat16 == 0;
    let fat_sectors = u64::from(if is32 { u32_at(boot, 36) } else { fat16.into() });
    if is32 != (root_entries == 0) || fat_sectors == 0 {
        return Err("root entries or length of the table");
    }
    if is32 && u16_at(boot, 42) != 0 {
        return Err("version of FAT32");
    }
    let bytes = u64::from(sector);
    if (u64::from(root_entries) * 32) % bytes != 0 {
        return Err("root entries");
    }
    let root_sectors = u64::from(root_entries) * 32 / bytes;
    let before = reserved + u64::from(fats) * fat_sectors + root_sectors;
    let data_sectors = u64::from(sectors)
        .checked_sub(before)
        .ok_or("number of sectors")?;
    let clusters = (data_sectors / u64::from(per_cluster)) as u32;
    if clusters == 0 || clusters >= 0x0FFF_FFF5 {
        return Err("number of clusters");
    }
    let form = match clusters {
        _ if is32 => Form::Fat32,
        ..4085 => Form::Fat12,
        _ => Form::Fat16,
    };
    let fat_bytes = fat_sectors * bytes;
    let needed = match form {
        Form::Fat12 => (u64::from(clusters) + 2).saturating_mul(3).div_ceil(2),
        Form::Fat16 => (u64::from(clusters) + 2) * 2,
        _ => (u64::from(clusters) + 2) * 4,
    };
    if fat_bytes < needed {
        return Err("length of the table");
    }
    let root = if is32 { u32_at(boot, 44) } else { 0 };
    let inside =
        |at: u16| (at != 0 && at != 0xFFFF && u64::from(at) < reserved).then_some(at.into());
    let fat = start + reserved * bytes;
    Ok(Volume {
        form,
        start,
        size: u64::from(sectors) * bytes,
        sector,
        cluster: per_cluster * sector,
        clusters,
        fats,
        fat,
        fat_bytes,
        data: start + before * bytes,
        root,
        root_at: fat + u64::from(fats) * fat_bytes,
        root_entries,
        info: is32.then(|| inside(u16_at(boot, 48))).flatten(),
        backup: is32.then(|| inside(u16_at(boot, 50))).flatten(),
        media,
        flags: if is32 { u16_at(boot, 40) } else { 0 },
        serial: u32_at(boot, if is32 { 67 } else { 39 }),
        bitmap: None,
    })
}

fn parse_exfat(boot: &[u8], start: u64) -> Result<Volume, Why> {
    let (sector_shift, cluster_shift) = (u8_at(boot, 108), u8_at(boot, 109));
    if !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift {
        return Err("size of a sector or cluster");
    }
    let sector = 1_u32 << sector_shift;
    let bytes = u64::from(sector);
    let sectors = u64_at(boot, 72);
    let (fat_offset, fat_length) = (u32_at(boot, 80), u32_at(boot, 84));
    let (heap, clusters) = (u32_at(boot, 88), u32_at(boot, 92));
    let fats = u8_at(boot, 110);
    if fats == 0 || fats > 2 || fat_offset < 24 {
        return Err("number or place of the tables");
    }
    if clusters == 0 || clusters > 0xFFFF_FFF5 {
        return Err("number of clusters");
    }
    if u64::from(fat_length) * bytes < (u64::from(clusters) + 2) * 4 {
        return Err("length of the table");
    }
    let tables = u64::from(fat_offset) + u64::from(fat_length) * u64::from(fats);
    let end = u64::from(heap) + (u64::from(clusters) << cluster_shift);
    if u64::from(heap) < tables || sectors < end || sectors > u64::MAX >> 13 {
        return Err("place of the clusters");
    }
    let root = u32_at(boot, 96);
    if root < 2 || root >= clusters.saturating_add(2) {
        return Err("place of the root");
    }
    Ok(Volume {
        form: Form::Exfat,
        start,
        size: sectors * bytes,
        sector,
        cluster: sector << cluster_shift,
        clusters,
        fats,
        fat: start + u64::from(fat_offset) * bytes,
        fat_bytes: u64::from(fat_length) * bytes,
        data: start + u64::from(heap) * bytes,
        root,
        root_at: 0,
        root_entries: 0,
        info: None,
        backup: Some(12),
        media: 0xF8,
        flags: u16_at(boot, 106),
        serial: u32_at(boot, 100),
        bitmap: None,
    })
}
