//! Damages of allocation tables and of chains.

use super::{Case, case};
use crate::image::Image;

/// The clusters of a file.
fn chain(image: &Image, path: &str) -> Vec<u32> {
    image.chain(image.find(path).first)
}

fn noise(bytes: &mut [u8]) {
    let mut state = 0x1234_5678_u32;
    for byte in bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
}

/// A sector of one copy of the table: the one with the entry of a cluster.
fn sector_of(image: &Image, copy: usize, cluster: u32) -> std::ops::Range<usize> {
    let bits = match image.form {
        crate::image::Form::Fat12 => 12,
        crate::image::Form::Fat16 => 16,
        _ => 32,
    };
    let at = cluster as usize * bits / 8;
    let begin = image.fat + copy * image.fat_bytes + at - at % image.sector;
    begin..begin + image.sector
}

pub fn cases() -> Vec<Case> {
    let mut cases = tables();
    cases.extend(chains());
    cases.extend(crossed());
    cases.extend(starts());
    cases.extend(room());
    cases
}

fn tables() -> Vec<Case> {
    vec![
        case(
            "media byte of the table",
            "fat12",
            &["media-byte"],
            |image| {
                for copy in 0..2 {
                    image.link_in(copy, 0, 0xF00);
                }
            },
        ),
        case(
            "media byte of the table, one copy",
            "rt1062",
            &["media-byte"],
            |image| image.link(0, 0xFF0),
        ),
        case("second entry is 0", "fat16", &["end-mark"], |image| {
            image.link(1, 0)
        }),
        case("dirty, by Windows", "fat16", &["dirty"], |image| {
            image.link(1, 0x7FFF)
        }),
        case("dirty, by Windows, FAT32", "fat32", &["dirty"], |image| {
            image.link(1, 0x07FF_FFFF)
        }),
        case("errors, by Windows", "fat32", &["hard-errors"], |image| {
            image.link(1, 0x0BFF_FFFF)
        }),
        case(
            "noise in the first copy",
            "fat16",
            &["fats-differ"],
            |image| {
                let range = sector_of(image, 0, image.find("long.bin").first);
                noise(&mut image.bytes[range]);
            },
        ),
        case(
            "noise in the second copy",
            "fat16",
            &["fats-differ"],
            |image| {
                let range = sector_of(image, 1, image.find("long.bin").first);
                noise(&mut image.bytes[range]);
            },
        ),
        case(
            "a sector of zeros in the first copy",
            "fat12",
            &["fats-differ"],
            |image| {
                let range = sector_of(image, 0, image.find("long.bin").first);
                image.bytes[range].fill(0);
            },
        ),
        case("first copy of zeros", "fat32", &["fats-differ"], |image| {
            let range = image.fat..image.fat + image.fat_bytes;
            image.bytes[range].fill(0);
        }),
        case(
            "second copy of zeros",
            "fat32 mbr",
            &["fats-differ"],
            |image| {
                let range = image.fat + image.fat_bytes..image.fat + 2 * image.fat_bytes;
                image.bytes[range].fill(0);
            },
        ),
        case(
            "each copy damaged in another sector",
            "fat32",
            &["fats-differ"],
            |image| {
                let one = sector_of(image, 0, 2);
                noise(&mut image.bytes[one]);
                let two = sector_of(image, 1, image.find("logs/two.csv").first + 200);
                noise(&mut image.bytes[two]);
            },
        ),
        case(
            "one link differs",
            "fat16 4096",
            &["fats-differ"],
            |image| {
                let chain = chain(image, "long.bin");
                image.link_in(0, chain[3], 0);
            },
        ),
        case(
            "free clusters with the value 1",
            "fat12",
            &["fat-garbage"],
            |image| {
                for cluster in image.free(3) {
                    image.link(cluster, 1);
                }
            },
        ),
    ]
}

fn chains() -> Vec<Case> {
    vec![
        case("chain ends early", "fat12", &["chain-short"], |image| {
            let chain = chain(image, "long.bin");
            image.link(chain[4], image.end());
        }),
        case(
            "chain of main.py ends early",
            "rt1062",
            &["chain-short"],
            |image| {
                let chain = chain(image, "main.py");
                image.link(chain[0], image.end());
            },
        ),
        case(
            "chain of main.py ends early, FAT32",
            "fat32",
            &["chain-short"],
            |image| {
                let chain = chain(image, "main.py");
                image.link(chain[1], image.end());
            },
        ),
        case("link is 0", "fat16", &["chain-free"], |image| {
            let chain = chain(image, "long.bin");
            image.link(chain[2], 0);
        }),
        case("link is 0, one copy", "h7", &["chain-free"], |image| {
            let chain = chain(image, "other.bin");
            image.link(chain[2], 0);
        }),
        case("five links are 0", "rt1062", &["chain-free"], |image| {
            for cluster in &chain(image, "long.bin")[2..7] {
                image.link(*cluster, 0);
            }
        }),
        case("last link is 0", "fat16", &["chain-free"], |image| {
            let chain = chain(image, "third.bin");
            image.link(*chain.last().unwrap(), 0);
        }),
        case(
            "all links of a file are 0",
            "h7",
            &["chain-free"],
            |image| {
                for cluster in chain(image, "third.bin") {
                    image.link(cluster, 0);
                }
            },
        ),
        case("link leads outside", "fat12", &["chain-outside"], |image| {
            let chain = chain(image, "long.bin");
            image.link(chain[5], image.clusters + 3);
        }),
        case(
            "link leads outside, FAT32",
            "fat32 mbr",
            &["chain-outside"],
            |image| {
                let chain = chain(image, "long.bin");
                image.link(chain[5], 0x0F00_0000);
            },
        ),
        case("link is 1", "fat16 4096", &["chain-outside"], |image| {
            let chain = chain(image, "long.bin");
            image.link(chain[5], 1);
        }),
        case("chain leads back", "fat16", &["chain-loop"], |image| {
            let chain = chain(image, "long.bin");
            image.link(chain[8], chain[1]);
        }),
        case(
            "chain leads back, one copy",
            "rt1062",
            &["chain-loop"],
            |image| {
                let chain = chain(image, "long.bin");
                image.link(chain[8], chain[0]);
            },
        ),
        case(
            "a cluster leads to itself",
            "fat32",
            &["chain-loop"],
            |image| {
                let chain = chain(image, "other.bin");
                image.link(chain[0], chain[0]);
            },
        ),
        case(
            "last cluster leads back",
            "fat12",
            &["chain-long"],
            |image| {
                let chain = chain(image, "other.bin");
                image.link(*chain.last().unwrap(), chain[0]);
            },
        ),
        case(
            "bad mark in a chain",
            "fat16",
            &["bad-cluster-used"],
            |image| {
                let chain = chain(image, "long.bin");
                image.link(chain[6], image.bad());
            },
        ),
        case(
            "bad mark in a chain, one copy",
            "h7",
            &["bad-cluster-used"],
            |image| {
                let chain = chain(image, "long.bin");
                image.link(chain[6], image.bad());
            },
        ),
        case("size too small", "fat12", &["chain-long"], |image| {
            let found = image.find("long.bin");
            image.set_size(&found, 700);
        })
        .hurt(&["/long.bin"])
        .note("the rest of the file is kept in FOUND.000"),
        case("size too large", "fat16", &["chain-short"], |image| {
            let found = image.find("third.bin");
            image.set_size(&found, found.size + 100_000);
        })
        .hurt(&["/third.bin"])
        .note("no byte of the file is lost; where it ended is"),
        case(
            "chain of the root ends in 0",
            "fat32",
            &["chain-free"],
            |image| image.link(image.root, 0),
        ),
        case(
            "chain of a folder leads back",
            "fat16",
            &["chain-loop"],
            |image| {
                let first = image.find("logs").first;
                image.link(first, first);
            },
        ),
    ]
}

fn crossed() -> Vec<Case> {
    vec![
        case(
            "two files share clusters, a tail is lost",
            "fat12",
            &["cross-link"],
            |image| {
                let (long, other) = (chain(image, "long.bin"), chain(image, "other.bin"));
                image.link(other[2], long[5]);
            },
        ),
        case(
            "the first of two strays into the second",
            "fat16",
            &["cross-link"],
            |image| {
                let (long, third) = (chain(image, "long.bin"), chain(image, "third.bin"));
                image.link(long[3], third[2]);
            },
        ),
        case(
            "two files share clusters, one copy",
            "rt1062",
            &["cross-link"],
            |image| {
                let (long, other) = (chain(image, "long.bin"), chain(image, "other.bin"));
                image.link(other[2], long[5]);
            },
        ),
        case(
            "two files share clusters, the tail is free",
            "fat32",
            &["cross-link"],
            |image| {
                let (long, other) = (chain(image, "long.bin"), chain(image, "other.bin"));
                for cluster in &other[3..] {
                    image.link(*cluster, 0);
                }
                image.link(other[2], long[5]);
            },
        ),
        case(
            "two entries lead to one file",
            "fat16",
            &["cross-link"],
            |image| {
                let (long, other) = (image.find("long.bin"), image.find("other.bin"));
                image.set_first(&other, long.first);
            },
        ),
    ]
}

fn starts() -> Vec<Case> {
    vec![
        case("first cluster is 0", "fat12", &["start-bad"], |image| {
            let found = image.find("long.bin");
            image.set_first(&found, 0);
        }),
        case(
            "first cluster is outside",
            "fat32",
            &["start-bad"],
            |image| {
                let found = image.find("other.bin");
                image.set_first(&found, 0x0AAA_AAAA);
            },
        ),
        case(
            "first cluster is outside, one copy",
            "rt1062",
            &["start-bad"],
            |image| {
                let found = image.find("main.py");
                image.set_first(&found, 0xFFF0);
            },
        ),
        case(
            "first cluster is outside, nothing is lost",
            "fat16",
            &["start-bad"],
            |image| {
                let found = image.find("empty.txt");
                image.set_size(&found, 5000);
                image.set_first(&found, 60_000);
            },
        ),
        case(
            "an empty file with clusters",
            "fat16",
            &["start-unused"],
            |image| {
                let free = image.free(3);
                image.allocate(&free);
                let found = image.find("empty.txt");
                image.set_first(&found, free[0]);
            },
        ),
        case(
            "first cluster of a folder is outside",
            "fat16",
            &["start-bad"],
            |image| {
                let found = image.find("lib/deep");
                image.set_first(&found, 0xEEEE);
            },
        ),
    ]
}

fn room() -> Vec<Case> {
    vec![
        case("lost clusters", "fat12", &["lost-clusters"], |image| {
            let free = image.free(4);
            image.allocate(&free);
        }),
        case(
            "lost clusters, one copy",
            "h7",
            &["lost-clusters"],
            |image| {
                let free = image.free(3);
                image.allocate(&free);
            },
        ),
        case(
            "a ring of lost clusters",
            "fat32",
            &["lost-clusters"],
            |image| {
                let free = image.free(4);
                image.allocate(&free);
                image.link(free[3], free[0]);
            },
        ),
        case(
            "a file whose entry is gone",
            "fat16",
            &["lost-clusters"],
            |image| {
                let found = image.find("other.bin");
                for at in (found.begin..=found.at).step_by(32) {
                    image.poke(at, &[0xE5]);
                }
            },
        )
        .moved(&["/other.bin"]),
        case(
            "a folder whose entry is gone",
            "fat32",
            &["lost-clusters"],
            |image| {
                let found = image.find("lib");
                for at in (found.begin..=found.at).step_by(32) {
                    image.poke(at, &[0xE5]);
                }
            },
        )
        .moved(&["/lib/util.py", "/lib/deep/data.bin"]),
        case(
            "count of free clusters is 0",
            "fat32",
            &["info-free-zero"],
            |image| image.poke(512 + 488, &[0; 4]),
        ),
        case(
            "count of free clusters is wrong",
            "fat32 mbr",
            &["info-free-wrong"],
            |image| {
                let at = image.start + 512 + 488;
                image.poke(at, &[1, 2, 0, 0]);
            },
        ),
        case(
            "hint for free clusters is outside",
            "fat32",
            &["info-next"],
            |image| {
                image.poke(512 + 492, &[0, 0, 0, 0x0C]);
            },
        ),
        case(
            "info sector of zeros",
            "fat32",
            &["info-signature"],
            |image| image.bytes[512..1024].fill(0),
        ),
        case("no cluster is free", "rt1062", &["full"], |image| {
            let free: Vec<u32> = (2..image.clusters + 2)
                .filter(|cluster| image.is_free(*cluster))
                .collect();
            image.allocate(&free);
            let size = (free.len() * image.cluster) as u32;
            image.add_short(None, b"BIG     BIN", 0, 0x20, free[0], size);
        })
        .note("nothing is wrong, so nothing is to be found by others"),
        case(
            "no entry of the root is free",
            "fat12",
            &["root-full"],
            |image| {
                let mut number = 0;
                while image.bytes[image.root_at + image.root_bytes - 32] == 0 {
                    let name = format!("N{number:07}TXT");
                    image.add_short(None, name.as_bytes().try_into().unwrap(), 0, 0x20, 0, 0);
                    number += 1;
                }
            },
        )
        .stays(&["root-full"])
        .note("nothing is wrong, so nothing is to be found by others"),
    ]
}
