//! Damages of exFAT's bitmap, directories and chains.

use super::{Case, case};
use crate::image::{Found, Image};

/// Pokes a set and seals it again.
fn sealed(image: &mut Image, found: &Found, at: usize, bytes: &[u8]) {
    image.poke(found.at + at, bytes);
    image.seal(found.at);
}

/// The entry of the root that begins with a byte.
fn of_root(image: &Image, kind: u8) -> usize {
    let root = image.at(image.root);
    (0..)
        .map(|at| root + at * 32)
        .find(|at| image.bytes[*at] == kind)
        .unwrap()
}

/// A file of the corpus that has a chain.
const CHAINED: &str = "long.bin";
/// One that lies in one piece without.
const STRAIGHT: &str = "other.bin";

pub fn cases() -> Vec<Case> {
    let mut cases = space();
    cases.extend(entries());
    cases.extend(chains());
    cases
}

fn space() -> Vec<Case> {
    vec![
        case(
            "clusters of a file marked free",
            "exfat",
            &["used-but-free"],
            |image| {
                let first = image.find(STRAIGHT).first;
                for cluster in first..first + 3 {
                    image.mark(cluster, false);
                }
            },
        ),
        case(
            "bitmap of zeros",
            "exfat mbr",
            &["used-but-free"],
            |image| {
                let (at, _) = image.bit(2);
                let length = image.clusters.div_ceil(8) as usize;
                image.bytes[at..at + length].fill(0);
            },
        ),
        case(
            "lost clusters, exFAT",
            "exfat",
            &["lost-clusters"],
            |image| {
                for cluster in image.free(5) {
                    image.mark(cluster, true);
                }
            },
        ),
        case(
            "a lost chain, exFAT 4096",
            "exfat 4096",
            &["lost-clusters"],
            |image| {
                let free = image.free(5);
                image.allocate(&[free[0], free[2], free[4]]);
            },
        ),
        case("bitmap in pieces", "exfat", &["camera-exfat"], |image| {
            // Its chain is made to end elsewhere; it lies in one piece still.
            let entry = of_root(image, 0x81);
            let first = image.u32(entry + 20);
            image.link(first, first);
        })
        .stays(&["camera-exfat"]),
        case(
            "length of the bitmap is wrong",
            "exfat",
            &["no-bitmap"],
            |image| {
                let entry = of_root(image, 0x81);
                image.poke(entry + 24, &[0xFF, 0xFF]);
            },
        ),
        case(
            "checksum of the upper-case table is wrong",
            "exfat",
            &["no-upcase"],
            |image| {
                let entry = of_root(image, 0x82);
                image.poke(entry + 4, &[0xFF, 0xFF]);
            },
        ),
    ]
}

fn entries() -> Vec<Case> {
    vec![
        case(
            "checksum of a file's entry is wrong",
            "exfat",
            &["set-checksum"],
            |image| {
                let at = image.find(STRAIGHT).at;
                image.poke(at + 2, &[0x11, 0x22]);
            },
        ),
        case(
            "a bit of a time flipped",
            "exfat 4096",
            &["set-checksum"],
            |image| {
                let at = image.find("main.py").at;
                image.bytes[at + 12] ^= 4;
            },
        ),
        case(
            "an entry without its name",
            "exfat",
            &["set-broken"],
            |image| {
                let at = image.find(STRAIGHT).at;
                image.poke(at + 64, &[0x41]);
            },
        )
        .moved(&["/other.bin"]),
        case(
            "hash of a name is wrong",
            "exfat",
            &["name-hash"],
            |image| {
                let found = image.find("main.py");
                sealed(image, &found, 36, &[1, 2]);
            },
        ),
        case(
            "more valid than there is",
            "exfat",
            &["valid-length"],
            |image| {
                let found = image.find("main.py");
                sealed(image, &found, 40, &[0xFF, 0xFF, 0xFF]);
            },
        ),
        case(
            "a name with a star, exFAT",
            "exfat mbr",
            &["bad-name"],
            |image| {
                let found = image.find("third.bin");
                image.poke(found.at + 66, b"*");
                image.poke(found.at + 36, &name_hash("*hird.bin"));
                image.seal(found.at);
            },
        )
        .moved(&["/third.bin"]),
        case(
            "two files of one name, exFAT",
            "exfat",
            &["same-name"],
            |image| {
                let found = image.find("third.bin");
                for (at, letter) in "other.bin".encode_utf16().enumerate() {
                    image.poke(found.at + 66 + at * 2, &letter.to_le_bytes());
                }
                image.poke(found.at + 36, &name_hash("other.bin"));
                image.seal(found.at);
            },
        )
        .moved(&["/third.bin", "/other.bin"]),
        case(
            "a folder leads to another, exFAT",
            "exfat",
            &["directory-cycle"],
            |image| {
                let (lib, logs) = (image.find("lib"), image.find("logs"));
                image.set_first(&logs, lib.first);
            },
        )
        .moved(&["/logs/one.csv", "/logs/two.csv"]),
    ]
}

fn name_hash(name: &str) -> [u8; 2] {
    let upper: Vec<u16> = name.to_ascii_uppercase().encode_utf16().collect();
    let bytes = upper.iter().flat_map(|unit| unit.to_le_bytes());
    bytes
        .fold(0_u16, |sum, byte| {
            sum.rotate_right(1).wrapping_add(byte.into())
        })
        .to_le_bytes()
}

fn chains() -> Vec<Case> {
    vec![
        case(
            "chain ends early, exFAT",
            "exfat",
            &["chain-short"],
            |image| {
                let chain = image.chain(image.find(CHAINED).first);
                image.link(chain[3], u32::MAX);
            },
        ),
        case("link is 0, exFAT", "exfat mbr", &["chain-free"], |image| {
            let chain = image.chain(image.find(CHAINED).first);
            image.link(chain[3], 0);
        }),
        case(
            "chain leads back, exFAT",
            "exfat 4096",
            &["chain-loop"],
            |image| {
                let chain = image.chain(image.find(CHAINED).first);
                image.link(chain[7], chain[2]);
            },
        ),
        case(
            "link leads outside, exFAT",
            "exfat",
            &["chain-outside"],
            |image| {
                let chain = image.chain(image.find(CHAINED).first);
                image.link(chain[7], 0x00FF_FFFF);
            },
        ),
        case(
            "first cluster is outside, exFAT",
            "exfat",
            &["start-bad"],
            |image| {
                let found = image.find(STRAIGHT);
                image.set_first(&found, 0x00AA_AAAA);
            },
        ),
        case(
            "two entries lead to one file, exFAT",
            "exfat",
            &["cross-link"],
            |image| {
                let (one, two) = (image.find(STRAIGHT), image.find("third.bin"));
                image.set_first(&two, one.first);
            },
        ),
        case("size too large, exFAT", "exfat", &["cross-link"], |image| {
            let found = image.find(STRAIGHT);
            image.set_size(&found, found.size + 9000);
        })
        .hurt(&["/other.bin"])
        .note("no byte of the file is lost; where it ended is"),
    ]
}
