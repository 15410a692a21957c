//! Damages of FAT's directories, and of what is in scripts.

use super::{Case, case};
use crate::image::Image;

/// Writes over the content of a file.
fn write(image: &mut Image, path: &str, with: &[u8]) {
    let found = image.find(path);
    let place = image.at(found.first);
    let length = found.size as usize;
    let filled: Vec<u8> = with.iter().copied().cycle().take(length).collect();
    image.poke(place, &filled);
}

pub fn cases() -> Vec<Case> {
    let mut cases = folders();
    cases.extend(names());
    cases.extend(content());
    cases
}

fn folders() -> Vec<Case> {
    vec![
        case(
            "a folder with a size",
            "fat16",
            &["directory-size"],
            |image| {
                let found = image.find("logs");
                image.poke(found.at + 28, &512_u32.to_le_bytes());
            },
        ),
        case(
            "a folder leads to the one above",
            "fat12",
            &["directory-cycle"],
            |image| {
                let (above, found) = (image.find("lib"), image.find("lib/deep"));
                image.set_first(&found, above.first);
            },
        ),
        case(
            "a folder leads to itself through the root",
            "fat32",
            &["directory-cycle"],
            |image| {
                let found = image.find("logs");
                image.set_first(&found, image.root);
            },
        ),
        case("`.` leads elsewhere", "fat16", &["dot-entry"], |image| {
            let at = image.at(image.find("lib").first);
            image.poke(at + 26, &[77, 0]);
        }),
        case(
            "`.` leads elsewhere, 4096",
            "rt1062",
            &["dot-entry"],
            |image| {
                let at = image.at(image.find("lib").first);
                image.poke(at + 26, &[3, 0]);
            },
        ),
        case(
            "`..` leads elsewhere",
            "fat32",
            &["dotdot-entry"],
            |image| {
                let at = image.at(image.find("lib/deep").first);
                image.poke(at + 32 + 26, &[77, 0]);
            },
        ),
        case(
            "`..` has another name",
            "fat12",
            &["dotdot-entry"],
            |image| {
                let at = image.at(image.find("lib").first);
                image.poke(at + 32, b"X.");
            },
        ),
        case(
            "a folder full of noise",
            "fat16",
            &["directory-garbage"],
            |image| {
                let first = image.find("logs").first;
                let (at, length) = (image.at(first), image.cluster);
                let noise = crate::healthy::content("noise", length);
                image.poke(at, &noise);
            },
        )
        .moved(&["/logs/one.csv", "/logs/two.csv"]),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case("a name with a star", "fat12", &["bad-name"], |image| {
            let at = image.find("other.bin").at;
            image.poke(at + 2, b"*");
        })
        .moved(&["/other.bin"]),
        case(
            "a name with a control character",
            "rt1062",
            &["bad-name"],
            |image| {
                let at = image.find("other.bin").at;
                image.poke(at + 2, &[7]);
            },
        )
        .moved(&["/other.bin"]),
        case(
            "a long name with a colon",
            "fat16",
            &["bad-name"],
            |image| {
                let begin = image.find("A picture with a long name.jpg").begin;
                image.poke(begin + 1, b":\0");
            },
        )
        .moved(&["/A picture with a long name.jpg"]),
        case("two files of one name", "fat16", &["same-name"], |image| {
            let (one, two) = (image.find("long.bin"), image.find("other.bin"));
            let name: [u8; 11] = image.bytes[one.at..one.at + 11].try_into().unwrap();
            image.poke(two.at, &name);
        })
        .moved(&["/long.bin", "/other.bin"]),
        case(
            "a long name whose file is gone",
            "fat32",
            &["long-name-orphan"],
            |image| {
                let found = image.find("A picture with a long name.jpg");
                image.poke(found.at, &[0xE5]);
                for cluster in image.chain(found.first) {
                    image.link(cluster, 0);
                }
                let free = image.u32(512 + 488) + 3;
                image.poke(512 + 488, &free.to_le_bytes());
            },
        )
        .hurt(&["/A picture with a long name.jpg"]),
        case(
            "a long name with a wrong sum",
            "fat12",
            &["long-name-orphan"],
            |image| {
                let begin = image.find("A picture with a long name.jpg").begin;
                image.poke(begin + 13, &[0x5A]);
            },
        )
        .moved(&["/A picture with a long name.jpg"]),
        case("a label in a folder", "fat16", &["second-label"], |image| {
            let found = image.find("logs");
            image.add_short(Some(&found), b"SECOND     ", 0, 0x08, 0, 0);
        }),
        case(
            "attributes that do not exist",
            "fat12",
            &["bad-attribute"],
            |image| {
                let at = image.find("other.bin").at;
                image.poke(at + 11, &[0xE0]);
            },
        ),
    ]
}

fn content() -> Vec<Case> {
    vec![
        case("main.py of zeros", "rt1062", &["content-zeros"], |image| {
            write(image, "main.py", &[0])
        })
        .stays(&["content-zeros"])
        .hurt(&["/main.py"]),
        case("zeros in main.py", "fat32", &["content-nul"], |image| {
            let at = image.at(image.find("main.py").first);
            image.poke(at + 100, &[0; 50]);
        })
        .stays(&["content-nul"])
        .hurt(&["/main.py"]),
        case("main.py in UTF-16", "h7", &["content-coding"], |image| {
            let at = image.at(image.find("main.py").first);
            image.poke(at, &[0xFF, 0xFE]);
        })
        .stays(&["content-coding"])
        .hurt(&["/main.py"]),
        case("main.py is empty", "fat16", &["content-empty"], |image| {
            let found = image.find("main.py");
            for cluster in image.chain(found.first) {
                image.link(cluster, 0);
            }
            image.set_first(&found, 0);
            image.set_size(&found, 0);
        })
        .stays(&["content-empty"])
        .hurt(&["/main.py"]),
        case("main.py is called MAIN.TXT", "h7", &["misnamed"], |image| {
            let at = image.find("main.py").at;
            image.poke(at + 8, b"TXT");
        })
        .hurt(&["/main.py"])
        .note("nothing is wrong, so nothing is to be found by others"),
    ]
}
