//! Damages of the medium, of partition tables and of boot sectors.

use super::{ALL, Case, case};
use crate::image::Image;

/// Where an entry of the partition table is.
const ENTRY: usize = 446;

/// Makes a GPT of a disk with an MBR: headers, one entry, sums.
fn gpt(image: &mut Image) {
    let sectors = (image.bytes.len() / 512) as u64;
    let first = (image.start / 512) as u64;
    let last = sectors - 40;
    let mut table = vec![0; 128 * 128];
    // Basic data. Source: UEFI specification 2.10, table 5.6 and appendix A.
    let basic = [
        0xA2, 0xA0, 0xD0, 0xEB, 0xE5, 0xB9, 0x33, 0x44, 0x87, 0xC0, 0x68, 0xB6, 0xB7, 0x26, 0x99,
        0xC7,
    ];
    table[..16].copy_from_slice(&basic);
    table[16..32].fill(7);
    table[32..40].copy_from_slice(&first.to_le_bytes());
    table[40..48].copy_from_slice(&last.to_le_bytes());
    for (own, other, place) in [(1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)] {
        let mut head = vec![0; 92];
        head[..16].copy_from_slice(b"EFI PART\0\0\x01\0\x5C\0\0\0");
        head[24..32].copy_from_slice(&own.to_le_bytes());
        head[32..40].copy_from_slice(&other.to_le_bytes());
        head[40..48].copy_from_slice(&34_u64.to_le_bytes());
        head[48..56].copy_from_slice(&(sectors - 34).to_le_bytes());
        head[56..72].fill(9);
        head[72..80].copy_from_slice(&place.to_le_bytes());
        head[80..88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
        head[88..92].copy_from_slice(&crc32(&table).to_le_bytes());
        let sum = crc32(&head);
        head[16..20].copy_from_slice(&sum.to_le_bytes());
        image.poke(own as usize * 512, &head);
        image.poke(place as usize * 512, &table);
    }
    image.poke(ENTRY + 4, &[0xEE]);
    image.poke(ENTRY + 8, &1_u32.to_le_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

pub fn cases() -> Vec<Case> {
    let mut cases = medium();
    cases.extend(tables());
    cases.extend(fat());
    cases.extend(exfat());
    cases
}

fn medium() -> Vec<Case> {
    vec![
        case(
            "a sector that cannot be read",
            "fat16",
            &["unreadable-sector"],
            |image| {
                let at = image.at(image.find("logs").first);
                image.unreadable.push((at / 512 + 1) as u64);
            },
        )
        .stays(&["unreadable-sector"])
        .outside(),
        case("an image cut off", "fat16", &["cut-short"], |image| {
            image.bytes.truncate(6 << 20);
        })
        .stays(&["cut-short"]),
        case(
            "a boot sector of zeros, no backup",
            "rt1062",
            &["no-volume"],
            |image| {
                image.bytes[..4096].fill(0);
            },
        )
        .stays(&["no-volume"])
        .hurt(ALL),
        case(
            "sectors of 4096 on a medium of 512",
            "fat16 4096",
            &["block-size"],
            |image| image.sector = 512,
        )
        .stays(&["block-size"]),
    ]
}

fn tables() -> Vec<Case> {
    vec![
        case(
            "partition table without 55 AA",
            "fat32 mbr",
            &["table-signature"],
            |image| {
                image.poke(510, &[0, 0]);
            },
        )
        .outside(),
        case(
            "partition table of zeros",
            "fat32 mbr",
            &["partition-lost"],
            |image| {
                image.bytes[..512].fill(0);
            },
        )
        .outside(),
        case(
            "partition table of zeros, exFAT",
            "exfat mbr",
            &["partition-lost"],
            |image| {
                image.bytes[..512].fill(0);
            },
        )
        .outside(),
        case(
            "partition longer than the disk",
            "fat16 mbr",
            &["partition-past-end"],
            |image| {
                image.poke(ENTRY + 12, &0x10_0000_u32.to_le_bytes());
            },
        )
        .outside(),
        case(
            "partition shorter than its volume",
            "fat16 mbr",
            &["volume-size"],
            |image| {
                image.poke(ENTRY + 12, &1000_u32.to_le_bytes());
            },
        )
        .outside(),
        case(
            "two partitions overlap",
            "fat16 mbr",
            &["partitions-overlap"],
            |image| {
                let entry: Vec<u8> = image.bytes[ENTRY..ENTRY + 16].to_vec();
                image.poke(ENTRY + 16, &entry);
                image.poke(ENTRY + 24, &100_u32.to_le_bytes());
            },
        )
        .stays(&["partitions-overlap"])
        .outside(),
        case(
            "partition of type 83",
            "fat16 mbr",
            &["partition-type"],
            |image| image.poke(ENTRY + 4, &[0x83]),
        )
        .outside(),
        case(
            "partition of type 0C on exFAT",
            "exfat mbr",
            &["partition-type"],
            |image| {
                image.poke(ENTRY + 4, &[0x0C]);
            },
        )
        .outside(),
        case("partition flag 17", "h7", &["partition-boot"], |image| {
            image.poke(ENTRY, &[0x17])
        })
        .outside(),
        case("a GPT", "fat32 mbr", &["camera-gpt"], gpt)
            .stays(&["camera-gpt"])
            .outside(),
        case(
            "a GPT with a damaged header",
            "fat32 mbr",
            &["gpt-damaged", "camera-gpt"],
            |image| {
                gpt(image);
                image.poke(512 + 56, &[0xAA]);
            },
        )
        .stays(&["camera-gpt", "gpt-damaged"])
        .outside(),
        case(
            "an extended partition",
            "fat32 mbr",
            &["camera-extended"],
            |image| {
                let length = image.u32(ENTRY + 12);
                image.poke(ENTRY + 4, &[0x0F]);
                image.poke(ENTRY + 8, &64_u32.to_le_bytes());
                let at = 64 * 512 + ENTRY;
                image.poke(at + 4, &[0x0C]);
                image.poke(at + 8, &(2048_u32 - 64).to_le_bytes());
                image.poke(at + 12, &length.to_le_bytes());
                image.poke(64 * 512 + 510, &[0x55, 0xAA]);
            },
        )
        .stays(&["camera-extended"])
        .outside(),
        case(
            "an extended partition that leads to itself",
            "fat32 mbr",
            &["no-volume"],
            |image| {
                image.poke(ENTRY + 4, &[0x05]);
                image.poke(ENTRY + 8, &64_u32.to_le_bytes());
                let at = 64 * 512 + ENTRY + 16;
                image.poke(at + 4, &[0x05]);
                image.poke(64 * 512 + 510, &[0x55, 0xAA]);
            },
        )
        .stays(&["no-volume"])
        .hurt(ALL)
        .outside(),
    ]
}

fn fat() -> Vec<Case> {
    vec![
        case(
            "boot sector without 55 AA",
            "fat12",
            &["boot-signature"],
            |image| image.poke(510, &[0, 0]),
        ),
        case(
            "boot sector without 55 AA, 4096",
            "rt1062",
            &["boot-signature"],
            |image| image.poke(510, &[0, 0]),
        ),
        case(
            "boot sector without a jump",
            "fat16",
            &["boot-jump"],
            |image| image.poke(0, &[0x90]),
        ),
        case("text FAT12 missing", "fat12", &["boot-text"], |image| {
            image.poke(54, b"        ")
        }),
        case("text FAT missing", "rt1062", &["boot-text"], |image| {
            image.poke(54, b"XXXX    ")
        }),
        case("text FAT32 missing", "fat32", &["boot-text"], |image| {
            image.poke(82, b"MSWIN   ")
        }),
        case("boot sector of zeros", "fat32", &["boot-sector"], |image| {
            image.bytes[..512].fill(0)
        }),
        case(
            "boot sector of zeros, in a partition",
            "fat32 mbr",
            &["boot-sector"],
            |image| {
                let start = image.start;
                image.bytes[start..start + 512].fill(0);
            },
        ),
        case(
            "sectors in a cluster doubled",
            "fat32",
            &["boot-sector"],
            |image| image.poke(13, &[2]),
        ),
        case(
            "reserved sectors off by one",
            "fat32",
            &["boot-sector"],
            |image| image.poke(14, &[33]),
        ),
        case(
            "backup of the boot sector of zeros",
            "fat32",
            &["boot-backup"],
            |image| {
                image.bytes[6 * 512..7 * 512].fill(0);
            },
        ),
        case(
            "FAT32 with few clusters",
            "fat32 few",
            &["few-clusters"],
            |_| {},
        )
        .stays(&["few-clusters"]),
        case("dirty, by Linux", "fat32", &["dirty"], |image| {
            image.poke(65, &[1])
        }),
        case("errors, by Linux", "fat16", &["hard-errors"], |image| {
            image.poke(37, &[3])
        }),
    ]
}

fn exfat() -> Vec<Case> {
    vec![
        case(
            "boot sector of zeros, exFAT",
            "exfat",
            &["boot-sector"],
            |image| image.bytes[..512].fill(0),
        ),
        case(
            "a byte of the boot code",
            "exfat",
            &["boot-checksum"],
            |image| image.poke(200, &[0x5A]),
        ),
        case(
            "a byte of both boot codes",
            "exfat mbr",
            &["boot-checksum"],
            |image| {
                let start = image.start;
                image.poke(start + 200, &[0x5A]);
                image.poke(start + 12 * 512 + 200, &[0x5A]);
            },
        ),
        case(
            "checksum sector of zeros",
            "exfat 4096",
            &["boot-checksum"],
            |image| {
                image.bytes[11 * 4096..12 * 4096].fill(0);
            },
        ),
        case(
            "backup of the boot sectors of zeros",
            "exfat",
            &["boot-backup"],
            |image| {
                image.bytes[12 * 512..24 * 512].fill(0);
            },
        ),
        case("dirty, exFAT", "exfat", &["dirty"], |image| {
            image.poke(106, &[2])
        }),
        case("errors, exFAT", "exfat mbr", &["hard-errors"], |image| {
            let start = image.start;
            image.poke(start + 106, &[4]);
        }),
        case("151 % in use", "exfat", &["percent-in-use"], |image| {
            image.poke(112, &[151])
        }),
        case("version 1.16", "exfat", &["camera-exfat"], |image| {
            for region in [0, 12 * 512] {
                image.poke(region + 104, &[16]);
                let sum = (0..11 * 512)
                    .filter(|at| !matches!(at, 106 | 107 | 112))
                    .fold(0_u32, |sum, at| {
                        sum.rotate_right(1)
                            .wrapping_add(u32::from(image.bytes[region + at]))
                    });
                image.poke(region + 11 * 512, &sum.to_le_bytes().repeat(128));
            }
        })
        .stays(&["camera-exfat"]),
    ]
}
